"""From what a device or a file delivers to what the model hears: one channel at 22 050 Hz."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import soxr

from stream.audio.channel_levels import ChannelLevels, Values
from stream.audio.channel_mixer import Alone, ChannelMixer
from stream.errors import ConfigError
from stream.recognition.level import FULL_SCALE
from stream.recognition.mel import SAMPLE_RATE, Array
from stream.recognition.settings import GATE

_LOUDEST = 1e6
"""120 dB above full scale: what is louder is no audio, and would overflow in what comes after."""


class Converter:
    """Picks or mixes channels, replaces what is not a number, and resamples, block by block.

    Parameters
    ----------
    rate : int
        Rate of the blocks, in Hz.
    channels : int
        Channels of the blocks.
    channel : int or sequence of int, optional
        The one to listen to, counted from 1, or several; without it all are averaged, and of several those, unless that
        hides them: see `stream.audio.channel_choice`.
    gate : float
        RMS level in dBFS below which nothing is heard.

    Raises
    ------
    ConfigError
        When there is no such channel.
    """

    def __init__(
        self, rate: int, channels: int, channel: int | Sequence[int] | None = None, gate: float = GATE
    ) -> None:
        chosen = [channel] if isinstance(channel, int) else channel
        for one in chosen or ():
            check_channel(one, channels)
        self._picked: slice | list[int] = slice(None)
        if chosen is not None:
            self._picked = slice(chosen[0] - 1, chosen[0]) if len(chosen) == 1 else [one - 1 for one in chosen]
        heard = channels if chosen is None else len(chosen)
        self._rate = rate
        self._mixer = ChannelMixer(rate, heard, gate, chosen or ())
        self._resampler: soxr.ResampleStream | None = None
        self.clipped = False
        """Whether a sample was at full scale since this was last set to False."""
        self.invalid = 0
        """Samples so far that were not finite numbers, or far beyond any audio, and were taken as zeros."""
        self._broken = np.zeros(heard, bool)
        self.clear()

    @property
    def peaks(self) -> Values:
        """Largest magnitude so far of each channel that is heard [shape=(channels,)]."""
        return self._mixer.peaks

    @property
    def alone(self) -> Alone | None:
        """The channel that is heard instead of the average of all, if it is so now."""
        return self._mixer.stretches[-1] if self._mixer.choice.alone is not None else None

    @property
    def stretches(self) -> list[Alone]:
        """When one channel was heard instead of the average of all, oldest first."""
        return self._mixer.stretches

    def change_gate(self, gate: float) -> None:
        """Take another level for that below which nothing is heard, in dBFS."""
        self._mixer.choice.gate = gate

    def go_on(self, other: Converter) -> None:
        """Take over what is inside the resampler of another converter of the same rate, which ends: no sample is lost.

        Otherwise the audio of one line would be behind that of the others, by what a new resampler holds back.
        """
        self._resampler = other._resampler

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
            self._broken |= ~valid.all(axis=0)
            frames = np.where(valid, frames, np.float32(0))
        if frames.size:
            self.clipped |= bool(max(frames.max(), -frames.min()) >= FULL_SCALE)
        return self._resample(self._mixer(frames), last)

    def fill(self, count: int) -> Array:
        """Convert silence in place of `count` frames that are missing, which says nothing about the channels."""
        return self._resample(np.zeros(count, np.float32))

    def take_levels(self) -> tuple[list[ChannelLevels], list[int]]:
        """Return what was measured since the last time.

        Returns
        -------
        levels : list of ChannelLevels
            Of each tenth of a second that has ended, for the channels that are heard.
        broken : list of int
            Channels, from 0, with samples that were not numbers.
        """
        levels, self._mixer.levels = self._mixer.levels, []
        broken = np.flatnonzero(self._broken).tolist()
        self._broken[:] = False
        return levels, broken

    def _resample(self, mono: Array, last: bool = False) -> Array:
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
