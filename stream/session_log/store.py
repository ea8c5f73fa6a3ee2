"""What is written into a session log, and what is deleted from it."""

from __future__ import annotations

import json
import math
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from stream.errors import LogError
from stream.session_log.database import PAGE, WAL_PAGES, LogFile, is_damage

DAYS: Final = 90.0
"""Age of the oldest event, by default."""
BYTES: Final = 64 * 2**20
"""Size of the log, by default: 300 hours of a busy stage."""
LEAST_BYTES: Final = 2 * 2**20
"""The smallest limit of the size."""

_WAL_MOST: Final = 16 * 2**20  # as long as this only when somebody reads for an hour and thereby keeps it
_SPARE_PAGES: Final = 100  # that one transaction may add
_PRUNED: Final = 512  # events in one step; more than one transaction adds


@dataclass(frozen=True, slots=True)
class Stream:
    """What was listened to, and with what."""

    utc: float
    server: str
    model: str
    source: str
    labels: tuple[str, ...]
    run: str | None = None
    """Names the run of the service: with the same one, another `utc` is another time of the same stream."""


@dataclass(frozen=True, slots=True)
class Entry:
    """Something to write down; times are stream time in seconds."""

    stream: Stream
    kind: str
    start: float
    until: float | None
    state: str | None = None
    label: str | None = None
    confidence: float | None = None
    source: str | None = None
    text: str | None = None


@dataclass(frozen=True, slots=True)
class Pulse:
    """How far a stream has been heard."""

    stream: Stream
    heard: float
    """Stream time in seconds."""
    sure: float
    """Mean confidence of the open segment so far."""
    lasting: bool
    """Whether it shall be on the disk at once: not while it is silent."""


