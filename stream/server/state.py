"""What the server knows of the stream: what newcomers are told, and what requests are answered from."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence

from stream.protocol.messages import (
    Front,
    Guess,
    Hello,
    Label,
    Mark,
    Message,
    Origin,
    Outage,
    Segment,
    Status,
    Teaching,
)
from stream.server.history import Event, EventHistory


class StreamState:
    """The newest hello, status and label, and the history.

    Parameters
    ----------
    instruments : sequence of str
        Those that may be subscribed to.
    clock : callable
        Returns the stream time, in seconds.
    """

    def __init__(self, instruments: Sequence[str], clock: Callable[[], float]) -> None:
        self.instruments = instruments
        self.label: Label | None = None
        """The newest one, None when there is none that still holds."""
        self.lines: Sequence[str] = ()
        """Those that may be subscribed to."""
        self.line_labels: dict[str, Label] = {}
        """The newest one of each line, where there are lines."""
        self.clock = clock
        self.front: Front | None = None
        """Which line is in front."""
        self.teaching: Teaching | None = None
        """How far it is with the name that was taught last, also when that has ended; None where none was."""
        self._hello: Hello | None = None
        self._status: Status | None = None
        self._recent = EventHistory()
        self._of_lines: dict[str, EventHistory] = {}

    def have_lines(self, names: Sequence[str]) -> None:
        """Take note of which lines there are, and forget the others."""
        self.lines = names
        for line in [*self._of_lines]:
            if line not in names:
                del self._of_lines[line]
        if self.front is not None and self.front.line not in names:
            self.front = None

    def add(self, message: Message) -> None:
        """Keep a message that is published, if it is of a kind that is told again."""
        match message:
            case Label():
                self.label = message
            case Hello():
                self._hello = message
                self._recent.begin(Origin(message.since, message.run, message.source, message.model))
            case Status():
                self._status = message
            case Front():
                self.front = message
            case Teaching():
                self.teaching = message
            case Segment() | Guess() | Mark() | Outage():
                self._recent.add(message)
            case _:
                pass

    def add_of_line(self, line: str, message: Message) -> None:
        """Keep a message about one of the lines, if it is of a kind that is told again."""
        match message:
            case Label():
                self.line_labels[line] = message
            case Segment() | Guess():
                if line not in self._of_lines:
                    self._of_lines[line] = EventHistory(share=1 / max(1, len(self.lines)))
                self._of_lines[line].add(message)
            case _:
                pass

    def forget_labels(self) -> None:
        """Tell no label any more: those that there were say nothing about what is heard now."""
        self.label = None
        self.line_labels.clear()

    @property
    def greeting(self) -> list[Message]:
        """What a new client is told at once, as far as it is known."""
        return [message for message in (self._hello, self._status, self.label) if message is not None]

    def recall(self, events: Iterable[Event], origins: Iterable[Origin]) -> None:
        """Have in the history what was heard before the stream, in place of what was recalled so far."""
        self._recent.recall(events, origins)

    def history(self, seconds: float, lines: Collection[str] | None = None) -> Iterator[str]:
        """Return what was heard in the last seconds, as the text of a `history` message, piece by piece.

        With lines it is what was heard on each of them; without, on the one in front.
        """
        chosen = None if lines is None else [self._of_lines[it] for it in sorted(lines) if it in self._of_lines]
        return self._recent.since(self.clock() - seconds, chosen)
