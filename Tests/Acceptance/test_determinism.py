"""Two runs of one document give the same recording, whatever the machine does besides, however inputs are stored."""

import contextlib
import os
import subprocess
import sys

import pytest

import ebml
import tools

SECONDS = 8
APART = 4


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    """Badly interleaved; with B-frames; different lengths; different rates."""
    folder = tmp_path_factory.mktemp("inputs")
    specifications = [
        ("tidy.mkv", SECONDS, 30, 440, ["-c:v", "libvpx", "-deadline", "realtime", "-cpu-used", "-8",
                                        "-c:a", "libopus"]),
        ("bframes.mp4", SECONDS - 2.5, 25, 550, ["-c:v", "libx264", "-bf", "3", "-b_strategy", "0", "-c:a", "aac"]),
        ("short.webm", 2.2, 24, 660, ["-c:v", "libvpx-vp9", "-deadline", "realtime", "-cpu-used", "8",
                                      "-c:a", "libvorbis"]),
    ]
    for name, seconds, rate, tone, codecs in specifications:
        tools.ffmpeg(
            "-f", "lavfi", "-i", f"testsrc2=size=480x270:rate={rate}", "-f", "lavfi", "-i", f"sine=frequency={tone}",
            "-t", seconds, "-pix_fmt", "yuv420p", "-b:v", "500k", *codecs, folder / name)
    ebml.interleave_badly(folder / "tidy.mkv", folder / "untidy.mkv", APART)
    return [folder / "untidy.mkv", folder / "bframes.mp4", folder / "short.webm"]


@contextlib.contextmanager
def other_core_busy():
    """Keeps all processors busy with something else."""
    burners = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(os.cpu_count() or 1)]
    try:
        yield
    finally:
        for burner in burners:
            burner.kill()
            burner.wait()


def run_grid(inputs, output, **more) -> tools.Run:
    return tools.tessera("run", tools.PIPELINES / "grid.json", "--quiet", *tools.settings(
        inputs=inputs, output=output, width=640, height=360, **more), timeout=200).check()


def test_the_inputs_are_as_bad_as_they_are_meant_to_be(inputs):
    untidy, bframes, _ = inputs
    video, audio = (tools.packets(untidy, kind) for kind in ("video", "audio"))
    order = sorted([(p["position"], p["pts"], kind) for kind, ps in (("v", video), ("a", audio)) for p in ps])
    worst, last = 0, {"v": 0, "a": 0}
    for _, pts, kind in order:
        last[kind] = pts
        worst = max(worst, abs(last["v"] - last["a"]))
    assert worst >= 3, f"the tracks are only {worst} s apart"
    assert any(packet["pts"] != packet["dts"] for packet in tools.packets(bframes))
    pts = [packet["pts"] for packet in tools.packets(bframes)]
    assert pts != sorted(pts)


def test_two_runs_are_equal_also_on_a_busy_machine(inputs, tmp_path):
    quiet = run_grid(inputs, tmp_path / "quiet.webm")
    with other_core_busy():
        run_grid(inputs, tmp_path / "busy.webm")
    tools.assert_sound_file(tmp_path / "quiet.webm", SECONDS)
    first, second = (tools.payloads(tmp_path / name) for name in ("quiet.webm", "busy.webm"))
    assert len(first) > SECONDS * 30
    differing = [number for number, (a, b) in enumerate(zip(first, second)) if a != b]
    assert not differing, f"{len(differing)} packets differ, first number {differing[0]}: {first[differing[0]]}"
    assert len(first) == len(second)
    # Three decoders, a canvas and an encoder, and four seconds of video waiting for its sound.
    assert quiet.memory < 250, f"{quiet.memory:.0f} MiB"


def test_bad_interleaving_changes_nothing(inputs, tmp_path):
    """The badly stored file gives the same picture and sound as the well stored one."""
    run_grid([inputs[0]], tmp_path / "untidy.webm")
    run_grid([inputs[0].with_name("tidy.mkv")], tmp_path / "tidy.webm")
    assert tools.payloads(tmp_path / "untidy.webm") == tools.payloads(tmp_path / "tidy.webm")


def test_memory_does_not_grow_with_length(tmp_path):
    peaks = []
    for seconds in (10, 60):
        source = tmp_path / f"{seconds}.webm"
        tools.ffmpeg(
            "-f", "lavfi", "-i", "testsrc2=size=320x180:rate=30", "-f", "lavfi", "-i", "sine", "-t", seconds,
            "-pix_fmt", "yuv420p", "-c:v", "libvpx", "-deadline", "realtime", "-cpu-used", "-8", "-c:a", "libopus",
            source)
        peaks.append(run_grid([source, source], tmp_path / f"out{seconds}.webm").memory)
    assert peaks[1] < peaks[0] * 1.2 + 10, f"peak memory {peaks[0]:.0f} MiB for 10 s, {peaks[1]:.0f} MiB for 60 s"
