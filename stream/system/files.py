"""Files that the user names: read if they are regular ones and no longer than they can be, written whole or not."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path


def read_regular_file(path: str | Path, max_bytes: int) -> bytes:
    """Read a regular file: not a pipe that nobody may ever write to, nor a device without an end.

    Parameters
    ----------
    path : str or path
    max_bytes : int
        Bytes that are read at the most. Whoever asks for one more than a file may have learns whether it is longer.

    Raises
    ------
    OSError
        When it cannot be read, or is no regular file; `strerror` says which.
    """
    try:
        with open(path, "rb", opener=_open_without_waiting) as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise OSError(errno.EINVAL, "not a file")
            return file.read(max_bytes)
    except ValueError as error:  # a name with a zero byte
        raise OSError(errno.EINVAL, str(error)) from error


def _open_without_waiting(path: str, flags: int) -> int:
    # Opening a pipe would wait for somebody who writes into it.
    return os.open(path, flags | os.O_NONBLOCK)


def write_whole(path: Path, content: bytes) -> None:
    """Write a file whole or not at all, and the folders above it.

    Raises
    ------
    OSError
        When it cannot be written.
    """
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        part.write_bytes(content)
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


def is_pipe(path: str) -> bool:
    """Whether a path is that of a pipe, or ``-``: what comes through it can be read once, and onwards."""
    try:
        mode = os.stat(path).st_mode if path != "-" else stat.S_IFIFO
    except (OSError, ValueError):
        return False
    return stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)
