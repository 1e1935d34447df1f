"""The table of members: endpoints that negotiate by SDP, with aiortc, with ffmpeg, and with sockets of our own as the
other side."""

import asyncio
import re
import socket
import subprocess

from aiortc import RTCSessionDescription
from live import Peer, Picture, Tone
from rpc_scene import clip, covers, run, server  # noqa: F401

import live
import tools

EVENTS = [
    "IceCandidateFound", "IceGatheringDone", "IceComponentStateChanged", "NewCandidatePairSelected",
    "DtlsConnectionStateChange", "ConnectionStateChanged", "MediaStateChanged", "MediaSessionStarted",
    "DataChannelOpened", "DataChannelClosed", "MediaFlowOutStateChanged", "MediaFlowInStateChanged", "Error",
]


def without_candidates(sdp):
    return "".join(line for line in sdp.splitlines(True) if not line.startswith("a=candidate"))


async def join(scene, endpoint, peer, **changes):
    """Connects an aiortc peer, which offers; its candidates are sent one by one, ours are in the local description."""
    await scene.subscribe(endpoint, *EVENTS)
    offer = await peer.offer()
    answer = await scene.invoke(endpoint, "processOffer", offer=without_candidates(offer))
    assert "a=candidate" not in answer
    await scene.invoke(endpoint, "gatherCandidates")
    await scene.event(endpoint, "IceGatheringDone")
    for line in sorted({line for line in offer.splitlines() if line.startswith("a=candidate")}):
        candidate = {"candidate": line[2:], "sdpMid": "0", "sdpMLineIndex": 0}
        await scene.invoke(endpoint, "addIceCandidate", candidate=candidate)
    answer = await scene.get(endpoint, "localSessionDescriptor")
    assert "a=candidate" in answer
    await peer.connection.setRemoteDescription(RTCSessionDescription(answer, "answer"))
    await peer.connected(20)
    await scene.event(endpoint, "ConnectionStateChanged", newState="CONNECTED")
    return answer


@covers("WebRtcEndpoint", "new ICECandidatePairs IceConnectionState DtlsConnectionState simulcastLayers "
        "gatherCandidates "
                          "addIceCandidate createDataChannel closeDataChannel IceCandidateFound IceGatheringDone "
                          "IceComponentStateChanged DtlsConnectionStateChange DataChannelOpened DataChannelClosed "
                          "NewCandidatePairSelected")
