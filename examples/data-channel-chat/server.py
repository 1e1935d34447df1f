"""A chat: messages of data channels are the third kind of media. A Composite hands each to all its ports."""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "common"))
from app import run  # noqa: E402
from tessera import Peer  # noqa: E402


async def start(tessera):
    pipeline = await tessera.create("MediaPipeline")
    return pipeline, await tessera.create("Composite", mediaPipeline=pipeline)


async def session(tessera, browser, shared):
    pipeline, room = shared
    port = None
    try:
        async for message in browser.messages():
            if message["id"] != "join" or browser.peer:
                continue
            browser.peer = await Peer.make(tessera, pipeline, browser, useDataChannels=True)
            port = await tessera.create("HubPort", hub=room)
            await tessera.connect(browser.peer.id, port, "DATA")
            await tessera.connect(port, browser.peer.id, "DATA")
            await browser.send("answer", sdp=await browser.peer.answer(message["sdp"]))
    finally:
        if browser.peer:
            await browser.peer.release()
            await tessera.release(port)


run(__file__, session, start)
