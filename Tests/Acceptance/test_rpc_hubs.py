"""The table of members: hubs and their ports, by what is seen and heard at their outputs."""

import asyncio
import json

import numpy
from rpc_scene import check_dot, clip, covers, heard, run, server, tones  # noqa: F401

import tools


@covers("Composite", "new layout background fit showLabels")
@covers("HubPort", "new label gain muted region fit zOrder pinned unsetRegion")
@covers("Hub", "getGstreamerDot dumpGstreamerDot")
def test_composite(server, tmp_path):
    async def body(scene):
        hub = await scene.new("Composite", width=320, height=240, framerate=10)
        names = ["red", "lime", "blue"]
        players = [await scene.play(name) for name in names]
        ports = [await scene.port(hub, players[0])]
        await scene.shows(ports[0], (0.5, 0.5, "r"), (0.02, 0.02, "r"))
        # Two stand side by side, and keep their shape.
        ports.append(await scene.port(hub, players[1]))
        await scene.shows(ports[0], (0.25, 0.5, "r"), (0.75, 0.5, "g"), (0.25, 0.1, "k"), (0.75, 0.9, "k"))
        ports.append(await scene.port(hub, players[2]))
        grid = [(0.25, 0.25, "r"), (0.75, 0.25, "g"), (0.25, 0.75, "b"), (0.75, 0.75, "k")]
        await scene.shows(ports[2], *grid)
        files = [tmp_path / f"{name}.webm" for name in names]
        recorders = [await scene.record(port, file) for port, file in zip(ports, files)]
        await asyncio.sleep(2.5)
        for recorder in recorders:
            await scene.invoke(recorder, "stopAndWait")
        # Each hears the others and not itself; the picture has the size and rate that were asked for.
        assert [heard(file) for file in files] == ["gb", "rb", "rg"]
        found = tools.probe(files[0])["video"][0]
        assert (found["width"], found["height"]) == (320, 240)
        times = [packet["pts"] for packet in tools.packets(files[0])]
        assert abs(numpy.median(numpy.diff(times)) - 0.1) < 0.01

        # What can be changed while it runs.
        await scene.set(hub, background="#ffffff")
        assert await scene.get(hub, "background") == "#ffffff"
        await scene.shows(ports[0], *grid[:3], (0.75, 0.75, "w"))
        area = {"x": 0.5, "y": 0.5, "width": 0.5, "height": 0.5}
        for layout, places in [
            ("full", [(0.1, 0.1, "r"), (0.9, 0.9, "r")]),
            ("sideBySide", [(0.17, 0.5, "r"), (0.5, 0.5, "g"), (0.83, 0.5, "b")]),
            (json.dumps([area]), [(0.75, 0.75, "r"), (0.25, 0.25, "w"), (0.25, 0.75, "w")]),
        ]:
            await scene.set(hub, layout=layout)
            await scene.shows(ports[0], *places)
        for layout in ["speaker", "pictureInPicture", "balanced"]:
            await scene.set(hub, layout=layout)
            assert await scene.get(hub, "layout") == layout
        assert await scene.error(hub, "setLayout", layout="no such") == 40001
        # The pinned one is the first.
        await scene.set(hub, layout="full")
        await scene.set(ports[1], pinned=True)
        await scene.shows(ports[0], (0.5, 0.5, "g"))
        await scene.set(ports[1], pinned=False)
        await scene.set(hub, layout="grid")
        # A place of its own, over the others or under them.
        await scene.set(ports[2], zOrder=5, region={"x": 0.0, "y": 0.0, "width": 1.0, "height": 1.0})
        await scene.shows(ports[0], (0.25, 0.25, "b"), (0.75, 0.75, "b"))
        await scene.set(ports[2], zOrder=-5)
        await scene.shows(ports[0], (0.9, 0.05, "b"), (0.25, 0.5, "r"), (0.75, 0.5, "g"))
        assert await scene.get(ports[2], "zOrder") == -5
        assert (await scene.get(ports[2], "region"))["width"] == 1
        await scene.invoke(ports[2], "unsetRegion")
        assert await scene.get(ports[2], "region") is None
        await scene.set(ports[2], zOrder=0)
        await scene.shows(ports[0], *grid[:3])
        # How a picture fills its place: the hub's way, and one port's own.
        await scene.set(hub, layout="sideBySide", fit="cover")
        await scene.shows(ports[0], (0.1, 0.05, "r"), (0.5, 0.95, "g"))
        await scene.set(ports[0], fit="contain")
        await scene.shows(ports[0], (0.1, 0.05, "w"), (0.5, 0.95, "g"))
        assert (await scene.get(hub, "fit"), await scene.get(ports[0], "fit")) == ("cover", "contain")
        await scene.set(hub, fit="contain", layout="grid")
        # Its name stands on the picture once names are shown.
        plain = await scene.shows(ports[0], *grid[:3])
        await scene.set(ports[0], label="Ann Example")
        await scene.set(hub, showLabels=True)

        async def written():
            return numpy.abs((await scene.see(ports[0])).astype(int) - plain)[30:60, :80].max() > 60

        await scene.until(written, what="no label was seen")
        assert (await scene.get(ports[0], "label"), await scene.get(hub, "showLabels")) == ("Ann Example", True)
        # A quarter as loud, and silent.
        await scene.set(ports[0], gain=0.25)
        await scene.set(ports[1], muted=True)
        assert (await scene.get(ports[0], "gain"), await scene.get(ports[1], "muted")) == (0.25, True)
        await asyncio.sleep(0.3)
        file = tmp_path / "gain.webm"
        recorder = await scene.record(ports[2], file)
        await asyncio.sleep(2)
        await scene.invoke(recorder, "stopAndWait")
        before, after = tones(files[2]), tones(file)
        assert 10 < before["red"] - after["red"] < 14 and after["lime"] < -50

        dot = await scene.invoke(hub, "getGstreamerDot")
        check_dot(dot)
        assert "Composite" in dot and dot.count("HubPort") >= 3
        await scene.invoke(hub, "dumpGstreamerDot", details="SHOW_ALL")
        await dumped(server, "Composite")

    run(server, body)


