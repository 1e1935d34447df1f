#!/usr/bin/env python3
"""What WebRTC peers cost: per packet, idle, in memory, made and joined, and a call under a flood (`script/bench`).

The programs it runs must have been built; each prints its tables, progress goes to standard error.
"""

import argparse
import datetime
import os
import pathlib
import platform
import subprocess
import sys

REPOSITORY = pathlib.Path(__file__).resolve().parents[1]
PAGE = REPOSITORY / "docs/performance.md"
MARKS = ("<!-- peers:begin -->", "<!-- peers:end -->")


def run(binaries, *command):
    print(f"peers: {' '.join(command)}", file=sys.stderr)
    result = subprocess.run([binaries / command[0], *command[1:]], stdout=subprocess.PIPE, text=True, check=True)
    return result.stdout.strip()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binaries", type=pathlib.Path, required=True, help="where the programs are")
    parser.add_argument("--quick", action="store_true", help="short runs: to see that it works, not to be believed")
    parser.add_argument("--write", action="store_true", help="also put the tables into docs/performance.md")
    options = parser.parse_args()
    if options.quick and options.write:
        parser.error("--write wants the long runs")

    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=REPOSITORY, capture_output=True, text=True).stdout.strip()
    today = datetime.date.today().isoformat()
    load = os.getloadavg()[0]
    parts = [
        f"{os.cpu_count()} cores, Linux {platform.release()}, {today}, commit {commit}, load {load:.1f}.",
        "### Receiving, the protocol alone\n\n```\n" + run(options.binaries, "bench-receiving") + "\n```",
        "### Sending, the protocol alone\n\n" + run(options.binaries, "bench-sending", "packets"),
    ]
    if not options.quick:
        parts.append("### Sockets alone\n\n```\n" + run(options.binaries, "bench-network") + "\n```")
    parts.append(run(options.binaries, "bench-endpoints", *(["--quick"] if options.quick else [])))
    text = "\n\n".join(parts)
    print(text)
    if options.write:
        page = PAGE.read_text()
        start, end = (page.index(mark) for mark in MARKS)
        PAGE.write_text(page[:start + len(MARKS[0])] + "\n" + text + "\n" + page[end:])


if __name__ == "__main__":
    main()
