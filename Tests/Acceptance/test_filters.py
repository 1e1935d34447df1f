"""The filters in pipeline documents, on real files, judged with ffmpeg and numpy."""

import numpy
import pytest

import tools
from conftest import demonstration

SECONDS = 4
OVERLAYS = tools.REPOSITORY / "Tests/Acceptance/documents/overlays.json"


def run(command: str, clip, output) -> tools.Run:
    return tools.tessera("run", tools.PIPELINES / "filter.json", "--quiet",
                         *tools.settings(input=clip, output=output, command=command), timeout=60)


def at(file, seconds: float = 2, width: int = 320, height: int = 180) -> numpy.ndarray:
    return tools.pictures(file, width, height, seconds, 0.1).at(seconds)


def test_picture_mirrored(clips, tmp_path):
    output = tmp_path / "out.webm"
    run("videoflip method=4", clips[0], output).check()
    tools.assert_sound_file(output, SECONDS)
    shown, plain = at(output), at(clips[0])
    assert tools.correlation(shown, plain[:, ::-1]) > 0.95 > tools.correlation(shown, plain)
    before, after = (tools.packets(file, "audio") for file in (clips[0], output))
    assert len(before) == len(after), "sound is not touched"


@pytest.mark.parametrize("command, size", [
    ("videoflip method=clockwise", (360, 640)), ("videocrop left=100 right=100", (440, 360)),
    ("capsfilter caps=video/x-raw,width=320,height=180,framerate=10/1", (320, 180)),
])
def test_picture_of_another_shape(clips, tmp_path, command, size):
    output = tmp_path / "out.mkv"
    run(command, clips[0], output).check()
    video = tools.probe(output)["video"][0]
    assert (video["width"], video["height"]) == size
    if "framerate" in command:
        assert abs(len(tools.packets(output)) - 10 * SECONDS) <= 2


def test_text_on_the_picture(clips, tmp_path):
    output = tmp_path / "out.webm"
    run('textoverlay text="Grüße, 안녕 🙂" valignment=center font-desc="Sans Bold 40"', clips[0], output).check()
    shown, plain = at(output), at(clips[0])
    difference = numpy.abs(shown.astype(int) - plain.astype(int))
    assert difference[60:120, 60:260].mean() > 4 * difference[:40].mean()


def test_sound_made_softer(clips, tmp_path):
    output = tmp_path / "out.webm"
    run("volume volume=0.5", clips[0], output).check()
    tools.assert_sound_file(output, SECONDS)
    tone = demonstration.CLIPS[0].tone
    before, after = (tools.tone_level(tools.sound(file)[48000:96000], tone) for file in (clips[0], output))
    assert 0.45 < after / before < 0.55
    # Pictures are not touched.
    assert len(tools.packets(output)) == len(tools.packets(clips[0]))


@pytest.mark.parametrize("command, words", [
    ("videoflip ! gamma", "exactly one"), ("nosuchthing", "there is no element"),
    ("videoflip methd=4", "it has method, video-direction"), ("gamma gamma=11", "from 0.01 to 10"),
])
def test_wrong_commands_are_named(clips, tmp_path, command, words):
    result = run(command, clips[0], tmp_path / "out.webm")
    assert result.status != 0 and words in result.out + result.err and "filter" in result.out + result.err


def test_overlays_and_codes(tmp_path):
    """A QR code and an EAN-13 code are told once a second; a logo stands in the corner."""
    tools.tool("qrencode", "-o", tmp_path / "qr.png", "-s", "5", "-m", "4", "https://example.org/?a=b")
    tools.tool("zint", "-b", "EANX", "-d", "978020137962", "-o", tmp_path / "ean.png", "--scale=1")
    tools.ffmpeg("-f", "lavfi", "-i", "color=red:size=16x16,format=rgba", "-frames:v", "1", tmp_path / "logo.png")
    clip = tmp_path / "codes.webm"
    tools.ffmpeg(
        "-f", "lavfi", "-i", "color=white:size=640x360:rate=25", "-loop", "1", "-i", tmp_path / "qr.png", "-loop", "1",
        "-i", tmp_path / "ean.png", "-filter_complex", "[0][1]overlay=20:60[a];[a][2]overlay=330:120", "-t", "3",
        "-c:v", "libvpx", "-b:v", "1M", "-cpu-used", "8", clip)
    output = tmp_path / "out.webm"
    result = tools.tessera("run", OVERLAYS, "--json", *tools.settings(
        input=clip, output=output, image=tmp_path / "logo.png", face=tmp_path / "logo.png"), timeout=60).check()
    found = [(event["codeType"], event["value"]) for event in result.events if event.get("event") == "CodeFound"]
    assert found.count(("QR-Code", "https://example.org/?a=b")) == 3, "once a second, by the media's time"
    assert ("QR-Code", "https://example.org/?a=b") in found and ("EAN-13", "9780201379624") in found
    raw = tools.tool("ffmpeg", "-v", "error", "-ss", "2.5", "-i", output, "-frames:v", "1", "-f", "rawvideo",
                     "-pix_fmt", "rgb24", "-")
    picture = numpy.frombuffer(raw, "u1").reshape(360, 640, 3)
    red, green, blue = picture[30, 600]
    assert red > 200 and green < 60 and blue < 60
