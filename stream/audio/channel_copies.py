"""Channels that carry one signal twice: sample-equal, or equal up to gain and polarity."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from stream.audio.channel_levels import CELL_SECONDS, Values
from stream.recognition.mel import Array

COPY_SECONDS: Final = 5.0
"""For so long both channels have to sound before they are compared: longer than hum takes to be known as such."""
RESIDUAL: Final = 1e-3
"""What two channels may differ by at the most, as a share of the power of one: 30 dB below it.

Two preamplifiers on one cable differ by less; two microphones before one player, by more, for their sound arrives at
different times.
"""

_CELLS: Final = round(COPY_SECONDS / CELL_SECONDS)


class Copy(NamedTuple):
    """A channel that carries the same as another one."""

    channel: int
    """The later of the two, counted from 0."""
    original: int
    """The earlier one, counted from 0."""
    gain: float
    """How much louder the later one is, in dB."""
    is_inverted: bool
    """Whether its polarity is the other one's turned round."""


class ChannelCopies:
    """Compares every channel with every other, over stretches in which both sound.

    The normalised correlation at no delay is ::

        r = sum(x y) / sqrt(sum(x x) sum(y y))

    and 1 - r r is the share of the power of one that no gain of the other explains.

    Parameters
    ----------
    channels : int
    length : int
        Samples of a cell.
    """

    def __init__(self, channels: int, length: int) -> None:
        self._swing = np.zeros((channels, length), np.float32)
        shape = (channels, channels)
        self._products: Values = np.zeros(shape)
        self._powers: Values = np.zeros(shape)  # of the row's channel, in cells in which the column's sounds, too
        self._cells = np.zeros(shape, np.int64)
        self._gains: Values = np.full(shape, np.nan)  # of the row's channel above the column's; nan where no copy
        self._inverted = np.zeros(shape, np.bool_)

    @property
    def found(self) -> list[Copy]:
        """Channels that were copies when they were last compared, each with the first one that it equals."""
        copies = []
        for channel in range(1, len(self._gains)):
            originals = np.flatnonzero(~np.isnan(self._gains[channel, :channel]))
            if len(originals):
                first = int(originals[0])
                gain, inverted = float(self._gains[channel, first]), bool(self._inverted[channel, first])
                copies.append(Copy(channel, first, gain, inverted))
        return copies

    def take(self, samples: Array, means: Array, sounding: npt.NDArray[np.bool_]) -> None:
        """Take in the next cell.

        Parameters
        ----------
        samples : np.ndarray [shape=(channels, length), dtype=float32]
        means : np.ndarray [shape=(channels,), dtype=float32]
            Of the samples.
        sounding : np.ndarray [shape=(channels,), dtype=bool]
            Which channels are above the gate, with more than hum.
        """
        chosen = np.flatnonzero(sounding)
        if len(chosen) < 2:
            return
        swing = self._swing[: len(chosen)]
        np.subtract(samples[chosen], means[chosen, None], out=swing)
        products = (swing @ swing.T).astype(np.float64)
        place = np.ix_(chosen, chosen)
        self._products[place] += products
        self._powers[place] += np.diag(products)[:, None]
        self._cells[place] += 1
        if (complete := self._cells >= _CELLS).any():
            self._compare(complete)

    def _compare(self, complete: npt.NDArray[np.bool_]) -> None:
        """Compare the pairs that have sounded together for long enough, and begin anew with them."""
        product, power, other = self._products[complete], self._powers[complete], self._powers.T[complete]
        is_copy = power * other - product**2 <= RESIDUAL * power * other
        gains = 10 * np.log10(power / other)
        self._gains[complete] = np.where(is_copy, gains, np.nan)
        self._inverted[complete] = product < 0
        for sums in (self._products, self._powers, self._cells):
            sums[complete] = 0
