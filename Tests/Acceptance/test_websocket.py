"""The WebSocket side of the control port against the case list of the Autobahn test suite.

With `--write` the table goes into docs/websocket.md."""

import asyncio
import collections
import os
import signal
import socket
import time
import urllib.parse

import pytest
import websocket_cases
import websockets

import live
import tools

PAGE = tools.REPOSITORY / "docs/websocket.md"
MARKS = ("<!-- cases:begin -->", "<!-- cases:end -->")
SECTIONS = {
    "1": "messages of all lengths", "2": "pings and pongs", "3": "reserved bits", "4": "reserved opcodes",
    "5": "fragments", "6": "UTF-8", "7": "closing", "9": "long messages, many messages",
    "10": "fragmented by the sender",
}

# After so many seconds the server asks a client whether it is there.
SILENCE = 20


def table(results):
    """The counts by section, and the cases in which the RFC allows more than the suite likes."""
    sections = collections.defaultdict(collections.Counter)
    for case, (verdict, _) in results.items():
        sections[case.number.split(".")[0]][verdict] += 1
    lines = ["| section | what | ok | non-strict | failed |", "| --- | --- | ---: | ---: | ---: |"]
    for number, counts in sections.items():
        lines.append(
            f"| {number} | {SECTIONS[number]} | {counts['ok']} | {counts['non-strict']} | {counts['failed']} |")
    total = sum(sections.values(), collections.Counter())
    lines.append(f"| | all | {total['ok']} | {total['non-strict']} | {total['failed']} |")
    loose = [case for case, (verdict, _) in results.items() if verdict == "non-strict"]
    if loose:
        lines += ["", "Non-strict: " + "; ".join(f"{case.number} {case.what}" for case in loose) + "."]
    return "\n".join(lines)


def test_the_case_list_holds(capsys, pytestconfig):
    with live.Server("") as server:
        port = urllib.parse.urlsplit(server.url).port
        results = {case: websocket_cases.run(case, "127.0.0.1", port) for case in websocket_cases.cases()}
    with capsys.disabled():
        print("\n\n" + table(results))
    if pytestconfig.getoption("--write"):
        page = PAGE.read_text()
        start, end = (page.index(mark) for mark in MARKS)
        PAGE.write_text(page[:start + len(MARKS[0])] + "\n" + table(results) + "\n" + page[end:])
    failed = [f"{case.number} {case.what}: {why}" for case, (verdict, why) in results.items() if verdict == "failed"]
    assert not failed, "\n".join(failed)


def shake_hands(server):
    """A socket over which frames go."""
    address = urllib.parse.urlsplit(server.url)
    opened = socket.create_connection((address.hostname, address.port), timeout=5)
    opened.sendall((
        f"GET /kurento HTTP/1.1\r\nHost: {address.netloc}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n").encode())
    answer = b""
    while b"\r\n\r\n" not in answer:
        answer += opened.recv(1)
    return opened


PING = b'{"jsonrpc":"2.0","id":1,"method":"ping"}'


def test_frames_are_masked():
    """RFC 6455, section 5.1: the server closes when it gets a frame that is not."""
    with live.Server("") as server:
        # A mask of zeros is a mask.
        with shake_hands(server) as polite:
            for _ in range(20):
                polite.sendall(bytes([0x81, 0x80 | len(PING), 0, 0, 0, 0]) + PING)
                assert b"pong" in polite.recv(4096)
        with shake_hands(server) as rude:
            rude.sendall(bytes([0x81, len(PING)]) + PING)
            answer = rude.recv(4096)
            assert answer[0] == 0x88 and int.from_bytes(answer[2:4], "big") == 1002 and b"masked" in answer, answer
        # Only after pings, and among several messages at once.
        with shake_hands(server) as rude:
            rude.sendall(bytes([0x89, 2]) + b"??")
            assert rude.recv(4096)[:2] == b"\x8a\x02"
            rude.sendall(3 * (bytes([0x81, len(PING)]) + PING))
            answer = b""
            while data := rude.recv(4096):
                answer += data
            assert b"frames must be masked" in answer, answer


@pytest.mark.long
def test_whoever_says_something_stays():
    """Empty pongs, as some clients answer all pings with; who says nothing is cut after half a minute."""
    with live.Server("") as server, shake_hands(server) as here, shake_hands(server) as gone:
        here.settimeout(SILENCE + 15)
        for _ in range(2):
            assert here.recv(4096)[0] == 0x89, "a ping"
            here.sendall(bytes([0x8A, 0x80, 1, 2, 3, 4]))
        assert gone.recv(4096)[0] == 0x89 and gone.recv(4096) == b"", "pinged, then cut"
        here.sendall(bytes([0x81, 0x80 | len(PING), 0, 0, 0, 0]) + PING)
        assert b"pong" in here.recv(4096)


@pytest.mark.long
def test_a_pong_has_what_its_ping_had():
    """Also when the server sends a ping of its own at that moment; it is stopped for moments, so that they meet."""

    async def run(server):
        url, process = server.url.replace("http", "ws", 1) + "/kurento", server.run.process
        began = time.monotonic()
        clients = [await websockets.connect(url, ping_interval=None) for _ in range(200)]
        opened = time.monotonic()
        waiters, sent = {}, 0
        await asyncio.sleep(began + SILENCE - 0.2 - time.monotonic())
        while time.monotonic() < opened + SILENCE + 0.2:
            process.send_signal(signal.SIGSTOP)
            for client in clients:
                if client not in waiters or waiters[client].done():
                    waiters[client], sent = await client.ping(os.urandom(8)), sent + 1
            process.send_signal(signal.SIGCONT)
            await asyncio.sleep(0.003)
        await asyncio.sleep(2)
        unanswered = sum(not waiter.done() for waiter in waiters.values())
        print(f"{sent} pings, unanswered {unanswered}")
        assert sent > 500 and not unanswered
        await asyncio.gather(*(client.close() for client in clients))

    with live.Server("") as server:
        asyncio.run(run(server))
