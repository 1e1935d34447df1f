"""Clients that mean harm, or only too much, while a call is running: they are told clearly or closed, memory stays
bounded, others are answered, and the pictures of the call keep their pace (measured as packets arrive, by the kernel's
clock)."""

import contextlib
import json
import pathlib
import select
import socket
import struct
import threading
import time
import urllib.parse

import pytest

import live
import tools
from websocket_cases import BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, Client, code, frame

RATE = 30
# Of the server's whole process beyond what it had, whatever a client does.
GROWTH_MAX = 64
SO_TIMESTAMPNS = 35


class Caller(Client):
    """A client that asks one thing at a time."""

    def __init__(self, port):
        super().__init__("127.0.0.1", port)
        self.number = 0

    def ask(self, method, timeout=30, **params):
        self.number += 1
        message = {"jsonrpc": "2.0", "id": self.number, "method": method, "params": params}
        self.send(frame(TEXT, json.dumps(message).encode()))
        while True:
            got = self.read(timeout)
            if got and got[0] == PING:
                self.send(frame(PONG, got[1]))
                continue
            assert got and got[0] == TEXT, f"{method}: {got}"
            answer = json.loads(got[1])
            if answer.get("id") == self.number:
                return answer

    def value(self, method, timeout=30, **params):
        answer = self.ask(method, timeout, **params)
        assert "error" not in answer, answer
        return answer["result"].get("value")

    def create(self, kind, **params):
        return self.value("create", type=kind, constructorParams=params)

    def invoke(self, target, operation, **params):
        return self.value("invoke", object=target, operation=operation, operationParams=params)


