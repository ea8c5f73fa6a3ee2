"""Silence for C libraries that talk to standard error whatever happens."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_lock = threading.Lock()
_inside = 0
_saved = -1


@contextmanager
def quiet_stderr() -> Iterator[None]:
    """Send what is written to file descriptor 2 nowhere; in any thread, and in several at once.

    ALSA, PortAudio and XNNPACK explain themselves there at length where one line of ours says all. What they say is
    told by return codes, too, so nothing is hidden.
    """
    _enter()
    try:
        yield
    finally:
        _leave()


def part_stderr() -> None:
    """Give Python a way to standard error of its own, which is not silenced with that of the libraries.

    For a library may hang, and what we have to say about that is to be read.
    """
    if sys.stderr is None:
        return
    sys.stderr.flush()
    try:
        own = os.dup(sys.stderr.fileno())
    except OSError:  # closed by whoever started us
        return
    sys.stderr = open(own, "w", buffering=1, encoding=sys.stderr.encoding, errors=sys.stderr.errors)  # noqa: SIM115


def _enter() -> None:
    global _inside, _saved
    with _lock:
        _inside += 1
        if _inside > 1:
            return
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
