"""The session log after a power cut: what the disk was asked for, replayed up to a moment."""

from __future__ import annotations

import contextlib
import random
import re
import shutil
import subprocess
import sys
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from stream.session_log.store import LogEntry, LogStore, Progress
from tests.support.log_writing import SESSION, mark, marks

ROOT = Path(__file__).parents[2]
_SECTOR = 512
_CALL = re.compile(r"(\w+)\((.*)\)\s+= (\d+)")


@pytest.mark.parametrize("tail", ["cut", "zeros", "noise"])
def test_a_write_ahead_log_whose_end_is_missing_holds_a_prefix(tmp_path: Path, tail: str) -> None:
    """Wherever the write-ahead log breaks off, and whatever follows, the file is whole and holds the first events."""
    path = tmp_path / "sessions.db"
    store = LogStore(path)
    store.write([])
    for number in range(20):
        store.write([mark(number)])
    wal = Path(f"{path}-wal").read_bytes()
    rng = random.Random(1)
    seen = set()
    for length in sorted({*range(0, len(wal), 4999), *(rng.randrange(len(wal)) for _ in range(20)), len(wal)}):
        copy = tmp_path / f"{length}" / "copy.db"
        copy.parent.mkdir()
        shutil.copy(path, copy)
        rest = {"cut": b"", "zeros": bytes(len(wal) - length), "noise": rng.randbytes(len(wal) - length)}[tail]
        Path(f"{copy}-wal").write_bytes(wal[:length] + rest)
        with contextlib.closing(LogStore(copy)) as again:
            again.write([mark(100)])
            assert again.file.quarantined is None or not seen  # it was not even begun
        *found, last = marks(copy)
        assert (found, last) == (list(range(len(found))), 100)
        assert len(found) >= max(seen, default=0)
        seen.add(len(found))
    store.close()
    assert seen == set(range(21))


@dataclass
class _File:
    """A file of which a power cut leaves what was synchronised, and of the rest any part."""

    safe: bytearray = field(default_factory=bytearray)
    pending: list[tuple[int, bytes | None]] = field(default_factory=list)  # where and what; None cuts the file there

    def sync(self) -> None:
        for at, data in self.pending:
            _apply(self.safe, at, data)
        self.pending.clear()

    def after_a_cut(self, rng: random.Random) -> bytes:
        content = bytearray(self.safe)
        share = rng.choice([0.0, 0.5, 1.0])
        for at, data in self.pending:
            if data is None:
                if rng.random() < share:
                    _apply(content, at, None)
                continue
            for first in range(0, len(data), _SECTOR):
                if rng.random() < share:
                    _apply(content, at + first, data[first : first + _SECTOR])
        return bytes(content)


def _apply(content: bytearray, at: int, data: bytes | None) -> None:
    if data is None:
        del content[at:]
        content.extend(bytes(at - len(content)))
        return
    content.extend(bytes(max(0, at + len(data) - len(content))))
    content[at : at + len(data)] = data


def _bytes(text: str) -> bytes:
    return bytes.fromhex(text.strip('"').replace("\\x", ""))


def test_a_power_cut_leaves_everything_that_was_written(tmp_path: Path) -> None:
    """Cut off anywhere, with any part of what was not synchronised, the log holds what it had said is written."""
    if shutil.which("strace") is None:
        pytest.skip("needs strace, which tells what the disk is asked for")
    folder, trace = tmp_path / "disk", tmp_path / "trace"
    calls = "openat,close,write,pwrite64,ftruncate,fsync,fdatasync,unlink,unlinkat"
    done = subprocess.run(
        ["strace", "-xx", "-s", "100000", "-e", f"trace={calls}", "-o", trace,
         sys.executable, "-m", "tests.support.log_writing", "marks", folder / "sessions.db"],
        cwd=ROOT, capture_output=True, text=True,
    )  # fmt: skip
    if done.returncode:
        pytest.skip(f"strace may not trace here: {done.stderr[-200:]}")
    lines = [found.groups() for line in trace.read_text().splitlines() if (found := _CALL.match(line))]
    rng = random.Random(20261123)
    moments = set(rng.sample(range(len(lines)), 120))
    files: dict[str, _File] = defaultdict(_File)
    names: dict[str, str] = {}  # by file descriptor
    told = cuts = checkpoints = 0
    for moment, (call, arguments, result) in enumerate(lines):
        parts = arguments.split(", ")
        name = names.get(parts[0], "")
        if call == "openat":
            path = Path(_bytes(parts[1]).decode())
            names[result] = path.name if path.parent == folder else ""
        elif call == "write" and parts[0] == "1":
            told = int(_bytes(parts[1])) + 1
        elif call == "unlink":
            files.pop(Path(_bytes(parts[0]).decode()).name, None)
        elif name and call == "pwrite64":
            files[name].pending.append((int(parts[3]), _bytes(parts[1])))
        elif name and call == "ftruncate":
            files[name].pending.append((int(parts[1]), None))
        elif name and call in ("fsync", "fdatasync"):
            checkpoints += name == "sessions.db" and told > 0
            files[name].sync()
        if moment in moments and files:
            cuts += 1
            _check(tmp_path / f"cut-{moment}", files, told, rng)
    assert cuts > 50
    assert told == 150
    assert checkpoints >= 1


def _check(folder: Path, files: dict[str, _File], told: int, rng: random.Random) -> None:
    folder.mkdir()
    path = folder / "sessions.db"
    for name, file in files.items():
        (folder / name).write_bytes(file.after_a_cut(rng))
    store = LogStore(path)
    store.write([mark(1000)])
    store.close()
    assert told == 0 or store.file.quarantined is None
    *found, last = marks(path)
    assert (found, last) == (list(range(len(found))), 1000)
    assert len(found) >= told


def test_silence_does_not_wear_the_card(tmp_path: Path) -> None:
    """While it is silent nothing waits for the disk; while something is heard every write does."""
    store = LogStore(tmp_path / "sessions.db")
    store.write([LogEntry(SESSION, "segment", 0.0, None, "silence", None)])
    db = store._connection
    assert db is not None
    modes = []
    for progress in (
        Progress(SESSION, 1.0, 0.0, False),
        Progress(SESSION, 2.0, 0.5, True),
        Progress(SESSION, 3.0, 0.0, False),
    ):
        store.write([], progress)
        modes.append(db.execute("PRAGMA synchronous").fetchone()[0])
    store.write([mark(4)], Progress(SESSION, 4.0, 0.0, False))
    modes.append(db.execute("PRAGMA synchronous").fetchone()[0])
    store.close()
    assert modes == [1, 2, 1, 2]  # NORMAL and FULL
