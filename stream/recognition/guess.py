"""Guesses: the most probable instrument of those that are not shown."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from stream.recognition.results import Stretch
from stream.recognition.smoothing import Probabilities

MIN_PROBABILITY: Final = 0.15
"""Smoothed probability from which on a guess is worth telling."""
_HOPS: Final = 2  # a single hop is chance


class GuessTracker:
    """Puts the guess of each hop together to stretches of one instrument.

    As with segments, a stretch lasts from the hop that knew it to the hop that knows better.

    Parameters
    ----------
    instruments : sequence of str
        The model's.
    """

    def __init__(self, instruments: Sequence[str]) -> None:
        self._instruments = instruments
        self._present: int | None = None
        self._since = 0.0
        self._total = 0.0  # of its probability over the present stretch
        self._hops = 0

    def update(self, time: float, probabilities: Probabilities, shown: int | None) -> Stretch | None:
        """Take in one hop.

        Parameters
        ----------
        time : float
            Stream time of the hop, in seconds.
        probabilities : np.ndarray [shape=(n_instruments,), dtype=float64]
            Smoothed; zeros while nothing is estimated, which ends every stretch.
        shown : int or None
            Index of the instrument that is shown, if any.

        Returns
        -------
        Stretch or None
            The stretch that this hop ends.
        """
        others = probabilities.copy()
        if shown is not None:
            others[shown] = 0.0
        best = int(np.argmax(others))
        present = best if others[best] >= MIN_PROBABILITY else None
        ended = None
        if present != self._present:
            ended = self.close(time)
            self._present, self._since = present, time
        self._total += float(others[best])
        self._hops += 1
        return ended

    def close(self, time: float) -> Stretch | None:
        """End the present stretch at a stream time.

        Returns
        -------
        Stretch or None
            The stretch, None when there was none or too short a one.
        """
        ended = None
        if self._present is not None and self._hops >= _HOPS:
            label = self._instruments[self._present]
            ended = Stretch(self._since, time, "instrument", label, self._total / self._hops)
        self._present, self._total, self._hops = None, 0.0, 0
        return ended
