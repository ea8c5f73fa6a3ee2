"""Reading files that the user names: regular ones, and no longer than they can be."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path


def read(path: str | Path, most: int) -> bytes:
    """Read a file: not a pipe that nobody may ever write to, nor a device without an end.

    Parameters
    ----------
    path : str or path
    most : int
        Bytes that are read at the most. Who asks for one more than a file may have learns whether it is longer.

    Raises
    ------
    OSError
        When it cannot be read, or is no regular file; `strerror` says which.
    """
    try:
        with open(path, "rb", opener=_open) as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise OSError(errno.EINVAL, "not a file")
            return file.read(most)
    except ValueError as error:  # a name with a zero byte
        raise OSError(errno.EINVAL, str(error)) from error


def _open(path: str, flags: int) -> int:
    # Or opening a pipe would wait for somebody who writes.
    return os.open(path, flags | os.O_NONBLOCK)
