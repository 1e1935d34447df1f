"""A client of the control API for tests: JSON-RPC over WebSocket, answers by id, events in the order they came."""

import asyncio
import contextlib
import json

import websockets


class Client:
    def __init__(self, url):
        self.url = url
        self.socket = None
        self.answers = {}
        self.order = []  # ids of answers as they came
        self.unasked = []  # answers without an id
        self.events = []
        self.news = asyncio.Event()
        self.next_id = 1
        self.session = None

    async def __aenter__(self):
        self.socket = await websockets.connect(self.url, max_size=None)
        self.task = asyncio.ensure_future(self.read())
        return self

    async def __aexit__(self, *_):
        await self.close()

    async def close(self):
        await self.socket.close()
        self.task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self.task

    def cut(self):
        """Ends the connection without a word, as a client that was killed."""
        self.socket.transport.abort()

    async def read(self):
        with contextlib.suppress(websockets.ConnectionClosed):
            async for text in self.socket:
                message = json.loads(text)
                if message.get("method") == "onEvent":
                    self.events.append(message["params"]["value"])
                elif message.get("id") is None:
                    self.unasked.append(message)
                else:
                    self.order.append(message["id"])
                    self.answers[message["id"]] = message
                self.news.set()
        self.news.set()

    async def until(self, condition, timeout=10):
        """Waits for messages until the condition gives something, and returns that; None after the time."""
        end = asyncio.get_running_loop().time() + timeout
        while not (found := condition()):
            left = end - asyncio.get_running_loop().time()
            if left <= 0:
                return None
            self.news.clear()
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self.news.wait(), left)
        return found

    async def send(self, text):
        await self.socket.send(text)

    async def ask(self, method, timeout=30, **params):
        """Sends a request and returns its whole answer."""
        number, self.next_id = self.next_id, self.next_id + 1
        request = {"jsonrpc": "2.0", "id": number, "method": method, "params": params}
        await self.send(json.dumps(request))
        answer = await self.until(lambda: self.answers.pop(number, None), timeout)
        assert answer is not None, f"no answer to {method} within {timeout} s"
        if isinstance(answer.get("result"), dict):
            self.session = answer["result"].get("sessionId", self.session)
        return answer

    async def call(self, method, **params):
        """`result.value` of a request that must succeed."""
        answer = await self.ask(method, **params)
        assert "error" not in answer, answer["error"]
        return answer["result"].get("value")

    async def create(self, kind, **params):
        return await self.call("create", type=kind, constructorParams=params)

    async def invoke(self, target, operation, **params):
        return await self.call("invoke", object=target, operation=operation, operationParams=params)

    async def subscribe(self, target, *events):
        for event in events:
            await self.call("subscribe", object=target, type=event)
