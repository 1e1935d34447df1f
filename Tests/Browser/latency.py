"""`script/latency`: how much later a picture arrives through the server than over a direct connection.

One page draws numbered pictures and sends each twice, directly to itself and through `tessera serve`; the difference
of the two arrivals of one number is what the server adds.
"""

import argparse
import contextlib
import dataclasses
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

import peers
from live import Server

HERE = pathlib.Path(__file__).resolve().parent
PAGE = HERE.parents[1] / "docs" / "latency.md"
WARM_UP, SECONDS = 10, 30


@dataclasses.dataclass(frozen=True)
class Case:
    name: str
    door: str
    files: int
    # Where the page's picture lies in what comes back, in parts of its width and height.
    tile: tuple[float, float, float, float]
    # Milliseconds that may be added.
    median: float
    p95: float | None


CASES = [
    Case("passed through", "loop", 0, (0, 0, 1, 1), 15, None),
    Case("grid, one participant", "grid", 0, (0, 0, 1, 1), 30, 50),
    Case("grid, nine participants", "grid", 8, (2 / 3, 2 / 3, 1 / 3, 1 / 3), 45, 70),
]


def clip(path: pathlib.Path, index: int, seconds: float = WARM_UP + SECONDS + 15):
    """A moving picture of 640×360 in VP8 with a tone in Opus; one that is there already is left alone."""
    if path.exists():
        return
    subprocess.run([
        "ffmpeg", "-nostdin", "-v", "error", "-y", "-f", "lavfi", "-i",
        f"testsrc2=size=640x360:rate=30,hue=h={40 * index}:s=0.8", "-f", "lavfi", "-i",
        f"sine=frequency={300 + 100 * index}:sample_rate=48000", "-t", f"{seconds}", "-c:v", "libvpx", "-deadline",
        "realtime", "-cpu-used", "8", "-b:v", "800k", "-g", "120", "-c:a", "libopus", "-b:a", "48k", str(path),
    ], check=True)


def measure(chromium, case: Case, files: list[pathlib.Path], seconds=SECONDS) -> dict:
    settings = ["--set", "files=" + ",".join(map(str, files[:case.files]))] if case.files else []
    with Server("Tests/Browser/documents/latency.json", *settings) as server:
        page = chromium.browser.new_page()
        try:
            page.goto(f"{server.url}/doors")
            page.add_script_tag(content=(HERE / "latency.js").read_text())
            page.evaluate("async (options) => { window.latency = new Latency(); return latency.start(options); }", {
                "server": server.url, "door": case.door, "tile": list(case.tile), "codec": "VP8"})
            time.sleep(WARM_UP)
            page.evaluate("() => latency.begin()")
            time.sleep(seconds)
            said = page.evaluate("async () => latency.report()")
            page.evaluate("async () => latency.stop()")
            said["server"] = server.stats
            return said
        finally:
            page.close()


def percentile(values: list[float], part: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * part))]


def figures(said: dict) -> dict:
    drawn, direct, through = (dict(map(tuple, said[name])) for name in ("drawn", "direct", "through"))
    near = [direct[number] - at for number, at in drawn.items() if number in direct]
    far = [through[number] - at for number, at in drawn.items() if number in through]
    added = [through[number] - direct[number] for number in direct.keys() & through.keys() & drawn.keys()]
    return {
        "drawn": len(drawn), "direct": near, "through": far, "added": added, "count": len(added),
        "median": statistics.median(added), "p95": percentile(added, 0.95),
    }


def verdict(case: Case, found: dict) -> bool:
    return found["median"] <= case.median and (case.p95 is None or found["p95"] <= case.p95)


def row(case: Case, found: dict) -> str:
    def both(values):
        return f"{statistics.median(values):.1f} | {percentile(values, 0.95):.1f}"

    bound = f"≤ {case.median:.0f}" + (f", ≤ {case.p95:.0f}" if case.p95 else "")
    return (f"| {case.name} | {both(found['direct'])} | {both(found['through'])} | {both(found['added'])} | {bound} | "
            f"{found['count']} of {found['drawn']} |")


