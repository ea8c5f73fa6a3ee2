"""The session log: what is written down, and what is read again."""

from __future__ import annotations

import contextlib
import math
import shutil
import sqlite3
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from stream.errors import LogError
from stream.protocol.messages import Guess, Level, Mark, Outage, Segment
from stream.session_log.reader import LogReader
from stream.session_log.records import Listening, Record, messages_before
from stream.session_log.session_log import SessionLog
from stream.session_log.settings import default_path
from stream.session_log.store import MIN_BYTES, LogEntry, LogStore, Progress, SessionHeader
from tests.support.log_writing import SESSION, UTC, hello, label, mark, marks, segment


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the log is: in a folder that is not there yet."""
    return tmp_path / "state" / "sessions.db"


@pytest.fixture
def session_log(path: Path) -> Iterator[SessionLog]:
    """A session log that a session was begun in."""
    session_log = SessionLog(path)
    session_log.add(hello())
    yield session_log
    assert session_log.close(10)


def records(path: Path, **what: float) -> list[Record]:
    """Read a log."""
    with LogReader(path) as reader:
        return list(reader.records(**what))  # type: ignore[arg-type]


def test_every_kind_of_event_is_read_again_with_unix_times(session_log: SessionLog, path: Path) -> None:
    """Every kind of event is read again with Unix times."""
    session_log.add(segment(0.0, 2.0, confidence=0.87654))
    session_log.add(Guess(1.0, 2.0, "flute", 0.2))
    session_log.add(Mark(1.5, "bridge"))
    session_log.add(Outage(2.0, 3.5, "USB", "it was unplugged"))
    assert session_log.flush(10)
    source, run, model = SESSION.source, repr(UTC), SESSION.model
    assert records(path) == [
        Record(1, "segment", UTC, UTC + 2, "instrument", "violin", 0.8765, source, None, run, model),
        Record(1, "guess", UTC + 1, UTC + 2, None, "flute", 0.2, source, None, run, model),
        Record(1, "mark", UTC + 1.5, UTC + 1.5, None, None, None, source, "bridge", run, model),
        Record(1, "outage", UTC + 2, UTC + 3.5, None, None, None, "USB", "it was unplugged", run, model),
    ]
    assert (session_log.written, session_log.missed, session_log.fault) == (4, 0, None)


def test_a_stream_is_listed_as_far_as_it_was_heard(session_log: SessionLog, path: Path) -> None:
    """A stream is listed as far as it was heard."""
    session_log.add(label(7.25, 0.0, "flute"))
    assert session_log.flush(10)
    with LogReader(path) as reader:
        (session,) = reader.sessions()
    assert (session.start, session.end, session.server) == (UTC, UTC + 7.25, "soloist 0.1.0")
    assert session.parts == (Listening(UTC, "USB Audio CODEC", "lead", ("flute", "violin")),)


def test_an_open_segment_lasts_as_long_as_it_was_heard(session_log: SessionLog, path: Path) -> None:
    """An open segment lasts as long as it was heard."""
    for heard, confidence in ((1.0, 0.4), (1.5, 0.6)):
        session_log.add(label(heard, 1.0, "flute", confidence))
    assert session_log.flush(10)
    (found,) = records(path)
    assert (found.start, found.end, found.label, found.confidence) == (UTC + 1, UTC + 1.5, "flute", 0.5)


def test_the_end_of_a_segment_replaces_its_beginning(session_log: SessionLog, path: Path) -> None:
    """The end of a segment replaces its beginning."""
    session_log.add(label(1.0, 0.0, "violin", 0.9))
    assert session_log.flush(10)
    session_log.add(segment(0.0, 2.0, confidence=0.7))
    session_log.add(label(2.0, 2.0, "flute"))
    assert session_log.flush(10)
    first, second = records(path)
    assert (first.start, first.end, first.label, first.confidence) == (UTC, UTC + 2, "violin", 0.7)
    assert (second.start, second.end, second.label) == (UTC + 2, UTC + 2, "flute")


def test_a_segment_whose_end_was_missed_ends_where_the_next_begins(path: Path) -> None:
    """A segment whose end was missed ends where the next begins."""
    store = LogStore(path)
    store.write([LogEntry(SESSION, "segment", 0.0, None, "instrument", "flute")], Progress(SESSION, 1.0, 0.8, True))
    store.write([LogEntry(SESSION, "segment", 3.0, None, "silence", None)])
    store.close()
    first, _ = records(path)
    assert (first.end, first.confidence) == (UTC + 3, 0.8)


def test_an_outage_is_told_twice_and_written_once(session_log: SessionLog, path: Path) -> None:
    """An outage is told twice and written once."""
    session_log.add(Outage(2.0, None, "USB", "gone"))
    assert session_log.flush(10)
    assert [(it.start, it.end) for it in records(path)] == [(UTC + 2, None)]
    session_log.add(Outage(2.0, 5.0, "USB", "gone"))
    assert session_log.flush(10)
    assert [(it.start, it.end) for it in records(path)] == [(UTC + 2, UTC + 5)]


def test_what_the_last_run_left_open_ends_with_it(path: Path) -> None:
    """What the last run left open ends with it."""
    store = LogStore(path)
    store.write(
        [
            LogEntry(SESSION, "segment", 1.0, None, "instrument", "flute"),
            LogEntry(SESSION, "outage", 4.0, None, source="USB", text="gone"),
        ],
        Progress(SESSION, 4.0, 0.6, True),
    )
    store.close()
    session_log = SessionLog(path)
    session_log.add(hello(UTC + 60))
    session_log.add(label(0.25, 0.0))
    assert session_log.close(10)
    flute, outage, silence = records(path)
    assert (flute.end, flute.confidence) == (UTC + 4, 0.6)
    assert (outage.start, outage.end) == (UTC + 4, UTC + 60)  # nothing was heard until then
    assert (silence.session, silence.start, silence.state) == (2, UTC + 60, "silence")


def test_another_source_or_model_is_another_part_of_the_session(path: Path) -> None:
    """What is heard belongs to what was listened to when it began, though it ends or is told later; the run is one."""
    session_log = SessionLog(path)
    session_log.add(hello(source="mic", run="a"))  # until there is audio
    session_log.add(hello(run="a"))
    session_log.add(label(1.0, 0.5, "flute"))
    session_log.add(replace(hello(model="small", run="a"), since=1.5))
    session_log.add(label(1.75, 0.5, "flute"))  # the stretch goes on with another model
    session_log.add(replace(hello(source="built-in", model="small", run="a"), since=2.0))
    session_log.add(segment(0.5, 2.0, "flute"))
    session_log.add(Guess(1.6, 2.0, "violin", 0.2))
    session_log.add(Mark(1.0, "written for a second"))
    session_log.add(label(5.0, 2.0))
    assert session_log.close(10)
    assert [(it.kind, it.start - UTC, it.source, it.model) for it in records(path)] == [
        ("segment", 0.5, "USB Audio CODEC", "lead"),
        ("guess", pytest.approx(1.6), "USB Audio CODEC", "small"),
        ("mark", 1.0, "USB Audio CODEC", "lead"),
        ("segment", 2.0, "built-in", "small"),
    ]
    with LogReader(path) as reader:
        (session,) = reader.sessions()
    assert (session.sources, session.models) == (("USB Audio CODEC", "built-in"), ("lead", "small"))
    assert [it.since - UTC for it in session.parts] == [0, 1.5, 2]


def test_the_same_hello_again_is_the_same_stream(session_log: SessionLog, path: Path) -> None:
    """The same hello again is the same stream."""
    session_log.add(Mark(1.0, "a"))
    session_log.add(hello())
    session_log.add(Mark(2.0, "b"))
    assert session_log.flush(10)
    assert [(it.session, it.text) for it in records(path)] == [(1, "a"), (1, "b")]


def test_a_time_range_has_what_reaches_into_it(path: Path) -> None:
    """A time range has what reaches into it."""
    store = LogStore(path)
    store.write([LogEntry(SESSION, "segment", float(n), n + 1.0, "silence", None, 0.0) for n in range(10)])
    later = SessionHeader(UTC + 100, *(getattr(SESSION, name) for name in ("server", "model", "source", "labels")))
    store.write([mark(3, later)])
    store.close()
    assert [it.start - UTC for it in records(path, since=UTC + 3.5, until=UTC + 5.5)] == [3, 4, 5]
    assert [it.start - UTC for it in records(path, since=UTC + 50)] == [103]
    assert [it.start - UTC for it in records(path, session=2)] == [103]


def test_what_was_heard_before_a_restart_can_be_told_as_messages(path: Path) -> None:
    """What was heard before a restart can be told as messages."""
    first = SessionLog(path)
    first.add(hello())
    first.add(segment(0.0, 2.0))
    first.add(Guess(0.5, 1.0, "flute", 0.2))
    first.add(Mark(1.5, "bridge"))
    first.add(Outage(2.0, 3.0, "USB", "gone"))
    first.add(Outage(5.0, None, "USB", "gone again"))
    assert first.close(10)
    after = SessionLog(path)
    assert after.flush(10)
    found = records(path, since=UTC + 60 - 7200)
    assert list(messages_before(found, UTC + 60)) == [
        Segment(-60.0, -58.0, "instrument", "violin", 0.5),
        Guess(-59.5, -59.0, "flute", 0.2),
        Mark(-58.5, "bridge"),
        Outage(-58.0, -57.0, "USB", "gone"),
        Outage(-55.0, 0.0, "USB", "gone again"),
    ]
    assert [it.end for it in messages_before(found, UTC + 1) if isinstance(it, Segment)] == [0.0]
    assert list(messages_before(found, UTC)) == []
    assert [it.kind for it in records(path, since=UTC + 50)] == ["outage"]
    assert after.close(10)


def test_what_cannot_be_written_is_left_out_or_mended(session_log: SessionLog, path: Path) -> None:
    """What cannot be written is left out or mended."""
    session_log.add(segment(0.0, math.inf))
    session_log.add(label(math.nan, 0.0, "flute"))
    session_log.add(hello(math.nan))
    session_log.add(Mark(1.0, "lone \ud800, nothing \0, long " + 2000 * "x"))
    session_log.add(Level(1.0, -20.0, -10.0, False))
    assert session_log.flush(10)
    (*_, found) = records(path)
    assert found.text is not None
    assert found.text.startswith("lone ?, nothing \0, long xxx")
    assert len(found.text) == 1000
    assert (session_log.fault, session_log.missed) == (None, 0)


def test_a_model_with_the_longest_names_can_be_written(path: Path) -> None:
    """Names that are too long, and too many of them, are cut."""
    session_log = SessionLog(path)
    session_log.add(replace(hello(), labels=[f"{number}" + 5000 * "\x01" for number in range(1000)], source=9999 * "s"))
    session_log.add(Mark(1.0, "1"))
    assert session_log.close(10)
    with LogReader(path) as reader:
        (session,) = reader.sessions()
    (part,) = session.parts
    assert (len(part.labels), len(part.labels[0]), len(part.source)) == (256, 200, 1000)
    assert marks(path) == [1]


def test_before_a_hello_there_is_nothing_to_add_to(path: Path) -> None:
    """Before a hello there is nothing to add to."""
    session_log = SessionLog(path)
    session_log.add(Mark(1.0, "early"))
    assert session_log.close(10)
    assert marks(path) == []


def test_closing_writes_what_was_just_added(path: Path) -> None:
    """Closing writes what was just added."""
    session_log = SessionLog(path)
    session_log.add(hello())
    for number in range(1000):
        session_log.add(Mark(float(number), str(number)))
    assert session_log.close(10)
    assert marks(path) == list(range(1000))
    assert sorted(it.name for it in path.parent.iterdir()) == [path.name, f"{path.name}.lock"]
    session_log.add(Mark(1.0, "late"))
    assert session_log.close(10)
    assert len(marks(path)) == 1000


def alone(path: Path) -> Path:
    """Copy the file alone, without its write-ahead log, to another folder."""
    folder = path.parent / "elsewhere"
    folder.mkdir(exist_ok=True)
    return Path(shutil.copy(path, folder))


def test_a_copy_of_the_file_alone_can_be_read(
    session_log: SessionLog, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is copied without the write-ahead log is a log from the beginning, and holds what came some seconds ago."""
    assert session_log.flush(10)
    with LogReader(alone(path)) as reader:
        assert reader.sessions() == []
    session_log.add(Mark(0.0, "0"))
    assert session_log.flush(10)
    assert marks(alone(path)) == [0]
    monkeypatch.setattr("stream.session_log.writer._CHECKPOINT_SECONDS", 0.5)
    for number in (1, 2):
        session_log.add(Mark(float(number), str(number)))
        assert session_log.flush(10)
    held: list[int] = []
    while held != [0, 1, 2]:
        time.sleep(0.05)
        with contextlib.suppress(sqlite3.Error, AssertionError):  # it is just being written
            held = marks(alone(path))


