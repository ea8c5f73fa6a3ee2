"""Whether the average of all channels is heard, or one of them alone, because the average hides it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from stream.audio.channel_levels import CELL_SECONDS, ChannelLevels, Values, measure_channels
from stream.recognition.mel import Array

_CANCELLED: Final = 0.05  # of the power that the average of unrelated channels has; wide stereo stays above 0.3
_SOUND: Final = 0.25  # the same, from which on the average is as good as any
_DILUTED: Final = 0.1  # of the power of the strongest channel
_CELLS_TO_CHOOSE: Final = round(1.0 / CELL_SECONDS)
_CELLS_AT_THE_START: Final = round(0.3 / CELL_SECONDS)  # the same, while the average was never sound
_CELLS_TO_RETURN: Final = round(5.0 / CELL_SECONDS)
_LONGEST_RETURN: Final = round(320.0 / CELL_SECONDS)
_STRONGER: Final = 4.0  # times the power, for another channel to be heard alone
_RESTING: Final = 1e-13  # power of a channel that delivers only zeros


class ChannelChoice:
    """Chooses between the average of the channels and one of them, cell by cell of `ChannelCells`.

    The average is heard unless it hides what the channels hold: where they cancel each other, as a balanced line does
    whose two wires come in as left and right; or where it is below the gate, and the strongest channel, among many that
    are silent, is not. Then that one is heard, until the average has been sound for some seconds; for longer each time,
    so that microphones at different distances, whose average cancels a note here and there, do not make it alternate.
    What is below the gate decides nothing.

    Parameters
    ----------
    channels : int
    gate : float
        RMS level in dBFS below which nothing is heard.
    numbers : sequence of int
        What people call the channels; from 1 on without it.
    """

    def __init__(self, channels: int, gate: float, numbers: Sequence[int] = ()) -> None:
        self._numbers = numbers or range(1, channels + 1)
        self.gate = gate
        """May be set at any time."""
        self.alone: int | None = None
        """Which channel is heard, from 0; None for the average of all."""
        self.reason = ""
        """Why it is heard alone, in a few words."""
        self._channels = channels
        self._hidden = 0  # cells in a row
        self._hidden_powers: Values = np.zeros(channels)  # sum over them
        self._sound = 0
        self._was_sound = False
        self._stronger = 0
        self._cells_to_return = _CELLS_TO_RETURN

    def take(self, levels: ChannelLevels, samples: Array) -> None:
        """Take in the next cell: how loud it is, and its samples [shape=(channels, n)]."""
        if self._channels == 1:
            return
        gate, strongest = 10 ** (self.gate / 10), float(levels.powers.max())
        if strongest < gate:
            return
        share = levels.average_power / (float(levels.powers.sum()) / self._channels**2)
        alone = int(np.count_nonzero(levels.powers > _RESTING)) == 1
        is_low = alone or levels.average_power < _DILUTED * strongest
        is_cancelled = share < _CANCELLED
        is_hidden = is_cancelled or (is_low and levels.average_power < gate)
        is_sound = share > _SOUND and not (is_low and levels.average_power < 2 * gate)
        if self.alone is None:
            self._consider(levels, samples, is_hidden, is_cancelled)
            self._was_sound |= is_sound
        else:
            self._reconsider(levels, is_sound)

    def _consider(self, levels: ChannelLevels, samples: Array, is_hidden: bool, is_cancelled: bool) -> None:
        """Leave the average where it has hidden the channels for long enough."""
        self._hidden = self._hidden + 1 if is_hidden else 0
        self._hidden_powers = self._hidden_powers + levels.powers if is_hidden else np.zeros(self._channels)
        if self._hidden < (_CELLS_TO_CHOOSE if self._was_sound else _CELLS_AT_THE_START):
            return
        self.alone = _strongest(self._hidden_powers)
        self._hidden, self._sound, self._stronger = 0, 0, 0
        if is_cancelled:
            swing = samples - samples.mean(axis=1)[:, None]
            other = int(np.argmin(np.einsum("ij,j->i", swing, swing[self.alone])))
            first, second = sorted((self._numbers[self.alone], self._numbers[other]))
            self.reason = f"channels {first} and {second} cancel each other"
        else:
            self.reason = f"the average of {self._channels} channels is below {self.gate:g} dBFS"

    def _reconsider(self, levels: ChannelLevels, is_sound: bool) -> None:
        """Return to the average, or go on to a channel that is much stronger."""
        assert self.alone is not None
        self._sound = self._sound + 1 if is_sound else 0
        if self._sound >= self._cells_to_return:
            self.alone, self.reason, self._was_sound = None, "", True
            self._hidden_powers = np.zeros(self._channels)
            self._cells_to_return = min(2 * self._cells_to_return, _LONGEST_RETURN)
            return
        is_weak = levels.powers.max() > _STRONGER * levels.powers[self.alone]
        self._stronger = self._stronger + 1 if is_weak else 0
        if self._stronger >= _CELLS_TO_CHOOSE:
            self.alone, self._stronger = _strongest(levels.powers), 0


def choose_for_whole(samples: Array, gate: float) -> ChannelChoice:
    """Choose for some audio as a whole [shape=(channels, n)], by what the average does to all of it."""
    choice, levels = ChannelChoice(len(samples), gate), measure_channels(samples)
    for _ in range(_CELLS_AT_THE_START):
        choice.take(levels, samples)
    return choice


def _strongest(powers: Values) -> int:
    """Return the first of the channels that are about as strong as any."""
    return int(np.argmax(powers > 0.9 * powers.max()))
