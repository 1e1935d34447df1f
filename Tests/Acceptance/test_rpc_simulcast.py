"""The table of members: a peer that sends its picture in several forms, and which of them is handed on."""

import asyncio
import fractions
import re

import av
import numpy
from aiortc.codecs.vpx import Vp8Encoder
from aiortc.rtcrtpparameters import RTCRtpHeaderExtensionParameters, RTCRtpParameters
from aiortc.rtp import HeaderExtensionsMap, RtpPacket
from live import Peer
from rpc_scene import covers, run, server  # noqa: F401
from test_rpc_peers import join

STREAM_ID = "urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id"
EXTENSION = 12
# Name, size, colour as Y, Cb, Cr.
LAYERS = [("half", (320, 180), (41, 240, 110)), ("full", (640, 360), (81, 90, 240))]


class Simulcast(Peer):
    """A peer whose line of video carries two streams, told apart by their names (RFC 8852, RFC 8853)."""

    def __init__(self):
        super().__init__("")
        self.transceiver = self.connection.addTransceiver("video", direction="sendonly")
        self.running = {}
        plain = self.offer

        async def offer():
            names = ";".join(name for name, _, _ in LAYERS)
            lines = [f"a=extmap:{EXTENSION} {STREAM_ID}", *(f"a=rid:{name} send" for name, _, _ in LAYERS)]
            text = await plain()
            text = re.sub(r"a=ssrc[^\r\n]*\r\n", "", text)
            return text.replace("a=sendonly\r\n", "a=sendonly\r\n" + "\r\n".join(
                [*lines, f"a=simulcast:send {names}"]) + "\r\n")

        self.offer = offer

    def begin(self, answer):
        self.type = int(re.search(r"a=rtpmap:(\d+) VP8/90000", answer)[1])
        extension = RTCRtpHeaderExtensionParameters(id=EXTENSION, uri=STREAM_ID)
        self.extensions = HeaderExtensionsMap()
        self.extensions.configure(RTCRtpParameters(headerExtensions=[extension]))
        for index, layer in enumerate(LAYERS):
            self.running[layer[0]] = asyncio.ensure_future(self.run(1000 + index, *layer))

    async def run(self, ssrc, name, size, colour):
        width, height = size
        planes = [numpy.full(width * height, colour[0], numpy.uint8)]
        planes += [numpy.full(width * height // 4, value, numpy.uint8) for value in colour[1:]]
        frame = av.VideoFrame.from_ndarray(
            numpy.concatenate(planes).reshape(height * 3 // 2, width), format="yuv420p")
        encoder, number, count = Vp8Encoder(), 0, 0
        while True:
            frame.pts, frame.time_base = count, fractions.Fraction(1, 15)
            payloads, _ = encoder.encode(frame, force_keyframe=count % 10 == 0)
            for index, payload in enumerate(payloads):
                packet = RtpPacket(
                    payload_type=self.type, marker=index + 1 == len(payloads), sequence_number=number & 0xFFFF,
                    timestamp=count * 6000, ssrc=ssrc, payload=payload)
                packet.extensions.rtp_stream_id = name
                await self.transceiver.sender.transport._send_rtp(packet.serialize(self.extensions))
                number += 1
            count += 1
            await asyncio.sleep(1 / 15)

    async def close(self):
        for task in self.running.values():
            task.cancel()
        await super().close()


@covers("WebRtcEndpoint", "simulcastLayers selectSimulcastLayer")
def test_layers(server):
    """The colour of the picture that is handed on, which is another one in each layer."""

    async def body(scene):
        endpoint, peer = await scene.new("WebRtcEndpoint", recvonly=True), Simulcast()
        assert await scene.error(endpoint, "selectSimulcastLayer", rid="half") == 40111
        try:
            answer = await join(scene, endpoint, peer)
            assert "a=simulcast:recv" in answer
            peer.begin(answer)

            async def layers():
                found = await scene.get(endpoint, "simulcastLayers")
                return {one["rid"]: one for one in found} if len(found) == 2 else None

            found = await scene.until(layers, what="no two layers")
            assert set(found) == {"half", "full"}
            # The largest, unless another one is asked for.
            await scene.shows(endpoint, (0.5, 0.5, "r"))
            assert [one["rid"] for one in (await layers()).values() if one["isCurrent"]] == ["full"]
            await scene.invoke(endpoint, "selectSimulcastLayer", rid="half")
            await scene.shows(endpoint, (0.5, 0.5, "b"))
            assert [one["rid"] for one in (await layers()).values() if one["isCurrent"]] == ["half"]
            assert await scene.error(endpoint, "selectSimulcastLayer", rid="double") == 40107
            await scene.shows(endpoint, (0.5, 0.5, "b"))
            await scene.invoke(endpoint, "selectSimulcastLayer", rid="full")
            await scene.shows(endpoint, (0.5, 0.5, "r"))
            # One that ceases to come is replaced, and taken again when it comes again.
            peer.running["full"].cancel()
            await scene.shows(endpoint, (0.5, 0.5, "b"))
            peer.running["full"] = asyncio.ensure_future(peer.run(2000, *LAYERS[1]))
            await scene.shows(endpoint, (0.5, 0.5, "r"))
            await scene.invoke(endpoint, "selectSimulcastLayer", rid="half")
            await scene.shows(endpoint, (0.5, 0.5, "b"))
            await scene.invoke(endpoint, "selectSimulcastLayer")
            await scene.shows(endpoint, (0.5, 0.5, "r"))
        finally:
            await peer.close()

    run(server, body)