def test_a_reader_does_not_keep_the_end_from_the_file_itself(path: Path) -> None:
    """What is written last is in the file itself also when somebody has it open as the log is closed."""
    store = LogStore(path)
    store.write([mark(0)])
    with contextlib.closing(sqlite3.connect(path)) as reader:
        assert reader.execute("SELECT count(*) FROM event").fetchone() == (1,)
        store.write([mark(1)])
        store.close()
        assert marks(alone(path)) == [0, 1]


def test_a_copy_is_whole_by_itself(session_log: SessionLog, path: Path) -> None:
    """A copy that is taken while the log is written is one file that can be read where nobody may write."""
    for number in range(3):
        session_log.add(Mark(float(number), str(number)))
    assert session_log.flush(10)
    copy = path.parent / "caf\udce9 '?.db"
    with LogReader(path) as reader:
        reader.copy(copy)
        with pytest.raises(LogError, match=r"cannot copy to .*: it already exists"):
            reader.copy(copy)
        with pytest.raises(LogError, match="cannot copy to /none/copy: unable to open"):
            reader.copy("/none/copy")
        expected = list(reader.records())
    assert records(copy) == expected
    assert not list(path.parent.glob(f"{copy.name}?*"))
    store = LogStore(copy)  # and goes on as a log
    store.write([mark(3)])
    store.close()
    assert store.file.quarantined is None
    assert [it.text for it in records(copy)] == ["0", "1", "2", "3"]


