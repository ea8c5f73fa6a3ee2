"""Whether audio keeps pace with the clock: finds out how much is missing, also where nobody says so."""

from __future__ import annotations

import math
from typing import Final

_SLACK: Final = 0.25  # s; sound servers deliver in bursts of 0.2 s
_SETTLE: Final = 0.5  # s in which what is late may still arrive
_STEP: Final = 0.02  # s; less is the unevenness of deliveries
_CREEP: Final = 5e-4  # by which the clocks of devices may differ from ours; real ones do by a tenth of it


class Pace:
    """Holds the audio that arrives against the clock.

    Audio may arrive late and in bursts, never early: the least lateness of the past is what is usual. When audio was
    late for a while and nothing of it arrives any more, it is missing; what arrives early then was taken for missing.

    Parameters
    ----------
    rate : int
        Frames a second, in Hz.
    """

    def __init__(self, rate: int) -> None:
        self.losses = 0
        """Times that audio was lost."""
        self._rate = rate
        self._frames = 0  # arrived, or lost
        self._usual = math.inf  # lateness in seconds, since some moment
        self._heard_at = 0.0
        self._least = math.inf  # lateness since audio is late
        self._least_at = 0.0
        self._overflow = False
        self._late = False
        self._told = 0  # frames that were told to be missing

    @property
    def doubtful(self) -> bool:
        """Whether much may be missing before the audio that arrives: it is not known yet how much."""
        return self._late and self._least > _SLACK

    def hear(self, frames: int, now: float, overflow: bool = False) -> int:
        """Take note of audio.

        Parameters
        ----------
        frames : int
            How many have arrived.
        now : float
            When, on `stream.system.clock`, in seconds.
        overflow : bool
            Whether the device says that some before them are missing; it never says how many.

        Returns
        -------
        int
            Frames that are missing for good before this audio, or before the first that was `doubtful`. Less than 0:
            this audio was told to be missing and came after all, when it has no place any more.
        """
        self._frames += frames
        self.losses += overflow
        lateness = now - self._frames / self._rate
        if self._told > 0 and lateness < self._usual - _STEP:
            self._frames -= frames
            self._told -= frames
            return -frames
        passed = min(1.0, now - self._heard_at)  # a pause is no time in which clocks part
        least = self._usual - _CREEP * passed if self._told > 0 else -math.inf
        self._usual = max(least, min(self._usual + _CREEP * passed, lateness))
        self._heard_at = now
        late = lateness - self._usual
        if not self._late:
            if late <= _SLACK and not overflow:
                return 0
            self._late, self._overflow, self._least, self._least_at = True, overflow, late, now
            return 0
        self._overflow |= overflow
        if late < self._least - _STEP or overflow:
            self._least, self._least_at = late, now
        if late <= _SLACK and not self._overflow:
            self._late = False  # all of it came
            return 0
        if now - self._least_at < _SETTLE:
            return 0
        self._late = False
        if self._least <= (_STEP if self._overflow else _SLACK):
            return 0
        self.losses += not self._overflow
        lost = round(self._least * self._rate)
        self._frames += lost
        self._told += lost
        return lost
