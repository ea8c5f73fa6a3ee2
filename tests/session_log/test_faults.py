"""The session log when the process is killed, the disk is full or read-only, or the file is damaged."""

from __future__ import annotations

import contextlib
import itertools
import os
import random
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from stream.errors import LogError
from stream.protocol.messages import Label, Mark
from stream.session_log.reader import LogReader
from stream.session_log.schema import SCHEMA_VERSION
from stream.session_log.session_log import SessionLog
from stream.session_log.store import MIN_BYTES, LogStore
from stream.session_log.writer import MAX_BACKLOG
from tests.support.log_writing import UTC, Warnings, hello, label, mark, marks
from tests.support.waiting import PATIENCE

ROOT = Path(__file__).parents[2]
KILLS = int(os.environ.get("SOLOIST_TEST_KILLS", "8"))


@pytest.fixture
def disk() -> Iterator[Path]:
    """A disk of 4 MB."""
    folder = Path(tempfile.mkdtemp(prefix="soloist-disk-"))
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", folder], capture_output=True, text=True)
    if done.returncode:
        folder.rmdir()
        pytest.skip(f"may mount no small disk here: {done.stderr.strip()}")
    yield folder
    subprocess.run(["umount", folder], check=True)
    folder.rmdir()


def fill_up(file: Path) -> None:
    """Leave no byte free on a disk."""
    with file.open("ab", buffering=0) as ballast:
        for size in (65_536, 4_096, 1):
            try:
                while True:
                    ballast.write(bytes(size))
            except OSError:
                continue


@pytest.mark.slow
def test_a_killed_process_loses_a_second_at_the_most(tmp_path: Path) -> None:
    """Killed at any moment, many times, it leaves a whole file that lacks at most the last second."""
    path = tmp_path / "sessions.db"
    rng = random.Random(20261123)
    for run in range(KILLS):
        utc = UTC + 1000 * run
        is_steady = run % 2 == 1
        kind = "steady" if is_steady else "lively"
        command = [sys.executable, "-m", "tests.support.log_writing", "until-killed", str(path), str(utc), kind]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
            assert process.stdout is not None
            lines = [process.stdout.readline() for _ in range(rng.randrange(1, 250))]
            time.sleep(rng.random() / 100)  # at any moment between two lines, too
            process.kill()
            lines += [line for line in process.stdout if line.endswith("\n")]
        added = [float(line.split()[1]) for line in lines]
        try:
            written = marks(path)
            with LogReader(path) as reader:
                found = [it for it in reader.sessions() if it.start == utc]
                heard = round(100 * (found[0].end - utc)) if found else -1
                written = (
                    [int(it.text or "") for it in reader.records(found[0].id) if it.kind == "mark"] if found else []
                )
                stretches = [it for it in reader.records(found[0].id) if it.kind == "segment"] if found else []
        except (LogError, sqlite3.OperationalError):  # not begun yet
            assert added[-1] - added[0] <= 1
            continue
        assert written == list(range(0, 20 * len(written), 20))
        missing = added[heard + 1 :]
        if not is_steady:
            missing += [added[number] for number in range(20 * len(written), len(added), 20)]
        assert not missing or added[-1] - min(missing) <= 1
        assert all(one.end == other.start for one, other in itertools.pairwise(stretches))
        assert not stretches or round(100 * (stretches[-1].end - utc)) == heard


@pytest.mark.slow
def test_a_full_disk_is_told_and_nothing_is_lost_when_there_is_room_again(disk: Path, warnings: Warnings) -> None:
    """On a full disk one line says so, once, and what waited is written when there is room again."""
    path, ballast = disk / "sessions.db", disk / "ballast"
    session_log = SessionLog(path, retry_seconds=(0.05,))
    session_log.add(hello())
    session_log.add(Mark(0.0, "0"))
    assert session_log.flush(10)
    fill_up(ballast)
    count = 1
    while session_log.fault is None:  # what SQLite has set aside already may still be written
        for _ in range(100):
            session_log.add(Mark(float(count), str(count)))
            count += 1
        session_log.flush(1)
        assert count < MAX_BACKLOG
    told = warnings.next()
    assert told == session_log.fault
    assert told == f"session log {path} is not written: the disk is full: free some space; labels go on"
    for _ in range(3):
        session_log.add(label(float(count), 0.0, "flute"))
        assert not session_log.flush(0.1)  # several attempts
    with LogReader(path) as reader:  # what is there can be read
        assert next(it.text for it in reader.records()) == "0"
    ballast.unlink()
    assert warnings.next() == f"session log {path} is written again"
    assert session_log.flush(10)
    assert (session_log.fault, session_log.missed) == (None, 0)
    assert session_log.close(10)
    assert marks(path) == list(range(count))