@covers("BaseRtpEndpoint", "mediaState connectionState requestKeyframe MediaStateChanged ConnectionStateChanged")
@covers("SdpEndpoint", "processOffer getLocalSessionDescriptor getRemoteSessionDescriptor")
@covers("SessionEndpoint", "MediaSessionStarted")
@covers("MediaElement", "getStats")
def test_peer(server, tmp_path):
    async def body(scene):
        endpoint = await scene.new("WebRtcEndpoint", useDataChannels=True, certificateKeyType="ECDSA")
        states = ["connectionState", "mediaState", "ICECandidatePairs", "IceConnectionState", "DtlsConnectionState"]
        assert [await scene.get(endpoint, name) for name in states] == ["DISCONNECTED", "DISCONNECTED", [], [], []]
        assert await scene.error(endpoint, "getLocalSessionDescriptor") == 40202
        assert await scene.error(endpoint, "getRemoteSessionDescriptor") == 40203
        # What it receives it sends back: pictures, sound, messages.
        await scene.link(endpoint, endpoint)
        recorder = await scene.record(endpoint, tmp_path / "out.webm")
        peer = Peer("").send(Picture(), Tone(), direction="sendrecv")
        messages, opened = [], []

        def on_channel(channel):
            opened.append(channel)
            channel.on("message", messages.append)

        peer.connection.on("datachannel", on_channel)
        first = peer.connection.createDataChannel("first")
        first.on("message", messages.append)
        try:
            await join(scene, endpoint, peer)
            assert (await scene.get(endpoint, "remoteSessionDescriptor")).startswith("v=0")
            await scene.event(endpoint, "MediaSessionStarted")
            for state in ["GATHERING", "CONNECTING", "CONNECTED", "READY"]:
                event = await scene.event(endpoint, "IceComponentStateChanged", state=state)
                assert (event["streamId"], event["componentId"]) == (1, 1)
            await scene.event(endpoint, "DtlsConnectionStateChange", state="CONNECTED")
            pair = (await scene.event(endpoint, "NewCandidatePairSelected"))["candidatePair"]
            assert pair["localCandidate"].startswith("candidate:") and pair["remoteCandidate"]
            assert [one["remoteCandidate"] for one in await scene.get(endpoint, "ICECandidatePairs")] == [
                scene.events(endpoint, "NewCandidatePairSelected")[-1]["candidatePair"]["remoteCandidate"]]
            assert [one["state"] for one in await scene.get(endpoint, "IceConnectionState")] == ["READY"]
            assert [one["state"] for one in await scene.get(endpoint, "DtlsConnectionState")] == ["CONNECTED"]
            assert await scene.get(endpoint, "connectionState") == "CONNECTED"
            await scene.event(endpoint, "MediaStateChanged", newState="CONNECTED")
            assert await scene.get(endpoint, "mediaState") == "CONNECTED"
            assert await scene.get(endpoint, "simulcastLayers") == []
            await live.until(lambda: len(peer.frames["video"]) > 5 and len(peer.frames["audio"]) > 10, 20)

            # One channel is there; it echoes. The server's own one is closed by it again, with no word.
            number = (await scene.event(endpoint, "DataChannelOpened"))["channelId"]
            first.send("over and out")
            await live.until(lambda: messages == ["over and out"])
            stats = await scene.invoke(endpoint, "getStats")
            kinds = {}
            for one in stats.values():
                kinds.setdefault(one["type"], []).append(one)
            assert kinds["session"][0]["dataChannelsOpened"] == 1
            channel = kinds["datachannel"][0]
            assert (channel["label"], channel["messagesReceived"], channel["messagesSent"]) == ("first", 1, 1)
            assert all(one["packetsReceived"] > 0 for one in kinds["inboundrtp"]) and len(kinds["inboundrtp"]) == 2
            assert all(one["packetsSent"] > 0 for one in kinds["outboundrtp"]) and len(kinds["outboundrtp"]) == 2
            only = await scene.invoke(endpoint, "getStats", mediaType="AUDIO")
            assert {one["type"] for one in only.values()} == {"inboundrtp", "outboundrtp"} and len(only) == 2
            await scene.invoke(endpoint, "closeDataChannel", channelId=number)
            await scene.event(endpoint, "DataChannelClosed", channelId=number)
            await live.until(lambda: first.readyState == "closed")
            await scene.invoke(endpoint, "createDataChannel", label="second", ordered=False, maxPacketLifeTime=-1,
                               maxRetransmits=3, protocol="chat")
            await live.until(lambda: opened)
            made = opened[0]
            assert (made.label, made.protocol, made.ordered, made.maxRetransmits) == ("second", "chat", False, 3)
            made.send("again")
            await live.until(lambda: messages[-1] == "again")
            # Both limits at once; one that follows a gap in the list of parameters does not count.
            both = {"label": "", "ordered": True, "maxPacketLifeTime": 1, "maxRetransmits": 1}
            assert await scene.error(endpoint, "createDataChannel", **both) == 40107

            # Whoever produces what goes out is the peer itself: it is asked for a key frame.
            async def asked():
                stats = await scene.invoke(endpoint, "getStats", mediaType="VIDEO")
                return sum(one["pliCount"] + one["firCount"] for one in stats.values() if one["type"] == "inboundrtp")

            before = await asked()
            await scene.invoke(endpoint, "requestKeyframe")

            async def more():
                return await asked() > before

            await scene.until(more, what="the peer was not asked for a key frame")
            await scene.invoke(recorder, "stopAndWait")
            tools.assert_sound_file(tmp_path / "out.webm")
        finally:
            await peer.close()
        await scene.event(endpoint, "ConnectionStateChanged", 20, newState="DISCONNECTED")

    run(server, body)


