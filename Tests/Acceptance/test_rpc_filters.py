"""The table of members: filters, by what they do to the picture and the sound."""

import asyncio

import numpy
from rpc_scene import clip, covers, run, server, tones  # noqa: F401

import tools


@covers("GStreamerFilter", "new command setElementProperty")
def test_gstreamer_filter(server, tmp_path):
    async def body(scene):
        player = await scene.play("halves")
        flip = await scene.new("GStreamerFilter", command="videoflip method=4")
        softer = await scene.new("GStreamerFilter", command="volume volume=0.1", filterType="AUDIO")
        assert await scene.get(flip, "command") == "videoflip method=4"
        await scene.link(player, flip, softer)
        recorder = await scene.record(softer, tmp_path / "soft.webm")
        await scene.shows(player, (0.25, 0.5, "r"), (0.75, 0.5, "b"))
        await scene.shows(flip, (0.25, 0.5, "b"), (0.75, 0.5, "r"))
        await scene.shows(softer, (0.25, 0.5, "b"), (0.75, 0.5, "r"))
        await scene.invoke(flip, "setElementProperty", propertyName="method", propertyValue="none")
        await scene.shows(flip, (0.25, 0.5, "r"), (0.75, 0.5, "b"))
        await scene.invoke(flip, "setElementProperty", propertyName="method", propertyValue="1")
        await scene.shows(flip, (0.5, 0.25, "r"), (0.5, 0.75, "b"))
        await asyncio.sleep(1)
        await scene.invoke(recorder, "stopAndWait")
        plain = await scene.record(player, tmp_path / "plain.webm")
        await asyncio.sleep(2)
        await scene.invoke(plain, "stopAndWait")
        lost = tones(tmp_path / "plain.webm")["red"] - tones(tmp_path / "soft.webm")["red"]
        assert 18 < lost < 22, lost
        # What it does not know is refused when it is made.
        for name, value in [("no", "1"), ("method", "99")]:
            assert await scene.error(flip, "setElementProperty", propertyName=name, propertyValue=value) == 40001
        for params in [
            {"command": ""}, {"command": "nosuchelement"}, {"command": "videoflip ! videoflip"},
            {"command": "videoflip method=4", "filterType": "AUDIO"},
        ]:
            assert await scene.refused("GStreamerFilter", **params) == 40001, params

    run(server, body)


@covers("ImageOverlayFilter", "new addImage removeImage")
def test_image_overlay(server, tmp_path):
    image = tmp_path / "green.png"
    tools.ffmpeg("-f", "lavfi", "-i", "color=lime:size=32x32,format=rgba", "-frames:v", "1", image)

    async def body(scene):
        overlay = await scene.new("ImageOverlayFilter")
        await scene.link(await scene.play("halves"), overlay)
        place = {"offsetXPercent": 0.25, "offsetYPercent": 0.25, "widthPercent": 0.5, "heightPercent": 0.5}
        plain = [(0.4, 0.5, "r"), (0.6, 0.5, "b"), (0.1, 0.1, "r")]
        await scene.shows(overlay, *plain)
        await scene.invoke(
            overlay, "addImage", id="a", uri=f"file://{image}", keepAspectRatio=False, center=False, **place)
        await scene.shows(overlay, (0.3, 0.5, "g"), (0.7, 0.5, "g"), (0.1, 0.1, "r"), (0.9, 0.9, "b"))
        # A square in the middle of a wide place.
        await scene.invoke(
            overlay, "addImage", id="a", uri=f"file://{image}", keepAspectRatio=True, center=True, **place)
        await scene.shows(overlay, (0.27, 0.5, "r"), (0.5, 0.5, "g"), (0.73, 0.5, "b"))
        await scene.invoke(overlay, "removeImage", id="never there")
        await scene.invoke(overlay, "removeImage", id="a")
        await scene.shows(overlay, *plain)
        # One that is not there is no error of the call.
        await scene.invoke(
            overlay, "addImage", id="b", uri="file:///no/such.png", keepAspectRatio=True, center=True, **place)
        await scene.shows(overlay, *plain)

    run(server, body)


