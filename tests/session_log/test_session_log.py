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
from stream.session_log.reader import Archive, Record, before
from stream.session_log.session_log import Journal, default_path
from stream.session_log.store import LEAST_BYTES, Entry, Logbook, Pulse, Stream
from tests.support.log_writing import STREAM, UTC, Warnings, hello, label, mark, marks, segment


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the log is: in a folder that is not there yet."""
    return tmp_path / "state" / "sessions.db"


@pytest.fixture
def journal(path: Path) -> Iterator[Journal]:
    """A journal that a stream was announced to."""
    journal = Journal(path)
    journal.add(hello())
    yield journal
    assert journal.close(10)


@pytest.fixture
def warnings() -> Iterator[Warnings]:
    """What is told on standard error."""
    warnings = Warnings()
    yield warnings
    warnings.close()


def records(path: Path, **what: float) -> list[Record]:
    """Read a log."""
    with Archive(path) as archive:
        return list(archive.records(**what))  # type: ignore[arg-type]


def test_every_kind_of_event_is_read_again_with_unix_times(journal: Journal, path: Path) -> None:
    """Every kind of event is read again with Unix times."""
    journal.add(segment(0.0, 2.0, confidence=0.87654))
    journal.add(Guess(1.0, 2.0, "flute", 0.2))
    journal.add(Mark(1.5, "bridge"))
    journal.add(Outage(2.0, 3.5, "USB", "it was unplugged"))
    assert journal.flush(10)
    assert records(path) == [
        Record(1, "segment", UTC, UTC + 2, "instrument", "violin", 0.8765, None, None),
        Record(1, "guess", UTC + 1, UTC + 2, None, "flute", 0.2, None, None),
        Record(1, "mark", UTC + 1.5, UTC + 1.5, None, None, None, None, "bridge"),
        Record(1, "outage", UTC + 2, UTC + 3.5, None, None, None, "USB", "it was unplugged"),
    ]
    assert (journal.written, journal.missed, journal.fault) == (4, 0, None)


def test_a_stream_is_listed_as_far_as_it_was_heard(journal: Journal, path: Path) -> None:
    """A stream is listed as far as it was heard."""
    journal.add(label(7.25, 0.0, "flute"))
    assert journal.flush(10)
    with Archive(path) as archive:
        (session,) = archive.sessions()
    assert (session.start, session.end, session.source) == (UTC, UTC + 7.25, "USB Audio CODEC")
    assert (session.model, session.server, session.labels) == ("lead", "soloist 0.1.0", ("flute", "violin"))


def test_an_open_segment_lasts_as_long_as_it_was_heard(journal: Journal, path: Path) -> None:
    """An open segment lasts as long as it was heard."""
    for heard, confidence in ((1.0, 0.4), (1.5, 0.6)):
        journal.add(label(heard, 1.0, "flute", confidence))
    assert journal.flush(10)
    assert records(path) == [Record(1, "segment", UTC + 1, UTC + 1.5, "instrument", "flute", 0.5, None, None)]


def test_the_end_of_a_segment_replaces_its_beginning(journal: Journal, path: Path) -> None:
    """The end of a segment replaces its beginning."""
    journal.add(label(1.0, 0.0, "violin", 0.9))
    assert journal.flush(10)
    journal.add(segment(0.0, 2.0, confidence=0.7))
    journal.add(label(2.0, 2.0, "flute"))
    assert journal.flush(10)
    first, second = records(path)
    assert (first.start, first.end, first.label, first.confidence) == (UTC, UTC + 2, "violin", 0.7)
    assert (second.start, second.end, second.label) == (UTC + 2, UTC + 2, "flute")


def test_a_segment_whose_end_was_missed_ends_where_the_next_begins(path: Path) -> None:
    """A segment whose end was missed ends where the next begins."""
    logbook = Logbook(path)
    logbook.write([Entry(STREAM, "segment", 0.0, None, "instrument", "flute")], Pulse(STREAM, 1.0, 0.8, True))
    logbook.write([Entry(STREAM, "segment", 3.0, None, "silence", None)])
    logbook.close()
    first, _ = records(path)
    assert (first.end, first.confidence) == (UTC + 3, 0.8)


def test_an_outage_is_told_twice_and_written_once(journal: Journal, path: Path) -> None:
    """An outage is told twice and written once."""
    journal.add(Outage(2.0, None, "USB", "gone"))
    assert journal.flush(10)
    assert [(it.start, it.end) for it in records(path)] == [(UTC + 2, None)]
    journal.add(Outage(2.0, 5.0, "USB", "gone"))
    assert journal.flush(10)
    assert [(it.start, it.end) for it in records(path)] == [(UTC + 2, UTC + 5)]


def test_what_the_last_run_left_open_ends_with_it(path: Path) -> None:
    """What the last run left open ends with it."""
    logbook = Logbook(path)
    logbook.write(
        [
            Entry(STREAM, "segment", 1.0, None, "instrument", "flute"),
            Entry(STREAM, "outage", 4.0, None, source="USB", text="gone"),
        ],
        Pulse(STREAM, 4.0, 0.6, True),
    )
    logbook.close()
    journal = Journal(path)
    journal.add(hello(UTC + 60))
    journal.add(label(0.25, 0.0))
    assert journal.close(10)
    flute, outage, silence = records(path)
    assert (flute.end, flute.confidence) == (UTC + 4, 0.6)
    assert (outage.start, outage.end) == (UTC + 4, UTC + 60)  # nothing was heard until then
    assert (silence.session, silence.start, silence.state) == (2, UTC + 60, "silence")


def test_another_source_on_the_same_clock_takes_over_what_is_open(journal: Journal, path: Path) -> None:
    """Another source on the same clock takes over what is open."""
    journal.add(label(1.0, 0.5, "flute"))
    assert journal.flush(10)
    journal.add(hello(source="built-in"))
    journal.add(label(1.25, 0.5, "flute"))
    journal.add(segment(0.5, 2.0, "flute"))
    assert journal.flush(10)
    assert [(it.session, it.start, it.end) for it in records(path)] == [(2, UTC + 0.5, UTC + 2)]
    with Archive(path) as archive:
        assert [it.source for it in archive.sessions()] == ["USB Audio CODEC", "built-in"]


def test_the_same_hello_again_is_the_same_stream(journal: Journal, path: Path) -> None:
    """The same hello again is the same stream."""
    journal.add(Mark(1.0, "a"))
    journal.add(hello())
    journal.add(Mark(2.0, "b"))
    assert journal.flush(10)
    assert [(it.session, it.text) for it in records(path)] == [(1, "a"), (1, "b")]


def test_a_time_range_has_what_reaches_into_it(path: Path) -> None:
    """A time range has what reaches into it."""
    logbook = Logbook(path)
    logbook.write([Entry(STREAM, "segment", float(n), n + 1.0, "silence", None, 0.0) for n in range(10)])
    later = Stream(UTC + 100, *(getattr(STREAM, name) for name in ("server", "model", "source", "labels")))
    logbook.write([mark(3, later)])
    logbook.close()
    assert [it.start - UTC for it in records(path, since=UTC + 3.5, until=UTC + 5.5)] == [3, 4, 5]
    assert [it.start - UTC for it in records(path, since=UTC + 50)] == [103]
    assert [it.start - UTC for it in records(path, session=2)] == [103]


def test_what_was_heard_before_a_restart_can_be_told_as_messages(path: Path) -> None:
    """What was heard before a restart can be told as messages."""
    first = Journal(path)
    first.add(hello())
    first.add(segment(0.0, 2.0))
    first.add(Guess(0.5, 1.0, "flute", 0.2))
    first.add(Mark(1.5, "bridge"))
    first.add(Outage(2.0, 3.0, "USB", "gone"))
    first.add(Outage(5.0, None, "USB", "gone again"))
    assert first.close(10)
    after = Journal(path)
    assert after.flush(10)
    found = records(path, since=UTC + 60 - 7200)
    assert list(before(found, UTC + 60)) == [
        Segment(-60.0, -58.0, "instrument", "violin", 0.5),
        Guess(-59.5, -59.0, "flute", 0.2),
        Mark(-58.5, "bridge"),
        Outage(-58.0, -57.0, "USB", "gone"),
        Outage(-55.0, 0.0, "USB", "gone again"),
    ]
    assert [it.end for it in before(found, UTC + 1) if isinstance(it, Segment)] == [0.0]
    assert list(before(found, UTC)) == []
    assert [it.kind for it in records(path, since=UTC + 50)] == ["outage"]
    assert after.close(10)


def test_what_cannot_be_written_is_left_out_or_mended(journal: Journal, path: Path) -> None:
    """What cannot be written is left out or mended."""
    journal.add(segment(0.0, math.inf))
    journal.add(label(math.nan, 0.0, "flute"))
    journal.add(hello(math.nan))
    journal.add(Mark(1.0, "lone \ud800, nothing \0, long " + 2000 * "x"))
    journal.add(Level(1.0, -20.0, -10.0, False))
    assert journal.flush(10)
    (*_, found) = records(path)
    assert found.text is not None
    assert found.text.startswith("lone ?, nothing \0, long xxx")
    assert len(found.text) == 1000
    assert (journal.fault, journal.missed) == (None, 0)


def test_a_model_with_the_longest_names_can_be_written(path: Path) -> None:
    """Names that are too long, and too many of them, are cut."""
    journal = Journal(path)
    journal.add(replace(hello(), labels=[f"{number}" + 5000 * "\x01" for number in range(1000)], source=9999 * "s"))
    journal.add(Mark(1.0, "1"))
    assert journal.close(10)
    with Archive(path) as archive:
        (session,) = archive.sessions()
    assert (len(session.labels), len(session.labels[0]), len(session.source)) == (256, 200, 1000)
    assert marks(path) == [1]


def test_before_a_hello_there_is_nothing_to_add_to(path: Path) -> None:
    """Before a hello there is nothing to add to."""
    journal = Journal(path)
    journal.add(Mark(1.0, "early"))
    assert journal.close(10)
    assert marks(path) == []


def test_closing_writes_what_was_just_added(path: Path) -> None:
    """Closing writes what was just added."""
    journal = Journal(path)
    journal.add(hello())
    for number in range(1000):
        journal.add(Mark(float(number), str(number)))
    assert journal.close(10)
    assert marks(path) == list(range(1000))
    assert sorted(it.name for it in path.parent.iterdir()) == [path.name, f"{path.name}.lock"]
    journal.add(Mark(1.0, "late"))
    assert journal.close(10)
    assert len(marks(path)) == 1000


def alone(path: Path) -> Path:
    """Copy the file alone, without its write-ahead log, to another folder."""
    folder = path.parent / "elsewhere"
    folder.mkdir(exist_ok=True)
    return Path(shutil.copy(path, folder))


def test_a_copy_of_the_file_alone_can_be_read(journal: Journal, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is copied without the write-ahead log is a log from the beginning, and holds what came some seconds ago."""
    assert journal.flush(10)
    with Archive(alone(path)) as archive:
        assert archive.sessions() == []
    journal.add(Mark(0.0, "0"))
    assert journal.flush(10)
    assert marks(alone(path)) == [0]
    monkeypatch.setattr("stream.session_log.writer._CARRY_SECONDS", 0.5)
    for number in (1, 2):
        journal.add(Mark(float(number), str(number)))
        assert journal.flush(10)
    held: list[int] = []
    while held != [0, 1, 2]:
        time.sleep(0.05)
        with contextlib.suppress(sqlite3.Error, AssertionError):  # it is just being written
            held = marks(alone(path))


