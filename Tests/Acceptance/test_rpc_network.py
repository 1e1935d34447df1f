"""The table of members: how a WebRtcEndpoint is reached, with servers and routers of our own."""

import asyncio
import contextlib
import shutil
import socket
import struct
import subprocess

import pytest
from aiortc import RTCSessionDescription
from live import Peer, Picture
from relay import Relay, Translator, own_address
from rpc_scene import covers, run, server  # noqa: F401
from test_rpc_peers import free_port, without_candidates

import live


class Responder(asyncio.DatagramProtocol):
    """A STUN server that says everybody comes from 203.0.113.9:4321 (RFC 8489), and notes who asked it for what."""

    asked = 0

    def connection_made(self, transport):
        self.transport = transport

    def datagram_received(self, data, address):
        if len(data) < 20 or data[4:8] != b"\x21\x12\xa4\x42":
            return
        (kind,) = struct.unpack(">H", data[:2])
        if kind == 0x0003:  # Allocate
            self.asked += 1
        if kind != 0x0001:
            return
        port = 4321 ^ 0x2112
        place = bytes(a ^ b for a, b in zip(bytes([203, 0, 113, 9]), b"\x21\x12\xa4\x42"))
        attribute = struct.pack(">HHBBH", 0x0020, 8, 0, 1, port) + place
        self.transport.sendto(struct.pack(">HH", 0x0101, len(attribute)) + data[4:20] + attribute, address)


async def gathered(scene, **settings):
    """The candidates of a fresh endpoint with such settings, as lists of words."""
    endpoint = await scene.new("WebRtcEndpoint")
    for name, value in settings.items():
        await scene.set(endpoint, **{name: value})
        assert await scene.get(endpoint, name) == value, name
    await scene.subscribe(endpoint, "IceCandidateFound", "IceGatheringDone")
    await scene.invoke(endpoint, "generateOffer")
    await scene.invoke(endpoint, "gatherCandidates")
    await scene.event(endpoint, "IceGatheringDone", 15)
    found = [event["candidate"]["candidate"] for event in scene.events(endpoint, "IceCandidateFound")]
    await scene.client.call("release", object=endpoint)
    return [text.split() for text in dict.fromkeys(found)]


@covers("WebRtcEndpoint", "networkInterfaces iceTcp stunServerAddress stunServerPort turnUrl externalIPv4 externalIPv6")
def test_network_settings(server):
    async def body(scene):
        endpoint = await scene.new("WebRtcEndpoint")
        names = ["networkInterfaces", "iceTcp", "stunServerAddress", "stunServerPort", "turnUrl", "externalIPv4",
                 "externalIPv6"]
        assert [await scene.get(endpoint, name) for name in names] == ["", True, "", 3478, "", "", ""]
        plain = await gathered(scene)
        assert any(words[2].lower() == "tcp" for words in plain) and any(words[2].lower() == "udp" for words in plain)
        assert not any(words[2].lower() == "tcp" for words in await gathered(scene, iceTcp=False))
        assert {words[4] for words in await gathered(scene, networkInterfaces="lo")} <= {"127.0.0.1", "::1"}
        moved = await gathered(scene, externalIPv4="192.0.2.7", externalIPv6="2001:db8::7")
        for words in moved:
            if words[words.index("typ") + 1] == "host":
                assert words[4] in ("192.0.2.7", "2001:db8::7")
        loop = asyncio.get_running_loop()
        transport, responder = await loop.create_datagram_endpoint(Responder, local_addr=("0.0.0.0", 0))
        port = transport.get_extra_info("sockname")[1]
        try:
            found = await gathered(scene, stunServerAddress=own_address(), stunServerPort=port)
            assert [words[4:6] for words in found if "srflx" in words] == [["203.0.113.9", "4321"]], found
            await gathered(scene, turnUrl=f"me:secret@{own_address()}:{port}?transport=udp")
            assert responder.asked, "the TURN server was not asked"
        finally:
            transport.close()

    run(server, body)


