"""Reads a session log, also while the service writes it."""

from __future__ import annotations

import contextlib
import json
import math
import os
import shutil
import sqlite3
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, cast

from stream.errors import LogError
from stream.protocol.messages import Guess, Mark, Outage, Segment, State
from stream.session_log.database import APPLICATION_ID, MAX_FIELD_BYTES, PAGE_BYTES, SCHEMA_VERSION

_WAL_VERSIONS: Final = slice(18, 20)  # where an SQLite file says that it has a write-ahead log


@dataclass(frozen=True, slots=True)
class Session:
    """One run of the service on one source, with one model. Times are Unix time in seconds."""

    id: int
    start: float
    end: float
    """When it was last heard."""
    source: str
    model: str
    server: str
    labels: Sequence[str]


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
    """The source that an outage interrupted."""
    text: str | None
    """Of a mark; the reason of an outage."""


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
            yield Guess(start, end, record.label or "", confidence)
        elif record.kind == "segment":
            # A valid state when it was written, perhaps by a later version: clients ignore those that they do not know.
            yield Segment(start, end, cast(State, record.state), record.label, confidence)


class LogReader:
    """Reads a session log, as a context manager; nothing is changed.

    Parameters
    ----------
    path : str or Path

    Raises
    ------
    LogError
        When there is none, or when it cannot be read; while one iterates, too.
    """

    def __init__(self, path: str | Path) -> None:
        self._path = Path(path)
        self._copy: tempfile.TemporaryDirectory[str] | None = None
        self._connection: sqlite3.Connection | None = None

    def __enter__(self) -> LogReader:
        if not self._path.is_file():
            raise LogError(f"there is no session log {self._path}")
        try:
            try:
                self._connection = self._open(self._path)
            except sqlite3.OperationalError:
                # SQLite needs to write beside the file, and may not: the card of another computer, say.
                self._copy = tempfile.TemporaryDirectory(prefix="soloist-")
                for ending in ("", "-wal"):
                    if (file := Path(f"{self._path}{ending}")).is_file():
                        shutil.copyfile(file, Path(self._copy.name) / f"log{ending}")
                self._connection = self._open(Path(self._copy.name) / "log")
        except (sqlite3.Error, OSError) as error:
            self.__exit__()
            raise LogError(f"session log {self._path} cannot be read: {error}") from error
        except LogError:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None
        if self._copy is not None:
            self._copy.cleanup()
            self._copy = None

    def copy(self, target: str | Path) -> None:
        """Write all that the log holds now into a new file, which is whole by itself.

        Raises
        ------
        LogError
            When there is such a file already, or it cannot be written.
        """
        assert self._connection is not None, "copied within a `with`"
        path = Path(target).absolute()
        if os.path.lexists(path):
            raise LogError(f"cannot copy to {target}: it is there already")
        try:
            # What a file's name is made of need not be text to Python, but it is to SQLite.
            self._connection.execute("VACUUM INTO CAST(? AS TEXT)", (os.fsencode(path),))
        except (sqlite3.Error, ValueError) as error:
            with contextlib.suppress(OSError, ValueError):
                path.unlink()  # a part of it
            raise LogError(f"cannot copy to {target}: {error}") from error

    def sessions(self) -> list[Session]:
        """List all that are in the log, the oldest first."""
        rows = self._rows(
            "SELECT id, utc, utc + heard, source, model, server, labels FROM stream ORDER BY utc, id", ()
        )  # fmt: skip
        return [
            Session(id, start, max(start, end), source, model, server, _parse_labels(labels))
            for id, start, end, source, model, server, labels in rows
            if _is_time(start) and _is_time(end) and all(isinstance(text, str) for text in (source, model, server))
        ]

    def records(
        self, session: int | None = None, since: float = -math.inf, until: float = math.inf
    ) -> Iterator[Record]:
        """Iterate over the records that overlap a span of time, session by session, in the order of writing.

        Parameters
        ----------
        session : int, optional
            Id of a session; all by default.
        since : float
            Unix time.
        until : float
            Unix time.

        Yields
        ------
        Record
        """
        for each in self.sessions():
            if (session is None or each.id == session) and each.start <= until:
                yield from self._session_records(each, since - each.start, until - each.start)

    def _session_records(self, session: Session, since: float, until: float) -> Iterator[Record]:
        rows = self._rows(
            """SELECT kind, start, until, max(start, coalesce(until, heard)), state, label,
                coalesce(confidence, iif(kind = 'segment', sure, NULL)), event.source, text
            FROM event JOIN stream ON stream.id = event.stream
            WHERE event.stream = ? AND (until >= ? OR until IS NULL) AND start <= ? ORDER BY event.id""",
            (session.id, since, until),
        )
        for kind, start, end, last, state, label, confidence, source, text in rows:
            texts = (state, label, source, text)
            if not (
                _is_time(start) and _is_time(last) and all(text is None or isinstance(text, str) for text in texts)
            ):
                continue  # the disk has changed it
            if kind in ("segment", "guess") and not _is_time(confidence):
                continue
            if end is None and kind == "outage":
                last = None
            elif last < since:
                continue  # it was open when its session ended
            end_utc = None if last is None else session.start + last
            yield Record(session.id, kind, session.start + start, end_utc, state, label, confidence, source, text)

    def _rows(self, query: str, values: Sequence[float]) -> Iterator[tuple[Any, ...]]:
        assert self._connection is not None, "read within a `with`"
        try:
            yield from self._connection.execute(query, values)
        except sqlite3.Error as error:
            raise LogError(f"session log {self._path} cannot be read on: {error}") from error

    def _open(self, path: Path) -> sqlite3.Connection:
        db = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=1.0, isolation_level=None)
        try:
            db.text_factory = lambda text: text.decode("utf-8", "replace")
            db.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, MAX_FIELD_BYTES)
            db.execute("PRAGMA trusted_schema = OFF")
            (application,), (version,) = (
                db.execute(f"PRAGMA {name}").fetchone() for name in ("application_id", "user_version")
            )
            if application != APPLICATION_ID:
                hint = (
                    "; if it is a copy, the -wal beside the original belongs to it" if _is_empty_wal_file(path) else ""
                )
                raise LogError(f"{self._path} is no session log{hint}")
            if version != SCHEMA_VERSION:
                raise LogError(f"session log {self._path} has version {version}; this Soloist reads {SCHEMA_VERSION}")
        except BaseException:
            db.close()
            raise
        return db


def _is_empty_wal_file(path: Path) -> bool:
    """Whether a file is that of a database of which nothing but its WAL mode is known."""
    with open(path, "rb") as file:
        start = file.read(_WAL_VERSIONS.stop)
        return (
            start.startswith(b"SQLite format 3\0")
            and start[_WAL_VERSIONS] == b"\2\2"
            and path.stat().st_size == PAGE_BYTES
        )


def _is_time(value: object) -> bool:
    return isinstance(value, float) and math.isfinite(value)


def _parse_labels(text: object) -> tuple[str, ...]:
    try:
        return tuple(str(label) for label in json.loads(str(text)))
    except (ValueError, TypeError, RecursionError):
        return ()
