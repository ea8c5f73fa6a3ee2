"""A folder of synthetic sounds per class, to try the laboratory on in seconds."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import soundfile

from stream.recognition.mel import SAMPLE_RATE

CLASSES = {"low": 150.0, "middle": 600.0, "high": 2400.0}
"""Fundamentals in Hz, spread by a third in either direction."""


def write_tones(root: Path, recordings: int = 8, seconds: float = 6.0) -> Path:
    """Write recordings of every class: a few harmonics at a pitch of their own, some tremolo, some noise."""
    rng = np.random.default_rng(0)
    time = np.arange(int(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    for label, fundamental in CLASSES.items():
        (root / label).mkdir(parents=True)
        for number in range(recordings):
            hertz = fundamental * 2 ** rng.uniform(-1 / 3, 1 / 3)
            sound = sum(np.sin(2 * np.pi * hertz * n * time + rng.uniform(0, 6)) / n for n in range(1, 5))
            sound = sound * (1 + 0.5 * np.sin(2 * np.pi * rng.uniform(1, 6) * time)) + rng.normal(0, 0.02, len(time))
            soundfile.write(root / label / f"{number}.flac", 0.2 * sound, SAMPLE_RATE)
    return root
