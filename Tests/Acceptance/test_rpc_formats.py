"""The table of members: the format that an element's media is made into, by what then leaves the server."""

import asyncio
import collections
import socket
import time

from rpc_scene import covers, run, server  # noqa: F401

import tools

OFFER = """v=0
o=- 1 1 IN IP4 127.0.0.1
s=-
c=IN IP4 127.0.0.1
t=0 0
m=audio {audio} RTP/AVP 97 0 8
a=rtpmap:97 opus/48000/2
a=rtpmap:0 PCMU/8000
a=rtpmap:8 PCMA/8000
a=recvonly
m=video {video} RTP/AVP 96 98 99
a=rtpmap:96 VP8/90000
a=rtpmap:98 H264/90000
a=rtpmap:99 AV1/90000
a=fmtp:98 packetization-mode=1;profile-level-id=42e01f
a=recvonly
"""


class Listener(asyncio.DatagramProtocol):
    """What comes to a port: payload types, marker bits and sizes of the packets of RTP."""

    def __init__(self):
        self.packets = collections.deque(maxlen=5000)

    @classmethod
    async def open(cls):
        loop = asyncio.get_running_loop()
        transport, protocol = await loop.create_datagram_endpoint(
            cls, local_addr=("127.0.0.1", 0), family=socket.AF_INET)
        protocol.transport, protocol.port = transport, transport.get_extra_info("sockname")[1]
        return protocol

    def datagram_received(self, data, _):
        if len(data) >= 12 and not 192 <= data[1] <= 223:
            self.packets.append((time.monotonic(), data[1] & 0x7F, data[1] >> 7, len(data)))

    async def until_type(self, kind, timeout=10):
        """Waits until packets of that payload type come, and no others for half a second."""
        end = time.monotonic() + timeout
        while time.monotonic() < end:
            recent = {packet[1] for packet in self.packets if packet[0] > time.monotonic() - 0.5}
            if recent == {kind}:
                return
            await asyncio.sleep(0.05)
        raise AssertionError(f"payload type {kind} wanted, {recent} came")

    async def measure(self, seconds):
        """Frames per second and bits per second over some time."""
        self.packets.clear()
        await asyncio.sleep(seconds)
        packets = list(self.packets)
        return sum(packet[2] for packet in packets) / seconds, 8 * sum(packet[3] for packet in packets) / seconds


def frame_rate(rate):
    return {"numerator": rate, "denominator": 1}


@covers("MediaElement", "setAudioFormat setVideoFormat")
def test_formats_at_a_peer(server):
    """The payload types, rates and bit rates of the packets that an RTP peer gets."""

    async def body(scene):
        audio, video = await Listener.open(), await Listener.open()
        endpoint = await scene.new("RtpEndpoint")
        # A still picture: the bits are the sound's.
        await scene.link(await scene.play("red"), endpoint)
        await scene.invoke(
            endpoint, "processOffer", offer=OFFER.format(audio=audio.port, video=video.port).replace("\n", "\r\n"))
        await audio.until_type(97)
        await video.until_type(96)
        frames, _ = await video.measure(1.5)
        assert 22 < frames < 28, frames

        await scene.invoke(endpoint, "setVideoFormat", caps={"codec": "H264", "framerate": frame_rate(30)})
        await video.until_type(98)
        await scene.invoke(endpoint, "setAudioFormat", caps={"codec": "PCMU", "bitrate": 64_000})
        await audio.until_type(0)
        await scene.invoke(endpoint, "setAudioFormat", caps={"codec": "PCMA", "bitrate": 64_000})
        await audio.until_type(8)
        await scene.invoke(endpoint, "setAudioFormat", caps={"codec": "RAW", "bitrate": 0})
        await audio.until_type(97)
        frames, _ = await video.measure(1.5)
        assert 22 < frames < 28, frames

        await scene.invoke(endpoint, "setVideoFormat", caps={"codec": "AV1", "framerate": frame_rate(5)})
        await video.until_type(99)
        await scene.invoke(endpoint, "setVideoFormat", caps={"codec": "VP8", "framerate": frame_rate(5)})
        await video.until_type(96)
        frames, _ = await video.measure(2)
        assert 3.9 < frames < 6.1, frames

        await scene.invoke(endpoint, "setAudioFormat", caps={"codec": "OPUS", "bitrate": 16_000})
        await audio.until_type(97)
        _, low = await audio.measure(1)
        await scene.invoke(endpoint, "setAudioFormat", caps={"codec": "OPUS", "bitrate": 128_000})
        await asyncio.sleep(0.5)
        _, high = await audio.measure(1)
        print("bit/s of sound:", low, high)
        assert high > 2 * low, (low, high)

        # Decoded pictures: the endpoint has them coded as it likes.
        await scene.invoke(endpoint, "setVideoFormat", caps={"codec": "RAW", "framerate": frame_rate(25)})
        await asyncio.sleep(0.5)
        frames, _ = await video.measure(1.5)
        assert 22 < frames < 28, frames
        for one in (audio, video):
            one.transport.close()

    run(server, body)


