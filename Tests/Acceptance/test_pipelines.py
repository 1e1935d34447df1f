"""Every document of `pipelines/`, run on real files. (grid.json has its own tests: test_demo.py and others.)"""

import json

import numpy

import tools
from conftest import demonstration

SECONDS = 4


def run(document: str, **values) -> tools.Run:
    return tools.tessera("run", tools.PIPELINES / document, "--quiet", *tools.settings(**values), timeout=60).check()


def at(file, seconds: float, width: int = 320, height: int = 180) -> numpy.ndarray:
    return tools.pictures(file, width, height, seconds, 0.1).at(seconds)


def coded(file, kind: str) -> list[str]:
    """MD5 of the packets of one kind, without their times."""
    text = tools.tool("ffmpeg", "-nostdin", "-v", "error", "-i", file, "-map", f"0:{kind}", "-c", "copy", "-f",
                      "framemd5", "-").decode()
    return [line.split(",")[-1].strip() for line in text.splitlines() if not line.startswith("#")]


# --- transcode.json ------------------------------------------------------------------------------------------------


def test_transcode_leaves_alone_what_fits(clips, tmp_path):
    """VP8 and Opus from WebM to Matroska: the very same packets."""
    run("transcode.json", input=clips[0], output=tmp_path / "out.mkv")
    tools.assert_sound_file(tmp_path / "out.mkv", SECONDS)
    for kind in ("v", "a"):
        before = coded(clips[0], kind)
        assert len(before) > 100 and coded(tmp_path / "out.mkv", kind) == before


def test_transcode_leaves_alone_h264_with_b_frames(clips, tmp_path):
    run("transcode.json", input=clips[2], output=tmp_path / "out.mp4")
    tools.assert_sound_file(tmp_path / "out.mp4", SECONDS, rate=50)
    before, after = (tools.pictures(file, 64, 36) for file in (clips[2], tmp_path / "out.mp4"))
    assert numpy.array_equal(before.pixels, after.pixels)
    assert numpy.abs(before.times - before.times[0] - after.times + after.times[0]).max() < 0.002


def test_transcode_to_another_codec_size_and_rate(clips, tmp_path):
    """H.264 and AAC from MP4 to WebM: VP9 and Opus, smaller, fewer frames; the same to see and to hear."""
    output = tmp_path / "out.webm"
    run("transcode.json", input=clips[2], output=output, videoCodec="vp9", width=640, fps=25, videoBitrate=800000)
    found = tools.assert_sound_file(output, SECONDS, rate=25)
    video = found["video"][0]
    assert (video["codec_name"], video["width"], video["height"]) == ("vp9", 640, 360)
    assert found["audio"][0]["codec_name"] == "opus"
    assert abs(len(tools.packets(output)) - SECONDS * 25) <= 1
    assert tools.correlation(at(output, 2), at(clips[2], 2)) > 0.95
    assert tools.tone_level(tools.sound(output)[48000:96000], demonstration.CLIPS[2].tone) > 0.06


def test_transcode_turns_a_picture_upright(clips, tmp_path):
    """A telephone's picture, stored lying on its side, becomes VP8, which cannot say so: pixels are turned."""
    output = tmp_path / "out.webm"
    run("transcode.json", input=clips[4], output=output)
    video = tools.probe(output)["video"][0]
    assert (video["width"], video["height"]) == (360, 640)
    assert tools.correlation(at(output, 2, 180, 320), at(clips[4], 2, 180, 320)) > 0.95


def test_transcode_odd_size_into_h264(clips, tmp_path):
    output = tmp_path / "out.mp4"
    run("transcode.json", input=clips[5], output=output)
    video = tools.assert_sound_file(output, SECONDS, rate=24)["video"][0]
    assert video["codec_name"] == "h264" and abs(video["width"] - 427) <= 1 and abs(video["height"] - 239) <= 1
    assert tools.correlation(at(output, 2), at(clips[5], 2)) > 0.95


# --- the others ----------------------------------------------------------------------------------------------------


