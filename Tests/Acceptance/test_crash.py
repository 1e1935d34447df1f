"""Recordings outlive the program: killed, they play to within the last second; stopped, they are complete."""

import pathlib
import shutil
import signal
import time

import pytest

import ebml
import tools

CONTAINERS = ["webm", "mkv", "mp4"]
RUN_SECONDS = 6
RATE = 30
CODECS = {
    "webm": ["-c:v", "libvpx", "-deadline", "realtime", "-cpu-used", "-8", "-c:a", "libopus"],
    "mp4": ["-c:v", "libx264", "-preset", "veryfast", "-bf", "2", "-c:a", "aac"],
}


@pytest.fixture(scope="module")
def sources(tmp_path_factory):
    """A clip for each container that goes into it as it is: longer than any run here, one key frame at the start."""
    folder = tmp_path_factory.mktemp("sources")
    for ending, codecs in CODECS.items():
        tools.ffmpeg(
            "-f", "lavfi", "-i", "testsrc2=size=320x180:rate=30", "-f", "lavfi", "-i", "sine", "-t", 20,
            "-pix_fmt", "yuv420p", *codecs, "-g", 100000, folder / f"source.{ending}")
    webm, mp4 = folder / "source.webm", folder / "source.mp4"
    return {"webm": webm, "mkv": webm, "mp4": mp4}


def start_copies(sources, folder) -> dict[str, tuple[tools.Started, pathlib.Path]]:
    """One recording in real time for each container, all at once, its frames as they come."""
    started = {}
    for ending in CONTAINERS:
        output = folder / f"copy.{ending}"
        started[ending] = (tools.Started("run", tools.PIPELINES / "transcode.json", "--realtime", "--quiet",
                                         *tools.settings(input=sources[ending], output=output)), output)
    return started


def start_grids(sources, folder) -> dict[str, tuple[tools.Started, pathlib.Path]]:
    """One recording of a grid in real time for each container, all at once."""
    started = {}
    for ending in CONTAINERS:
        output = folder / f"grid.{ending}"
        started[ending] = (tools.Started(
            "run", tools.PIPELINES / "grid.json", "--realtime", "--quiet", *tools.settings(
                inputs=[sources["webm"], sources["mp4"]], output=output, width=320, height=180)), output)
    return started


@pytest.fixture(scope="module")
def killed(sources, tmp_path_factory):
    """Recordings whose writers were killed, and for how many seconds each had run."""
    results = {}
    started = start_copies(sources, tmp_path_factory.mktemp("killed"))
    time.sleep(RUN_SECONDS)
    for ending, (run, output) in started.items():
        run.signal(signal.SIGKILL)
        seconds = time.monotonic() - run.began
        assert run.finish().status == -signal.SIGKILL, "it had ended before it was killed"
        results[ending] = (output, seconds)
    return results


@pytest.fixture(scope="module")
def stopped(sources, tmp_path_factory):
    """Recordings that were ended by Ctrl-C, and what the program said."""
    started = start_grids(sources, tmp_path_factory.mktemp("stopped"))
    time.sleep(RUN_SECONDS)
    for run, _ in started.values():
        run.signal(signal.SIGINT)
    return {ending: (output, run.finish(20)) for ending, (run, output) in started.items()}


def last_moment(file) -> float:
    """The end of the shorter of the two tracks as a player would reach it."""
    return min(tools.packets(file, kind)[-1]["pts"] for kind in ("video", "audio"))


def end_of(file) -> float:
    """Where the last frame of any track ends."""
    both = tools.packets(file, "video") + tools.packets(file, "audio")
    return max(packet["pts"] + packet["duration"] for packet in both)


def has_index(file) -> bool:
    """Whether a player can seek without reading it all: Matroska's cues, or one table of all samples in MP4."""
    if file.suffix != ".mp4":
        return ebml.CUES in ebml.top_level(file)
    data, position, boxes = file.read_bytes(), 0, []
    while position + 8 <= len(data):
        size, kind = int.from_bytes(data[position:position + 4], "big"), data[position + 4:position + 8]
        if size == 1:
            size = int.from_bytes(data[position + 8:position + 16], "big")
        boxes.append(kind)
        position += size or len(data)
    return b"moov" in boxes and b"moof" not in boxes


@pytest.mark.parametrize("ending", CONTAINERS)
def test_killed_recording_plays_to_the_last_second(killed, ending):
    file, seconds = killed[ending]
    video = tools.packets(file)
    assert [packet["key"] for packet in video].count(True) == 1 and video[0]["key"], \
        "this test wants a key frame only at the start"
    assert len(tools.pictures(file, 32, 18).times) == len(video), "not every frame that is in the file decodes"
    # The program needs a moment to start, which counts as running but not as media.
    assert last_moment(file) >= seconds - 1 - 0.5, f"ends at {last_moment(file):.2f} s of about {seconds:.2f}"


@pytest.mark.parametrize("ending", CONTAINERS)
def test_repair_mends_a_killed_recording(killed, ending, tmp_path):
    broken = killed[ending][0]
    file = tmp_path / broken.name
    shutil.copyfile(broken, file)
    assert not has_index(file)
    tools.tessera("repair", file).check()
    found = tools.assert_sound_file(file)
    assert has_index(file)
    assert abs(found["duration"] - end_of(file)) <= 1 / RATE + 0.001
    for kind in ("video", "audio"):
        before, after = (len(tools.packets(name, kind)) for name in (broken, file))
        assert after >= before, f"repairing lost {before - after} {kind} frames"


@pytest.mark.parametrize("ending", CONTAINERS)
def test_interrupt_finishes_the_recording(stopped, ending):
    file, run = stopped[ending]
    assert run.status == 130, f"exit status {run.status}: {run.err}"
    found = tools.assert_sound_file(file)
    assert has_index(file)
    video, audio = (tools.packets(file, kind) for kind in ("video", "audio"))
    assert abs(found["duration"] - end_of(file)) <= 1 / RATE + 0.001
    assert abs(video[-1]["pts"] - audio[-1]["pts"]) < 0.1
    # Nothing of what had been played was thrown away by stopping.
    assert found["duration"] >= RUN_SECONDS - 1
    # An interrupted program ends at once, not when its inputs end.
    assert run.seconds < RUN_SECONDS + 3


def test_repair_refuses_what_is_no_recording(tmp_path):
    file = tmp_path / "notes.webm"
    file.write_text("this is not a recording")
    run = tools.tessera("repair", file)
    assert run.status != 0 and str(file) in run.err
    assert file.read_text() == "this is not a recording", "repair changed a file that it could not read"
