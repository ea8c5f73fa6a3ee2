"""The present stretch: what is heard now, since when, and how sure that is."""

from __future__ import annotations

from stream.recognition.results import Heard, Stretch, Transition


class PresentStretch:
    """Puts what each hop tells together to stretches in which one thing is heard.

    Parameters
    ----------
    since : float
        Stream time at which the first one begins, in seconds.
    """

    def __init__(self, since: float = 0.0) -> None:
        self.since = since
        """Stream time in seconds from which on this is told."""
        self._heard = Heard("warming", None)
        self._total = 0.0  # sum of the confidences
        self._hops = 0

    def update(
        self, heard: Heard, confidence: float, time: float, end: float, anew: bool = False
    ) -> tuple[Transition | None, Stretch | None]:
        """Take in what a hop tells.

        Parameters
        ----------
        heard : Heard
        confidence : float
            Of that, 0 to 1.
        time : float
            Stream time of the hop's end, in seconds.
        end : float
            The same of what was heard before: earlier where audio was lost in between.
        anew : bool
            Whether a stretch begins even where the same was heard before.

        Returns
        -------
        transition : Transition or None
        stretch : Stretch or None
            What the transition closes.
        """
        transition = stretch = None
        if anew or heard != self._heard:
            transition = Transition(time, previous=self._heard, now=heard)
            stretch = self.close(end)
            self._heard = heard
        self._total += confidence
        self._hops += 1
        return transition, stretch

    def close(self, end: float) -> Stretch:
        """Close the stretch at a stream time in seconds, and begin the next one there."""
        mean = self._total / max(1, self._hops)
        stretch = Stretch(self.since, end, self._heard.state, self._heard.label, mean)
        self.since, self._total, self._hops = end, 0.0, 0
        return stretch
