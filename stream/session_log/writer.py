"""The thread that writes the session log, and tries again while it cannot."""

from __future__ import annotations

import errno
import logging
import math
import sqlite3
import threading
from collections import deque
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from stream.session_log.database import is_transient
from stream.session_log.store import DEFAULT_MAX_BYTES, DEFAULT_MAX_DAYS, LogEntry, LogStore, Progress
from stream.system import clock

MAX_BACKLOG: Final = 4096
"""Events that wait for the disk at the most: an hour of a busy stage, 2 MB."""
RETRY_SECONDS: Final = (1.0, 2.0, 5.0, 10.0, 20.0)
"""From one attempt to the next while the log cannot be written."""

# Together with the time that the disk takes, less than a second.
_BATCH_SECONDS: Final = 0.2  # an event waits so long for others: they share a write
_PROGRESS_SECONDS: Final = 0.5  # and progress waits so long
_CHECKPOINT_SECONDS: Final = 10.0  # after so long the file itself has it, not only its write-ahead log
_BATCH: Final = 256  # events in one transaction
_MESSAGES: Final[Mapping[int, str]] = {
    errno.ENOSPC: "the disk is full: free some space",
    errno.EDQUOT: "the quota is used up: free some space",
    errno.EFBIG: "files may not become that large: raise the limit, or lower that of the log",
    errno.EROFS: "it is read-only: mount the disk for writing; if it was, the disk may be failing",
    errno.EACCES: "Soloist may not write it: give its user the rights to the file and the folder",
    errno.EIO: "the disk does not work: look at it and its cable",
    errno.ENOTDIR: "a file is where its folder should be: name another one",
}
_ERRNO_OF_SQLITE: Final[Mapping[int, int]] = {
    sqlite3.SQLITE_FULL: errno.ENOSPC,
    sqlite3.SQLITE_READONLY: errno.EROFS,
    sqlite3.SQLITE_CANTOPEN: errno.EACCES,
    sqlite3.SQLITE_PERM: errno.EACCES,
    sqlite3.SQLITE_IOERR: errno.EIO,
}

_log = logging.getLogger(__name__)


