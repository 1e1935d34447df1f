"""Browsers behind the simulation's bad networks, for real: what a page sees of a moving picture, and how smoothly.

Between the page and `tessera serve` stands the relay of Tests/Simulation, with the same networks and seeds as there, or
a router in a network namespace with a packet filter. One page publishes a picture whose number grows, the grid takes it
in, another page watches the grid; the network is before the page that watches (`to the page`), or before the one that
publishes (`to the server`).
"""

import contextlib
import json
import os
import pathlib
import socket
import subprocess
import sys
import threading
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "Browser"), str(HERE.parent / "Acceptance")]
import live  # noqa: E402
import matrix  # noqa: E402
import nat  # noqa: E402
import tools  # noqa: E402
from space import Internet  # noqa: E402

NETWORKS = ("loss-0", "loss-2", "loss-5", "loss-10", "loss-20", "bursts", "jitter", "reordering", "duplication",
            "bottleneck", "outage", "moves")
WAYS = {"down": "to the page", "up": "to the server"}
DOCUMENT = "Tests/Network/documents/grid.json"
#: A picture that stands this long is a freeze; seconds.
FREEZE = 0.2


def relay_program() -> str:
    """$RELAY, else the release build."""
    if chosen := os.environ.get("RELAY"):
        return chosen
    command = ["swift", "build", "--configuration", "release", "--show-bin-path"]
    return tools.tool(*command).decode().strip() + "/relay"


def own_address() -> str:
    """Of the interface that media uses."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as opened:
        try:
            opened.connect(("192.0.2.1", 9))
            return opened.getsockname()[0]
        except OSError:
            return "127.0.0.1"


def free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as opened:
        opened.bind(("", 0))
        return opened.getsockname()[1]


@contextlib.contextmanager
def serving(*arguments, prefix=()):
    port = free_port()
    with live.Server(DOCUMENT, "--media-port", port, *arguments, prefix=prefix) as server:
        server.media = f"{own_address()}:{port}"
        yield server


class Relay:
    """For a `with` block."""

    def __init__(self, network, way, server, seed):
        # In the simulation either side may move; here only the page can.
        name = {"moves": "sender-moves" if way == "up" else "receiver-moves"}.get(network, network)
        self.command = [relay_program(), name, way, server.media, str(seed)]

    def __enter__(self):
        self.process = subprocess.Popen(self.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.scenario = json.loads(self.process.stdout.readline())
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.end()

    def begin(self):
        self.process.stdin.write("begin\n")
        self.process.stdin.flush()

    def end(self):
        """What happened on the line."""
        self.process.stdin.close()
        said = self.process.stdout.readline()
        self.process.wait(5)
        return json.loads(said)


class Pages:
    """A publisher and a watcher, one of them behind the relay. `watch` gives the new pictures that came in a span."""

    def __init__(self, server, publisher, watcher):
        self.server, self.publisher, self.watcher = server, publisher, watcher
        self.started = []

    def start(self, through=None, way="down"):
        """`through`: the relay before the page that the way is named after."""
        up, down = (through, None) if way == "up" else (None, through)
        try:
            self.source = self._start(self.publisher, "whip", "sendonly", up, isNoisy=True)
            self.screen = self._start(self.watcher, "whep", "recvonly", down)
            found, seen = matrix.wait(self.screen, "VP8", "opus", 30)
            assert not any(found.values()), f"{found} {seen}"
            # Rates have grown.
            time.sleep(3)
        except BaseException:
            self.stop()
            raise

    def _start(self, maker, role, direction, through, **more):
        peer = maker.peer(self.server)
        self.started.append(peer)
        # Not null but absent where there is none.
        more = {**more, **({"through": through} if through else {})}
        return peer.start(f"{self.server.url}/{role}/grid", direction, "VP8", "opus", **more)

    def stop(self):
        for peer in self.started:
            peer.stop()

    def watch(self, begin, seconds):
        """Calls `begin`; then when each new picture was shown, in seconds since, and what the watcher's sound did."""
        before = self.screen.report()
        drawn = self.source.report()["drawn"]
        since = self.screen.page.evaluate("() => performance.now()")
        began = time.monotonic()
        begin()
        time.sleep(max(0, began + seconds - time.monotonic()))
        pictures = self.screen.page.evaluate("(since) => peer.pictures(since)", since)
        after = self.screen.report()
        drawn = (self.source.report()["drawn"] - drawn) / (time.monotonic() - began)
        made_up, samples = (after["audio.in"][key] - before["audio.in"][key] for key in ("concealed", "samples"))
        return {"shown": [(at - since) / 1000 for at, _ in pictures], "drawn": drawn,
                "sound": made_up / samples if samples > 0 else 1}