class GapMeter:
    """Receives the pictures of a call as RTP and knows the longest time between the ends of two of them."""

    def __init__(self):
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        self.socket.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        self.socket.bind(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        self.times = []
        self.is_open = True
        self.thread = threading.Thread(target=self.read, daemon=True)
        self.thread.start()

    def read(self):
        self.socket.settimeout(0.2)
        while self.is_open:
            with contextlib.suppress(TimeoutError):
                data, extra, _, _ = self.socket.recvmsg(2048, 256)
                if len(data) > 12 and data[1] & 0x80 and data[1] & 0x7F == 96:
                    seconds, nanoseconds = struct.unpack("qq", extra[0][2])
                    self.times.append(seconds + nanoseconds / 1e9)

    def longest(self, since, until):
        """Milliseconds; and how many pictures came."""
        times = [since, *(time for time in self.times if since <= time <= until), until]
        return max(b - a for a, b in zip(times, times[1:])) * 1000, len(times) - 2

    def close(self):
        self.is_open = False
        self.thread.join()
        self.socket.close()


class Call:
    """A player in a composite whose picture goes out as RTP, on a server of its own."""

    def __init__(self, server, clip):
        self.server, self.meter = server, GapMeter()
        self.port = urllib.parse.urlsplit(server.url).port
        self.client = Caller(self.port)
        pipeline = self.client.create("MediaPipeline")
        player = self.client.create("PlayerEndpoint", mediaPipeline=pipeline, uri=f"file://{clip}")
        hub = self.client.create("Composite", mediaPipeline=pipeline)
        inside, outside = [self.client.create("HubPort", hub=hub) for _ in range(2)]
        endpoint = self.client.create("RtpEndpoint", mediaPipeline=pipeline)
        self.client.invoke(player, "connect", sink=inside)
        self.client.invoke(outside, "connect", sink=endpoint)
        self.client.invoke(endpoint, "processOffer", offer=(
            "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
            f"m=video {self.meter.port} RTP/AVP 96\r\na=rtpmap:96 VP8/90000\r\na=recvonly\r\n"))
        self.client.invoke(player, "play")
        self.pipeline = pipeline
        end = time.monotonic() + 15
        while len(self.meter.times) < 20:
            assert time.monotonic() < end, "no pictures came"
            time.sleep(0.05)
        began = time.time()
        time.sleep(2)
        self.calm, _ = self.meter.longest(began, time.time())

    @property
    def descriptors(self):
        return len(list(pathlib.Path(f"/proc/{self.server.run.process.pid}/fd").iterdir()))

    @property
    def memory(self):
        """MiB that are resident."""
        text = pathlib.Path(f"/proc/{self.server.run.process.pid}/status").read_text()
        return int(text.split("VmRSS:")[1].split()[0]) / 1024

    def close(self):
        self.client.close()
        # A new connection: the old one was silent for longer than a server waits.
        client = Caller(self.port)
        client.value("release", object=self.pipeline)
        client.close()
        self.meter.close()


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    folder = tmp_path_factory.mktemp("call")
    tools.ffmpeg("-f", "lavfi", "-i", f"testsrc2=size=160x90:rate={RATE}", "-t", 4, "-pix_fmt", "yuv420p",
                 "-c:v", "libvpx", "-deadline", "realtime", "-cpu-used", "-16", "-b:v", "150k", folder / "short.webm")
    file = folder / "clip.webm"
    tools.ffmpeg("-stream_loop", 75, "-i", folder / "short.webm", "-c", "copy", file)
    return file


@pytest.fixture
def call(clip):
    with live.Server("") as server:
        call = Call(server, clip)
        yield call
        call.close()


@contextlib.contextmanager
def undisturbed(call, capsys, what, growth=GROWTH_MAX):
    """What is done inside disturbs neither the call nor another client, and takes no more memory than that."""
    report = []
    other, slowest, is_over = Caller(call.port), [0.0], threading.Event()

    def ask():
        while not is_over.wait(0.02):
            began = time.monotonic()
            assert other.value("ping") == "pong"
            slowest[0] = max(slowest[0], time.monotonic() - began)

    memory, began = call.memory, time.time()
    highest = [memory]

    def watch():
        while not is_over.wait(0.05):
            highest[0] = max(highest[0], call.memory)

    threads = [threading.Thread(target=body, daemon=True) for body in (ask, watch)]
    for thread in threads:
        thread.start()
    yield report
    time.sleep(0.5)
    is_over.set()
    for thread in threads:
        thread.join(30)
        assert not thread.is_alive(), "another client was not answered"
    until = time.time()
    gap, count = call.meter.longest(began, until)
    with capsys.disabled():
        print(f"\n{what}: {until - began:.1f} s; {', '.join(report + [''])}memory {memory:.0f} → at most "
              f"{highest[0]:.0f} MiB; longest gap {gap:.0f} ms of {count} pictures (calm: {call.calm:.0f}); "
              f"slowest ping of another client {slowest[0] * 1000:.0f} ms")
    other.close()
    assert highest[0] - memory <= growth, f"{memory:.0f} → {highest[0]:.0f} MiB"
    assert gap <= max(150, 3 * call.calm), f"{gap:.0f} ms without a picture, calm: {call.calm:.0f}"
    assert slowest[0] < 1


def closing_code(client, timeout=25):
    """The code of the server's closing; "end" where it only ended."""
    end = time.monotonic() + timeout
    while time.monotonic() < end:
        got = client.read(timeout)
        if got is None:
            return None
        if got[0] == CLOSE:
            return code(got[1])
        if got[0] == "end":
            return "end"
    return None


# --- messages ------------------------------------------------------------------------------------------------------


def test_messages_of_fifty_megabytes(call, capsys):
    big = bytes(50_000_000)
    with undisturbed(call, capsys, "two messages of 50 MB, then one in fragments") as report:
        for _ in range(2):
            client = Caller(call.port)
            client.send(frame(TEXT, b'"' + big.replace(b"\0", b"a")))
            report.append(f"closed with {closing_code(client)}")
            client.close()
        client = Caller(call.port)
        piece = b"a" * 500_000
        client.send(frame(TEXT, piece, fin=False), *[frame(CONTINUATION, piece, fin=False)] * 99)
        report.append(f"with {closing_code(client)}")
        client.close()
    # A client that goes on sending may lose the reason with the connection.
    assert all(one.endswith(("1009", "end")) for one in report), report
    assert any(one.endswith("1009") for one in report), report


def test_what_is_allowed_but_heavy(call, capsys):
    """Messages just below the limit: deep, wide, or one long string; answered with an error or what was asked."""
    wide = b"[" + b"1," * 1_000_000 + b"1]"
    deep = b"[" * 1_000_000 + b"]" * 1_000_000
    keys = b"{" + b",".join(b'"%d":%d' % (n, n) for n in range(250_000)) + b"}"
    with undisturbed(call, capsys, "messages of megabytes: wide, deep, many members, one text", growth=400):
        client = Caller(call.port)
        for index, value in enumerate([wide, deep, keys, b'"' + b"a" * 3_000_000 + b'"'], 1):
            client.send(frame(TEXT, b'{"jsonrpc":"2.0","id":%d,"method":"ping","params":{"x":%s}}' % (index, value)))
            answer = json.loads(client.read(30)[1])
            if value is deep:
                assert answer["error"]["code"] == -32700 and answer["id"] is None
            else:
                assert answer["id"] == index and answer["result"] == {"value": "pong"}
        client.close()


def test_broken_frames(call, capsys, pytestconfig):
    count = 5000 if pytestconfig.getoption("--long") else 300
    message = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "ping"}).encode()
    whole = frame(TEXT, message)
    with undisturbed(call, capsys, f"{count} connections that break off inside a frame, or send what is none"):
        for index in range(count):
            client = Client("127.0.0.1", call.port)
            kind = index % 4
            if kind == 0:
                client.send(whole[:1 + index % (len(whole) - 1)])
            elif kind == 1:
                client.send(frame(TEXT, message, length=1 << 62)[:40])
            elif kind == 2:
                client.send(frame(TEXT, b"\xff\xfe" + message))
                assert closing_code(client) == 1007
            else:
                client.send(frame(BINARY, message))
                assert closing_code(client) == 1003
            client.close()


