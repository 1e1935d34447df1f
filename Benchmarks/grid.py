#!/usr/bin/env python3
"""Nine clips into one grid: Tessera against ffmpeg, GStreamer, and the bare libraries. `script/bench` runs it.

All tools run in turn within each round, so that what else the machine does hits them alike; figures are medians of the
rounds. Encoder settings are the same everywhere: VP8 at 1.5 Mb/s, real time, cpu-used -8, constant bit rate, no
look-ahead, a key frame every four seconds; Opus at 96 kb/s, complexity 9.
"""

import argparse
import dataclasses
import datetime
import json
import math
import os
import pathlib
import platform
import re
import statistics
import subprocess
import sys
import time

REPOSITORY = pathlib.Path(__file__).resolve().parents[1]
WIDTH, HEIGHT, RATE, SECONDS, VIDEO_BITRATE, AUDIO_BITRATE = 1280, 720, 30, 20, 1_500_000, 96_000
KEY_DISTANCE = 4 * RATE  # the recorder's own
PAGE = REPOSITORY / "docs/performance.md"
MARKS = ("<!-- bench:begin -->", "<!-- bench:end -->")


# --- clips: deterministic, moving everywhere, textured ---------------------------------------------------------------

TEXTURES = [
    "mandelbrot=s=640x360:r=30:start_scale=2:end_scale=0.01:end_pts=600",
    "mandelbrot=s=640x360:r=30:start_x=-0.743643887037:start_y=-0.131825904205:start_scale=0.5:end_scale=0.002"
    ":end_pts=800",
    "sierpinski=s=640x360:r=30:type=carpet:seed=7,gblur=1.2",
    "life=s=320x180:r=15:ratio=0.4:seed=3:mold=20:life_color=#e0b060:death_color=#203050:mold_color=#508070,"
    "gblur=1.5,scale=640:360,minterpolate=fps=30:mi_mode=blend",
    "cellauto=s=320x180:r=30:rule=30:random_seed=5:scroll=1,gblur=2,scale=640:360",
    "gradients=s=640x360:r=30:seed=9:speed=0.02:n=6",
    "testsrc2=s=640x360:r=30,gblur=0.8,rotate=0.05*sin(t)",
    "mandelbrot=s=640x360:r=30:start_x=-1.25066:start_y=0.02012:start_scale=1:end_scale=0.005:end_pts=700"
    ":inner=mincol",
    "sierpinski=s=640x360:r=30:type=triangle:seed=11:jump=60,hue=h=120,gblur=1.5",
]


def make_clip(target: pathlib.Path, index: int) -> None:
    """One 640×360 clip at 500 kb/s: a texture, a smaller picture that circles over it, sensor noise, tone and hiss."""
    if target.exists():
        return
    graph = (
        f"[0:v]scale=640:360,format=yuv420p[base];[1:v]hue=h={40 * index}:s=0.7[small];"
        f"[base][small]overlay=x='224+200*sin(2*PI*t/{4 + index})':y='126+110*cos(2*PI*t/{5 + index})',"
        f"noise=alls=3:allf=t:all_seed={1 + index},format=yuv420p[v];[2:a][3:a]amix=inputs=2,volume=0.6[a]"
    )
    partial = target.with_name("partial-" + target.name)
    subprocess.run([
        "ffmpeg", "-nostdin", "-v", "error", "-y", "-f", "lavfi", "-i", TEXTURES[index],
        "-f", "lavfi", "-i", "testsrc2=s=192x108:r=30",
        "-f", "lavfi", "-i", f"sine=f={220 + 110 * index}:r=48000",
        "-f", "lavfi", "-i", f"anoisesrc=c=pink:a=0.1:r=48000:seed={index + 1}",
        "-filter_complex", graph, "-map", "[v]", "-map", "[a]", "-t", str(SECONDS), "-r", "30",
        "-c:v", "libvpx", "-deadline", "realtime", "-cpu-used", "-6", "-b:v", "500k", "-g", "300", "-threads", "1",
        "-ac", "2", "-c:a", "libopus", "-b:a", "64k", "-fflags", "+bitexact", "-flags", "+bitexact", str(partial),
    ], check=True)
    partial.rename(target)


# --- the tools -------------------------------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class Grid:
    """Where tiles go: as many columns as rows or one more, cells of whole even pixels."""

    count: int

    @property
    def columns(self) -> int:
        return math.ceil(math.sqrt(self.count))

    @property
    def tile(self) -> tuple[int, int]:
        rows = math.ceil(self.count / self.columns)
        return WIDTH // self.columns // 2 * 2, HEIGHT // rows // 2 * 2

    def place(self, index: int) -> tuple[int, int]:
        row, column = divmod(index, self.columns)
        rows = math.ceil(self.count / self.columns)
        return WIDTH // self.columns * column // 2 * 2, HEIGHT // rows * row // 2 * 2


