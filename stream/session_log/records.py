"""What a session log holds, as it is read: sessions, and records of what was heard in them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final, cast

from stream.protocol.messages import Guess, Mark, Outage, Segment, State

LINE_KINDS: Final = {"segment": "line segment", "guess": "line guess"}
"""What the log calls segments and guesses of one of several lines; those of the line in front are called as usual."""


@dataclass(frozen=True, slots=True)
class Listening:
    """What a session listened to from some moment on, and with what."""

    since: float
    """Unix time in seconds."""
    source: str
    model: str
    labels: Sequence[str]


@dataclass(frozen=True, slots=True)
class Session:
    """One run of the service. Times are Unix time in seconds."""

    id: int
    run: str
    """Names the run, as `hello` does."""
    start: float
    end: float
    """When it was last heard."""
    server: str
    parts: Sequence[Listening]
    """Oldest first: another begins with another source or model."""
    port: int | None = None
    """The one that the service listened on, if that is known."""
    channel: int | None = None
    """The one that was listened to, counted from 1; None for the average of all."""

    @property
    def sources(self) -> Sequence[str]:
        """Everything that was listened to, each once."""
        return tuple(dict.fromkeys(part.source for part in self.parts))

    @property
    def models(self) -> Sequence[str]:
        """Every model that it was listened to with, each once."""
        return tuple(dict.fromkeys(part.model for part in self.parts))


@dataclass(frozen=True, slots=True)
class Record:
    """A segment, guess, mark or outage. Times are Unix time in seconds."""

    session: int
    kind: str
    start: float
    end: float | None
    """None for an outage that lasts. A segment that lasts ends where it was last heard."""
    state: str | None
    label: str | None
    confidence: float | None
    source: str | None
    """What was listened to; of an outage, what was away."""
    text: str | None
    """Of a mark; the reason of an outage; the line of a segment or guess, where there are lines."""
    run: str | None = None
    """Names the run of the service."""
    model: str | None = None
    """That of the beginning."""

    @property
    def line(self) -> str | None:
        """The line that it is of, where there are lines."""
        return None if self.kind in ("mark", "outage") else self.text


def of_lines(records: Iterable[Record], line: str | None = None) -> Iterator[Record]:
    """Take what was heard on lines in place of what was heard on the line in front.

    Parameters
    ----------
    records : iterable of Record
    line : str, optional
        Only this one; all by default.

    Yields
    ------
    Record
        Segments and guesses of lines, under their usual names, and marks and outages.
    """
    usual = {of_line: kind for kind, of_line in LINE_KINDS.items()}
    for record in records:
        if record.kind in usual and line in (None, record.text):
            yield replace(record, kind=usual[record.kind])
        elif record.kind in ("mark", "outage"):
            yield record


def messages_before(records: Iterable[Record], utc: float) -> Iterator[Segment | Guess | Mark | Outage]:
    """Turn records into messages of a later stream, with negative times.

    Parameters
    ----------
    records : iterable of Record
    utc : float
        Unix time of the stream's beginning. An outage that had no end ends there; what seems to be later, by a clock
        that was set back, is left out.

    Yields
    ------
    Segment, Guess, Mark or Outage
    """
    for record in records:
        start, end = record.start - utc, 0.0 if record.end is None else min(record.end - utc, 0.0)
        if start >= 0:
            continue
        confidence = record.confidence or 0.0
        if record.kind == "outage":
            yield Outage(start, end, record.source or "", record.text or "")
        elif record.kind == "mark":
            yield Mark(start, record.text or "")
        elif record.kind == "guess":
            yield Guess(start, end, record.label or "", confidence, record.line)
        elif record.kind == "segment":
            # A valid state when it was written, perhaps by a later version: clients ignore those that they do not know.
            yield Segment(start, end, cast(State, record.state), record.label, confidence, record.line)
