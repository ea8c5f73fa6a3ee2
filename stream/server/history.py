"""What was heard lately, for clients that come later."""

from __future__ import annotations

import itertools
import math
from collections import deque
from collections.abc import Iterable, Iterator
from operator import itemgetter
from typing import Final, TypeAlias

from stream.protocol.messages import Guess, Mark, Outage, Segment, encode, encode_history

# Bytes of text for each. Together they are less than 1 MiB, for a WebSocket client may refuse longer messages.
_SEGMENTS: Final = 420_000  # 3000 of the longest that the shipped models tell, more than two busy hours
_GUESSES: Final = 90_000  # 800 of the longest
_MARKS: Final = 490_000  # 200 of the longest
_OUTAGES: Final = 40_000  # 100 with names of a hundred characters
_PIECE: Final = 32  # events, with what is between them, that are sent at once

Event: TypeAlias = Segment | Guess | Mark | Outage
"""What a history holds."""


class Recent:
    """Keeps the newest segments, guesses, marks and outages of a stream in memory.

    They are kept as text, for a history of thousands, encoded whenever a client asks, would keep the others waiting.
    """

    def __init__(self) -> None:
        self._segments = _Shelf(_SEGMENTS)
        self._guesses = _Shelf(_GUESSES)
        self._marks = _Shelf(_MARKS)
        self._outages = _Shelf(_OUTAGES)
        self._away = False  # whether the last outage has no end yet

    def add(self, event: Event) -> None:
        """Keep one more, and forget the oldest of its kind if there are too many.

        An outage that has ended takes the place of the one without an end.
        """
        if isinstance(event, Outage):
            if self._away:
                self._outages.drop_last()
            self._away = event.end is None
        self._shelf(event).add(_end(event), encode(event))

    def recall(self, events: Iterable[Event]) -> None:
        """Keep what was before the stream, oldest first, in place of what was recalled so far.

        It makes way before anything of the stream.
        """
        past: dict[_Shelf, list[tuple[float, str]]] = {
            shelf: [] for shelf in (self._segments, self._guesses, self._marks, self._outages)
        }
        for event in events:
            past[self._shelf(event)].append((_end(event), encode(event)))
        for shelf, texts in past.items():
            shelf.recall(texts)

    def since(self, time: float) -> Iterator[str]:
        """Return what reaches past a stream time, and the marks from then on, as a message's text.

        It comes in pieces of a few kilobytes, so that whoever sends it to a slow client needs no memory for the whole.
        """
        shelves = (self._segments, self._guesses, self._marks, self._outages)
        parts = encode_history(*(shelf.after(time) for shelf in shelves))
        while piece := "".join(itertools.islice(parts, _PIECE)):
            yield piece

    def _shelf(self, event: Event) -> _Shelf:
        match event:
            case Segment():
                return self._segments
            case Guess():
                return self._guesses
            case Mark():
                return self._marks
            case Outage():
                return self._outages


class _Shelf:
    """Texts with their ends, of which the oldest make way when there is no room.

    Parameters
    ----------
    room : int
        Characters that fit, with one between two texts.
    """

    def __init__(self, room: int) -> None:
        self._room = room
        self._past: deque[tuple[float, str]] = deque()  # what was before the stream
        self._texts: deque[tuple[float, str]] = deque()

    def add(self, end: float, text: str) -> None:
        self._texts.append((end, text))
        self._room -= len(text) + 1
        self._make_room()

    def recall(self, texts: Iterable[tuple[float, str]]) -> None:
        self._room += sum(len(text) + 1 for _, text in self._past)
        self._past = deque(texts)
        self._room -= sum(len(text) + 1 for _, text in self._past)
        self._make_room()

    def drop_last(self) -> None:
        if self._texts:  # not so if it alone was too long
            self._room += len(self._texts.pop()[1]) + 1

    def after(self, time: float) -> list[str]:
        # A mark may be set to a moment before that of the last one.
        kept = sorted((*self._past, *self._texts), key=itemgetter(0))
        return [text for end, text in kept if end > time]

    def _make_room(self) -> None:
        while self._room < 0:
            _, text = (self._past or self._texts).popleft()
            self._room += len(text) + 1


def _end(event: Event) -> float:
    """Stream time in seconds up to which an event belongs into a history."""
    if isinstance(event, Mark):
        return math.nextafter(event.time, math.inf)
    return math.inf if event.end is None else event.end
