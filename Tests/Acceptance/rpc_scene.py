"""What the tests of the table class × member share: the register of rows, clips to play, a pipeline with short names
for what is done again and again, and eyes: the picture that leaves an element now."""

import asyncio
import base64
import functools
import io
import os
import sys
import tempfile

import av
import live
import numpy
import pytest
import tools
from rpc import Client

MANAGER = "manager_ServerManager"
# `Class.member` → the tests that exercise it, as `module.py::name`; `Class.new` is the constructor.
ROWS: dict[str, list[str]] = {}
# Test → what it looks at: the first sentence of its own words, else of its module's.
WORDS: dict[str, str] = {}


def covers(owner, *members):
    """Notes which members of a class a test exercises: names, or several in one text."""

    def note(test):
        name = f"{test.__module__}.py::{test.__name__}"
        words = test.__doc__ or sys.modules[test.__module__].__doc__ or ""
        WORDS[name] = " ".join(words.split(".")[0].split()).removeprefix("The table of members: ")
        for member in " ".join(members).split():
            ROWS.setdefault(f"{owner}.{member}", []).append(name)
        return test

    return note


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    folder = tmp_path_factory.mktemp("dot")
    with live.Server(
        "", "--post-port", 0, "--dot-folder", folder, "--metadata", '{"place": "a test"}') as server:
        server.folder = folder
        server.control = server.url.replace("http", "ws", 1) + "/kurento"
        yield server


# --- clips ---------------------------------------------------------------------------------------------------------

COLOURS = {"red": "r", "lime": "g", "blue": "b", "white": "w", "black": "k"}
TONES = {"red": 300, "lime": 500, "blue": 800, "white": 1200, "halves": 300}
SECONDS = 20


@functools.cache
def folder():
    return tempfile.mkdtemp(prefix="tessera-rpc-")


@functools.cache
def clip(name):
    """Twenty seconds of a colour with its tone in VP8 and Opus, 320 × 240 at 25/s. `halves`: red left, blue right.
    `noise`: what no encoder makes small. `h264`: in MP4 with AAC."""
    path = os.path.join(folder(), name + (".mp4" if name == "h264" else ".webm"))
    if os.path.exists(path):
        return path
    size = "size=320x240:rate=25"
    picture = f"color={name}:{size}"
    if name == "halves":
        picture = f"color=red:{size},drawbox=x=160:w=160:h=240:color=blue:t=fill"
    elif name == "noise":
        picture = f"color=gray:{size},noise=alls=60:allf=t"
    elif name == "h264":
        picture = f"testsrc2={size}"
    rate = "4M" if name == "noise" else "400k"
    coder = ["-c:v", "libvpx", "-deadline", "realtime", "-cpu-used", "8", "-b:v", rate, "-c:a", "libopus"]
    if name == "h264":
        coder = ["-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-bf", "0", "-c:a", "aac"]
    tools.ffmpeg(
        "-f", "lavfi", "-i", picture, "-f", "lavfi", "-i",
        f"sine=frequency={TONES.get(name, 440)}:sample_rate=48000", "-t",
        6 if name in ("noise", "h264") else SECONDS, *coder, "-g", "10", path)
    return path


# --- a pipeline ----------------------------------------------------------------------------------------------------


def run(server, body, *arguments):
    """`body(scene, …)` with a client and a pipeline of its own, which is released afterwards."""

    async def with_client():
        async with Client(server.control) as client:
            scene = Scene(client, await client.create("MediaPipeline"))
            await body(scene, *arguments)
            await client.call("release", object=scene.pipeline)

    asyncio.run(with_client())