# --- slow ones -----------------------------------------------------------------------------------------------------


def test_a_client_that_does_not_read_answers(call, capsys):
    with undisturbed(call, capsys, "a client that asks and does not read") as report:
        client = Client("127.0.0.1", call.port)
        client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        request = frame(TEXT, json.dumps({"jsonrpc": "2.0", "id": "*" * 100_000, "method": "ping"}).encode())
        sent, end = 0, time.monotonic() + 40
        client.socket.settimeout(0.5)
        while time.monotonic() < end:
            try:
                client.socket.sendall(request)
                sent += 1
            except TimeoutError:
                continue
            except OSError:
                break
        else:
            raise AssertionError("it was not closed")
        report.append(f"closed after {sent * len(request) / 1e6:.0f} MB of requests")
        client.close()


@pytest.mark.long
def test_a_client_that_does_not_read_events(call, capsys):
    with undisturbed(call, capsys, "a subscriber that does not read") as report:
        maker, slow = Caller(call.port), Caller(call.port)
        slow.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        pipeline = maker.create("MediaPipeline")
        a, b = [maker.create("PassThrough", mediaPipeline=pipeline) for _ in "ab"]
        slow.value("subscribe", object=a, type="ElementConnected")
        # Tags make the events long.
        maker.invoke(a, "setSendTagsInEvents", sendTagsInEvents=True)
        maker.invoke(a, "addTag", key="long", value="*" * 60_000)
        maker.value("subscribe", object=a, type="ElementConnected")
        rounds, before = 200, call.descriptors
        for _ in range(rounds):
            maker.invoke(a, "connect", sink=b)
            maker.invoke(a, "disconnect", sink=b)
        report.append(f"{rounds * 3} events of 60 KB")
        # What the kernel holds for it is not ours; the server has let go of it.
        assert wait(lambda: call.descriptors < before, 30)
        maker.close()
        slow.close()


def wait(condition, seconds):
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.1)
    return True


# --- many ----------------------------------------------------------------------------------------------------------


def answer_pings(clients):
    waiting, poll = {client.socket.fileno(): client for client in clients}, select.poll()
    for descriptor in waiting:
        poll.register(descriptor, select.POLLIN)
    for descriptor, _ in poll.poll(0):
        got = waiting[descriptor].read()
        assert got and got[0] == PING, got
        waiting[descriptor].send(frame(PONG, got[1]))