@covers("WebRtcEndpoint", "new createRenegotiationOffer processRenegotiationOffer processRenegotiationAnswer")
@covers("SdpEndpoint", "generateOffer processAnswer processOffer")
def test_offers(server):
    """Two of the server's own, one offers; then once more, with new ICE credentials, while media flows."""

    async def body(scene):
        player = await scene.play("red")
        a = await scene.new("WebRtcEndpoint", sendonly=True)
        b = await scene.new("WebRtcEndpoint", recvonly=True)
        assert await scene.error(a, "requestKeyframe") == 40111
        await scene.link(player, a)
        for one in (a, b):
            await scene.subscribe(one, *EVENTS)
        for text in ["", "nonsense", "v=zero"]:
            assert await scene.error(a, "processOffer", offer=text) == 40201
        assert await scene.error(a, "processAnswer", answer="v=0") == 40209
        assert await scene.error(a, "createDataChannel") == 40111
        assert await scene.error(a, "closeDataChannel", channelId=1) == 40111
        offer = await scene.invoke(a, "generateOffer", options={"offerToReceiveAudio": False})
        assert offer.count("m=") == 1 and "m=video" in offer and "a=sendonly" in offer
        assert await scene.error(a, "generateOffer") == 40208
        answer = await scene.invoke(b, "processOffer", offer=offer)
        assert "a=recvonly" in answer and await scene.error(b, "processOffer", offer=offer) == 40208
        assert (await scene.invoke(a, "processAnswer", answer=answer)).startswith("v=0")
        assert await scene.error(a, "processAnswer", answer=answer) == 40210
        passed = {a: 0, b: 0}

        async def trickle():
            for source, sink in [(a, b), (b, a)]:
                found = scene.events(source, "IceCandidateFound")
                for event in found[passed[source]:]:
                    passed[source] += 1
                    await scene.invoke(sink, "addIceCandidate", candidate=event["candidate"])
            return scene.events(b, "ConnectionStateChanged", newState="CONNECTED")

        for one in (a, b):
            await scene.invoke(one, "gatherCandidates")
        await scene.until(trickle, 15, "no connection")
        await scene.shows(b, (0.5, 0.5, "r"), timeout=15)

        again = await scene.invoke(a, "createRenegotiationOffer", restartIce=True)
        assert ufrag(again) != ufrag(offer)
        second = await scene.invoke(b, "processRenegotiationOffer", offer=again)
        assert ufrag(second) != ufrag(answer)
        assert (await scene.invoke(a, "processRenegotiationAnswer", answer=second)).startswith("v=0")
        for one in (a, b):
            await scene.invoke(one, "gatherCandidates")
        for _ in range(20):
            await trickle()
            await asyncio.sleep(0.1)
        # It goes on: what is played now arrives.
        blue = await scene.play("blue")
        await scene.link(blue, a)
        await scene.shows(b, (0.5, 0.5, "b"), timeout=15)

    run(server, body)


def ufrag(sdp):
    return next(line for line in sdp.splitlines() if line.startswith("a=ice-ufrag:"))


# --- settings ------------------------------------------------------------------------------------------------------


@covers("WebRtcEndpoint", "new")
def test_certificates(server):
    async def body(scene):
        for kind, word in [("RSA", "RSAPublicKey"), ("ECDSA", "ECPublicKey")]:
            endpoint = await scene.new("WebRtcEndpoint", certificateKeyType=kind, qosDscp="EF")
            peer = Peer("").receive("video")
            try:
                await join(scene, endpoint, peer)
                transport = peer.connection.getTransceivers()[0].receiver.transport
                certificate = transport._ssl.get_peer_certificate()
                assert word in type(certificate.to_cryptography().public_key()).__name__
            finally:
                await peer.close()

    run(server, body)


@covers("SdpEndpoint", "maxAudioRecvBandwidth maxVideoRecvBandwidth")
@covers("BaseRtpEndpoint", "minVideoRecvBandwidth minVideoSendBandwidth maxVideoSendBandwidth mtu rembParams")
def test_rates(server):
    """Limits in descriptions and on the line."""

    async def body(scene):
        endpoint = await scene.new("WebRtcEndpoint")
        names = ["maxAudioRecvBandwidth", "maxVideoRecvBandwidth", "minVideoRecvBandwidth", "minVideoSendBandwidth",
                 "maxVideoSendBandwidth", "mtu"]
        assert [await scene.get(endpoint, name) for name in names] == [0, 0, 100, 100, 500, 1200]
        await scene.set(endpoint, maxAudioRecvBandwidth=30, maxVideoRecvBandwidth=700)
        sections = (await scene.invoke(endpoint, "generateOffer")).split("m=")
        assert [re.findall(r"b=AS:(\d+)", section) for section in sections] == [[], ["30"], ["700"]]
        await scene.set(endpoint, minVideoRecvBandwidth=50, rembParams={"rembOnConnect": 400_000})
        assert await scene.get(endpoint, "minVideoRecvBandwidth") == 50
        assert (await scene.get(endpoint, "rembParams"))["rembOnConnect"] == 400_000

        # Pictures that no encoder makes small, made for each peer: what comes is what was allowed.
        hub = await scene.new("Composite", width=320, height=240, framerate=15)
        port = await scene.port(hub, await scene.play("noise"))
        rates, peers = {}, []
        for name, settings in [
            ("low", {"maxVideoSendBandwidth": 150}),
            ("high", {"minVideoSendBandwidth": 900, "maxVideoSendBandwidth": 3000}),
        ]:
            viewer = await scene.new("WebRtcEndpoint")
            await scene.set(viewer, **settings)
            for key, value in settings.items():
                assert await scene.get(viewer, key) == value
            await scene.link(port, viewer, mediaType="VIDEO")
            peer = Peer("").receive("video")
            await join(scene, viewer, peer)
            peers.append((name, viewer, peer))

        async def sent(viewer):
            stats = await scene.invoke(viewer, "getStats", mediaType="VIDEO")
            return next(one for one in stats.values() if one["type"] == "outboundrtp")

        try:
            await asyncio.sleep(2)
            before = {name: await sent(viewer) for name, viewer, _ in peers}
            await asyncio.sleep(4)
            for name, viewer, _ in peers:
                after = await sent(viewer)
                seconds = (after["timestampMillis"] - before[name]["timestampMillis"]) / 1000
                rates[name] = 8 * (after["bytesSent"] - before[name]["bytesSent"]) / seconds / 1000
            print("kbit/s sent:", rates)
            assert rates["low"] < 250 and rates["high"] > 450, rates
        finally:
            for _, _, peer in peers:
                await peer.close()

    run(server, body)