def test_a_copy_without_the_write_ahead_log_is_told_from_what_is_no_log(tmp_path: Path) -> None:
    """Where all that a log holds is in the write-ahead log that was left behind, the error says so."""
    with contextlib.closing(sqlite3.connect(tmp_path / "sessions.db")) as db:
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("CREATE TABLE stream (id)")
        with (
            pytest.raises(LogError, match=r"not a session log; .* the -wal beside the original belongs to it"),
            LogReader(alone(tmp_path / "sessions.db")),
        ):
            pass


def test_a_clock_that_is_set_moves_the_session_and_makes_no_other(session_log: SessionLog, path: Path) -> None:
    """When the clock is set back and forth in one run there is one session, at the time that the clock says last."""
    for days in (0, 3, 0, -3, 1):
        now = UTC + 86_400 * days
        session_log.add(hello(now, run="a"))
        for since, source in enumerate(("USB", "built-in")):
            session_log.add(replace(hello(now, source, run="a"), since=float(since)))
            session_log.add(label(5.0 + days, 1.0, "flute"))
        assert session_log.flush(10)
    with LogReader(path) as reader:
        assert [(it.sources, it.start) for it in reader.sessions()] == [(("USB", "built-in"), UTC + 86_400)]
        (flute,) = reader.records()
    assert (flute.start, flute.label) == (UTC + 86_401, "flute")
    session_log.add(hello(UTC + 2 * 86_400, "USB", run="b"))
    session_log.add(label(1.0, 0.0, "violin"))
    assert session_log.flush(10)
    with LogReader(path) as reader:
        assert [it.start for it in reader.sessions()] == [UTC + 86_400, UTC + 2 * 86_400]


