"""The table of members: two plain RTP endpoints of the server, one sends to the other; and peers that fall silent."""

import asyncio
import re
import socket
import struct
import time

import pytest
from relay import Relay, kind_of
from rpc_scene import covers, run, server  # noqa: F401

import live

SUITES = {
    "AES_128_CM_HMAC_SHA1_32": "AES_CM_128_HMAC_SHA1_32", "AES_128_CM_HMAC_SHA1_80": "AES_CM_128_HMAC_SHA1_80",
    "AES_256_CM_HMAC_SHA1_32": "AES_256_CM_HMAC_SHA1_32", "AES_256_CM_HMAC_SHA1_80": "AES_256_CM_HMAC_SHA1_80",
}


async def pair(scene, **settings):
    """Two endpoints that have agreed; a colour goes from the first to the second."""
    a, b = [await scene.new("RtpEndpoint", **settings) for _ in "ab"]
    for one in (a, b):
        await scene.subscribe(one, "MediaStateChanged", "ConnectionStateChanged", "MediaSessionStarted")
    player = await scene.play("red")
    await scene.link(player, a)
    offer = await scene.invoke(a, "generateOffer")
    answer = await scene.invoke(b, "processOffer", offer=offer)
    assert (await scene.invoke(a, "processAnswer", answer=answer)).startswith("v=0")
    return a, b, offer, answer


@covers("RtpEndpoint", "new")
@covers("SdpEndpoint", "generateOffer processOffer processAnswer")
@pytest.mark.parametrize("suite", SUITES)
def test_keys(server, suite):
    """The picture behind each way of SRTP, and the keys in the descriptions."""

    async def body(scene):
        a, b, offer, answer = await pair(scene, crypto={"crypto": suite})
        keys = [re.findall(r"a=crypto:\d+ (\S+) inline:(\S+)", text) for text in (offer, answer)]
        assert all({name for name, _ in found} == {SUITES[suite]} for found in keys)
        assert {key for _, key in keys[0]}.isdisjoint({key for _, key in keys[1]}), "random keys, one each way"
        assert "RTP/SAVP" in offer and "RTP/SAVP" in answer
        await scene.shows(b, (0.5, 0.5, "r"))

    run(server, body)


@covers("BaseRtpEndpoint", "mediaState connectionState MediaStateChanged ConnectionStateChanged")
@covers("SessionEndpoint", "MediaSessionStarted")
def test_states(server):
    """The states of the one that receives, while reports come and after the other one has taken leave."""

    async def body(scene):
        a, b, _, _ = await pair(scene)
        for one in (a, b):
            await scene.event(one, "MediaSessionStarted")
            await scene.event(one, "ConnectionStateChanged", oldState="DISCONNECTED", newState="CONNECTED")
            assert await scene.get(one, "connectionState") == "CONNECTED"
            await scene.event(one, "MediaStateChanged", oldState="DISCONNECTED", newState="CONNECTED")
            assert await scene.get(one, "mediaState") == "CONNECTED"
        await scene.shows(b, (0.5, 0.5, "r"))
        # The picture does not come back by itself.
        await scene.client.call("release", object=a)
        await scene.event(b, "MediaStateChanged", oldState="CONNECTED", newState="DISCONNECTED")
        assert await scene.get(b, "mediaState") == "DISCONNECTED"

    run(server, body)


class Reporter:
    """A peer of RTP that sends nothing but reports, as many as it is let."""

    def __init__(self, answer):
        host = re.search(r"c=IN IP4 (\S+)", answer)[1]
        port = int(re.search(r"m=video (\d+)", answer)[1])
        self.to = host, int(found[1]) if (found := re.search(r"a=rtcp:(\d+)", answer)) else port + 1
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))

    def report(self):
        # An empty receiver report, and a name (RFC 3550, sections 6.4.2 and 6.5).
        ssrc = 0x11223344
        self.socket.sendto(
            struct.pack(">BBHI", 0x80, 201, 1, ssrc)
            + struct.pack(">BBHIBB4sxx", 0x81, 202, 3, ssrc, 1, 4, b"name"), self.to)

    async def report_for(self, seconds):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.report()
            await asyncio.sleep(0.3)


