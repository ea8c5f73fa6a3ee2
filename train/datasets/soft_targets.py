"""Soft targets: the shares of all that sounds in a clip, by how loud it is."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from stream.recognition.mel import SAMPLE_RATE
from train.datasets.labels import ALL_LABELS

Array = npt.NDArray[np.float32]
Shares = tuple[tuple[str, float], ...]
"""Labels of one sound with their shares, which add up to 1."""

_UNHEARD: Final = 20.0  # dB below the loudest part, where a part's share is 0
_STEEP: Final = 2.4  # 6 dB below, a part has 0.3 of two shares; 10 dB below, 0.16
_LEAST: Final = 0.6  # share of a soloist who is meant to be named, even deep in a band


@dataclass(frozen=True, slots=True)
class Target:
    """What a clip teaches."""

    shares: Array
    """Of all labels [shape=(31,)], adding up to 1: a distribution to learn from by cross entropy."""
    certain: npt.NDArray[np.bool_]
    """Which labels [shape=(31,)] it tells of; of the others nobody knows whether they sound. All with a share are."""
    weight: float
    """How far it is to be believed: 1 is sure, 0 is not to be learned from."""


def target(
    parts: Sequence[tuple[Shares, float]], soloist: bool, doubtful: Iterable[str] = (), weight: float = 1.0
) -> Target:
    """Make the target of a clip.

    A part's share falls with the decibels that it is softer than the loudest part: (1 - d / 20)^2.4, relative to the
    others', so that it is 0 from 20 dB on, and two parts that are 6 dB apart have 0.7 and 0.3.

    Parameters
    ----------
    parts : sequence of (shares, dB)
        What sounds, each with its loudness in the mix.
    soloist : bool
        Whether the first part is in front, and has a share of 0.6 at least.
    doubtful : iterable of str
        Labels of what may sound besides.
    weight : float
        How far the labels are to be believed, 0 to 1.
    """
    loudness = np.array([decibels for _, decibels in parts])
    heard = relative_share(loudness.max() - loudness)
    heard /= heard.sum()
    if soloist and heard[0] < _LEAST:
        heard[1:] *= (1 - _LEAST) / heard[1:].sum()
        heard[0] = _LEAST
    shares = np.zeros(len(ALL_LABELS), np.float32)
    for (labels, _), factor in zip(parts, heard, strict=True):
        for label, share in labels:
            shares[ALL_LABELS.index(label)] += share * factor
    certain = np.isin(ALL_LABELS, list(doubtful), invert=True) | (shares > 0)
    return Target(shares, certain, weight)


def relative_share(below: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Share of what is so many dB below the loudest part, relative to that part's: 1 at 0 dB, 0 from 20 dB on."""
    return np.asarray(np.clip(1 - np.asarray(below) / _UNHEARD, 0, 1) ** _STEEP)


def loudness(sound: Array) -> float:
    """Loudness of a whole sound in dB, to compare with others': its energy under the A weighting of IEC 61672."""
    weights = _weighting(len(sound))
    power = np.square(np.abs(np.fft.rfft(sound)) * weights).sum()
    return float(10 * np.log10(power + 1e-12))


@functools.cache
def _weighting(length: int) -> npt.NDArray[np.float64]:
    square = np.fft.rfftfreq(length, 1 / SAMPLE_RATE) ** 2
    return np.asarray(
        12194**2
        * square**2
        / ((square + 20.6**2) * np.sqrt((square + 107.7**2) * (square + 737.9**2)) * (square + 12194**2))
    )
