"""The WebSocket side of the control port against the case list of the Autobahn test suite.

With `--write` the table goes into docs/websocket.md."""

import asyncio
import collections
import os
import signal
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
PING = 20


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


@pytest.mark.long
def test_a_pong_has_what_its_ping_had():
    """Also when the server sends a ping of its own at that moment; it is stopped for moments, so that they meet."""

    async def run(server):
        url, process = server.url.replace("http", "ws", 1) + "/kurento", server.run.process
        began = time.monotonic()
        clients = [await websockets.connect(url, ping_interval=None) for _ in range(200)]
        opened = time.monotonic()
        waiters, sent = {}, 0
        await asyncio.sleep(began + PING - 0.2 - time.monotonic())
        while time.monotonic() < opened + PING + 0.2:
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
