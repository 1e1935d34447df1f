"""A broadcast: one endpoint receives, any number of others are connected behind it. Nothing is decoded."""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "common"))
from app import run  # noqa: E402
from tessera import Peer  # noqa: E402


class Stage:
    def __init__(self, pipeline):
        self.pipeline = pipeline
        self.presenter = None
        self.viewers = set()


async def start(tessera):
    return Stage(await tessera.create("MediaPipeline"))


async def session(tessera, browser, stage):
    try:
        async for message in browser.messages():
            await leave(stage, browser)
            match message["id"]:
                case "present" if stage.presenter:
                    await browser.send("error", text="Somebody presents already.")
                case "present":
                    stage.presenter = browser
                    browser.peer = await Peer.make(tessera, stage.pipeline, browser, recvonly=True)
                    await browser.send("answer", sdp=await browser.peer.answer(message["sdp"]))
                case "watch" if not stage.presenter or not stage.presenter.peer:
                    await browser.send("error", text="Nobody presents yet.")
                case "watch":
                    stage.viewers.add(browser)
                    browser.peer = await Peer.make(tessera, stage.pipeline, browser, sendonly=True)
                    await tessera.connect(stage.presenter.peer.id, browser.peer.id)
                    await browser.send("answer", sdp=await browser.peer.answer(message["sdp"]))
    finally:
        await leave(stage, browser)


async def leave(stage, browser):
    if browser.peer:
        await browser.peer.release()
        browser.peer = None
    stage.viewers.discard(browser)
    if stage.presenter is browser:
        stage.presenter = None
        for viewer in list(stage.viewers):
            await viewer.send("over")
            await leave(stage, viewer)


run(__file__, session, start)