@covers("MediaElement", "setAudioFormat setVideoFormat isMediaTranscoding")
def test_formats_behind_an_element(server, tmp_path):
    """Codecs and pictures per second in recordings made behind an element that only routes."""

    async def body(scene):
        player = await scene.play("lime")
        element = await scene.new("PassThrough")
        await scene.link(player, element)
        for caps in [{"codec": "SVG", "framerate": frame_rate(10)}, {"codec": "VP8"}]:
            assert await scene.error(element, "setVideoFormat", caps=caps) == 40001
        assert await scene.error(element, "setAudioFormat", caps={"codec": "OPUS", "bitrate": "loud"}) == 40001

        async def recorded(name):
            file = tmp_path / f"{name}.mkv"
            recorder = await scene.record(element, file, "MKV")
            await asyncio.sleep(2)
            await scene.invoke(recorder, "stopAndWait")
            await scene.client.call("release", object=recorder)
            found = tools.probe(file)
            video = [packet["pts"] for packet in tools.packets(file)]
            return (found["video"][0]["codec_name"], found["audio"][0]["codec_name"],
                    (len(video) - 1) / (max(video) - min(video)))

        assert (await recorded("native"))[:2] == ("vp8", "opus")
        assert await scene.invoke(player, "isMediaTranscoding", mediaType="VIDEO") is False
        await scene.invoke(element, "setVideoFormat", caps={"codec": "H264", "framerate": frame_rate(10)})
        video, audio, rate = await recorded("h264")
        assert (video, audio) == ("h264", "opus") and 9 < rate < 11, rate
        assert await scene.invoke(player, "isMediaTranscoding", mediaType="VIDEO") is True
        await scene.invoke(element, "setVideoFormat", caps={"codec": "VP9", "framerate": frame_rate(5)})
        assert (await recorded("vp9"))[0] == "vp9"
        # Files do not take AV1 as it comes from an encoder: it is coded once more.
        await scene.invoke(element, "setVideoFormat", caps={"codec": "AV1", "framerate": frame_rate(5)})
        assert (await recorded("av1"))[0] in ("vp8", "h264")
        # As it comes: nothing is coded anew.
        await scene.invoke(element, "setVideoFormat", caps={"codec": "VP8", "framerate": frame_rate(60)})
        video, audio, rate = await recorded("vp8")
        assert (video, audio) == ("vp8", "opus") and 24 < rate < 26, rate
        encoders = [one for one in await scene.get(player, "renditions") if one["stage"] == "encode"]
        assert not any("vp8" in one["detail"] for one in encoders), encoders
        # Pictures are still to be seen behind it, whatever the format.
        await scene.invoke(element, "setVideoFormat", caps={"codec": "RAW", "framerate": frame_rate(5)})
        await scene.shows(element, (0.5, 0.5, "g"))
        # There is no encoder for it: whoever makes the pictures says so once somebody wants them.
        await scene.subscribe(player, "Error")
        await scene.invoke(element, "setVideoFormat", caps={"codec": "H265", "framerate": frame_rate(5)})
        await scene.record(element, tmp_path / "none.mkv", "MKV")
        assert "h265" in (await scene.event(player, "Error"))["description"]

    run(server, body)
