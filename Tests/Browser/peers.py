"""Other people's WebRTC peers behind one face: start, report what arrives, stop."""

import asyncio
import fractions
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import threading
import time

import av
import numpy
from playwright.sync_api import sync_playwright

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "Acceptance")]
import live  # noqa: E402
import mark  # noqa: E402
import recipes  # noqa: E402
from control import Call  # noqa: E402
from ffmpeg_peer import CODECS, FFmpegPeer  # noqa: E402
from firefox import Firefox  # noqa: E402

SWITCHES = [
    "--no-sandbox", "--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream",
    "--autoplay-policy=no-user-gesture-required", "--disable-gpu",
]
VIDEO, AUDIO = ("VP8", "VP9", "H264", "AV1"), ("opus", "PCMU", "PCMA", "G722")


class NotOffered(Exception):
    """The peer has no such codec, or no such direction."""


# --- browsers ------------------------------------------------------------------------------------------------------


class PagePeer:
    """A peer in a page of a browser."""

    script = (HERE / "peer.js").read_text()

    def __init__(self, page):
        self.page = page
        add = getattr(page, "add_script", None) or (lambda text: page.add_script_tag(content=text))
        add(self.script)
        page.evaluate("(() => { window.peer = new Harness(); return 1; })()")

    def offer(self, **options):
        """For other ways of signalling than WHIP: the offer, to be followed by `accept` and `add`."""
        return self.describe("offer", options)

    def answer(self, offer, video, audio):
        return self.describe("answer", {"offer": offer, "video": video, "audio": audio})

    def describe(self, what, options):
        said = self.page.evaluate(f"async (options) => peer.{what}(options)", options)
        if said == "not offered":
            raise NotOffered(options)
        return said

    def accept(self, answer):
        self.page.evaluate("async (answer) => peer.accept(answer)", answer)

    def add(self, candidate):
        self.page.evaluate("async (candidate) => peer.add(candidate)", candidate)

    def watch(self, tiles):
        self.page.evaluate("async (tiles) => peer.watch(tiles)", tiles)

    def photograph(self, path):
        """What comes, over the whole page."""
        self.page.evaluate("async () => peer.show()")
        self.page.screenshot(path=str(path))
        self.page.evaluate("async () => peer.hide()")

    def start(self, url, direction, video, audio, **more):
        said = self.page.evaluate(
            "async (options) => peer.start(options)",
            {"url": url, "direction": direction, "video": video, "audio": audio, **more})
        if said == "not offered":
            raise NotOffered(f"{video}, {audio}")
        assert said == "started", said
        return self

    def report(self, seconds=3):
        return self.page.evaluate("async (seconds) => peer.report(seconds)", seconds)

    def stop(self):
        try:
            self.page.evaluate("async () => peer.stop()")
        finally:
            self.page.close()


class Chromium:
    name, path = "Chromium", "/usr/bin/chromium"

    def __enter__(self):
        self.driver = sync_playwright().start()
        self.browser = self.launch(self.path)
        return self

    def launch(self, path):
        return self.driver.chromium.launch(executable_path=path, args=SWITCHES)

    def __exit__(self, *_):
        self.browser.close()
        self.driver.stop()

    def peer(self, server):
        page = self.browser.new_page()
        page.goto(f"{server.url}/doors")
        return PagePeer(page)


class FirefoxPeers(Firefox):
    name = "Firefox"

    def peer(self, server):
        return PagePeer(self.page(f"{server.url}/healthz"))


# --- aiortc --------------------------------------------------------------------------------------------------------


class Marked(live.Picture):
    async def recv(self):
        self.began = self.began or time.monotonic()
        # Late pictures are left out, as a camera does.
        self.count = max(self.count + 1, int((time.monotonic() - self.began) * 30))
        await asyncio.sleep(max(0, self.began + self.count / 30 - time.monotonic()))
        frame = av.VideoFrame.from_ndarray(mark.draw(self.count & 255), format="rgb24").reformat(format="yuv420p")
        frame.pts, frame.time_base = self.count * 3000, fractions.Fraction(1, 90000)
        return frame


class AiortcPeer:
    def __init__(self, loop):
        self.loop = loop

    def call(self, what, timeout=40):
        return asyncio.run_coroutine_threadsafe(what, self.loop).result(timeout)

    def start(self, url, direction, video, audio, servers=[]):
        self.call(self._prepare(url, direction, video, audio, servers))
        self.call(self.peer.join())
        return self

    def answer(self, offer, video, audio):
        self.call(self._prepare("", "sendrecv", video, audio))
        return self.call(self.peer.answer_to(offer))

    async def _prepare(self, url, direction, video, audio, servers=[]):
        from aiortc import RTCRtpSender

        self.peer = live.Peer(url, servers=servers)
        self.numbers, self.task = [], asyncio.ensure_future(self._read())
        for kind, codec, make in (("video", video, Marked), ("audio", audio, lambda: live.Tone(mark.TONE))):
            if codec is None:
                continue
            capable = RTCRtpSender.getCapabilities(kind).codecs
            chosen = [found for found in capable if found.mimeType.lower() == f"{kind}/{codec}".lower()]
            if not chosen:
                raise NotOffered(codec)
            chosen += [found for found in capable if found.mimeType == "video/rtx"]
            line = self.peer.connection.addTransceiver(kind if direction == "recvonly" else make(), direction=direction)
            line.setCodecPreferences(chosen)

    async def _read(self):
        """Reads the number of each picture once."""
        last = None
        while True:
            await asyncio.sleep(0.01)
            frames = self.peer.frames["video"]
            if not frames or frames[-1] is last:
                continue
            last = frames[-1]
            self.seen = mark.read(last[1].to_ndarray(format="rgb24"))
            self.numbers = [entry for entry in self.numbers if entry[0] > last[0] - 3]
            self.numbers.append((last[0], self.seen.pop("number")))

    def report(self):
        return self.call(self._report())

    async def _report(self):
        said = {"state": self.peer.connection.connectionState, "codecs": {}}
        if self.numbers:
            distinct = sum(a[1] != b[1] for a, b in zip(self.numbers, self.numbers[1:]))
            said["video"] = {"frames": len(self.numbers), "distinct": distinct, **self.seen}
        if sounds := [frame for _, frame in self.peer.frames["audio"][-25:]]:
            samples = [frame.to_ndarray().reshape(-1, len(frame.layout.channels))[:, 0] for frame in sounds]
            said["audio"] = mark.spectrum(numpy.concatenate(samples) / 32768, sounds[-1].sample_rate)
        return said

    def stop(self):
        async def leave():
            self.task.cancel()
            await (self.peer.leave() if hasattr(self.peer, "session") else self.peer.close())

        self.call(leave())


