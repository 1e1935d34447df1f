"""Replays what a client of Kurento sent and compares the answers: Fixtures/rpc-transcript.jsonl.

One line is one step: a request with its answer, an event that came then, or the end of a connection. `U1`, `U2` … stand
for ids that the server chose, the same one each time; `<int>`, `<text>` and so on for what differs from run to run.
`<sdp 291>` in a request is the description that request 291 was answered with.

Where Tessera answers otherwise, Fixtures/rpc-differences.json has its answer and the reason, which
docs/kurento-differences.md explains.
"""

import asyncio
import json
import pathlib
import re

import live
import websockets
from rpc import Client

FOLDER = pathlib.Path(__file__).parent / "Fixtures"
STEPS = [json.loads(line) for line in (FOLDER / "rpc-transcript.jsonl").read_text().splitlines()]
DIFFERENCES = json.loads((FOLDER / "rpc-differences.json").read_text())
DOCUMENT = pathlib.Path(__file__).parents[2] / "docs" / "kurento-differences.md"

LOOSE = {
    "<int>": lambda v: isinstance(v, int) or (isinstance(v, str) and v.isdigit()),
    "<number>": lambda v: isinstance(v, (int, float)),
    "<text>": lambda v: isinstance(v, str),
    "<sdp>": lambda v: isinstance(v, str) and v.startswith("v=0\r\n") and "\r\nm=" in v,
    "<dot>": lambda v: isinstance(v, str) and v.startswith("digraph"),
    "<kmd>": lambda v: isinstance(v, str) and "remoteClasses" in json.loads(v),
    "<any>": lambda v: True,
}
# What is worded for people and names no fact of the protocol.
IGNORED = {"detail"}


def matches(expected, found, ids):
    """Whether an answer is as expected; learns ids."""
    if isinstance(expected, str):
        if expected in LOOSE:
            return LOOSE[expected](found)
        if not isinstance(found, str):
            return False
        return match_text(expected, found, ids)
    if isinstance(expected, dict):
        if not isinstance(found, dict) or len(expected) != len([key for key in found if key not in IGNORED]):
            return False
        left = dict(found)
        for key, value in sorted(expected.items()):
            hit = next((k for k in left if match_text(key, k, ids)), None)
            if hit is None or not matches(value, left.pop(hit), ids):
                return False
        return True
    if isinstance(expected, list):
        if not isinstance(found, list) or len(expected) != len(found):
            return False
        # Kurento's lists stand in no order.
        left = list(found)
        for value in expected:
            for index, candidate in enumerate(left):
                trial = dict(ids)
                if matches(value, candidate, trial):
                    ids.update(trial)
                    del left[index]
                    break
            else:
                return False
        return True
    return expected == found and isinstance(expected, bool) == isinstance(found, bool)


def match_text(expected, found, ids):
    pattern, names = "", []
    for part in re.split(r"\b(U\d+)(?=_|/|'|\b)", expected):
        if re.fullmatch(r"U\d+", part):
            if part in ids:
                pattern += re.escape(ids[part])
            elif part in names:
                pattern += f"(?P={part})"
            else:
                names.append(part)
                pattern += rf"(?P<{part}>[0-9a-fA-F-]{{36}}|[^/'_]+)"
        else:
            pattern += re.escape(part)
    match = re.fullmatch(pattern, found, re.DOTALL)
    if match:
        ids.update(match.groupdict())
    return bool(match)


def is_like(expected, found):
    """Equal, or ends as a text that begins with … says."""
    return found == expected or expected[0] == "…" and str(found).endswith(expected[1:])


