"""Standard error: silence for C libraries that talk there whatever happens, and a voice for ourselves."""

from __future__ import annotations

import contextlib
import io
import os
import sys
import threading
from collections.abc import Iterator
from typing import Any

_lock = threading.Lock()
_inside = 0
_saved = -1
_parted = False


@contextlib.contextmanager
def quiet_stderr() -> Iterator[None]:
    """Send what is written to file descriptor 2 nowhere; in any thread, and in several at once.

    ALSA, PortAudio and XNNPACK explain themselves there at length where one line of ours says all. What they say is
    told by return codes, too, so nothing is hidden.
    """
    if _parted:  # it is so all the time
        yield
        return
    _enter()
    try:
        yield
    finally:
        _leave()


def part_stderr() -> None:
    """Silence libraries for the rest of the process, and give Python a way to standard error of its own.

    They speak from threads of theirs, too, whenever they like, and one that hangs is not to keep us from being heard.
    What Python writes, its warnings and its trace of a crash included, goes where it went. Where it cannot be written,
    on a disk that is full or to somebody who has gone, it is lost: that is no reason to end.
    """
    global _parted
    with _lock:
        if _parted:
            return
        _parted = True
        nowhere = os.open(os.devnull, os.O_WRONLY)
        encoding = "utf-8"
        try:
            own = os.dup(sys.stderr.fileno())
            encoding = sys.stderr.encoding
        except (AttributeError, OSError, ValueError):  # closed by whoever started us
            own = os.dup(nowhere)
        with contextlib.suppress(AttributeError, OSError, ValueError):
            sys.stderr.flush()
        os.dup2(nowhere, 2)
        if nowhere != 2:
            os.close(nowhere)
        out = io.BufferedWriter(_Own(own, "w"))
        sys.stderr = io.TextIOWrapper(out, encoding=encoding, errors="backslashreplace", line_buffering=True)


class _Own(io.FileIO):
    """A file of which writing never fails."""

    def write(self, data: Any) -> int:
        """Write, or lose, all of it or a part of it; return how many bytes are done with."""
        with contextlib.suppress(OSError):
            written: int | None = super().write(data)
            if written is not None:
                return written
        return memoryview(data).nbytes


def _enter() -> None:
    global _inside, _saved
    with _lock:
        _inside += 1
        if _inside > 1:
            return
        with contextlib.suppress(AttributeError, OSError, ValueError):  # there is none, or it cannot be written
            sys.stderr.flush()
        try:
            _saved = os.dup(2)
        except OSError:  # closed by whoever started us
            _saved = -1
            return
        with open(os.devnull, "wb") as nowhere:
            os.dup2(nowhere.fileno(), 2)


def _leave() -> None:
    global _inside
    with _lock:
        _inside -= 1
        if not _inside and _saved >= 0:
            os.dup2(_saved, 2)
            os.close(_saved)