class LogWriter:
    """Writes entries from a thread of its own, in the order in which they are put.

    `put` and `update_progress` return at once, whatever the disk does.

    Parameters
    ----------
    path : Path
    max_days : float
        See `LogStore`.
    max_bytes : int
        See `LogStore`.
    retry_seconds : sequence of float
        From one attempt to the next while the log cannot be written. The last one is repeated.
    """

    def __init__(
        self,
        path: Path,
        max_days: float = DEFAULT_MAX_DAYS,
        max_bytes: int = DEFAULT_MAX_BYTES,
        retry_seconds: Sequence[float] = RETRY_SECONDS,
    ) -> None:
        self.fault: str | None = None
        """Why nothing is written now and what to do about it, in one line; None while all is well."""
        self.written = 0
        """Entries that are on the disk."""
        self.missed = 0
        """Entries that are lost, because the log could not be written for too long."""
        self._path = path
        self._store = LogStore(path, max_days, max_bytes)
        self._retry_seconds = retry_seconds
        self._logged_missed = 0
        self._checkpointed_at = -math.inf
        self._needs_checkpoint = False  # whether something was written since
        self._condition = threading.Condition()  # guards what follows
        self._entries: deque[LogEntry] = deque()
        self._progress: Progress | None = None
        self._writing = False
        self._flushing = False
        self._closing = False
        self._ended = False
        threading.Thread(target=self._run, name="session log", daemon=True).start()

    def put(self, entry: LogEntry) -> None:
        """Queue an entry. If too many wait already, the oldest one is lost."""
        with self._condition:
            self._entries.append(entry)
            if len(self._entries) in (1, _BATCH):  # the thread waits for these alone
                self._condition.notify_all()
            self._drop_oldest()

    def update_progress(self, progress: Progress) -> None:
        """Queue how far a session was heard; only the newest is written."""
        with self._condition:
            if self._progress is None:
                self._condition.notify_all()
            self._progress = progress

    def flush(self, timeout: float) -> bool:
        """Wait until everything is written, at most some seconds, and return whether it is."""
        with self._condition:
            self._flushing = True
            self._condition.notify_all()
            done = self._condition.wait_for(lambda: self._is_done, timeout)
            self._flushing = False
            return done

    def close(self, timeout: float) -> bool:
        """Write what is left, as far as it goes in some seconds, and return whether it is written."""
        with self._condition:
            self._closing = True
            self._condition.notify_all()
            # The thread is a daemon: a disk that hangs does not keep the process.
            self._condition.wait_for(lambda: self._ended, timeout)
            return self._is_done

    @property
    def _is_done(self) -> bool:
        return not (self._entries or self._progress or self._writing)

    def _run(self) -> None:
        delays = iter(self._retry_seconds)
        while True:
            # The first time perhaps without entries, which opens the log: so a fault is known early.
            entries, progress, is_last = self._take()
            try:
                self._store.write(entries, progress)
            except Exception as error:
                self._store.close()
                self._on_failed(error, entries, progress)
                if is_last:
                    break
                with self._condition:
                    self._condition.wait_for(lambda: self._closing, next(delays, self._retry_seconds[-1]))
            else:
                self._on_written(entries)
                delays = iter(self._retry_seconds)
                self._needs_checkpoint |= bool(entries) or (progress is not None and progress.durable)
                if self._needs_checkpoint:
                    self._checkpoint_when_due()
                if not self._wait():
                    break
        self._store.close()
        with self._condition:
            self._ended = True
            self.missed += len(self._entries)
            self._condition.notify_all()
        self._log_missed()

    def _take(self) -> tuple[list[LogEntry], Progress | None, bool]:
        """Take one batch, and whether it is the last attempt."""
        with self._condition:
            entries = [self._entries.popleft() for _ in range(min(_BATCH, len(self._entries)))]
            progress = None
            if not self._entries:  # or it would come before them
                progress, self._progress = self._progress, None
            self._writing = True
            return entries, progress, self._closing

    def _checkpoint_when_due(self) -> None:
        """Checkpoint if it is time for it, or will be before there is more to write."""
        rest = self._checkpointed_at + _CHECKPOINT_SECONDS - clock.now()
        if rest > 0:
            with self._condition:
                self._writing = False
                self._condition.notify_all()
                if self._condition.wait_for(lambda: self._entries or self._progress or self._closing, rest):
                    return
        self._store.checkpoint()
        self._checkpointed_at, self._needs_checkpoint = clock.now(), False

    def _wait(self) -> bool:
        """Wait until there is something to write; False when there will not be any more."""
        with self._condition:
            self._writing = False
            self._condition.notify_all()
            self._condition.wait_for(lambda: self._entries or self._progress or self._closing)
            if not self._entries:
                self._condition.wait_for(lambda: self._entries or self._flushing or self._closing, _PROGRESS_SECONDS)
            if self._entries:
                self._condition.wait_for(
                    lambda: len(self._entries) >= _BATCH or self._flushing or self._closing, _BATCH_SECONDS
                )
            return not (self._closing and self._is_done)

    def _on_written(self, entries: Sequence[LogEntry]) -> None:
        self.written += len(entries)
        file = self._store.file
        if file.quarantined is not None:
            text = "session log %s cannot be used: %s. It is kept as %s, and a new one begun"
            _log.warning(text, self._path, file.quarantine_reason, file.quarantined)
            file.quarantined = None
        if self.fault is not None:
            self.fault = None
            _log.warning("session log %s is written again", self._path)
            self._log_missed()

    def _on_failed(self, error: Exception, entries: Sequence[LogEntry], progress: Progress | None) -> None:
        fault = f"session log {self._path} is not written: {_describe_fault(error)}; labels go on"
        if fault != self.fault:
            _log.warning("%s", fault)
        self.fault = fault
        is_kept = is_transient(error)
        if not is_kept:
            _log.error("session log %s: this should not happen", self._path, exc_info=error)
        with self._condition:
            self._writing = False
            if is_kept:
                self._entries.extendleft(reversed(entries))
                self._progress = self._progress or progress
                self._drop_oldest()
            else:  # trying again would be for ever
                self.missed += len(entries)
            self._condition.notify_all()

    def _drop_oldest(self) -> None:
        while len(self._entries) > MAX_BACKLOG:
            self._entries.popleft()
            self.missed += 1

    def _log_missed(self) -> None:
        if self.missed > self._logged_missed:
            _log.warning("session log %s: events lost: %d", self._path, self.missed - self._logged_missed)
            self._logged_missed = self.missed


def _describe_fault(error: Exception) -> str:
    """Describe a fault and its remedy in words for whoever installed the service."""
    code = error.errno if isinstance(error, OSError) else getattr(error, "sqlite_errorcode", None)
    if isinstance(error, sqlite3.Error) and code is not None:
        if code & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            return "another program is writing into it: end that program"
        code = _ERRNO_OF_SQLITE.get(code & 0xFF)
    return _MESSAGES.get(code or 0, str(error))
