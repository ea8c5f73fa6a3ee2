"""Count which recordings of instruments are taken for a tone, hop by hop: ``python -m tools.measure_tones PACK``.

A pack is a folder with tables of recordings (training.csv, songs.csv, validation.csv), as `soloist train` takes it.
Every recording is heard from its first sample on, and at its end. Sources of sound fonts, whose notes are loops, are
told apart from recorded players.
"""

from __future__ import annotations

import argparse
import csv
import sys
from collections import Counter
from pathlib import Path
from typing import Final

import soundfile
import soxr

from stream.recognition.mel import SAMPLE_RATE, WINDOW, Array
from stream.recognition.settings import HOP
from stream.recognition.tone import ToneDetector

TABLES: Final = ("training.csv", "songs.csv", "validation.csv")
SOUND_FONTS: Final = ("fluidr3", "freepats", "generaluser", "timgm", "musescore", "discord_gm", "lmms")


def count_tones(audio: Array) -> tuple[int, int]:
    """Count the hops of a recording, and those that are taken for a tone."""
    detector = ToneDetector()
    step = round(HOP * SAMPLE_RATE)
    ends = sorted({*range(step, len(audio), step), len(audio)})
    return len(ends), sum(detector.update(audio[max(0, end - WINDOW) : end], None, end) for end in ends)


def main() -> None:
    """Print a row for each instrument and kind of source."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("pack", type=Path)
    pack = parser.parse_args().pack
    hops: Counter[tuple[str, str]] = Counter()
    tones: Counter[tuple[str, str]] = Counter()
    files: Counter[tuple[str, str]] = Counter()
    taken: Counter[tuple[str, str]] = Counter()
    for table in TABLES:
        with (pack / table).open(encoding="utf-8", newline="") as rows:
            for row in csv.DictReader(rows):
                if row["instrument"] == "room impulse response":
                    continue
                frames, rate = soundfile.read(pack / row["path"], dtype="float32", always_2d=True)
                audio = soxr.resample(frames.mean(axis=1), rate, SAMPLE_RATE)
                kind = "sound fonts" if row.get("source", "").startswith(SOUND_FONTS) else "players"
                key = row["instrument"], kind
                count, found = count_tones(audio)
                hops[key] += count
                tones[key] += found
                files[key] += 1
                taken[key] += found > 0
    for key in sorted(hops):
        found = f"{tones[key]:4} of {hops[key]:6} hops, {taken[key]:3} of {files[key]:4} files"
        sys.stdout.write(f"{key[0]:<26}{key[1]:<13}{found}\n")


if __name__ == "__main__":
    main()
