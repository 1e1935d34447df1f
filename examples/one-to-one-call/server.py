"""A call between two browsers. Each pair gets a pipeline of its own with an endpoint for each, connected both ways."""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "common"))
from app import run  # noqa: E402
from tessera import Peer  # noqa: E402

# Who is here: name to browser.
present = {}


class Conversation:
    """Two browsers and their pipeline."""

    def __init__(self, tessera, caller, callee):
        self.tessera = tessera
        self.browsers = [caller, callee]
        self.pipeline = None
        for browser in self.browsers:
            browser.conversation = self

    async def add(self, browser, offer):
        if not self.pipeline:
            self.pipeline = await self.tessera.create("MediaPipeline")
        browser.peer = await Peer.make(self.tessera, self.pipeline, browser)
        await browser.send("answer", sdp=await browser.peer.answer(offer))

    async def connect(self):
        first, second = (browser.peer.id for browser in self.browsers)
        await self.tessera.connect(first, second)
        await self.tessera.connect(second, first)

    async def end(self, by):
        for browser in self.browsers:
            browser.peer = browser.conversation = None
            if browser is not by:
                await browser.send("hungUp", **{"from": by.name})
        if self.pipeline:
            await self.tessera.release(self.pipeline)


async def session(tessera, browser, _):
    browser.name = browser.conversation = None
    try:
        async for message in browser.messages():
            await handle(tessera, browser, message)
    finally:
        if browser.conversation:
            await browser.conversation.end(browser)
        if browser.name:
            del present[browser.name]


async def handle(tessera, browser, message):
    match message["id"]:
        case "enter" if message["name"] in present:
            await browser.send("error", text=f"There is a {message['name']} already.")
        case "enter":
            browser.name = message["name"]
            present[browser.name] = browser
            await browser.send("entered", name=browser.name)
        case "call":
            if browser.conversation:
                await browser.conversation.end(browser)
            callee = present.get(message["to"])
            if callee is None or callee is browser or callee.conversation:
                return await browser.send("error", text=f"{message['to']} cannot be reached.")
            conversation = Conversation(tessera, browser, callee)
            await conversation.add(browser, message["sdp"])
            await callee.send("ringing", **{"from": browser.name})
        case "accept" if browser.conversation:
            await browser.conversation.add(browser, message["sdp"])
            await browser.conversation.connect()
        case "hangUp" if browser.conversation:
            await browser.conversation.end(browser)


run(__file__, session)
