"""A call of four browser pages in one Composite, driven by JSON-RPC alone, and recorded by the server."""

import re
import time

import numpy
import pytest

import mark
import peers
import room
import tools
from control import Caller, Control
from live import Server, request

SECONDS = 10
TRIES = 3
# Samples of the recording that are looked at together: a quarter of a second.
PIECE = 12000
# The allocator need not give back all, in bytes.
MEMORY = 16e6
# Until all see all in full size.
WARM_UP = 10
# Where pictures of 16:9 lie in the grid, row by row from the left as in Kurento's.
PLACES = [[0, 0, .5, .5], [.5, 0, .5, .5], [0, .5, .5, .5], [.5, .5, .5, .5]]


@pytest.fixture(scope="module")
def server():
    with Server("") as running:
        yield running


@pytest.fixture(scope="module")
def makers():
    with peers.Chromium() as chromium, peers.FirefoxPeers() as firefox:
        yield [chromium, chromium, chromium, firefox]


class Call:
    """The pipeline, its grid, and who is in it, in the order of their places."""

    def __init__(self, control, server, makers):
        self.control, self.server, self.makers = control, server, makers
        self.pipeline = control.create("MediaPipeline")
        self.grid = control.create("Composite", mediaPipeline=self.pipeline, width=1280, height=720, framerate=30)
        self.present = {}

    def join(self, who):
        port = self.control.create("HubPort", hub=self.grid)
        self.present[who] = Caller(
            self.control, self.pipeline, port, self.makers[who].peer(self.server), video="VP8", audio="opus",
            tone=room.TONES[who], shades=[room.SHADES[who], room.BLUE], cheap=True)

    def leave(self, who):
        self.present.pop(who).leave()

    def record(self, file):
        """Through a port of its own, as everybody sees and hears it."""
        port = self.control.create("HubPort", hub=self.grid)
        self.recorder = self.control.create(
            "RecorderEndpoint", mediaPipeline=self.pipeline, uri=f"file://{file}", mediaProfile="WEBM")
        self.control.subscribe(self.recorder, "Recording")
        self.control.invoke(port, "connect", sink=self.recorder)
        self.control.invoke(self.recorder, "record")
        self.control.until(self.recorder, "Recording")
        self.recorded = time.monotonic()

    def look(self):
        """Watches the tiles as they are now for some seconds; what each page saw and heard, by who it is."""
        for caller in self.present.values():
            caller.peer.watch(PLACES[:len(self.present)])
        time.sleep(SECONDS)
        return {who: caller.peer.report(SECONDS) for who, caller in self.present.items()}

    def trouble(self, seen):
        """None where all see all, in their places and moving, and hear everybody but themselves."""
        for who, said in seen.items():
            for other, tile in zip(self.present, said["tiles"]):
                if not mark.is_near(tile["left"], shade(other)):
                    return f"page {who + 1} sees {tile['left']} in the place of {other + 1}"
                if tile["distinct"] / SECONDS < 15:
                    return f"page {who + 1} sees {tile['distinct']} pictures of {other + 1} in {SECONDS} s"
            for other, share in enumerate(said["audio"]["shares"]):
                hears = other in self.present and other != who
                if share < 0.8 if hears else share > 0.1:
                    return f"page {who + 1} hears {other + 1} {share:.0%} of the time"
        return None

    def photograph(self, folder, name):
        for who, caller in self.present.items():
            caller.peer.photograph(folder / f"{name}-{who + 1}.png")

    def gaps(self):
        return {who: round(caller.peer.page.evaluate("(() => peer.gap())()")) for who, caller in self.present.items()}

    def end(self):
        self.control.release(self.pipeline)
        for caller in self.present.values():
            caller.peer.stop()


def shade(who):
    return list(map(int, re.findall(r"\d+", room.SHADES[who])))


def table(phase, seen) -> str:
    lines = [f"| {phase} | pictures/s of each tile | own tone, dB | others, dB | own heard | rarest other |",
             "| --- | --- | ---: | --- | ---: | ---: |"]
    for who, said in seen.items():
        rates = " ".join(f"{tile['distinct'] / SECONDS:.1f}" for tile in said["tiles"])
        levels, shares = said["audio"]["bins"], said["audio"]["shares"]
        others = [other for other in seen if other != who]
        lines.append(
            f"| page {who + 1} | {rates} | {levels[who]:.0f} | {' '.join(f'{levels[other]:.0f}' for other in others)} "
            f"| {shares[who]:.0%} | {min(shares[other] for other in others):.0%} |")
    return "\n".join(lines)


def figures(server) -> dict:
    """Gauges of the server, counters left out."""
    text = request("GET", server.url + "/metrics").text
    gauges = set(re.findall(r"# TYPE (\S+) gauge", text))
    found = dict(re.findall(r"(?m)^([a-z]\S*) (\S+)$", text))
    return {name: float(value) for name, value in found.items() if name.split("{")[0] in gauges}


