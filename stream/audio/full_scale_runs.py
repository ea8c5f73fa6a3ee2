"""Runs of samples that stay at full scale, as a converter gives them out that is driven too hard."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from stream.recognition.level import FULL_SCALE
from stream.recognition.mel import Array

RUN: Final = 3
"""Samples of one value, at full scale or beyond, from which on they are a run."""


class FullScaleRuns:
    """Counts the runs of each channel, cell by cell.

    A sound that is as loud as may be and not clipped touches full scale and leaves it again; one that is clipped stays
    there. Of floating-point samples beyond full scale only those count that stay at one value.

    Parameters
    ----------
    channels : int
    """

    def __init__(self, channels: int) -> None:
        self.counts = np.zeros(channels, np.int64)
        """Runs so far of each channel [shape=(channels,)]."""
        self._before = np.zeros((channels, RUN), np.float32)  # the samples before the cell

    def take(self, samples: Array, peaks: Array) -> npt.NDArray[np.bool_]:
        """Take in the next cell.

        Parameters
        ----------
        samples : np.ndarray [shape=(channels, n), dtype=float32]
            At least three of each.
        peaks : np.ndarray [shape=(channels,), dtype=float32]
            Largest magnitudes of the samples.

        Returns
        -------
        np.ndarray [shape=(channels,), dtype=bool]
            Which channels have a run that became one in this cell.
        """
        found = np.zeros(len(samples), np.bool_)
        for channel in np.flatnonzero(peaks >= FULL_SCALE):
            row = np.concatenate([self._before[channel], samples[channel]])
            same = (row[1:] == row[:-1]) & (np.abs(row[1:]) >= FULL_SCALE)
            long = same[1:] & same[:-1]  # the third of a run, and those that follow it
            begins = int(np.count_nonzero(long[1:] & ~long[:-1]))
            self.counts[channel] += begins
            found[channel] = begins > 0
        self._before[:] = samples[:, -RUN:]
        return found
