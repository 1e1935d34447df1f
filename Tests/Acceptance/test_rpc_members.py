"""The table of members: the manager, pipelines, and what all objects and elements have. Each row looks at the effect,
not only at the answer; `test_rpc_table.py` says what has no row."""

import asyncio
import json
import os
import time

import pytest
from rpc_scene import MANAGER, check_dot, clip, covers, run, server  # noqa: F401

import live
import tools


@covers("ServerManager", "info pipelines sessions metadata getKmd getCpuCount getUsedCpu getUsedMemory ObjectCreated "
                         "ObjectDestroyed")
@covers("MediaPipeline", "new")
def test_manager(server):
    async def body(scene):
        info = await scene.get(MANAGER, "info")
        modules = {module["name"]: module["factories"] for module in info["modules"]}
        assert list(modules) == ["core", "elements", "filters"] and info["type"] == "KMS"
        assert modules["core"] == ["HubPort", "MediaPipeline", "PassThrough"]
        assert modules["filters"] == ["FaceOverlayFilter", "GStreamerFilter", "ImageOverlayFilter", "ZBarFilter"]
        assert modules["elements"] == sorted(modules["elements"]) and len(modules["elements"]) == 10
        await scene.subscribe(MANAGER, "ObjectCreated", "ObjectDestroyed")
        pipeline = await scene.create("MediaPipeline")
        assert {pipeline, scene.pipeline} <= set(await scene.get(MANAGER, "pipelines"))
        assert scene.client.session in await scene.get(MANAGER, "sessions")
        assert await scene.get(MANAGER, "metadata") in ("", '{"place":"a test"}', '{"place": "a test"}')
        for module, name in [
            ("core", "MediaPipeline"), ("elements", "WebRtcEndpoint"), ("filters", "ZBarFilter"), ("tessera", "HubPort")
        ]:
            kmd = json.loads(await scene.invoke(MANAGER, "getKmd", moduleName=module))
            assert name in [each["name"] for each in kmd["remoteClasses"]]
        assert await scene.error(MANAGER, "getKmd", moduleName="none") == 40500
        # What the system says of the process.
        assert await scene.get(MANAGER, "cpuCount") == len(os.sched_getaffinity(server.run.process.pid))
        with open(f"/proc/{server.run.process.pid}/status") as status:
            resident = int(next(line for line in status if line.startswith("VmRSS")).split()[1])
        assert 0.5 < await scene.get(MANAGER, "usedMemory") / resident < 2
        began = time.monotonic()
        assert 0 <= await scene.invoke(MANAGER, "getUsedCpu", interval=300) <= 100
        assert time.monotonic() - began >= 0.3
        element = await scene.create("PassThrough", mediaPipeline=pipeline)
        await scene.client.call("release", object=pipeline)
        for one in (pipeline, element):
            await scene.event(MANAGER, "ObjectCreated", object=one)
            await scene.event(MANAGER, "ObjectDestroyed", objectId=one)
        assert pipeline not in await scene.get(MANAGER, "pipelines")

    run(server, body)


async def check_names(server, scene, element):
    """A name stands where people look: in pictures of the graph and at /inspect."""
    assert await scene.get(element, "name") == element
    other = await scene.new("PassThrough")
    await scene.link(element, other)
    for name in ["Ann", 'Bo "the"\nsecond']:
        await scene.set(element, name=name)
        await scene.set(scene.pipeline, name=f"of {name}")
        assert await scene.get(element, "name") == name and await scene.get(element, "id") == element
        shown = 'PassThrough\\n' + name.replace('"', '\\"').replace("\n", "\\n")
        # Of all, of itself, and of its neighbour.
        for one in [scene.pipeline, element, other]:
            dot = await scene.invoke(one, "getGstreamerDot")
            check_dot(dot)
            assert f'"{element}" [label="{shown}"]' in dot, dot
        report = json.loads((await live.ask("GET", server.url + "/inspect.json")).text)
        ours = next(each for each in report["pipelines"] if each["name"] == f"of {name}")
        assert name in [each.get("name") for each in ours["elements"]], ours
    # What is called is still its id.
    await scene.invoke(element, "disconnect", sink=other)
    await scene.client.call("release", object=other)


@covers("MediaObject", "mediaPipeline parent id children name sendTagsInEvents creationTime addTag removeTag getTag "
        "getTags "
                       "Error")
