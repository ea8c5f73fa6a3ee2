"""What was heard lately, for clients that come later."""

from __future__ import annotations

from collections import deque
from typing import Final

from stream.messages import Mark, Segment, encode, encode_history

# Of the longest of these a history has 0.9 MB: a WebSocket client may refuse messages of more than 1 MiB.
_SEGMENTS: Final = 3_000
_MARKS: Final = 200


class Recent:
    """Keeps the newest segments and marks of a stream in memory.

    They are kept as text, for a history of thousands, encoded whenever a client asks, would keep the others waiting.
    """

    def __init__(self) -> None:
        self._segments: deque[tuple[float, str]] = deque(maxlen=_SEGMENTS)
        self._marks: deque[tuple[float, str]] = deque(maxlen=_MARKS)

    def add(self, event: Segment | Mark) -> None:
        """Keep one more, and forget the oldest one if there are too many."""
        if isinstance(event, Segment):
            self._segments.append((event.end, encode(event)))
        else:
            self._marks.append((event.time, encode(event)))

    def since(self, time: float) -> str:
        """Return the segments that reach past a stream time, and the marks from then on, as a message's text."""
        return encode_history(
            [text for end, text in self._segments if end > time],
            [text for at, text in self._marks if at >= time],
        )
