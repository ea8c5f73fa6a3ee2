"""The statements by which a session log is written, and the oldest entries deleted."""

from __future__ import annotations

import json
import math
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from stream.errors import LogError
from stream.session_log.database import PAGE_BYTES, WAL_PAGES, DatabaseFile, is_damage

DEFAULT_MAX_DAYS: Final = 90.0
"""Age of the oldest event, by default."""
DEFAULT_MAX_BYTES: Final = 64 * 2**20
"""Size of the log, by default: 300 hours of a busy stage."""
MIN_BYTES: Final = 2 * 2**20
"""The smallest limit of the size."""

_MAX_WAL_BYTES: Final = 16 * 2**20  # as long as this only when a reader holds a snapshot for an hour
_SPARE_PAGES: Final = 100  # that one transaction may add
_PRUNE_EVENTS: Final = 512  # events in one step; more than one transaction adds


@dataclass(frozen=True, slots=True)
class SessionHeader:
    """What was listened to, and with what."""

    utc: float
    server: str
    model: str
    source: str
    labels: tuple[str, ...]
    run: str | None = None
    """Names the run of the service: with the same one, another `utc` is another time of the same stream."""


@dataclass(frozen=True, slots=True)
class LogEntry:
    """A segment, guess, mark or outage to be written; times are stream time in seconds."""

    session: SessionHeader
    kind: str
    start: float
    until: float | None
    state: str | None = None
    label: str | None = None
    confidence: float | None = None
    source: str | None = None
    text: str | None = None


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a session has been heard."""

    session: SessionHeader
    heard_until: float
    """Stream time in seconds."""
    mean_confidence: float
    """Mean confidence of the open segment so far."""
    durable: bool
    """Whether it has to survive a power cut: not while it is silent."""


class LogStore:
    """Writes a session log, from one thread. The file is opened with the first write.

    Parameters
    ----------
    path : Path
    max_days : float
        Entries that ended longer ago than this, seen from what is heard now, are deleted.
    max_bytes : int
        Size of all its files at the most, at least `MIN_BYTES`. The oldest entries are deleted for it.
    """

    def __init__(self, path: Path, max_days: float = DEFAULT_MAX_DAYS, max_bytes: int = DEFAULT_MAX_BYTES) -> None:
        self.file = DatabaseFile(path)
        self._max_seconds = 86_400 * max_days
        self._max_pages = max(MIN_BYTES, max_bytes) // PAGE_BYTES - WAL_PAGES - 2 * _SPARE_PAGES
        self._connection: sqlite3.Connection | None = None
        self._synchronous = ""
        self._current: tuple[SessionHeader, int] | None = None  # the session that was written last, and its id
        self._committed: tuple[str, float] | None = None  # the run that was written last, and its `utc` in the file

    def write(self, entries: Sequence[LogEntry] = (), progress: Progress | None = None) -> None:
        """Write all or, when it raises, nothing. Writing something twice is the same as writing it once.

        Raises
        ------
        LogError, OSError, sqlite3.Error
            When the circumstances do not allow it.
        """
        if self._connection is None or not self.file.is_open:
            self._use(self.file.open())
        assert self._connection is not None
        try:
            self._write(self._connection, entries, progress)
        except sqlite3.Error as error:
            if not is_damage(error):
                raise
            self._use(db := self.file.quarantine(error))
            self._write(db, entries, progress)

    def checkpoint(self) -> None:
        """See `DatabaseFile.checkpoint`."""
        self.file.checkpoint()

    def close(self) -> None:
        """Close the file, whatever its state."""
        self._connection = None
        self.file.close()

    def _use(self, db: sqlite3.Connection) -> None:
        self._connection, self._synchronous, self._current = db, "", None

    def _write(self, db: sqlite3.Connection, entries: Sequence[LogEntry], progress: Progress | None) -> None:
        if not entries and progress is None:
            return
        if self.file.wal_bytes > _MAX_WAL_BYTES:
            db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
            if self.file.wal_bytes > _MAX_WAL_BYTES:
                raise LogError("a program has been reading it for too long: end that program")
        # FULL waits for the disk at every commit. After NORMAL a kill leaves the same, but a power cut takes back what
        # the system has not written yet, some 30 s: good enough for "still silent".
        synchronous = "FULL" if entries or (progress is not None and progress.durable) else "NORMAL"
        if synchronous != self._synchronous:
            db.execute(f"PRAGMA synchronous = {synchronous}")
            self._synchronous = synchronous
        db.execute("BEGIN IMMEDIATE")
        for entry in entries:
            _write_entry(db, self._session_id(db, entry.session), entry)
        if progress is not None:
            row = self._session_id(db, progress.session)
            db.execute(
                "UPDATE stream SET heard = max(heard, ?), sure = ? WHERE id = ?",
                (progress.heard_until, progress.mean_confidence, row),
            )
        is_oversized = self._prune(db)
        db.execute("COMMIT")
        if self._current is not None and (run := self._current[0].run) is not None:
            self._committed = (run, self._current[0].utc)
        if is_oversized:  # one `execute` would free one page
            db.executescript(f"PRAGMA incremental_vacuum({_SPARE_PAGES})")

    def _session_id(self, db: sqlite3.Connection, session: SessionHeader) -> int:
        """Return the id of a session, which becomes the current one."""
        if self._current is not None and self._current[0] == session:
            return self._current[1]
        previous = self._previous_utc(session)
        if previous is not None and previous != session.utc:
            # The clock was set: it is the same audio, all of which was heard at another time.
            db.execute("UPDATE stream SET utc = ? WHERE utc = ?", (session.utc, previous))
        values = (
            session.utc,
            session.server,
            session.model,
            session.source,
            json.dumps(session.labels, ensure_ascii=False),
        )
        columns = "(utc, server, model, source, labels)"
        found = db.execute(f"SELECT id FROM stream WHERE {columns} = (?, ?, ?, ?, ?)", values).fetchone()
        if found is None:
            db.execute(f"INSERT INTO stream {columns} VALUES (?, ?, ?, ?, ?)", values)
            found = db.execute("SELECT last_insert_rowid()").fetchone()
        row = int(found[0])
        # The same audio under another name or with another model: what is open goes on.
        db.execute(
            "UPDATE event SET stream = ? WHERE until IS NULL AND stream IN (SELECT id FROM stream WHERE utc = ?)",
            (row, session.utc),
        )
        # Other sessions ended without being closed: their segment lasted as long as they were heard, their outage until
        # now.
        db.execute(
            """UPDATE event SET (until, confidence) = (
                SELECT max(event.start, iif(event.kind = 'outage', ? - utc, heard)),
                    iif(event.kind = 'segment', sure, NULL)
                FROM stream WHERE id = event.stream
            ) WHERE until IS NULL AND stream <> ?""",
            (session.utc, row),
        )
        self._current = (session, row)
        return row

    def _previous_utc(self, session: SessionHeader) -> float | None:
        """Return the `utc` that the sessions of this run have in the file, if there are any."""
        if session.run is None:
            return None
        if self._current is not None and self._current[0].run == session.run:
            return self._current[0].utc
        return self._committed[1] if self._committed is not None and self._committed[0] == session.run else None

    def _prune(self, db: sqlite3.Connection) -> bool:
        """Delete a few of the oldest events if there are too many, or if they are too old.

        Returns
        -------
        bool
            Whether the file is larger than allowed: the limit was higher once.
        """
        assert self._current is not None
        current = self._current[1]
        pages, free = (int(db.execute(f"PRAGMA {name}").fetchone()[0]) for name in ("page_count", "freelist_count"))
        # Old as seen from what is heard now, not by a clock: while that is wrong it would delete everything.
        (now,) = db.execute("SELECT utc + heard FROM stream WHERE id = ?", (current,)).fetchone()
        oldest = db.execute(
            "SELECT utc + until FROM event JOIN stream ON stream.id = event.stream "
            "WHERE until IS NOT NULL ORDER BY event.id LIMIT 1"
        ).fetchone()
        before = math.inf if pages - free > self._max_pages else now - self._max_seconds
        if oldest is not None and oldest[0] < before:
            db.execute(
                f"""DELETE FROM event WHERE id IN (
                    SELECT first.id FROM (SELECT * FROM event ORDER BY id LIMIT {_PRUNE_EVENTS}) AS first
                    JOIN stream ON stream.id = first.stream WHERE utc + until < ?
                )""",
                (before,),
            )
            db.execute(
                "DELETE FROM stream WHERE id <> ? AND NOT EXISTS (SELECT 1 FROM event WHERE event.stream = stream.id)",
                (current,),
            )
        return free > 0 and pages > self._max_pages


def _write_entry(db: sqlite3.Connection, row: int, entry: LogEntry) -> None:
    """Write an event of a session, or the end of one that is open."""
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
        exists = db.execute(
            f"SELECT 1 FROM event WHERE {this} AND (state, label) IS (:state, :label)", values
        ).fetchone()
    else:
        closed = db.execute(
            f"UPDATE event SET until = :until, confidence = :confidence WHERE until IS NULL AND {this}", values
        ).rowcount
        exists = closed or db.execute(
            f"SELECT 1 FROM event WHERE {this} AND until = :until AND text IS :text", values
        ).fetchone()  # fmt: skip
    if not exists:
        db.execute(
            "INSERT INTO event (stream, kind, start, until, state, label, confidence, source, text) "
            "VALUES (:row, :kind, :start, :until, :state, :label, :confidence, :source, :text)",
            values,
        )
    heard = entry.start if entry.until is None else entry.until
    db.execute("UPDATE stream SET heard = ? WHERE id = ? AND heard < ?", (heard, row, heard))
