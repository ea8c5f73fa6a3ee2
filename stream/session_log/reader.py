"""Reads a session log, also while the service writes it."""

from __future__ import annotations

import contextlib
import json
import math
import os
import shutil
import sqlite3
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from stream.errors import LogError
from stream.session_log.database import FAULTS, MAX_FIELD_BYTES, PAGE_BYTES, NewerVersionError, newer_version
from stream.session_log.records import Listening, Record, Session
from stream.session_log.schema import APPLICATION_ID, SCHEMA_VERSION, present_old

_WAL_VERSIONS: Final = slice(18, 20)  # where an SQLite file claims a write-ahead log


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
        except (*FAULTS, OSError) as error:
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
            raise LogError(f"cannot copy to {target}: it already exists")
        try:
            # What a file's name is made of need not be text to Python, but it is to SQLite.
            self._connection.execute("VACUUM INTO CAST(? AS TEXT)", (os.fsencode(path),))
        except (sqlite3.Error, ValueError) as error:
            with contextlib.suppress(OSError, ValueError):
                path.unlink()  # a part of it
            raise LogError(f"cannot copy to {target}: {error}") from error

    def sessions(self) -> list[Session]:
        """List all that are in the log, the oldest first."""
        parts = defaultdict[int, list[Listening]](list)
        for session, since, source, model, labels in self._rows(
            "SELECT session, utc + since, source, model, labels FROM stream JOIN session ON session.id = session "
            "ORDER BY since, stream.id",
            (),
        ):
            if _is_time(since) and isinstance(source, str) and isinstance(model, str):
                parts[session].append(Listening(since, source, model, _parse_labels(labels)))
        rows = self._rows("SELECT id, run, utc, utc + heard, server, port, channel FROM session ORDER BY utc, id", ())
        return [
            Session(id, run, start, max(start, end), server, tuple(parts[id]), port, channel)
            for id, run, start, end, server, port, channel in rows
            if _is_time(start) and _is_time(end) and isinstance(run, str) and isinstance(server, str) and parts[id]
        ]

    def segment_counts(self) -> Mapping[int, int]:
        """Count the segments of each session; the keys are ids."""
        rows = self._rows(
            "SELECT session, sum(count) FROM (SELECT stream, count(*) AS count FROM event WHERE kind = 'segment' "
            "GROUP BY stream) JOIN stream ON stream.id = stream GROUP BY session",
            (),
        )
        return dict(rows)

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
            if session is None or each.id == session:
                yield from self.session_records(each, since, until)

    def session_records(self, session: Session, since: float = -math.inf, until: float = math.inf) -> Iterator[Record]:
        """Iterate over those of one session, see `records`."""
        if session.start > until:
            return
        since, until = since - session.start, until - session.start
        rows = self._rows(
            """SELECT kind, start, until, max(start, coalesce(until, heard)), state, label,
                coalesce(confidence, iif(kind = 'segment', sure, NULL)), coalesce(event.source, stream.source), text,
                model
            FROM stream JOIN event ON event.stream = stream.id JOIN session ON session.id = session
            WHERE session = ? AND (until >= ? OR until IS NULL) AND start <= ? ORDER BY event.id""",
            (session.id, since, until),
        )
        for kind, start, end, last, state, label, confidence, source, text, model in rows:
            texts = (state, label, source, text, model)
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
            times = session.start + start, None if last is None else session.start + last
            yield Record(session.id, kind, *times, state, label, confidence, source, text, session.run, model)

    def _rows(self, query: str, values: Sequence[float]) -> Iterator[tuple[Any, ...]]:
        assert self._connection is not None, "read within a `with`"
        try:
            yield from self._connection.execute(query, values)
        except FAULTS as error:
            raise LogError(f"session log {self._path} cannot be read further: {error}") from error

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
                raise LogError(f"{self._path} is not a session log{hint}")
            if version > SCHEMA_VERSION:
                raise NewerVersionError(f"session log {self._path} cannot be read: {newer_version(version)}")
            if version == 1:
                present_old(db)
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