def gaps(shown, start, end):
    """Spans without a new picture, up to `end`."""
    times = [start, *(at for at in shown if start < at < end), end]
    return [b - a for a, b in zip(times, times[1:])]


def recovery(shown, moment):
    """From that moment to the first picture that others follow for a second without a freeze; None: never."""
    later = [at for at in shown if at >= moment]
    for index, first in enumerate(later):
        following = [at for at in later[index:] if at <= first + 1] + [first + 1]
        if len(following) > 2 and all(b - a <= FREEZE for a, b in zip(following, following[1:])):
            return first - moment
    return None


def judge(network, way, scenario, seen, line):
    """A row of the table, with what is not as docs/robustness.md bounds it."""
    shown, end = seen["shown"], scenario["duration"]
    back = recovery(shown, scenario["restored"]) if scenario["restored"] is not None else None
    spans = [(scenario["warmUp"], end)]
    if scenario["restored"] is not None:
        spans = [(scenario["warmUp"], scenario["troubleAt"])]
        if back is not None:
            spans.append((scenario["restored"] + back, end))
    pictures = sum(start < at < stop for at in shown for start, stop in spans)
    seconds = sum(stop - start for start, stop in spans)
    stands = [gap for span in spans for gap in gaps(shown, *span)]
    row = {
        "network": network, "way": way, "drawn": seen["drawn"], "rate": pictures / seconds,
        "freezes": sum(gap > FREEZE for gap in stands) * 60 / seconds, "longest": max(stands), "back": back,
        # In the other direction the server makes up what is missing, and sends it on as sound like any other.
        "sound": seen["sound"] if way == "down" else None,
        "queue": line["queueMilliseconds"] / 1000 if line and scenario["rate"] else None,
        "bits": line["bitsPerSecond"] if line else None, "line": line,
    }
    share = row["bits"] / scenario["rate"] if scenario["rate"] and line else None
    settled = scenario["settled"] or [0, 9]
    row["trouble"] = [words for is_wrong, words in (
        (row["rate"] < (scenario["framesPerSecond"] or 0), f"under {scenario['framesPerSecond']} pictures/s"),
        (row["longest"] > (scenario["freeze"] or 1e9), f"a freeze above {scenario['freeze']} s"),
        (scenario["recovery"] and (back is None or back > scenario["recovery"]), "back too late"),
        (row["queue"] and row["queue"] > (scenario["queueDelay"] or 1e9), "the queue is too long"),
        (share is not None and not settled[0] <= share <= settled[1], f"{share or 0:.0%} of the bottleneck"),
    ) if is_wrong]
    return row


def try_one(server, publisher, watcher, network, way, seed=1):
    with Relay(network, way, server, seed) as relay:
        pages = Pages(server, publisher, watcher)
        pages.start(relay.scenario["address"], way)
        try:
            seen = pages.watch(relay.begin, relay.scenario["duration"])
            return judge(network, way, relay.scenario, seen, relay.end())
        finally:
            pages.stop()


# --- by packet filter ----------------------------------------------------------------------------------------------


def lose(percent):
    """Both ways, by chance. The kernel has no seed for it."""
    return lambda router: drop(router, f"numgen random mod 100 < {percent}")


