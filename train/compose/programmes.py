"""Continuous programmes whose truth is known: one player after another, of held-out sources or of real clips."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np

from stream.recognition.bundle import UNKNOWN
from stream.recognition.mel import SAMPLE_RATE
from train.datasets.clips import Array

SILENCE: Final = "silence"
NOBODY: Final = frozenset({UNKNOWN, SILENCE})
"""Labels of stretches in which no instrument is in front."""

LEAD_IN: Final = 3.5
"""Seconds of nobody before the first player: by then the recognizer has heard a whole window."""

_FADE: Final = 0.06  # s from one phrase to the next
_FRAME: Final = 512  # samples
_QUIET: Final = 10**-3.5  # of the loudest frame's power, as for `effects.activity`

Rng = np.random.Generator


@dataclass(frozen=True, slots=True)
class Interval:
    """A stretch of a programme."""

    start: float
    end: float
    """In seconds."""
    label: str
    """An instrument, `unknown` or `silence`."""


@dataclass(frozen=True, slots=True, eq=False)
class Programme:
    """Some minutes of audio, and who is in front when."""

    audio: Array
    """Mono at 22 050 Hz, within [-1, 1]."""
    truth: tuple[Interval, ...]
    """From the beginning to the end without gaps or overlaps; neighbours have different labels."""
    sounds: tuple[Interval, ...] = ()
    """The same stretches by what really sounds, where that is told more closely than as `unknown`."""


class Programmes(Protocol):
    """Something that makes programmes by number."""

    def programme(self, number: int) -> Programme:
        """Make a programme; it depends on the settings and its number alone."""

    def solo(self, number: int) -> Programme:
        """Make a minute of one player."""


def crossfade(phrases: Iterator[Array], length: int) -> Array:
    """Join phrases with cross-fades of 60 ms to a stretch that sounds from its first moment on.

    Parameters
    ----------
    phrases : iterator of np.ndarray [shape=(n,), dtype=float32]
        Taken from while there is room.
    length : int
        Samples of the stretch, at most.

    Returns
    -------
    np.ndarray [shape=(m,), dtype=float32]
        The stretch, faded in and out.
    """
    fade = sample_count(_FADE)
    rise = np.linspace(0, 1, fade, dtype=np.float32)
    out = np.zeros(0, np.float32)
    for phrase in phrases:
        sound = phrase if len(out) else phrase[_onset(phrase) :]
        sound = np.pad(sound, (0, max(0, 2 * fade - len(sound))))
        overlap = min(fade, len(out))
        if overlap:
            sound[:fade] = sound[:fade] * rise + out[-fade:] * rise[::-1]
        else:
            sound[:fade] *= rise
        out = np.concatenate([out[: len(out) - overlap], sound])[:length]
        if len(out) == length:
            break
    out[-fade:] *= rise[::-1]
    return out


def concatenate(parts: list[tuple[str, Array]]) -> Programme:
    """Lay stretches one behind the other.

    Parameters
    ----------
    parts : list of (str, np.ndarray [shape=(n,), dtype=float32])
        Labels and sounds.

    Returns
    -------
    Programme
        Neighbours of one label are one interval.
    """
    truth: list[Interval] = []
    end = 0
    for label, sound in parts:
        start, end = end, end + len(sound)
        if truth and truth[-1].label == label:
            truth[-1] = Interval(truth[-1].start, end / SAMPLE_RATE, label)
        else:
            truth.append(Interval(start / SAMPLE_RATE, end / SAMPLE_RATE, label))
    return Programme(np.concatenate([sound for _, sound in parts]), tuple(truth))


def rest(seconds: float) -> Array:
    """Return zeros."""
    return np.zeros(sample_count(seconds), np.float32)


def sample_count(seconds: float) -> int:
    """Return how many samples a time has."""
    return round(seconds * SAMPLE_RATE)


def _onset(sound: Array) -> int:
    """First sample of the first frame that is within 35 dB of the loudest one."""
    power = np.square(sound[: len(sound) // _FRAME * _FRAME].reshape(-1, _FRAME)).mean(axis=1)
    return int(np.argmax(power >= power.max() * _QUIET)) * _FRAME
