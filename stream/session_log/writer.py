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

from stream.session_log.database import may_pass
from stream.session_log.store import BYTES, DAYS, Entry, Logbook, Pulse
from stream.system import clock

BACKLOG: Final = 4096
"""Events that wait for the disk at the most: an hour of a busy stage, 2 MB."""
RETRY_SECONDS: Final = (1.0, 2.0, 5.0, 10.0, 20.0)
"""From one attempt to the next while the log cannot be written."""

# Together with the time that the disk takes, less than a second.
_GATHER_SECONDS: Final = 0.2  # an event waits so long for others: they share a write
_PULSE_SECONDS: Final = 0.5  # and so long does the news that the same is still heard
_CARRY_SECONDS: Final = 10.0  # after so long the file itself has it, not only its write-ahead log
_CHUNK: Final = 256  # events in one transaction
_ADVICE: Final[Mapping[int, str]] = {
    errno.ENOSPC: "the disk is full: free some space",
    errno.EDQUOT: "the quota is used up: free some space",
    errno.EFBIG: "files may not become that large: raise the limit, or lower that of the log",
    errno.EROFS: "it is read-only: mount the disk for writing; if it was, the disk may be failing",
    errno.EACCES: "Soloist may not write it: give its user the rights to the file and the folder",
    errno.EIO: "the disk does not work: look at it and its cable",
    errno.ENOTDIR: "a file is where its folder should be: name another one",
}
_MEANING: Final[Mapping[int, int]] = {
    sqlite3.SQLITE_FULL: errno.ENOSPC,
    sqlite3.SQLITE_READONLY: errno.EROFS,
    sqlite3.SQLITE_CANTOPEN: errno.EACCES,
    sqlite3.SQLITE_PERM: errno.EACCES,
    sqlite3.SQLITE_IOERR: errno.EIO,
}

_log = logging.getLogger(__name__)