def test_a_clock_that_is_set_while_nothing_can_be_written_makes_no_other_session(path: Path) -> None:
    """What was tried before and is written again, and what is written after, is in one session."""
    early, late = (replace(SESSION, utc=UTC + seconds, run="a") for seconds in (0, 1000))
    store = LogStore(path)
    for _ in range(2):
        store.write([mark(0, early), mark(1, late)])
        store.close()
    path.with_name("sessions.db-wal").mkdir()  # nobody can write
    with pytest.raises(sqlite3.Error):
        store.write([mark(2, replace(late, utc=UTC + 2000))])
    store.close()
    path.with_name("sessions.db-wal").rmdir()
    store.write([mark(2, replace(late, utc=UTC + 2000))])
    store.close()
    assert marks(path) == [0, 1, 2]
    with LogReader(path) as reader:
        assert [it.start for it in reader.sessions()] == [UTC + 2000]


def test_others_read_while_it_is_written(session_log: SessionLog, path: Path) -> None:
    """Others read while it is written."""
    assert session_log.flush(10)
    with sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True) as reader:
        for number in range(5):
            session_log.add(Mark(float(number), str(number)))
            assert session_log.flush(10)
            assert reader.execute("SELECT count(*) FROM heard").fetchone() == (number + 1,)
    reader.close()


