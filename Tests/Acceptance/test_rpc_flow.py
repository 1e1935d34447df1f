"""The flow of events of two connected WebRtcEndpoints, driven over the control API: player → A ⇄ B → PassThrough. The
same events as from a Kurento, each once, in an order that applications written for it can rely on."""

import asyncio

import live
from rpc import Client

EVENTS = {
    "player": [
        "ElementConnected", "UriEndpointStateChanged", "EndOfStream", "MediaFlowOutStateChanged",
        "MediaTranscodingStateChanged", "Error",
    ],
    "endpoint": [
        "ElementConnected", "MediaSessionStarted", "IceCandidateFound", "IceGatheringDone",
        "IceComponentStateChanged", "NewCandidatePairSelected", "DtlsConnectionStateChange", "ConnectionStateChanged",
        "MediaStateChanged", "MediaFlowInStateChanged", "MediaFlowOutStateChanged", "MediaTranscodingStateChanged",
        "DataChannelOpened", "Error",
    ],
    "thru": ["MediaFlowInStateChanged", "MediaFlowOutStateChanged"],
}


class Flow:
    def __init__(self, client, names):
        self.client = client
        self.names = names

    @property
    def events(self):
        """(who, event, what makes it one of several)."""
        shown = []
        for event in self.client.events:
            data = event["data"]
            what = data.get("mediaType") or data.get("newState") or data.get("state") or ""
            if event["type"].startswith("MediaFlow"):
                what = f"{data['mediaType']} {data['state']}"
            shown.append((self.names.get(event["object"], "?"), event["type"], what))
        return shown

    async def until(self, *wanted, timeout=15):
        found = await self.client.until(lambda: all(one in self.events for one in wanted), timeout)
        assert found, f"missing: {[one for one in wanted if one not in self.events]}\nseen: {self.events}"

    def in_order(self, *steps):
        """Each of them came, the first of each after the first of the one before."""
        places = []
        for step in steps:
            assert step in self.events, f"{step} did not come: {self.events}"
            places.append(self.events.index(step))
        assert places == sorted(places), list(zip(steps, places))


async def flow(url, clip):
    async with Client(url) as client:
        pipeline = await client.create("MediaPipeline")
        player = await client.create("PlayerEndpoint", mediaPipeline=pipeline, uri=f"file://{clip}")
        a, b = [await client.create("WebRtcEndpoint", mediaPipeline=pipeline, useDataChannels=True) for _ in "ab"]
        thru = await client.create("PassThrough", mediaPipeline=pipeline)
        flow = Flow(client, {player: "player", a: "A", b: "B", thru: "thru"})
        for target, kind in [(player, "player"), (a, "endpoint"), (b, "endpoint"), (thru, "thru")]:
            await client.subscribe(target, *EVENTS[kind])

        await client.invoke(player, "connect", sink=a)
        await client.invoke(b, "connect", sink=thru)
        kinds = ["AUDIO", "VIDEO", "DATA"]
        assert flow.events == [(who, "ElementConnected", kind) for who in ["player", "B"] for kind in kinds]

        offer = await client.invoke(a, "generateOffer")
        answer = await client.invoke(b, "processOffer", offer=offer)
        await client.invoke(a, "processAnswer", answer=answer)
        lines = [line.split()[0][2:] for line in offer.splitlines() if line.startswith("m=")]
        assert lines == ["audio", "video", "application"]
        await flow.until(("A", "MediaSessionStarted", ""), ("B", "MediaSessionStarted", ""))

        # Trickle: what one finds goes to the other.
        passed = {a: 0, b: 0}

        async def trickle():
            for source, sink in [(a, b), (b, a)]:
                found = [e["data"]["candidate"] for e in client.events
                         if e["object"] == source and e["type"] == "IceCandidateFound"]
                for candidate in found[passed[source]:]:
                    passed[source] += 1
                    await client.invoke(sink, "addIceCandidate", candidate=candidate)

        for endpoint in [a, b]:
            await client.invoke(endpoint, "gatherCandidates")
        up = {(who, "ConnectionStateChanged", "CONNECTED") for who in "AB"}
        for _ in range(100):
            await trickle()
            if up <= set(flow.events):
                break
            await asyncio.sleep(0.05)
        for who in "AB":
            flow.in_order(
                (who, "MediaSessionStarted", ""),
                (who, "IceComponentStateChanged", "GATHERING"),
                (who, "IceCandidateFound", ""),
                (who, "IceComponentStateChanged", "CONNECTING"),
                (who, "NewCandidatePairSelected", ""),
                (who, "IceComponentStateChanged", "CONNECTED"),
                (who, "ConnectionStateChanged", "CONNECTED"),
            )
            flow.in_order((who, "IceCandidateFound", ""), (who, "IceGatheringDone", ""))
            flow.in_order(
                (who, "DtlsConnectionStateChange", "CONNECTING"),
                (who, "DtlsConnectionStateChange", "CONNECTED"),
                (who, "ConnectionStateChanged", "CONNECTED"),
            )
            await flow.until((who, "IceComponentStateChanged", "READY"))

        await client.invoke(player, "play")
        media = [
            (who, event, f"{kind} FLOWING")
            for who, event in [
                ("player", "MediaFlowOutStateChanged"), ("A", "MediaFlowInStateChanged"),
                ("B", "MediaFlowOutStateChanged"), ("thru", "MediaFlowInStateChanged"),
                ("thru", "MediaFlowOutStateChanged"),
            ]
            for kind in ["AUDIO", "VIDEO"]
        ]
        await flow.until(*media, ("A", "MediaStateChanged", "CONNECTED"), ("B", "MediaStateChanged", "CONNECTED"))
        flow.in_order(
            ("player", "UriEndpointStateChanged", "START"),
            ("player", "MediaFlowOutStateChanged", "VIDEO FLOWING"),
            ("A", "MediaFlowInStateChanged", "VIDEO FLOWING"),
            ("B", "MediaFlowOutStateChanged", "VIDEO FLOWING"),
            ("thru", "MediaFlowInStateChanged", "VIDEO FLOWING"),
        )
        assert await client.invoke(a, "isMediaFlowingIn", mediaType="VIDEO") is True

        await flow.until(("player", "EndOfStream", ""), ("player", "UriEndpointStateChanged", "STOP"))
        ends = [(who, event, what.replace("FLOWING", "NOT_FLOWING")) for who, event, what in media]
        await flow.until(*ends)

        times = [int(event["data"]["timestampMillis"]) for event in client.events]
        assert times == sorted(times)
        assert not [one for one in flow.events if one[1] == "Error"]
        once = [one for one in flow.events if one[1] in ("MediaSessionStarted", "IceGatheringDone", "EndOfStream")]
        assert len(once) == len(set(once))
        count = len(client.events)
        await client.ask("release", object=pipeline)
        assert len(client.events) == count


def test_flow(clips):
    with live.Server("") as server:
        asyncio.run(flow(server.url.replace("http", "ws", 1) + "/kurento", clips[0]))
