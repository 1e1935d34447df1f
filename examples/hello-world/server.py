"""Hello world: everything a browser sends comes back to it."""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "common"))
from app import run  # noqa: E402
from tessera import Peer  # noqa: E402


async def session(tessera, browser, _):
    pipeline = await tessera.create("MediaPipeline")
    try:
        async for message in browser.messages():
            if browser.peer:
                await browser.peer.release()
                browser.peer = None
            if message["id"] == "start":
                browser.peer = peer = await Peer.make(tessera, pipeline, browser)
                await tessera.connect(peer.id, peer.id)
                await browser.send("answer", sdp=await peer.answer(message["sdp"]))
    finally:
        await tessera.release(pipeline)


run(__file__, session)
