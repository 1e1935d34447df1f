"""A client of the control API in a hundred lines: JSON-RPC 2.0 over one WebSocket."""

import asyncio
import contextlib
import itertools
import json

import websockets


class TesseraError(Exception):
    """The server refused a request; `code` says which way."""

    def __init__(self, error):
        super().__init__(f"{error.get('message')} ({error.get('code')})")
        self.code = error.get("code")


class Tessera:
    """One connection, one session. Use as `async with Tessera(url) as tessera:`."""

    def __init__(self, url="ws://localhost:8888/kurento"):
        self.url = url
        self.session = None
        self.ids = itertools.count(1)
        self.waiting = {}
        self.handlers = {}
        self.tasks = set()

    async def __aenter__(self):
        self.socket = await websockets.connect(self.url, max_size=None)
        self.reader = asyncio.create_task(self.read())
        return self

    async def __aexit__(self, *_):
        # What belongs to the session ends with it, not minutes later.
        with contextlib.suppress(websockets.ConnectionClosed):
            await self.request("closeSession")
        self.reader.cancel()
        await self.socket.close()

    async def read(self):
        with contextlib.suppress(websockets.ConnectionClosed):
            async for text in self.socket:
                message = json.loads(text)
                if message.get("method") == "onEvent":
                    self.tell(**message["params"]["value"])
                elif waiter := self.waiting.pop(message.get("id"), None):
                    waiter.set_result(message)
        for waiter in self.waiting.values():
            waiter.set_exception(ConnectionError("Tessera has closed the connection"))

    def tell(self, object, type, data, **_):
        for handler in self.handlers.get((object, type), []):
            result = handler(data)
            if asyncio.iscoroutine(result):
                # Somebody has to hold a task while it runs.
                task = asyncio.create_task(result)
                self.tasks.add(task)
                task.add_done_callback(self.tasks.discard)

    async def request(self, method, **params):
        """Sends one request and returns `result` of its answer."""
        number = next(self.ids)
        if self.session:
            params["sessionId"] = self.session
        self.waiting[number] = waiter = asyncio.get_running_loop().create_future()
        await self.socket.send(json.dumps({"jsonrpc": "2.0", "id": number, "method": method, "params": params}))
        answer = await waiter
        if "error" in answer:
            raise TesseraError(answer["error"])
        self.session = (answer["result"] or {}).get("sessionId", self.session)
        return answer["result"]

    async def create(self, type, **parameters):
        """Makes an object and returns its id."""
        return (await self.request("create", type=type, constructorParams=parameters))["value"]

    async def invoke(self, object, operation, **parameters):
        """Calls a method (or `get…`, `set…` of a property) and returns what it returns."""
        result = await self.request("invoke", object=object, operation=operation, operationParams=parameters)
        return result.get("value")

    async def connect(self, source, sink, media=None):
        """Lets the media of one element flow to another: all kinds, or AUDIO, VIDEO or DATA."""
        await self.invoke(source, "connect", sink=sink, **({"mediaType": media} if media else {}))

    async def on(self, object, event, handler):
        """Calls `handler(data)` at each event of that type of that object."""
        self.handlers.setdefault((object, event), []).append(handler)
        await self.request("subscribe", object=object, type=event)

    async def release(self, object):
        """Ends an object and everything that belongs to it."""
        self.handlers = {key: value for key, value in self.handlers.items() if not key[0].startswith(object)}
        await self.request("release", object=object)


class Peer:
    """A browser's WebRTC connection: a WebRtcEndpoint here, an RTCPeerConnection there."""

    @classmethod
    async def make(cls, tessera, pipeline, browser, **options):
        self = cls()
        self.tessera = tessera
        self.id = await tessera.create("WebRtcEndpoint", mediaPipeline=pipeline, **options)
        await tessera.on(
            self.id, "IceCandidateFound", lambda data: browser.send("candidate", candidate=data["candidate"]))
        return self

    async def answer(self, offer):
        """Takes the browser's offer; returns the answer. Candidates follow by themselves."""
        answer = await self.tessera.invoke(self.id, "processOffer", offer=offer)
        await self.tessera.invoke(self.id, "gatherCandidates")
        return answer

    async def candidate(self, candidate):
        """Takes a candidate of the browser."""
        await self.tessera.invoke(
            self.id, "addIceCandidate",
            candidate={name: candidate[name] for name in ("candidate", "sdpMid", "sdpMLineIndex")})

    async def release(self):
        await self.tessera.release(self.id)
