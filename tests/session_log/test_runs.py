"""Runs of the service in a session log: each is a session, whatever it hears, and whoever else writes the file."""

from __future__ import annotations

import contextlib
import os
import signal
import sqlite3
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from stream.protocol.messages import Mark, Outage
from stream.session_log.lock_file import LockFile
from stream.session_log.reader import LogReader
from stream.session_log.records import Record, Session
from stream.session_log.session_log import SessionLog
from stream.session_log.store import LogEntry, LogStore
from tests.support.log_writing import SESSION, UTC, Warnings, hello, label, mark, marks, segment

ROOT = Path(__file__).parents[2]
OLD = """
CREATE TABLE stream (
    id INTEGER PRIMARY KEY,
    utc REAL NOT NULL,               -- Unix time of stream time 0
    heard REAL NOT NULL DEFAULT 0,   -- stream time up to which the log tells
    sure REAL NOT NULL DEFAULT 0,    -- mean confidence of the open segment so far
    server TEXT NOT NULL,
    model TEXT NOT NULL,
    source TEXT NOT NULL,
    labels TEXT NOT NULL             -- a JSON list
) STRICT;
CREATE TABLE event (
    id INTEGER PRIMARY KEY,
    stream INTEGER NOT NULL REFERENCES stream (id),
    kind TEXT NOT NULL,              -- segment, guess, mark or outage
    start REAL NOT NULL,             -- stream time
    until REAL,                      -- stream time; NULL while it lasts
    state TEXT,
    label TEXT,
    confidence REAL,
    source TEXT,                     -- of an outage
    text TEXT                        -- of a mark; the reason of an outage
) STRICT;
CREATE INDEX event_until ON event (stream, until);
CREATE INDEX event_open ON event (stream) WHERE until IS NULL;
CREATE VIEW heard AS SELECT event.id FROM event JOIN stream ON stream.id = event.stream;
PRAGMA application_id = 1397705807;
PRAGMA user_version = 1;
INSERT INTO stream VALUES
    (1, 1780000000.25, 9.5, 0.1, 'soloist 0.2.0', 'lead', 'USB Audio', '["flute"]'),
    (2, 1780000000.25, 20.5, 0.75, 'soloist 0.2.0', 'small', 'USB Audio', '["flute", "oboe"]'),
    (3, 1780000000.25, 15.0, 0.2, 'soloist 0.2.0', 'lead', 'USB Audio', '["flute"]'),
    (5, 1780003600.5, 4.0, 0.5, 'soloist 0.1.0', 'lead', 'demo', '["flute"]');
INSERT INTO event (stream, kind, start, until, state, label, confidence, source, text) VALUES
    (1, 'segment', 0, 9.5, 'warming', NULL, 0, NULL, NULL),
    (1, 'mark', 4, 4, NULL, NULL, NULL, NULL, 'bridge'),
    (3, 'guess', 9.75, 12, NULL, 'flute', 0.25, NULL, NULL),
    (2, 'outage', 15, 16.5, NULL, NULL, NULL, 'USB Audio', 'it was unplugged'),
    (2, 'segment', 16.5, NULL, 'instrument', 'flute', NULL, NULL, NULL),
    (5, 'segment', 0, 4, 'silence', NULL, 0, NULL, NULL);
"""
"""What Soloist 0.1 and 0.2 made: a run in which the model was changed twice, and a later one."""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the log is."""
    return tmp_path / "sessions.db"


def read(path: Path) -> tuple[list[Session], list[Record]]:
    """Return all that is in a log."""
    with LogReader(path) as reader:
        return reader.sessions(), list(reader.records())


def test_a_log_of_before_is_read_as_it_is_and_converted_when_it_is_written(path: Path) -> None:
    """Nothing of it is lost or changed; what one run had written in three parts is one session."""
    with contextlib.closing(sqlite3.connect(path)) as db:
        db.executescript(OLD)
    before = path.read_bytes()
    sessions, records = read(path)
    assert path.read_bytes() == before
    first, second = sessions
    assert [(it.id, it.start - UTC, it.end - UTC) for it in sessions] == [(1, 0.25, 20.75), (5, 3600.5, 3604.5)]
    assert (first.sources, first.models, second.sources) == (("USB Audio",), ("lead", "small"), ("demo",))
    assert first.run != second.run
    assert [(it.kind, it.start - first.start, it.end - first.start, it.model) for it in records[:5] if it.end] == [
        ("segment", 0, 9.5, "lead"), ("mark", 4, 4, "lead"), ("guess", 9.75, 12, "lead"),
        ("outage", 15, 16.5, "small"), ("segment", 16.5, 20.5, "small"),
    ]  # fmt: skip
    assert (records[4].confidence, records[4].run, records[5].run) == (0.75, first.run, second.run)
    for _ in range(2):
        store = LogStore(path)
        store.write([mark(7, replace(SESSION, utc=UTC + 7200, run="new"))])
        store.close()
        assert store.file.quarantined is None
        (*kept, new), (*same, note) = read(path)
        assert (kept, same) == (sessions, records)
        assert (new.run, note.run, note.text) == ("new", "new", "7")
    with contextlib.closing(sqlite3.connect(path)) as db:
        assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert db.execute("SELECT count(*), count(DISTINCT run) FROM heard").fetchone() == (7, 3)


def test_services_write_one_file_at_once(path: Path, warnings: Warnings) -> None:
    """Several that begin the file together and write it together lose nothing, and each has its own session."""
    logs = [SessionLog(path, retry_seconds=(0.05,), port=8000 + number) for number in range(4)]

    def write(number: int) -> None:
        logs[number].add(hello(UTC, run=f"run {number}"))  # all of them in the same moment
        for second in range(50):
            logs[number].add(Mark(float(second), f"{number} {second}"))
            logs[number].add(label(float(second), 0.0, "flute", number / 4))
            if second % 10 == 0:
                assert logs[number].flush(20)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [log.flush(20) for log in logs] == 4 * [True]
    assert [(log.fault, log.missed) for log in logs] == 4 * [(None, 0)]
    sessions, records = read(path)
    assert sorted((it.run, it.port) for it in sessions) == [(f"run {number}", 8000 + number) for number in range(4)]
    for session in sessions:
        number = int(session.run[-1])
        own = [it for it in records if it.session == session.id]
        assert [it.text for it in own if it.kind == "mark"] == [f"{number} {second}" for second in range(50)]
        assert [(it.end, it.confidence) for it in own if it.kind == "segment"] == [(UTC + 49, number / 4)]
    assert [log.close(20) for log in logs] == 4 * [True]
    assert not list(path.parent.glob("*.aside*"))


def test_only_what_nobody_writes_any_more_is_closed(path: Path) -> None:
    """What a service beside has open stays so; what one left open that was killed is closed by the next to start."""
    command = [sys.executable, "-m", "tests.support.log_writing", "until-killed", str(path), str(UTC), "steady"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as killed:
        assert killed.stdout is not None
        for _ in range(200):
            killed.stdout.readline()
        living, later = SessionLog(path), SessionLog(path)
        living.add(hello(UTC + 1, run="living"))
        living.add(label(1.0, 0.0, "flute"))
        living.add(Outage(1.0, None, "USB", "gone"))
        assert living.flush(20)

        def is_open() -> list[tuple[str, str, int]]:
            with contextlib.closing(sqlite3.connect(path)) as db:
                return db.execute("SELECT run, kind, open FROM heard WHERE kind <> 'mark' ORDER BY id").fetchall()

        assert is_open() == [(repr(UTC), "segment", 1), ("living", "segment", 1), ("living", "outage", 1)]
        killed.send_signal(signal.SIGKILL)
    later.add(hello(UTC + 60, run="later"))
    later.add(Mark(0.0, "later"))
    assert later.flush(20)
    assert is_open() == [(repr(UTC), "segment", 0), ("living", "segment", 1), ("living", "outage", 1)]
    living.add(segment(0.0, 2.0, "flute"))
    living.add(Outage(1.0, 2.0, "USB", "gone"))
    assert living.close(20)
    assert is_open() == [(repr(UTC), "segment", 0), ("living", "segment", 0), ("living", "outage", 0)]
    assert later.close(20)


def test_a_service_of_before_keeps_its_file_to_itself(path: Path, warnings: Warnings) -> None:
    """While one of version 0.2 writes the file, one line says so; when that has ended, what waited is written."""
    import fcntl

    lock = os.open(f"{path}.lock", os.O_RDWR | os.O_CREAT)
    fcntl.flock(lock, fcntl.LOCK_EX)  # as that does
    session_log = SessionLog(path, retry_seconds=(0.05,))
    assert "a Soloist of version 0.2 or before writes it" in warnings.next()
    session_log.add(hello(run="a"))
    session_log.add(Mark(0.0, "0"))
    os.close(lock)
    assert warnings.next().endswith("is written again")
    assert session_log.close(10)
    assert marks(path) == [0]


def test_a_session_that_others_found_empty_goes_on(path: Path) -> None:
    """A service whose rows another has deleted, since nothing was in them, is written on as the same run."""
    store, other = LogStore(path), LogStore(path, max_days=1)
    store.write([mark(0, replace(SESSION, run="a"))])
    other.write([mark(1, replace(SESSION, run="b", utc=UTC + 200_000))])  # for which what was before is too old
    other.write([mark(2, replace(SESSION, run="b", utc=UTC + 200_000))])
    assert marks(path) == [1, 2]
    store.write([mark(3, replace(SESSION, run="a"))])
    for each in (store, other):
        each.close()
    sessions, records = read(path)
    runs = {it.id: it.run for it in sessions}
    assert sorted((it.text, runs[it.session]) for it in records) == [("1", "b"), ("2", "b"), ("3", "a")]


def test_locks_are_of_each_service(tmp_path: Path) -> None:
    """Who opens the log is alone with it, also within one process; a session is held until its file is closed."""
    one, other = LockFile(tmp_path / "lock"), LockFile(tmp_path / "lock")
    one.open()
    other.open()
    entered = threading.Event()

    def enter() -> None:
        with other.alone():
            entered.set()

    with one.alone():
        thread = threading.Thread(target=enter)
        thread.start()
        assert not entered.wait(0.2)
    assert entered.wait(10)
    thread.join()
    one.hold(7)
    assert (one.is_held(8), other.is_held(8), other.is_held(7)) == (False, False, True)
    one.close()
    assert not other.is_held(7)
    other.close()


def test_listing_asks_the_same_of_many_runs_as_of_few(path: Path) -> None:
    """The number of statements does not depend on the number of runs, and no table is read once for each."""
    told = []
    for runs in (3, 300):
        log = path.with_name(f"{runs}.db")
        store = LogStore(log)
        headers = [replace(SESSION, utc=UTC + 600 * run, run=f"{run}") for run in range(runs)]
        store.write([LogEntry(it, "segment", at, at + 1, "silence", None, 0.0) for it in headers for at in (0.0, 1.0)])
        store.close()
        with LogReader(log) as reader:
            assert reader._connection is not None
            statements: list[str] = []
            reader._connection.set_trace_callback(statements.append)
            sessions, counts = reader.sessions(), reader.segment_counts()
            reader._connection.set_trace_callback(None)
            plans = [reader._connection.execute(f"EXPLAIN QUERY PLAN {it}").fetchall() for it in statements]
        assert [counts[it.id] for it in sessions] == runs * [2]
        told.append((len(statements), plans))
    assert told[0] == told[1]
    assert not any("CORRELATED" in row[-1] for plan in told[1][1] for row in plan)
