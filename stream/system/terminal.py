"""Standard output and standard error, which may be closed or full, and what may be written to a terminal."""

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
_STDERR: Final = 2


class _CheckedOutput(io.FileIO):
    """Raises `OutputError` where writing fails."""

    def write(self, data: ReadableBuffer) -> int:
        try:
            return super().write(data)
        except BrokenPipeError:
            raise  # the reader has gone, which is no fault
        except OSError as error:
            reason = "standard output is closed" if error.errno == errno.EBADF else error.strerror
            raise OutputError(f"cannot write: {reason}") from error


@contextmanager
def checked_stdout() -> Iterator[None]:
    """Make sure that what is printed is written, or raise; and that standard error leads somewhere.

    What the encoding of the terminal lacks is written with backslashes.

    Raises
    ------
    OutputError
        When it cannot be written.
    BrokenPipeError
        When nobody reads it any more.
    """
    # A closed descriptor's number would go to whatever is opened next, a database say, with all that libraries print.
    if sys.stdout is None:
        _open_null_device(_STDOUT, os.O_RDONLY)
    if sys.stderr is None:
        _open_null_device(_STDERR, os.O_WRONLY)
        sys.stderr = open(_STDERR, "w", closefd=False)  # noqa: SIM115 - it is that of the process
    encoding = "utf-8" if sys.stdout is None else sys.stdout.encoding
    is_terminal = sys.stdout is not None and sys.stdout.isatty()
    sys.stdout = io.TextIOWrapper(
        io.BufferedWriter(_CheckedOutput(_STDOUT, "w", closefd=False)),
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
        _discard_output(_STDOUT)
        raise


def print_error(error: object) -> None:
    """Print one line on standard error. Where that cannot be written, the exit status has to do."""
    try:
        sys.stderr.write(f"soloist: {printable(str(error))}\n")
        sys.stderr.flush()
    except OSError:
        _discard_output(_STDERR)


def printable(text: str) -> str:
    """Write with backslashes what a terminal would obey or cannot show: a file's name may be anything."""
    return "".join(character if character.isprintable() else ascii(character)[1:-1] for character in text)


def _open_null_device(descriptor: int, mode: int) -> None:
    null = os.open(os.devnull, mode)
    if null != descriptor:
        os.dup2(null, descriptor)
        os.close(null)


def _discard_output(descriptor: int) -> None:
    """Discard what is left in buffers: Python would print another error when it ends."""
    with suppress(OSError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), descriptor)
