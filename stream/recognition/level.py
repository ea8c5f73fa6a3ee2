"""How loud audio is: root mean square and peak, in dBFS."""

from __future__ import annotations

from typing import Final

import numpy as np

from stream.recognition.mel import Array

LOWEST_LEVEL: Final = -120.0
"""Level that is given for digital silence, in dBFS."""
FULL_SCALE: Final = 0.999
"""Magnitude from which on a sample counts as clipped; a 16 bit converter ends at 0.99997."""

_LOWEST_AMPLITUDE: Final = 10 ** (LOWEST_LEVEL / 20)


def measure_level(samples: Array) -> tuple[float, float]:
    """Measure the level of some audio.

    Parameters
    ----------
    samples : np.ndarray [shape=(n,), dtype=float32]

    Returns
    -------
    rms : float
        Root mean square about the mean, in dBFS (0 dBFS is a value of 1), at least -120. A direct-current offset is
        no sound, so it does not count.
    peak : float
        Largest magnitude, in dBFS, at least -120.
    """
    if not len(samples):
        return LOWEST_LEVEL, LOWEST_LEVEL
    rms = float(np.std(samples, dtype=np.float64))
    peak = float(np.abs(samples).max())
    return _decibels(rms), _decibels(peak)


def _decibels(amplitude: float) -> float:
    return max(LOWEST_LEVEL, 20 * float(np.log10(max(amplitude, _LOWEST_AMPLITUDE))))