# --- plain RTP -----------------------------------------------------------------------------------------------------


def description(video, audio, crypto=None, direction="sendrecv"):
    """An offer as ffmpeg would make it."""
    profile = "RTP/SAVP" if crypto else "RTP/AVP"
    key = f"a=crypto:1 {crypto[0]} inline:{crypto[1]}\r\n" if crypto else ""
    return (
        "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
        f"m=audio {audio} {profile} 97\r\na=rtpmap:97 opus/48000/2\r\n{key}a={direction}\r\n"
        f"m=video {video} {profile} 96\r\na=rtpmap:96 VP8/90000\r\n{key}a={direction}\r\n")


def ports_of(sdp):
    return {kind: int(port) for kind, port in re.findall(r"m=(\w+) (\d+)", sdp)}


def free_port():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@covers("RtpEndpoint", "new")
@covers("BaseRtpEndpoint", "mtu")
@covers("SdpEndpoint", "generateOffer processOffer")
def test_plain_rtp(server, tmp_path):
    """ffmpeg sends to one endpoint; another sends to a socket of ours, in packets no longer than was said."""

    async def body(scene):
        endpoint = await scene.new("RtpEndpoint")
        await scene.subscribe(endpoint, "MediaSessionStarted", "MediaFlowOutStateChanged", "ConnectionStateChanged")
        answer = await scene.invoke(
            endpoint, "processOffer", offer=description(free_port(), free_port(), direction="sendonly"))
        await scene.event(endpoint, "MediaSessionStarted")
        ports = ports_of(answer)
        host = re.search(r"c=IN IP4 (\S+)", answer)[1]
        recorder = await scene.record(endpoint, tmp_path / "out.webm")
        sender = subprocess.Popen([
            "ffmpeg", "-nostdin", "-v", "error", "-re", "-i", clip("red"),
            "-map", "0:v", "-c", "copy", "-payload_type", "96", "-f", "rtp", f"rtp://{host}:{ports['video']}",
            "-map", "0:a", "-c", "copy", "-payload_type", "97", "-f", "rtp", f"rtp://{host}:{ports['audio']}"],
            stdout=subprocess.DEVNULL)
        try:
            for kind in ["VIDEO", "AUDIO"]:
                await scene.event(endpoint, "MediaFlowOutStateChanged", mediaType=kind, state="FLOWING")
            await scene.shows(endpoint, (0.5, 0.5, "r"))
            await asyncio.sleep(1.5)
            await scene.invoke(recorder, "stopAndWait")
            tools.assert_sound_file(tmp_path / "out.webm", rate=25)

            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as video:
                video.bind(("127.0.0.1", 0))
                video.settimeout(8)
                out = await scene.new("RtpEndpoint")
                await scene.set(out, mtu=500)
                assert await scene.get(out, "mtu") == 500
                await scene.link(await scene.play("noise"), out)
                await scene.invoke(
                    out, "processOffer",
                    offer=description(video.getsockname()[1], free_port(), direction="recvonly"))
                sizes = [len(await asyncio.to_thread(video.recv, 4000)) for _ in range(60)]
                assert 400 < max(sizes) <= 500, max(sizes)
        finally:
            sender.kill()
            sender.wait()

    run(server, body)


