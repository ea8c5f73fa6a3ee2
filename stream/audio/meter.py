"""The level of the audio, twenty times a second."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

import numpy as np

from stream.recognition.level import measure_level
from stream.recognition.mel import SAMPLE_RATE, Array

_BLOCK: Final = SAMPLE_RATE // 20


class LevelReading(NamedTuple):
    """The level of 50 ms of audio."""

    time: float
    """Stream time of their end, in seconds."""
    rms: float
    """In dBFS."""
    peak: float
    """In dBFS."""
    clipped: bool
    """Whether the input was at full scale."""


class LevelMeter:
    """Cuts audio into stretches of 50 ms and measures each."""

    def __init__(self) -> None:
        self._rest = np.empty(0, np.float32)
        self._end = 0

    def feed(self, samples: Array, end: int, clipped: bool) -> Iterator[LevelReading]:
        """Measure the stretches that the samples complete.

        Parameters
        ----------
        samples : np.ndarray [shape=(n,), dtype=float32]
            Mono audio at 22 050 Hz.
        end : int
            Position in the stream of the sample after the last one.
        clipped : bool
            Whether the input that they came from was at full scale.

        Yields
        ------
        LevelReading
        """
        if end - len(samples) != self._end:
            self._rest = self._rest[:0]  # from before a gap, or before a time in which nobody wanted levels
        self._end = end
        audio = np.concatenate([self._rest, samples])
        whole = len(audio) // _BLOCK * _BLOCK
        for start in range(0, whole, _BLOCK):
            rms, peak = measure_level(audio[start : start + _BLOCK])
            time = (end - len(audio) + start + _BLOCK) / SAMPLE_RATE
            yield LevelReading(time, rms, peak, clipped)
        self._rest = audio[whole:]
