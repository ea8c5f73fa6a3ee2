"""Which of several lines is in front: by loudness against what is usual of each, and by what is named there."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from stream.recognition.level import LOWEST_LEVEL
from stream.recognition.results import State

Values = npt.NDArray[np.float64]

_SOUNDS: Final[frozenset[State]] = frozenset({"instrument", "unknown"})


@dataclass(frozen=True, slots=True)
class FrontRule:
    """How the line in front is chosen."""

    loudness: float = 0.6
    """Time constant of the loudness that is compared, in seconds."""
    habit: float = 60.0
    """Time constant of what is usual of a line, in seconds of its sounding."""
    named: float = 6.0
    """What an instrument that is named counts for, in dB."""
    ahead: float = 3.0
    """By how much another line must be ahead to lead, in dB."""
    stays: float = 0.75
    """For how long it must be ahead, in seconds; where the line that leads is silent, too."""


class FrontChooser:
    """Chooses the line that leads, hop by hop.

    Each line is compared with what is usual of it: the drums are always louder than the flute, and yet the flute leads
    where it plays up. Silent lines never lead while another one sounds.

    Parameters
    ----------
    lines : int
        How many there are.
    rule : FrontRule
    """

    def __init__(self, lines: int, rule: FrontRule = FrontRule()) -> None:
        self.leading = 0
        """The line that leads, counted from 0; the first one until another does."""
        self._rule = rule
        self._loudness: Values = np.full(lines, np.nan)  # dBFS; not a number of what is silent
        self._habit: Values = np.full(lines, np.nan)
        self._ahead = 0  # the line that is ahead of the one that leads
        self._ahead_for = 0.0  # seconds

    def update(self, levels: Sequence[float], states: Sequence[State], elapsed: float) -> int:
        """Take in a hop of all lines.

        Parameters
        ----------
        levels : sequence of float
            RMS level of each line, in dBFS.
        states : sequence of str
            What each line tells.
        elapsed : float
            Seconds of audio since the last hop.

        Returns
        -------
        int
            The line that leads.
        """
        rule, sounds = self._rule, np.array([state in _SOUNDS for state in states])
        heard = np.maximum(levels, LOWEST_LEVEL)
        begins = sounds & np.isnan(self._loudness)
        self._loudness = np.where(sounds, np.where(begins, heard, self._loudness), np.nan)
        self._loudness += (1 - math.exp(-elapsed / rule.loudness)) * (heard - self._loudness)
        self._habit = np.where(begins & np.isnan(self._habit), heard, self._habit)
        self._habit += np.where(sounds, (1 - math.exp(-elapsed / rule.habit)) * (self._loudness - self._habit), 0.0)
        named = np.array([state == "instrument" for state in states])
        score = np.where(sounds, self._loudness - self._habit + rule.named * named, -np.inf)
        best = int(np.argmax(score))
        leads = score[self.leading]
        if not sounds[best] or not (score[best] > leads + rule.ahead or not sounds[self.leading]):
            self._ahead_for = 0.0
            return self.leading
        self._ahead_for = self._ahead_for + elapsed if best == self._ahead else elapsed
        self._ahead = best
        if self._ahead_for >= rule.stays:
            self.leading, self._ahead_for = best, 0.0
        return self.leading