def test_a_reader_does_not_keep_the_end_from_the_file_itself(path: Path) -> None:
    """What is written last is in the file itself also when somebody has it open as the log is closed."""
    logbook = Logbook(path)
    logbook.write([mark(0)])
    with contextlib.closing(sqlite3.connect(path)) as reader:
        assert reader.execute("SELECT count(*) FROM event").fetchone() == (1,)
        logbook.write([mark(1)])
        logbook.close()
        assert marks(alone(path)) == [0, 1]


def test_a_copy_is_whole_by_itself(journal: Journal, path: Path) -> None:
    """A copy that is taken while the log is written is one file that can be read where nobody may write."""
    for number in range(3):
        journal.add(Mark(float(number), str(number)))
    assert journal.flush(10)
    copy = path.parent / "caf\udce9 '?.db"
    with Archive(path) as archive:
        archive.copy(copy)
        with pytest.raises(LogError, match=r"cannot copy to .*: it is there already"):
            archive.copy(copy)
        with pytest.raises(LogError, match="cannot copy to /none/copy: unable to open"):
            archive.copy("/none/copy")
        expected = list(archive.records())
    assert records(copy) == expected
    assert not list(path.parent.glob(f"{copy.name}?*"))
    logbook = Logbook(copy)  # and goes on as a log
    logbook.write([mark(3)])
    logbook.close()
    assert logbook.file.aside is None
    assert [it.text for it in records(copy)] == ["0", "1", "2", "3"]