def test_writing_something_twice_is_writing_it_once(path: Path) -> None:
    """Writing something twice is writing it once."""
    store = LogStore(path)
    entries = [
        mark(1),
        mark(1),
        LogEntry(SESSION, "segment", 0.0, None, "silence", None),
        LogEntry(SESSION, "segment", 0.0, 2.0, "silence", None, 0.0),
    ]
    for _ in range(2):
        store.write(entries[:-1])
        store.write(entries)
    store.close()
    found = records(path)
    assert [it.kind for it in found].count("mark") == 1
    assert [(it.start - UTC, it.end) for it in found if it.kind == "segment"] == [(0, UTC + 2)]


def fill(store: LogStore, count: int) -> Iterator[int]:
    """Write marks that are long, and yield the size of the log's files after each write."""
    path = store.file.path
    for first in range(0, count, 250):
        store.write([replace(mark(number), source=200 * "x") for number in range(first, first + 250)])
        yield path.stat().st_size + store.file.wal_bytes


def test_the_file_stays_within_its_size_and_keeps_the_newest(path: Path) -> None:
    """The file stays within its size and keeps the newest."""
    store = LogStore(path, max_bytes=2 * MIN_BYTES)
    assert max(fill(store, 40_000)) <= 2 * MIN_BYTES
    store.close()
    kept = marks(path)
    assert kept == list(range(kept[0], 40_000))
    assert len(kept) > 5_000


def test_a_log_that_was_allowed_more_shrinks(path: Path) -> None:
    """A log that was allowed more shrinks."""
    store = LogStore(path, max_bytes=2 * MIN_BYTES)
    assert max(fill(store, 15_000)) > MIN_BYTES
    store.close()
    store = LogStore(path, max_bytes=MIN_BYTES)
    for number in range(15_000, 15_040):
        store.write([mark(number)])
    store.close()
    assert path.stat().st_size < MIN_BYTES
    kept = marks(path)
    assert kept == list(range(kept[0], 15_040))


def test_an_open_segment_does_not_keep_old_events(path: Path) -> None:
    """An open segment does not keep old events."""
    store = LogStore(path, max_bytes=MIN_BYTES)
    store.write([LogEntry(SESSION, "segment", 0.0, None, "unknown", None)])
    assert max(fill(store, 10_000)) <= MIN_BYTES
    store.close()
    assert next(it for it in records(path)).kind == "segment"


def test_what_is_too_old_goes_and_its_stream_with_it(path: Path) -> None:
    """What is too old goes and its stream with it."""
    store = LogStore(path, max_days=1.0)
    store.write([mark(0), mark(1), mark(50_000)])
    later = SessionHeader(UTC + 90_000, *(getattr(SESSION, name) for name in ("server", "model", "source", "labels")))
    store.write([mark(2, later)])
    assert marks(path) == [50_000, 2]
    store.write([], Progress(later, 60_000.0, 0.0, False))
    store.close()
    assert marks(path) == [2]
    with LogReader(path) as reader:
        assert [it.start for it in reader.sessions()] == [UTC + 90_000]


def test_a_log_of_the_future_is_not_thrown_away_when_the_clock_goes_back(path: Path) -> None:
    """A log of the future is not thrown away when the clock goes back."""
    store = LogStore(path, max_days=1.0)
    store.write([mark(1)])
    earlier = SessionHeader(UTC - 1e6, *(getattr(SESSION, name) for name in ("server", "model", "source", "labels")))
    store.write([mark(2, earlier)])
    store.close()
    assert marks(path) == [1, 2]


def test_there_is_nothing_to_read_without_a_log(path: Path) -> None:
    """There is nothing to read without a log."""
    with pytest.raises(LogError, match="there is no session log"), LogReader(path):
        pass


@pytest.mark.parametrize("content", [b"", b"SQLite format 3\0", 5000 * b"x"])
def test_what_is_no_log_is_not_read(tmp_path: Path, content: bytes) -> None:
    """What is no log is not read."""
    (tmp_path / "other").write_bytes(content)
    with pytest.raises(LogError, match=r"not a session log|cannot be read"), LogReader(tmp_path / "other"):
        pass


def test_the_log_lies_where_systemd_or_the_desktop_keeps_state() -> None:
    """The log lies where systemd or the desktop keeps state."""
    assert default_path({"STATE_DIRECTORY": "/var/lib/soloist:/var/lib/other"}) == Path("/var/lib/soloist/sessions.db")
    assert default_path({"XDG_STATE_HOME": "/x", "HOME": "/h"}) == Path("/x/soloist/sessions.db")
    assert default_path({"HOME": "/h"}) == Path("/h/.local/state/soloist/sessions.db")
