"""What the acceptance tests share: running the program, and measuring files with ffmpeg, ffprobe and numpy.

Nothing here knows how Tessera works inside; files are judged by other people's programs.
"""

import dataclasses
import functools
import json
import os
import pathlib
import signal
import subprocess
import threading
import time

import numpy

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
PIPELINES = REPOSITORY / "pipelines"
SAMPLE_RATE = 48000


@functools.cache
def program() -> str:
    """The program under test: $TESSERA, else the release build, else the debug build."""
    if chosen := os.environ.get("TESSERA"):
        return chosen
    for configuration in ("release", "debug"):
        command = ["swift", "build", "--configuration", configuration, "--show-bin-path"]
        folder = subprocess.run(command, cwd=REPOSITORY, check=True, capture_output=True, text=True).stdout.strip()
        if (candidate := pathlib.Path(folder) / "tessera").exists():
            return str(candidate)
    raise RuntimeError("build the program first: swift build -c release --product tessera")


# --- running -------------------------------------------------------------------------------------------------------


@dataclasses.dataclass
class Run:
    """A finished run of the program. Signals give a negative status; memory is the peak resident set in MiB."""

    status: int
    out: str
    err: str
    seconds: float
    memory: float

    @property
    def events(self) -> list[dict]:
        """The lines of `--json`."""
        return [json.loads(line) for line in self.out.splitlines() if line.startswith("{")]

    def check(self) -> "Run":
        assert self.status == 0, f"exit status {self.status}\n{self.out}\n{self.err}"
        return self


class Started:
    """A run of the program that is under way; its output is gathered in the background."""

    def __init__(self, *arguments: str, prefix: tuple[str, ...] = ()):
        self.began = time.monotonic()
        command = [*prefix, program(), *map(str, arguments)]
        self.process = subprocess.Popen(
            command, cwd=REPOSITORY, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        self._texts = [b"", b""]
        self._readers = [threading.Thread(target=self._read, args=(index,), daemon=True) for index in (0, 1)]
        for reader in self._readers:
            reader.start()

    def _read(self, index: int) -> None:
        stream = (self.process.stdout, self.process.stderr)[index]
        while block := os.read(stream.fileno(), 65536):
            self._texts[index] += block

    def signal(self, number: int) -> None:
        self.process.send_signal(number)

    def finish(self, timeout: float = 120) -> Run:
        """Waits for the end. A run that takes longer than `timeout` seconds is killed and fails the test."""
        expired = threading.Event()

        def kill() -> None:
            expired.set()
            os.kill(self.process.pid, signal.SIGKILL)

        timer = threading.Timer(timeout, kill)
        timer.start()
        _, status, usage = os.wait4(self.process.pid, 0)
        timer.cancel()
        self.process.returncode = os.waitstatus_to_exitcode(status)
        for reader in self._readers:
            reader.join()
        out, err = (text.decode(errors="replace") for text in self._texts)
        assert not expired.is_set(), f"did not end within {timeout} s\n{out}\n{err}"
        return Run(self.process.returncode, out, err, time.monotonic() - self.began, usage.ru_maxrss / 1024)


def tessera(*arguments, timeout: float = 120, prefix: tuple[str, ...] = ()) -> Run:
    return Started(*arguments, prefix=prefix).finish(timeout)


def settings(**values) -> list[str]:
    """`--set` arguments of a document's parameters; a list becomes a comma-separated one."""
    arguments = []
    for name, value in values.items():
        text = ",".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)
        arguments += ["--set", f"{name}={text}"]
    return arguments


def ffmpeg(*arguments) -> None:
    subprocess.run(["ffmpeg", "-nostdin", "-v", "error", "-y", *map(str, arguments)], check=True)


def tool(*command) -> bytes:
    return subprocess.run([*map(str, command)], check=True, capture_output=True).stdout


# --- measuring -----------------------------------------------------------------------------------------------------


def probe(file) -> dict:
    """Format and streams as ffprobe sees them; streams by kind: `probe(file)["video"][0]["width"]`."""
    text = tool("ffprobe", "-v", "error", "-show_format", "-show_streams", "-of", "json", file)
    found = json.loads(text)
    kinds = {kind: [s for s in found["streams"] if s["codec_type"] == kind] for kind in ("video", "audio")}
    return {"format": found["format"], "duration": float(found["format"].get("duration", "nan")), **kinds}


def packets(file, kind: str = "video") -> list[dict]:
    """The packets of the first stream of a kind in file order: pts, dts, duration in seconds, whether key, position."""
    entries = "packet=pts_time,dts_time,duration_time,flags,pos,size"
    text = tool("ffprobe", "-v", "error", "-select_streams", kind[0], "-show_packets", "-show_entries", entries,
                "-of", "json", file)
    return [
        {
            "pts": float(packet["pts_time"]),
            "dts": float(packet.get("dts_time", packet["pts_time"])),
            "duration": float(packet.get("duration_time", 0)),
            "key": packet["flags"].startswith("K"),
            "position": int(packet.get("pos", -1)),
        }
        for packet in json.loads(text)["packets"]
    ]


def payloads(file) -> list[str]:
    """Track, times, size and MD5 of each packet, without what the container puts around them."""
    text = tool("ffmpeg", "-nostdin", "-v", "error", "-i", file, "-map", "0", "-c", "copy", "-f", "framemd5", "-")
    return [line for line in text.decode().splitlines() if not line.startswith("#")]