@covers("ZBarFilter", "new CodeFound")
def test_codes(server, tmp_path):
    tools.tool("qrencode", "-o", tmp_path / "qr.png", "-s", "6", "-m", "4", "hello")
    tools.ffmpeg(
        "-f", "lavfi", "-i", "color=white:size=320x240:rate=10", "-loop", "1", "-i", tmp_path / "qr.png",
        "-filter_complex", "[0][1]overlay=20:10", "-t", "4", "-c:v", "libvpx", "-b:v", "1M", "-g", "10",
        tmp_path / "codes.webm")

    async def body(scene):
        zbar = await scene.new("ZBarFilter")
        player = await scene.new("PlayerEndpoint", uri=f"file://{tmp_path}/codes.webm", loop=True)
        await scene.link(player, zbar)
        await scene.subscribe(zbar, "CodeFound")
        recorder = await scene.record(zbar, tmp_path / "out.webm", "WEBM_VIDEO_ONLY")
        await scene.invoke(player, "play")
        event = await scene.event(zbar, "CodeFound")
        assert (event["codeType"], event["value"]) == ("QR-Code", "hello")
        assert await scene.client.until(lambda: len(scene.events(zbar, "CodeFound")) >= 3)
        times = [int(event["timestampMillis"]) for event in scene.events(zbar, "CodeFound")]
        assert times[2] - times[0] >= 1500, "once a second at most"
        await scene.invoke(recorder, "stopAndWait")

    run(server, body)


def draw_face(path):
    """What OpenCV's cascade takes for a face: what matters is where it is darker and where brighter."""
    rows, columns = numpy.mgrid[0:240, 0:320]
    picture = numpy.full((240, 320), 128, numpy.uint8)

    def ellipse(value, a, b, x, y):
        u, v = ((columns - 160) / 60 - x) / a, ((rows - 120) / 60 - y) / b
        picture[u * u + v * v <= 1] = value

    ellipse(40, 0.8, 1.05, 0, -0.1)
    ellipse(190, 0.7, 0.95, 0, 0.05)
    for side in (-1, 1):
        ellipse(120, 0.26, 0.13, side * 0.32, -0.12)
        ellipse(60, 0.17, 0.07, side * 0.32, -0.1)
        ellipse(70, 0.22, 0.045, side * 0.33, -0.3)
        ellipse(130, 0.1, 0.05, side * 0.1, 0.32)
    ellipse(95, 0.3, 0.07, 0, 0.58)
    path.write_bytes(b"P5 320 240 255\n" + picture.tobytes())


@covers("FaceOverlayFilter", "new setOverlayedImage unsetOverlayedImage")
def test_face_overlay(server, tmp_path):
    face, image = tmp_path / "face.pgm", tmp_path / "green.png"
    draw_face(face)
    tools.ffmpeg("-f", "lavfi", "-i", "color=lime:size=32x32,format=rgba", "-frames:v", "1", image)
    film = tmp_path / "face.webm"
    tools.ffmpeg("-loop", "1", "-i", face, "-vf", "scale=320:240,format=yuv420p", "-r", "10", "-t", "4",
                 "-c:v", "libvpx", "-b:v", "1M", "-g", "10", film)

    async def body(scene):
        overlay = await scene.new("FaceOverlayFilter")
        player = await scene.new("PlayerEndpoint", uri=f"file://{film}", loop=True)
        await scene.link(player, overlay)
        await scene.invoke(player, "play")

        async def green():
            picture = await scene.see(overlay)
            return ((picture[..., 1] > 180) & (picture[..., 0] < 90) & (picture[..., 2] < 90)).mean()

        assert await green() < 0.005
        await scene.invoke(
            overlay, "setOverlayedImage", uri=f"file://{image}", offsetXPercent=0, offsetYPercent=0, widthPercent=1,
            heightPercent=1)

        async def hidden():
            return await green() > 0.02

        async def bare():
            return await green() < 0.005

        await scene.until(hidden, what="no face was covered")
        await scene.invoke(overlay, "unsetOverlayedImage")
        await scene.until(bare, what="the image did not go away")

    run(server, body)
