"""Stands between a peer of aiortc and the server, as a router would: sees the marks of what the server sends, and can
lose packets that the peer sends."""

import asyncio
import re
import socket

from aiortc import RTCSessionDescription


def own_address():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(("192.0.2.1", 9))
        return probe.getsockname()[0]


def kind_of(data):
    """What a datagram of WebRTC is (RFC 7983)."""
    if not data:
        return "nothing"
    if data[0] < 4:
        return "STUN"
    if 20 <= data[0] < 64:
        return "DTLS"
    return "SRTCP" if 192 <= data[1] <= 223 else "SRTP"


class Relay:
    """Two sockets; what comes to one leaves from the other."""

    def __init__(self):
        self.marks = {}  # kind of datagram from the server → the marks seen (DSCP, RFC 2474)
        self.lose = lambda data: False  # of what the peer sends
        self.admits = lambda sender: True  # who may speak to the peer
        self.refused = 0
        self.ends = []
        self.others = [None, None]
        for _ in range(2):
            end = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            end.bind((own_address(), 0))
            end.setblocking(False)
            end.setsockopt(socket.IPPROTO_IP, socket.IP_RECVTOS, 1)
            self.ends.append(end)
        loop = asyncio.get_running_loop()
        for index, end in enumerate(self.ends):
            loop.add_reader(end, self.forward, index)

    def close(self):
        for end in self.ends:
            asyncio.get_running_loop().remove_reader(end)
            end.close()

    def forward(self, index):
        """End 0 faces the server, end 1 the peer."""
        try:
            data, control, _, sender = self.ends[index].recvmsg(4000, 100)
        except OSError:
            return
        if index == 0 and not self.admits(sender):
            self.refused += 1
            return
        if index == 0:
            for _, _, value in control:
                self.marks.setdefault(kind_of(data), set()).add(value[0] >> 2)
        elif self.lose(data):
            return
        self.others[index] = sender
        if self.others[1 - index]:
            self.ends[1 - index].sendto(data, self.others[1 - index])

    def candidate(self, index):
        host, port = self.ends[index].getsockname()
        return f"candidate:1 1 udp 2130706431 {host} {port} typ host"

    async def join(self, scene, endpoint, peer, kind="host"):
        """Connects the peer, which offers; each side knows the relay alone, which knows the server's candidates of that
        kind."""
        offer = await peer.offer()
        mine = next(re.finditer(r"a=candidate:\S+ 1 udp \d+ (\d+\.\d+\.\d+\.\d+) (\d+) typ host", offer))
        # aiortc gathers at every address; the one told first is as good as any.
        self.others[1] = (mine[1], int(mine[2]))
        plain = "".join(line for line in offer.splitlines(True) if not line.startswith("a=candidate"))
        await scene.invoke(endpoint, "processOffer", offer=plain)
        await scene.subscribe(endpoint, "IceGatheringDone", "ConnectionStateChanged")
        await scene.invoke(endpoint, "gatherCandidates")
        await scene.event(endpoint, "IceGatheringDone")
        await scene.invoke(
            endpoint, "addIceCandidate",
            candidate={"candidate": self.candidate(0), "sdpMid": "0", "sdpMLineIndex": 0})
        answer = await scene.get(endpoint, "localSessionDescriptor")
        for line in answer.splitlines():
            found = re.match(rf"a=candidate:\S+ 1 udp \d+ (\d+\.\S+) (\d+) typ {kind}", line, re.IGNORECASE)
            if found and not self.others[0]:
                self.others[0] = (found[1], int(found[2]))
        assert self.others[0], f"no candidate of kind {kind} in {answer}"
        lines = [line for line in answer.splitlines() if not line.startswith("a=candidate")]
        at = next(index for index, line in enumerate(lines) if line.startswith("a=ice-ufrag"))
        lines.insert(at, f"a={self.candidate(1)}")
        await peer.connection.setRemoteDescription(RTCSessionDescription("\r\n".join(lines) + "\r\n", "answer"))
        await scene.event(endpoint, "ConnectionStateChanged", newState="CONNECTED")


class Translator:
    """A router with one machine behind it, the server, whose port it has outside too; who comes gets a port inside."""

    def __init__(self, outside, inside, port):
        self.family = socket.AF_INET6 if ":" in outside else socket.AF_INET
        self.server, self.inner, self.count = (inside, port), {}, 0
        self.outer = self.open((outside, port), self.come_in)

    def open(self, address, reader):
        opened = socket.socket(self.family, socket.SOCK_DGRAM)
        opened.bind(address)
        opened.setblocking(False)
        asyncio.get_running_loop().add_reader(opened, reader, opened)
        return opened

    def come_in(self, outer):
        data, sender = outer.recvfrom(4000)
        if sender not in self.inner:
            self.inner[sender] = self.open((self.server[0], 0), lambda inner: self.go_out(inner, sender))
        self.inner[sender].sendto(data, self.server)
        self.count += 1

    def go_out(self, inner, to):
        self.outer.sendto(inner.recv(4000), to)

    def close(self):
        for each in [self.outer, *self.inner.values()]:
            asyncio.get_running_loop().remove_reader(each)
            each.close()
