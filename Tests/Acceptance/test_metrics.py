"""`/metrics`: every name that is there is documented, every documented one is there, and they tell what happens."""

import asyncio
import re
import socket
import struct

import live
import tools
from live import Picture, Tone, request
from rpc import Client


def scrape(server):
    """Value by name with labels; the names with their types."""
    text = request("GET", server.url + "/metrics").text
    kinds = dict(re.findall(r"^# TYPE (\S+) (\S+)", text, re.MULTILINE))
    values = {}
    for line in text.splitlines():
        if not line.startswith("#"):
            name, value = line.rsplit(" ", 1)
            values[name] = float(value)
    return values, kinds


def documented():
    text = (tools.REPOSITORY / "docs" / "metrics.md").read_text()
    return dict(re.findall(r"^\| `([a-z_]+)` \| (counter|gauge|histogram) \|", text, re.MULTILINE))


async def strangers(answer):
    """Five datagrams that name nobody, and five that can be no peer's, to the port of all peers."""
    host, port = re.search(r"a=candidate:\S+ 1 udp \d+ (\d+\.\S+) (\d+) typ host", answer, re.IGNORECASE).groups()
    # The peers' way in is kept apart from strangers' a tenth of a second after it came into use.
    await asyncio.sleep(0.5)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
        for _ in range(5):
            stranger.sendto(struct.pack(">HHI12x", 1, 0, 0x2112A442), (host, int(port)))
            stranger.sendto(b"x" * 50, (host, int(port)))


async def everything(server, clip):
    """Makes every family appear: a room with two who see each other, a client, a drop."""
    peers = [await server.peer("whip").send(Picture(), Tone(), direction="sendrecv").join() for _ in range(2)]
    for peer in peers:
        await peer.connected()
    await strangers(peers[0].answer.text)
    async with Client(server.url.replace("http", "ws", 1) + "/kurento") as client:
        pipeline = await client.create("MediaPipeline")
        player = await client.create("PlayerEndpoint", mediaPipeline=pipeline, uri=f"file://{clip}")
        port = await client.create("HubPort", hub=await client.create("Composite", mediaPipeline=pipeline))
        await client.subscribe(player, "EndOfStream")
        await client.invoke(player, "connect", sink=port)
        await client.invoke(player, "play")
        await client.ask("invoke", object=player, operation="nothing", operationParams={})
        await client.ask("nonsense")
        await client.until(lambda: client.events, 15)
        await asyncio.sleep(2)
        found = await asyncio.to_thread(scrape, server)
    for peer in peers:
        await peer.leave()
    return found


def check_network(values):
    assert values['tessera_network_datagrams_received_total{by="reserved"}'] > 100, "media, once connected"
    assert values['tessera_network_datagrams_received_total{by="open"}'] > 5, "what came before"
    for name in ("datagrams_sent", "bytes_sent", "bytes_received"):
        assert values[f"tessera_network_{name}_total"] > 100
    dropped = {
        name.split('"')[1]: value for name, value in values.items() if name.startswith("tessera_network_dropped_total")}
    assert dropped.pop("unknown-peer") == 5 and dropped.pop("kernel-open") == 5
    assert dropped and not any(dropped.values()), dropped
    for name in ("strays_total", "reservations_refused_total"):
        assert values[f"tessera_network_{name}"] == 0


def test_names_and_values(clips):
    with live.Server() as server:
        values, kinds = asyncio.run(everything(server, clips[0]))
        known = documented()
        # Nothing need ever be dropped.
        known_here = {name: kind for name, kind in known.items() if name != "tessera_stage_drops_total"}
        kinds.pop("tessera_stage_drops_total", None)
        assert kinds == known_here
        assert values['tessera_rpc_requests_total{method="create",outcome="ok"}'] == 4
        assert values['tessera_rpc_requests_total{method="invoke",outcome="error"}'] == 1
        assert values['tessera_rpc_requests_total{method="other",outcome="error"}'] == 1
        assert values['tessera_rpc_request_duration_seconds_count{method="create"}'] == 4
        assert values["tessera_rpc_connections"] == 1 and values["tessera_rpc_sessions"] == 1
        assert values["tessera_rpc_pipelines"] == 1
        assert values['tessera_rpc_objects{class="HubPort"}'] == 1
        assert values['tessera_rpc_events_total{event="EndOfStream"}'] == 1
        assert values['tessera_peers{role="publish"}'] == 2
        for stage, media in (("decode", "video"), ("compose", "video"), ("encode", "video"), ("mix", "audio")):
            labels = f'{{stage="{stage}",media="{media}"}}'
            assert values[f"tessera_stage_frames_total{labels}"] > 10, labels
            assert values[f"tessera_stage_cpu_seconds_total{labels}"] > 0, labels
        check_network(values)
        after, _ = scrape(server)
        assert after['tessera_peers{role="publish"}'] == 0
        # Labels are classes and kinds: nothing looks like an id.
        assert not [name for name in after if re.search(r"[0-9a-f]{8}", name)]