@contextlib.contextmanager
def turn_server(folder):
    """A coturn on a free port of this machine, as what stands before `?` in a `turnUrl`."""
    if not shutil.which("turnserver"):
        pytest.skip("coturn is not installed: script/bootstrap")
    here, port = own_address(), free_port()
    process = subprocess.Popen([
        "turnserver", "-n", "--no-cli", "--no-tls", "--no-dtls", "-L", here, "-E", here, "-p", str(port), "-a",
        "-u", "me:secret", "-r", "example.org", "--log-file", "stdout", "--simple-log",
        "--pidfile", folder / "turn.pid", "-b", folder / "turn.db"],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
            asking.settimeout(0.2)
            for _ in range(50):
                asking.sendto(struct.pack(">HHI12x", 1, 0, 0x2112A442), (here, port))
                with contextlib.suppress(OSError):
                    asking.recv(2000)
                    break
            else:
                raise AssertionError("coturn does not answer")
        yield f"me:secret@{here}:{port}"
    finally:
        process.terminate()
        process.wait()


@covers("WebRtcEndpoint", "turnUrl ICECandidatePairs")
@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_turn(server, tmp_path, transport):
    """The pictures of a peer whose firewall lets in only what comes from the TURN server; the pair in use."""

    async def body(scene, url):
        endpoint = await scene.new("WebRtcEndpoint")
        await scene.set(endpoint, turnUrl=f"{url}?transport={transport}")
        await scene.link(endpoint, endpoint)
        firewall, peer = Relay(), Peer("").send(Picture(), direction="sendrecv")
        firewall.admits = lambda sender: sender == firewall.others[0]
        try:
            await firewall.join(scene, endpoint, peer, "relay")
            await live.until(lambda: len(peer.frames["video"]) > 5, 20, "nothing came through the server")
            assert firewall.refused, "what came from elsewhere was not let in"
            pairs = await scene.get(endpoint, "ICECandidatePairs")
            assert ["typ relay" in pair["localCandidate"] for pair in pairs] == [True], pairs
            host, port = firewall.others[0]
            assert f" {host} {port} " in pairs[0]["localCandidate"]
        finally:
            await peer.close()
            firewall.close()

    with turn_server(tmp_path) as url:
        run(server, body, url)


@covers("WebRtcEndpoint", "externalIPv4 externalIPv6")
@pytest.mark.parametrize("family, outside", [(4, "127.0.0.77"), (6, "::1")])
def test_external_addresses(server, family, outside):
    """The pictures of a peer that is told the address outside alone, at which a router stands; the server does not know
    where the peer is."""

    async def body(scene):
        endpoint = await scene.new("WebRtcEndpoint")
        await scene.set(endpoint, iceTcp=False)
        await scene.link(endpoint, endpoint)
        plain = [words for words in await gathered(scene, iceTcp=False) if (":" in words[4]) == (family == 6)]
        if not plain:
            pytest.skip(f"this machine has no IPv{family} address")
        router = Translator(outside, plain[0][4], int(plain[0][5]))
        peer = Peer("").send(Picture(), direction="sendrecv")
        try:
            await scene.set(endpoint, **{f"externalIPv{family}": outside})
            await scene.subscribe(endpoint, "IceGatheringDone")
            await scene.invoke(endpoint, "processOffer", offer=without_candidates(await peer.offer()))
            await scene.invoke(endpoint, "gatherCandidates")
            await scene.event(endpoint, "IceGatheringDone")
            answer = await scene.get(endpoint, "localSessionDescriptor")
            lines = [line for line in answer.splitlines(True)
                     if not line.startswith("a=candidate") or (":" in line.split()[4]) == (family == 6)]
            told = {line.split()[4] for line in lines if line.startswith("a=candidate")}
            assert told == {outside}
            await peer.connection.setRemoteDescription(RTCSessionDescription("".join(lines), "answer"))
            await live.until(lambda: len(peer.frames["video"]) > 5, 20, "nothing came through the router")
            before = router.count
            await live.until(lambda: router.count > before + 20, 10, "it does not go on through the router")
            (pair,) = await scene.get(endpoint, "ICECandidatePairs")
            assert f" {outside} " in pair["localCandidate"]
        finally:
            await peer.close()
            router.close()

    run(server, body)
