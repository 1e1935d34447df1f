"""The table of members: what leaves the server and what its peers are asked to send, seen on the line."""

import asyncio
import re
import socket
import struct
import time

import pytest
from live import Peer
from relay import Relay
from rpc_scene import covers, run, server  # noqa: F401
from test_rpc_formats import Listener
from test_rpc_peers import join

import live


@covers("WebRtcEndpoint", "new")
@pytest.mark.parametrize("name, mark", [("EF", 46), ("AF41", 34), ("VIDEO_MEDIUM", 36), ("NO_DSCP", 0)])
def test_marks(server, name, mark):
    """The mark (DSCP) in the IP header of everything that goes to a peer."""

    async def body(scene):
        endpoint = await scene.new("WebRtcEndpoint", qosDscp=name)
        await scene.link(await scene.play("red"), endpoint)
        relay, peer = Relay(), Peer("").receive("video")
        try:
            await relay.join(scene, endpoint, peer)
            await live.until(
                lambda: peer.frames["video"] and set(relay.marks) == {"STUN", "DTLS", "SRTP", "SRTCP"}, 15)
            assert set.union(*relay.marks.values()) == {mark}, relay.marks
        finally:
            await peer.close()
            relay.close()

    run(server, body)


# --- what the peer is asked to send ---------------------------------------------------------------------------------

OFFER = """v=0
o=- 1 1 IN IP4 127.0.0.1
s=-
c=IN IP4 127.0.0.1
t=0 0
m=video {port} RTP/AVPF 96
{limit}a=rtcp-mux
a=rtpmap:96 VP8/90000
a=rtcp-fb:96 goog-remb
a={direction}
"""


class Camera(asyncio.DatagramProtocol):
    """Sends packets of RTP at a steady rate, some of them lost, and notes what it is asked for (REMB)."""

    def __init__(self):
        self.asked = []
        self.rate, self.loss_of, self.number = 400_000, 0, 0

    def connection_made(self, transport):
        self.transport = transport
        self.port = transport.get_extra_info("sockname")[1]

    def datagram_received(self, data, _):
        place = 0
        while place + 8 <= len(data):
            size = 4 + 4 * struct.unpack(">H", data[place + 2:place + 4])[0]
            packet = data[place:place + size]
            if packet[1] == 206 and packet[0] & 31 == 15 and packet[12:16] == b"REMB":
                head = struct.unpack(">I", packet[16:20])[0]
                self.asked.append((head & 0x3FFFF) << (head >> 18 & 63))
            place += size

    async def run(self, address):
        began, sent = time.monotonic(), 0
        while True:
            await asyncio.sleep(0.01)
            while sent * 8_000 < self.rate * (time.monotonic() - began):
                sent += 1
                self.number += 1
                if self.loss_of and self.number % self.loss_of == 0:
                    continue
                header = struct.pack(">BBHII", 0x80, 0xE0, self.number & 0xFFFF, self.number * 3000 & 0xFFFFFFFF, 77)
                self.transport.sendto(header + bytes(988), address)

    @classmethod
    async def open(cls, scene, endpoint):
        _, camera = await asyncio.get_running_loop().create_datagram_endpoint(cls, local_addr=("127.0.0.1", 0))
        offer = OFFER.format(port=camera.port, limit="", direction="sendonly").replace("\n", "\r\n")
        answer = await scene.invoke(endpoint, "processOffer", offer=offer)
        assert "goog-remb" in answer
        address = re.search(r"c=IN IP4 (\S+)", answer)[1], int(re.search(r"m=video (\d+)", answer)[1])
        camera.task = asyncio.ensure_future(camera.run(address))
        return camera

    async def wait(self, condition, timeout=10):
        await live.until(lambda: condition(self.asked), timeout, f"asked for {self.asked[-5:]}")

    def close(self):
        self.task.cancel()
        self.transport.close()


@covers("SdpEndpoint", "maxVideoRecvBandwidth")
@covers("BaseRtpEndpoint", "minVideoRecvBandwidth rembParams")
def test_what_a_sender_is_asked_for(server):
    """The rates that a sender is told (REMB), by limits and by losses."""

    async def body(scene):
        endpoint = await scene.new("RtpEndpoint")
        assert await scene.get(endpoint, "rembParams") == {"__module__": "kurento", "__type__": "RembParams"}
        camera = await Camera.open(scene, endpoint)
        await camera.wait(lambda asked: asked and asked[-1] > 20_000_000)
        await scene.set(endpoint, maxVideoRecvBandwidth=700)
        await camera.wait(lambda asked: abs(asked[-1] - 700_000) < 5000)
        await scene.set(endpoint, maxVideoRecvBandwidth=0, minVideoRecvBandwidth=80)
        await camera.wait(lambda asked: asked[-1] > 20_000_000)
        camera.close()

        # Judged by what comes: it begins where it is told, follows what comes, and falls when packets are lost.
        endpoint = await scene.new("RtpEndpoint")
        settings = {"rembOnConnect": 250_000, "decrementFactor": 0.25, "exponentialFactor": 0.2}
        await scene.set(endpoint, rembParams=settings)
        told = await scene.get(endpoint, "rembParams")
        assert settings.items() <= told.items() and told["upLosses"] == 12 and told["packetsRecvIntervalTop"] == 100
        camera = await Camera.open(scene, endpoint)
        await camera.wait(lambda asked: asked)
        assert abs(camera.asked[0] - 250_000) < 2000
        await camera.wait(lambda asked: asked[-1] > 600_000)
        await asyncio.sleep(1.5)
        before = camera.asked[-1]
        assert before < 1_000_000, "no more than twice what comes"
        camera.loss_of = 8
        await camera.wait(lambda asked: asked[-1] < before * 0.3)
        await camera.wait(lambda asked: asked[-1] < 120_000)
        await scene.set(endpoint, minVideoRecvBandwidth=350)
        await camera.wait(lambda asked: abs(asked[-1] - 350_000) < 3000)
        await scene.set(endpoint, minVideoRecvBandwidth=50)
        # More losses than there are now count as none that matter: it does not fall further.
        await scene.set(endpoint, rembParams={**settings, "upLosses": 200, "packetsRecvIntervalTop": 50})
        await asyncio.sleep(1.2)
        first = camera.asked[-1]
        await asyncio.sleep(1.5)
        assert camera.asked[-1] >= first * 0.9, camera.asked[-5:]
        camera.close()

    run(server, body)


