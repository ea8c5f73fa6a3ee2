"""What was heard lately, for clients that come later."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from operator import itemgetter
from typing import Final, TypeAlias

from stream.protocol.encoding import encode, encode_history
from stream.protocol.messages import Guess, Mark, Origin, Outage, Segment

# Bytes of text for each. Together they are less than 1 MiB, for a WebSocket client may refuse longer messages.
_SEGMENTS: Final = 420_000  # 3000 of the longest that the shipped models tell, more than two busy hours
_GUESSES: Final = 90_000  # 800 of the longest
_MARKS: Final = 490_000  # 200 of the longest
_OUTAGES: Final = 40_000  # 100 with names of a hundred characters
_ORIGINS: Final = 6_000  # 24 with names of a hundred characters
_PIECE: Final = 8192  # characters that are sent at once, and those of one event more

Event: TypeAlias = Segment | Guess | Mark | Outage
"""What a history holds."""


class EventHistory:
    """Keeps the newest segments, guesses, marks and outages of a stream in memory.

    They are kept as text, for a history of thousands, encoded whenever a client asks, would keep the others waiting.

    Parameters
    ----------
    share : float
        Of the room that a history has, for that of one line among several.
    """

    def __init__(self, share: float = 1.0) -> None:
        self._texts: dict[type[Event], _BoundedTexts] = {
            Segment: _BoundedTexts(round(share * _SEGMENTS)),
            Guess: _BoundedTexts(round(share * _GUESSES)),
            Mark: _BoundedTexts(_MARKS),
            Outage: _BoundedTexts(_OUTAGES),
        }
        self._origins = _BoundedTexts(_ORIGINS)
        self._origin: Origin | None = None
        self._outage_lasts = False  # whether the last outage has no end yet

    def add(self, event: Event) -> None:
        """Keep one more, and forget the oldest of its kind if there are too many.

        An outage that has ended takes the place of the one without an end.
        """
        if isinstance(event, Outage):
            if self._outage_lasts:
                self._texts[Outage].drop_last()
            self._outage_lasts = event.end is None
        self._texts[type(event)].add(_end(event), encode(event))

    def begin(self, origin: Origin) -> None:
        """Keep what is heard from some moment on; until there was audio, that may turn out to be something else."""
        if origin == self._origin:
            return
        if self._origin is not None and self._origin.start == origin.start:
            self._origins.drop_last()
        self._origin = origin
        self._origins.add(origin.start, encode(origin))

    def recall(self, events: Iterable[Event], origins: Iterable[Origin] = ()) -> None:
        """Keep what was before the stream, oldest first, in place of what was recalled so far.

        It makes way before anything of the stream.
        """
        self._origins.recall((origin.start, encode(origin)) for origin in origins)
        past: dict[type[Event], list[tuple[float, str]]] = {kind: [] for kind in self._texts}
        for event in events:
            past[type(event)].append((_end(event), encode(event)))
        for kind, texts in self._texts.items():
            texts.recall(past[kind])

    def since(self, time: float, lines: Sequence[EventHistory] | None = None) -> Iterator[str]:
        """Return what reaches past a stream time, and the marks from then on, as a message's text.

        It comes in pieces of some kilobytes, so that whoever sends it to a slow client needs no memory for the whole.

        Parameters
        ----------
        time : float
            In seconds.
        lines : sequence of EventHistory, optional
            Whose segments and guesses are told in place of its own, one line after the other.
        """
        # Whose they are is told of all: what reaches into the time may have begun long before it.
        lists = [*(texts.after(time) for texts in self._texts.values()), self._origins.after(-math.inf)]
        for place, kind in enumerate(self._texts):
            if lines is not None and kind in (Segment, Guess):
                lists[place] = [text for line in lines for text in line._texts[kind].after(time)]
        piece, length = [], 0
        for part in encode_history(*lists):
            piece.append(part)
            length += len(part)
            if length >= _PIECE:
                yield "".join(piece)
                piece, length = [], 0
        if piece:
            yield "".join(piece)


class _BoundedTexts:
    """Texts with their ends, of which the oldest make way when there is no room.

    Parameters
    ----------
    size : int
        Characters that fit, with one between two texts.
    """

    def __init__(self, size: int) -> None:
        self._free = size
        self._past: deque[tuple[float, str]] = deque()  # what was before the stream
        self._texts: deque[tuple[float, str]] = deque()

    def add(self, end: float, text: str) -> None:
        self._texts.append((end, text))
        self._free -= len(text) + 1
        self._make_room()

    def recall(self, texts: Iterable[tuple[float, str]]) -> None:
        self._free += sum(len(text) + 1 for _, text in self._past)
        self._past = deque(texts)
        self._free -= sum(len(text) + 1 for _, text in self._past)
        self._make_room()

    def drop_last(self) -> None:
        if self._texts:  # not so if it alone was too long
            self._free += len(self._texts.pop()[1]) + 1

    def after(self, time: float) -> list[str]:
        # A mark may be set to a moment before that of the last one.
        kept = sorted((*self._past, *self._texts), key=itemgetter(0))
        return [text for end, text in kept if end > time]

    def _make_room(self) -> None:
        while self._free < 0:
            _, text = (self._past or self._texts).popleft()
            self._free += len(text) + 1


def _end(event: Event) -> float:
    """Stream time in seconds up to which an event belongs into a history."""
    if isinstance(event, Mark):
        return math.nextafter(event.time, math.inf)
    return math.inf if event.end is None else event.end