class Aiortc:
    name = "aiortc"

    def __enter__(self):
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.loop.call_soon_threadsafe(self.loop.stop)

    def peer(self, server):
        return AiortcPeer(self.loop)


# --- GStreamer -----------------------------------------------------------------------------------------------------


class GStreamer:
    name = "GStreamer"

    def __enter__(self):
        self.folder = tempfile.TemporaryDirectory(prefix="marks-")
        for number in range(256):
            (pathlib.Path(self.folder.name) / f"{number:03}.png").write_bytes(mark.png(mark.draw(number)))
        return self

    def __exit__(self, *_):
        self.folder.cleanup()

    def peer(self, server):
        return GStreamerPeer(self.folder.name)


def known_to_gstreamer(video, audio):
    for codec, known in ((video, recipes.VIDEO), (audio, recipes.AUDIO)):
        if codec and codec.upper() not in known:
            raise NotOffered(codec)


class Child:
    """A peer that is a program."""

    def launch(self, command, environment={}):
        self.process = subprocess.Popen(
            command, cwd=HERE, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            env={**os.environ, **environment})
        self.last, self.lines = {}, []
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        for line in self.process.stdout:
            if line.startswith("{"):
                self.last = {**self.last, **json.loads(line)}
            else:
                self.lines.append(line)

    def report(self):
        return {"ended": self.process.poll(), "lines": self.lines[-8:], **self.last}


class GStreamerPeer(Child):
    def __init__(self, folder):
        self.folder = folder

    def start(self, url, direction, video, audio):
        known_to_gstreamer(video, audio)
        names = [codec.upper() if codec else "-" for codec in (video, audio)]
        self.launch(["/usr/bin/python3", "gst_peer.py", url, direction, *names, self.folder])
        return self

    def answer(self, offer, video, audio):
        self.start("-", "sendrecv", video, audio)
        print(json.dumps(offer), file=self.process.stdin, flush=True)
        end = time.monotonic() + 20
        while "answer" not in self.last:
            assert time.monotonic() < end, f"no answer: {self.report()}"
            time.sleep(0.05)
        return self.last.pop("answer")

    def stop(self):
        self.process.stdin.close()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


class WHIPClient(GStreamer):
    name = "simple-whip-client"

    def __enter__(self):
        super().__enter__()
        stub = f"{self.folder.name}/libgupnp-igd-1.0.so.4"
        name = "-Wl,-soname,libgupnp-igd-1.0.so.4"
        subprocess.run(["gcc", "-shared", "-o", stub, HERE / "no-igd.c", name], check=True)
        return self

    def peer(self, server):
        return WHIPClientPeer(self.folder.name)


class WHIPClientPeer(Child):
    def __init__(self, folder):
        self.folder = folder

    def start(self, url, direction, video, audio):
        if direction != "sendonly":
            raise NotOffered(direction)
        known_to_gstreamer(video, audio)
        command = ["whip-client", "-u", url, "-o", "-l", "4"]
        for option, codec in (("-V", video), ("-A", audio)):
            if codec:
                command += [option, recipes.send(codec.upper(), self.folder)]
        self.launch(command, {"LD_LIBRARY_PATH": self.folder})
        return self

    def answer(self, offer, video, audio):
        raise NotOffered("only offers")

    def stop(self):
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


# --- ffmpeg --------------------------------------------------------------------------------------------------------


class FFmpeg:
    name = "ffmpeg (RTP)"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def peer(self, server):
        return FFmpegPeer()

    def join(self, server, reference, direction, video, audio, started):
        """Makes the pipeline that it is part of, with the reference at the other end where it goes one way only. Adds
        to `started` what is to be stopped; returns the peer and who has to see and hear."""
        if missing := {video, audio} - {None, *CODECS}:
            raise NotOffered(missing)
        under = self.peer(server)
        # The call ends before its peers do.
        started += [under, call := Call(server)]
        endpoint = call.control.create("RtpEndpoint", mediaPipeline=call.pipeline)
        seer = under
        if direction in ("both", "answers"):
            call.control.invoke(endpoint, "connect", sink=endpoint)
        else:
            other = reference.peer(server)
            started.append(other)
            call.start(other, "VP8" if video else None, "opus" if audio else None, endpoint)
            seer = other if direction == "send" else under
        under.start(call.control, endpoint, direction, video, audio)
        return under, seer


ALL = (Chromium, FirefoxPeers, Aiortc, GStreamer, WHIPClient, FFmpeg)
