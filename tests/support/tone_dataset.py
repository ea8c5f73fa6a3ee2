"""A data set of synthetic tones, to measure models on in seconds; it needs no TensorFlow, so workers start quickly."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from stream.errors import SourceError
from stream.recognition.mel import SAMPLE_RATE, WINDOW, Array
from train.datasets.clips import SPLITS, Clip

HERTZ = {"bass <b>": 110.0, "horn & hum": 700.0, "whistle": 3200.0}
"""Labels, with what html has to escape, and the centre of each."""


@dataclass(frozen=True)
class ToneDataset:
    """Every label is tones about one frequency, and `unknown` is noise; recordings differ by pitch."""

    name: str = "tones"
    labels: tuple[str, ...] = (*HERTZ, "unknown")
    each: int = 4
    """Clips for each label and split."""
    digest: str = "d1ce"

    @property
    def clips(self) -> tuple[Clip, ...]:
        """All clips."""
        return tuple(
            Clip(label, f"{label} {split} {number // 2}", split, f"synth|{split}", "CC0", None, number)
            for split in SPLITS
            for label in self.labels
            for number in range(self.each)
        )

    def audio(self, clip: Clip) -> Array:
        """Synthesize a clip; one with a path is broken when that says so, and else silent."""
        if clip.path is not None:
            if clip.path.suffix == ".broken":
                raise SourceError(f"cannot read {clip.path}: it is broken")
            return np.zeros(WINDOW, np.float32)
        rng = np.random.default_rng([clip.number, SPLITS.index(clip.split), len(clip.label)])
        noise = rng.normal(0, 0.1, WINDOW)
        if clip.label == "unknown":
            return noise.astype(np.float32)
        pitch = HERTZ[clip.label] * 2 ** rng.uniform(-0.2, 0.2)
        time = np.arange(WINDOW) / SAMPLE_RATE
        # With vibrato: what is as steady as a test tone is not named.
        tone = np.sin(2 * np.pi * pitch * (time + 0.03 / (2 * np.pi * 6) * np.sin(2 * np.pi * 6 * time)))
        return (0.3 * tone + 0.05 * noise).astype(np.float32)


def clip_without_sound(label: str, name: str, number: int = 0) -> Clip:
    """Return a clip with a path: broken, or silent."""
    return Clip(label, name, "test", "synth", "CC0", Path(name), number)