def test_a_copy_without_the_write_ahead_log_is_told_from_what_is_no_log(tmp_path: Path) -> None:
    """Where all that a log holds is in the write-ahead log that was left behind, the error says so."""
    with contextlib.closing(sqlite3.connect(tmp_path / "sessions.db")) as db:
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("CREATE TABLE stream (id)")
        with (
            pytest.raises(LogError, match=r"no session log; .* the -wal beside the original belongs to it"),
            Archive(alone(tmp_path / "sessions.db")),
        ):
            pass


def test_a_clock_that_is_set_moves_the_session_and_makes_no_other(journal: Journal, path: Path) -> None:
    """When the clock is set back and forth in one run there is one session, at the time that the clock says last."""
    for days in (0, 3, 0, -3, 1):
        now = UTC + 86_400 * days
        journal.add(hello(now, run="a"))
        for source in ("USB", "built-in"):
            journal.add(hello(now, source, run="a"))
            journal.add(label(5.0 + days, 1.0, "flute"))
        assert journal.flush(10)
    with Archive(path) as archive:
        assert [(it.source, it.start) for it in archive.sessions()] == [
            (source, UTC + 86_400) for source in ("USB", "built-in")
        ]
        (flute,) = archive.records()
    assert (flute.start, flute.label) == (UTC + 86_401, "flute")
    journal.add(hello(UTC + 2 * 86_400, "USB", run="b"))
    journal.add(label(1.0, 0.0, "violin"))
    assert journal.flush(10)
    with Archive(path) as archive:
        assert [it.start for it in archive.sessions()] == [UTC + 86_400, UTC + 86_400, UTC + 2 * 86_400]