def test_a_disk_that_was_full_from_the_start_is_taken_up(disk: Path, warnings: Warnings) -> None:
    """A log that could not even be begun is begun when there is room."""
    fill_up(disk / "ballast")
    session_log = SessionLog(disk / "sessions.db", retry_seconds=(0.05,))
    session_log.add(hello())
    session_log.add(Mark(0.0, "0"))
    assert "the disk is full" in warnings.next()
    (disk / "ballast").unlink()
    assert "is written again" in warnings.next()
    assert session_log.close(10)
    assert marks(disk / "sessions.db") == [0]


def test_what_waits_for_the_disk_is_bounded_and_what_is_lost_is_counted(disk: Path, warnings: Warnings) -> None:
    """During a long fault the newest events are kept, and a line says how many are lacking."""
    subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
    path = disk / "sessions.db"
    session_log = SessionLog(path, retry_seconds=(0.05,))
    session_log.add(hello())
    told = warnings.next()
    assert "it is read-only: mount the disk for writing" in told
    for number in range(MAX_BACKLOG + 100):
        session_log.add(Mark(float(number), str(number)))
    deadline = time.monotonic() + PATIENCE
    while session_log.missed != 100 and time.monotonic() < deadline:  # the writer may be trying with some of them
        time.sleep(0.01)
    assert session_log.missed == 100
    subprocess.run(["mount", "-o", "remount,rw", disk], check=True)
    assert "is written again" in warnings.next()
    assert warnings.next() == f"session log {path}: events lost: 100"
    assert session_log.close(10)
    assert marks(path) == list(range(100, MAX_BACKLOG + 100))


def test_closing_does_not_wait_for_a_disk(disk: Path, warnings: Warnings) -> None:
    """What cannot be written at the end is given up, and counted."""
    subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
    session_log = SessionLog(disk / "sessions.db", retry_seconds=(3600.0,))
    session_log.add(hello())
    assert "read-only" in warnings.next()
    session_log.add(Mark(0.0, "0"))
    assert not session_log.close(10)
    assert warnings.next().endswith("events lost: 1")


@pytest.mark.skipif(os.getuid() != 0, reason="takes another user's place, which only root may")
def test_other_users_may_read_and_not_write() -> None:
    """Who may not write the folder reads the log while it is written and after, and is told that he may not write."""
    code = (
        "import os, sys; from stream.session_log.reader import LogReader\n"
        "from stream.session_log.session_log import SessionLog\n"
        "os.setgroups([]); os.setgid(65534); os.setuid(65534)\n"
        "with LogReader(sys.argv[1]) as reader: print(*(it.text for it in reader.records()))\n"
        "session_log = SessionLog(sys.argv[1]); session_log.flush(5); print(session_log.fault)\n"
    )
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        os.chmod(folder, 0o755)
        path = Path(folder) / "sessions.db"
        session_log = SessionLog(path)
        session_log.add(hello())
        session_log.add(Mark(0.0, "0"))
        assert session_log.flush(10)
        for number in ("while", "after"):
            done = subprocess.run([sys.executable, "-c", code, path], cwd=ROOT, capture_output=True, text=True)
            assert done.stdout.splitlines()[0] == "0", (number, done.stderr)
            assert "Soloist may not write it: give its user the rights" in done.stdout
            assert session_log.close(10)


def test_a_log_that_was_moved_away_is_begun_anew(tmp_path: Path) -> None:
    """Whoever moves the file takes what was written with it."""
    path = tmp_path / "sessions.db"
    session_log = SessionLog(path)
    session_log.add(hello())
    session_log.add(Mark(0.0, "0"))
    assert session_log.flush(10)
    path.rename(tmp_path / "taken.db")
    session_log.add(Mark(1.0, "1"))
    assert session_log.close(10)
    assert marks(path) == [1]
    assert marks(tmp_path / "taken.db") == [0]


