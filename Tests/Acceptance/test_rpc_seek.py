"""The table of members: the position of a player, by every picture that is shown after it was set."""

import asyncio

from rpc_scene import covers, folder, run, server  # noqa: F401

import tools


def flag():
    """Three seconds of red, many of green and of blue; the one key frame is at the beginning."""
    path = f"{folder()}/flag.webm"
    parts = []
    for colour, seconds in [("red", 3), ("lime", 12), ("blue", 15)]:
        parts += ["-f", "lavfi", "-i", f"color={colour}:size=320x240:rate=25:duration={seconds}"]
    tools.ffmpeg(
        *parts, "-f", "lavfi", "-i", "sine=frequency=440:sample_rate=48000:duration=30", "-filter_complex",
        "[0][1][2]concat=n=3", "-c:v", "libvpx", "-deadline", "realtime", "-cpu-used", "8", "-g", "9999",
        "-auto-alt-ref", "0", "-b:v", "400k", "-c:a", "libopus", path)
    return path


@covers("PlayerEndpoint", "position videoInfo")
def test_position(server, tmp_path):
    """Colours of all pictures of recordings made while the position is set."""
    path = flag()

    async def body(scene):
        player = await scene.new("PlayerEndpoint", uri=f"file://{path}")
        # The hub looks from the one key frame on.
        port = await scene.port(await scene.new("Composite", width=320, height=240, framerate=25), player)
        file = tmp_path / "seek.webm"
        recorder = await scene.record(port, file, "WEBM_VIDEO_ONLY")
        await scene.invoke(player, "play")
        await scene.until(lambda: scene.get(player, "position"))
        assert (await scene.get(player, "videoInfo"))["isSeekable"] is True
        await scene.shows(port, (0.5, 0.5, "r"))
        await scene.set(player, position=4000)
        assert 3900 <= await scene.get(player, "position") < 4600
        await scene.shows(port, (0.5, 0.5, "g"))
        await asyncio.sleep(0.7)
        await scene.set(player, position=16_000)
        await scene.shows(port, (0.5, 0.5, "b"))
        await asyncio.sleep(0.5)
        await scene.set(player, position=3500)
        await scene.shows(port, (0.5, 0.5, "g"))
        await scene.invoke(recorder, "stopAndWait")
        seen = tools.pictures(file, 16, 12).pixels
        letters = "".join("rgb"[place.argmax()] if place.max() > 80 else "k" for place in seen.mean(axis=(1, 2)))
        # Each once, and nothing of what had to be decoded on the way: no red after the beginning.
        runs = [letter for index, letter in enumerate(letters) if index == 0 or letters[index - 1] != letter]
        assert "".join(runs).lstrip("k") == "rgbg", letters

    run(server, body)
