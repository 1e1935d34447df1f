"""What the tests of `tessera serve` share: the running server, plain HTTP, and peers made with aiortc.

aiortc comes from `.venv`, which script/bootstrap makes.
"""

import asyncio
import fractions
import json
import signal
import time
import urllib.error
import urllib.request

import av
import numpy
from aiortc import MediaStreamTrack, RTCConfiguration, RTCIceServer, RTCPeerConnection, RTCSessionDescription

import tools


class Answer:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body
        self.text = body.decode(errors="replace")

    @property
    def json(self):
        return json.loads(self.text)


def request(method: str, url: str, body: str | bytes | None = None, **headers) -> Answer:
    """One HTTP request; header names with underscores for hyphens. Errors of the server are answers too."""
    data = body.encode() if isinstance(body, str) else body
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    asked = urllib.request.Request(url, data=data, method=method, headers=named)
    try:
        with urllib.request.urlopen(asked, timeout=20) as answer:
            return Answer(answer.status, answer.headers, answer.read())
    except urllib.error.HTTPError as error:
        return Answer(error.code, error.headers, error.read())


async def ask(*arguments, **headers) -> Answer:
    return await asyncio.to_thread(request, *arguments, **headers)


class Picture(MediaStreamTrack):
    """A plain colour with a bar that moves, 30 pictures a second."""

    kind = "video"

    def __init__(self, colour=(81, 90, 240), size=(640, 360)):
        super().__init__()
        self.colour, self.size, self.count, self.began = colour, size, 0, None

    async def recv(self):
        self.began = self.began or time.monotonic()
        wait = self.began + self.count / 30 - time.monotonic()
        if wait > 0:
            await asyncio.sleep(wait)
        width, height = self.size
        planes = [numpy.full((height, width), self.colour[0], numpy.uint8)]
        planes += [numpy.full((height // 2, width // 2), value, numpy.uint8) for value in self.colour[1:]]
        bar = self.count * 8 % (width - 16)
        planes[0][:, bar:bar + 16] = 235
        data = numpy.concatenate([plane.reshape(-1) for plane in planes]).reshape(height * 3 // 2, width)
        frame = av.VideoFrame.from_ndarray(data, format="yuv420p")
        frame.pts, frame.time_base = self.count * 3000, fractions.Fraction(1, 90000)
        self.count += 1
        return frame


class Tone(MediaStreamTrack):
    """A sine, 48 kHz mono."""

    kind = "audio"

    def __init__(self, hertz=440):
        super().__init__()
        self.hertz, self.count, self.began = hertz, 0, None

    async def recv(self):
        self.began = self.began or time.monotonic()
        wait = self.began + self.count * 0.02 - time.monotonic()
        if wait > 0:
            await asyncio.sleep(wait)
        samples = numpy.arange(self.count * 960, (self.count + 1) * 960)
        wave = (8000 * numpy.sin(2 * numpy.pi * self.hertz * samples / 48000)).astype(numpy.int16)
        frame = av.AudioFrame.from_ndarray(wave.reshape(1, -1), format="s16", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = 48000, self.count * 960, fractions.Fraction(1, 48000)
        self.count += 1
        return frame


class Peer:
    """A WebRTC client: publishes tracks, receives what comes, speaks WHIP and WHEP. `servers` as browsers take them."""

    def __init__(self, url: str, token: str | None = None, servers: list[dict] = []):
        self.url, self.token = url, token
        self.connection = RTCPeerConnection(RTCConfiguration([RTCIceServer(**server) for server in servers]))
        self.frames = {"audio": [], "video": []}
        self.tasks = []
        self.connection.on("track", lambda track: self.tasks.append(asyncio.ensure_future(self._read(track))))

    async def _read(self, track):
        try:
            while True:
                frame = await track.recv()
                frames = self.frames[track.kind]
                frames.append((time.monotonic(), frame))
                del frames[:-400]
        except Exception:  # the track has ended
            pass

    def send(self, *tracks, direction="sendonly"):
        for track in tracks:
            self.connection.addTransceiver(track, direction=direction)
        return self

    def receive(self, *kinds):
        for kind in kinds or ("video", "audio"):
            self.connection.addTransceiver(kind, direction="recvonly")
        return self

    async def offer(self) -> str:
        await self.connection.setLocalDescription(await self.connection.createOffer())
        return self.connection.localDescription.sdp

    async def answer_to(self, offer: str) -> str:
        await self.connection.setRemoteDescription(RTCSessionDescription(offer, "offer"))
        await self.connection.setLocalDescription(await self.connection.createAnswer())
        return self.connection.localDescription.sdp

    @property
    def headers(self):
        return {"Authorization": f"Bearer {self.token}"} if self.token else {}

    async def join(self) -> "Peer":
        answer = await ask("POST", self.url, await self.offer(), Content_Type="application/sdp", **self.headers)
        assert answer.status == 201, f"{answer.status} {answer.text}"
        self.answer = answer
        self.session = self.url.split("/wh")[0] + answer.headers["Location"]
        await self.connection.setRemoteDescription(RTCSessionDescription(answer.text, "answer"))
        return self

    async def connected(self, timeout=10):
        await until(lambda: self.connection.connectionState == "connected", timeout, "no connection")
        return self

    async def leave(self):
        answer = await ask("DELETE", self.session, **self.headers)
        await self.close()
        return answer

    async def close(self):
        await self.connection.close()
        for task in self.tasks:
            task.cancel()


async def until(condition, timeout=10, what="it did not happen"):
    end = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < end, f"{what} within {timeout} s"
        await asyncio.sleep(0.02)


# --- the server ----------------------------------------------------------------------------------------------------


class Server:
    """`tessera serve` on free ports, for a `with` block; ends with SIGTERM. `document` empty: the control API alone."""

    def __init__(self, document="pipelines/live-grid.json", *arguments, prefix=()):
        documents = [document] if document else []
        self.arguments, self.prefix = ["serve", *documents, "--port", "0", *map(str, arguments)], prefix

    def __enter__(self):
        self.run = tools.Started(*self.arguments, prefix=self.prefix)
        self.result = None
        end = time.monotonic() + 20
        while b"\n" not in self.run._texts[0]:
            assert self.run.process.poll() is None and time.monotonic() < end, self.run._texts[1].decode()
            time.sleep(0.01)
        self.url = self.run._texts[0].decode().splitlines()[0].rstrip("/")
        return self

    def __exit__(self, kind, *_):
        if self.result is None:
            self.end()
        if kind is None:
            assert self.result.status == 0, f"exit status {self.result.status}\n{self.result.err}"

    def end(self, number=signal.SIGTERM):
        """Ends the server and returns the finished run."""
        self.run.signal(number)
        self.result = self.run.finish(30)
        return self.result

    def peer(self, role, door="grid", token=None) -> Peer:
        return Peer(f"{self.url}/{role}/{door}", token)

    @property
    def stats(self) -> dict:
        return request("GET", self.url + "/stats").json
