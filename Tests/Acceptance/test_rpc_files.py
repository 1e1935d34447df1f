"""The table of members: players, recorders and uploads, by the files they play and make."""

import asyncio

import live
from rpc_scene import check_dot, clip, covers, heard, run, server  # noqa: F401

import tools


@covers("PlayerEndpoint", "new play position videoInfo elementGstreamerDot EndOfStream")
@covers("UriEndpoint", "uri state pause stop UriEndpointStateChanged")
def test_player(server):
    async def body(scene):
        path = clip("red")
        player = await scene.new(
            "PlayerEndpoint", uri="file:%2F%2F" + path, useEncodedMedia=True, networkCache=1000)
        sink = await scene.new("PassThrough")
        await scene.link(player, sink)
        await scene.subscribe(player, "UriEndpointStateChanged", "EndOfStream", "Error")
        assert await scene.get(player, "uri") == f"file://{path}"
        assert (await scene.get(player, "state"), await scene.get(player, "position")) == ("STOP", 0)
        info = await scene.get(player, "videoInfo")
        assert (info["isSeekable"], info["duration"]) == (False, 0)
        assert await scene.error(player, "setPosition", position=1000) == 40700
        # Makes no sense now, and is no error.
        await scene.invoke(player, "pause")
        await scene.invoke(player, "stop")

        await scene.invoke(player, "play")
        await scene.until(lambda: scene.get(player, "position"))
        info = await scene.get(player, "videoInfo")
        assert info["isSeekable"] and 19_900 <= info["duration"] <= 20_100 and info["seekableEnd"] == info["duration"]
        check_dot(await scene.get(player, "elementGstreamerDot"))
        await scene.shows(player, (0.5, 0.5, "r"))
        await scene.invoke(player, "pause")
        stood = await scene.get(player, "position")
        await asyncio.sleep(0.4)
        assert await scene.get(player, "position") == stood and await scene.get(player, "state") == "PAUSE"
        await scene.invoke(player, "play")
        await asyncio.sleep(0.4)
        assert stood + 200 < await scene.get(player, "position") < stood + 2500
        # From the beginning after a stop.
        await scene.invoke(player, "stop")
        await scene.event(player, "UriEndpointStateChanged", state="STOP")
        await scene.invoke(player, "play")
        await scene.until(lambda: scene.get(player, "position"))
        assert await scene.get(player, "position") < 2500
        # Near the end, and to it.
        await scene.set(player, position=19_000)
        assert 18_500 < await scene.get(player, "position")
        await scene.event(player, "EndOfStream")
        states = [event["state"] for event in scene.events(player, "UriEndpointStateChanged")]
        assert states == ["START", "PAUSE", "START", "STOP", "START", "STOP"]
        assert not scene.events(player, "Error")

        # Over and over: past the end, with no end.
        loop = await scene.new("PlayerEndpoint", uri=f"file://{path}", loop=True)
        await scene.link(loop, sink)
        await scene.subscribe(loop, "EndOfStream")
        await scene.invoke(loop, "play")
        await scene.until(lambda: scene.get(loop, "position"))
        await scene.set(loop, position=19_300)
        await asyncio.sleep(1.5)
        assert await scene.get(loop, "state") == "START" and not scene.events(loop, "EndOfStream")
        await scene.shows(sink, (0.5, 0.5, "r"))

    run(server, body)


@covers("PlayerEndpoint", "new play")
@covers("MediaObject", "Error")
def test_what_players_cannot_play(server, tmp_path):
    (tmp_path / "text.webm").write_text("This is no film. " * 100)

    async def body(scene):
        for uri, kind in [
            ("file:///no/such/file.webm", "INVALID_URI"), (f"file://{tmp_path}/text.webm", "INVALID_MEDIA"),
        ]:
            player = await scene.new("PlayerEndpoint", uri=uri)
            await scene.subscribe(player, "Error", "UriEndpointStateChanged", "EndOfStream")
            await scene.invoke(player, "play")
            assert (await scene.event(player, "Error"))["type"] == kind
            await asyncio.sleep(0.1)
            # As a Kurento: it says so, and stays as it was told.
            assert await scene.get(player, "state") == "START" and not scene.events(player, "EndOfStream")
            await scene.invoke(player, "stop")
            assert await scene.get(player, "state") == "STOP"

    run(server, body)