class Scene:
    def __init__(self, client, pipeline):
        self.client, self.pipeline = client, pipeline
        self.invoke, self.subscribe, self.create = client.invoke, client.subscribe, client.create

    async def new(self, kind, **params):
        return await self.client.create(kind, mediaPipeline=self.pipeline, **params)

    async def error(self, target, operation, **params):
        """The code of the error with which a call is answered."""
        answer = await self.client.ask("invoke", object=target, operation=operation, operationParams=params)
        assert "error" in answer, answer
        return answer["error"]["code"]

    async def refused(self, kind, **params):
        """The code of the error with which a creation is answered."""
        answer = await self.client.ask(
            "create", type=kind, constructorParams={"mediaPipeline": self.pipeline, **params})
        assert "error" in answer, answer
        return answer["error"]["code"]

    async def get(self, target, name):
        return await self.invoke(target, f"get{name[0].upper()}{name[1:]}")

    async def set(self, target, **values):
        for name, value in values.items():
            await self.invoke(target, f"set{name[0].upper()}{name[1:]}", **{name: value})

    async def link(self, *chain, **more):
        for source, sink in zip(chain, chain[1:]):
            await self.invoke(source, "connect", sink=sink, **more)

    async def play(self, name, **more):
        """A player of a clip, over and over, that runs."""
        # Making it may take longer than a connection lives that nobody serves.
        path = await asyncio.to_thread(clip, name)
        player = await self.new("PlayerEndpoint", uri=f"file://{path}", **{"loop": True, **more})
        await self.invoke(player, "play")
        return player

    async def record(self, source, path, profile="WEBM", **more):
        recorder = await self.new("RecorderEndpoint", uri=f"file://{path}", mediaProfile=profile, **more)
        await self.link(source, recorder)
        await self.invoke(recorder, "record")
        return recorder

    async def port(self, hub, source=None, **more):
        """A port of a hub; `source` is linked to it."""
        port = await self.client.create("HubPort", hub=hub, **more)
        if source:
            await self.link(source, port)
        return port

    # --- events

    def events(self, target, kind, **data):
        return [
            event["data"] for event in self.client.events
            if event["object"] == target and event["type"] == kind and data.items() <= event["data"].items()
        ]

    async def event(self, target, kind, timeout=25, **data):
        """The first such event, which may have come already."""
        found = await self.client.until(lambda: self.events(target, kind, **data), timeout)
        assert found, f"no {kind} {data} of {target}; there were {[e['type'] for e in self.client.events]}"
        return found[0]

    async def until(self, condition, timeout=25, what="it did not happen"):
        """Asks until an awaitable answer is truthy, and returns it."""
        end = asyncio.get_running_loop().time() + timeout
        while not (found := await condition()):
            assert asyncio.get_running_loop().time() < end, f"{what} within {timeout} s"
            await asyncio.sleep(0.05)
        return found

    # --- eyes

    async def see(self, element, width=160) -> numpy.ndarray:
        """The picture that leaves an element now, RGB."""
        jpeg = base64.b64decode(await self.invoke(element, "thumbnail", width=width))
        with av.open(io.BytesIO(jpeg)) as picture:
            return next(picture.decode(video=0)).to_ndarray(format="rgb24")

    async def shows(self, element, *places, timeout=25):
        """Waits until colours stand where they should: (x, y, letter), in fractions of the picture."""
        seen = None
        end = asyncio.get_running_loop().time() + timeout
        while asyncio.get_running_loop().time() < end:
            picture = await self.see(element)
            seen = [colour(picture, x, y) for x, y, _ in places]
            if seen == [letter for _, _, letter in places]:
                return picture
            await asyncio.sleep(0.05)
        raise AssertionError(f"{places} wanted, {seen} seen")


def colour(picture, x, y):
    """r, g, b, w or k (black) at a place, the nearest of them; ? for none."""
    height, width = picture.shape[:2]
    row, column = min(int(y * height), height - 3), min(int(x * width), width - 3)
    red, green, blue = picture[row:row + 3, column:column + 3].reshape(-1, 3).mean(axis=0)
    best = {
        "r": (255, 0, 0), "g": (0, 255, 0), "b": (0, 0, 255), "w": (255, 255, 255), "k": (0, 0, 0),
    }
    name, distance = min(
        ((letter, abs(red - r) + abs(green - g) + abs(blue - b)) for letter, (r, g, b) in best.items()),
        key=lambda pair: pair[1])
    return name if distance < 150 else "?"


def tones(path, last=1.0):
    """Level of each clip's tone in the last part of a recording's sound, in dB below full scale."""
    samples = tools.sound(path)
    samples = samples[-int(last * tools.SAMPLE_RATE):]
    return {
        name: 20 * numpy.log10(tools.tone_level(samples, hertz) + 1e-9)
        for name, hertz in TONES.items() if name != "halves"
    }


def heard(path, last=1.0):
    """Whose tones are to be heard there, as the colours' letters."""
    return "".join(COLOURS[name] for name, level in tones(path, last).items() if level > -40)


def check_dot(text):
    """Graphviz takes it."""
    assert text.startswith("digraph")
    tools.subprocess.run(["dot", "-Tsvg"], input=text.encode(), check=True, capture_output=True)
