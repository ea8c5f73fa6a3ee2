"""What is told of several lines as if they were one: of the line in front."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from stream.protocol.messages import Change, Front, Heard, Label, Segment
from stream.recognition.front import FrontChooser
from stream.service.events import Hop


class FrontLine:
    """Follows the line that leads, and puts what it tells together to one stream of labels, changes and segments.

    A change is told, too, when another line leads that tells the same.

    Parameters
    ----------
    names : sequence of str
        Of the lines.
    """

    def __init__(self, names: Sequence[str]) -> None:
        self._names = names
        self._chooser = FrontChooser(len(names))
        self._time = 0.0  # stream time of the last hop
        self._present: Label | None = None  # what is told now
        self._since = 0.0
        self._total = 0.0  # sum of its confidences
        self._hops = 0

    @property
    def name(self) -> str:
        """The line that leads."""
        return self._names[self._chooser.leading]

    def take(self, hops: Sequence[Hop], seconds: float | None) -> Iterator[Hop | Front]:
        """Take in what a hop of each line brought.

        Parameters
        ----------
        hops : sequence of Hop
            In the order of the lines.
        seconds : float, optional
            What all of them took together.

        Yields
        ------
        Front
            When another line leads from now on.
        Hop
            Of the line that leads.
        """
        before, had = self.name, self._present is not None
        labels = [hop.label for hop in hops]
        time = labels[0].time
        self._chooser.update([it.rms for it in labels], [it.state for it in labels], max(0.0, time - self._time))
        self._time = time
        if self.name != before or not had:
            yield Front(time, self.name, before if had else None)
        hop = hops[self._chooser.leading]
        label, change, segment = hop.label, None, None
        if self._is_other(label):
            previous = self._present
            heard = Heard("warming", None) if previous is None else Heard(previous.state, previous.label)
            change = Change(time, label.state, label.label, heard, self.name)
            # Where audio is missing, what was heard before ended before that.
            segment = self.close(hop.segment.end if hop.segment is not None and self.name == before else time)
        self._present = label
        self._total += label.confidence
        self._hops += 1
        yield hop._replace(label=replace(label, since=self._since), change=change, segment=segment, seconds=seconds)

    def close(self, end: float) -> Segment:
        """Close what is told now at a stream time, in seconds."""
        present, mean = self._present, self._total / max(1, self._hops)
        if present is None:
            segment = Segment(self._since, end, "warming", None, mean, self.name)
        else:
            segment = Segment(self._since, end, present.state, present.label, mean, present.line)
        self._since, self._total, self._hops = end, 0.0, 0
        return segment

    def _is_other(self, label: Label) -> bool:
        """Whether a label tells something else than what is told now."""
        now = self._present
        if now is None:
            return label.state != "warming"
        return (label.state, label.label, label.line) != (now.state, now.label, now.line)
