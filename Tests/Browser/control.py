"""The control API for tests that wait for each answer, and what such a test needs to call with it."""

import asyncio
import re
import threading
import time

from rpc import Client


class Control:
    """A client of the control API, on a thread of its own. For a `with` block."""

    def __init__(self, server):
        self.client = Client(server.url.replace("http", "ws", 1) + "/kurento")
        self.loop = asyncio.new_event_loop()
        threading.Thread(target=self.loop.run_forever, daemon=True).start()

    def wait(self, what, timeout=30):
        return asyncio.run_coroutine_threadsafe(what, self.loop).result(timeout)

    def __enter__(self):
        self.wait(self.client.__aenter__())
        return self

    def __exit__(self, *_):
        self.wait(self.client.close())
        self.loop.call_soon_threadsafe(self.loop.stop)

    def create(self, kind, **parameters):
        return self.wait(self.client.create(kind, **parameters))

    def endpoint(self, pipeline):
        """A WebRtcEndpoint whose events of connecting are noted."""
        made = self.create("WebRtcEndpoint", mediaPipeline=pipeline)
        self.subscribe(made, "IceCandidateFound", "IceGatheringDone", "ConnectionStateChanged")
        return made

    def gather(self, endpoint):
        self.invoke(endpoint, "gatherCandidates")
        self.until(endpoint, "IceGatheringDone")

    def connected(self, endpoint):
        self.until(endpoint, "ConnectionStateChanged", lambda data: data["newState"] == "CONNECTED")

    def invoke(self, target, operation, **parameters):
        return self.wait(self.client.invoke(target, operation, **parameters))

    def subscribe(self, target, *events):
        self.wait(self.client.subscribe(target, *events))

    def release(self, target):
        self.wait(self.client.call("release", object=target))

    def events(self, target, kind):
        """Data of the events of that type of an object so far."""
        return [event["data"] for event in list(self.client.events)
                if event["object"] == target and event["type"] == kind]

    def until(self, target, kind, fits=lambda data: True, timeout=20):
        """Waits for such an event."""
        end = time.monotonic() + timeout
        while not any(fits(data) for data in self.events(target, kind)):
            assert time.monotonic() < end, f"no {kind} of {target}: {self.events(target, kind)}"
            time.sleep(0.02)


class Caller:
    """A page and its WebRtcEndpoint, linked both ways with `place` (a HubPort) before anything is negotiated."""

    def __init__(self, control, pipeline, place, peer, **options):
        self.control, self.place, self.peer = control, place, peer
        self.endpoint = control.endpoint(pipeline)
        control.invoke(self.endpoint, "connect", sink=place)
        control.invoke(place, "connect", sink=self.endpoint)
        offer = peer.offer(direction="sendrecv", **options)
        peer.accept(control.invoke(self.endpoint, "processOffer", offer=offer))
        control.gather(self.endpoint)
        for found in control.events(self.endpoint, "IceCandidateFound"):
            peer.add({name: found["candidate"][name] for name in ("candidate", "sdpMid", "sdpMLineIndex")})
        control.connected(self.endpoint)

    def leave(self):
        self.control.release(self.endpoint)
        self.control.release(self.place)
        self.peer.stop()


def preferring(offer, codecs):
    """The offer with these codecs first in their lines: browsers send what is first there, whatever they answer."""
    first = re.findall(rf"a=rtpmap:(\d+) (?:{'|'.join(codecs)})/", offer, re.IGNORECASE)
    lines = offer.split("\r\n")
    for at, line in enumerate(lines):
        if line.startswith("m="):
            words = line.split()
            lines[at] = " ".join(words[:3] + sorted(words[3:], key=lambda number: number not in first))
    return "\r\n".join(lines)


class Call:
    """The server calls: a WebRtcEndpoint offers, the peer answers, and what it sends goes back to it, or to another
    element, which gives it what it sees and hears."""

    def __init__(self, server):
        self.control = Control(server).__enter__()
        self.pipeline = self.control.create("MediaPipeline")

    def start(self, peer, video, audio, other=None):
        control, endpoint = self.control, self.control.endpoint(self.pipeline)
        codecs = [codec for codec in (video, audio) if codec]
        control.invoke(endpoint, "connect", sink=other or endpoint)
        if other:
            control.invoke(other, "connect", sink=endpoint)
        options = {"offerToReceiveVideo": bool(video), "offerToReceiveAudio": bool(audio)}
        control.invoke(endpoint, "generateOffer", options=options)
        control.gather(endpoint)
        self.offer = preferring(control.invoke(endpoint, "getLocalSessionDescriptor"), codecs)
        self.answer = peer.answer(self.offer, video, audio)
        control.invoke(endpoint, "processAnswer", answer=self.answer)
        agreed = {name.lower() for name in re.findall(r"a=rtpmap:\d+ ([\w-]+)/", self.answer)} - {"rtx"}
        assert agreed == {codec.lower() for codec in codecs}, f"the answer has {agreed}"
        control.connected(endpoint)
        return self

    def stop(self):
        self.control.release(self.pipeline)
        self.control.__exit__()
