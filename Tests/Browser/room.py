"""A room of real browsers in one grid: who sees and hears whom, and how smoothly."""

import pathlib
import time

SHADES = ("rgb(220,40,40)", "rgb(40,180,40)", "rgb(220,180,40)", "rgb(180,40,180)", "rgb(40,180,180)")
BLUE = "rgb(40,40,220)"
TONES = (440, 523, 587, 659, 784)
# Where the five pictures of 16:9 lie in the grid: three columns and two rows, whole, the last row in the middle.
TILES = [[left / 6, top / 2 + 1 / 12, 1 / 3, 1 / 3] for left, top in ((0, 0), (2, 0), (4, 0), (1, 1), (3, 1))]
SECONDS = 10


def gather(server, makers, folder: pathlib.Path):
    """Lets five pages join, one per maker, and measures; rows of the table, one per page."""
    joined, rows = [], []
    try:
        for index, maker in enumerate(makers):
            joined.append(maker.peer(server).start(
                f"{server.url}/whip/grid", "sendrecv", "VP8", "opus", tone=TONES[index],
                shades=[SHADES[index], BLUE], tiles=TILES))
            time.sleep(1)
        time.sleep(6)
        before = [(time.monotonic(), peer.report()["drawn"]) for peer in joined]
        time.sleep(SECONDS)
        for index, (maker, peer) in enumerate(zip(makers, joined)):
            said = peer.report(SECONDS)
            drawn = (said["drawn"] - before[index][1]) / (time.monotonic() - before[index][0])
            shares = said["audio"]["shares"]
            rows.append({
                "name": f"{maker.name} {index + 1}", "drawn": drawn,
                "seen": [tile["distinct"] / SECONDS for tile in said["tiles"]],
                "left": [tile["left"] for tile in said["tiles"]], "sound": said.get("audio.in"),
                "own": shares[index], "others": [share for at, share in enumerate(shares) if at != index],
            })
            peer.page.evaluate(
                "async () => { peer.element.style = 'position:fixed;left:0;top:0;width:100%;height:100%;"
                "background:#222;object-fit:contain'; await new Promise((done) => setTimeout(done, 500)); }")
            path = folder / f"page-{index + 1}.png"
            screenshot = peer.page.screenshot
            screenshot(path=str(path))
        return rows
    finally:
        for peer in joined:
            peer.stop()


def table(rows) -> str:
    """Different pictures per second of each tile as each page sees it; how much of the time a tone is heard."""
    lines = ["| page | draws | sees 1 | 2 | 3 | 4 | 5 | own tone | rarest other |", "| --- |" + " ---: |" * 8]
    for row in rows:
        seen = " | ".join(f"{value:.1f}" for value in row["seen"])
        lines.append(f"| {row['name']} | {row['drawn']:.1f} | {seen} | {row['own']:.0%} | {min(row['others']):.0%} |")
    return "\n".join(lines)
