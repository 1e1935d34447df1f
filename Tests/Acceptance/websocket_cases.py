"""A WebSocket client that can do everything wrong (RFC 6455), and the case list of the Autobahn test suite for it.

The suite's cases send messages to a server that echoes them. Ours answers JSON-RPC, so a message is a `ping` whose id
is the text to be echoed. Numbers are the suite's; those of compression (12, 13) are absent, since none is offered.
"""

import base64
import json
import os
import socket
import struct
import time
from dataclasses import dataclass, field

TEXT, BINARY, CONTINUATION, CLOSE, PING, PONG = 1, 2, 0, 8, 9, 10


def frame(opcode, payload=b"", fin=True, rsv=0, masked=True, length=None):
    """One frame. `length`: what it says instead of the truth."""
    size = len(payload) if length is None else length
    head = bytes([(0x80 if fin else 0) | rsv << 4 | opcode])
    bit = 0x80 if masked else 0
    if size < 126:
        head += bytes([bit | size])
    elif size < 1 << 16:
        head += bytes([bit | 126]) + struct.pack("!H", size)
    else:
        head += bytes([bit | 127]) + struct.pack("!Q", size)
    if not masked:
        return head + payload
    mask = os.urandom(4)
    stream = (mask * (len(payload) // 4 + 1))[: len(payload)]
    coded = (int.from_bytes(payload, "big") ^ int.from_bytes(stream, "big")).to_bytes(len(payload), "big")
    return head + mask + coded


class Client:
    """A connection after its handshake."""

    def __init__(self, host, port, path="/kurento", headers=()):
        self.socket = socket.create_connection((host, port), timeout=10)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        key = base64.b64encode(os.urandom(16)).decode()
        lines = [
            f"GET {path} HTTP/1.1", f"Host: {host}:{port}", "Upgrade: websocket", "Connection: Upgrade",
            f"Sec-WebSocket-Key: {key}", "Sec-WebSocket-Version: 13", *headers, "", ""]
        self.socket.sendall("\r\n".join(lines).encode())
        self.buffer = b""
        while b"\r\n\r\n" not in self.buffer:
            more = self.socket.recv(4096)
            if not more:
                break
            self.buffer += more
        head, _, self.buffer = self.buffer.partition(b"\r\n\r\n")
        self.status = int(head.split(b" ")[1])

    def send(self, *frames, chop=None):
        """Sends frames, in pieces of `chop` bytes where given. A server that has closed is no error here."""
        data = b"".join(frames)
        try:
            for start in range(0, len(data), chop or len(data) or 1):
                self.socket.sendall(data[start:start + (chop or len(data))])
        except OSError:
            pass

    def need(self, count, until):
        while len(self.buffer) < count:
            self.socket.settimeout(max(0.001, until - time.monotonic()))
            more = self.socket.recv(1 << 16)
            if not more:
                raise ConnectionResetError
            self.buffer += more
        out, self.buffer = self.buffer[:count], self.buffer[count:]
        return out

    def read(self, timeout=5):
        """The next frame as (opcode, payload); ("end", b"") where the connection ended, None if nothing came."""
        until = time.monotonic() + timeout
        try:
            first, second = self.need(2, until)
            size = second & 0x7F
            if size == 126:
                size = struct.unpack("!H", self.need(2, until))[0]
            elif size == 127:
                size = struct.unpack("!Q", self.need(8, until))[0]
            return first & 0x0F, self.need(size, until + 20)
        except TimeoutError:
            return None
        except OSError:
            return "end", b""

    def close(self):
        self.socket.close()


def ask(text):
    """The message whose answer has `text` in it."""
    return json.dumps({"jsonrpc": "2.0", "id": text, "method": "ping"}, ensure_ascii=False).encode()


@dataclass(eq=False)
class Case:
    number: str
    what: str
    # Called with a client; sends.
    act: object
    # What must come, in order: ("echo", text), (PONG, payload), ("close", set of codes), ("fail", set of codes): the
    # connection is closed with one of these codes, or cut.
    expect: list = field(default_factory=list)
    timeout: float = 5
    # What the RFC allows too, though it is not what the suite likes best.
    loose: list | None = None


NORMAL = {1000, 1005}
WRONG = {1002}


def run(case, host, port, path="/kurento"):
    """Runs a case: ("ok", ""), ("non-strict", what differed) or ("failed", what happened instead)."""
    trouble = attempt(case, case.expect, host, port, path)
    if trouble is None:
        return "ok", ""
    if case.loose is not None and attempt(case, case.loose, host, port, path) is None:
        return "non-strict", trouble
    return "failed", trouble


def attempt(case, expect, host, port, path):
    client = Client(host, port, path)
    try:
        if client.status != 101:
            return f"no handshake: HTTP {client.status}"
        case.act(client)
        for kind, wanted in expect:
            trouble = miss(client, kind, wanted, case.timeout)
            if trouble:
                return trouble
        if not any(kind in ("fail", "close") for kind, _ in expect):
            client.send(frame(CLOSE, struct.pack("!H", 1000)))
            got = client.read(case.timeout)
            while got is not None and got[0] == PONG:
                got = client.read(case.timeout)
            if got is None or got[0] != CLOSE:
                return f"the closing handshake was not answered: {got}"
        return None
    finally:
        client.close()


def miss(client, kind, wanted, timeout):
    """Waits for one thing; None if it came, else what came instead."""
    got = client.read(timeout)
    if kind == "one pong of":
        # libwebsockets answers the first of pings that arrive together (RFC 6455, 5.5.3, would have the last).
        # Pongs may overtake messages.
        while got is not None and got[0] == TEXT:
            got = client.read(timeout)
        return None if got and got[0] == PONG and got[1] in wanted else f"no ping was answered: {got}"
    if kind == "fail":
        if got is None:
            return "the connection was not closed"
        if got[0] == CLOSE and code(got[1]) not in wanted:
            return f"closed with {code(got[1])}"
        return None if got[0] in (CLOSE, "end") else f"came instead of the end: {got[0]} {got[1][:60]!r}"
    if got is None:
        return f"nothing came, {kind} was due"
    if got[0] == "end":
        return f"the connection ended, {kind} was due"
    came = {
        "close": lambda: got[0] == CLOSE and code(got[1]) in wanted,
        "echo": lambda: got[0] == TEXT and json.loads(got[1]).get("id") == wanted,
        "error": lambda: got[0] == TEXT and json.loads(got[1])["error"]["code"] == wanted,
    }.get(kind, lambda: got == (kind, wanted))()
    return None if came else f"came instead of {kind}: {got[0]} {got[1][:60]!r}"


def code(payload):
    return struct.unpack("!H", payload[:2])[0] if len(payload) >= 2 else 1005


def cases():
    """All cases of sections 1 to 7, 9 and 10."""
    out = []

    def add(number, what, act, *expect, timeout=5, loose=None):
        out.append(Case(number, what, act, list(expect), timeout, loose))

    def sends(*frames, chop=None):
        return lambda client: client.send(*frames, chop=chop)

    framing(add, sends)
    pings(add, sends)
    reserved(add, sends)
    fragments(add, sends)
    utf8(add, sends)
    closing(add, sends)
    limits(add, sends)
    return out


def framing(add, sends):
    for index, size in enumerate([0, 125, 126, 127, 128, 65535, 65536], 1):
        text = "*" * size
        add(f"1.1.{index}", f"text of {size} bytes", sends(frame(TEXT, ask(text))), ("echo", text))
    text = "*" * 65536
    add("1.1.8", "text of 65536 bytes, sent in pieces of 997", sends(frame(TEXT, ask(text)), chop=997), ("echo", text))
    for index, size in enumerate([0, 125, 126, 127, 128, 65535, 65536], 1):
        add(
            f"1.2.{index}", f"binary message of {size} bytes: refused with 1003",
            sends(frame(BINARY, b"\xfe" * size)), ("close", {1003}))
    add("1.2.8", "binary message in pieces", sends(frame(BINARY, b"\xfe" * 65536), chop=997), ("close", {1003}))


def pings(add, sends):
    add("2.1", "ping without payload", sends(frame(PING)), (PONG, b""))
    add("2.2", "ping with text", sends(frame(PING, b"Hello, world!")), (PONG, b"Hello, world!"))
    add("2.3", "ping with binary payload", sends(frame(PING, b"\x00\xff\xfe")), (PONG, b"\x00\xff\xfe"))
    add("2.4", "ping of 125 bytes", sends(frame(PING, b"\xfe" * 125)), (PONG, b"\xfe" * 125))
    add("2.5", "ping of 126 bytes", sends(frame(PING, b"\xfe" * 126)), ("fail", WRONG))
    add("2.6", "ping of 125 bytes, byte by byte", sends(frame(PING, b"\xfe" * 125), chop=1), (PONG, b"\xfe" * 125))
    add("2.7", "pong nobody asked for", sends(frame(PONG), frame(TEXT, ask("a"))), ("echo", "a"))
    add("2.8", "pong with payload", sends(frame(PONG, b"x"), frame(TEXT, ask("a"))), ("echo", "a"))
    add("2.9", "pong, then ping", sends(frame(PONG, b"x"), frame(PING, b"y")), (PONG, b"y"))
    several = [f"payload-{index}".encode() for index in range(10)]
    one = [("one pong of", several)]
    add(
        "2.10", "ten pings", sends(*(frame(PING, one) for one in several)), *((PONG, one) for one in several),
        loose=one)
    add(
        "2.11", "ten pings, byte by byte", sends(*(frame(PING, one) for one in several), chop=1),
        *((PONG, one) for one in several), loose=one)


def reserved(add, sends):
    for index, rsv in enumerate(range(1, 8), 1):
        first = [frame(TEXT, ask("a"))] if 2 <= index <= 4 else []
        kind = PING if index == 6 else CLOSE if index == 7 else TEXT
        echo = [("echo", "a")] if first else []
        add(
            f"3.{index}", f"reserved bits {rsv:03b}", sends(*first, frame(kind, ask("b")[:100], rsv=rsv), frame(PING)),
            *echo, ("fail", WRONG), loose=[("fail", WRONG)])
    for section, codes in (("4.1", [3, 4, 5, 6, 7]), ("4.2", [11, 12, 13, 14, 15])):
        for index, opcode in enumerate(codes, 1):
            first = [frame(TEXT, ask("a"))] if index > 2 else []
            echo = [("echo", "a")] if first else []
            add(
                f"{section}.{index}", f"reserved opcode {opcode}",
                sends(*first, frame(opcode, b"x" if index % 2 else b""), frame(PING)), *echo, ("fail", WRONG),
                loose=[("fail", WRONG)])


def fragments(add, sends):
    message = ask("fragment")
    one, two = message[:10], message[10:]
    parts = [message[:8], message[8:16], message[16:]]
    add("5.1", "ping in two fragments", sends(frame(PING, b"a", fin=False), frame(CONTINUATION, b"b")), ("fail", WRONG))
    add("5.2", "pong in two fragments", sends(frame(PONG, b"a", fin=False), frame(CONTINUATION, b"b")), ("fail", WRONG))
    halves = [frame(TEXT, one, fin=False), frame(CONTINUATION, two)]
    for number, chop in (("5.3", None), ("5.4", None), ("5.5", 1)):
        add(
            number, f"text in two fragments, pieces of {chop or 'all'}", sends(*halves, chop=chop),
            ("echo", "fragment"))
    between = [halves[0], frame(PING, b"ping"), halves[1]]
    for number, chop in (("5.6", None), ("5.7", None), ("5.8", 1)):
        add(
            number, f"ping between two fragments, pieces of {chop or 'all'}", sends(*between, chop=chop),
            (PONG, b"ping"), ("echo", "fragment"))
    for index, chop in ((9, None), (10, None), (11, 1)):
        add(
            f"5.{index}", "continuation with nothing to continue",
            sends(frame(CONTINUATION, b"x"), frame(TEXT, message), chop=chop), ("fail", WRONG))
    for index, chop in ((12, None), (13, None), (14, 1)):
        add(
            f"5.{index}", "continuation that is not final, with nothing to continue",
            sends(frame(CONTINUATION, b"x", fin=False), frame(TEXT, message), chop=chop), ("fail", WRONG))
    add(
        "5.15", "text in two fragments, then a continuation",
        sends(*halves, frame(CONTINUATION, b"x", fin=False), frame(TEXT, b"y")), ("echo", "fragment"), ("fail", WRONG),
        loose=[("fail", WRONG)])
    for number, fin in (("5.16", False), ("5.17", True)):
        add(
            number, "continuation, text, continuation", sends(
                frame(CONTINUATION, b"x", fin=fin), frame(TEXT, one, fin=False), frame(CONTINUATION, two)),
            ("fail", WRONG))
    add("5.18", "text inside a fragmented text", sends(frame(TEXT, one, fin=False), frame(TEXT, two)), ("fail", WRONG))
    pieces = [frame(TEXT, parts[0], fin=False), frame(CONTINUATION, parts[1], fin=False), frame(PING, b"1")]

    def late(client):
        client.send(*pieces)
        time.sleep(0.3)
        client.send(frame(PING, b"2"), frame(CONTINUATION, parts[2]))

    add("5.19", "pings between fragments with a pause", late, (PONG, b"1"), (PONG, b"2"), ("echo", "fragment"))
    add(
        "5.20", "pings between fragments", sends(*pieces, frame(PING, b"2"), frame(CONTINUATION, parts[2])),
        (PONG, b"1"), (PONG, b"2"), ("echo", "fragment"), loose=[("one pong of", [b"1"]), ("echo", "fragment")])


KOSME = "κόσμε"
# RFC 3629 and the stress test of Markus Kuhn that the suite follows.
VALID = {
    "6.5": ["Hello-µ@ßöäüàá-UTF-8!!", KOSME],
    "6.6": ["\U00010000", "\U0001f600", "한국어", "مرحبا", "e\u0301"],
    "6.7": ["\u0080", "\u0800", "\U00010000"],
    "6.9": ["\u007f", "\u07ff", "\uffff", "\U0010ffff"],
    "6.11": ["\ud7ff", "\ue000", "\ufffd", "\U0010ffff"],
    "6.22": ["\ufffe", "\uffff", "\U0001fffe", "\U0001ffff", "\U0010fffe", "\U0010ffff"],
    "6.23": ["\ufffd", "\ufff9"],
}
INVALID = {
    "6.8": [b"\xf8\x88\x80\x80\x80", b"\xfc\x84\x80\x80\x80\x80"],
    "6.10": [b"\xf7\xbf\xbf\xbf", b"\xfb\xbf\xbf\xbf\xbf", b"\xfd\xbf\xbf\xbf\xbf\xbf"],
    "6.12": [b"\x80", b"\xbf", b"\x80\xbf", b"\x80\xbf\x80", b"\x80\xbf\x80\xbf"],
    "6.13": [bytes(range(0xC0, 0xE0)), bytes(range(0xE0, 0xF0)), bytes(range(0xF0, 0xF8)), b"\xf8\xf9", b"\xfc\xfd"],
    "6.14": [b"\xc0", b"\xe0\x80", b"\xf0\x80\x80", b"\xdf", b"\xef\xbf", b"\xf7\xbf\xbf", b"\xfb\xbf\xbf\xbf"],
    "6.15": [b"\xc0\xe0\x80\xf0\x80\x80\xf8\x80\x80\x80"],
    "6.16": [b"\xfe", b"\xff", b"\xfe\xfe\xff\xff"],
    "6.17": [b"\xc0\xaf", b"\xe0\x80\xaf", b"\xf0\x80\x80\xaf", b"\xf8\x80\x80\x80\xaf", b"\xfc\x80\x80\x80\x80\xaf"],
    "6.18": [b"\xc1\xbf", b"\xe0\x9f\xbf", b"\xf0\x8f\xbf\xbf", b"\xf8\x87\xbf\xbf\xbf", b"\xfc\x83\xbf\xbf\xbf\xbf"],
    "6.19": [b"\xc0\x80", b"\xe0\x80\x80", b"\xf0\x80\x80\x80", b"\xf8\x80\x80\x80\x80", b"\xfc\x80\x80\x80\x80\x80"],
    "6.20": [b"\xed\xa0\x80", b"\xed\xad\xbf", b"\xed\xae\x80", b"\xed\xaf\xbf", b"\xed\xb0\x80", b"\xed\xbf\xbf"],
    "6.21": [b"\xed\xa0\x80\xed\xb0\x80", b"\xed\xa0\x80\xed\xbf\xbf", b"\xed\xaf\xbf\xed\xbf\xbf"],
}


def utf8(add, sends):
    broken = {1007}
    add("6.1.1", "empty text: an answer that is an error", sends(frame(TEXT)), ("error", -32700))
    add(
        "6.1.2", "empty fragments", sends(
            frame(TEXT, fin=False), frame(CONTINUATION, fin=False), frame(CONTINUATION)), ("error", -32700))
    add(
        "6.1.3", "empty fragments around a text", sends(
            frame(TEXT, fin=False), frame(CONTINUATION, ask("a"), fin=False), frame(CONTINUATION)), ("echo", "a"))
    text = VALID["6.5"][0]
    message = ask(text)
    add("6.2.1", "text", sends(frame(TEXT, message)), ("echo", text))
    cut = message.index("µ".encode()) + 1
    add(
        "6.2.2", "two fragments, cut inside a character",
        sends(frame(TEXT, message[:cut], fin=False), frame(CONTINUATION, message[cut:])), ("echo", text))
    bytewise = [frame(TEXT if at == 0 else CONTINUATION, message[at:at + 1], fin=at + 1 == len(message))
                for at in range(len(message))]
    add("6.2.3", "a fragment for each byte", sends(*bytewise), ("echo", text))
    add("6.2.4", "a fragment for each byte, byte by byte", sends(*bytewise, chop=1), ("echo", text))
    bad = KOSME.encode() + b"\xed\xa0\x80edited"
    add("6.3.1", "invalid UTF-8", sends(frame(TEXT, bad)), ("fail", broken))
    add(
        "6.3.2", "invalid UTF-8, a fragment for each byte", sends(*(
            frame(TEXT if at == 0 else CONTINUATION, bad[at:at + 1], fin=at + 1 == len(bad))
            for at in range(len(bad)))),
        ("fail", broken))
    start, wrong, rest = KOSME.encode(), b"\xf4\x90\x80\x80", b"edited"

    def slowly(*frames):
        def act(client):
            for one in frames:
                client.send(one)
                time.sleep(0.2)
        return act

    fragmented = [frame(TEXT, start, fin=False), frame(CONTINUATION, wrong, fin=False), frame(CONTINUATION, rest)]
    add("6.4.1", "invalid in the second of three fragments", slowly(*fragmented), ("fail", broken))
    add(
        "6.4.2", "cut inside the invalid character", slowly(
            frame(TEXT, start + wrong[:1], fin=False), frame(CONTINUATION, wrong[1:], fin=False),
            frame(CONTINUATION, rest)), ("fail", broken))
    whole = frame(TEXT, start + wrong + rest)
    add("6.4.3", "one frame in three pieces", slowly(whole[:12], whole[12:18], whole[18:]), ("fail", broken))
    add("6.4.4", "one frame in pieces cut inside the character", slowly(whole[:15], whole[15:19], whole[19:]),
        ("fail", broken))
    for section, texts in VALID.items():
        for index, valid in enumerate(texts, 1):
            add(f"{section}.{index}", f"valid UTF-8 {valid.encode().hex()}", sends(frame(TEXT, ask(valid))),
                ("echo", valid))
    for section, texts in INVALID.items():
        for index, invalid in enumerate(texts, 1):
            add(f"{section}.{index}", f"invalid UTF-8 {invalid.hex()}", sends(frame(TEXT, b'"' + invalid + b'"')),
                ("fail", broken))


def closing(add, sends):
    close = frame(CLOSE, struct.pack("!H", 1000))
    add("7.1.1", "text, then close", sends(frame(TEXT, ask("a")), close), ("echo", "a"), ("close", NORMAL))
    add("7.1.2", "two closes", sends(close, close), ("close", NORMAL))
    add("7.1.3", "ping after close is not answered", sends(close, frame(PING, b"x")), ("close", NORMAL),
        ("fail", NORMAL))
    add("7.1.4", "text after close is not answered", sends(close, frame(TEXT, ask("a"))), ("close", NORMAL),
        ("fail", NORMAL))
    half = ask("a")
    add(
        "7.1.5", "close inside a fragmented text",
        sends(frame(TEXT, half[:5], fin=False), close, frame(CONTINUATION, half[5:])), ("close", NORMAL),
        ("fail", NORMAL))
    big = "*" * (256 << 10)
    add("7.1.6", "256 KiB, then close", sends(frame(TEXT, ask(big)), close, frame(PING)), ("echo", big),
        ("close", NORMAL))
    add("7.3.1", "close without code", sends(frame(CLOSE)), ("close", NORMAL))
    add("7.3.2", "close with one byte", sends(frame(CLOSE, b"a")), ("fail", WRONG))
    add("7.3.3", "close with a code", sends(close), ("close", NORMAL))
    add("7.3.4", "close with code and reason", sends(frame(CLOSE, struct.pack("!H", 1000) + b"Hello")),
        ("close", NORMAL))
    add("7.3.5", "reason of 123 bytes", sends(frame(CLOSE, struct.pack("!H", 1000) + b"*" * 123)), ("close", NORMAL))
    add("7.3.6", "reason of 124 bytes", sends(frame(CLOSE, struct.pack("!H", 1000) + b"*" * 124)), ("fail", WRONG))
    add("7.5.1", "reason that is not UTF-8", sends(
        frame(CLOSE, struct.pack("!H", 1000) + KOSME.encode() + b"\xed\xa0\x80edited")), ("fail", {1002, 1007}))
    for index, valid in enumerate([1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999], 1):
        add(f"7.7.{index}", f"code {valid}", sends(frame(CLOSE, struct.pack("!H", valid))),
            ("close", {valid, 1000, 1005}))
    for index, invalid in enumerate([0, 999, 1004, 1005, 1006, 1016, 1100, 2000, 2999], 1):
        add(f"7.9.{index}", f"code {invalid}, which must not be sent", sends(frame(CLOSE, struct.pack("!H", invalid))),
            ("fail", WRONG))
    for index, odd in enumerate([5000, 65535], 1):
        add(f"7.13.{index}", f"code {odd}", sends(frame(CLOSE, struct.pack("!H", odd))), ("fail", {odd, 1000, 1002}))


def limits(add, sends):
    for index, size in enumerate([64 << 10, 256 << 10, 1 << 20, 3 << 20], 1):
        text = "*" * size
        add(f"9.1.{index}", f"text of {size >> 10} KiB", sends(frame(TEXT, ask(text))), ("echo", text), timeout=20)
    beyond = "*" * (8 << 20)
    add("9.1.5", "text of 8 MiB: above the limit, refused with 1009", sends(frame(TEXT, ask(beyond))),
        ("fail", {1009}), timeout=20)
    text = "*" * (1 << 20)
    message = ask(text)
    for index, size in enumerate([64, 256, 1 << 10, 4 << 10, 16 << 10, 64 << 10, 256 << 10], 1):
        pieces = [message[at:at + size] for at in range(0, len(message), size)]
        frames = [frame(TEXT if at == 0 else CONTINUATION, piece, fin=at + 1 == len(pieces))
                  for at, piece in enumerate(pieces)]
        add(f"9.3.{index}", f"1 MiB in fragments of {size} bytes", sends(*frames), ("echo", text), timeout=60)
    for index, size in enumerate([64, 256, 1 << 10, 4 << 10], 1):
        add(f"9.5.{index}", f"1 MiB, sent in pieces of {size} bytes", sends(frame(TEXT, message), chop=size),
            ("echo", text), timeout=60)
    for index, size in enumerate([0, 16, 64, 256, 1024, 4096], 1):
        numbered = [f"{number:04}" + "*" * size for number in range(500)]
        add(f"9.7.{index}", f"500 messages of {size} bytes", sends(*(frame(TEXT, ask(one)) for one in numbered)),
            *(("echo", one) for one in numbered), timeout=60)
    text = "*" * 65536
    whole = ask(text)
    pieces = [whole[at:at + 1300] for at in range(0, len(whole), 1300)]
    add("10.1.1", "64 KiB in fragments of 1300 bytes", sends(*(
        frame(TEXT if at == 0 else CONTINUATION, piece, fin=at + 1 == len(pieces))
        for at, piece in enumerate(pieces))), ("echo", text))
