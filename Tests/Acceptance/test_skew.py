"""Lip sync: flash and beep leave the inputs at one instant, and leave the grid at one instant, after any time."""

import dataclasses

import numpy
import pytest

import tools

WIDTH, HEIGHT, RATE = 640, 360, 30
# One input at 29.97 fps (a flash every 30 frames, which is every 1.001 s), one whose sound has 44 100 Hz.
PERIODS = {"ntsc": 1.001, "cd": 1.0}
TONES = {"ntsc": 1000, "cd": 2600}
ALLOWED = 0.020


def flash_and_beep(folder, seconds: int) -> list:
    """Makes the two inputs. A flash and a beep begin at the same instant, which is a frame's time in both."""
    inputs = []
    for name, rate, sample_rate, codecs in [
        ("ntsc", "30000/1001", 48000, ["-c:v", "libvpx", "-deadline", "realtime", "-cpu-used", "-8",
                                       "-c:a", "libopus"]),
        ("cd", "25", 44100, ["-c:v", "libx264", "-preset", "veryfast", "-bf", "2", "-c:a", "aac"]),
    ]:
        period = PERIODS[name]
        # Half a frame of slack, so that rounding of times does not move a flash to the next frame.
        flash = f"lt(mod(t+0.015\\,{period})\\,0.09)"
        beep = f"0.3*sin(2*PI*{TONES[name]}*t)*lt(mod(t\\,{period})\\,0.08)"
        target = folder / f"{name}{'.webm' if name == 'ntsc' else '.mp4'}"
        tools.ffmpeg(
            "-f", "lavfi", "-i", f"color=black:size=320x180:rate={rate},drawbox=color=white:t=fill:enable='{flash}'",
            "-f", "lavfi", "-i", f"aevalsrc={beep}:sample_rate={sample_rate}",
            "-t", seconds, "-pix_fmt", "yuv420p", "-b:v", "200k", *codecs, target)
        inputs.append(target)
    return inputs


@dataclasses.dataclass
class Skews:
    """Sound minus picture in seconds (positive: sound late), of each flash, with the time of the flash."""

    times: numpy.ndarray
    values: numpy.ndarray

    def median(self, start: float, end: float) -> float:
        chosen = self.values[(self.times >= start) & (self.times < end)]
        assert len(chosen) >= 5, f"only {len(chosen)} flashes with a beep between {start} and {end} s"
        return float(numpy.median(chosen))


def measure(file, columns: slice, tone: float) -> Skews:
    """Pairs flashes seen in some columns of the picture (scaled to 8 × 4) with beeps heard."""
    seen = tools.pictures(file, 8, 4, grey=True)
    flashes = seen.times[tools.rising_edges(seen.pixels[:, 1:3, columns].mean(axis=(1, 2)), 128)]
    heard = tools.envelope(tools.sound(file), tone)
    beeps = tools.rising_edges(heard, 0.5 * numpy.percentile(heard, 99)) / tools.SAMPLE_RATE
    nearest = beeps[numpy.abs(beeps[None, :] - flashes[:, None]).argmin(axis=1)]
    return Skews(flashes, nearest - flashes)


def sides(file) -> dict[str, Skews]:
    """Skews of the left and the right tile of a grid of two."""
    return {
        "ntsc": measure(file, slice(1, 3), TONES["ntsc"]),
        "cd": measure(file, slice(5, 7), TONES["cd"]),
    }


def assert_in_sync(file, seconds: int) -> None:
    for name, skews in sides(file).items():
        assert len(skews.times) >= seconds / PERIODS[name] - 2, f"{name}: only {len(skews.times)} flashes"
        window = 10 if seconds >= 20 else seconds / 2
        for start in (0, seconds - window):
            skew = skews.median(start, start + window)
            print(f"{name} {start:4.0f} s: {1000 * skew:+.1f} ms")
            assert abs(skew) <= ALLOWED, f"{name}: sound is {1000 * skew:+.1f} ms off at {start} s"
        # A frame of the output may show a flash up to one interval late, never more.
        worst = float(numpy.abs(skews.values).max())
        assert worst <= ALLOWED + 1 / RATE, f"{name}: one beep is {1000 * worst:.1f} ms off its flash"


def test_inputs_are_in_sync_themselves(tmp_path):
    for name, file in zip(PERIODS, flash_and_beep(tmp_path, 12)):
        skew = measure(file, slice(0, 8), TONES[name]).median(0, 12)
        assert abs(skew) < 0.003, f"the test input {name} is {1000 * skew:+.1f} ms off itself"


@pytest.mark.parametrize("seconds", [20, pytest.param(600, marks=pytest.mark.long)])
def test_flash_and_beep_stay_together(tmp_path, seconds):
    inputs = flash_and_beep(tmp_path, seconds)
    output = tmp_path / "grid.webm"
    tools.tessera("run", tools.PIPELINES / "grid.json", "--quiet", *tools.settings(
        inputs=inputs, output=output, width=WIDTH, height=HEIGHT, fps=RATE), timeout=600).check()
    assert_in_sync(output, seconds)
