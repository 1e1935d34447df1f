#!/usr/bin/env python3
"""What the control API costs: requests per second and core, endpoints over the wire, memory (`script/bench --control`).

The server is the built program; the client is this one: raw sockets and frames made beforehand, so that one process can
ask faster than the server answers. Its CPU time is told apart from the server's. Figures go to standard output.
"""

import argparse
import base64
import contextlib
import datetime
import json
import os
import pathlib
import platform
import select
import signal
import socket
import struct
import subprocess
import sys
import time

REPOSITORY = pathlib.Path(__file__).resolve().parents[1]
PAGE = REPOSITORY / "docs/performance.md"
MARKS = ("<!-- control:begin -->", "<!-- control:end -->")
TICK = os.sysconf("SC_CLK_TCK")

# What has to hold (docs/performance.md).
PINGS_PER_SECOND = 10_000
ENDPOINT_CPU_MS = 2.0

PIPELINES = [
    ("an empty pipeline", []),
    ("a pipeline with a `PassThrough`", ["PassThrough"]),
    ("a pipeline with a `Composite`", ["Composite"]),
    ("a pipeline with a `WebRtcEndpoint`, not negotiated", ["WebRtcEndpoint"]),
]


class Server:
    """`tessera serve` on a free port, and what it has used so far."""

    def __init__(self, program):
        self.process = subprocess.Popen(
            [program, "serve", "--port", "0", "--requests-per-second", "1000000", "--json"], stdout=subprocess.PIPE)
        line = json.loads(self.process.stdout.readline())
        self.port = int(line["control"][0].split(":")[2].split("/")[0])

    def cpu(self):
        """Seconds of all its threads, the kernel's part included."""
        text = pathlib.Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(text[11]) + int(text[12])) / TICK

    def memory(self):
        """KiB that are resident."""
        text = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return int(text.split("VmRSS:")[1].split()[0])

    def end(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(30)


def frame(message):
    """A text frame, masked with zeros."""
    size = len(message)
    if size < 126:
        return bytes([0x81, 0x80 | size, 0, 0, 0, 0]) + message
    if size < 1 << 16:
        return b"\x81\xfe" + struct.pack("!H", size) + bytes(4) + message
    return b"\x81\xff" + struct.pack("!Q", size) + bytes(4) + message


class Connection:
    """One WebSocket to the server. Numbers its requests."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=30)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        key = base64.b64encode(os.urandom(16)).decode()
        self.socket.sendall(
            f"GET /kurento HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n".encode())
        self.buffer = b""
        while b"\r\n\r\n" not in self.buffer:
            self.buffer += self.socket.recv(4096)
        head, _, self.buffer = self.buffer.partition(b"\r\n\r\n")
        assert b" 101 " in head.split(b"\r\n")[0], head
        self.number = 0

    def messages(self):
        """The whole messages that have come."""
        buffer, at, out = self.buffer, 0, []
        while len(buffer) - at >= 2:
            size, start = buffer[at + 1], at + 2
            if size == 126:
                if len(buffer) < at + 4:
                    break
                size, start = int.from_bytes(buffer[at + 2:at + 4], "big"), at + 4
            elif size == 127:
                if len(buffer) < at + 10:
                    break
                size, start = int.from_bytes(buffer[at + 2:at + 10], "big"), at + 10
            if len(buffer) < start + size:
                break
            if buffer[at] == 0x81:
                out.append(buffer[start:start + size])
            at = start + size
        self.buffer = buffer[at:]
        return out

    def request(self, method, **params):
        self.number += 1
        message = {"jsonrpc": "2.0", "id": self.number, "method": method, "params": params}
        return frame(json.dumps(message).encode())

    def call(self, method, **params):
        """Asks and waits; `result.value`."""
        self.socket.sendall(self.request(method, **params))
        while True:
            for message in self.messages():
                answer = json.loads(message)
                if answer.get("id") == self.number:
                    assert "error" not in answer, answer
                    return answer["result"].get("value")
            self.buffer += self.socket.recv(1 << 16)

    def create(self, kind, **params):
        return self.call("create", type=kind, constructorParams=params)

    def invoke(self, target, operation, **params):
        return self.call("invoke", object=target, operation=operation, operationParams=params)

    def close(self):
        self.socket.close()


def pump(connections, in_flight, seconds, ask):
    """Keeps so many requests of each connection under way; returns how many were answered. `ask(connection, answer)`
    gives the next frame; answer is None at first."""
    poll, count = select.epoll(), 0
    by_file = {connection.socket.fileno(): connection for connection in connections}
    for file, connection in by_file.items():
        poll.register(file, select.EPOLLIN)
        connection.socket.sendall(b"".join(ask(connection, None) for _ in range(in_flight)))
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        for file, _ in poll.poll(1):
            connection = by_file[file]
            connection.buffer += connection.socket.recv(1 << 16)
            answers = connection.messages()
            count += len(answers)
            for answer in answers:
                if b'"error"' in answer:
                    raise SystemExit(f"a request was refused: {answer.decode()}")
            connection.socket.sendall(b"".join([ask(connection, answer) for answer in answers]))
    for connection in connections:
        left = in_flight
        while left > 0:
            left -= len(connection.messages())
            if left > 0:
                connection.buffer += connection.socket.recv(1 << 16)
    return count


class Bench:
    def __init__(self, seconds):
        self.server, self.seconds, self.rows, self.held = None, seconds, [], []

    @contextlib.contextmanager
    def serving(self, program):
        self.server = Server(program)
        try:
            yield
        finally:
            self.server.end()

    def rate(self, what, connections, in_flight, ask, requests=1):
        """A row of the table: requests per second, and per second of the server's CPU time."""
        server, client, began = self.server.cpu(), time.process_time(), time.monotonic()
        count = pump(connections, in_flight, self.seconds, ask) / requests
        wall = time.monotonic() - began
        server, client = self.server.cpu() - server, time.process_time() - client
        self.rows.append(
            f"| {what} | {len(connections)} | {in_flight} | {count / wall:,.0f} | {count / server:,.0f} | "
            f"{server / count * 1e6:.0f} | {server / wall * 100:.0f} % | {client / wall * 100:.0f} % |")
        print(self.rows[-1], file=sys.stderr)
        return count / wall

    def hold(self, what, is_held):
        self.held.append(f"- {what} {'✓' if is_held else '✗'}")

    def connections(self, count):
        return [Connection(self.server.port) for _ in range(count)]

    # --- requests

    def pings(self):
        eight = self.connections(8)

        def ping(connection, _):
            connection.number += 1
            return frame(b'{"jsonrpc":"2.0","id":%d,"method":"ping"}' % connection.number)

        pump(eight, 4, 0.5, ping)
        rate = self.rate("`ping`", eight, 4, ping)
        self.hold(f"`ping` over eight connections: {rate:,.0f} a second (to hold: ≥ {PINGS_PER_SECOND:,})",
                  rate >= PINGS_PER_SECOND)
        self.rate("`ping`, one after another", eight[:1], 1, ping)
        for connection in eight:
            connection.close()

    def calls(self):
        eight = self.connections(8)
        pipelines = {id(one): one.create("MediaPipeline") for one in eight}
        elements = {id(one): one.create("PassThrough", mediaPipeline=pipelines[id(one)]) for one in eight}

        def invoke(operation, **params):
            return lambda one, _: one.request(
                "invoke", object=elements[id(one)], operation=operation, operationParams=params)

        def turns(kind, inside):
            def ask(one, answer):
                value = answer and json.loads(answer)["result"].get("value")
                if value:
                    return one.request("release", object=value)
                params = {"mediaPipeline": pipelines[id(one)]} if inside else {}
                return one.request("create", type=kind, constructorParams=params)
            return ask

        self.rate("`invoke` of what the control thread knows (`getName`)", eight, 4, invoke("getName"))
        self.rate("`invoke` of what the pipeline knows (`isMediaFlowingIn`)", eight, 4,
                  invoke("isMediaFlowingIn", mediaType="VIDEO"))
        self.rate("`create` + `release` of a `PassThrough`", eight, 4, turns("PassThrough", True), requests=2)
        self.rate("`create` + `release` of a `MediaPipeline`", eight, 4, turns("MediaPipeline", False), requests=2)
        for connection in eight:
            connection.call("release", object=pipelines[id(connection)])
            connection.close()

    # --- endpoints

    def offer(self, client):
        """What a browser would send: an endpoint's own offer, with all its codecs."""
        pipeline = client.create("MediaPipeline")
        endpoint = client.create("WebRtcEndpoint", mediaPipeline=pipeline)
        offer = client.invoke(endpoint, "generateOffer")
        client.call("release", object=pipeline)
        return offer

    def negotiate(self, client, pipeline, offer):
        endpoint = client.create("WebRtcEndpoint", mediaPipeline=pipeline)
        client.invoke(endpoint, "connect", sink=endpoint)
        client.invoke(endpoint, "processOffer", offer=offer)
        client.invoke(endpoint, "gatherCandidates")
        return endpoint

    def endpoints(self, count):
        [client] = self.connections(1)
        cpu, began = self.server.cpu(), time.monotonic()
        offer = self.offer(client)
        first = (time.monotonic() - began) * 1000, (self.server.cpu() - cpu) * 1000
        pipeline = client.create("MediaPipeline")
        for _ in range(20):
            self.negotiate(client, pipeline, offer)
        memory, cpu, began = self.server.memory(), self.server.cpu(), time.monotonic()
        for _ in range(count):
            self.negotiate(client, pipeline, offer)
        wall = (time.monotonic() - began) * 1000 / count
        used = (self.server.cpu() - cpu) * 1000 / count
        grown = (self.server.memory() - memory) / count
        cpu, began = self.server.cpu(), time.monotonic()
        client.call("release", object=pipeline)
        release = (self.server.cpu() - cpu) * 1000 / count, (time.monotonic() - began) * 1000 / count
        # Memory goes back to the system at the next look at what still flows, two seconds later.
        time.sleep(4)
        left = (self.server.memory() - memory) / 1024
        client.close()
        self.hold(f"a WebRtcEndpoint made, connected and negotiated: {used:.2f} ms of CPU (to hold: ≤ "
                  f"{ENDPOINT_CPU_MS:.0f})", used <= ENDPOINT_CPU_MS)
        return [
            f"| the first one, with the server's key | {first[0]:.1f} | {first[1]:.0f} | |",
            f"| `create`, `connect`, `processOffer`, `gatherCandidates` ({count} in one pipeline) | {wall:.2f} | "
            f"{used:.2f} | {grown:.0f} |",
            f"| its release | {release[1]:.2f} | {release[0]:.2f} | {left:.1f} MiB more than before, all together |",
        ]

    def pipelines(self, what, kinds, count):
        """A row of the table: what so many pipelines take, and what is left."""
        [client] = self.connections(1)
        memory, made = self.server.memory(), []
        for _ in range(count):
            made.append(client.create("MediaPipeline"))
            for kind in kinds:
                client.create(kind, mediaPipeline=made[-1])
        grown = (self.server.memory() - memory) / count
        for one in made:
            client.call("release", object=one)
        # Memory goes back to the system at the next look at what still flows, two seconds later.
        time.sleep(4)
        left = (self.server.memory() - memory) / 1024
        client.close()
        return f"| {what} | {grown:.0f} | {left:.1f} |"


def report(options):
    bench = Bench(1 if options.quick else 5)
    count = 50 if options.quick else 300
    # A server of its own for each: memory that one has given back would hide what the next one takes.
    with bench.serving(options.program):
        bench.pings()
        bench.calls()
    with bench.serving(options.program):
        endpoints = bench.endpoints(count)
    pipelines = []
    for what, kinds in PIPELINES:
        with bench.serving(options.program):
            pipelines.append(bench.pipelines(what, kinds, count))
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=REPOSITORY, capture_output=True, text=True).stdout.strip()
    lines = [
        f"{os.cpu_count()} cores, Linux {platform.release()}, {datetime.date.today().isoformat()}, commit {commit}, "
        f"load {os.getloadavg()[0]:.1f}.", "",
        "| request | connections | in flight each | a second | a second and core | µs of CPU each | server's CPU | "
        "client's CPU |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |", *bench.rows, "",
        "| a WebRtcEndpoint | ms | ms of CPU | KiB |", "| --- | ---: | ---: | ---: |", *endpoints, "",
        f"| memory ({count} at a time) | KiB each | MiB left after their release |",
        "| --- | ---: | ---: |", *pipelines,
        "", "To hold:", "", *bench.held]
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", type=pathlib.Path, required=True, help="the built tessera")
    parser.add_argument("--quick", action="store_true", help="short runs: to see that it works, not to be believed")
    parser.add_argument("--write", action="store_true", help="also put the tables into docs/performance.md")
    options = parser.parse_args()
    if options.quick and options.write:
        parser.error("--write wants the long runs")
    text = report(options)
    print(text)
    if options.write:
        page = PAGE.read_text()
        start, end = (page.index(mark) for mark in MARKS)
        PAGE.write_text(page[:start + len(MARKS[0])] + "\n" + text + "\n" + page[end:])


if __name__ == "__main__":
    main()
