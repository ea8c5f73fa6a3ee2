"""Audio files and tables to make data sets of, and what tests ask of a data set."""

from __future__ import annotations

import csv
from collections import Counter, defaultdict
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import soundfile

from stream.recognition.mel import SAMPLE_RATE
from train.datasets.audio_files import AudioFileDataset
from train.datasets.clips import Clip


def sides(clips: Iterable[Clip]) -> dict[str, str]:
    """The one split of each recording."""
    found: defaultdict[str, set[str]] = defaultdict(set)
    for clip in clips:
        found[clip.recording].add(clip.split)
    assert all(len(splits) == 1 for splits in found.values()), "a recording is on two sides"
    return {recording: splits.pop() for recording, splits in found.items()}


def counts(data: AudioFileDataset) -> Counter[tuple[str, str]]:
    """Clips by label and split."""
    return Counter((clip.label, clip.split) for clip in data.clips)


def write_tone(path: Path, seconds: float, rate: int = SAMPLE_RATE, channels: int = 1, hertz: float = 440) -> Path:
    """A tone of peak 0.5 in the format that the suffix says."""
    tone = 0.5 * np.sin(2 * np.pi * hertz / rate * np.arange(round(seconds * rate)))
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, np.repeat(tone[:, None], channels, axis=1), rate)
    return path


def write_table(path: Path, rows: list[dict[str, str]]) -> Path:
    """A CSV table with the columns of its first row."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


def one_clip(path: Path, number: int = 0) -> Clip:
    """A clip of a file."""
    return Clip("violin", str(path), "training", "test", "", path, number)


def hear(path: Path, number: int = 0) -> np.ndarray:
    """A window of a file."""
    clip = one_clip(path, number)
    return AudioFileDataset("test", ("violin",), (clip,)).audio(clip)