def test_a_reader_that_stays_for_too_long_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A program that keeps a snapshot open cannot make the log grow without bound."""
    monkeypatch.setattr("stream.session_log.store._MAX_WAL_BYTES", 500_000)
    path = tmp_path / "sessions.db"
    store = LogStore(path)
    store.write([mark(0)])
    reader = sqlite3.connect(path, isolation_level=None)
    reader.execute("BEGIN")
    assert reader.execute("SELECT count(*) FROM event").fetchone() == (1,)
    written = 1

    def go_on() -> None:
        nonlocal written
        for number in range(1, 1000):
            store.write([mark(number)])
            written += 1

    with pytest.raises(LogError, match="a program has been reading it for too long"):
        go_on()
    assert store.file.wal_bytes < 520_000
    reader.close()
    store.write([mark(written)])
    assert store.file.wal_bytes < 20_000
    store.close()
    assert marks(path) == list(range(written + 1))


def test_another_program_that_writes_is_told_of(tmp_path: Path, warnings: Warnings) -> None:
    """Somebody's transaction is waited for."""
    path = tmp_path / "sessions.db"
    session_log = SessionLog(path, retry_seconds=(0.05,))
    session_log.add(hello())
    assert session_log.flush(10)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    session_log.add(Mark(0.0, "0"))
    assert "another program is writing into it: end that program" in warnings.next()
    other.execute("ROLLBACK")
    other.close()
    assert "is written again" in warnings.next()
    assert session_log.close(10)
    assert marks(path) == [0]


def _other_program(path: Path) -> None:
    db = sqlite3.connect(path)
    db.execute("CREATE TABLE places (name TEXT)")
    db.close()


def _random_bytes(path: Path) -> None:
    path.write_bytes(random.Random(1).randbytes(20_000))


def _cut(path: Path) -> None:
    _log_of(path, 2000)
    os.truncate(path, 30_000)


def _other_table(path: Path) -> None:
    _log_of(path, 3)
    db = sqlite3.connect(path)
    db.execute("ALTER TABLE event RENAME COLUMN text TO words")
    db.close()


def _log_of(path: Path, count: int) -> None:
    store = LogStore(path)
    store.write([mark(number) for number in range(count)])
    store.close()


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (_other_program, "it is not a session log"),
        (_random_bytes, "file is not a database"),
        (_cut, "malformed"),
        (_other_table, "it is damaged"),
    ],
)
def test_a_file_that_cannot_be_used_is_set_aside(
    tmp_path: Path, warnings: Warnings, spoil: object, reason: str
) -> None:
    """One line says where it is now, its bytes are kept, and a new log is begun."""
    path = tmp_path / "sessions.db"
    assert callable(spoil)
    spoil(path)
    before = path.read_bytes()
    session_log = SessionLog(path)
    session_log.add(hello())
    session_log.add(Mark(7.0, "7"))
    assert session_log.close(10)
    told = warnings.next()
    assert reason in told
    assert f"It is kept as {path}.aside-1, and a new one begun" in told
    assert session_log.fault is None
    kept = Path(f"{path}.aside-1").read_bytes()
    assert kept[100:] == before[100:]  # in its header SQLite counts changes, and notes that it uses a write-ahead log
    assert marks(path) == [7]


def test_a_log_of_a_later_version_is_left_alone(tmp_path: Path, warnings: Warnings) -> None:
    """It is neither read nor written nor put aside; one line says so, and nothing of it is changed."""
    path = tmp_path / "sessions.db"
    _log_of(path, 3)
    with contextlib.closing(sqlite3.connect(path)) as db:
        db.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
    before = path.read_bytes()
    session_log = SessionLog(path)
    session_log.add(hello())
    session_log.add(Mark(7.0, "7"))
    theirs, ours = SCHEMA_VERSION + 1, SCHEMA_VERSION
    why = f"it is of a later Soloist: its version is {theirs}, and this one knows those up to {ours}"
    assert warnings.next() == (
        f"session log {path} is not written: {why}; name another file, or install that Soloist; labels go on"
    )
    assert not session_log.close(10)
    with pytest.raises(LogError, match=f"session log {path} cannot be read: {why}"), LogReader(path):
        pass
    assert path.read_bytes() == before
    assert not list(tmp_path.glob("*.aside*"))


def test_damage_that_shows_while_it_is_written_costs_nothing_new(tmp_path: Path) -> None:
    """Pages that a card loses while the log is open are found, and what is written then is in a new log."""
    path = tmp_path / "sessions.db"
    store = LogStore(path, max_bytes=MIN_BYTES)
    for first in range(0, 20_000, 250):
        store.write([mark(number) for number in range(first, first + 250)])
    with contextlib.closing(sqlite3.connect(path)) as other:
        other.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(random.Random(1).randbytes(path.stat().st_size - 4096))
    written = 20_000
    while store.file.quarantined is None:  # some pages are in memory still
        store.write([mark(written)])
        written += 1
        assert written < 25_000
    store.close()
    assert marks(path) == [written - 1]