@covers("PassThrough", "new")
def test_objects(server):
    async def body(scene):
        hub = await scene.new("Composite")
        port = await scene.port(hub)
        a, b = [await scene.new("PassThrough") for _ in "ab"]
        assert await scene.get(scene.pipeline, "parent") is None
        assert await scene.get(scene.pipeline, "mediaPipeline") == scene.pipeline
        assert await scene.get(MANAGER, "mediaPipeline") is None
        assert sorted(await scene.get(scene.pipeline, "children")) == sorted([hub, a, b])
        assert await scene.get(hub, "children") == [port]
        assert [await scene.get(port, name) for name in ["parent", "mediaPipeline", "id", "name"]] == [
            hub, scene.pipeline, port, port]
        assert abs(await scene.get(a, "creationTime") - time.time()) < 60
        await check_names(server, scene, a)
        # Tags, and in events once that is wished for.
        await scene.subscribe(a, "ElementConnected")
        for key, value in [("one", "1"), ("two", "2"), ("one", "3")]:
            await scene.invoke(a, "addTag", key=key, value=value)
        tags = {tag["key"]: tag["value"] for tag in await scene.invoke(a, "getTags")}
        assert tags == {"one": "3", "two": "2"} and await scene.invoke(a, "getTag", key="one") == "3"
        await scene.link(a, b, mediaType="AUDIO")
        assert (await scene.event(a, "ElementConnected", mediaType="AUDIO"))["tags"] == []
        await scene.set(a, sendTagsInEvents=True)
        assert await scene.get(a, "sendTagsInEvents") is True
        await scene.invoke(a, "removeTag", key="two")
        await scene.invoke(a, "removeTag", key="never there")
        assert await scene.error(a, "getTag", key="two") == 40110
        await scene.link(a, b, mediaType="VIDEO")
        event = await scene.event(a, "ElementConnected", mediaType="VIDEO")
        assert event["tags"] == [{"__module__": "kurento", "__type__": "Tag", "key": "one", "value": "3"}]
        # Trouble that comes later than the answer is an event.
        player = await scene.new("PlayerEndpoint", uri="file:///no/such/file.webm")
        await scene.subscribe(player, "Error")
        await scene.invoke(player, "play")
        error = await scene.event(player, "Error")
        assert error["type"] == "INVALID_URI" and error["errorCode"] == 0 and error["description"]
        assert await scene.get(player, "state") == "START"

    run(server, body)


DOCUMENT = """{
  // As in a file.
  "description": "Plays into a file",
  "elements": {
    "player": {"class": "PlayerEndpoint", "with": {"uri": "INPUT"}},
    "recorder": {"class": "RecorderEndpoint", "with": {"uri": "OUTPUT"}}
  },
  "links": [{"from": "player", "to": "recorder"}]
}"""


@covers("ServerManager", "createFromDocument")
def test_document(server, tmp_path):
    async def body(scene):
        text = DOCUMENT.replace("INPUT", clip("red")).replace("OUTPUT", str(tmp_path / "out.webm"))
        made = await scene.invoke(MANAGER, "createFromDocument", document=text)
        objects = made["objects"]
        assert made["__module__"] == "tessera" and set(objects) == {"player", "recorder"}
        assert objects["player"].startswith(made["pipeline"] + "/")
        links = await scene.invoke(objects["player"], "getSinkConnections")
        assert {(link["sink"], link["type"]) for link in links} == {
            (objects["recorder"], "AUDIO"), (objects["recorder"], "VIDEO")}
        # It has begun by itself.
        await asyncio.sleep(1.5)
        await scene.invoke(objects["recorder"], "stopAndWait")
        await scene.client.call("release", object=made["pipeline"])
        tools.assert_sound_file(tmp_path / "out.webm", rate=25)
        # What is reached by HTTP is reached there too.
        post = await scene.invoke(
            MANAGER, "createFromDocument", document='{"elements": {"post": {"class": "HttpPostEndpoint"}}}')
        assert (await scene.invoke(post["objects"]["post"], "getUrl")).startswith("http://")
        await scene.client.call("release", object=post["pipeline"])
        # All or nothing.
        before = await scene.get(MANAGER, "pipelines")
        for bad in ["{", text.replace("PlayerEndpoint", "Player"), text.replace('"to": "recorder"', '"to": "nobody"')]:
            assert await scene.error(MANAGER, "createFromDocument", document=bad) == 40001
        assert await scene.get(MANAGER, "pipelines") == before

    run(server, body)


@covers("MediaElement", "connect disconnect getSourceConnections getSinkConnections ElementConnected "
                        "ElementDisconnected isMediaFlowingIn isMediaFlowingOut isMediaTranscoding "
                        "MediaFlowInStateChanged MediaFlowOutStateChanged MediaTranscodingStateChanged "
                        "setAudioFormat setVideoFormat thumbnail renditions getGstreamerDot dumpGstreamerDot")
