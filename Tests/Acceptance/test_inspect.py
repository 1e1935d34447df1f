"""The page at `/inspect` in Chromium, and what it is made of: elements, links and numbers that move, of the document's
pipeline and of those of clients."""

import asyncio
import time
import urllib.parse

from playwright.async_api import async_playwright

import live
from live import Picture, Tone, ask, request
from rpc import Client

JPEG = b"\xff\xd8\xff"


def report(server, **headers):
    return request("GET", server.url + "/inspect.json", **headers)


async def room(server):
    peers = [await server.peer("whip").send(Picture(), Tone(), direction="sendrecv").join() for _ in range(2)]
    peers.append(await server.peer("whep").receive().join())
    for peer in peers:
        await peer.connected()
    return peers


async def chain(client, clip):
    """player → PassThrough → two recorders of different codecs: one link is copied, one transcoded."""
    pipeline = await client.create("MediaPipeline")
    await client.invoke(pipeline, "setName", name="a <b>chain</b>")
    player = await client.create("PlayerEndpoint", mediaPipeline=pipeline, uri=f"file://{clip}")
    thru = await client.create("PassThrough", mediaPipeline=pipeline)
    recorders = [
        await client.create("RecorderEndpoint", mediaPipeline=pipeline, uri=f"file://{clip}.{kind.lower()}",
                            mediaProfile=kind) for kind in ("WEBM", "MP4")]
    await client.invoke(player, "connect", sink=thru)
    for recorder in recorders:
        await client.invoke(thru, "connect", sink=recorder)
        await client.invoke(recorder, "record")
    await client.invoke(player, "play")
    return pipeline, player, recorders


def test_report_and_pictures(clips, tmp_path):
    clip = tmp_path / "clip.webm"
    clip.write_bytes(clips[0].read_bytes())

    async def run(server):
        peers = await room(server)
        async with Client(server.url.replace("http", "ws", 1) + "/kurento") as client:
            pipeline, player, recorders = await chain(client, clip)
            await asyncio.sleep(2)
            found = (await ask("GET", server.url + "/inspect.json")).json
            document, ours = found["pipelines"]
            assert document["id"] == "document" and ours["id"] == pipeline and ours["name"] == "a <b>chain</b>"
            by_class = sorted(element["class"] for element in document["elements"])
            assert by_class == ["Composite"] + ["HubPort"] * 3 + ["WebRtcEndpoint"] * 3
            # In: what peers send is decoded. Out: what the canvas is coded into, with its size.
            links = {(link["from"], link["to"], link["kind"]): link for link in document["links"]}
            into = links["grid.whip-1", "grid.whip-1.port", "video"]
            assert into["manner"] == "decoded" and into["native"]["codec"] == "vp8" and into["native"]["bytes"] > 1000
            assert (into["native"]["width"], into["native"]["height"]) == (640, 360)
            out = links["grid.whep-3.port", "grid.whep-3", "video"]
            assert out["manner"] == "encoded" and out["made"]["codec"] == "vp8" and out["made"]["frames"] > 5
            stages = {stage["kind"] for stage in document["stages"]}
            assert {"decode", "encode", "compose", "mix"} <= stages
            manners = {
                (link["to"], link["kind"]): link["manner"] for link in ours["links"] if link["to"] in recorders}
            assert manners[recorders[0], "video"] == "passed" and manners[recorders[1], "video"] == "transcoded"
            # A session's id is a key to it: it is cut.
            assert client.session not in (await ask("GET", server.url + "/inspect.json")).text
            assert found["sessions"][0]["objects"] == 5 and len(found["room"]["sessions"]) == 3
            for element in ("grid.whip-1", "grid.whip-1.port", player):
                answer = await ask("GET", f"{server.url}/inspect/thumbnail/{urllib.parse.quote(element)}")
                assert answer.status == 200 and answer.body.startswith(JPEG), (element, answer.text[:80])
            assert (await ask("GET", f"{server.url}/inspect/thumbnail/nobody")).status == 404
            assert (await ask("GET", f"{server.url}/inspect/thumbnail/grid.whep-3")).status == 404
            await client.call("release", object=pipeline)
        found = (await ask("GET", server.url + "/inspect.json")).json
        assert [each["id"] for each in found["pipelines"]] == ["document"]
        for peer in peers:
            await peer.leave()

    with live.Server() as server:
        asyncio.run(run(server))


def test_looking_costs_no_records(clips):
    """Many pictures leave the list of stages as it was."""

    async def run(server):
        peers = await room(server)
        await asyncio.sleep(1)
        count = len(report(server).json["pipelines"][0]["stages"])
        for _ in range(5):
            await ask("GET", server.url + "/inspect/thumbnail/grid.whip-1")
            await asyncio.sleep(0.95)
        assert len(report(server).json["pipelines"][0]["stages"]) == count
        for peer in peers:
            await peer.leave()

    with live.Server() as server:
        asyncio.run(run(server))


def test_the_token_is_needed():
    with live.Server("", "--token", "secret") as server:
        assert report(server).status == 401
        assert request("GET", server.url + "/inspect/thumbnail/x").status == 401
        assert report(server, Authorization="Bearer secret").json["pipelines"] == []
        assert request("GET", server.url + "/inspect").status == 200


async def look(server, clip, query=""):
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
        page = await browser.new_page(viewport={"width": 1500, "height": 1200})
        errors = []
        page.on("pageerror", lambda error: errors.append(str(error)))
        await page.goto(f"{server.url}/inspect{query}")
        peers = await room(server)
        async with Client(server.url.replace("http", "ws", 1) + "/kurento") as client:
            await chain(client, clip)
            await page.wait_for_function("document.querySelectorAll('.pipeline').length === 2", timeout=60_000)
            await page.wait_for_function("document.querySelectorAll('.node').length === 8", timeout=60_000)
            assert await page.locator(".node[data-class=Composite] .port").count() == 3
            assert "a <b>chain</b>" in await page.inner_text("#pipelines")
            # Pictures come, the codec and its size are said, what is coded anew stands out, and numbers move.
            await page.wait_for_function(
                "[...document.querySelectorAll('.node .picture img')].filter((i) => i.naturalWidth > 0).length >= 3",
                timeout=60_000)
            await page.wait_for_function(
                r"/VP8 640×360 \d+ fps \d+ kbit\/s/.test(document.querySelector('.drawing').textContent)",
                timeout=60_000)
            assert await page.locator(".link.transcoded").count() >= 1
            assert await page.locator(".flow").count() >= 8
            seen = set()
            end = time.monotonic() + 10
            while len(seen) < 3 and time.monotonic() < end:
                seen.add(await page.inner_text("#figures"))
                await asyncio.sleep(0.5)
            assert len(seen) >= 3, seen
            assert "control API" in await page.inner_text("#sessions") and "door grid" in await page.inner_text(
                "#sessions")
        for peer in peers:
            await peer.leave()
        await page.wait_for_function("document.querySelectorAll('.node[data-class=WebRtcEndpoint]').length === 0",
                                     timeout=60_000)
        assert not errors
        await browser.close()


def test_the_page(clips, tmp_path):
    clip = tmp_path / "clip.webm"
    clip.write_bytes(clips[0].read_bytes())
    with live.Server() as server:
        asyncio.run(look(server, clip))