def test_mix_audio(clips, tmp_path):
    """Three tones, at half their loudness, in a file without picture."""
    output = tmp_path / "mix.webm"
    run("mix-audio.json", inputs=[clips[0], clips[3], clips[6]], output=output, gain=0.5)
    tools.assert_sound_file(output, SECONDS, rate=25, kinds=("audio",))
    part = tools.sound(output)[48000:96000]
    for index in (0, 3, 6):
        tone = demonstration.CLIPS[index].tone
        before, after = (tools.tone_level(samples, tone) for samples in (tools.sound(clips[index])[48000:96000], part))
        assert 0.45 < after / before < 0.55, f"{tone} Hz: {before:.3f} in the clip, {after:.3f} in the mix"


def test_picture_in_picture(clips, tmp_path):
    output = tmp_path / "pip.webm"
    run("picture-in-picture.json", main=clips[0], inset=clips[1], output=output, width=640, height=360,
        insetX=0.7, insetY=0.65, insetSize=0.25)
    tools.assert_sound_file(output, SECONDS)
    shown = at(output, 2, 640, 360)
    left, top, width, height = round(640 * 0.7), round(360 * 0.65), 160, 90
    inset = shown[top + 2:top + height - 2, left + 2:left + width - 2]
    assert tools.correlation(inset, at(clips[1], 2, width, height)[2:-2, 2:-2]) > 0.9
    main = at(clips[0], 2, 640, 360)
    assert tools.correlation(shown[:top - 4], main[:top - 4]) > 0.95
    part = tools.sound(output)[48000:96000]
    assert all(tools.tone_level(part, demonstration.CLIPS[index].tone) > 0.06 for index in (0, 1))


def test_split_tracks(clips, tmp_path):
    """The mix, and each input by itself, coded frames untouched where the container takes them."""
    tracks = [tmp_path / "first.webm", tmp_path / "second.mp4"]
    run("split-tracks.json", inputs=[clips[0], clips[2]], output=tmp_path / "mix.webm", tracks=tracks,
        width=640, height=360)
    tools.assert_sound_file(tmp_path / "mix.webm", SECONDS)
    mix = tools.sound(tmp_path / "mix.webm")[48000:96000]
    assert all(tools.tone_level(mix, demonstration.CLIPS[index].tone) > 0.06 for index in (0, 2))
    for track, index in zip(tracks, (0, 2)):
        tools.assert_sound_file(track, SECONDS)
        assert tools.correlation(at(track, 2), at(clips[index], 2)) > 0.99
        own, other = (tools.tone_level(tools.sound(track)[48000:96000], demonstration.CLIPS[number].tone)
                      for number in (index, 2 - index))
        assert own > 0.06 and other < 0.005
    assert coded(tracks[0], "v") == coded(clips[0], "v")


def test_every_document_is_here():
    """None is forgotten; and each says what it is for."""
    # What runs until it is told to stop is run by test_serve.py.
    names = {file.name for file in tools.PIPELINES.glob("*.json") if not file.name.startswith("live-")}
    assert names == {"grid.json", "transcode.json", "mix-audio.json", "picture-in-picture.json", "split-tracks.json",
                     "filter.json"}
    for name in names:
        picture = tools.tessera("graph", tools.PIPELINES / name).check()
        assert "RecorderEndpoint" in picture.out
        explained = tools.tessera("run", tools.PIPELINES / name, "--help").check()
        assert "output" in explained.out


def test_dot_is_what_graphviz_takes(tmp_path):
    dot = tools.tessera("graph", tools.PIPELINES / "grid.json", "--dot").check().out
    (tmp_path / "grid.dot").write_text(dot)
    assert b"<svg" in tools.tool("dot", "-Tsvg", tmp_path / "grid.dot")


def test_json_lines_are_json(clips, tmp_path):
    result = tools.tessera("run", tools.PIPELINES / "grid.json", "--json", *tools.settings(
        inputs=clips[:2], output=tmp_path / "out.webm", width=320, height=180)).check()
    lines = [json.loads(line) for line in result.out.splitlines()]
    assert lines and lines[-1]["type"] == "summary" and lines[-1]["dropped"] == 0
    assert lines[-1]["outputs"][0]["complete"] is True
