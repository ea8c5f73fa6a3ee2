"""Silence for C libraries that talk to standard error whatever happens."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def quiet_stderr() -> Iterator[None]:
    """Send what is written to file descriptor 2 nowhere.

    ALSA, PortAudio and XNNPACK explain themselves there at length where one line of ours says all. What they say is
    told by return codes, too, so nothing is hidden.
    """
    sys.stderr.flush()
    try:
        saved = os.dup(2)
    except OSError:  # closed by whoever started us
        yield
        return
    try:
        with open(os.devnull, "wb") as nowhere:
            os.dup2(nowhere.fileno(), 2)
        yield
    finally:
        os.dup2(saved, 2)
        os.close(saved)