def ffmpeg_graph(grid: Grid) -> str:
    width, height = grid.tile
    scaled = "".join(f"[{i}:v]scale={width}:{height}:flags=bicubic,setsar=1[v{i}];" for i in range(grid.count))
    layout = "|".join("_".join(map(str, grid.place(i))) for i in range(grid.count))
    pictures = "".join(f"[v{i}]" for i in range(grid.count))
    sound = "".join(f"[{i}:a]" for i in range(grid.count))
    return (f"{scaled}{pictures}xstack=inputs={grid.count}:layout={layout}:fill=black,pad={WIDTH}:{HEIGHT}[v];"
            f"{sound}amix=inputs={grid.count}:normalize=0[a]")


def with_ffmpeg(clips, output, threads: int | None) -> list[str]:
    inputs = [part for clip in clips for part in ("-i", str(clip))]
    rate = str(VIDEO_BITRATE)
    return [
        "ffmpeg", "-nostdin", "-v", "error", "-y", *inputs, "-filter_complex", ffmpeg_graph(Grid(len(clips))),
        "-map", "[v]", "-map", "[a]", "-r", str(RATE), "-c:v", "libvpx", "-deadline", "realtime", "-cpu-used", "-8",
        "-b:v", rate, "-minrate", rate, "-maxrate", rate, "-bufsize", rate,
        "-rc_init_occupancy", str(VIDEO_BITRATE // 2),
        "-qmin", "2", "-qmax", "56", "-undershoot-pct", "100", "-overshoot-pct", "15", "-lag-in-frames", "0",
        "-g", str(KEY_DISTANCE), "-keyint_min", str(KEY_DISTANCE), *(["-threads", str(threads)] if threads else []),
        "-c:a", "libopus", "-b:a", str(AUDIO_BITRATE), "-compression_level", "9", str(output)]


def with_gstreamer(clips, output) -> list[str]:
    grid = Grid(len(clips))
    width, height = grid.tile
    pads = " ".join(
        f"sink_{i}::xpos={x} sink_{i}::ypos={y} sink_{i}::width={width} sink_{i}::height={height}"
        for i in range(len(clips)) for x, y in [grid.place(i)])
    text = (
        f"compositor name=c background=black {pads} "
        f"! video/x-raw,format=I420,width={WIDTH},height={HEIGHT},framerate={RATE}/1 ! queue "
        f"! vp8enc deadline=1 cpu-used=-8 target-bitrate={VIDEO_BITRATE} end-usage=cbr threads=1 "
        f"keyframe-max-dist={KEY_DISTANCE} min-quantizer=2 max-quantizer=56 undershoot=100 overshoot=15 "
        "buffer-size=1000 buffer-initial-size=500 buffer-optimal-size=600 static-threshold=0 "
        f"! queue ! webmmux name=m ! filesink location={output} "
        "audiomixer name=a ! audioconvert ! audioresample ! audio/x-raw,rate=48000,channels=2 ! queue "
        f"! opusenc bitrate={AUDIO_BITRATE} complexity=9 ! queue ! m. ")
    for index, clip in enumerate(clips):
        text += (f"filesrc location={clip} ! matroskademux name=d{index} d{index}.video_0 ! queue ! vp8dec ! queue "
                 f"! c.sink_{index} d{index}.audio_0 ! queue ! opusdec ! queue ! a.sink_{index} ")
    return ["gst-launch-1.0", "-q", *text.split()]


def with_tessera(program, clips, output) -> list[str]:
    return [
        str(program), "run", str(REPOSITORY / "pipelines/grid.json"), "--quiet",
        "--set", "inputs=" + ",".join(map(str, clips)), "--set", f"output={output}", "--set", f"width={WIDTH}",
        "--set", f"height={HEIGHT}", "--set", f"fps={RATE}", "--set", f"videoBitrate={VIDEO_BITRATE}",
        "--set", "videoCodec=vp8", "--set", f"audioBitrate={AUDIO_BITRATE}"]


# --- measuring -------------------------------------------------------------------------------------------------------


@dataclasses.dataclass
class Cost:
    """CPU and wall time in seconds, peak resident memory in MiB."""

    cpu: float
    wall: float
    memory: float


def run(command: list[str], output=subprocess.DEVNULL) -> Cost:
    began = time.monotonic()
    process = subprocess.Popen(command, stdout=output, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL)
    complaints = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        sys.exit(f"{' '.join(command)}\nended with status {process.returncode}: {complaints.decode()}")
    return Cost(usage.ru_utime + usage.ru_stime, time.monotonic() - began, usage.ru_maxrss / 1024)


def median(costs: list[Cost]) -> Cost:
    return Cost(*(statistics.median(getattr(cost, field.name) for cost in costs) for field in dataclasses.fields(Cost)))


def coded(file) -> tuple[int, int, float]:
    """Video frames and key frames in a file, and its video bit rate in kb/s."""
    text = subprocess.run(
        ["ffprobe", "-v", "error", "-select_streams", "v", "-show_entries", "packet=flags,size", "-of", "csv=p=0",
         str(file)], check=True, capture_output=True, text=True).stdout.splitlines()
    sizes = [int(re.search(r"\d+", line).group()) for line in text]
    return len(text), sum("K" in line for line in text), sum(sizes) * 8 / 1000 / SECONDS


def similarity(file, ideal) -> float:
    """SSIM of a recording against the ideal grid, frame by frame as a player would show it at the grid's rate."""
    text = subprocess.run([
        "ffmpeg", "-nostdin", "-v", "info", "-i", str(file), "-f", "rawvideo", "-pix_fmt", "yuv420p", "-s",
        f"{WIDTH}x{HEIGHT}", "-r", str(RATE), "-i", str(ideal), "-lavfi",
        f"[0:v]fps={RATE}:start_time=0[a];[a][1:v]ssim=shortest=1", "-f", "null", "-"],
        check=True, capture_output=True, text=True).stderr
    return float(re.search(r"SSIM.*All:([0-9.]+)", text).group(1))


def make_ideal(clips, picture: pathlib.Path, sound: pathlib.Path) -> None:
    """The grid as raw pictures, scaled with a bicubic filter and never coded, and the mix as raw samples."""
    if picture.exists() and sound.exists():
        return
    inputs = [part for clip in clips for part in ("-i", str(clip))]
    subprocess.run([
        "ffmpeg", "-nostdin", "-v", "error", "-y", *inputs, "-filter_complex", ffmpeg_graph(Grid(len(clips))),
        "-map", "[v]", "-r", str(RATE), "-f", "rawvideo", "-pix_fmt", "yuv420p", str(picture),
        "-map", "[a]", "-f", "f32le", "-ac", "2", "-ar", "48000", str(sound)], check=True)


def floor(program, clips, picture, sound, copies: int = 1, grid: Grid | None = None) -> dict:
    """What the bare libraries take; with several copies at once, the mean of them: cores that share caches and memory
    are slower when all are busy, as they are in every other row."""
    grid = grid or Grid(len(clips))
    command = [str(program), str(picture), str(WIDTH), str(HEIGHT), str(RATE), str(VIDEO_BITRATE), str(sound),
               *map(str, grid.tile), *map(str, clips)]
    processes = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(copies)]
    measured = [json.loads(process.communicate()[0]) for process in processes]
    if any(process.returncode != 0 for process in processes):
        sys.exit(f"{' '.join(command)} failed")
    parts = {key: statistics.mean(each[key] for each in measured) for key in measured[0]}
    parts["cpu"] = sum(parts[name] for name in ("decodeVideo", "decodeAudio", "encodeVideo", "encodeAudio"))
    return parts


