"""What was heard before the service started, read from the session log for those who ask for the history."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from stream.protocol.messages import Guess, Mark, Origin, Outage, Segment
from stream.session_log.database import NewerVersionError
from stream.session_log.reader import LogReader
from stream.session_log.records import Record, Session, messages_before

PAST_SECONDS: Final = 7200.0
"""How much is told of what was heard before the stream."""
_SLACK_SECONDS: Final = (
    2.0  # by which runs one after the other may seem to overlap: each knows its Unix time to a second
)


@dataclass(frozen=True, slots=True)
class Listener:
    """The service that asks for its past."""

    run: str
    """Names its run."""
    channel: int | None
    """The one that it listens to, counted from 1; None for the average of all."""
    port: int | None
    """The one that it listens on: that of other services on the same machine is another."""


def read(path: Path, now: float, listener: Listener) -> Past:
    """Read from a log all that may turn out to be of the last hours.

    Parameters
    ----------
    path : Path
    now : float
        Unix time, by a clock that may be wrong: the last that was heard of a source may be the last hours, too.
    listener : Listener
    """
    try:
        return _read(path, now, listener)
    except NewerVersionError:  # which is told by who cannot write it
        return Past([], listener.port)


def _read(path: Path, now: float, listener: Listener) -> Past:
    with LogReader(path) as reader:
        sessions = [it for it in reader.sessions() if it.channel == listener.channel and it.run != listener.run]
        newest = defaultdict[str, float](lambda: now)
        for session in sorted(sessions, key=lambda it: it.end):
            newest.update(dict.fromkeys(session.sources, session.end))
        found = []
        for session in sessions:
            since = min(now, *(newest[source] for source in session.sources)) - PAST_SECONDS
            if records := list(reader.session_records(session, since)):
                found.append((session, records))
    return Past(found, listener.port)


class Past:
    """What was heard before a stream, whatever the Unix time of that turns out to be.

    Parameters
    ----------
    sessions : sequence of (Session, sequence of Record)
    port : int, optional
        That of the service: of two that listened at once, one on the same port is its own past.
    """

    def __init__(self, sessions: Sequence[tuple[Session, Sequence[Record]]], port: int | None) -> None:
        self._sessions = sorted(sessions, key=lambda it: (it[0].port == port, it[0].end), reverse=True)

    def messages(
        self, utc: float, source: str, part: bool = False
    ) -> tuple[list[Segment | Guess | Mark | Outage], list[Origin]]:
        """Return what was heard, each at its own Unix time, as messages of the stream with negative times.

        Only what was heard of the same source is told, and of one moment only what one service heard. What is too old
        is left out, and so is what seems to be later than the stream, as it does after a start with a clock that is
        slow; both are there when the clock is right.

        Parameters
        ----------
        utc : float
            Unix time of stream time 0, as it is known now.
        source : str
            What is heard.
        part : bool
            Whether only a part of its name is known, for it is not there yet.

        Returns
        -------
        list of Segment, Guess, Mark and Outage
            Oldest first.
        list of Origin
            Whose they are.
        """
        taken: list[tuple[float, float]] = []
        kept: list[Record] = []
        origins: list[Origin] = []
        for session, records in self._sessions:
            same = {it for it in session.sources if (source.casefold() in it.casefold() if part else it == source)}
            own = [
                it
                for it in records
                if it.source in same and it.start < utc and (it.end is None or it.end > utc - PAST_SECONDS)
            ]
            if own and all(session.end <= start or session.start >= end for start, end in taken):
                taken.append((session.start + _SLACK_SECONDS, session.end - _SLACK_SECONDS))
                kept += own
                origins += _origins(session, same, utc)
        kept.sort(key=lambda it: it.start)
        return list(messages_before(kept, utc)), sorted(origins, key=lambda it: it.start)


def _origins(session: Session, sources: set[str], utc: float) -> Iterator[Origin]:
    for part in session.parts:
        if part.source in sources and part.since < utc:
            yield Origin(part.since - utc, session.run, part.source, part.model)