@covers("RtpEndpoint", "new")
def test_secure_rtp(server):
    key = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5"  # 30 bytes

    async def body(scene):
        suite = "AES_CM_128_HMAC_SHA1_80"  # as RFC 4568 writes it
        ours = {"crypto": "AES_128_CM_HMAC_SHA1_80", "keyBase64": key}
        endpoint = await scene.new("RtpEndpoint", crypto=ours)
        answer = await scene.invoke(
            endpoint, "processOffer", offer=description(free_port(), free_port(), (suite, key), "sendonly"))
        assert f"a=crypto:1 {suite} inline:{key}" in answer and "RTP/SAVP" in answer
        ports = ports_of(answer)
        host = re.search(r"c=IN IP4 (\S+)", answer)[1]
        sender = subprocess.Popen([
            "ffmpeg", "-nostdin", "-v", "error", "-re", "-i", clip("blue"), "-map", "0:v", "-c", "copy",
            "-payload_type", "96", "-f", "rtp", "-srtp_out_suite", suite, "-srtp_out_params", key,
            f"srtp://{host}:{ports['video']}"], stdout=subprocess.DEVNULL)
        try:
            await scene.shows(endpoint, (0.5, 0.5, "b"), timeout=15)
        finally:
            sender.kill()
            sender.wait()
        text = await scene.new("RtpEndpoint", crypto={**ours, "keyBase64": "", "key": "x" * 30})
        assert "inline:" in await scene.invoke(text, "generateOffer")
        for crypto in [{"key": "short"}, {**ours, "keyBase64": "!"}]:
            assert await scene.refused("RtpEndpoint", crypto=crypto) == 40107, crypto

    run(server, body)


@covers("RtpEndpoint", "OnKeySoftLimit")
def test_key_lifetime(server):
    """How many packets came by when half the lifetime is used that the peer gave its key; the picture goes on."""
    key, suite = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5", "AES_CM_128_HMAC_SHA1_80"

    async def body(scene):
        endpoints = {}
        for lifetime in ["|2^8", "|90", ""]:
            endpoint = await scene.new("RtpEndpoint", crypto={"crypto": "AES_128_CM_HMAC_SHA1_80"})
            await scene.subscribe(endpoint, "OnKeySoftLimit")
            offer = description(free_port(), free_port(), (suite, key + lifetime), "sendonly")
            answer = await scene.invoke(endpoint, "processOffer", offer=offer)
            host = re.search(r"c=IN IP4 (\S+)", answer)[1]
            endpoints[lifetime] = endpoint, subprocess.Popen([
                "ffmpeg", "-nostdin", "-v", "error", "-re", "-i", clip("blue"), "-map", "0:v", "-c", "copy",
                "-payload_type", "96", "-f", "rtp", "-srtp_out_suite", suite, "-srtp_out_params", key,
                f"srtp://{host}:{ports_of(answer)['video']}"], stdout=subprocess.DEVNULL)

        async def received(endpoint):
            # Before anything came an empty map, which is null on the wire.
            stats = await scene.invoke(endpoint, "getStats", mediaType="VIDEO") or {}
            return sum(one["packetsReceived"] for one in stats.values() if one["type"] == "inboundrtp")

        try:
            for lifetime, half in [("|90", 45), ("|2^8", 128)]:
                endpoint = endpoints[lifetime][0]
                while not scene.events(endpoint, "OnKeySoftLimit"):
                    # Asked before the last look, so whoever has more must have told.
                    count = await received(endpoint)
                    assert count < half + 5 or scene.events(endpoint, "OnKeySoftLimit"), (lifetime, count)
                    await asyncio.sleep(0.02)
                assert await received(endpoint) >= half
                assert (await scene.event(endpoint, "OnKeySoftLimit"))["mediaType"] == "VIDEO"
                await scene.shows(endpoint, (0.5, 0.5, "b"))
            await asyncio.sleep(0.5)
            for lifetime, count in [("|90", 1), ("|2^8", 1), ("", 0)]:
                assert len(scene.events(endpoints[lifetime][0], "OnKeySoftLimit")) == count, lifetime
        finally:
            for _, sender in endpoints.values():
                sender.kill()
                sender.wait()

    run(server, body)


@covers("RtpEndpoint", "new")
def test_ipv6(server):
    async def body(scene):
        answer = await scene.client.ask(
            "create", type="RtpEndpoint", constructorParams={"mediaPipeline": scene.pipeline, "useIpv6": True})
        endpoint = answer["result"]["value"]
        made = await scene.client.ask("invoke", object=endpoint, operation="generateOffer", operationParams={})
        if "error" in made:
            assert "no IPv6 address" in made["error"]["message"]
        else:
            assert "c=IN IP6 " in made["result"]["value"]

    run(server, body)
