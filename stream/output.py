"""Standard output, which may be closed or full, and what may be written to a terminal."""

from __future__ import annotations

import errno
import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Final

from stream.errors import OutputError

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

_STDOUT: Final = 1


class _Descriptor(io.FileIO):
    """Says that it was the output that failed, and why."""

    def write(self, data: ReadableBuffer) -> int:
        try:
            return super().write(data)
        except BrokenPipeError:
            raise  # whoever read it has had enough: no fault
        except OSError as error:
            reason = "standard output is closed" if error.errno == errno.EBADF else error.strerror
            raise OutputError(f"cannot write: {reason}") from error


@contextmanager
def checked_stdout() -> Iterator[None]:
    """Have what is written to `sys.stdout` be written at the end, or raise.

    What the encoding of the terminal lacks is written with backslashes.

    Raises
    ------
    OutputError
        When it cannot be written.
    BrokenPipeError
        When nobody reads it any more.
    """
    if sys.stdout is None:
        # Closed. Whatever is opened next, a database say, would get its number, and what libraries print.
        nowhere = os.open(os.devnull, os.O_RDONLY)
        if nowhere != _STDOUT:
            os.dup2(nowhere, _STDOUT)
            os.close(nowhere)
    encoding = "utf-8" if sys.stdout is None else sys.stdout.encoding
    is_terminal = sys.stdout is not None and sys.stdout.isatty()
    sys.stdout = io.TextIOWrapper(
        io.BufferedWriter(_Descriptor(_STDOUT, "w", closefd=False)),
        encoding=encoding,
        errors="backslashreplace",
        line_buffering=is_terminal,
    )
    try:
        try:
            yield
        finally:
            sys.stdout.flush()
    except (OutputError, BrokenPipeError):
        _give_up()
        raise


def printable(text: str) -> str:
    """Write with backslashes what a terminal would obey or cannot show: a file's name may be anything."""
    return "".join(character if character.isprintable() else ascii(character)[1:-1] for character in text)


def _give_up() -> None:
    """Have what is left to be written lead nowhere: Python would complain once more when it ends."""
    with suppress(OSError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), _STDOUT)
