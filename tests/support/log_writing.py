"""Messages and log entries for tests of the session log; as a program, a writer to be killed."""

from __future__ import annotations

import itertools
import logging
import os
import queue
import sqlite3
import sys
import time
from pathlib import Path

from stream.protocol.messages import Hello, Label, Mark, Segment, State
from stream.session_log.session_log import SessionLog
from stream.session_log.store import LogEntry, LogStore, SessionHeader

UTC = 1_780_000_000.0
SESSION = SessionHeader(UTC, "soloist 0.1.0", "lead", "USB Audio CODEC", ("flute", "violin"))


def hello(utc: float = UTC, source: str = SESSION.source, model: str = SESSION.model, run: str = "") -> Hello:
    """Return a hello."""
    return Hello(1, SESSION.server, model, SESSION.labels, SESSION.labels, 2.972, 0.255, 22050, source, utc, run)


def label(
    time: float, since: float, name: str | None = None, confidence: float = 0.5, state: State = "silence"
) -> Label:
    """Return the label of a hop, of an instrument if one is named."""
    return Label(0, time, state if name is None else "instrument", name, since, confidence, {}, {}, -20.0, -10.0)


def segment(start: float, end: float, name: str = "violin", confidence: float = 0.5) -> Segment:
    """Return a segment of an instrument."""
    return Segment(start, end, "instrument", name, confidence)


def mark(number: int, session: SessionHeader = SESSION) -> LogEntry:
    """Return the mark of that number, a second after the one before it."""
    return LogEntry(session, "mark", float(number), float(number), text=str(number))


def marks(path: Path) -> list[int]:
    """Read the numbers of the marks in a log, which must be whole, in their order."""
    db = sqlite3.connect(path)
    try:
        assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        return [int(text) for (text,) in db.execute("SELECT text FROM event WHERE kind = 'mark' ORDER BY id")]
    finally:
        db.close()


class Warnings(logging.Handler):
    """What the program logs, to be waited for."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self._lines: queue.Queue[str] = queue.Queue()
        logging.getLogger("stream").addHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        """Take in a line."""
        self._lines.put(record.getMessage())

    def next(self) -> str:
        """Wait for the next line."""
        return self._lines.get(timeout=20)

    def close(self) -> None:
        """Stop listening."""
        logging.getLogger("stream").removeHandler(self)
        super().close()


def write_until_killed(path: Path, utc: float, is_steady: bool) -> None:
    """Add a label every hundredth of a second, and print the number and time of each before it is added.

    Every fifth of a second there is a mark and every half a segment ends, unless it is steady.
    """
    session_log = SessionLog(path)
    session_log.add(hello(utc))
    since = 0.0
    for number in itertools.count():
        os.write(1, f"{number} {time.monotonic()}\n".encode())
        now = number / 100
        if number % 50 == 49 and not is_steady:
            session_log.add(segment(since, now, "violin"))
            since = now
        session_log.add(label(now, since, "violin"))
        if number % 20 == 0 and not is_steady:
            session_log.add(Mark(now, str(number)))
        time.sleep(0.01)


def write_marks(path: Path) -> None:
    """Write marks, and print the number of each when it is written."""
    store = LogStore(path)
    for number in range(150):
        store.write([mark(number)])
        os.write(1, f"{number}\n".encode())


if __name__ == "__main__":
    if sys.argv[1] == "until-killed":
        write_until_killed(Path(sys.argv[2]), float(sys.argv[3]), sys.argv[4] == "steady")
    else:
        write_marks(Path(sys.argv[2]))