def test_a_clock_that_is_set_while_nothing_can_be_written_makes_no_other_session(path: Path) -> None:
    """What was tried before and is written again, and what is written after, is in one session."""
    early, late = (replace(STREAM, utc=UTC + seconds, run="a") for seconds in (0, 1000))
    logbook = Logbook(path)
    for _ in range(2):
        logbook.write([mark(0, early), mark(1, late)])
        logbook.close()
    path.with_name("sessions.db-wal").mkdir()  # nobody can write
    with pytest.raises(sqlite3.Error):
        logbook.write([mark(2, replace(late, utc=UTC + 2000))])
    logbook.close()
    path.with_name("sessions.db-wal").rmdir()
    logbook.write([mark(2, replace(late, utc=UTC + 2000))])
    logbook.close()
    assert marks(path) == [0, 1, 2]
    with Archive(path) as archive:
        assert [it.start for it in archive.sessions()] == [UTC + 2000]


def test_others_read_while_it_is_written(journal: Journal, path: Path) -> None:
    """Others read while it is written."""
    assert journal.flush(10)
    with sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True) as reader:
        for number in range(5):
            journal.add(Mark(float(number), str(number)))
            assert journal.flush(10)
            assert reader.execute("SELECT count(*) FROM heard").fetchone() == (number + 1,)
    reader.close()


def test_a_second_journal_waits_for_the_first(path: Path, warnings: Warnings) -> None:
    """A second journal waits for the first."""
    first = Journal(path)
    first.add(hello())
    first.add(Mark(0.0, "0"))
    assert first.flush(10)
    second = Journal(path, retry_seconds=(0.01,))
    assert "another Soloist writes it" in warnings.next()
    second.add(hello(UTC + 10))
    second.add(Mark(0.0, "1"))
    assert first.close(10)
    assert warnings.next().endswith("is written again")
    assert second.close(10)
    assert marks(path) == [0, 1]


def test_writing_something_twice_is_writing_it_once(path: Path) -> None:
    """Writing something twice is writing it once."""
    logbook = Logbook(path)
    entries = [
        mark(1),
        mark(1),
        Entry(STREAM, "segment", 0.0, None, "silence", None),
        Entry(STREAM, "segment", 0.0, 2.0, "silence", None, 0.0),
    ]
    for _ in range(2):
        logbook.write(entries[:-1])
        logbook.write(entries)
    logbook.close()
    found = records(path)
    assert [it.kind for it in found].count("mark") == 1
    assert [(it.start - UTC, it.end) for it in found if it.kind == "segment"] == [(0, UTC + 2)]


