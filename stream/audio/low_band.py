"""The lowest frequencies of several channels at a low rate, for a spectrum that is narrow in time and fine in hertz."""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from stream.recognition.mel import Array

_LOWEST_RATE: Final = 1_000
"""Hz."""
_SPAN: Final = 8
"""Samples of the low rate over which the filter reaches."""
_PASSED: Final = 0.4
"""Where the filter falls to half the amplitude, as a share of the low rate."""


class LowBand:
    """Lowers the rate of all channels by a whole number, cell by cell.

    The filter is a sinc under a Hann window: 0.4 dB down at a quarter of the low rate, and at least 44 dB from 0.6 of
    it on, so that what folds back stays above 0.4.

    Parameters
    ----------
    rate : int
        Of the channels, in Hz.
    channels : int
    length : int
        Samples of a cell.
    """

    def __init__(self, rate: int, channels: int, length: int) -> None:
        self._step = _largest_divisor(length, rate // _LOWEST_RATE)
        self.rate = rate / self._step
        """Of what comes out, in Hz."""
        self.length = length // self._step
        """Samples of a cell of what comes out."""
        taps = _SPAN * self._step
        at = (np.arange(taps) + 0.5 - taps / 2) / self._step  # in samples of the low rate
        shape = np.sinc(2 * _PASSED * at) * np.cos(np.pi * at / _SPAN) ** 2
        self._filter = (shape / shape.sum()).astype(np.float32).reshape(_SPAN, self._step)
        self._before = np.zeros((channels, _SPAN - 1, _SPAN), np.float32)

    def take(self, samples: Array) -> Array:
        """Take in the next cell.

        Parameters
        ----------
        samples : np.ndarray [shape=(channels, length), dtype=float32]

        Returns
        -------
        np.ndarray [shape=(channels, length // step), dtype=float32]
            Later by half the filter.
        """
        channels = len(samples)
        parts = samples.reshape(channels * self.length, self._step) @ self._filter.T
        products = np.concatenate([self._before, parts.reshape(channels, self.length, _SPAN)], axis=1)
        self._before = products[:, self.length :].copy()
        low = products[:, : self.length, 0].copy()
        for number in range(1, _SPAN):
            low += products[:, number : number + self.length, number]
        return low


def _largest_divisor(number: int, most: int) -> int:
    """Return the largest divisor of a number that is not above another one."""
    divisors = [it for low in range(1, math.isqrt(number) + 1) if number % low == 0 for it in (low, number // low)]
    return max((it for it in divisors if it <= most), default=1)
