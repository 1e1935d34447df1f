"""A room of real browsers in one grid: who sees and hears whom, and how smoothly."""

import pathlib
import time

SHADES = ("rgb(220,40,40)", "rgb(40,180,40)", "rgb(220,180,40)", "rgb(180,40,180)", "rgb(40,180,180)")
BLUE = "rgb(40,40,220)"
TONES = (440, 523, 587, 659, 784)
# Where the five pictures of 16:9 lie in the grid: three columns and two rows, whole, the last row in the middle.
TILES = [[left / 6, top / 2 + 1 / 12, 1 / 3, 1 / 3] for left, top in ((0, 0), (2, 0), (4, 0), (1, 1), (3, 1))]
SECONDS = 60
# Until all see all in full size.
WARM_UP = 12


def gather(server, makers, folder: pathlib.Path, seconds=SECONDS):
    """Lets five pages join, one per maker, and measures; rows of the table, one per page."""
    joined, rows = [], []
    try:
        for index, maker in enumerate(makers):
            joined.append(maker.peer(server).start(
                f"{server.url}/whip/grid", "sendrecv", "VP8", "opus", tone=TONES[index],
                shades=[SHADES[index], BLUE], tiles=TILES, cheap=True))
            time.sleep(1)
        time.sleep(WARM_UP)
        before = [(time.monotonic(), peer.report()) for peer in joined]
        time.sleep(seconds)
        for index, (maker, peer) in enumerate(zip(makers, joined)):
            began, at_first = before[index]
            elapsed, said = time.monotonic() - began, peer.report(seconds)
            shares = said["audio"]["shares"]

            def rate(way, name):
                return ((said[way].get(name) or 0) - (at_first[way].get(name) or 0)) / elapsed

            rows.append({
                "name": f"{maker.name} {index + 1}", "drawn": (said["drawn"] - at_first["drawn"]) / elapsed,
                "encoded": rate("video.out", "encoded"), "decoded": rate("video.in", "decoded"),
                "height": said["video"]["height"], "said": said,
                "seen": [tile["distinct"] / seconds for tile in said["tiles"]],
                "left": [tile["left"] for tile in said["tiles"]], "sound": said.get("audio.in"),
                "own": shares[index], "others": [share for at, share in enumerate(shares) if at != index],
            })
        for index, peer in enumerate(joined):
            peer.photograph(folder / f"page-{index + 1}.png")
        return rows
    finally:
        for peer in joined:
            peer.stop()


def table(rows) -> str:
    """Pictures per second: drawn and coded by each page, decoded of the grid, and different ones of each tile; how much
    of the time a tone is heard."""
    lines = ["| page | draws | encodes | decodes | sees 1 | 2 | 3 | 4 | 5 | own tone | rarest other |",
             "| --- |" + " ---: |" * 10]
    for row in rows:
        seen = " | ".join(f"{value:.1f}" for value in row["seen"])
        made = " | ".join(f"{row[name]:.1f}" for name in ("drawn", "encoded", "decoded"))
        lines.append(f"| {row['name']} | {made} | {seen} | {row['own']:.0%} | {min(row['others']):.0%} |")
    return "\n".join(lines)
