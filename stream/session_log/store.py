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
from stream.session_log.database import FAULTS, PAGE_BYTES, WAL_PAGES, DatabaseFile, is_damage

DEFAULT_MAX_DAYS: Final = 90.0
"""Age of the oldest event, by default."""
DEFAULT_MAX_BYTES: Final = 64 * 2**20
"""Size of the log, by default: 300 hours of a busy stage."""
MIN_BYTES: Final = 2 * 2**20
"""The smallest limit of the size."""

_MAX_WAL_BYTES: Final = 16 * 2**20  # as long as this only when a reader holds a snapshot for an hour
_SPARE_PAGES: Final = 100  # that one transaction may add
_PRUNE_EVENTS: Final = 512  # events in one step; more than one transaction adds
_TO_SESSION: Final = "JOIN stream ON stream.id = event.stream JOIN session ON session.id = stream.session"


@dataclass(frozen=True, slots=True)
class SessionHeader:
    """Who listens, to what, and with what."""

    utc: float
    """Unix time of stream time 0, as it is known now."""
    server: str
    model: str
    source: str
    labels: tuple[str, ...]
    run: str | None = None
    """Names the run of the service, which is one session; without it another `utc` is another one."""
    since: float = 0.0
    """Stream time in seconds from which on it is this source, heard with this model."""
    channel: int | None = None
    """The one that is listened to, counted from 1; None for the average of all."""
    port: int | None = None
    """The one that the service listens on: services side by side have different ones."""

    @property
    def name(self) -> str:
        """What the file knows the run by."""
        return self.run or repr(self.utc)


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
        self._current: _Rows | None = None

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
        except FAULTS as error:
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
        if self._current is not None and not _is_there(db, self._current):
            self._current = None  # another service has found it empty, and deleted it
        for entry in entries:
            _write_entry(db, self._rows(db, entry.session), entry)
        if progress is not None:
            session = self._rows(db, progress.session).session
            db.execute(
                "UPDATE session SET heard = max(heard, ?), sure = ? WHERE id = ?",
                (progress.heard_until, progress.mean_confidence, session),
            )
        is_oversized = self._prune(db)
        db.execute("COMMIT")
        if is_oversized:  # one `execute` would free one page
            db.executescript(f"PRAGMA incremental_vacuum({_SPARE_PAGES})")

    def _rows(self, db: sqlite3.Connection, header: SessionHeader) -> _Rows:
        """Return the rows of a session and of what it listens to, which become the current ones."""
        if self._current is not None and self._current.header == header:
            return self._current
        session = self._session_id(db, header)
        values = (session, header.since, header.source, header.model, json.dumps(header.labels, ensure_ascii=False))
        # Until there was audio, it may turn out to be something else.
        query = "SELECT id FROM stream WHERE (session, since) = (?, ?)"
        if (found := db.execute(query, values[:2]).fetchone()) is None:
            db.execute("INSERT INTO stream (session, since, source, model, labels) VALUES (?, ?, ?, ?, ?)", values)
            found = db.execute(query, values[:2]).fetchone()
        else:
            db.execute("UPDATE stream SET (source, model, labels) = (?, ?, ?) WHERE id = ?", (*values[2:], *found))
        self._current = _Rows(header, session, int(found[0]))
        return self._current

    def _session_id(self, db: sqlite3.Connection, header: SessionHeader) -> int:
        if self._current is not None and self._current.header.name == header.name:
            session = self._current.session
        else:
            db.execute(
                "INSERT OR IGNORE INTO session (run, utc, server, port, channel) VALUES (?, ?, ?, ?, ?)",
                (header.name, header.utc, header.server, header.port, header.channel),
            )
            session = int(db.execute("SELECT id FROM session WHERE run = ?", (header.name,)).fetchone()[0])
            self.file.lock.hold(session)
            self._close_others(db, session, header.utc)
        # When the clock was set, it is the same audio, all of which was heard at another time.
        db.execute("UPDATE session SET utc = ?1 WHERE id = ?2 AND utc <> ?1", (header.utc, session))
        return session

    def _close_others(self, db: sqlite3.Connection, session: int, now: float) -> None:
        """Close what sessions have left open that nobody writes any more.

        Their segment lasted as long as they were heard, their outage until now.
        """
        open_in = "SELECT DISTINCT session FROM event JOIN stream ON stream.id = event.stream WHERE until IS NULL"
        for (other,) in db.execute(f"{open_in} AND session <> ?", (session,)).fetchall():
            if not self.file.lock.is_held(other):
                db.execute(
                    """UPDATE event SET (until, confidence) = (
                        SELECT max(event.start, iif(event.kind = 'outage', ? - utc, heard)),
                            iif(event.kind = 'segment', sure, NULL)
                        FROM session WHERE id = ?
                    ) WHERE until IS NULL AND stream IN (SELECT id FROM stream WHERE session = ?)""",
                    (now, other, other),
                )

    def _prune(self, db: sqlite3.Connection) -> bool:
        """Delete a few of the oldest events if there are too many, or if they are too old.

        Returns
        -------
        bool
            Whether the file is larger than allowed: the limit was higher once.
        """
        assert self._current is not None
        pages, free = (int(db.execute(f"PRAGMA {name}").fetchone()[0]) for name in ("page_count", "freelist_count"))
        # Old as seen from what is heard now, not by a clock: while that is wrong it would delete everything.
        (now,) = db.execute("SELECT utc + heard FROM session WHERE id = ?", (self._current.session,)).fetchone()
        oldest = db.execute(
            f"SELECT utc + until FROM event {_TO_SESSION} WHERE until IS NOT NULL ORDER BY event.id LIMIT 1"
        ).fetchone()
        before = math.inf if pages - free > self._max_pages else now - self._max_seconds
        if oldest is not None and oldest[0] < before:
            db.execute(
                f"""DELETE FROM event WHERE id IN (
                    SELECT event.id FROM (SELECT * FROM event ORDER BY id LIMIT {_PRUNE_EVENTS}) AS event
                    {_TO_SESSION} WHERE utc + until < ?
                )""",
                (before,),
            )
            db.execute(
                "DELETE FROM stream WHERE id <> ? AND NOT EXISTS (SELECT 1 FROM event WHERE event.stream = stream.id)",
                (self._current.stream,),
            )
            db.execute("DELETE FROM session WHERE id NOT IN (SELECT session FROM stream)")
        return free > 0 and pages > self._max_pages