def drop(router, which=""):
    router.nft("table ip bad {\n chain through {\n type filter hook forward priority 0\n "
               f"meta l4proto udp {which} drop\n }}\n }}")


def narrow(router):
    """300 kbit/s towards whoever is behind the router."""
    tools.tool(*router.prefix, "tc", "qdisc", "add", "dev", "in", "root", "tbf", "rate", "300kbit", "burst", "3000",
               "limit", "40000")


def mend(router):
    router.nft("delete table ip bad")


def move(router):
    """The router has another address outside from now on."""
    outside = router.address.rsplit(".", 1)
    router.ip("address", "delete", f"{router.address}/24", "dev", "out")
    router.ip("address", "add", f"{outside[0]}.{int(outside[1]) + 1}/24", "dev", "out")
    router.ip("route", "replace", "default", "via", f"{outside[0]}.1")


#: What happens to the router of the page, at seconds; when trouble begins and ends; what docs/robustness.md asks for.
FILTERS = {
    "loss-0": ([], None, None, {"framesPerSecond": 28, "freeze": 0.75}),
    "loss-10": ([(0, lose(10))], None, None, {"framesPerSecond": 27, "freeze": 0.5}),
    "loss-20": ([(0, lose(20))], None, None, {"framesPerSecond": 20}),
    "bottleneck": ([(0, narrow)], None, None, {}),
    "outage": ([(10, drop), (15, mend)], 10, 15, {"recovery": 1}),
    "moves": ([(10, move)], 10, 10, {"recovery": 1}),
}


def try_filter(network):
    """A page behind a NAT that watches; the one that publishes stands on the open Internet."""
    steps, trouble, restored, bounds = FILTERS[network]
    scenario = {"duration": 25 if network == "outage" else 20, "restored": restored, "troubleAt": trouble,
                "warmUp": 1, "rate": None, "framesPerSecond": None, "freeze": None, "recovery": None,
                "queueDelay": None, "settled": None, **bounds}
    with Internet() as internet, contextlib.ExitStack() as stack:
        machine, router = internet.machine("server", 10), internet.router("router", 30)
        behind, other = router.machine("page"), internet.machine("other", 20)
        router.translate("cone")
        server = stack.enter_context(live.Server(DOCUMENT, "--port", nat.HTTP, prefix=machine.prefix))
        server.url = f"http://{machine.address}:{nat.HTTP}"
        # One driver for both: Playwright has one per thread.
        watcher = stack.enter_context(nat.Chromium(behind, internet.folder.name))
        publisher = nat.Chromium(other, internet.folder.name)
        publisher.browser = watcher.launch(publisher.path)
        stack.callback(publisher.browser.close)
        pages = Pages(server, publisher, watcher)
        pages.start()
        timers = [threading.Timer(at, step, [router]) for at, step in steps]
        try:
            seen = pages.watch(lambda: [timer.start() for timer in timers], scenario["duration"])
            return judge(network, "down", scenario, seen, None)
        finally:
            for timer in timers:
                timer.cancel()
            pages.stop()


def table(rows) -> str:
    def number(value, digits=0, scale=1):
        return "" if value is None else f"{value * scale:.{digits}f}"

    lines = ["| network | way | drawn/s | pictures/s | freezes > 200 ms per minute | longest freeze, ms | "
             "moving again after, ms | sound made up, % | queueing delay, ms | on the line, kbit/s | bounds |",
             "| --- | --- |" + " ---: |" * 8 + " --- |"]
    for row in rows:
        lines.append(
            f"| {row['network']} | {WAYS[row['way']]} | {row['drawn']:.1f} | {row['rate']:.1f} | "
            f"{row['freezes']:.1f} | {number(row['longest'], 0, 1000)} | {number(row['back'], 0, 1000)} | "
            f"{number(row['sound'], 1, 100)} | {number(row['queue'], 0, 1000)} | {number(row['bits'], 0, 0.001)} | "
            f"{'; '.join(row['trouble']) or 'held'} |")
    return "\n".join(lines)