@covers("MediaPipeline", "getGstreamerDot dumpGstreamerDot")
def test_links(server, tmp_path):
    async def body(scene):
        events = ["ElementConnected", "ElementDisconnected", "MediaFlowInStateChanged", "MediaFlowOutStateChanged",
                  "MediaTranscodingStateChanged"]
        # Media flows out of a player from its start, whoever takes it.
        red, blue = await scene.play("red", *events), await scene.play("blue", *events)
        a, b = [await scene.new("PassThrough") for _ in "ab"]
        for element in (a, b):
            await scene.subscribe(element, *events)
        assert await scene.invoke(a, "isMediaFlowingIn", mediaType="VIDEO") is False
        await scene.link(red, a, b)
        for kind in ["AUDIO", "VIDEO", "DATA"]:
            await scene.event(red, "ElementConnected", mediaType=kind, sink=a, sinkMediaDescription="default")
        links = await scene.invoke(a, "getSourceConnections")
        assert {(link["source"], link["type"]) for link in links} == {
            (red, kind) for kind in ("AUDIO", "VIDEO")} | {
            (red, "DATA") for link in links if link["type"] == "DATA"}
        links = await scene.invoke(a, "getSinkConnections", mediaType="VIDEO", description="default")
        assert [(link["source"], link["sink"], link["sinkDescription"]) for link in links] == [(a, b, "default")]
        assert await scene.error(a, "connect", sink=b, mediaType="AUDIO", sourceMediaDescription="other") == 40004
        # Nobody takes anything yet but the two, which only route: something that records makes it flow as it is.
        recorder = await scene.record(b, tmp_path / "same.webm")
        for kind in ["AUDIO", "VIDEO"]:
            await scene.event(red, "MediaFlowOutStateChanged", mediaType=kind, state="FLOWING", padName="default")
            await scene.event(a, "MediaFlowInStateChanged", mediaType=kind, state="FLOWING")
            assert await scene.invoke(b, "isMediaFlowingIn", mediaType=kind) is True
            assert await scene.invoke(
                red, "isMediaFlowingOut", mediaType=kind, sourceMediaDescription="default") is True
        await scene.event(red, "MediaTranscodingStateChanged", mediaType="VIDEO", state="NOT_TRANSCODING")
        assert await scene.invoke(red, "isMediaTranscoding", mediaType="VIDEO", binName="default") is False
        assert await scene.error(red, "isMediaTranscoding", mediaType="DATA") == 40107
        # Another codec has to be made of it.
        other = await scene.record(b, tmp_path / "other.mp4", "MP4")
        await scene.event(red, "MediaTranscodingStateChanged", mediaType="VIDEO", state="TRANSCODING")
        assert await scene.invoke(red, "isMediaTranscoding", mediaType="VIDEO") is True
        renditions = await scene.get(red, "renditions")
        assert {"demux", "decode", "encode"} <= {one["stage"] for one in renditions}
        assert any("h264" in one["detail"] for one in renditions)
        # Another source takes over.
        await scene.shows(b, (0.5, 0.5, "r"))
        await scene.link(blue, a, mediaType="VIDEO")
        await scene.event(red, "ElementDisconnected", mediaType="VIDEO", sink=a)
        await scene.event(blue, "ElementConnected", mediaType="VIDEO", sink=a)
        await scene.shows(b, (0.5, 0.5, "b"))
        for one in (scene.pipeline, a):
            dot = await scene.invoke(one, "getGstreamerDot", details="SHOW_MEDIA_TYPE")
            check_dot(dot)
            assert dot.count("PassThrough") >= 2 and "vp8" in dot
            await scene.invoke(one, "dumpGstreamerDot", details="SHOW_VERBOSE")
        await asyncio.sleep(1)
        for one in (recorder, other):
            await scene.invoke(one, "stopAndWait")
        # Kurento's wish for a format; every sink is given what it takes in any case.
        await scene.invoke(a, "setAudioFormat", caps={"codec": "OPUS", "bitrate": 64000})
        await scene.invoke(
            a, "setVideoFormat", caps={"codec": "RAW", "framerate": {"numerator": 30, "denominator": 1}})
        assert await scene.error(a, "setVideoFormat", caps={"codec": "SVG"}) == 40001
        # Cut: nothing comes any more.
        await scene.invoke(blue, "disconnect", sink=a, mediaType="VIDEO")
        await scene.event(blue, "ElementDisconnected", mediaType="VIDEO", sink=a)
        await scene.event(a, "MediaFlowInStateChanged", mediaType="VIDEO", state="NOT_FLOWING")
        assert await scene.invoke(a, "isMediaFlowingIn", mediaType="VIDEO") is False
        assert await scene.invoke(a, "getSourceConnections", mediaType="VIDEO") == []
        found = tools.probe(tmp_path / "same.webm")
        assert (found["video"][0]["codec_name"], found["audio"][0]["codec_name"]) == ("vp8", "opus")
        found = tools.probe(tmp_path / "other.mp4")
        assert (found["video"][0]["codec_name"], found["audio"][0]["codec_name"]) == ("h264", "aac")

    run(server, body)


