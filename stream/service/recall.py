"""What was heard before the service started, read from the session log for those who ask for the history."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from stream.protocol.messages import Guess, Mark, Outage, Segment
from stream.session_log.reader import LogReader, Record, messages_before

PAST_SECONDS: Final = 7200.0
"""How much is told of what was heard before the stream."""


def read(path: Path, now: float) -> list[Record]:
    """Read from a log all that may turn out to be of the last hours.

    Parameters
    ----------
    path : Path
    now : float
        Unix time, by a clock that may be wrong: the last that was heard may be the last hours, too.
    """
    with LogReader(path) as reader:
        newest = max((session.end for session in reader.sessions()), default=now)
        by_clock = reader.records(since=now - PAST_SECONDS, until=now)
        return list(dict.fromkeys((*by_clock, *reader.records(since=newest - PAST_SECONDS))))


class Past:
    """What was heard before a stream, whatever the Unix time of that turns out to be.

    Parameters
    ----------
    records : sequence of Record
    """

    def __init__(self, records: Sequence[Record]) -> None:
        self._records = records

    def messages(self, utc: float) -> list[Segment | Guess | Mark | Outage]:
        """Return what was heard, each at its own Unix time, as messages of the stream with negative times.

        What is too old is left out, and so is what seems to be later than the stream, as it does after a start with a
        clock that is slow; both are there when the clock is right.

        Parameters
        ----------
        utc : float
            Unix time of stream time 0, as it is known now.
        """
        kept = [record for record in self._records if record.end is None or record.end > utc - PAST_SECONDS]
        return list(messages_before(kept, utc))