class Logbook:
    """Writes a session log, by one thread. It is opened when needed.

    Parameters
    ----------
    path : Path
    max_days : float
        What is older than this, seen from what is heard now, is deleted.
    max_bytes : int
        Size of all its files at the most, at least `LEAST_BYTES`. The oldest events make way.
    """

    def __init__(self, path: Path, max_days: float = DAYS, max_bytes: int = BYTES) -> None:
        self.file = LogFile(path)
        self._max_seconds = 86_400 * max_days
        self._pages = max(LEAST_BYTES, max_bytes) // PAGE - WAL_PAGES - 2 * _SPARE_PAGES
        self._db: sqlite3.Connection | None = None
        self._synchronous = ""
        self._present: tuple[Stream, int] | None = None  # the stream that was written last, and its id
        self._stated: tuple[str, float] | None = None  # the run that was written last, and its `utc` in the file

    def write(self, entries: Sequence[Entry] = (), pulse: Pulse | None = None) -> None:
        """Write all or, when it raises, nothing. Writing something twice is the same as writing it once.

        Raises
        ------
        LogError, OSError, sqlite3.Error
            When the circumstances do not allow it.
        """
        if self._db is None or not self.file.is_open:
            self._begin(self.file.open())
        assert self._db is not None
        try:
            self._write(self._db, entries, pulse)
        except sqlite3.Error as error:
            if not is_damage(error):
                raise
            self._begin(db := self.file.replace(error))
            self._write(db, entries, pulse)

    def carry_over(self) -> None:
        """See `LogFile.carry_over`."""
        self.file.carry_over()

    def close(self) -> None:
        """Close the file, whatever its state."""
        self._db = None
        self.file.close()

    def _begin(self, db: sqlite3.Connection) -> None:
        self._db, self._synchronous, self._present = db, "", None

    def _write(self, db: sqlite3.Connection, entries: Sequence[Entry], pulse: Pulse | None) -> None:
        if not entries and pulse is None:
            return
        if self.file.wal_bytes > _WAL_MOST:
            db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
            if self.file.wal_bytes > _WAL_MOST:
                raise LogError("a program has been reading it for too long: end that program")
        # FULL waits for the disk at every commit. After NORMAL a kill leaves the same, but a power cut takes back what
        # the system has not written yet, some 30 s: good enough for "still silent".
        synchronous = "FULL" if entries or (pulse is not None and pulse.lasting) else "NORMAL"
        if synchronous != self._synchronous:
            db.execute(f"PRAGMA synchronous = {synchronous}")
            self._synchronous = synchronous
        db.execute("BEGIN IMMEDIATE")
        for entry in entries:
            _enter(db, self._row(db, entry.stream), entry)
        if pulse is not None:
            row = self._row(db, pulse.stream)
            db.execute("UPDATE stream SET heard = max(heard, ?), sure = ? WHERE id = ?", (pulse.heard, pulse.sure, row))
        is_too_long = self._prune(db)
        db.execute("COMMIT")
        if self._present is not None and (run := self._present[0].run) is not None:
            self._stated = (run, self._present[0].utc)
        if is_too_long:  # one `execute` would free one page
            db.executescript(f"PRAGMA incremental_vacuum({_SPARE_PAGES})")

    def _row(self, db: sqlite3.Connection, stream: Stream) -> int:
        """Return the id of a stream, which becomes the present one."""
        if self._present is not None and self._present[0] == stream:
            return self._present[1]
        former = self._former(stream)
        if former is not None and former != stream.utc:
            # The clock was set: it is the same audio, all of which was heard at another time.
            db.execute("UPDATE stream SET utc = ? WHERE utc = ?", (stream.utc, former))
        values = (stream.utc, stream.server, stream.model, stream.source, json.dumps(stream.labels, ensure_ascii=False))
        columns = "(utc, server, model, source, labels)"
        found = db.execute(f"SELECT id FROM stream WHERE {columns} = (?, ?, ?, ?, ?)", values).fetchone()
        if found is None:
            db.execute(f"INSERT INTO stream {columns} VALUES (?, ?, ?, ?, ?)", values)
            found = db.execute("SELECT last_insert_rowid()").fetchone()
        row = int(found[0])
        # The same audio under another name or with another model: what is open goes on.
        db.execute(
            "UPDATE event SET stream = ? WHERE until IS NULL AND stream IN (SELECT id FROM stream WHERE utc = ?)",
            (row, stream.utc),
        )
        # Others ended without a word. A segment of theirs lasted as long as was heard, an outage until now.
        db.execute(
            """UPDATE event SET (until, confidence) = (
                SELECT max(event.start, iif(event.kind = 'outage', ? - utc, heard)),
                    iif(event.kind = 'segment', sure, NULL)
                FROM stream WHERE id = event.stream
            ) WHERE until IS NULL AND stream <> ?""",
            (stream.utc, row),
        )
        self._present = (stream, row)
        return row

    def _former(self, stream: Stream) -> float | None:
        """Return the `utc` that the streams of this run have in the file, if there are any."""
        if stream.run is None:
            return None
        if self._present is not None and self._present[0].run == stream.run:
            return self._present[0].utc
        return self._stated[1] if self._stated is not None and self._stated[0] == stream.run else None

    def _prune(self, db: sqlite3.Connection) -> bool:
        """Delete a few of the oldest events if there are too many, or if they are too old.

        Returns
        -------
        bool
            Whether the file is longer than it may be: it was allowed more once.
        """
        assert self._present is not None
        present = self._present[1]
        pages, free = (int(db.execute(f"PRAGMA {name}").fetchone()[0]) for name in ("page_count", "freelist_count"))
        # Old as seen from what is heard now, not by a clock: while that is wrong it would delete everything.
        (now,) = db.execute("SELECT utc + heard FROM stream WHERE id = ?", (present,)).fetchone()
        oldest = db.execute(
            "SELECT utc + until FROM event JOIN stream ON stream.id = event.stream "
            "WHERE until IS NOT NULL ORDER BY event.id LIMIT 1"
        ).fetchone()
        before = math.inf if pages - free > self._pages else now - self._max_seconds
        if oldest is not None and oldest[0] < before:
            db.execute(
                f"""DELETE FROM event WHERE id IN (
                    SELECT first.id FROM (SELECT * FROM event ORDER BY id LIMIT {_PRUNED}) AS first
                    JOIN stream ON stream.id = first.stream WHERE utc + until < ?
                )""",
                (before,),
            )
            db.execute(
                "DELETE FROM stream WHERE id <> ? AND NOT EXISTS (SELECT 1 FROM event WHERE event.stream = stream.id)",
                (present,),
            )
        return free > 0 and pages > self._pages


def _enter(db: sqlite3.Connection, row: int, entry: Entry) -> None:
    """Write an event of a stream, or the end of one that is open."""
    values = {
        "row": row, "kind": entry.kind, "start": entry.start, "until": entry.until, "state": entry.state,
        "label": entry.label, "confidence": entry.confidence, "source": entry.source, "text": entry.text,
    }  # fmt: skip
    this = "stream = :row AND kind = :kind AND start = :start"
    if entry.until is None:
        # A segment ends where the next begins, also when its end was missed.
        db.execute(
            "UPDATE event SET until = :start, confidence = (SELECT sure FROM stream WHERE id = :row) "
            "WHERE until IS NULL AND stream = :row AND kind = :kind AND start < :start",
            values,
        )
        is_there = db.execute(
            f"SELECT 1 FROM event WHERE {this} AND (state, label) IS (:state, :label)", values
        ).fetchone()
    else:
        closed = db.execute(
            f"UPDATE event SET until = :until, confidence = :confidence WHERE until IS NULL AND {this}", values
        ).rowcount
        is_there = closed or db.execute(
            f"SELECT 1 FROM event WHERE {this} AND until = :until AND text IS :text", values
        ).fetchone()  # fmt: skip
    if not is_there:
        db.execute(
            "INSERT INTO event (stream, kind, start, until, state, label, confidence, source, text) "
            "VALUES (:row, :kind, :start, :until, :state, :label, :confidence, :source, :text)",
            values,
        )
    heard = entry.start if entry.until is None else entry.until
    db.execute("UPDATE stream SET heard = ? WHERE id = ? AND heard < ?", (heard, row, heard))