@pytest.mark.parametrize("count", [500, pytest.param(10_000, marks=pytest.mark.long)])
def test_idle_connections(call, capsys, count):
    with undisturbed(call, capsys, f"{count} idle connections", growth=30 + count * 0.03) as report:
        memory, began = call.memory, time.monotonic()
        clients = []
        for index in range(count):
            clients.append(Client("127.0.0.1", call.port))
            # On a busy machine the first ones are asked whether they live before the last ones are there.
            if index % 100 == 99:
                answer_pings(clients)
        report.append(f"made in {time.monotonic() - began:.1f} s")
        assert all(client.status == 101 for client in clients)
        report.append(f"{(call.memory - memory) * 1024 / count:.1f} KiB each")
        # They are there: the first, the last and one between are answered.
        for client in (clients[0], clients[count // 2], clients[-1]):
            client.send(frame(TEXT, b'{"jsonrpc":"2.0","id":1,"method":"ping"}'))
            while (got := client.read()) and got[0] == PING:
                pass
            assert got[0] == TEXT and json.loads(got[1])["result"] == {"value": "pong"}
        began = time.monotonic()
        for client in clients:
            client.close()
        report.append(f"closed in {time.monotonic() - began:.1f} s")
    assert wait(lambda: call.memory - memory < 30, 10), f"{memory:.0f} → {call.memory:.0f} MiB"


def test_one_connection_too_many(clip):
    with live.Server("", "--connections", 3) as server:
        port = urllib.parse.urlsplit(server.url).port
        clients = [Caller(port) for _ in range(3)]
        with pytest.raises((OSError, IndexError)):
            Caller(port)
        assert clients[0].value("ping") == "pong"
        clients.pop().close()
        assert wait(lambda: can_connect(port), 10)
        for client in clients:
            client.close()


def can_connect(port):
    try:
        client = Caller(port)
    except (OSError, IndexError):
        return False
    client.close()
    return True


PER_SESSION = 20_000


@pytest.mark.parametrize("count", [3000, pytest.param(100_000, marks=pytest.mark.long)])
def test_objects(call, capsys, count):
    """As many objects as may be, in transactions of five hundred; then one more; then all released."""
    block = 500
    with undisturbed(call, capsys, f"{count} objects", growth=60 + count * 0.01) as report:
        memory, began = call.memory, time.monotonic()
        clients, pipelines, left, refused = [], [], count, None
        while left > 0 and not refused:
            client = Caller(call.port)
            clients.append(client)
            room = min(left, PER_SESSION) - 1
            pipelines.append(client.create("MediaPipeline"))
            left -= 1
            while room > 0 and not refused:
                now = min(room, block)
                make = {"type": "PassThrough", "constructorParams": {"mediaPipeline": pipelines[-1]}}
                answers = client.value("transaction", timeout=60, operations=[
                    {"jsonrpc": "2.0", "id": index, "method": "create", "params": make} for index in range(now)])
                refused = answers[-1].get("error")
                room, left = room - now, left - now
        report.append(f"made in {time.monotonic() - began:.1f} s")
        report.append(f"{(call.memory - memory) * 1024 / count:.2f} KiB each")
        if count >= 100_000:
            # The manager, the call's own and these: the limit.
            assert refused["code"] == 40009 and "100000 objects" in refused["message"], refused
        else:
            assert refused is None
        slowest = 0
        for client, pipeline in zip(clients, pipelines):
            began = time.monotonic()
            client.value("release", timeout=60, object=pipeline)
            slowest = max(slowest, time.monotonic() - began)
            client.close()
        report.append(f"the longest release took {slowest * 1000:.0f} ms")
    client = Caller(call.port)
    assert client.invoke("manager_ServerManager", "getPipelines") == [call.pipeline]
    client.close()
    assert wait(lambda: call.memory - memory < 40, 10), f"{memory:.0f} → {call.memory:.0f} MiB"


def test_too_many_objects_of_one_session(clip):
    with live.Server("") as server:
        client = Caller(urllib.parse.urlsplit(server.url).port)
        pipeline = client.create("MediaPipeline")
        make = {"type": "PassThrough", "constructorParams": {"mediaPipeline": pipeline}}
        operations = [{"jsonrpc": "2.0", "id": index, "method": "create", "params": make} for index in range(10_001)]
        answer = client.ask("transaction", operations=operations)
        assert answer["error"]["code"] == 40009 and "10000 operations" in answer["error"]["message"]
        for _ in range(2):
            answers = client.value("transaction", timeout=60, operations=operations[:-1])
        assert answers[-1]["error"]["code"] == 40009 and "20000 objects" in answers[-1]["error"]["message"]
        client.value("release", timeout=60, object=pipeline)
        client.close()
