"""From what a device or a file delivers to what the model hears: one channel at 22 050 Hz."""

from __future__ import annotations

import numpy as np
import soxr

from stream.errors import ConfigError
from stream.recognition.level import FULL_SCALE
from stream.recognition.mel import SAMPLE_RATE, Array

_LOUDEST = 1e6
"""120 dB above full scale: what is louder is no audio, and would overflow in what comes after."""


class Converter:
    """Picks or averages channels, replaces what is not a number, and resamples, block by block.

    Parameters
    ----------
    rate : int
        Rate of the blocks, in Hz.
    channels : int
        Channels of the blocks.
    channel : int, optional
        The one to listen to, counted from 1; without it all are averaged.

    Raises
    ------
    ConfigError
        When there is no such channel.
    """

    def __init__(self, rate: int, channels: int, channel: int | None = None) -> None:
        check_channel(channel, channels)
        self._picked = slice(None) if channel is None else slice(channel - 1, channel)
        self._rate = rate
        self._resampler: soxr.ResampleStream | None = None
        self.clipped = False
        """Whether a sample was at full scale since this was last set to False."""
        self.invalid = 0
        """Samples so far that were not finite numbers, or far beyond any audio, and were taken as zeros."""
        self.clear()

    def clear(self) -> None:
        """Forget the audio still inside the resampler, before audio that does not follow on."""
        if self._rate != SAMPLE_RATE:
            self._resampler = soxr.ResampleStream(self._rate, SAMPLE_RATE, 1, dtype="float32")

    def __call__(self, frames: Array, last: bool = False) -> Array:
        """Convert one block.

        Parameters
        ----------
        frames : np.ndarray [shape=(n, channels), dtype=float32]
            Audio in [-1, 1].
        last : bool
            Whether no more will come, so that the resampler gives out what it holds.

        Returns
        -------
        np.ndarray [shape=(m,), dtype=float32]
            Mono audio at 22 050 Hz; the resampler holds back a few milliseconds.
        """
        frames = frames[:, self._picked]
        with np.errstate(invalid="ignore"):
            valid = np.abs(frames) <= _LOUDEST  # which no NaN is
        if not valid.all():  # before the resampler, which would smear it
            self.invalid += frames.size - int(np.count_nonzero(valid))
            frames = np.where(valid, frames, np.float32(0))
        if frames.size and max(frames.max(), -frames.min()) >= FULL_SCALE:
            self.clipped = True
        mono: Array = frames.mean(axis=1, dtype=np.float32) if frames.shape[1] != 1 else frames[:, 0]
        if self._resampler is None:
            return mono
        resampled: Array = self._resampler.resample_chunk(np.ascontiguousarray(mono), last=last)
        return resampled


def check_channel(channel: int | None, channels: int) -> None:
    """Refuse a channel that a source does not have.

    Raises
    ------
    ConfigError
        When there is no such channel.
    """
    if channel is not None and not 1 <= channel <= channels:
        raise ConfigError(f"channel is {channel}; the source has {channels}")
