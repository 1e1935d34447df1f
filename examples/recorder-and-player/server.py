"""Records what a browser sends into a file on the server, and plays it back."""

import pathlib
import sys
import uuid

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "common"))
from app import run  # noqa: E402
from tessera import Peer  # noqa: E402


async def session(tessera, browser, _):
    file = f"file:///tmp/recording-{uuid.uuid4()}.webm"
    pipeline = await tessera.create("MediaPipeline")
    browser.recorder = browser.player = None
    try:
        async for message in browser.messages():
            match message["id"]:
                case "record":
                    await end(tessera, browser)
                    await record(tessera, browser, pipeline, file, message["sdp"])
                case "play":
                    await end(tessera, browser)
                    await play(tessera, browser, pipeline, file, message["sdp"])
                case "pause" if browser.player:
                    await tessera.invoke(browser.player, "pause")
                case "resume" if browser.player:
                    await tessera.invoke(browser.player, "play")
                case "stop":
                    await end(tessera, browser)
    finally:
        await tessera.release(pipeline)


async def record(tessera, browser, pipeline, file, offer):
    browser.peer = await Peer.make(tessera, pipeline, browser, recvonly=True)
    browser.recorder = await tessera.create("RecorderEndpoint", mediaPipeline=pipeline, uri=file)
    await tessera.on(browser.recorder, "Recording", lambda _: browser.send("status", text=f"recording to {file}"))
    await tessera.on(browser.recorder, "Stopped", lambda _: browser.send("status", text=f"recorded {file}"))
    await tessera.connect(browser.peer.id, browser.recorder)
    await browser.send("answer", sdp=await browser.peer.answer(offer))
    await tessera.invoke(browser.recorder, "record")


async def play(tessera, browser, pipeline, file, offer):
    browser.peer = await Peer.make(tessera, pipeline, browser, sendonly=True)
    browser.player = await tessera.create("PlayerEndpoint", mediaPipeline=pipeline, uri=file)
    await tessera.on(browser.player, "EndOfStream", lambda _: browser.send("over"))
    await tessera.on(
        browser.player, "Error", lambda data: browser.send("error", text=f"{data['type']}: {data['description']}"))
    await tessera.connect(browser.player, browser.peer.id)
    await browser.send("answer", sdp=await browser.peer.answer(offer))
    await tessera.invoke(browser.player, "play")


async def end(tessera, browser):
    if browser.recorder:
        # The file is whole when this returns.
        await tessera.invoke(browser.recorder, "stopAndWait")
    for object in (browser.recorder, browser.player, browser.peer and browser.peer.id):
        if object:
            await tessera.release(object)
    browser.recorder = browser.player = browser.peer = None


run(__file__, session)