async def dumped(server, word):
    """A file of the folder for such pictures has the word in it."""
    for _ in range(100):
        found = [text for file in server.folder.iterdir() if word in (text := file.read_text())]
        if found:
            return check_dot(found[0])
        await asyncio.sleep(0.05)
    raise AssertionError(f"nothing with {word} was written")


@covers("HubPort", "new selfHidden")
@covers("Composite", "new")
def test_composite_as_made(server):
    """What the constructors take beyond Kurento's."""

    async def body(scene):
        hub = await scene.new(
            "Composite", width=320, height=240, framerate=10, background="#0000ff", layout="sideBySide", fit="cover")
        ports = [
            await scene.port(hub, await scene.play("red"), selfHidden=True),
            await scene.port(hub, await scene.play("lime"), label="Bob", gain=0.5, muted=True, zOrder=2),
        ]
        assert await scene.get(ports[0], "selfHidden") is True
        await scene.shows(ports[1], (0.25, 0.05, "r"), (0.75, 0.05, "g"))
        # The first does not see itself.
        await scene.shows(ports[0], (0.1, 0.5, "g"), (0.9, 0.5, "g"))
        await scene.set(ports[0], selfHidden=False)
        await scene.shows(ports[0], (0.25, 0.05, "r"), (0.75, 0.05, "g"))
        assert [await scene.get(ports[1], name) for name in ["label", "gain", "muted", "zOrder"]] == [
            "Bob", 0.5, True, 2]
        await scene.client.call("release", object=ports[1])
        await scene.shows(ports[0], (0.25, 0.5, "r"), (0.75, 0.5, "r"))

    run(server, body)


