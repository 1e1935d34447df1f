"""Peers and servers behind NATs and walls: whether they find each other, over which way, and whether media moves.

Every peer publishes a marked picture and a tone at the door that sends back what comes, so what it sees has gone both
ways.
"""

import concurrent.futures
import contextlib
import dataclasses
import json
import pathlib
import re
import stat
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "Browser"), str(HERE.parent / "Acceptance")]
import live  # noqa: E402
import matrix  # noqa: E402
import peers  # noqa: E402
from space import TURN, Internet, mapped  # noqa: E402

HTTP, MEDIA = 8888, 40000
SERVER, SERVER_ROUTER, PEER, PEER_ROUTER, RELAY = (f"203.0.113.{number}" for number in (10, 11, 20, 30, 3))


@dataclasses.dataclass(frozen=True)
class Case:
    """`server` and `peer` say what stands before them; `at` and `seen` are the addresses in the server's pair."""

    name: str
    server: str
    peer: str
    options: tuple[str, ...] = ()
    #: ICE servers of the peer: stun, or a transport of TURN.
    uses: tuple[str, ...] = ()
    at: str = SERVER
    seen: str = PEER_ROUTER
    over: str = "udp"
    makers: tuple[str, ...] = ("aiortc", "Chromium")


CASES = (
    Case("both on the open Internet", "open", "open", seen=PEER),
    Case("server with IPv6 only, peer with both", "v6", "both", at="2001:db8::a", seen="2001:db8::14"),
    Case("peer behind a symmetric NAT", "open", "symmetric"),
    Case("both behind cone NATs, STUN", "cone", "cone", ("--stun", "stun"), ("stun",), at=SERVER_ROUTER),
    Case("server with a port forwarded, peer behind a symmetric NAT", "forward", "symmetric",
         ("--external-ip", SERVER_ROUTER), at=SERVER_ROUTER),
    Case("both behind symmetric NATs, relay over UDP", "symmetric", "symmetric", ("--turn", "udp"), ("stun",),
         at=RELAY),
    Case("server without UDP, peer behind a symmetric NAT, relay over TCP", "walled", "symmetric",
         ("--turn", "tcp"), ("stun",), at=RELAY),
    Case("the same, relay over TLS", "walled", "symmetric", ("--turn", "tls"), ("stun",), at=RELAY),
    Case("peer without UDP, ICE-TCP", "open", "walled", over="tcp", makers=("Chromium", "GStreamer")),
    Case("neither has UDP, two relays over TCP", "walled", "walled", ("--turn", "tcp"), ("tcp",), at=RELAY,
         seen=RELAY),
)


class Aiortc(peers.Aiortc):
    """In a namespace: all threads that open sockets live there."""

    def __init__(self, machine, _):
        self.machine = machine

    def __enter__(self):
        super().__enter__()
        pool = concurrent.futures.ThreadPoolExecutor(4, initializer=self.machine.enter)
        self.loop.call_soon_threadsafe(self.loop.set_default_executor, pool)
        self.loop.call_soon_threadsafe(self.machine.enter)
        return self


class Chromium(peers.Chromium):
    def __init__(self, machine, folder):
        self.path = str(inside(machine, folder, "chromium", "/usr/bin/chromium"))


class GStreamer(peers.GStreamer):
    def __init__(self, machine, folder):
        self.python = inside(machine, folder, "python", "/usr/bin/python3")

    def peer(self, server):
        return GStreamerPeer(self.folder.name, str(self.python))


class GStreamerPeer(peers.GStreamerPeer):
    def __init__(self, folder, python):
        super().__init__(folder)
        self.python = python

    def launch(self, command, environment={}):
        super().launch([self.python, *command[1:]], environment)


def inside(machine, folder, name, program) -> pathlib.Path:
    """A program that runs another one in a namespace."""
    path = pathlib.Path(folder) / f"{name}-{machine.name}"
    path.write_text(f'#!/bin/sh\nexec {" ".join(machine.prefix)} {program} "$@"\n')
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


MAKERS = {"aiortc": Aiortc, "Chromium": Chromium, "GStreamer": GStreamer}