class Scribe:
    """Writes down entries in the order in which they are put.

    `put` and `beat` return at once, whatever the disk does.

    Parameters
    ----------
    path : Path
    max_days : float
        See `Logbook`.
    max_bytes : int
        See `Logbook`.
    retry_seconds : sequence of float
        From one attempt to the next while the log cannot be written. The last one is repeated.
    """

    def __init__(
        self,
        path: Path,
        max_days: float = DAYS,
        max_bytes: int = BYTES,
        retry_seconds: Sequence[float] = RETRY_SECONDS,
    ) -> None:
        self.fault: str | None = None
        """Why nothing is written now and what to do about it, in one line."""
        self.written = 0
        """Entries that are on the disk."""
        self.missed = 0
        """Entries that are lost, because the log could not be written for too long."""
        self._path = path
        self._logbook = Logbook(path, max_days, max_bytes)
        self._retry_seconds = retry_seconds
        self._told_missed = 0
        self._carried = -math.inf  # when the file itself had it all
        self._is_ahead = False  # whether there is news that it has not
        self._wake = threading.Condition()  # guards what follows
        self._entries: deque[Entry] = deque()
        self._pulse: Pulse | None = None
        self._writing = False
        self._hurry = False
        self._closing = False
        self._has_ended = False
        threading.Thread(target=self._run, name="scribe", daemon=True).start()

    def put(self, entry: Entry) -> None:
        """Write down an entry soon. If too many wait already, the oldest one is lost."""
        with self._wake:
            self._entries.append(entry)
            if len(self._entries) in (1, _CHUNK):  # the thread waits for these alone
                self._wake.notify_all()
            self._trim()

    def beat(self, pulse: Pulse) -> None:
        """Write down how far a stream was heard, soon; only the newest counts."""
        with self._wake:
            if self._pulse is None:
                self._wake.notify_all()
            self._pulse = pulse

    def flush(self, timeout: float) -> bool:
        """Wait until everything is written, at most some seconds, and tell whether it is."""
        with self._wake:
            self._hurry = True
            self._wake.notify_all()
            done = self._wake.wait_for(lambda: self._is_done, timeout)
            self._hurry = False
            return done

    def close(self, timeout: float) -> bool:
        """Write what is left, as far as it goes in some seconds, and tell whether it is written."""
        with self._wake:
            self._closing = True
            self._wake.notify_all()
            # The thread is a daemon: a disk that hangs does not keep the process.
            self._wake.wait_for(lambda: self._has_ended, timeout)
            return self._is_done

    @property
    def _is_done(self) -> bool:
        return not (self._entries or self._pulse or self._writing)

    def _run(self) -> None:
        delays = iter(self._retry_seconds)
        while True:
            # First with nothing, perhaps, which opens the log: so a fault is known early.
            entries, pulse, is_last = self._take()
            try:
                self._logbook.write(entries, pulse)
            except Exception as error:
                self._logbook.close()
                self._fail(error, entries, pulse)
                if is_last:
                    break
                with self._wake:
                    self._wake.wait_for(lambda: self._closing, next(delays, self._retry_seconds[-1]))
            else:
                self._succeed(entries)
                delays = iter(self._retry_seconds)
                self._is_ahead |= bool(entries) or (pulse is not None and pulse.lasting)
                if self._is_ahead:
                    self._carry_over()
                if not self._wait():
                    break
        self._logbook.close()
        with self._wake:
            self._has_ended = True
            self.missed += len(self._entries)
            self._wake.notify_all()
        self._tell_missed()

    def _take(self) -> tuple[list[Entry], Pulse | None, bool]:
        """Take what is to be written at once, and tell whether there is time for one attempt only."""
        with self._wake:
            entries = [self._entries.popleft() for _ in range(min(_CHUNK, len(self._entries)))]
            pulse = None
            if not self._entries:  # or it would come before them
                pulse, self._pulse = self._pulse, None
            self._writing = True
            return entries, pulse, self._closing

    def _carry_over(self) -> None:
        """Have the file itself hold all, if it is time for it, or will be before there is more to write."""
        rest = self._carried + _CARRY_SECONDS - clock.now()
        if rest > 0:
            with self._wake:
                self._writing = False
                self._wake.notify_all()
                if self._wake.wait_for(lambda: self._entries or self._pulse or self._closing, rest):
                    return
        self._logbook.carry_over()
        self._carried, self._is_ahead = clock.now(), False

    def _wait(self) -> bool:
        """Wait until there is something to write, and tell whether there will be."""
        with self._wake:
            self._writing = False
            self._wake.notify_all()
            self._wake.wait_for(lambda: self._entries or self._pulse or self._closing)
            if not self._entries:
                self._wake.wait_for(lambda: self._entries or self._hurry or self._closing, _PULSE_SECONDS)
            if self._entries:
                self._wake.wait_for(
                    lambda: len(self._entries) >= _CHUNK or self._hurry or self._closing, _GATHER_SECONDS
                )
            return not (self._closing and self._is_done)

    def _succeed(self, entries: Sequence[Entry]) -> None:
        self.written += len(entries)
        file = self._logbook.file
        if file.aside is not None:
            what = "session log %s cannot be used: %s. It is kept as %s, and a new one begun"
            _log.warning(what, self._path, file.reason, file.aside)
            file.aside = None
        if self.fault is not None:
            self.fault = None
            _log.warning("session log %s is written again", self._path)
            self._tell_missed()

    def _fail(self, error: Exception, entries: Sequence[Entry], pulse: Pulse | None) -> None:
        fault = f"session log {self._path} is not written: {_explain(error)}; labels go on"
        if fault != self.fault:
            _log.warning("%s", fault)
        self.fault = fault
        is_kept = may_pass(error)
        if not is_kept:
            _log.error("session log %s: this should not happen", self._path, exc_info=error)
        with self._wake:
            self._writing = False
            if is_kept:
                self._entries.extendleft(reversed(entries))
                self._pulse = self._pulse or pulse
                self._trim()
            else:  # trying again would be for ever
                self.missed += len(entries)
            self._wake.notify_all()

    def _trim(self) -> None:
        while len(self._entries) > BACKLOG:
            self._entries.popleft()
            self.missed += 1

    def _tell_missed(self) -> None:
        if self.missed > self._told_missed:
            _log.warning("session log %s: events lost: %d", self._path, self.missed - self._told_missed)
            self._told_missed = self.missed


def _explain(error: Exception) -> str:
    """Say what is the matter and what to do, in words for who installed it."""
    code = error.errno if isinstance(error, OSError) else getattr(error, "sqlite_errorcode", None)
    if isinstance(error, sqlite3.Error) and code is not None:
        if code & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            return "another program is writing into it: end that program"
        code = _MEANING.get(code & 0xFF)
    return _ADVICE.get(code or 0, str(error))
