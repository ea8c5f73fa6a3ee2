"""Standard error, kept free of what C libraries print there."""

from __future__ import annotations

import contextlib
import io
import os
import sys
import threading
from collections.abc import Iterator
from typing import Any

_lock = threading.Lock()
_depth = 0
_saved = -1
_reserved = False


@contextlib.contextmanager
def quiet_stderr() -> Iterator[None]:
    """Discard what is written to file descriptor 2; in any thread, and in several at once.

    ALSA, PortAudio and XNNPACK print pages there where one line of ours says all. Their return codes say the same, so
    nothing is hidden.
    """
    if _reserved:  # it is discarded all the time
        yield
        return
    _silence()
    try:
        yield
    finally:
        _restore()


@contextlib.contextmanager
def audible_stderr() -> Iterator[None]:
    """Let what Python writes go to standard error, also while another thread is within `quiet_stderr`."""
    before = sys.stderr
    try:
        before.flush()
        descriptor = os.dup(before.fileno())
    except (AttributeError, OSError, ValueError):  # it is closed, or leads to no file
        yield
        return
    out = io.BufferedWriter(_LossyOutput(descriptor, "w"))
    sys.stderr = io.TextIOWrapper(out, encoding=before.encoding, errors="backslashreplace", line_buffering=True)
    try:
        yield
    finally:
        sys.stderr.close()
        sys.stderr = before


def reserve_stderr() -> None:
    """Keep standard error for Python alone, for the rest of the process.

    C libraries print from threads of theirs at any time, and one that hangs inside `quiet_stderr` would silence us.
    What Python writes, its warnings and its trace of a crash included, goes where it went. Where it cannot be written,
    on a full disk or to a reader that has gone, it is lost: that is no reason to end.
    """
    global _reserved
    with _lock:
        if _reserved:
            return
        _reserved = True
        null = os.open(os.devnull, os.O_WRONLY)
        encoding = "utf-8"
        try:
            descriptor = os.dup(sys.stderr.fileno())
            encoding = sys.stderr.encoding
        except (AttributeError, OSError, ValueError):  # closed by whoever started us
            descriptor = os.dup(null)
        with contextlib.suppress(AttributeError, OSError, ValueError):
            sys.stderr.flush()
        os.dup2(null, 2)
        if null != 2:
            os.close(null)
        out = io.BufferedWriter(_LossyOutput(descriptor, "w"))
        sys.stderr = io.TextIOWrapper(out, encoding=encoding, errors="backslashreplace", line_buffering=True)


class _LossyOutput(io.FileIO):
    """A file whose failed writes are dropped."""

    def write(self, data: Any) -> int:
        """Write all or a part; what fails counts as written."""
        with contextlib.suppress(OSError):
            written: int | None = super().write(data)
            if written is not None:
                return written
        return memoryview(data).nbytes


def _silence() -> None:
    global _depth, _saved
    with _lock:
        _depth += 1
        if _depth > 1:
            return
        with contextlib.suppress(AttributeError, OSError, ValueError):  # there is none, or it cannot be written
            sys.stderr.flush()
        try:
            _saved = os.dup(2)
        except OSError:  # closed by whoever started us
            _saved = -1
            return
        with open(os.devnull, "wb") as null:
            os.dup2(null.fileno(), 2)


def _restore() -> None:
    global _depth
    with _lock:
        _depth -= 1
        if not _depth and _saved >= 0:
            os.dup2(_saved, 2)
            os.close(_saved)
