#!/usr/bin/env python3
"""Makes the nine demonstration clips: a moving test picture with a burnt-in frame counter, and a tone of its own, each.

    script/clips.py DIRECTORY [SECONDS]

No two clips agree in codec, size, frame rate and sample rate, and among them are the awkward ones: odd sizes, portrait
by rotation, 4:3, 29.97 frames per second, B-frames, 8 kHz sound. The acceptance tests import `CLIPS` from here to know
what they look for. A clip that is already there is left alone.
"""

import concurrent.futures
import dataclasses
import os
import pathlib
import subprocess
import sys

FONT = "/usr/share/fonts/truetype/dejavu/DejaVuSans-Bold.ttf"
FFMPEG = ["ffmpeg", "-nostdin", "-v", "error", "-y"]
VIDEO_OPTIONS = {
    "vp8": ["libvpx", "-deadline", "realtime", "-cpu-used", "-8", "-b:v", "1M", "-g", "120"],
    "vp9": ["libvpx-vp9", "-deadline", "realtime", "-cpu-used", "8", "-b:v", "1M", "-g", "120"],
    "h264": ["libx264", "-preset", "veryfast", "-b:v", "1M", "-bf", "2", "-g", "120"],
}
AUDIO_OPTIONS = {
    "opus": ["libopus", "-b:a", "64k"],
    "vorbis": ["libvorbis", "-b:a", "64k"],
    "aac": ["aac", "-b:a", "96k"],
    "pcm": ["pcm_s16le"],
}


@dataclasses.dataclass(frozen=True)
class Clip:
    """One clip. Width and height are those of the upright picture; rate is ffmpeg's notation; tone is in hertz."""

    file: str
    video: str
    width: int
    height: int
    rate: str
    audio: str
    sample_rate: int
    channels: int
    tone: int
    turned: bool = False  # stored lying on its side, with a note in the container to turn it (as telephones do)


CLIPS = [
    Clip("1.webm", "vp8", 640, 360, "30", "opus", 48000, 2, 300),
    Clip("2.webm", "vp9", 854, 480, "25", "opus", 48000, 1, 420),
    Clip("3.mp4", "h264", 1280, 720, "50", "aac", 44100, 2, 540),
    Clip("4.webm", "vp8", 320, 240, "15", "vorbis", 22050, 1, 700),
    Clip("5.mp4", "h264", 360, 640, "30000/1001", "aac", 48000, 2, 860, turned=True),
    Clip("6.webm", "vp8", 427, 239, "24", "opus", 48000, 2, 1060),
    Clip("7.mkv", "h264", 960, 540, "60", "pcm", 8000, 1, 1300),
    Clip("8.webm", "vp9", 641, 361, "30", "vorbis", 44100, 2, 1580),
    Clip("9.mkv", "vp8", 640, 480, "25", "pcm", 48000, 2, 1900),
]


def command(clip: Clip, target: pathlib.Path, seconds: float) -> list[str]:
    """The ffmpeg command that makes `clip` at `target`."""
    index = CLIPS.index(clip)
    size = min(clip.width, clip.height) // 7
    label = f"{clip.video} {clip.width}x{clip.height} {clip.audio}"
    text = f"drawtext=fontfile={FONT}:fontcolor=white:box=1:boxcolor=black@0.6"
    picture = (
        f"testsrc2=size={clip.width}x{clip.height}:rate={clip.rate},hue=h={40 * index}:s=0.8,"
        f"{text}:fontsize={size}:x=(w-tw)/2:y=(h-th)/2:text='{index + 1} / %{{frame_num}}',"
        f"{text}:fontsize={max(size // 3, 12)}:x=(w-tw)/2:y=h*0.7:text='{label}'"
    )
    # The test source rounds odd sizes down; the scaler does not.
    if clip.width % 2 or clip.height % 2:
        picture += f",scale={clip.width}:{clip.height}"
    if clip.turned:
        picture += ",transpose=cclock"
    return [
        *FFMPEG,
        "-f", "lavfi", "-i", picture,
        "-f", "lavfi", "-i", f"sine=frequency={clip.tone}:sample_rate={clip.sample_rate}",
        "-t", str(seconds), "-pix_fmt", "yuv420p",
        "-c:v", *VIDEO_OPTIONS[clip.video], "-threads", "1",
        "-c:a", *AUDIO_OPTIONS[clip.audio], "-ac", str(clip.channels), "-ar", str(clip.sample_rate),
        str(target),
    ]


def make(directory: pathlib.Path, seconds: float = 10, report=lambda line: None) -> list[pathlib.Path]:
    """Makes what is missing of the nine clips in `directory`, as many at a time as there are processors."""
    directory.mkdir(parents=True, exist_ok=True)

    def one(clip: Clip) -> str:
        target = directory / clip.file
        if not target.exists():
            # Only a whole clip takes the name.
            partial = target.with_name("partial-" + target.name)
            subprocess.run(command(clip, partial, seconds), check=True)
            if clip.turned:
                # ffmpeg writes the note only when it copies.
                upright = target.with_name("upright-" + target.name)
                note = ["-c", "copy", "-metadata:s:v:0", "rotate=270"]
                subprocess.run([*FFMPEG, "-i", str(partial), *note, str(upright)], check=True)
                upright.replace(partial)
            partial.rename(target)
        return (
            f"{target}: {clip.video} {clip.width}x{clip.height} at {clip.rate} fps, "
            f"{clip.audio} {clip.sample_rate} Hz, {clip.channels} ch, tone {clip.tone} Hz"
        )

    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for number, line in enumerate(pool.map(one, CLIPS), 1):
            report(f"  {number}/{len(CLIPS)}  {line}")
    return [directory / clip.file for clip in CLIPS]


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3) or sys.argv[1].startswith("-"):
        sys.exit(__doc__)
    length = float(sys.argv[2]) if len(sys.argv) == 3 else 10
    make(pathlib.Path(sys.argv[1]), length, lambda line: print(line, flush=True))