# --- what is sent ---------------------------------------------------------------------------------------------------


@covers("BaseRtpEndpoint", "rembParams")
def test_what_a_new_viewer_gets(server):
    """The bit rate of a picture for a peer that never says what its line carries: what is assumed at the start."""

    async def body(scene):
        hub = await scene.new("Composite", width=320, height=240, framerate=15)
        port = await scene.port(hub, await scene.play("noise"))
        rates = {}
        for start in (150_000, 2_000_000):
            video = await Listener.open()
            endpoint = await scene.new("RtpEndpoint")
            await scene.set(endpoint, rembParams={"rembOnConnect": start})
            await scene.link(port, endpoint, mediaType="VIDEO")
            offer = OFFER.format(port=video.port, limit="", direction="recvonly").replace("\n", "\r\n")
            await scene.invoke(endpoint, "processOffer", offer=offer)
            await asyncio.sleep(2)
            _, rates[start] = await video.measure(2)
            video.transport.close()
            await scene.client.call("release", object=endpoint)
        print("bit/s sent:", rates)
        assert rates[150_000] < 250_000 and rates[2_000_000] > 350_000, rates

    run(server, body)


def limited(sdp, **limits):
    """The description with b=AS lines (RFC 8866), in kbit/s."""
    sections = re.split(r"(?m)^(?=m=)", sdp)
    for index, section in enumerate(sections):
        for kind, limit in limits.items():
            if section.startswith(f"m={kind}"):
                head, rest = re.split(r"(?m)(?<=\n)(?=a=)", section, maxsplit=1)
                sections[index] = f"{head}b=AS:{limit}\r\n{rest}"
    return "".join(sections)


@covers("SdpEndpoint", "processOffer maxAudioRecvBandwidth maxVideoRecvBandwidth")
def test_what_a_description_allows(server):
    """The bit rates sent to peers whose descriptions limit them; one of the peers is an endpoint of the server."""

    async def body(scene):
        hub = await scene.new("Composite", width=320, height=240, framerate=15)
        ports = [await scene.port(hub, await scene.play(name)) for name in ("noise", "lime")]
        rates = {}
        for name, limits in [("low", {"video": 150, "audio": 40}), ("high", {})]:
            viewer, peer = await scene.new("WebRtcEndpoint"), Peer("").receive("video", "audio")
            await scene.set(viewer, minVideoSendBandwidth=900, maxVideoSendBandwidth=0)
            await scene.link(ports[0], viewer)
            make = peer.offer
            peer.offer = lambda make=make, limits=limits: allow(make, limits)
            await join(scene, viewer, peer)
            await asyncio.sleep(3)
            before = await counted(scene, viewer)
            await asyncio.sleep(3)
            after = await counted(scene, viewer)
            seconds = (after.pop("time") - before.pop("time")) / 1000
            rates[name] = {kind: 8 * (after[kind] - before[kind]) / seconds / 1000 for kind in after}
            await peer.close()
            await scene.client.call("release", object=viewer)
        print("kbit/s sent:", rates)
        # Without a limit: the highest rung, 110 kbit/s for such a picture, and half as much again for one viewer alone.
        assert rates["low"]["VIDEO"] < 100 and rates["high"]["VIDEO"] > 140, rates
        assert rates["low"]["AUDIO"] < 32 and rates["low"]["AUDIO"] < 0.6 * rates["high"]["AUDIO"], rates
        # What the endpoint itself allows stands in its answer.
        endpoint, peer = await scene.new("WebRtcEndpoint"), Peer("").receive("video", "audio")
        await scene.set(endpoint, maxAudioRecvBandwidth=24, maxVideoRecvBandwidth=300)
        answer = await scene.invoke(endpoint, "processOffer", offer=await peer.offer())
        found = {section[:5]: re.findall(r"b=AS:(\d+)", section) for section in answer.split("m=")[1:]}
        assert found == {"audio": ["24"], "video": ["300"]}
        await peer.close()

    run(server, body)


async def allow(make, limits):
    return limited(await make(), **limits)


async def counted(scene, endpoint):
    stats = {"time": 0}
    for kind in ("VIDEO", "AUDIO"):
        for one in (await scene.invoke(endpoint, "getStats", mediaType=kind)).values():
            if one["type"] == "outboundrtp":
                stats[kind], stats["time"] = one["bytesSent"], one["timestampMillis"]
    return stats
