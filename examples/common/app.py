"""What every example needs beside its own idea: it serves its page and talks with the browsers that open it.

    python3 server.py [--port 8443] [--tessera ws://localhost:8888/kurento]
"""

import argparse
import asyncio
import http
import json
import mimetypes
import pathlib
import sys

import websockets
from websockets.asyncio.server import serve
from websockets.datastructures import Headers
from websockets.http11 import Response

from tessera import Tessera, TesseraError

COMMON = pathlib.Path(__file__).parent


class Browser:
    """One open page. Messages are JSON objects whose `id` says what they are."""

    def __init__(self, socket):
        self.socket = socket
        self.peer = None

    async def send(self, id, **message):
        try:
            await self.socket.send(json.dumps({"id": id, **message}))
        except websockets.ConnectionClosed:
            pass

    async def messages(self):
        """Messages of the page until it is closed. Candidates go straight to the peer."""
        async for text in self.socket:
            message = json.loads(text)
            if message["id"] != "candidate":
                yield message
            elif self.peer:
                await self.peer.candidate(message["candidate"])


def static(folder):
    """Answers plain HTTP requests with the files of the example and of `common`."""

    def respond(connection, request):
        if request.path == "/ws":
            return None
        name = request.path.split("?")[0].lstrip("/") or "index.html"
        for place in (folder, COMMON):
            file = (place / name).resolve()
            if file.is_file() and file.is_relative_to(place) and file.suffix in (".html", ".js", ".css"):
                body = file.read_bytes()
                headers = Headers({
                    "Content-Type": mimetypes.guess_type(file.name)[0] + "; charset=utf-8",
                    "Content-Length": str(len(body)), "Cache-Control": "no-store"})
                return Response(http.HTTPStatus.OK.value, "OK", headers, body)
        return connection.respond(http.HTTPStatus.NOT_FOUND, f"There is nothing at {request.path}.\n")

    return respond


def run(file, session, start=None):
    """Runs an example.

    `session(tessera, browser, shared)` is called for every page that is opened and ends with it; `start(tessera)`,
    where given, once before, and what it returns is `shared`.
    """
    arguments = argparse.ArgumentParser(description="An example application for Tessera.")
    arguments.add_argument("--port", type=int, default=8443, help="port of the page (default 8443)")
    arguments.add_argument("--tessera", default="ws://localhost:8888/kurento", help="where Tessera listens")
    options = arguments.parse_args()
    folder = pathlib.Path(file).resolve().parent

    async def main():
        async with Tessera(options.tessera) as tessera:
            shared = await start(tessera) if start else None

            async def opened(socket):
                browser = Browser(socket)
                try:
                    await session(tessera, browser, shared)
                except TesseraError as error:
                    await socket.close(1011, str(error)[:120])
                except websockets.ConnectionClosed:
                    pass

            async with serve(opened, "127.0.0.1", options.port, process_request=static(folder), max_size=1 << 20) as server:
                print(f"http://localhost:{server.sockets[0].getsockname()[1]}/", flush=True)
                # As long as Tessera is there. Not the task itself: who is cancelled cancels what it waits for, and pages
                # that are closed at the end still have something to say.
                await asyncio.wait([tessera.reader])
                sys.exit("Tessera has closed the connection.")

    try:
        asyncio.run(main())
    except KeyboardInterrupt:
        pass
    except OSError as error:
        sys.exit(f"Tessera cannot be reached at {options.tessera} ({error}); script/server starts it.")
