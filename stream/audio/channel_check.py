"""What is wrong with the channels of a source: silent, dead, clipped, humming, or the same as another one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from stream.audio.channel_copies import ChannelCopies, Copy
from stream.audio.channel_levels import CELL_SECONDS, ChannelCells, ChannelLevels, Values
from stream.audio.full_scale_runs import FullScaleRuns
from stream.audio.mains_hum import MainsHum
from stream.recognition.mel import Array


@dataclass(frozen=True, slots=True)
class ChannelFindings:
    """What was found of one channel so far."""

    channel: int
    """Counted from 1."""
    level: float
    """RMS of the loudest tenth of a second, in dBFS; -inf where there was nothing."""
    is_dead: bool
    """Whether it delivered only zeros."""
    is_silent: bool
    """Whether it was below the gate all along."""
    clipped: int
    """Runs of samples that stayed at full scale."""
    hum: int
    """Frequency of the mains that hums there now, in Hz; 0 for none."""
    hum_level: float
    """RMS of the hum in dBFS; -inf for none."""
    copy: Copy | None
    """The earlier channel of which it carries the signal."""
    is_broken: bool
    """Whether it held samples that are not numbers, or far beyond any audio."""


LOUDEST: Final = 1e6
"""120 dB above full scale: what is louder is no audio."""
_ABOVE_HUM: Final = 4.0
"""Times the power of the hum, from which on a channel holds more than that."""


class ChannelCheck:
    """Checks all channels of a source, on a grid of its own: what is found does not depend on the blocks.

    Parameters
    ----------
    rate : int
        In Hz.
    gates : np.ndarray [shape=(channels,), dtype=float64]
        RMS level of each channel in dBFS below which it is silent.
    """

    def __init__(self, rate: int, gates: Values) -> None:
        channels = len(gates)
        self._gates = 10 ** (np.asarray(gates, np.float64) / 10)
        self._cells = ChannelCells(rate, channels)
        self._copies = ChannelCopies(channels, self._cells.length)
        self._hum = MainsHum(rate, channels, self._cells.length)
        self._runs = FullScaleRuns(channels)
        self._loudest: Values = np.zeros(channels)
        self._has_sample = np.zeros(channels, np.bool_)  # whether it had one that is not zero
        self._has_sounded = np.zeros(channels, np.bool_)
        self._is_broken = np.zeros(channels, np.bool_)
        self._count = 0

    @property
    def seconds(self) -> float:
        """How much was checked."""
        return self._count * CELL_SECONDS

    @property
    def found(self) -> list[ChannelFindings]:
        """What was found of each channel."""
        copies = {copy.channel: copy for copy in self._copies.found}
        return [
            ChannelFindings(
                channel=channel + 1,
                level=_decibels(self._loudest[channel]),
                is_dead=not self._has_sample[channel],
                is_silent=not self._has_sounded[channel],
                clipped=int(self._runs.counts[channel]),
                hum=int(self._hum.frequencies[channel]),
                hum_level=_decibels(self._hum.powers[channel]),
                copy=copies.get(channel),
                is_broken=bool(self._is_broken[channel]),
            )
            for channel in range(len(self._gates))
        ]

    def take(self, frames: Array) -> Array:
        """Take in a block.

        Parameters
        ----------
        frames : np.ndarray [shape=(n, channels), dtype=float32]

        Returns
        -------
        np.ndarray [shape=(n, channels), dtype=float32]
            The same, with zeros for what is not a number.
        """
        with np.errstate(invalid="ignore"):
            valid = np.abs(frames) <= LOUDEST  # which no NaN is
        if not valid.all():
            self._is_broken |= ~valid.all(axis=0)
            frames = np.where(valid, frames, np.float32(0))
        for _, levels in self._cells.cut(frames):
            if levels is not None:
                self._check(levels)
        return frames

    def _check(self, levels: ChannelLevels) -> None:
        samples = self._cells.samples
        self._count += 1
        sounding: npt.NDArray[np.bool_] = (levels.powers >= self._gates) & (levels.powers > 0)
        self._has_sample |= (levels.lowest != 0) | (levels.highest != 0)
        self._has_sounded |= sounding
        self._loudest = np.maximum(self._loudest, levels.powers)
        self._runs.take(samples, levels.peaks)
        # Cables without a signal hum alike, which makes them no copies of each other.
        self._copies.take(samples, levels.means, sounding & (levels.powers > _ABOVE_HUM * self._hum.powers))
        self._hum.take(samples)


def _decibels(power: float) -> float:
    return 10 * float(np.log10(power)) if power > 0 else -np.inf
