"""The table of members: players, recorders and uploads, by the files they play and make."""

import asyncio
import contextlib
import socket
import struct
import subprocess
import time

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


def digests(path, kind):
    """SHA-256 of each packet of a file, in its order."""
    lines = tools.tool(
        "ffmpeg", "-nostdin", "-v", "error", "-i", path, "-map", f"0:{kind[0]}", "-c", "copy", "-f", "framehash", "-")
    return [line.split(",")[-1].strip() for line in lines.decode().splitlines() if not line.startswith("#")]


@covers("PlayerEndpoint", "new")
def test_encoded_media(server, tmp_path):
    """The packets of recordings, bit for bit those of the film that is played, whatever useEncodedMedia is; and what
    the player decodes, which is nothing until somebody looks."""

    async def body(scene):
        film = clip("red")
        for encoded in (True, False):
            player = await scene.new("PlayerEndpoint", uri=f"file://{film}", useEncodedMedia=encoded)
            recorder = await scene.record(player, tmp_path / f"{encoded}.webm")
            await scene.subscribe(recorder, "MediaTranscodingStateChanged", "Stopped")
            await scene.invoke(player, "play")
            await asyncio.sleep(2)
            kinds = {each["stage"] for each in await scene.get(player, "renditions")}
            assert "demux" in kinds and not kinds & {"decode", "encode"}, kinds
            for kind in ("AUDIO", "VIDEO"):
                assert await scene.invoke(recorder, "isMediaTranscoding", mediaType=kind) is False
            assert not scene.events(recorder, "MediaTranscodingStateChanged", state="TRANSCODING")
            assert "vp8 320×240" in await scene.get(player, "elementGstreamerDot")
            await scene.invoke(recorder, "stopAndWait")
            for kind in ("video", "audio"):
                there, here = digests(film, kind), digests(tmp_path / f"{encoded}.webm", kind)
                assert len(here) > 20 and here == there[:len(here)], (encoded, kind, len(here))
            # Who wants pictures gets them all the same.
            await scene.shows(player, (0.5, 0.5, "r"))
            assert "decode" in {each["stage"] for each in await scene.get(player, "renditions")}
            await scene.client.call("release", object=player)

    run(server, body)


class Jam:
    """Stands before a camera: hands on what it sends, but holds it for a while again and again."""

    def __init__(self, port, every=0.7, held=0.35):
        self.camera, self.every, self.held = port, every, held

    async def __aenter__(self):
        self.listener = await asyncio.start_server(self.serve, "127.0.0.1", 0)
        self.port = self.listener.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_):
        self.listener.close()

    async def serve(self, reader, writer):
        there, back = await asyncio.open_connection("127.0.0.1", self.camera)
        await asyncio.gather(self.hand_on(reader, back, False), self.hand_on(there, writer, True))

    async def hand_on(self, reader, writer, is_jammed):
        with contextlib.suppress(OSError):
            while data := await reader.read(65536):
                phase = time.monotonic() % self.every
                if is_jammed and phase < self.held:
                    await asyncio.sleep(self.held - phase)
                writer.write(data)
                await writer.drain()
        writer.close()


class Arrivals(asyncio.DatagramProtocol):
    """When which payload came in packets of RTP, and the packets' own times in seconds."""

    def __init__(self):
        self.came = {}

    def datagram_received(self, data, _):
        if len(data) > 60 and not 192 <= data[1] <= 223:
            self.came.setdefault(data[12:], (time.monotonic(), struct.unpack(">I", data[4:8])[0] / 90_000))

    @property
    def spread(self):
        """Between the packet that came earliest for its time and the one that came latest, but for the worst few."""
        late = sorted(at - stamp for at, stamp in self.came.values())
        return late[-1 - len(late) // 50] - late[len(late) // 50]


def camera(port):
    made = subprocess.Popen(
        ["/usr/bin/python3", tools.REPOSITORY / "Tests/Cameras/camera.py", str(port), "--audio", "none"],
        stdout=subprocess.PIPE)
    assert made.stdout.readline().strip() == b"ready"
    return made


OFFER = """v=0
o=- 1 1 IN IP4 127.0.0.1
s=-
c=IN IP4 127.0.0.1
t=0 0
m=video {port} RTP/AVP 96
a=rtpmap:96 H264/90000
a=fmtp:96 packetization-mode=1;profile-level-id=42e01f
a=recvonly
"""


def free_port():
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@covers("PlayerEndpoint", "new")
def test_network_cache(server):
    """When the same packets of a camera on a bad line leave two players: later by what is kept longer, and evenly."""
    port = free_port()
    source = camera(port)
    caches = {"short": 100, "long": 1100}

    async def body(scene):
        found = {}
        async with Jam(port) as jam:
            for name, cache in caches.items():
                transport, found[name] = await asyncio.get_running_loop().create_datagram_endpoint(
                    Arrivals, local_addr=("127.0.0.1", 0))
                player = await scene.new(
                    "PlayerEndpoint", uri=f"rtspt://127.0.0.1:{jam.port}/cam", networkCache=cache)
                sender = await scene.new("RtpEndpoint")
                await scene.link(player, sender)
                offer = OFFER.format(port=transport.get_extra_info("sockname")[1])
                await scene.invoke(sender, "processOffer", offer=offer.replace("\n", "\r\n"))
                await scene.invoke(player, "play")
            await live.until(lambda: all(len(one.came) > 50 for one in found.values()), 20, "no pictures")
            # Past the beginning, at which each player learns what the fastest packets are.
            await asyncio.sleep(2)
            for one in found.values():
                one.came.clear()
            await asyncio.sleep(4)
        both = found["short"].came.keys() & found["long"].came.keys()
        later = sorted(found["long"].came[one][0] - found["short"].came[one][0] for one in both)
        print(f"{len(both)} packets, later by {later[len(later) // 2]:.3f} s (at most {later[-1]:.3f}); spread "
              + ", ".join(f"{name} {one.spread:.3f}" for name, one in found.items()))
        assert len(both) > 40 and abs(later[-1 - len(later) // 10] - 1.0) < 0.15
        assert found["short"].spread > 0.15 and found["long"].spread < 0.1

    try:
        run(server, body)
    finally:
        source.kill()
        source.wait()


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
