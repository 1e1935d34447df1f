"""Law 3: whatever is wrong with one input, the output goes on in time, and each trouble is told once, by name."""

import re
import shutil

import numpy
import pytest

import ebml
import tools

RATE = 30
WIDTH, HEIGHT = 640, 360
VP8 = ["-pix_fmt", "yuv420p", "-c:v", "libvpx", "-deadline", "realtime", "-cpu-used", "-8", "-b:v", "400k",
       "-c:a", "libopus", "-b:a", "48k"]


def make(target, seconds: float, tone: int = 440, size: str = "320x180", late: float = 0) -> None:
    """A clip of some seconds, whose video begins `late` seconds after its sound."""
    tools.ffmpeg(
        "-itsoffset", late, "-f", "lavfi", "-i", f"testsrc2=size={size}:rate={RATE}",
        "-f", "lavfi", "-i", f"sine=frequency={tone}", "-t", seconds, *VP8, target)


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    """One input for each trouble, by name."""
    folder = tmp_path_factory.mktemp("inputs")
    files = {name: folder / f"{name}.webm" for name in (
        "good", "late", "early", "frozen", "resized", "damaged", "notmedia", "missing", "truncated")}
    make(files["good"], 6)
    make(files["late"], 6, late=2)
    make(files["early"], 2)
    ebml.cut_out(files["good"], files["frozen"], 1, 1.5, 4)
    # Two sizes in one track: the blocks of a second file behind those of the first.
    make(folder / "small.webm", 3)
    make(folder / "large.webm", 3, size="640x360")
    first, second = (ebml.frames((folder / name).read_bytes()) for name in ("small.webm", "large.webm"))
    for frame in second:
        frame.time += 3000
    spans = {}
    for frame in first + second:
        spans.setdefault(max(0, frame.time) // 1000, []).append(frame)
    ebml.rewrite(folder / "small.webm", files["resized"], [spans[key] for key in sorted(spans)])
    ebml.damage(files["good"], files["damaged"], 1, 20)
    files["notmedia"].write_text("Dear diary, today I was taken for a video.\n" * 50)
    shutil.copyfile(files["good"], files["truncated"])
    with open(files["truncated"], "r+b") as file:
        file.truncate(files["good"].stat().st_size // 2)
    return files


def grid(inputs, output, *options, **more) -> tools.Run:
    return tools.tessera("run", tools.PIPELINES / "grid.json", *options, *tools.settings(
        inputs=inputs, output=output, width=WIDTH, height=HEIGHT, **more))


def tile(file, side: str, start: float, length: float) -> numpy.ndarray:
    """The pictures of the left or right half of a grid of two, over a stretch of time."""
    seen = tools.pictures(file, WIDTH // 4, HEIGHT // 4, start, length, grey=True)
    half = WIDTH // 8
    return seen.pixels[:, :, :half] if side == "left" else seen.pixels[:, :, half:]


def motion(pictures: numpy.ndarray) -> float:
    """Mean difference of consecutive pictures; about 0 where nothing moves."""
    return float(numpy.abs(numpy.diff(pictures.astype(float), axis=0)).mean())


TROUBLES = ["late", "early", "frozen", "resized", "damaged", "truncated", "notmedia", "missing"]


@pytest.fixture(scope="module")
def troubled(inputs, tmp_path_factory):
    """A recording in real time of a good input and one of every trouble, all at once."""
    output = tmp_path_factory.mktemp("troubled") / "grid.webm"
    return grid([inputs["good"]] + [inputs[name] for name in TROUBLES], output, "--realtime"), output


def test_output_has_every_frame_in_time(troubled):
    run, output = troubled
    assert output.exists(), run.err
    found = tools.assert_sound_file(output)
    # In real time players need a moment before the first picture.
    assert 6 - 1 / RATE <= found["duration"] <= 6.5
    assert tools.longest_gap(output) <= 2 / RATE + 0.002
    assert tools.longest_gap(output, "audio") <= 0.041
    assert len(tools.packets(output)) >= 6 * RATE - 3
    assert run.seconds < 12, "it waited for something"


def test_good_input_is_not_disturbed(troubled):
    """The good one's tone sounds, and its tile moves, from beginning to end."""
    _, output = troubled
    heard = tools.envelope(tools.sound(output), 440, 0.1)[::4800]
    assert (heard[5:55] > 0.05).all(), "the sound has holes"
    cell = slice(0, HEIGHT // 12), slice(0, WIDTH // 12)
    for second in range(1, 5):
        seen = tools.pictures(output, WIDTH // 4, HEIGHT // 4, second, 0.8, grey=True).pixels
        assert motion(seen[:, cell[0], cell[1]]) > 0.5, f"the first tile stands still at {second} s"


@pytest.mark.parametrize("name", ["damaged", "notmedia", "missing"])
def test_each_trouble_is_told_once_by_name(inputs, tmp_path, name):
    run = grid([inputs["good"], inputs[name]], tmp_path / "grid.webm", "--quiet")
    told = [line for line in run.err.splitlines() if re.search(r"\binput\[1\]", line)]
    assert len(told) == 1, f"told {len(told)} times:\n{run.out}\n{run.err}"
    if name != "damaged":
        assert inputs[name].name in told[0]
    assert not re.search(r"\binput\[0\]", run.err), "the good input is blamed"
    assert run.status == 3, "made, but with trouble"
    tools.assert_sound_file(tmp_path / "grid.webm", 6, RATE)


def test_early_end_leaves_no_frozen_picture(inputs, tmp_path):
    """What has ended leaves the canvas, and its sound ends; the other goes on, alone."""
    output = tmp_path / "grid.webm"
    make(tmp_path / "other.webm", 6, tone=1000)
    grid([tmp_path / "other.webm", inputs["early"]], output).check()
    heard = tools.envelope(tools.sound(output), 440, 0.1)
    assert heard[tools.SAMPLE_RATE] > 0.05 and heard[4 * tools.SAMPLE_RATE] < 0.01
    alone = tools.pictures(output, 320, 180, 4, 0.1).at(4)
    assert tools.correlation(alone, tools.pictures(tmp_path / "other.webm", 320, 180, 4, 0.1).at(4)) > 0.9


def test_late_picture_appears_late(inputs, tmp_path):
    output = tmp_path / "grid.webm"
    make(tmp_path / "other.webm", 6, tone=1000)
    grid([tmp_path / "other.webm", inputs["late"]], output).check()
    assert (tools.envelope(tools.sound(output), 440, 0.1)[4800:-9600] > 0.05).all(), "its sound waited for its picture"
    # Until it comes, the grid is a grid of one.
    alone = tools.pictures(output, 320, 180, 1.5, 0.1).at(1.5)
    assert tools.correlation(alone, tools.pictures(tmp_path / "other.webm", 320, 180, 1.5, 0.1).at(1.5)) > 0.9
    assert motion(tile(output, "left", 3, 0.8)) > 0.5 and motion(tile(output, "right", 3, 0.8)) > 0.5


def test_frozen_input_moves_again(inputs, tmp_path):
    output = tmp_path / "grid.webm"
    grid([inputs["good"], inputs["frozen"]], output).check()
    assert motion(tile(output, "right", 2.5, 0.8)) < 0.2
    assert motion(tile(output, "left", 2.5, 0.8)) > 0.5
    assert motion(tile(output, "right", 4.5, 0.8)) > 0.5


def test_size_change_keeps_the_picture_whole(inputs, tmp_path):
    """The tile shows the same scene, at the same place, before and after the size of its input changed."""
    output = tmp_path / "grid.webm"
    grid([inputs["resized"]], output).check()
    before, after = (
        tools.pictures(output, 320, 180, start, 0.1).at(start) for start in (1.0, 4.0))
    # The large half of the input starts anew, so 4.0 s shows its second 1.0; the test picture scales with its size.
    expected = tools.pictures(inputs["resized"], 320, 180, 4.0, 0.1).at(4.0)
    assert tools.correlation(after, expected) > 0.9
    assert tools.correlation(before, tools.pictures(inputs["resized"], 320, 180, 1.0, 0.1).at(1.0)) > 0.9