@covers("RecorderEndpoint", "new record stopAndWait Recording Paused Stopped")
@covers("UriEndpoint", "uri state pause stop UriEndpointStateChanged")
def test_recorder(server, tmp_path):
    async def body(scene):
        player = await scene.play("red")
        # Folders are made, an older file is written over.
        path = tmp_path / "a" / "folder" / "out.webm"
        path.parent.mkdir(parents=True)
        path.write_text("old")
        deep = tmp_path / "another" / "out.webm"
        recorder = await scene.new("RecorderEndpoint", uri=f"file://{path}")
        other = await scene.new("RecorderEndpoint", uri=f"file://{deep}", stopOnEndOfStream=True)
        for one in (recorder, other):
            await scene.subscribe(one, "Recording", "Paused", "Stopped", "UriEndpointStateChanged", "Error")
        # With nothing connected: answers, no events.
        for operation in ["record", "pause", "stopAndWait", "record"]:
            await scene.invoke(recorder, operation)
        assert await scene.get(recorder, "uri") == f"file://{path}"
        assert await scene.get(recorder, "state") == "STOP" and not scene.events(recorder, "Recording")
        await scene.link(player, recorder)
        await scene.event(recorder, "Recording")
        assert await scene.get(recorder, "state") == "START"
        await asyncio.sleep(1.5)
        await scene.invoke(recorder, "pause")
        await scene.event(recorder, "Paused")
        assert await scene.get(recorder, "state") == "PAUSE"
        await asyncio.sleep(1.5)
        await scene.invoke(recorder, "record")
        await asyncio.sleep(1.5)
        await scene.invoke(recorder, "stopAndWait")
        await scene.event(recorder, "Stopped")
        # Three seconds and not four and a half: the pause is not in it.
        length = tools.assert_sound_file(path, rate=25)["duration"]
        assert 1.5 < length < 4, length
        states = [event["state"] for event in scene.events(recorder, "UriEndpointStateChanged")]
        assert states == ["START", "PAUSE", "START", "STOP"]
        await scene.invoke(recorder, "record")
        await asyncio.sleep(0.1)
        assert await scene.get(recorder, "state") == "STOP", "a stopped recorder does not record again"

        # Stops by itself when the film is over.
        short = await scene.new("PlayerEndpoint", uri=f"file://{clip('lime')}")
        await scene.link(short, other)
        await scene.invoke(other, "record")
        await scene.invoke(short, "play")
        await scene.until(lambda: scene.get(short, "position"))
        await scene.set(short, position=18_010)
        await scene.event(other, "Stopped")
        tools.assert_sound_file(deep, rate=25)

        # `stop` answers at once; a released recorder closes its file.
        for end in ["stop", "release"]:
            path = tmp_path / f"{end}.webm"
            recorder = await scene.record(player, path)
            await scene.subscribe(recorder, "Recording", "Stopped")
            await scene.until(lambda: scene.get(recorder, "state"))
            await asyncio.sleep(1.6)
            if end == "stop":
                await scene.invoke(recorder, "stop")
                await scene.event(recorder, "Stopped")
            else:
                await scene.client.call("release", object=recorder)
                await asyncio.sleep(0.5)
            tools.assert_sound_file(path, rate=25)

        # Where it cannot write.
        recorder = await scene.new("RecorderEndpoint", uri="file:///proc/no/file.webm")
        await scene.subscribe(recorder, "Error")
        await scene.link(player, recorder)
        await scene.invoke(recorder, "record")
        assert (await scene.event(recorder, "Error"))["type"].startswith("RESOURCE_ERROR")
        assert await scene.refused(
            "RecorderEndpoint", uri="file:///tmp/x", mediaProfile="KURENTO_SPLIT_RECORDER") == 40107

    run(server, body)


