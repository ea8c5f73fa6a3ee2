"""From the channels of a source to the one that is recognized."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np

from stream.audio.channel_choice import ChannelChoice
from stream.audio.channel_levels import ChannelCells, ChannelLevels, Values
from stream.recognition.mel import Array

_FADE_SECONDS: Final = 0.01
_KEPT_STRETCHES: Final = 100


class Alone(NamedTuple):
    """A stretch in which one channel was heard and not the average of all."""

    start: float
    """In seconds of audio."""
    channel: int
    """Which of those that are averaged, counted from 1."""
    reason: str
    """In a few words."""
    end: float = math.inf
    """Infinite while it lasts."""


class ChannelMixer:
    """Averages the channels, or takes one where the average would hide it; see `ChannelChoice`.

    The choice is made after each cell of a grid and holds from the next one on, to which the sound fades over: nothing
    is delayed, and the same audio gives the same result whatever the blocks.

    Parameters
    ----------
    rate : int
        In Hz.
    channels : int
    gate : float
        RMS level in dBFS below which nothing is heard.
    numbers : sequence of int
        What people call the channels; from 1 on without it.
    """

    def __init__(self, rate: int, channels: int, gate: float, numbers: Sequence[int] = ()) -> None:
        self.choice = ChannelChoice(channels, gate, numbers)
        self.stretches: list[Alone] = []
        """When one channel was heard alone, oldest first; the newest hundred."""
        self.levels: list[ChannelLevels] = []
        """Of the cells that have ended since this was last emptied."""
        self._cells = ChannelCells(rate, channels)
        self._peaks: Values = np.zeros(channels)
        self._rate = rate
        length = min(self._cells.length, max(1, round(_FADE_SECONDS * rate)))
        self._fade = (np.arange(1, length + 1) / length).astype(np.float32)
        self._faded = length  # frames of the last change that are done
        self._before: int | None = None  # what was heard before it
        self._position = 0

    @property
    def peaks(self) -> Values:
        """Largest magnitude so far of each channel [shape=(channels,)]."""
        rest = np.abs(self._cells.begun).max(axis=1, initial=0.0)
        return np.asarray(np.maximum(self._peaks, rest), np.float64)

    def __call__(self, frames: Array) -> Array:
        """Mix a block [shape=(n, channels), dtype=float32, finite] to one channel [shape=(n,)]."""
        pieces = []
        for piece, levels in self._cells.cut(frames):
            pieces.append(self._mix(piece))
            self._position += len(piece)
            if levels is not None:
                self.levels.append(levels)
                self._peaks = np.maximum(self._peaks, levels.peaks)
                self._choose(levels)
        if len(pieces) == 1:
            return pieces[0]
        return np.concatenate(pieces) if pieces else np.empty(0, np.float32)

    def _mix(self, piece: Array) -> Array:
        mono = _take(piece, self.choice.alone)
        if self._faded < len(self._fade):
            share = self._fade[self._faded : self._faded + len(piece)]
            self._faded += len(share)
            fading = piece[: len(share)]
            old, new = _take(fading, self._before), mono[: len(share)]
            mono = np.concatenate([old + share * (new - old), mono[len(share) :]])
        return mono

    def _choose(self, levels: ChannelLevels) -> None:
        before = self.choice.alone
        self.choice.take(levels, self._cells.samples)
        now = self.choice.alone
        if now == before:
            return
        self._before, self._faded = before, 0
        time = self._position / self._rate
        if before is not None:
            self.stretches[-1] = self.stretches[-1]._replace(end=time)
        if now is not None:
            self.stretches.append(Alone(time, now + 1, self.choice.reason))
            del self.stretches[:-_KEPT_STRETCHES]


def _take(frames: Array, alone: int | None) -> Array:
    """Return the average of all channels, or one."""
    if alone is not None:
        return frames[:, alone]
    if frames.shape[1] == 1:
        return frames[:, 0]
    if frames.shape[1] == 2:  # the same numbers as below, six times as fast
        pair: Array = (frames[:, 0] + frames[:, 1]) / np.float32(2)
        return pair
    mono: Array = frames.mean(axis=1, dtype=np.float32)
    return mono
