"""What happens in a running service, as one stream of events that everybody takes from.

The server, the session log, the metrics, the health and systemd each take what concerns them; none of them knows
another, or who publishes. Events are values: whoever keeps one keeps it unchanged. They are named tuples, of which a
class takes an eighth of the time that one of frozen dataclasses takes at every start.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Literal, NamedTuple, TypeAlias

from stream.protocol.check import Check
from stream.protocol.messages import (
    Change,
    Front,
    Guess,
    Hello,
    Label,
    Level,
    Mark,
    Outage,
    Segment,
    SettingsNow,
    Spectrum,
    Status,
    Teaching,
)

SourceState: TypeAlias = Literal["starting", "running", "waiting", "ended"]
"""How a source is, as `status` tells it."""


class SourceFound(NamedTuple):
    """There is a source, and it has this name."""

    name: str


class SourceTurned(NamedTuple):
    """The source is in another state from now on."""

    state: SourceState
    message: str | None = None
    """What somebody should do about that, if anything."""


class StreamBegun:
    """The first audio has come: stream time 0 is known."""


class AudioResumed(NamedTuple):
    """Audio goes on after a loss."""

    missing: float
    """Seconds of audio that are missing before it."""
    outage: Outage | None
    """What clients were told of that."""


class SignalWarned(NamedTuple):
    """Something else than before should be mended about the signal."""

    warnings: tuple[str, ...]
    """All that should be mended now, most urgent first; empty when all is well again."""


class AudioTaken(NamedTuple):
    """Audio has gone into a line."""

    seconds: float
    """Its length, gaps included."""
    invalid: int
    """Samples in it that were not finite numbers, and were taken as zeros."""
    delivered: float | None
    """When it was handed over, on `stream.system.clock`, in seconds; None for silence in place of what is missing."""


class Hop(NamedTuple):
    """A hop has ended, and what is heard is known."""

    label: Label
    change: Change | None
    """Set when another state or label is heard from this hop on."""
    segment: Segment | None
    """What the change closed."""
    guess: Guess | None
    """What the hop closed of a guess."""
    spectrum: Spectrum | None
    """The mel frames that the hop added, where somebody wants them."""
    seconds: float | None
    """What features, inference and smoothing took; None where nothing was estimated, after a long gap or at the end."""
    delivered: float | None
    """When its audio was handed over, on `stream.system.clock`, in seconds; None for audio that nobody delivered."""


class OfLine(NamedTuple):
    """What one of several lines tells, for those who take from lines; the line in front is told as if it were alone."""

    line: str
    """Its name."""
    event: Hop | Level | Segment | Guess
    """Its messages name the line."""


class HopSkipped:
    """A hop was left out, because inference could not keep up with the audio."""


class LabelDelivered(NamedTuple):
    """A label was written to all subscribers that keep up."""

    seconds: float
    """Since its audio was handed over by the source."""


class RecognizerReplaced:
    """Another model, line-up, hop or gate is heard with from now on: the last label says nothing about it."""


class Alive:
    """Audio has gone through, or there is none and that is in order."""


class Activity(NamedTuple):
    """What the service does from now on, in a line for whoever runs it."""

    text: str


Event: TypeAlias = (
    Hello
    | Status
    | Level
    | Segment
    | Guess
    | Outage
    | Mark
    | Teaching
    | Check
    | SettingsNow
    | SourceFound
    | SourceTurned
    | StreamBegun
    | AudioResumed
    | SignalWarned
    | AudioTaken
    | Hop
    | OfLine
    | Front
    | HopSkipped
    | LabelDelivered
    | RecognizerReplaced
    | Alive
    | Activity
)


class Events:
    """Hands every event to all who take events, in the order in which they were added.

    What is published while an event is handed out comes after it, so that everybody sees the same order.
    """

    def __init__(self) -> None:
        self._takers: list[Callable[[Event], None]] = []
        self._waiting: deque[Event] = deque()
        self._is_busy = False

    def add(self, take: Callable[[Event], None]) -> None:
        """Have a callable take every event from now on; it must return soon, and must not raise."""
        self._takers.append(take)

    def publish(self, event: Event) -> None:
        """Hand an event to everybody."""
        self._waiting.append(event)
        if self._is_busy:
            return
        self._is_busy = True
        try:
            while self._waiting:
                event = self._waiting.popleft()
                for take in self._takers:
                    take(event)
        finally:
            self._is_busy = False
