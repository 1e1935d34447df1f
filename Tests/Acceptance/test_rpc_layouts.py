"""The table of members: where pictures stand in the arrangements of a hub, by the colours at places of its picture."""

import asyncio

from rpc_scene import colour, covers, run, server  # noqa: F401

import tools


@covers("Composite", "layout")
@covers("HubPort", "pinned")
def test_arrangements(server, tmp_path):
    """Colours in the middle and at the edges of each place, in the hub's picture and in a recording of it."""

    async def body(scene):
        hub = await scene.new("Composite", width=320, height=240, framerate=10, fit="cover", layout="speaker")
        names = ["red", "lime", "blue", "white"]
        ports = [await scene.port(hub, await scene.play(name)) for name in names]
        assert await scene.get(hub, "layout") == "speaker"
        # The first over three quarters of the height, the others in the middle of a row below it.
        below = [(0.25, 0.9, "g"), (0.5, 0.9, "b"), (0.75, 0.9, "w"), (0.05, 0.9, "k"), (0.95, 0.9, "k")]
        await scene.shows(ports[0], (0.02, 0.02, "r"), (0.98, 0.02, "r"), (0.5, 0.72, "r"), *below)
        # A pinned one comes first.
        await scene.set(ports[2], pinned=True)
        await scene.shows(ports[0], (0.5, 0.4, "b"), (0.25, 0.9, "r"), (0.5, 0.9, "g"), (0.75, 0.9, "w"))
        await scene.set(ports[2], pinned=False)

        # The second in the lower right corner of the first, a quarter as wide, with a margin; nobody else.
        await scene.set(hub, layout="pictureInPicture")
        corner = [(0.75, 0.75, "g"), (0.94, 0.92, "g"), (0.71, 0.8, "r"), (0.99, 0.99, "r"), (0.85, 0.66, "r")]
        await scene.shows(ports[0], (0.02, 0.02, "r"), (0.02, 0.98, "r"), *corner)
        file = tmp_path / "corner.webm"
        recorder = await scene.record(ports[1], file, "WEBM_VIDEO_ONLY")
        await asyncio.sleep(1.5)
        await scene.invoke(recorder, "stopAndWait")
        last = tools.pictures(file, 320, 240).pixels[-1]
        assert [colour(last, x, y) for x, y, _ in corner] == [letter for _, _, letter in corner]

        # Four in two rows; three in such a picture leave the last row's one in the middle.
        await scene.set(hub, layout="balanced")
        await scene.shows(ports[0], (0.25, 0.25, "r"), (0.75, 0.25, "g"), (0.25, 0.75, "b"), (0.75, 0.75, "w"))
        await scene.client.call("release", object=ports[3])
        await scene.shows(
            ports[0], (0.25, 0.25, "r"), (0.75, 0.25, "g"), (0.5, 0.75, "b"), (0.05, 0.75, "k"), (0.95, 0.75, "k"))
        # One alone has it all.
        for port in (ports[1], ports[2]):
            await scene.client.call("release", object=port)
        for layout in ["balanced", "speaker", "pictureInPicture"]:
            await scene.set(hub, layout=layout)
            await scene.shows(ports[0], (0.02, 0.02, "r"), (0.98, 0.98, "r"))

    run(server, body)
