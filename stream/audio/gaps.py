"""Finds how much captured audio is missing, by the clock, also where the device does not say so."""

from __future__ import annotations

import math
from typing import Final

_MAX_JITTER: Final = 0.25  # s; sound servers deliver in bursts of 0.2 s
_SETTLING_TIME: Final = 0.5  # s in which what is late may still arrive
_MIN_GAP: Final = 0.02  # s; less is the unevenness of deliveries
_CLOCK_DRIFT: Final = 5e-4  # by which the clocks of devices may differ from ours; real ones do by a tenth of it


class GapDetector:
    """Compares the audio that arrives with the clock.

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
        self._usual_lateness = math.inf  # in seconds, since some moment
        self._updated_at = 0.0
        self._least_lateness = math.inf  # since audio is late
        self._least_lateness_at = 0.0
        self._overflow = False
        self._late = False
        self._reported = 0  # frames that were reported as missing

    @property
    def is_undecided(self) -> bool:
        """Whether much may be missing before the audio that arrives, and it is not known yet how much."""
        return self._late and self._least_lateness > _MAX_JITTER

    def update(self, frames: int, now: float, overflow: bool = False) -> int:
        """Take in that audio has arrived.

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
            Frames that are missing for good before this audio, or before the first since `is_undecided`. Less than 0:
            this audio was reported as missing and came after all, when it has no place any more.
        """
        self._frames += frames
        self.losses += overflow
        lateness = now - self._frames / self._rate
        if self._reported > 0 and lateness < self._usual_lateness - _MIN_GAP:
            self._frames -= frames
            self._reported -= frames
            return -frames
        passed = min(1.0, now - self._updated_at)  # a pause is no time in which clocks part
        least = self._usual_lateness - _CLOCK_DRIFT * passed if self._reported > 0 else -math.inf
        self._usual_lateness = max(least, min(self._usual_lateness + _CLOCK_DRIFT * passed, lateness))
        self._updated_at = now
        late = lateness - self._usual_lateness
        if not self._late:
            if late <= _MAX_JITTER and not overflow:
                return 0
            self._late, self._overflow, self._least_lateness, self._least_lateness_at = True, overflow, late, now
            return 0
        self._overflow |= overflow
        if late < self._least_lateness - _MIN_GAP or overflow:
            self._least_lateness, self._least_lateness_at = late, now
        if late <= _MAX_JITTER and not self._overflow:
            self._late = False  # all of it came
            return 0
        if now - self._least_lateness_at < _SETTLING_TIME:
            return 0
        self._late = False
        if self._least_lateness <= (_MIN_GAP if self._overflow else _MAX_JITTER):
            return 0
        self.losses += not self._overflow
        lost = round(self._least_lateness * self._rate)
        self._frames += lost
        self._reported += lost
        return lost
