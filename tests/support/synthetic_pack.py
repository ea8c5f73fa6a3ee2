"""A pack of synthetic sounds, to try the laboratory on in seconds."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import numpy.typing as npt
import soundfile

from stream.recognition.mel import SAMPLE_RATE
from train.compose.pack import HELD_OUT_SOURCES, VALIDATION_SOURCES
from train.datasets.labels import INSTRUMENTS

SECONDS = 1.5

SONGS = (
    # instrument, context, sure, source, recording
    ("violin", "song", "unsure", "0ad", "0ad:Tavern_in_the_Mist"),  # a tagger's guess
    ("male singer", "song", "fair", "ultrastar_cc", "joshua_morin:On_the_run"),
    ("synth", "alone", "sure", "everythingisfree", "ev3:7.Francium"),
    ("accordion", "alone", "unsure", "gcompris", "gcompris:accordion"),
)
"""Rows of a table of songs: a guess, what is trained on, and two recordings that are held out."""


def write_pack(data: Path, *, three_way: bool = False) -> None:
    """Write a data folder in which every instrument is a chord in a band of its own, and the others are clicks.

    Every instrument has a training source, `toy`, and its held-out source, each of three notes; if `three_way`, also
    one to validate with where the held-out source is for the test.
    """
    rng = np.random.default_rng(0)
    rows = []
    kept = (
        [dict(sorted(HELD_OUT_SOURCES)), dict(sorted(VALIDATION_SOURCES))]
        if three_way
        else [dict(sorted(HELD_OUT_SOURCES))]
    )
    for number, instrument in enumerate(INSTRUMENTS):
        for source in ("toy", *(sources[instrument] for sources in kept)):
            for note in range(3):
                low = 110 * 2 ** (number * 0.75) * 2 ** (note / 12)
                path = f"training/{instrument}/{source}/{note}.flac"
                write_sound(data / path, sum(tone(low * ratio) for ratio in (1, 1.19, 1.41)) / 4)
                rows.append([path, instrument, source, "", 50 + note, SECONDS, "CC0"])
    for source in ("toy", *(sources["drums"] for sources in kept)):
        path = f"training/drums/{source}/click.flac"
        click = np.zeros(int(0.2 * SAMPLE_RATE))
        click[:400] = rng.uniform(-0.7, 0.7, 400)
        write_sound(data / path, click)
        rows.append([path, "drums", source, "", "", 0.2, "CC0"])
    with (data / "training.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["path", "instrument", "source", "original", "midi", "seconds", "licence"])
        writer.writerows(rows)


def write_songs(data: Path) -> None:
    """Write `SONGS`, chirping tones of 9 s, and their table beside a pack."""
    columns = ("path", "instrument", "context", "sure", "source", "recording", "original", "seconds", "licence")
    with (data / "songs.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        for number, (instrument, context, sure, source, recording) in enumerate(SONGS):
            path = f"songs/{number}.flac"
            write_sound(data / path, np.tile(0.3 * tone(200.0 + 90 * number), 6))
            writer.writerow([path, instrument, context, sure, source, recording, "", 9.0, "CC0"])


def tone(hertz: float) -> npt.NDArray[np.float64]:
    """Return a sine of `SECONDS`."""
    return np.sin(2 * np.pi * hertz * np.arange(int(SECONDS * SAMPLE_RATE)) / SAMPLE_RATE)


def write_sound(path: Path, sound: npt.NDArray[np.float64]) -> None:
    """Write a sound and the folders above it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, sound, SAMPLE_RATE)