# Of VP8 and Opus: what the container takes goes in as it is.
PROFILES = {
    "WEBM": ("webm", "vp8", "opus"), "MKV": ("mkv", "vp8", "opus"), "MP4": ("mp4", "h264", "aac"),
    "FLV": ("flv", "h264", "aac"), "WEBM_VIDEO_ONLY": ("webm", "vp8", None), "WEBM_AUDIO_ONLY": ("webm", None, "opus"),
    "MKV_VIDEO_ONLY": ("mkv", "vp8", None), "MKV_AUDIO_ONLY": ("mkv", None, "opus"),
    "MP4_VIDEO_ONLY": ("mp4", "h264", None), "MP4_AUDIO_ONLY": ("mp4", None, "aac"),
    "JPEG_VIDEO_ONLY": ("jpg", "mjpeg", None),
}


@covers("RecorderEndpoint", "new record stopAndWait")
def test_profiles(server, tmp_path):
    """Every form of recording, of one film; and what a recorder can be told beyond Kurento's."""

    async def body(scene):
        player = await scene.play("red")
        recorders = []
        for profile, (ending, _, _) in PROFILES.items():
            recorders.append(await scene.record(player, tmp_path / f"{profile}.{ending}", profile))
        recorders.append(
            await scene.record(
                player, tmp_path / "own.mkv", "MKV", videoCodec="vp8", videoBitrate=100_000, videoWidth=160,
                videoHeight=120, videoFramerate=10, audioCodec="opus", audioBitrate=32_000))
        await asyncio.sleep(4)
        for recorder in recorders:
            await scene.invoke(recorder, "stopAndWait")
        for profile, (ending, video, audio) in PROFILES.items():
            found = tools.probe(tmp_path / f"{profile}.{ending}")
            codecs = [found[kind][0]["codec_name"] if found[kind] else None for kind in ("video", "audio")]
            assert codecs == [video, audio], (profile, codecs)
            if video:
                assert found["video"][0]["width"] == 320
            if audio:
                assert heard(tmp_path / f"{profile}.{ending}") == "r"
        own = tools.probe(tmp_path / "own.mkv")
        video = own["video"][0]
        assert (video["codec_name"], video["width"], video["height"]) == ("vp8", 160, 120)
        assert own["audio"][0]["codec_name"] == "opus"
        times = [packet["pts"] for packet in tools.packets(tmp_path / "own.mkv")]
        assert 0.09 < (times[-1] - times[0]) / (len(times) - 1) < 0.13

    run(server, body)


@covers("HttpPostEndpoint", "new EndOfStream")
@covers("HttpEndpoint", "getUrl")
@covers("SessionEndpoint", "MediaSessionStarted MediaSessionTerminated")
def test_uploads(server, tmp_path):
    async def body(scene):
        post = await scene.new("HttpPostEndpoint", disconnectionTimeout=1, useEncodedMedia=True)
        await scene.subscribe(post, "MediaSessionStarted", "MediaSessionTerminated", "EndOfStream")
        address = await scene.invoke(post, "getUrl")
        assert address.startswith("http://") and address == await scene.invoke(post, "getUrl")
        recorder = await scene.record(post, tmp_path / "out.webm")
        with open(clip("lime"), "rb") as film:
            body = film.read()
        sending = asyncio.ensure_future(live.ask("POST", address, body, Content_Type="video/webm"))
        await scene.event(post, "MediaSessionStarted")
        await scene.shows(post, (0.5, 0.5, "g"))
        answer = await sending
        assert answer.status == 200, answer.text
        await scene.event(post, "EndOfStream")
        await scene.event(post, "MediaSessionTerminated")
        await scene.invoke(recorder, "stopAndWait")
        tools.assert_sound_file(tmp_path / "out.webm", rate=25)
        assert heard(tmp_path / "out.webm") == "g"
        # The address went with the session.
        assert (await live.ask("POST", address, b"x")).status == 404

    run(server, body)