def fill(logbook: Logbook, count: int) -> Iterator[int]:
    """Write marks that are long, and yield the size of the log's files after each write."""
    path = logbook.file.path
    for first in range(0, count, 250):
        logbook.write([replace(mark(number), source=200 * "x") for number in range(first, first + 250)])
        yield path.stat().st_size + logbook.file.wal_bytes


def test_the_file_stays_within_its_size_and_keeps_the_newest(path: Path) -> None:
    """The file stays within its size and keeps the newest."""
    logbook = Logbook(path, max_bytes=2 * LEAST_BYTES)
    assert max(fill(logbook, 40_000)) <= 2 * LEAST_BYTES
    logbook.close()
    kept = marks(path)
    assert kept == list(range(kept[0], 40_000))
    assert len(kept) > 5_000


def test_a_log_that_was_allowed_more_shrinks(path: Path) -> None:
    """A log that was allowed more shrinks."""
    logbook = Logbook(path, max_bytes=2 * LEAST_BYTES)
    assert max(fill(logbook, 15_000)) > LEAST_BYTES
    logbook.close()
    logbook = Logbook(path, max_bytes=LEAST_BYTES)
    for number in range(15_000, 15_040):
        logbook.write([mark(number)])
    logbook.close()
    assert path.stat().st_size < LEAST_BYTES
    kept = marks(path)
    assert kept == list(range(kept[0], 15_040))


def test_an_open_segment_does_not_keep_old_events(path: Path) -> None:
    """An open segment does not keep old events."""
    logbook = Logbook(path, max_bytes=LEAST_BYTES)
    logbook.write([Entry(STREAM, "segment", 0.0, None, "unknown", None)])
    assert max(fill(logbook, 10_000)) <= LEAST_BYTES
    logbook.close()
    assert next(it for it in records(path)).kind == "segment"


def test_what_is_too_old_goes_and_its_stream_with_it(path: Path) -> None:
    """What is too old goes and its stream with it."""
    logbook = Logbook(path, max_days=1.0)
    logbook.write([mark(0), mark(1), mark(50_000)])
    later = Stream(UTC + 90_000, *(getattr(STREAM, name) for name in ("server", "model", "source", "labels")))
    logbook.write([mark(2, later)])
    assert marks(path) == [50_000, 2]
    logbook.write([], Pulse(later, 60_000.0, 0.0, False))
    logbook.close()
    assert marks(path) == [2]
    with Archive(path) as archive:
        assert [it.start for it in archive.sessions()] == [UTC + 90_000]


def test_a_log_of_the_future_is_not_thrown_away_when_the_clock_goes_back(path: Path) -> None:
    """A log of the future is not thrown away when the clock goes back."""
    logbook = Logbook(path, max_days=1.0)
    logbook.write([mark(1)])
    earlier = Stream(UTC - 1e6, *(getattr(STREAM, name) for name in ("server", "model", "source", "labels")))
    logbook.write([mark(2, earlier)])
    logbook.close()
    assert marks(path) == [1, 2]


def test_there_is_nothing_to_read_without_a_log(path: Path) -> None:
    """There is nothing to read without a log."""
    with pytest.raises(LogError, match="there is no session log"), Archive(path):
        pass


@pytest.mark.parametrize("content", [b"", b"SQLite format 3\0", 5000 * b"x"])
def test_what_is_no_log_is_not_read(tmp_path: Path, content: bytes) -> None:
    """What is no log is not read."""
    (tmp_path / "other").write_bytes(content)
    with pytest.raises(LogError, match=r"no session log|cannot be read"), Archive(tmp_path / "other"):
        pass


def test_the_log_lies_where_systemd_or_the_desktop_keeps_state() -> None:
    """The log lies where systemd or the desktop keeps state."""
    assert default_path({"STATE_DIRECTORY": "/var/lib/soloist:/var/lib/other"}) == Path("/var/lib/soloist/sessions.db")
    assert default_path({"XDG_STATE_HOME": "/x", "HOME": "/h"}) == Path("/x/soloist/sessions.db")
    assert default_path({"HOME": "/h"}) == Path("/h/.local/state/soloist/sessions.db")
