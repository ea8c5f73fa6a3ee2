"""The time of a stream: where it began, what is missing from it, and which Unix time its beginning was."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Final

from stream.protocol.messages import Outage
from stream.recognition.mel import SAMPLE_RATE, WINDOW

GAP_SECONDS: Final = 1.0
"""Audio missing from a source that is there: from there on it is told as an outage."""
WRONG_SECONDS: Final = 1.0
"""By how much the Unix time of the beginning may be off."""

_ANEW_SECONDS: Final = WINDOW / SAMPLE_RATE  # to open a source anew takes a moment, which is no outage


class Timeline:
    """Holds audio against the clocks.

    Stream time is seconds since the first audio began, gaps and outages included. In the methods, `heard` is the stream
    time up to which there was audio, and other moments are seconds of `stream.system.clock`, which nobody sets. `epoch`
    is the Unix time at which that was 0, as the wall clock has it now; it only says which Unix time stream time 0 was.
    No clock is asked here.

    Parameters
    ----------
    start : float
        What stands for the beginning until there is audio.
    epoch : float
    """

    def __init__(self, start: float, epoch: float) -> None:
        self.utc = epoch + start
        """Unix time of stream time 0, in seconds."""
        self.begun = False
        """Whether there was audio."""
        self.outage: Outage | None = None
        """Since when the source is away, if it is."""
        self._origin = start  # stream time 0
        self._wrong = math.inf  # least seconds by which `utc` was too early lately

    def begin(self, start: float, epoch: float) -> None:
        """Say when the first audio began."""
        self.begun, self._origin, self.utc = True, start, epoch + start

    def at(self, now: float, heard: float) -> float:
        """Stream time at a moment; it goes on while the source is away."""
        return heard if self.outage is None else max(heard, now - self._origin)

    def missing(self, start: float, heard: float) -> float:
        """Seconds that are missing before audio of another source, or of the same opened anew, that began then."""
        return max(0.0, start - self._origin - heard)

    def lose(self, heard: float, source: str, reason: str) -> Outage | None:
        """Say that the source is away.

        Returns
        -------
        Outage or None
            What is to be told: nothing of a source that is away already, or was never heard.
        """
        if not self.begun or self.outage is not None:
            return None
        self.outage = Outage(heard, None, source, reason)
        return self.outage

    def bridge(self, heard: float, seconds: float, source: str, anew: bool) -> Outage | None:
        """Say that audio goes on, and how much is missing before it.

        Parameters
        ----------
        heard : float
        seconds : float
            Audio that is missing.
        source : str
            What is heard.
        anew : bool
            Whether that was opened anew, or is another one.

        Returns
        -------
        Outage or None
            What is to be told: an outage that ends, or a gap that is as long as one.
        """
        outage, self.outage = self.outage, None
        if outage is None and seconds >= (_ANEW_SECONDS if anew else GAP_SECONDS):
            reason = f"{seconds:.1f} s of audio are missing: "
            reason += "the input was opened anew" if anew else "the machine stood still, or was too busy"
            outage = Outage(heard, None, source, reason)
        return None if outage is None else replace(outage, end=heard + seconds)

    def compare(self, delivered: float, heard: float, epoch: float) -> None:
        """Hold the end of the audio that was heard last, and when it was delivered, against the wall clock."""
        # Audio that waited for us says less than audio that did not.
        self._wrong = min(self._wrong, epoch + delivered - heard - self.utc)

    def correct(self, epoch: float) -> bool:
        """Take another Unix time for the beginning when the wall clock was set, or the device's runs otherwise.

        Returns
        -------
        bool
            Whether `utc` is another one now.
        """
        wrong, self._wrong = self._wrong if self.begun else epoch + self._origin - self.utc, math.inf
        if math.isinf(wrong) or abs(wrong) <= WRONG_SECONDS:
            return False
        self.utc += wrong
        return True
