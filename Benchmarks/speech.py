"""Prints how speech sounds (PESQ, ITU-T P.862.2, wideband) behind bad lines, with and without Opus's redundancy.

Speech is made by espeak-ng, carried by `bench-sound speech` (encoder, line, receiver, all in virtual time), and
compared with what went in. Needs espeak-ng, ffmpeg and, from PyPI, pesq and numpy:

    swift build -c release --product bench-sound && python3 Benchmarks/speech.py

Or between two whole peers over the networks of docs/robustness.md, the given number of seeds of each:

    swift build -c release --product simulate && python3 Benchmarks/speech.py peers 10
"""
import os
import pathlib
import subprocess
import sys
import tempfile

import numpy
from pesq import pesq

TEXTS = [
    ("en", "The birch canoe slid on the smooth planks. Glue the sheet to the dark blue background. "
           "It is easy to tell the depth of a well."),
    ("en+f3", "These days a chicken leg is a rare dish. Rice is often served in round bowls. "
              "The juice of lemons makes fine punch."),
]
LOSSES = [0, 2, 5, 10, 20]
SEEDS = [1, 2, 3]


NETWORKS = ["loss-0", "loss-2", "loss-5", "loss-10", "loss-20", "bursts", "jitter", "reordering", "duplication",
            "bottleneck", "outage", "sender-moves", "receiver-moves"]
# Speech is repeated after so many seconds; compared are those from FIRST on, after an outage the next ones.
LOOP, FIRST, AFTER_OUTAGE = 8, 8, 16
RATE = 48000


def tool(name):
    program = pathlib.Path(".build/release") / name
    if not program.exists():
        sys.exit(f"build it first: swift build -c release --product {name}")
    return program


def run(*words):
    return subprocess.run(words, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout


def speech(folder, voice, text):
    wave, raw = folder / f"{voice}.wav", folder / f"{voice}.raw"
    run("espeak-ng", "-v", voice, "-s", "150", "-w", str(wave), text)
    run("ffmpeg", "-y", "-i", str(wave), "-ar", "48000", "-ac", "1", "-f", "s16le", str(raw))
    return raw


def at_16k(folder, raw):
    out = folder / "low.raw"
    run("ffmpeg", "-y", "-f", "s16le", "-ar", "48000", "-ac", "1", "-i", str(raw),
        "-ar", "16000", "-f", "s16le", str(out))
    return numpy.fromfile(out, dtype=numpy.int16)


def peers(seeds):
    program = tool("simulate")
    # Hash tables are walked in the same order in every process, so that a seed is a run.
    surroundings = {**os.environ, "SWIFT_DETERMINISTIC_HASHING": "1"}
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        originals = []
        for text in TEXTS:
            raw = speech(folder, *text)
            raw.write_bytes(raw.read_bytes()[:2 * RATE * LOOP].ljust(2 * RATE * LOOP, b"\0"))
            originals.append((raw, at_16k(folder, raw)))
        print("| network | runs | PESQ |")
        print("| --- | ---: | ---: |")
        for network in NETWORKS:
            first = AFTER_OUTAGE if network == "outage" else FIRST
            scores = []
            for raw, clean in originals:
                # It fails where a bound is missed, which is not the question here.
                subprocess.run([
                    str(program), "--speech", str(raw), str(folder), "--scenario", network, "--from", "1001",
                    "--seeds", str(seeds)], env=surroundings, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
                for heard in sorted(folder.glob(f"{network}-*.raw")):
                    samples = heard.read_bytes()[2 * RATE * first:2 * RATE * (first + LOOP)]
                    heard.write_bytes(samples)
                    scores.append(pesq(16000, clean, at_16k(folder, heard), "wb"))
                    heard.unlink()
            print(f"| {network} | {len(scores)} | {numpy.median(scores):.2f} ({min(scores):.2f}) |", flush=True)


def main():
    if sys.argv[1:2] == ["peers"]:
        peers(int(sys.argv[2]) if len(sys.argv) > 2 else 5)
        return
    program = tool("bench-sound")
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        originals = [(raw, at_16k(folder, raw)) for raw in (speech(folder, *text) for text in TEXTS)]
        print("jitter ms  loss %   PESQ plain  PESQ FEC   concealed % plain  FEC   repaired packets  delay ms FEC")
        for jitter in [0, 60]:
            for loss in LOSSES:
                row = {}
                for mode in ["plain", "fec"]:
                    scores, notes = [], []
                    for raw, clean in originals:
                        for seed in SEEDS:
                            out = folder / "out.raw"
                            words = run(str(program), "speech", str(raw), str(out), str(loss / 100), mode, str(jitter),
                                        str(seed)).split()
                            notes.append([float(word) for word in words])
                            scores.append(pesq(16000, clean, at_16k(folder, out), "wb"))
                    row[mode] = (numpy.mean(scores), numpy.mean(notes, axis=0))
                plain, fec = row["plain"], row["fec"]
                print(f"{jitter:9d} {loss:7d} {plain[0]:12.2f} {fec[0]:9.2f} {plain[1][0]:19.2f} {fec[1][0]:5.2f}"
                      f" {fec[1][1]:18.0f} {fec[1][2]:13.1f}", flush=True)


if __name__ == "__main__":
    main()
