"""A room: one Composite, a port for each browser. Each sees all and hears everybody but itself."""

import asyncio
import pathlib
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "common"))
from app import run  # noqa: E402
from tessera import Peer  # noqa: E402


class Room:
    def __init__(self, pipeline, grid):
        self.pipeline = pipeline
        self.grid = grid
        self.browsers = set()
        self.people = set()
        self.recorder = None
        self.recording = None
        # Two may press the button at once.
        self.button = asyncio.Lock()

    async def tell(self):
        for browser in list(self.browsers):
            await browser.send("room", people=len(self.people), recording=self.recording)


async def start(tessera):
    pipeline = await tessera.create("MediaPipeline")
    grid = await tessera.create("Composite", mediaPipeline=pipeline, width=1280, height=720, framerate=30)
    return Room(pipeline, grid)


async def session(tessera, browser, room):
    browser.port = None
    room.browsers.add(browser)
    try:
        await room.tell()
        async for message in browser.messages():
            match message["id"]:
                case "join":
                    await leave(tessera, browser, room)
                    await join(tessera, browser, room, message["sdp"])
                case "leave":
                    await leave(tessera, browser, room)
                case "record":
                    async with room.button:
                        await toggle_recording(tessera, room)
            await room.tell()
    finally:
        room.browsers.discard(browser)
        await leave(tessera, browser, room)
        await room.tell()


async def join(tessera, browser, room, offer):
    browser.peer = await Peer.make(tessera, room.pipeline, browser)
    browser.port = await tessera.create("HubPort", hub=room.grid)
    await tessera.connect(browser.peer.id, browser.port)
    await tessera.connect(browser.port, browser.peer.id)
    await browser.send("answer", sdp=await browser.peer.answer(offer))
    room.people.add(browser)


async def leave(tessera, browser, room):
    room.people.discard(browser)
    if browser.peer:
        await browser.peer.release()
        await tessera.release(browser.port)
        browser.peer = browser.port = None


async def toggle_recording(tessera, room):
    if room.recorder:
        await tessera.invoke(room.recorder, "stopAndWait")
        await tessera.release(room.recorder)
        await tessera.release(room.recorder_port)
        room.recorder = room.recording = None
        return
    room.recording = f"/tmp/room-{int(time.time())}.webm"
    room.recorder_port = await tessera.create("HubPort", hub=room.grid)
    room.recorder = await tessera.create(
        "RecorderEndpoint", mediaPipeline=room.pipeline, uri=f"file://{room.recording}")
    await tessera.connect(room.recorder_port, room.recorder)
    await tessera.invoke(room.recorder, "record")


run(__file__, session, start)
