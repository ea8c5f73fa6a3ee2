"""Recordings to extract features from, and an extraction in a process of its own, to be killed."""

from __future__ import annotations

import logging
import multiprocessing
import os
import signal
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from stream.recognition.mel import SAMPLE_RATE, WINDOW
from tests.support.synthetic_pack import write_sound
from train.datasets.audio_files import AudioFileDataset
from train.datasets.clips import Array, Clip, Split
from train.datasets.corpus import extract


def recordings(folder: Path, count: int) -> AudioFileDataset:
    """Write short tones, two files for each recording, and return them as a data set of two labels."""
    clips = []
    for number in range(count):
        path = folder / f"{number}.wav"
        sound = 0.5 * np.sin(2 * np.pi * (200 + number) * np.arange(SAMPLE_RATE // 4) / SAMPLE_RATE)
        write_sound(path, sound)
        clips.append(clip(path, number))
    return files(clips)


def clip(path: Path, number: int = 0) -> Clip:
    """Return the first window of a file, of any of two labels and splits."""
    split: Split = "training" if number // 2 % 3 else "validation"
    return Clip("ab"[number % 2], f"recording {number // 2}", split, "synthesised", "CC0", path, 0)


def files(clips: list[Clip]) -> AudioFileDataset:
    """Return a data set of these clips."""
    return AudioFileDataset("tones", ("a", "b"), tuple(clips))


@dataclass(frozen=True)
class Deadly:
    """A data set that kills every worker process, as the system does when memory runs out."""

    name: str = "deadly"
    labels: tuple[str, ...] = ("a",)
    digest: str = "0"
    clips: tuple[Clip, ...] = tuple(Clip("a", "a", "training", "", "", None, number) for number in range(80))

    def audio(self, clip: Clip) -> Array:
        """Return noise, in the first process."""
        if multiprocessing.parent_process():
            os.kill(os.getpid(), signal.SIGKILL)
        return np.random.default_rng(clip.number).normal(0, 0.1, WINDOW).astype(np.float32)


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO)
    paths = sorted(Path(sys.argv[1]).glob("*.wav"), key=lambda path: int(path.stem))
    extract(files([clip(path, int(path.stem)) for path in paths]), Path(sys.argv[2]), processes=2)
