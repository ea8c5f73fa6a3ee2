"""From one estimate a hop to a label that holds still."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from stream.recognition.classifier import Probabilities

ADVANTAGE_FLOOR: Final = 0.2
"""Share of its threshold below which the current label loses its advantage over others."""


@dataclass(frozen=True, slots=True)
class Smoothing:
    """How much it takes to change the label; `soloist train programmes --tune` tells what each choice costs."""

    time_constant: float = 0.35
    """Of the exponential average, in seconds. The window is an average over 3 s already; this one only has to keep a
    single odd window from being seen."""
    margin: float = 0.6
    """How much more probable than the current instrument another one must be to take its place. When a player hands
    over to another, one probability falls as the other rises, so that a wide margin costs little time; near a tie, or
    while a third is taken for either, it keeps the label still."""
    release: float = 0.5
    """How much more probable than the current instrument `unknown` must be for it to be given up."""


class Smoother:
    """Averages probabilities over time and decides, with hysteresis, which instrument is named.

    Parameters
    ----------
    thresholds : sequence of float
        Probability from which an instrument is named, one for each.
    smoothing : Smoothing
        How much a change takes.
    """

    def __init__(self, thresholds: Sequence[float], smoothing: Smoothing = Smoothing()) -> None:
        self._thresholds = np.array(thresholds)
        self._smoothing = smoothing
        self._average: Probabilities | None = None
        self._named: int | None = None

    def reset(self) -> None:
        """Forget what was heard."""
        self._average = self._named = None

    def update(self, raw: Probabilities, elapsed: float) -> tuple[Probabilities, int | None]:
        """Take in one estimate.

        Parameters
        ----------
        raw : np.ndarray [shape=(n_instruments,), dtype=float64]
            Probabilities of one window; what is missing to 1 is `unknown`.
        elapsed : float
            Seconds of audio since the last estimate.

        Returns
        -------
        average : np.ndarray [shape=(n_instruments,), dtype=float64]
            Smoothed probabilities.
        named : int or None
            Index of the instrument in front, None when no instrument passes.
        """
        if self._average is None:
            self._average = raw.copy()
        else:
            self._average += (1 - math.exp(-elapsed / self._smoothing.time_constant)) * (raw - self._average)
        average, current = self._average, self._named
        passing = average >= self._thresholds
        if current is not None:
            # The current label needs no threshold, only that nothing leads it clearly. One that is all but ruled out
            # has no influence on which follows, but still gives way to `unknown` only when that leads.
            if average[current] >= ADVANTAGE_FLOOR * self._thresholds[current]:
                passing &= average >= average[current] + self._smoothing.margin
            if not passing.any():
                passing[current] = 1 - average.sum() - average[current] <= self._smoothing.release
        best = int(np.argmax(np.where(passing, average, -1.0)))
        self._named = best if passing[best] else None
        return average.copy(), self._named
