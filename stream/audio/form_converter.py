"""Blocks of any rate and number of channels in one form."""

from __future__ import annotations

import numpy as np
import soxr

from stream.recognition.mel import Array


class FormConverter:
    """Brings blocks into one form.

    Parameters
    ----------
    rate, channels : int
        Of what comes out.
    """

    def __init__(self, rate: int, channels: int) -> None:
        self._rate, self._channels = rate, channels
        self._resampler: soxr.ResampleStream | None = None
        self._from = rate

    def __call__(self, block: Array, rate: int) -> Array:
        """Convert a block [shape=(n, any)] of any rate to [shape=(m, channels)]; channels become their average."""
        if block.shape[1] != self._channels:
            block = np.repeat(block.mean(axis=1, keepdims=True, dtype=np.float32), self._channels, axis=1)
        held = self.flush() if rate != self._from else None
        if rate != self._from:
            self._from = rate
            self._resampler = soxr.ResampleStream(rate, self._rate, self._channels, dtype="float32")
        if self._resampler is not None:
            block = self._resampler.resample_chunk(np.ascontiguousarray(block)).reshape(-1, self._channels)
        return block if held is None else np.concatenate([held, block])

    def flush(self) -> Array:
        """Return what is held of the blocks before, none of which the next ones follow."""
        held = np.empty((0, self._channels), np.float32)
        if self._resampler is not None:
            held = self._resampler.resample_chunk(held, last=True).reshape(-1, self._channels)
        self._from, self._resampler = self._rate, None
        return held