# --- tables ----------------------------------------------------------------------------------------------------------


def table(rows: list[list[str]]) -> str:
    """A Markdown table; the first row is its head, numbers to the right."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]

    def line(row):
        cells = [row[0].ljust(widths[0])] + [cell.rjust(width) for cell, width in zip(row[1:], widths[1:])]
        return "| " + " | ".join(cells) + " |"

    rule = "| " + " | ".join(["-" * widths[0]] + ["-" * (width - 1) + ":" for width in widths[1:]]) + " |"
    return "\n".join([line(rows[0]), rule, *map(line, rows[1:])])


def verdict(name: str, value: float, bound: float) -> str:
    return f"- {name}: {value:.2f} (to hold: ≤ {bound:.2f}) {'✓' if value <= bound else '✗'}"


def compare(options, programs, clips, folder) -> str:
    """All tools and the floor, in turn; the table of the comparison and what is to hold."""
    ideal, mix = folder / "ideal.yuv", folder / "mix.f32"
    make_ideal(clips, ideal, mix)
    outputs = {name: folder / f"{name.split()[0]}{number}.webm" for number, name in enumerate(
        ["tessera", "ffmpeg xstack+amix", "ffmpeg, encoder with one thread", "gstreamer compositor+audiomixer"])}
    tessera_name, ffmpeg_name, single_name, gst_name = outputs
    commands = {
        tessera_name: with_tessera(programs["tessera"], clips, outputs[tessera_name]),
        ffmpeg_name: with_ffmpeg(clips, outputs[ffmpeg_name], None),
        single_name: with_ffmpeg(clips, outputs[single_name], 1),
        gst_name: with_gstreamer(clips, outputs[gst_name]),
    }
    costs: dict[str, list[Cost]] = {name: [] for name in commands}
    floors, busy_floors = [], []
    for number in range(options.rounds):
        print(f"round {number + 1} of {options.rounds}", file=sys.stderr, flush=True)
        for name, command in commands.items():
            costs[name].append(run(command))
        floors.append(floor(programs["bench-floor"], clips, ideal, mix))
        busy_floors.append(floor(programs["bench-floor"], clips, ideal, mix, copies=os.cpu_count()))
    middle = {name: median(values) for name, values in costs.items()}
    base = {key: statistics.median(parts[key] for parts in floors) for key in floors[0]}
    busy = statistics.median(parts["cpu"] for parts in busy_floors)
    ours = middle[tessera_name]

    rows = [["", "CPU s", "wall s", "peak MiB", "CPU ÷ floor", "ours ÷ CPU", "ours ÷ wall", "frames", "key",
             "kb/s", "SSIM"]]
    for name, cost in middle.items():
        frames, keys, rate = coded(outputs[name])
        rows.append([
            name, f"{cost.cpu:.2f}", f"{cost.wall:.2f}", f"{cost.memory:.0f}", f"{cost.cpu / base['cpu']:.2f}",
            f"{ours.cpu / cost.cpu:.2f}", f"{ours.wall / cost.wall:.2f}", str(frames), str(keys), f"{rate:.0f}",
            f"{similarity(outputs[name], ideal):.4f}"])
    rows.append(["floor (bare libraries)", f"{base['cpu']:.2f}", "", "", "1.00", f"{ours.cpu / base['cpu']:.2f}",
                 *[""] * 5])
    rows.append(["floor, all cores busy with it", f"{busy:.2f}", "", "", f"{busy / base['cpu']:.2f}",
                 f"{ours.cpu / busy:.2f}", *[""] * 5])
    rows.append(["perfectly spread over the cores", "", f"{busy / os.cpu_count():.2f}", "", "", "",
                 f"{ours.wall / busy * os.cpu_count():.2f}", *[""] * 4])
    parts = (f"The floor: decoding VP8 {base['decodeVideo']:.2f} s ({base['picturesDecoded']:.0f} pictures), Opus "
             f"{base['decodeAudio']:.2f} s; encoding VP8 {base['encodeVideo']:.2f} s ({base['picturesEncoded']:.0f} "
             f"pictures), Opus {base['encodeAudio']:.2f} s. Scaling, which is not in it: {base['scaleVideo']:.2f} s.")
    best_similarity = max(float(row[10]) for row in rows[2:5])
    holds = [
        verdict("CPU ÷ floor", ours.cpu / base["cpu"], 1.15),
        f"- CPU ÷ floor with all cores busy: {ours.cpu / busy:.2f} (for information)",
        verdict("CPU ÷ ffmpeg's", ours.cpu / middle[ffmpeg_name].cpu, 0.55),
        verdict("CPU ÷ GStreamer's", ours.cpu / middle[gst_name].cpu, 0.55),
        verdict("wall ÷ ffmpeg's", ours.wall / middle[ffmpeg_name].wall, 0.4),
        verdict("wall ÷ GStreamer's", ours.wall / middle[gst_name].wall, 0.4),
        verdict("memory ÷ ffmpeg's", ours.memory / middle[ffmpeg_name].memory, 1),
        verdict("SSIM below the best of them, in thousandths", 1000 * (best_similarity - float(rows[1][10])), 5),
        f"- every frame coded: {rows[1][7]} of {SECONDS * RATE} {'✓' if int(rows[1][7]) == SECONDS * RATE else '✗'}",
    ]
    return "\n".join(["### Nine clips", "", table(rows), "", parts, "", "To hold:", "", *holds])


def scale(options, programs, clips, folder) -> str:
    """What one more input costs, from grids of 4 to 49: all that a run takes but its picture encoder, whose cost
    depends on what is in the picture, not on whose it is."""
    counts = [4, 9, 16, 25, 49]
    chosen = {count: [clips[i % len(clips)] for i in range(count)] for count in counts}
    costs: dict[int, list[Cost]] = {count: [] for count in counts}
    encoding: dict[int, list[float]] = {count: [] for count in counts}
    bare: dict[int, list[float]] = {count: [] for count in counts}
    for number in range(max(3, options.rounds - 2)):
        print(f"grids of {counts}, round {number + 1}", file=sys.stderr, flush=True)
        for count in counts:
            summary = folder / f"grid{count}.json"
            command = with_tessera(programs["tessera"], chosen[count], folder / f"grid{count}.webm")
            with open(summary, "w") as lines:
                costs[count].append(run([part for part in command if part != "--quiet"] + ["--json"], lines))
            stages = [stage for element in json.loads(summary.read_text().splitlines()[-1])["elements"]
                      for stage in element["stages"]]
            encoding[count].append(sum(
                stage["cpuSeconds"] for stage in stages if stage["kind"] == "encode" and stage["codec"] == "vp8"))
            # The bare decodes and scalings of the nine clips, to this grid's tile, with all cores busy as in the run.
            parts = floor(programs["bench-floor"], clips, "/dev/null", "/dev/null", os.cpu_count(), Grid(count))
            bare[count].append((parts["decodeVideo"] + parts["decodeAudio"] + parts["scaleVideo"]) / len(clips))
    rows = [["inputs", "CPU s", "wall s", "peak MiB", "encoder CPU s", "CPU s per extra input", "its decode + scaling",
             "ratio"]]
    previous = None
    for count in counts:
        cost, own, encoder = median(costs[count]), statistics.median(bare[count]), statistics.median(encoding[count])
        rest, extra = cost.cpu - encoder, ["", "", ""]
        if previous:
            each = (rest - previous[1]) / (count - previous[0])
            extra = [f"{each:.3f}", f"{own:.3f}", f"{each / own:.2f}"]
        rows.append(
            [str(count), f"{cost.cpu:.2f}", f"{cost.wall:.2f}", f"{cost.memory:.0f}", f"{encoder:.2f}", *extra])
        previous = (count, rest)
    return "\n".join(["### One more input", "", table(rows), "",
                      "To hold: ratio ≤ 1.10. What an extra input costs is without the picture encoder, which has more "
                      "to do where there is more detail; the bare figures are taken with all cores busy."])


def machine() -> str:
    model = next((line.split(":")[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")), "?")
    commit = subprocess.run(["git", "-C", str(REPOSITORY), "rev-parse", "--short", "HEAD"], capture_output=True,
                            text=True).stdout.strip()
    return (f"{os.cpu_count()} × {model}, {platform.system()} {platform.release()}, "
            f"{datetime.date.today().isoformat()}, commit {commit}, load {os.getloadavg()[0]:.1f} before the run")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5, help="how often each tool runs; figures are medians")
    parser.add_argument("--write", action="store_true", help="also put the tables into docs/performance.md")
    parser.add_argument("--no-scaling", action="store_true", help="leave out the grids of 4 to 49")
    parser.add_argument(
        "--folder", type=pathlib.Path, default=REPOSITORY / "out/bench", help="for clips and recordings")
    options = parser.parse_args()
    if options.write and options.rounds < 5:
        sys.exit("figures to be kept come from at least five rounds")
    binaries = pathlib.Path(os.environ.get("TESSERA_BINARIES") or subprocess.run(
        ["swift", "build", "-c", "release", "--show-bin-path"], cwd=REPOSITORY, check=True, capture_output=True,
        text=True).stdout.strip())
    programs = {name: binaries / name for name in ("tessera", "bench-floor")}
    folder = options.folder.resolve()
    (folder / "clips").mkdir(parents=True, exist_ok=True)
    clips = [folder / "clips" / f"{index + 1}.webm" for index in range(9)]
    for index, clip in enumerate(clips):
        print(f"clip {index + 1} of 9", file=sys.stderr, flush=True)
        make_clip(clip, index)
    sections = [machine() + f". Medians of {options.rounds} rounds.", compare(options, programs, clips, folder)]
    if not options.no_scaling:
        sections.append(scale(options, programs, clips, folder))
    text = "\n\n".join(sections)
    print(text)
    if options.write:
        page = PAGE.read_text()
        start, end = (page.index(mark) for mark in MARKS)
        PAGE.write_text(page[:start + len(MARKS[0])] + "\n" + text + "\n" + page[end:])


if __name__ == "__main__":
    main()
