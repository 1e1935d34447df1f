"""The README's first command: nine clips, one grid, sound and picture right."""

import functools
import os
import subprocess

import numpy
import pytest

import tools
from conftest import demonstration

WIDTH, HEIGHT, RATE, SECONDS = 1280, 720, 30, 10


@pytest.fixture(scope="module")
def shown(tmp_path_factory):
    """What script/demo leaves."""
    folder = tmp_path_factory.mktemp("demo")
    environment = {**os.environ, "TESSERA": tools.program()}
    subprocess.run([tools.REPOSITORY / "script/demo", folder], check=True, env=environment, timeout=300)
    return folder


def cell(index: int) -> tuple[int, int, int, int]:
    """Left, top, width, height of a tile of the 3 × 3 grid."""
    column, row = index % 3, index // 3
    left, right = WIDTH // 3 * column, WIDTH // 3 * (column + 1)
    return left, HEIGHT * row // 3, right - left, HEIGHT // 3


def picture_in_cell(index: int) -> tuple[int, int, int, int]:
    """Where a clip's undistorted picture lies in its tile: as large as it fits, in the middle, even sizes."""
    clip = demonstration.CLIPS[index]
    left, top, width, height = cell(index)
    scale = min(width / clip.width, height / clip.height)
    inner_width, inner_height = round(clip.width * scale / 2) * 2, round(clip.height * scale / 2) * 2
    return left + (width - inner_width) // 2, top + (height - inner_height) // 2, inner_width, inner_height


@functools.cache
def grid_at(folder, seconds: float):
    """The picture of the grid at a time."""
    return tools.pictures(folder / "grid.webm", WIDTH, HEIGHT, seconds, 0.1).at(seconds)


def test_recording_is_sound(shown):
    ends = [tools.probe(file)["duration"] for file in sorted((shown / "clips").iterdir())]
    found = tools.assert_sound_file(shown / "grid.webm", max(ends), RATE)
    video = found["video"][0]
    assert (video["width"], video["height"]) == (WIDTH, HEIGHT)
    assert video["r_frame_rate"] == f"{RATE}/1"
    assert (shown / "grid.png").stat().st_size > 10_000
    assert tools.longest_gap(shown / "grid.webm") <= 1 / RATE + 0.002


@pytest.mark.parametrize("index", range(9))
@pytest.mark.parametrize("seconds", [0.5, 5.0, 9.5])
def test_tile_shows_its_clip_upright_and_undistorted(shown, index, seconds):
    left, top, width, height = picture_in_cell(index)
    tile = grid_at(shown, seconds)[top:top + height, left:left + width]
    clip = shown / "clips" / demonstration.CLIPS[index].file
    source = tools.pictures(clip, width, height, max(0, seconds - 0.3), 0.6)
    scores = [tools.correlation(picture[4:-4, 4:-4], tile[4:-4, 4:-4]) for picture in source.pixels]
    best = int(numpy.argmax(scores))
    assert scores[best] > 0.9, f"tile {index + 1} does not show {clip.name}: correlation {scores[best]:.3f}"
    # Shown is what was due: at most one interval of the clip and one of the grid away.
    rate = eval(demonstration.CLIPS[index].rate)  # noqa: S307, a constant of ours such as 30000/1001
    right_ones = [score for score, time in zip(scores, source.times) if abs(time - seconds) <= 1 / rate + 1 / RATE]
    assert max(right_ones) > scores[best] - 0.01, f"tile {index + 1} shows {source.times[best]:.3f} s at {seconds} s"


def test_tiles_are_surrounded_by_background(shown):
    grid = grid_at(shown, 5)
    left, top, width, height = picture_in_cell(4)  # the portrait one, with wide margins
    cell_left, _, cell_width, _ = cell(4)
    margins = [grid[top:top + height, cell_left + 4:left - 4],
               grid[top:top + height, left + width + 4:cell_left + cell_width - 4]]
    for margin in margins:
        assert margin.size > 10_000 and margin.mean() < 8


def test_all_nine_tones_are_in_the_mix(shown):
    mix = tools.sound(shown / "grid.webm")
    for second in (1, 8):
        part = mix[second * tools.SAMPLE_RATE:(second + 1) * tools.SAMPLE_RATE]
        for clip in demonstration.CLIPS:
            own = tools.sound(shown / "clips" / clip.file)[second * tools.SAMPLE_RATE:(second + 1) * tools.SAMPLE_RATE]
            before, after = tools.tone_level(own, clip.tone), tools.tone_level(part, clip.tone)
            # Nine tones are just above full scale together; the limiter may take a little.
            assert 0.75 < after / before < 1.1, f"{clip.tone} Hz: {before:.3f} in {clip.file}, {after:.3f} in the mix"
        assert tools.tone_level(part, 2300) < 0.005, "a tone nobody sings"
        assert abs(part).max() <= 1.05