def test_after_a_few_damaged_files_somebody_has_to_look(tmp_path: Path, warnings: Warnings) -> None:
    """Files that were set aside do not fill the disk one after the other."""
    path = tmp_path / "sessions.db"
    for number in range(1, 6):
        path.write_bytes(b"?" * 1000)
        store = LogStore(path)
        store.write([mark(number)])
        store.close()
    path.write_bytes(b"?" * 1000)
    session_log = SessionLog(path, retry_seconds=(0.05,))
    assert "look at the disk, and take the files away" in warnings.next()
    session_log.add(hello())
    session_log.add(Mark(6.0, "6"))
    for number in range(1, 6):
        Path(f"{path}.aside-{number}").unlink()
    assert "a new one begun" in warnings.next()
    assert "is written again" in warnings.next()
    assert session_log.close(10)
    assert marks(path) == [6]


def test_what_is_no_file_is_left_alone(tmp_path: Path, warnings: Warnings) -> None:
    """A folder, a device or a pipe of that name is not touched."""
    os.mkfifo(tmp_path / "pipe")
    session_log = SessionLog(tmp_path / "pipe")
    assert "it is not a file: name another one" in warnings.next()
    assert not session_log.close(10) or session_log.fault is not None
    assert (tmp_path / "pipe").is_fifo()


@pytest.fixture(scope="module")
def whole() -> Iterator[Path]:
    """A log with a write-ahead log, as a kill leaves it."""
    folder = Path(tempfile.mkdtemp(prefix="soloist-log-"))
    store = LogStore(folder / "open.db")
    for first in range(0, 3000, 250):
        store.write([mark(number) for number in range(first, first + 250)])
    for ending in ("", "-wal"):
        shutil.copy(f"{folder / 'open.db'}{ending}", f"{folder / 'sessions.db'}{ending}")
    store.close()
    yield folder / "sessions.db"
    shutil.rmtree(folder)


_damage = st.lists(
    st.tuples(st.sampled_from(["", "-wal"]), st.floats(0, 1, exclude_max=True), st.binary(min_size=1, max_size=200)),
    max_size=6,
)


@settings(max_examples=int(os.environ.get("SOLOIST_TEST_DAMAGES", "40")), deadline=None)
@given(damage=_damage, cuts=st.tuples(st.none() | st.floats(0, 1), st.none() | st.floats(0, 1)))
@example(damage=[("", 0.11017983658959941, b"\x80"), ("-wal", 0.0, b"\x00")], cuts=(None, None))  # in a table's SQL
def test_no_damage_keeps_new_events_from_being_written_and_read(
    whole: Path, damage: list[tuple[str, float, bytes]], cuts: tuple[float | None, float | None]
) -> None:
    """Whatever the bytes of the files are, what comes is written, and the log can be read."""
    with tempfile.TemporaryDirectory(prefix="soloist-damage-") as folder:
        path = Path(folder) / "sessions.db"
        for ending, cut in zip(("", "-wal"), cuts, strict=True):
            content = bytearray(Path(f"{whole}{ending}").read_bytes())
            for where, at, new in damage:
                if where == ending:
                    offset = int(at * len(content))
                    content[offset : offset + len(new)] = new[: len(content) - offset]
            Path(f"{path}{ending}").write_bytes(content[: None if cut is None else int(cut * len(content))])
        session_log = SessionLog(path)
        with contextlib.suppress(LogError), LogReader(path) as reader:
            list(reader.records(since=UTC - 3600))
        session_log.add(hello(UTC + 10_000))
        session_log.add(Mark(7.0, "new"))
        assert session_log.close(20)
        assert (session_log.fault, session_log.missed) == (None, 0)
        with LogReader(path) as reader:
            assert [it.text for it in reader.records(since=UTC + 10_000)] == ["new"]


def test_adding_returns_at_once_while_the_disk_hangs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that does not answer holds up the thread that writes, and nobody else."""
    import threading

    stuck, free = threading.Event(), threading.Event()

    def hang(*_: object) -> None:
        stuck.set()
        free.wait(30)

    session_log = SessionLog(tmp_path / "sessions.db")
    session_log.add(hello())
    assert session_log.flush(10)
    monkeypatch.setattr(session_log._writer._store, "write", hang)
    session_log.add(Mark(0.0, "0"))
    assert stuck.wait(10)
    for number in range(2 * MAX_BACKLOG):
        session_log.add(Mark(float(number), str(number)))
        session_log.add(Label(0, float(number), "silence", None, 0.0, 0.0, {}, {}, -120.0, -120.0))
    assert session_log.missed > 0
    assert not session_log.close(0.01)
    free.set()
