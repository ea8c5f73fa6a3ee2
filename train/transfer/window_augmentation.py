"""Changes to log mel features of a batch while training: other desks, rooms, tunings, moments and bands.

Features are natural logarithms of power divided by 5, so that a decibel is `DB`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from stream.recognition.mel_128 import FRAMES, N_MELS
from train.datasets.soft_targets import relative_share
from train.transfer.window_store import LOWEST

Array = npt.NDArray[np.float32]
Flags = npt.NDArray[np.bool_]
Rng = np.random.Generator

DB: Final = np.float32(np.log(10) / 50)
"""A decibel, in units of the features."""

_FLOOR: Final = np.float32(LOWEST)
_KNOTS: Final = 6  # of an equaliser
_PITCH: Final = 2  # most bands up or down
_BAND: Final = 14  # widest frequency mask, in bands
_SPAN: Final = 48  # widest time mask, in frames
_NEWEST: Final = (60, 220)  # frames of the newer player at a handover


class Batch(NamedTuple):
    """Windows as a network learns from them."""

    features: Array
    """shape=(n, 128, 292), log mel"""
    targets: Array
    """shape=(n, labels), the share of each label"""
    certain: Flags
    """shape=(n, labels), which labels the target tells of"""
    alone: Flags
    """shape=(n,), whether a window is of one clip, so that what a teacher said of it holds"""


def augment(
    features: Array, targets: Array, certain: Flags, rng: Rng, *, mixed: float = 0.25, handovers: float = 0.1
) -> Batch:
    """Change the windows of a batch.

    Parameters
    ----------
    features : np.ndarray [shape=(n, 128, 292), dtype=float32]
        Log mel features; they are changed in place.
    targets : np.ndarray [shape=(n, labels), dtype=float32]
        Share of each label.
    certain : np.ndarray [shape=(n, labels), dtype=bool]
        Which labels a target tells of.
    rng : np.random.Generator
        Where all choices come from.
    mixed : float
        Share of the windows that sound together with another, the louder of which gets the larger share.
    handovers : float
        Share of the windows whose beginning is another's: they keep the target of what came last.
    """
    for change in _CHANGES:
        change(features, rng)
    targets, certain = targets.copy(), certain.copy()
    alone = np.ones(len(features), np.bool_)
    order = rng.permutation(len(features))
    count = min(round(mixed * len(features)), len(features) // 2)
    partners = order[count : 2 * count]
    for row, partner, quieter in zip(order[:count], partners, features[partners], strict=True):
        below = rng.uniform(0, 15)  # dB
        # Powers add up: ln(e^5a + e^5b) / 5.
        features[row] = np.logaddexp(5 * features[row], 5 * (quieter - DB * np.float32(below))) / 5
        if targets[row].any() and targets[partner].any():
            softer = float(relative_share(below))
            targets[row] = (targets[row] + np.float32(softer) * targets[partner]) / np.float32(1 + softer)
            certain[row] &= certain[partner] | (targets[row] > 0)
            certain[row] |= targets[row] > 0
        alone[row] = False
    for row in np.flatnonzero(rng.random(len(features)) < handovers):
        other, newest = int(rng.integers(len(features))), int(rng.integers(*_NEWEST))
        if other != row and features[row, :, -newest:].max(axis=0).mean() > features[row].max() - 30 * DB:
            features[row, :, :-newest] = features[other, :, newest:]
            alone[row] = False
    np.maximum(features, _FLOOR, out=features)
    return Batch(features, targets, certain, alone)


def _time(batch: Array, rng: Rng) -> None:
    """Begin at another moment, and go round."""
    for one, start in zip(batch, rng.integers(FRAMES, size=len(batch)), strict=True):
        if rng.random() < 0.5:
            one[:] = np.roll(one, int(start), axis=1)


def _pitch(batch: Array, rng: Rng) -> None:
    """Shift by some bands, as another tuning and another size of an instrument do."""
    for one, shift in zip(batch, rng.integers(-_PITCH, _PITCH + 1, len(batch)), strict=True):
        if shift > 0:
            one[shift:] = one[:-shift].copy()
        elif shift < 0:
            one[:shift] = one[-shift:].copy()


def _equaliser(batch: Array, rng: Rng) -> None:
    """Turn the knobs of an equaliser, some dB each, and the level by a little."""
    chosen = np.flatnonzero(rng.random(len(batch)) < 0.6)
    knots = rng.normal(0, 3.5, (len(chosen), _KNOTS)).astype(np.float32) * DB
    batch[chosen] += (knots @ _CURVES)[:, :, None]
    batch += rng.normal(0, 1.5, (len(batch), 1, 1)).astype(np.float32) * DB


def _noise(batch: Array, rng: Rng) -> None:
    """Raise the noise floor."""
    for index in np.flatnonzero(rng.random(len(batch)) < 0.25):
        top = batch[index].max()
        floor = top - np.float32(rng.uniform(35, 75)) * DB
        tilt = np.linspace(0, rng.uniform(-15, 15), N_MELS, dtype=np.float32)[:, None] * DB
        noise = floor + tilt + rng.standard_normal((N_MELS, FRAMES), np.float32) * (2.5 * DB)
        np.maximum(batch[index], noise, out=batch[index])


def _bands(batch: Array, rng: Rng) -> None:
    """Take some bands away (Park et al., 2019)."""
    for index in np.flatnonzero(rng.random(len(batch)) < 0.25):
        width = int(rng.integers(1, _BAND))
        start = int(rng.integers(N_MELS - width))
        batch[index, start : start + width] = _FLOOR


def _frames(batch: Array, rng: Rng) -> None:
    """Take some frames away (Park et al., 2019)."""
    for index in np.flatnonzero(rng.random(len(batch)) < 0.25):
        width = int(rng.integers(1, _SPAN))
        start = int(rng.integers(FRAMES - width))
        batch[index, :, start : start + width] = _FLOOR


_CHANGES: Final[tuple[Callable[[Array, Rng], None], ...]] = (_time, _pitch, _equaliser, _noise, _bands, _frames)


def _curves() -> Array:
    """Weights of the knots in each band [shape=(knots, 128)]: straight lines between them."""
    knots = np.linspace(0, N_MELS - 1, _KNOTS)
    return np.array([np.interp(np.arange(N_MELS), knots, unit) for unit in np.eye(_KNOTS)], np.float32)


_CURVES: Final = _curves()
