"""From one estimate a hop to a label that holds still."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

Probabilities = npt.NDArray[np.float64]
_ROUNDING: Final = 1e-9  # of a sum of probabilities, which may have to be 1


@dataclass(frozen=True, slots=True)
class Smoothing:
    """How much it takes to change the label; `soloist train programmes --tune` tells what each choice costs."""

    time_constant: float = 0.6
    """Of the exponential average, in seconds. The window is an average over 3 s already; this one keeps a few odd
    windows from being seen."""
    lead: float = 0.2
    """How much more probable another instrument must be for the current one to be given up: for that one if it
    passes its threshold, else for `unknown`. Near a tie this keeps the label still."""
    release: float = 0.5
    """How much more probable than the current instrument `unknown` must be for it to be given up."""
    floor: float = 0.6
    """Share of its threshold below which an instrument is not named, whatever else is heard. Of hops with a name that
    was held with less, one in eight to one in four was right where players change; a higher floor costs flicker."""
    known_floor: float = 1.0
    """Share of what the line-up must sum to below which a name that is shown is given up."""


USUAL: Final = Smoothing()
"""What holds for a model that does not bring its own."""


class Smoother:
    """Averages probabilities over time and decides, with hysteresis, which instrument is named.

    Parameters
    ----------
    thresholds : sequence of float
        Probability from which an instrument is named, one for each.
    smoothing : Smoothing
        How much a change takes.
    known : float
        What the probabilities of all instruments must sum to for one of them to be named.
    """

    def __init__(self, thresholds: Sequence[float], smoothing: Smoothing = USUAL, known: float = 0.0) -> None:
        self._thresholds = np.array(thresholds)
        self._smoothing = smoothing
        self._known = known - _ROUNDING
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
            Index of the instrument in front, None when no instrument passes. Its average is at least `floor` of its
            threshold, no other instrument's is higher by more than `lead`, and all of them sum to `known_floor` of
            what they must or more.
        """
        if self._average is None:
            self._average = raw.copy()
        else:
            self._average += (1 - math.exp(-elapsed / self._smoothing.time_constant)) * (raw - self._average)
        average, current = self._average, self._named
        total = float(average.sum())
        in_front = average.max() - average <= self._smoothing.lead
        if current is not None and in_front[current] and self._holds(average, total, current):
            return average.copy(), current
        if total < self._known:
            self._named = None
            return average.copy(), None
        passing = np.where(in_front & (average >= self._thresholds), average, -1.0)
        best = int(np.argmax(passing))
        self._named = best if passing[best] >= 0 else None
        return average.copy(), self._named

    def _holds(self, average: Probabilities, total: float, current: int) -> bool:
        """Whether the current instrument, which no other leads clearly, is probable enough to stay."""
        unknown = 1 - total
        return bool(
            average[current] >= self._smoothing.floor * self._thresholds[current]
            and unknown - average[current] <= self._smoothing.release
            and total >= self._smoothing.known_floor * self._known
        )
