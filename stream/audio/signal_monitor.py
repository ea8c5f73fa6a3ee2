"""Faults in the audio that arrives, as warnings that say what to do."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from stream.audio.channel_levels import CELL_SECONDS, ChannelLevels, Values
from stream.audio.channel_mixer import Alone
from stream.recognition.level import FULL_SCALE

_HOLD: Final = round(10 / CELL_SECONDS)  # how long a warning lasts after the fault was last seen
_OFFSET: Final = 0.05  # a mean over 2 s; that of real solos stays below 0.002, that of our demo below 0.033
_OFFSET_CELLS: Final = round(2 / CELL_SECONDS)
_CONSTANT_CELLS: Final = round(1.6 / CELL_SECONDS)  # noticed within 2 s, with the sound system's latency
_SILENT_CELLS: Final = round(30 / CELL_SECONDS)
_CONSTANT_RANGE: Final = (
    1e-6  # no converter is that quiet: its last bit of 24 is 1.2e-7, and noise moves more than that one
)
OVER: Final = 1.001
"""Magnitude that only floating-point samples reach, which do not end at full scale."""

_INVALID: Final = "{} holds samples that are not numbers, which are taken as zeros: "
_RESTART: Final = "restart what sends them"
_REPLACE: Final = "the file, or what sends them, is at fault"
_CLIPPED: Final = "{} is at full scale: "
_LOUD_INPUT: Final = "turn the gain down"
_LOUD_FILE: Final = "the recording may be clipped; where it is live, turn the gain down"
_OVER: Final = "{} goes beyond full scale: it is recognized all the same, but what plays it will clip it"
_OFF_CENTRE: Final = "{} has a DC offset: "
_SHIFTED_INPUT: Final = "switch on a low-cut filter, or check the cable and the interface"
_SHIFTED_FILE: Final = "a low-cut filter takes it away; where it is live, check the cable and the interface"
_SILENT: Final = "nothing above {:g} dBFS for {:.0f} s: "
_SILENT_INPUT: Final = "check the cable, the mute switch and the gain"
_SILENT_FILE: Final = "a long rest; where it is live, check the cable, the mute switch and the gain"
_ZEROS: Final = (
    "the input delivers only zeros: unmute it, switch it on, or choose another device "
    "(instead of a sound server's, the card itself: channels that the server names otherwise are silent)"
)
_DEAD: Final = "channel {} delivers only zeros: check its cable, or choose --channel {}"
_ALONE: Final = "{}: channel {} alone is heard; {}choose --channel {}"
_ALONE_IN_LINE: Final = "{}: channel {} alone is heard; {}give the line that channel only"
_CABLES: Final = "look for an inverted or a balanced cable, or "

Flags = npt.NDArray[np.bool_]


class SignalMonitor:
    """Checks the audio of one source, channel by channel, for faults that somebody should mend.

    Time is counted in audio.

    Parameters
    ----------
    gate : float
        RMS level in dBFS below which nothing is heard.
    live : bool
        Whether it is a device, whose samples are never quite constant while it works; those of a file may be.
    channels : int
        How many are heard.
    line : sequence of int
        What people call the channels of one line among several, whose player may rest while others play: silence is no
        fault then. Without it they are all channels of the input.
    """

    def __init__(self, gate: float, live: bool, channels: int = 1, line: Sequence[int] = ()) -> None:
        self._gate, self._gate_power = gate, 10 ** (gate / 10)
        self._live, self._line = live, line
        never = np.full(channels, -np.inf)
        self._invalid_at, self._clipped_at, self._off_centre_at = never.copy(), never.copy(), never.copy()
        self._over_at = never.copy()  # the first time: it is told once
        self._time = 0  # cells
        self._loud_at = self._shifted_at = -_HOLD  # when any channel was at full scale, or had a mean
        self._warnings: list[str] = []
        self._alone: Alone | None = None
        self._means = np.zeros((_OFFSET_CELLS, channels))
        self._powers = np.zeros((_OFFSET_CELLS, channels))
        self._peak = np.zeros(channels)  # so far
        self._constant = np.zeros(channels, np.int64)  # cells in a row
        self._still = self._silent = 0  # the same, of all channels

    @property
    def zeros_warning(self) -> str | None:
        """The warning for a device that works and delivers only zeros, in every channel; None if it does not."""
        return _ZEROS if self._live and self._still >= _CONSTANT_CELLS else None

    @property
    def warnings(self) -> list[str]:
        """What is wrong now and how to mend it, one line each."""
        return list(self._warnings)

    def update(self, levels: Sequence[ChannelLevels], invalid: Sequence[int] = (), alone: Alone | None = None) -> None:
        """Take in what was measured of some more audio.

        Parameters
        ----------
        levels : sequence of ChannelLevels
            Of each tenth of a second, for the channels that are heard.
        invalid : sequence of int
            Channels, from 0, that held samples that were not finite numbers.
        alone : Alone, optional
            The channel that is heard instead of the average of all, if it is so now.
        """
        for cell in levels:
            self._check(cell)
        if invalid:
            self._invalid_at[invalid] = self._time
        if levels or invalid or alone != self._alone:
            self._alone = alone
            self._warnings = self._find_warnings()

    def _find_warnings(self) -> list[str]:
        warnings = []
        if (invalid := self._recent(self._invalid_at)).any():
            warnings.append(_INVALID.format(self._name(invalid)) + (_RESTART if self._live else _REPLACE))
        if self._time - self._loud_at <= _HOLD:
            if (clipped := self._recent(self._clipped_at)).any():
                warnings.append(_CLIPPED.format(self._name(clipped)) + (_LOUD_INPUT if self._live else _LOUD_FILE))
            if (over := self._recent(self._over_at)).any():
                warnings.append(_OVER.format(self._name(over)))
        if self._alone is not None:
            channel, reason = self._alone.channel, self._alone.reason
            cables = _CABLES if self._live and "cancel" in reason else ""
            if self._line:
                warnings.append(_ALONE_IN_LINE.format(reason, self._line[channel - 1], cables))
            else:
                warnings.append(_ALONE.format(reason, channel, cables, channel))
        if self._line:
            pass  # it may rest
        elif self.zeros_warning is not None:
            warnings.append(self.zeros_warning)
        elif self._silent >= _SILENT_CELLS:
            warnings.append(
                _SILENT.format(self._gate, _SILENT_CELLS * CELL_SECONDS)
                + (_SILENT_INPUT if self._live else _SILENT_FILE)
            )
        elif (dead := self._dead_channel()) is not None:
            warnings.append(_DEAD.format(dead, 3 - dead))
        if (off_centre := self._recent(self._off_centre_at)).any():
            warnings.append(
                _OFF_CENTRE.format(self._name(off_centre)) + (_SHIFTED_INPUT if self._live else _SHIFTED_FILE)
            )
        return warnings

    def _check(self, cell: ChannelLevels) -> None:
        self._time += 1
        peaks = cell.peaks
        if peaks.max() >= FULL_SCALE:
            self._loud_at = self._time
            self._over_at[(peaks > OVER) & np.isinf(self._over_at)] = self._time
            # Samples that go beyond full scale pass by it; what ends there is clipped.
            ends_there = np.isinf(self._over_at)
            self._clipped_at[(peaks >= FULL_SCALE) & ends_there] = self._time
            self._clipped_at[~ends_there] = -np.inf
        self._peak = np.maximum(self._peak, peaks)
        row = self._time % _OFFSET_CELLS
        self._means[row], self._powers[row] = cell.means, cell.powers
        if np.abs(cell.means).max() > _OFFSET:
            self._shifted_at = self._time
        if self._shifted_at > self._time - _OFFSET_CELLS:
            self._off_centre_at[self._is_off_centre()] = self._time
        self._constant = np.where(cell.highest - cell.lowest <= _CONSTANT_RANGE, self._constant + 1, 0)
        self._still = int(self._constant.min())
        heard = cell.average_power if self._alone is None else cell.powers[self._alone.channel - 1]
        self._silent = self._silent + 1 if heard < self._gate_power else 0

    def _is_off_centre(self) -> Flags:
        """Tell which channels have an offset, of full scale or of what they reach beyond it."""
        offset = np.abs(self._means.mean(axis=0))
        is_off = offset > _OFFSET * np.maximum(1.0, self._peak)
        # A wave that is clipped more on one side than on the other gets a mean, but swings about zero as before.
        is_clipped = self._time - self._clipped_at < _OFFSET_CELLS
        return np.asarray(is_off & (~is_clipped | (offset > np.sqrt(self._powers.mean(axis=0)))))

    def _dead_channel(self) -> int | None:
        """Return which of two channels of a device delivers only zeros, from 1; more channels are seldom all in use."""
        if not self._live or len(self._constant) != 2 or self._still:
            return None
        is_dead = self._constant >= _SILENT_CELLS
        return int(np.argmax(is_dead)) + 1 if is_dead.sum() == 1 else None

    def _recent(self, times: Values) -> Flags:
        return np.asarray(self._time - times <= _HOLD)

    def _name(self, channels: Flags) -> str:
        """Name some channels, for people."""
        if channels.all() and not self._line:
            return "the input"
        called = self._line or range(1, len(channels) + 1)
        numbers = [str(called[place]) for place in np.flatnonzero(channels).tolist()]
        return f"channel {numbers[0]}" if len(numbers) == 1 else f"each of channels {', '.join(numbers)}"
