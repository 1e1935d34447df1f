"""The table of members: several data channels of one peer, and the ids of statistics."""

import re

import live
from live import Peer, Tone
from rpc_scene import covers, run, server  # noqa: F401
from test_rpc_peers import join


@covers("WebRtcEndpoint", "createDataChannel closeDataChannel DataChannelOpened DataChannelClosed")
@covers("MediaElement", "getStats")
def test_channels_of_one_name(server):
    """Which of several channels opens and closes, on both sides, by its events and by messages through the others."""

    async def body(scene):
        endpoint = await scene.new("WebRtcEndpoint", useDataChannels=True)
        await scene.link(endpoint, endpoint, mediaType="DATA")
        peer, messages, opened = Peer("").send(Tone()), [], []
        peer.connection.on("datachannel", opened.append)
        mine = [peer.connection.createDataChannel("chat") for _ in "ab"]
        for index, channel in enumerate(mine):
            channel.on("message", lambda text, index=index: messages.append((index, text)))
        try:
            await join(scene, endpoint, peer)
            await live.until(lambda: all(channel.readyState == "open" for channel in mine))
            for channel in mine:
                await scene.event(endpoint, "DataChannelOpened", channelId=channel.id)
            assert len(scene.events(endpoint, "DataChannelOpened")) == 2 and mine[0].id != mine[1].id
            # A number that no channel has: nothing happens.
            await scene.invoke(endpoint, "closeDataChannel", channelId=999)

            # Exactly the one that was named is closed; the other one goes on.
            await scene.invoke(endpoint, "closeDataChannel", channelId=mine[0].id)
            await scene.event(endpoint, "DataChannelClosed", channelId=mine[0].id)
            await live.until(lambda: mine[0].readyState == "closed")
            assert mine[1].readyState == "open" and len(scene.events(endpoint, "DataChannelClosed")) == 1
            mine[1].send("still there")
            await live.until(lambda: messages == [(1, "still there")])

            # Two of the server's own, of the same name too.
            for _ in range(2):
                await scene.invoke(endpoint, "createDataChannel", label="server")
            await live.until(lambda: len(opened) == 2)
            numbers = {channel.id for channel in opened}
            assert len(numbers) == 2 and numbers.isdisjoint({mine[1].id})
            for number in numbers:
                await scene.event(endpoint, "DataChannelOpened", channelId=number)
            # How long and how often messages are sent again is the peer's knowledge too.
            assert [channel.maxPacketLifeTime for channel in opened] == [None, None]
            await scene.invoke(endpoint, "createDataChannel", label="brief", ordered=True, maxPacketLifeTime=500)
            await live.until(lambda: len(opened) == 3)
            brief = opened.pop()
            assert (brief.label, brief.maxPacketLifeTime, brief.maxRetransmits) == ("brief", 500, None)
            await scene.invoke(endpoint, "closeDataChannel", channelId=brief.id)
            await scene.event(endpoint, "DataChannelClosed", channelId=brief.id)
            # The peer closes one of them.
            gone = opened[0].id
            opened[0].close()
            await scene.event(endpoint, "DataChannelClosed", channelId=gone)
            assert opened[1].readyState == "open"

            stats = await scene.invoke(endpoint, "getStats", mediaType="DATA")
            session = next(one for one in stats.values() if one["type"] == "session")
            assert (session["dataChannelsOpened"], session["dataChannelsClosed"]) == (5, 3)
            found = {one["datachannelid"]: one["label"] for one in stats.values() if one["type"] == "datachannel"}
            assert found == {mine[1].id: "chat", opened[1].id: "server"}
            # Ids have the form of UUIDs, are the keys, and stay.
            for key, one in {**stats, **(await scene.invoke(endpoint, "getStats", mediaType="AUDIO"))}.items():
                assert re.fullmatch(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", key), key
                assert one["id"] == key
            assert set(await scene.invoke(endpoint, "getStats", mediaType="DATA")) == set(stats)
        finally:
            await peer.close()

    run(server, body)
