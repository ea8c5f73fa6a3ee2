"""The file beside a session log by which the services that write it know of each other."""

from __future__ import annotations

import contextlib
import fcntl
import os
import struct
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from stream.errors import LogError

_OPENING: Final = 0  # the byte that is locked by who opens the log; those after it by who writes the session of that id
_PATIENCE_SECONDS: Final = 10.0  # longer than another takes to look through the largest log on a small computer
_POLL_SECONDS: Final = 0.05
_FLOCK: Final = "@hhqqi0q"  # struct flock: l_type, l_whence, l_start, l_len, l_pid


class LockFile:
    """Locks that end with the process that holds them, however it ends.

    Versions 0.1 and 0.2 of Soloist lock the whole file for themselves: what they write nobody else may, and they write
    nothing that others do.

    Parameters
    ----------
    path : Path
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: int | None = None

    def open(self) -> None:
        """Make the file, if it is not there yet.

        Raises
        ------
        LogError
            When a Soloist of before writes the log.
        OSError
            When the circumstances do not allow it.
        """
        self.close()
        self._file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(self._file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            raise LogError("a Soloist of version 0.2 or before writes it: end that, or name another file") from None

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """Be the only one to open the log while the context lasts.

        Raises
        ------
        LogError
            When another takes too long for it.
        """
        until = time.monotonic() + _PATIENCE_SECONDS
        while not self._lock(_OPENING, fcntl.F_WRLCK):
            if time.monotonic() > until:
                raise LogError("another Soloist has been opening it for too long: end that")
            time.sleep(_POLL_SECONDS)
        try:
            yield
        finally:
            self._lock(_OPENING, fcntl.F_UNLCK)

    def hold(self, session: int) -> None:
        """Tell that a session goes on, until this is closed."""
        self._lock(_OPENING + session, fcntl.F_WRLCK)

    def is_held(self, session: int) -> bool:
        """Whether a session goes on: some other service tells so."""
        assert self._file is not None
        # To try would take it for a moment, in which that service might want it again.
        told = fcntl.fcntl(self._file, fcntl.F_OFD_GETLK, _request(_OPENING + session, fcntl.F_WRLCK))
        return bool(struct.unpack(_FLOCK, told)[0] != fcntl.F_UNLCK)

    def close(self) -> None:
        """Give all locks back."""
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def _lock(self, byte: int, kind: int) -> bool:
        """Lock a byte or unlock it; False where another has it."""
        assert self._file is not None
        # Of the open file, not of the process as `fcntl.lockf` has it: one process may write two logs.
        try:
            fcntl.fcntl(self._file, fcntl.F_OFD_SETLK, _request(byte, kind))
        except (BlockingIOError, PermissionError):  # systems differ in what they say
            return False
        return True


def _request(byte: int, kind: int) -> bytes:
    return struct.pack(_FLOCK, kind, os.SEEK_SET, byte, 1, 0)