@covers("Dispatcher", "new connect")
@covers("DispatcherOneToMany", "new setSource removeSource")
def test_dispatchers(server, tmp_path):
    async def body(scene):
        hub = await scene.new("Dispatcher")
        red, lime = await scene.play("red"), await scene.play("lime")
        a, b, out, other = [await scene.port(hub, source) for source in (red, lime, None, None)]
        await scene.invoke(hub, "connect", source=a, sink=out)
        await scene.invoke(hub, "connect", source=a, sink=other)
        recorder = await scene.record(out, tmp_path / "a.webm")
        await scene.shows(out, (0.5, 0.5, "r"))
        await scene.shows(other, (0.5, 0.5, "r"))
        await scene.invoke(hub, "connect", source=b, sink=out)
        await scene.shows(out, (0.5, 0.5, "g"))
        await scene.shows(other, (0.5, 0.5, "r"))
        await asyncio.sleep(1.5)
        await scene.invoke(recorder, "stopAndWait")
        assert heard(tmp_path / "a.webm", 0.7) == "g"
        stranger = await scene.port(await scene.new("Dispatcher"))
        assert await scene.error(hub, "connect", source=stranger, sink=out) == 40004

        hub = await scene.new("DispatcherOneToMany")
        a, b, out = [await scene.port(hub, source) for source in (red, lime, None)]
        await scene.invoke(hub, "setSource", source=a)
        for port in (a, b, out):
            await scene.shows(port, (0.5, 0.5, "r"))
        await scene.invoke(hub, "setSource", source=b)
        await scene.shows(out, (0.5, 0.5, "g"))
        sink = await scene.new("PassThrough")
        await scene.link(out, sink)
        await scene.subscribe(sink, "MediaFlowInStateChanged")
        await scene.until(lambda: scene.invoke(sink, "isMediaFlowingIn", mediaType="VIDEO"))
        await scene.invoke(hub, "removeSource")
        await scene.event(sink, "MediaFlowInStateChanged", state="NOT_FLOWING", mediaType="VIDEO")
        await scene.event(sink, "MediaFlowInStateChanged", state="NOT_FLOWING", mediaType="AUDIO")

    run(server, body)


@covers("Mixer", "new connect disconnect")
def test_mixer(server, tmp_path):
    async def body(scene):
        hub = await scene.new("Mixer")
        names = ["red", "lime", "blue"]
        a, b, c = [await scene.port(hub, await scene.play(name)) for name in names]
        out = await scene.port(hub)
        await scene.invoke(hub, "connect", media="VIDEO", source=b, sink=out)
        await scene.shows(out, (0.5, 0.5, "g"))
        for source in (a, c):
            await scene.invoke(hub, "connect", media="AUDIO", source=source, sink=out)
        both = await scene.record(out, tmp_path / "both.webm")
        await asyncio.sleep(2.2)
        await scene.invoke(both, "stopAndWait")
        await scene.invoke(hub, "disconnect", media="AUDIO", source=a, sink=out)
        one = await scene.record(out, tmp_path / "one.webm")
        await asyncio.sleep(2.2)
        await scene.invoke(one, "stopAndWait")
        assert (heard(tmp_path / "both.webm"), heard(tmp_path / "one.webm")) == ("rb", "b")
        assert await scene.error(hub, "connect", media="DATA", source=a, sink=out) == 40005
        assert await scene.error(hub, "disconnect", media="VIDEO", source=a, sink=out) == 40005

    run(server, body)


@covers("AlphaBlending", "new setMaster setPortProperties")
def test_alpha_blending(server, tmp_path):
    async def body(scene):
        hub = await scene.new("AlphaBlending")
        a, b, c = [await scene.port(hub, await scene.play(name)) for name in ["red", "lime", "blue"]]
        await scene.invoke(hub, "setMaster", source=a, zOrder=1)
        place = {"relativeX": 0.5, "relativeY": 0.5, "relativeWidth": 0.5, "relativeHeight": 0.5}
        await scene.invoke(hub, "setPortProperties", port=b, zOrder=2, **place)
        await scene.shows(c, (0.25, 0.25, "r"), (0.75, 0.75, "g"))
        await scene.invoke(hub, "setPortProperties", port=c, zOrder=3, **{**place, "relativeX": 0.25})
        await scene.shows(c, (0.1, 0.1, "r"), (0.45, 0.75, "b"), (0.9, 0.75, "g"))
        await scene.invoke(hub, "setPortProperties", port=c, zOrder=0, **{**place, "relativeX": 0.25})
        await scene.shows(c, (0.45, 0.75, "r"), (0.9, 0.75, "g"))
        recorder = await scene.record(c, tmp_path / "a.webm")
        await asyncio.sleep(2.2)
        await scene.invoke(recorder, "stopAndWait")
        assert heard(tmp_path / "a.webm") == "rg"

    run(server, body)
