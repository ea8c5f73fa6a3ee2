"""A stage of several channels, made of the demo's solos."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from stream.recognition.mel import SAMPLE_RATE, Array

SECONDS: Final = 12


def solo(demo: Array, score: Sequence[dict[str, Any]], instrument: str) -> Array:
    """Return twelve seconds of one of the demo's soloists [shape=(n,)]."""
    part = next(it for it in score if it["label"] == instrument)
    start, end = (round(part[key] * SAMPLE_RATE) for key in ("start", "end"))
    return np.resize(demo[start:end], SECONDS * SAMPLE_RATE)


def room(channels: int) -> Array:
    """Return the noise of so many channels at -100 dBFS [shape=(n, channels)]."""
    rng = np.random.default_rng(16)
    return (1e-5 * rng.standard_normal((SECONDS * SAMPLE_RATE, channels))).astype(np.float32)


def eight_channels(demo: Array, score: Sequence[dict[str, Any]]) -> Array:
    """Return a stage with most that can be wrong [shape=(n, 8)].

    On 1 is the trumpet and on 2 the violin, where `PLAN` has them the other way round; 3 is clipped, 4 and 5 are the
    piano and its copy with the polarity inverted, 6 hums and has no player, 7 is silent, 8 is a copy of 2.
    """
    audio = room(8)
    audio[:, 0] += solo(demo, score, "trumpet")
    audio[:, 1] += solo(demo, score, "violin")
    audio[:, 2] = np.clip(4 * solo(demo, score, "tenor saxophone"), -1, 1)
    audio[:, 3] += solo(demo, score, "piano")
    audio[:, 4] = -0.5 * audio[:, 3]
    audio[:, 5] += (0.01 * np.sin(2 * np.pi * 50 * np.arange(len(audio)) / SAMPLE_RATE)).astype(np.float32)
    audio[:, 7] = audio[:, 1]
    return audio


PLAN: Final = """\
[[line]]
name = "Anna"
channels = [1]
instruments = ["violin"]

[[line]]
name = "Ben"
channels = [2]
instruments = ["trumpet"]

[[line]]
name = "Carla"
channels = [3]
instruments = ["tenor saxophone"]

[[line]]
name = "Keys"
channels = [4, 5]
instruments = ["piano"]

[[line]]
name = "Dora"
channels = [6]
instruments = ["flute"]

[[line]]
name = "Emil"
channels = [7]
instruments = ["clarinet"]
"""
"""What should be on the eight channels."""
