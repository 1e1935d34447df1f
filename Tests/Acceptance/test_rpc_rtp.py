"""The table of members: two plain RTP endpoints of the server, one sends to the other."""

import re
import socket

import pytest
from rpc_scene import covers, run, server  # noqa: F401

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