def of_the_call(gauges):
    """Those that the objects of a call change: not what describes the process and the machine."""
    return {name: value for name, value in gauges.items() if re.match("tessera_(?!build)", name)}


def left_over(before, after) -> list[str]:
    """What a call has left behind: objects, descriptors, memory."""
    # A class of which there never was one has no figure.
    found = [name for name, value in of_the_call(after).items() if value != before.get(name, 0)]
    if after["process_open_fds"] > before["process_open_fds"]:
        found.append("descriptors")
    if after["process_resident_memory_bytes"] > before["process_resident_memory_bytes"] + MEMORY:
        found.append("memory")
    return found


def settled(server, before):
    """The figures after a call, when they are as before, at the latest after some seconds."""
    end = time.monotonic() + 15
    while True:
        after = figures(server)
        if not left_over(before, after) or time.monotonic() > end:
            return after
        time.sleep(0.5)


def check_recording(file, began, ended, present):
    """The tiles move in the recording between those seconds of it, and all who were there are heard; says how."""
    seen = tools.pictures(file, 640, 360, began, ended - began)
    numbers = {who: [] for who in present}
    for picture in seen.pixels:
        for who, (left, top, wide, high) in zip(present, PLACES):
            x, y = int(left * 640), int(top * 360)
            tile = mark.read(picture[y:y + int(high * 360), x:x + int(wide * 640)])
            assert mark.is_near(tile["left"], shade(who)), (who, tile)
            numbers[who].append(tile["number"])
    seconds = seen.times[-1] - seen.times[0]
    rates = [float(numpy.count_nonzero(numpy.diff(found))) / seconds for found in numbers.values()]
    heard = tools.sound(file)[int(began * tools.SAMPLE_RATE):int(ended * tools.SAMPLE_RATE)]
    # Piece by piece: a page's clock is not ours, and over seconds its tone is not quite where it should be.
    pieces = numpy.split(heard[:len(heard) // PIECE * PIECE], len(heard) // PIECE)
    levels = [float(numpy.median([tools.tone_level(piece, tone) for piece in pieces])) for tone in room.TONES[:4]]
    print(f"recording, {began:.1f} to {ended:.1f} s: {len(seen.times) / seconds:.1f} pictures/s, tiles of pages "
          f"{[who + 1 for who in present]} {' '.join(f'{rate:.1f}' for rate in rates)} a second, tones "
          + " ".join(f"{20 * numpy.log10(level + 1e-9):.0f}" for level in levels) + " dB")
    assert min(rates) >= 15
    for who, level in enumerate(levels):
        assert level > 0.02 if who in present else level < 0.003, (who, level)


@pytest.mark.long
def test_group_call(server, makers, tmp_path):
    file = tmp_path / "call.webm"
    with Control(server) as control:
        # A first call makes what is made once: threads, codecs' tables, the allocator's arenas.
        call = Call(control, server, makers)
        for who in range(4):
            call.join(who)
        time.sleep(3)
        call.end()
        time.sleep(3)
        before = figures(server)

        call = Call(control, server, makers)
        for who in range(4):
            call.join(who)
        call.record(file)
        time.sleep(WARM_UP)
        spans, gaps = [], []

        def phase(name):
            # A machine that is busy with something else gets more than one try.
            for _ in range(TRIES):
                began, seen = time.monotonic() - call.recorded, call.look()
                trouble = call.trouble(seen)
                print(table(name, seen))
                if not trouble:
                    break
            spans.append((list(call.present), began, began + SECONDS))
            call.photograph(tmp_path, name)
            assert not trouble, trouble

        phase("four")
        call.leave(1)
        time.sleep(3)
        gaps.append(call.gaps())
        phase("three")
        call.join(1)
        time.sleep(WARM_UP)
        gaps.append(call.gaps())
        phase("again")
        print(f"longest time between pictures while somebody left, and while somebody came, ms: {gaps}")
        during = figures(server)
        control.invoke(call.recorder, "stopAndWait")
        call.end()
        after = settled(server, before)

        found = tools.assert_sound_file(file)
        assert (found["video"][0]["width"], found["video"][0]["height"]) == (1280, 720)
        for order, began, ended in spans:
            check_recording(file, began + 1, ended - 1, order)
        tools.ffmpeg("-i", file, "-vf", "fps=1/5", tmp_path / "recording-%02d.png")
        print(f"files: {tmp_path}")

        for name in sorted(before):
            print(f"{name}: {before[name]:g} before, {during[name]:g} during, {after[name]:g} after")
        assert not left_over(before, after)
        assert control.invoke("manager_ServerManager", "getPipelines") == []
    assert max(gap for all in gaps for gap in all.values()) < 1000
