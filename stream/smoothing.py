"""From one estimate a hop to a label that holds still."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

import numpy as np

from stream.classifier import Probabilities

TIME_CONSTANT: Final = 0.35
"""Of the exponential average, in seconds. The window is an average over 3 s already; this one only has to keep a
single odd window from being seen."""
MARGIN: Final = 0.15
"""How much more probable than the present label another one must be to take its place."""
RELEASE: Final = 0.5
"""Share of its threshold below which the present label is given up."""


class Smoother:
    """Averages probabilities over time and decides, with hysteresis, which instrument is named.

    Parameters
    ----------
    thresholds : sequence of float
        Probability from which an instrument is named, one for each.
    """

    def __init__(self, thresholds: Sequence[float]) -> None:
        self._thresholds = np.array(thresholds)
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
            Probabilities of one window.
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
            self._average += (1 - math.exp(-elapsed / TIME_CONSTANT)) * (raw - self._average)
        average, present = self._average, self._named
        # The present label keeps its place until it falls well below its own threshold, and another one has to beat
        # it clearly: near a tie, or near the threshold, the label would flicker otherwise.
        passing = average >= self._thresholds
        if present is not None:
            passing &= average >= average[present] + MARGIN
            passing[present] = average[present] >= RELEASE * self._thresholds[present]
        best = int(np.argmax(np.where(passing, average, -1.0)))
        self._named = best if passing[best] else None
        return average.copy(), self._named