@dataclasses.dataclass
class Pictures:
    """Decoded pictures: `pixels[frame, row, column]` (grey) or `[…, 3]` (RGB), and the time of each in seconds."""

    pixels: numpy.ndarray
    times: numpy.ndarray

    def at(self, seconds: float) -> numpy.ndarray:
        """The picture that a player shows at a time."""
        return self.pixels[max(0, numpy.searchsorted(self.times, seconds + 1e-4, side="right") - 1)]


def pictures(file, width: int, height: int, start: float | None = None, length: float | None = None,
             grey: bool = False) -> Pictures:
    """Decodes the (upright) pictures of a file, scaled to a size in pixels."""
    window = ([] if start is None else ["-ss", start]) + ([] if length is None else ["-t", length])
    form, channels = ("gray", 1) if grey else ("rgb24", 3)
    done = subprocess.run(
        [*map(str, ["ffmpeg", "-nostdin", "-v", "info", "-copyts", *window, "-i", file, "-map", "0:v:0", "-vf",
                    f"scale={width}:{height}:flags=bicubic,showinfo=checksum=0", "-fps_mode", "passthrough",
                    "-pix_fmt", form, "-f", "rawvideo", "-"])],
        check=True, capture_output=True)
    times = [
        float(line.split("pts_time:")[1].split()[0])
        for line in done.stderr.decode(errors="replace").splitlines()
        if "Parsed_showinfo" in line and "pts_time:" in line
    ]
    shape = (-1, height, width) if grey else (-1, height, width, channels)
    pixels = numpy.frombuffer(done.stdout, numpy.uint8).reshape(shape)
    count = min(len(times), len(pixels))
    return Pictures(pixels[:count], numpy.array(times[:count]))


def sound(file) -> numpy.ndarray:
    """The sound of a file as floats at 48 kHz, the mean of its channels; sample 0 is time 0."""
    channels = int(probe(file)["audio"][0]["channels"])
    raw = tool("ffmpeg", "-nostdin", "-v", "error", "-i", file, "-map", "0:a:0", "-af",
               "aresample=async=1:first_pts=0", "-ar", SAMPLE_RATE, "-f", "f32le", "-")
    return numpy.frombuffer(raw, numpy.float32).reshape(-1, channels).mean(axis=1)


def correlation(a: numpy.ndarray, b: numpy.ndarray) -> float:
    """Pearson's correlation of two pictures of one size: 1 for the same, about 0 for unlike ones."""
    return float(numpy.corrcoef(a.astype(float).ravel(), b.astype(float).ravel())[0, 1])


def tone_level(samples: numpy.ndarray, hertz: float) -> float:
    """Amplitude of a tone (1 = full scale) in a stretch of sound, by the discrete Fourier transform at that point."""
    window = numpy.hanning(len(samples))
    phase = numpy.exp(-2j * numpy.pi * hertz * numpy.arange(len(samples)) / SAMPLE_RATE)
    return float(2 * abs(numpy.sum(samples * window * phase)) / numpy.sum(window))


def envelope(samples: numpy.ndarray, hertz: float, window: float = 0.006) -> numpy.ndarray:
    """Amplitude of a tone over time, seen through a window of some seconds centred on each sample."""
    length = int(window * SAMPLE_RATE) | 1
    mixed = samples * numpy.exp(-2j * numpy.pi * hertz * numpy.arange(len(samples)) / SAMPLE_RATE)
    sums = numpy.cumsum(numpy.concatenate([numpy.zeros(length // 2 + 1), mixed, numpy.zeros(length // 2)]))
    return 2 * abs(sums[length:] - sums[:-length]) / length


def rising_edges(values: numpy.ndarray, threshold: float) -> numpy.ndarray:
    """Indices at which values first lie above a threshold after having been below."""
    above = values > threshold
    return numpy.flatnonzero(above & ~numpy.concatenate([[False], above[:-1]]))


def longest_gap(file, kind: str = "video") -> float:
    """The longest distance between the times of consecutive packets, in seconds."""
    times = sorted(packet["pts"] for packet in packets(file, kind))
    return max(b - a for a, b in zip(times, times[1:]))


def assert_sound_file(file, seconds: float | None = None, rate: float = 30, kinds=("video", "audio")) -> dict:
    """Asserts what every recording owes: it decodes without a word, its times rise, its duration is what is in it.

    `seconds`: how long it is to be, to within one frame.
    """
    complaints = subprocess.run(
        ["ffmpeg", "-nostdin", "-v", "error", "-xerror", "-i", str(file), "-fps_mode", "vfr", "-f", "null", "-"],
        capture_output=True, text=True)
    assert complaints.returncode == 0 and not complaints.stderr, f"{file} does not decode: {complaints.stderr}"
    found = probe(file)
    for kind in ("video", "audio"):
        assert len(found[kind]) == (1 if kind in kinds else 0), f"{file}: {len(found[kind])} {kind} streams"
    for kind in kinds:
        listed = packets(file, kind)
        times = [packet["dts"] for packet in listed]
        assert all(a < b for a, b in zip(times, times[1:])), f"{file}: decoding times of {kind} do not rise"
        assert len({packet["pts"] for packet in listed}) == len(listed), f"{file}: two {kind} frames at one time"
    if seconds is not None:
        assert abs(found["duration"] - seconds) <= 1 / rate + 0.001, f"{file}: {found['duration']} s, not {seconds}"
    return found
