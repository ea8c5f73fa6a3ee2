"""What was heard lately, for clients that come later."""

from __future__ import annotations

from collections import deque
from typing import Final

from stream.messages import History, Mark, Segment

_SEGMENTS: Final = 5_000
_MARKS: Final = 500


class Recent:
    """Keeps the newest segments and marks of a stream in memory."""

    def __init__(self) -> None:
        self._segments: deque[Segment] = deque(maxlen=_SEGMENTS)
        self._marks: deque[Mark] = deque(maxlen=_MARKS)

    def add(self, event: Segment | Mark) -> None:
        """Keep one more, and forget the oldest one if there are too many."""
        if isinstance(event, Segment):
            self._segments.append(event)
        else:
            self._marks.append(event)

    def since(self, time: float) -> History:
        """Return the segments that reach past a stream time, and the marks from then on."""
        return History(
            [segment for segment in self._segments if segment.end > time],
            [mark for mark in self._marks if mark.time >= time],
        )