HEAD = """\
| | direct: median | p95 | through the server: median | p95 | added: median | p95 | to hold | pictures |
| --- | ---: | ---: | ---: | ---: | ---: | ---: | --- | ---: |"""


def main():
    parser = argparse.ArgumentParser(prog="script/latency", description=__doc__)
    parser.add_argument("cases", nargs="*", help="parts of the cases' names; all without")
    parser.add_argument("--seconds", type=float, default=SECONDS, help="measured, after a warm-up")
    parser.add_argument("--write", action="store_true", help="also into docs/latency.md")
    parser.add_argument("--clips", type=pathlib.Path, help="folder in which the files are kept for the next time")
    parser.add_argument("--verbose", action="store_true", help="what the browser and the server count")
    chosen = parser.parse_args()
    cases = [case for case in CASES if not chosen.cases or any(part in case.name for part in chosen.cases)]
    rows, held = [HEAD], True
    print(HEAD)
    with contextlib.ExitStack() as stack:
        folder = chosen.clips or pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory()))
        files = [folder / f"{index}.webm" for index in range(max((case.files for case in cases), default=0))]
        for index, path in enumerate(files):
            clip(path, index)
        chromium = stack.enter_context(peers.Chromium())
        for case in cases:
            said = measure(chromium, case, files, chosen.seconds)
            found = figures(said)
            rows.append(row(case, found))
            held = held and verdict(case, found)
            print(rows[-1], flush=True)
            if chosen.verbose:
                tell(said, found)
    if chosen.write:
        PAGE.write_text(with_table(PAGE.read_text(), rows))
    sys.exit(not held)


def with_table(page: str, rows: list[str]) -> str:
    """The page with these rows for the table below its mark."""
    before, mark, after = page.partition("<!-- table -->\n")
    rest = after.splitlines()
    while rest and (not rest[0] or rest[0].startswith("|")):
        rest.pop(0)
    return before + mark + "\n" + "\n".join(rows + [""] + rest) + "\n"


def tell(said: dict, found: dict):
    print("  sizes", said["sizes"], "misread", said["wrong"], "frames", said["frames"])
    print("  added by tenths:", [round(percentile(found["added"], tenth / 10), 1) for tenth in range(11)])
    for name, stats in said["stats"].items():
        if stats["type"] == "inbound-rtp":
            count = max(1, stats["jitterBufferEmittedCount"])
            print(f"  {name}: jitter buffer {1000 * stats['jitterBufferDelay'] / count:.1f} ms, "
                  f"target {1000 * stats.get('jitterBufferTargetDelay', 0) / count:.1f}, "
                  f"minimum {1000 * stats.get('jitterBufferMinimumDelay', 0) / count:.1f}, "
                  f"decode {1000 * stats['totalDecodeTime'] / max(1, stats['framesDecoded']):.1f}, "
                  f"assembly {1000 * stats.get('totalAssemblyTime', 0) / max(1, stats['framesDecoded']):.1f}, "
                  f"dropped {stats.get('framesDropped')} {stats.get('framesPerSecond')} fps, "
                  f"lost {stats['packetsLost']}, nack {stats.get('nackCount')}, pli {stats.get('pliCount')}, "
                  f"jitter {1000 * stats['jitter']:.1f}, bytes {stats['bytesReceived']}")
        else:
            print(f"  {name}: encode {1000 * stats['totalEncodeTime'] / max(1, stats['framesEncoded']):.1f} ms, "
                  f"pacing {1000 * stats['totalPacketSendDelay'] / max(1, stats['packetsSent']):.1f} ms a packet, "
                  f"{stats.get('framesPerSecond')} fps, {stats['frameWidth']}x{stats['frameHeight']}, "
                  f"target {stats.get('targetBitrate')}, limited by {stats.get('qualityLimitationReason')}")


if __name__ == "__main__":
    main()