@covers("MediaElement", "getStats statisticsInterval Statistics encoderBitrate minEncoderBitrate maxEncoderBitrate")
@covers("MediaPipeline", "latencyStats")
def test_figures(server, tmp_path):
    async def body(scene):
        player = await scene.play("noise")
        sink = await scene.new("PassThrough")
        await scene.link(player, sink)
        assert not await scene.invoke(sink, "getStats")
        # Before it is asked to encode; 300 kbit/s is what Kurento's elements say.
        limits = ["encoderBitrate", "minEncoderBitrate", "maxEncoderBitrate"]
        assert [await scene.get(player, name) for name in limits] == [300_000, 0, 2**31 - 1]
        await scene.set(player, encoderBitrate=200_000)
        files = [tmp_path / name for name in ("slow.mp4", "fast.mp4", "capped.mp4")]
        sizes = []
        for file, values in zip(
                files, [{}, {"minEncoderBitrate": 1_500_000}, {"minEncoderBitrate": 0, "maxEncoderBitrate": 100_000}]):
            await scene.set(player, **values)
            for name, value in values.items():
                assert await scene.get(player, name) == value
            recorder = await scene.record(sink, file, "MP4_VIDEO_ONLY")
            await asyncio.sleep(2.5)
            await scene.invoke(recorder, "stopAndWait")
            await scene.client.call("release", object=recorder)
            found = tools.probe(file)
            sizes.append(8 * os.path.getsize(file) / found["duration"])
        assert sizes[0] < 450_000 and sizes[1] > 900_000 and sizes[2] < 0.8 * sizes[0], sizes

        await scene.set(scene.pipeline, latencyStats=True)
        assert await scene.get(scene.pipeline, "latencyStats") is True
        recorder = await scene.record(sink, tmp_path / "latency.webm")
        await scene.subscribe(recorder, "Statistics")
        await scene.set(recorder, statisticsInterval=100)
        assert await scene.get(recorder, "statisticsInterval") == 100

        async def measured():
            stats = (await scene.invoke(recorder, "getStats")).get(recorder)
            return stats and all(one["avg"] > 0 for one in stats["inputLatency"]) and stats

        stats = await scene.until(measured)
        assert (stats["__type__"], stats["type"], stats["id"]) == ("EndpointStats", "endpoint", recorder)
        assert {one["name"]: one["type"] for one in stats["inputLatency"]} == {
            "sink_audio_default": "AUDIO", "sink_video_default": "VIDEO"}
        # In nanoseconds: between 1 µs and 3 s.
        assert all(1e3 < one["avg"] < 3e9 for one in stats["inputLatency"] + stats["E2ELatency"]), stats
        sound = (await scene.invoke(recorder, "getStats", mediaType="AUDIO"))[recorder]
        assert [one["type"] for one in sound["inputLatency"]] == ["AUDIO"]
        assert (await scene.invoke(sink, "getStats"))[sink]["__type__"] == "ElementStats"
        told = await scene.client.until(lambda: len(scene.events(recorder, "Statistics")) >= 5)
        assert told, "figures do not come by themselves"
        times = [int(event["timestampMillis"]) for event in scene.events(recorder, "Statistics")]
        assert times[4] - times[0] >= 380
        assert recorder in scene.events(recorder, "Statistics")[0]["stats"]
        await scene.set(recorder, statisticsInterval=0)
        await asyncio.sleep(0.2)
        count = len(scene.events(recorder, "Statistics"))
        await asyncio.sleep(0.4)
        assert len(scene.events(recorder, "Statistics")) == count
        await scene.set(scene.pipeline, latencyStats=False)
        assert not await scene.invoke(sink, "getStats")

    run(server, body)


@pytest.mark.parametrize("kind", ["Endpoint", "MediaElement", "Hub", "Filter", "OpenCVFilter", "ServerManager"])
def test_abstract_classes_cannot_be_made(server, kind):
    async def body(scene):
        assert await scene.refused(kind) == 40108

    run(server, body)