@dataclass(frozen=True, slots=True)
class _Rows:
    """What was written last, and where in the file that is."""

    header: SessionHeader
    session: int
    stream: int


def _is_there(db: sqlite3.Connection, rows: _Rows) -> bool:
    query = "SELECT 1 FROM stream JOIN session ON session.id = session WHERE (stream.id, session, run) = (?, ?, ?)"
    return db.execute(query, (rows.stream, rows.session, rows.header.name)).fetchone() is not None


def _write_entry(db: sqlite3.Connection, rows: _Rows, entry: LogEntry) -> None:
    """Write an event of a session, or the end of one that is open."""
    values = {
        "session": rows.session, "stream": rows.stream, "kind": entry.kind, "start": entry.start, "until": entry.until,
        "state": entry.state, "label": entry.label, "confidence": entry.confidence, "source": entry.source,
        "text": entry.text,
    }  # fmt: skip
    # What began with one source or model may end when there is another.
    this = "stream IN (SELECT id FROM stream WHERE session = :session) AND kind = :kind"
    if entry.until is None:
        # A segment ends where the next begins, also when its end was missed.
        db.execute(
            "UPDATE event SET until = :start, confidence = (SELECT sure FROM session WHERE id = :session) "
            f"WHERE until IS NULL AND {this} AND start < :start",
            values,
        )
        exists = db.execute(
            f"SELECT 1 FROM event WHERE {this} AND start = :start AND (state, label) IS (:state, :label) "
            "AND (until IS NULL OR until >= :start)",
            values,
        ).fetchone()
    else:
        closed = db.execute(
            f"UPDATE event SET until = :until, confidence = :confidence WHERE until IS NULL AND {this} "
            "AND start = :start",
            values,
        ).rowcount
        exists = closed or db.execute(
            f"SELECT 1 FROM event WHERE {this} AND start = :start AND until = :until AND text IS :text", values
        ).fetchone()  # fmt: skip
    if not exists:
        db.execute(
            "INSERT INTO event (stream, kind, start, until, state, label, confidence, source, text) "
            "VALUES (:stream, :kind, :start, :until, :state, :label, :confidence, :source, :text)",
            values,
        )
    heard = entry.start if entry.until is None else entry.until
    db.execute("UPDATE session SET heard = ? WHERE id = ? AND heard < ?", (heard, rows.session, heard))
