"""What is told of several lines as if they were one: of the line in front."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from stream.protocol.messages import Front, Segment
from stream.recognition.front import FrontChooser
from stream.recognition.present import PresentStretch
from stream.recognition.results import Heard
from stream.service import translation
from stream.service.events import Hop


class FrontLine:
    """Follows the line that leads, and puts what it tells together to one stream of labels, changes and segments.

    A change is told, too, when another line leads that tells the same.

    Parameters
    ----------
    names : sequence of str
        Of the lines.
    time : float
        Stream time at which it begins, in seconds.
    """

    def __init__(self, names: Sequence[str], time: float = 0.0) -> None:
        self._names = names
        self._chooser = FrontChooser(len(names))
        self._time = time  # of the last hop
        self._has_begun = False
        self._present = PresentStretch(time)

    @property
    def name(self) -> str:
        """The line that leads."""
        return self._names[self._chooser.leading]

    def rename(self, names: Sequence[str]) -> None:
        """Call the lines by other names; who leads is told again if it is called otherwise."""
        before, self._names = self.name, names
        self._has_begun &= self.name == before

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
        before, labels = self.name, [hop.label for hop in hops]
        time = labels[0].time
        self._chooser.update([it.rms for it in labels], [it.state for it in labels], max(0.0, time - self._time))
        self._time = time
        is_another = self.name != before
        if is_another or not self._has_begun:
            yield Front(time, self.name, before if self._has_begun else None)
        self._has_begun = True
        hop = hops[self._chooser.leading]
        label = hop.label
        # Where audio is missing, what was heard before ended before that.
        end = time if hop.segment is None or is_another else hop.segment.end
        heard = Heard(label.state, label.label)
        transition, stretch = self._present.update(heard, label.confidence, time, end, anew=is_another)
        yield hop._replace(
            label=replace(label, since=self._present.since),
            change=None if transition is None else translation.change(transition, self.name),
            segment=None if stretch is None else translation.segment(stretch, before),
            seconds=seconds,
        )

    def close(self, end: float) -> Segment:
        """Close what is told now at a stream time, in seconds."""
        return translation.segment(self._present.close(end), self.name)