@covers("BaseRtpEndpoint", "mediaState MediaStateChanged connectionState")
def test_silence(server):
    """The state when a peer's reports cease without a word, five seconds later, and when they come again."""

    async def body(scene):
        endpoint = await scene.new("RtpEndpoint")
        await scene.subscribe(endpoint, "MediaStateChanged", "ConnectionStateChanged")
        await scene.link(await scene.play("red"), endpoint)
        offer = (
            "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
            "m=video 9 RTP/AVP 96\r\na=rtpmap:96 VP8/90000\r\na=recvonly\r\n")
        peer = Reporter(await scene.invoke(endpoint, "processOffer", offer=offer))
        try:
            await peer.report_for(1.5)
            assert await scene.get(endpoint, "mediaState") == "CONNECTED"
            ceased = time.monotonic()
            await scene.event(endpoint, "MediaStateChanged", oldState="CONNECTED", newState="DISCONNECTED")
            assert 4.5 < time.monotonic() - ceased < 6.5, time.monotonic() - ceased
            assert await scene.get(endpoint, "mediaState") == "DISCONNECTED"
            # Nothing was said of the line: what is sent goes on.
            assert await scene.get(endpoint, "connectionState") == "CONNECTED"
            await peer.report_for(0.7)
            assert await scene.get(endpoint, "mediaState") == "CONNECTED"
            states = [(each["oldState"], each["newState"]) for each in scene.events(endpoint, "MediaStateChanged")]
            there, away = ("DISCONNECTED", "CONNECTED"), ("CONNECTED", "DISCONNECTED")
            assert states == [there, away, there]
        finally:
            peer.socket.close()

    run(server, body)


@covers("BaseRtpEndpoint", "mediaState MediaStateChanged connectionState")
def test_silence_of_webrtc(server):
    """The state of a WebRTC peer whose reports are lost on the way, while its pictures come and ICE goes on; and when
    they come again."""

    async def body(scene):
        endpoint = await scene.new("WebRtcEndpoint")
        await scene.subscribe(endpoint, "MediaStateChanged")
        relay, peer = Relay(), live.Peer("").send(live.Picture())
        try:
            await relay.join(scene, endpoint, peer)
            await scene.event(endpoint, "MediaStateChanged", newState="CONNECTED")
            relay.lose = lambda data: kind_of(data) == "SRTCP"
            ceased = time.monotonic()
            await scene.event(endpoint, "MediaStateChanged", oldState="CONNECTED", newState="DISCONNECTED")
            assert 3.5 < time.monotonic() - ceased < 6.5, time.monotonic() - ceased
            assert await scene.get(endpoint, "mediaState") == "DISCONNECTED"
            assert await scene.get(endpoint, "connectionState") == "CONNECTED"
            first, second = [await came_by(scene, endpoint) for _ in range(2)]
            assert second > first, "the pictures go on"
            relay.lose = lambda data: False
            await scene.client.until(
                lambda: len(scene.events(endpoint, "MediaStateChanged", newState="CONNECTED")) == 2)
            assert await scene.get(endpoint, "mediaState") == "CONNECTED"
        finally:
            await peer.close()
            relay.close()

    run(server, body)


async def came_by(scene, endpoint):
    """Packets of pictures that came so far; half a second later."""
    await asyncio.sleep(0.5)
    stats = await scene.invoke(endpoint, "getStats", mediaType="VIDEO")
    return sum(one["packetsReceived"] for one in stats.values() if one["type"] == "inboundrtp")


def has_ipv6():
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("2001:db8::1", 9))
            return not probe.getsockname()[0].startswith("fe80")
        except OSError:
            return False


@covers("RtpEndpoint", "new")
def test_over_ipv6(server):
    """The picture over IPv6, where the machine has an address."""
    if not has_ipv6():
        pytest.skip("this machine has no IPv6 address")

    async def body(scene):
        _, b, offer, _ = await pair(scene, useIpv6=True)
        assert "c=IN IP6 " in offer
        await scene.shows(b, (0.5, 0.5, "r"))

    run(server, body)