class Replay:
    def __init__(self, url):
        self.url = url
        self.ids = {}
        self.sdps = {}
        self.clients = {}
        self.problems = []
        self.used = set()
        self.expected_events, self.events = [], []

    async def client(self, name):
        if name not in self.clients:
            self.clients[name] = await Client(self.url).__aenter__()
        return self.clients[name]

    async def close(self, name):
        if name in self.clients:
            client = self.clients.pop(name)
            self.events += [(name, event) for event in client.events]
            await client.close()

    def fill(self, value):
        if isinstance(value, dict):
            return {key: self.fill(entry) for key, entry in value.items()}
        if isinstance(value, list):
            return [self.fill(entry) for entry in value]
        if not isinstance(value, str):
            return value
        if found := re.fullmatch(r"<sdp (\d+)>", value):
            return self.sdps.get(int(found[1]), "")
        return re.sub(r"\bU\d+(?=_|/|\b)", lambda m: self.ids.get(m[0], m[0]), value)

    async def step(self, step):
        name, request = step["on"], step["send"]
        number = request.get("id")
        if name == "M(with session)" and request.get("method") == "connect":
            await self.close(name)
        client = await self.client(name)
        text = request["text"] if list(request) == ["text"] else json.dumps(self.fill(request))
        before = len(client.unasked)
        await client.send(text)
        answer = await client.until(
            lambda: (client.answers.pop(number, None) if isinstance(number, (int, str)) else None)
            or (client.unasked[before] if len(client.unasked) > before else None)
        )
        key = str(number) if f"{number}" in DIFFERENCES else f"{name} {text}"
        expected = step["answer"]
        if key in DIFFERENCES:
            self.used.add(key)
            expected = DIFFERENCES[key]["answer"]
        if not matches(expected, answer, self.ids):
            wanted, found = json.dumps(self.fill(expected)), json.dumps(answer)
            self.problems.append(f"{name} > {text}\n  expected {wanted}\n  found    {found}")
        value = answer["result"].get("value") if answer and isinstance(answer.get("result"), dict) else None
        if isinstance(value, str) and value.startswith("v=0"):
            self.sdps[number] = value

    async def run(self):
        for step in STEPS:
            if "send" in step:
                await self.step(step)
            elif step.get("closed", "").startswith("1000"):
                await self.close(step["on"])
            elif "event" in step:
                self.expected_events.append((step["on"], step["event"]))
        await asyncio.sleep(0.2)
        for name in list(self.clients):
            await self.close(name)

    def check_events(self):
        """The same events came on the same connections. What the network decides about is another test's."""

        def counts(name, event):
            kind = event["type"]
            return not kind.startswith(("Ice", "Dtls", "NewCandidate", "Error"))

        expected = [(n, e) for n, e in self.expected_events if counts(n, e)]
        left = [(n, {**e, "data": {k: v for k, v in e["data"].items() if k != "timestampMillis"}})
                for n, e in self.events if counts(n, e)]
        for name, event in expected:
            trial = next((pair for pair in left if pair[0] == name and matches(event, pair[1], dict(self.ids))), None)
            if trial is None:
                self.problems.append(f"{name} ! did not come: {json.dumps(self.fill(event))}")
            else:
                left.remove(trial)
        extra = DIFFERENCES["events"]["extra"]
        for name, event in left:
            if any(all(is_like(v, {**event, **event["data"]}.get(k)) for k, v in one.items()) for one in extra):
                continue
            self.problems.append(f"{name} ! came and was not expected: {json.dumps(event)}")


def test_answers():
    with live.Server("") as server:
        url = server.url.replace("http", "ws", 1) + "/kurento"
        replay = Replay(url)
        asyncio.run(replay.run())
    replay.check_events()
    unused = set(DIFFERENCES) - replay.used - {"events"}
    assert not unused, f"differences that did not come up: {unused}"
    assert not replay.problems, f"{len(replay.problems)} differences\n" + "\n".join(replay.problems)


def test_differences_are_explained():
    text = DOCUMENT.read_text()
    for key, difference in DIFFERENCES.items():
        assert f"### {difference['reason']}" in text, f"{key}: {DOCUMENT.name} has no section “{difference['reason']}”"


def test_wrong_path():
    async def run(url):
        async with websockets.connect(url) as socket:
            try:
                await socket.recv()
            except websockets.ConnectionClosed as end:
                return end.rcvd.code, end.rcvd.reason

    with live.Server("") as server:
        url = server.url.replace("http", "ws", 1) + "/other"
        assert asyncio.run(run(url)) == (1002, "Invalid path")