def build(internet, kind, name, open_number, router_number):
    """A machine behind what `kind` says, and its router."""
    if families := {"open": (4,), "v6": (6,), "both": (4, 6)}.get(kind):
        return internet.machine(name, open_number, families), None
    router = internet.router(f"{name}-router", router_number)
    machine = router.machine(name)
    router.translate("cone" if kind == "cone" else "symmetric")
    if kind == "walled":
        router.block_udp()
    if kind == "forward":
        for protocol in ("udp", "tcp"):
            router.forward(protocol, MEDIA, machine)
    return machine, router


def check(kind, machine, turn):
    """The NAT has to be what it is called."""
    if kind not in ("cone", "symmetric", "walled"):
        return
    try:
        first, second = machine.do(mapped, [(turn.address, turn.PORT), (turn.second, turn.PORT)])
        found = "cone" if first == second else "symmetric"
    except TimeoutError:
        found = "walled"
    assert found == kind, f"{machine.name} is behind a {found} NAT, not a {kind} one"


def ice_servers(uses, turn):
    return [{"urls": f"stun:{turn.stun}"} if use == "stun" else
            {"urls": f"turn:{turn.address}:{turn.PORT}?transport={use}", "username": turn.USER,
             "credential": turn.PASSWORD} for use in uses]


@contextlib.contextmanager
def serving(case, internet, turn):
    """The server and where the peer finds its HTTP; that is forwarded by whatever stands before the server."""
    machine, router = build(internet, case.server, "server", 10, 11)
    if router:
        router.forward("tcp", HTTP, machine)
    check(case.server, machine, turn)
    options = [{"stun": turn.stun}.get(value, value) for value in case.options]
    if "--turn" in case.options:
        options[1] = turn.option(case.options[1])
        options += ["--turn-ca", turn.certificate]
    server = live.Server("Tests/Browser/documents/loops.json", "--port", HTTP, "--media-port", MEDIA, "--log",
                         "debug", *options, prefix=machine.prefix)
    with server:
        address = router.address if router else f"[{machine.address}]" if case.server == "v6" else machine.address
        server.machine, server.url = machine, f"http://{address}:{HTTP}"
        yield server


def ways(server):
    """What the server says of the pairs in use."""
    said = server.machine.do(lambda: live.request("GET", f"http://127.0.0.1:{HTTP}/stats").json)
    return re.findall(r'"((?:udp|tcp) \S+ → \S+)"', json.dumps(said, ensure_ascii=False))


def split(way):
    """The transport and the two addresses of a pair, without ports."""
    over, at, _, seen = way.split()
    return over, *(side.rsplit(":", 1)[0].strip("[]") for side in (at, seen))


def try_case(case, name):
    """One row of the table; `trouble` is None where all is well."""
    with Internet() as internet:
        turn = internet.turn()
        with serving(case, internet, turn) as server:
            machine, _ = build(internet, case.peer, "peer", 20, 30)
            check(case.peer, machine, turn)
            with MAKERS[name](machine, internet.folder.name) as made:
                return measure(case, server, made, ice_servers(case.uses, turn))


def measure(case, server, made, servers):
    peer = made.peer(server)
    try:
        began = time.monotonic()
        more = {"servers": servers} if servers else {}
        peer.start(f"{server.url}/whip/loop", "sendrecv", "VP8", "opus", **more)
        answered = time.monotonic() - began
        found, _ = matrix.wait(peer, "VP8", "opus", matrix.PATIENCE)
        took = time.monotonic() - began
        if not any(found.values()):
            time.sleep(4)
            found, seen = matrix.wait(peer, "VP8", "opus", 5)
        else:
            seen = peer.report()
        way = (ways(server) or ["none"])[0]
        wanted = (case.over, case.at, case.seen)
        trouble = next((text for text in found.values() if text), None)
        if not trouble and split(way) != wanted:
            trouble = f"not the way that was meant, {wanted}"
        return {"case": case.name, "peer": made.name, "way": way, "answered": answered, "took": took,
                "pictures": (seen.get("video") or {}).get("distinct", 0) / 3, "trouble": trouble, "seen": seen}
    finally:
        peer.stop()


def table(rows) -> str:
    lines = ["| who | peer | the server's pair | answer after, s | media there after, s | pictures/s back | verdict |",
             "| --- | --- | --- | ---: | ---: | ---: | --- |"]
    for row in rows:
        lines.append(f"| {row['case']} | {row['peer']} | {row['way']} | {row['answered']:.1f} | {row['took']:.1f} | "
                     f"{row['pictures']:.1f} | {row['trouble'] or 'ok'} |")
    return "\n".join(lines)
