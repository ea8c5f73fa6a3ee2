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
    """Have what is written to `sys.stdout` be written at the end, or raise; and standard error lead somewhere.

    What the encoding of the terminal lacks is written with backslashes.

    Raises
    ------
    OutputError
        When it cannot be written.
    BrokenPipeError
        When nobody reads it any more.
    """
    # Of those that are closed, whatever is opened next, a database say, would get the number, and what libraries print.
    if sys.stdout is None:
        _occupy(_STDOUT, os.O_RDONLY)
    if sys.stderr is None:
        _occupy(_STDERR, os.O_WRONLY)
        sys.stderr = open(_STDERR, "w", closefd=False)  # noqa: SIM115 - it is that of the process
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
        _give_up(_STDOUT)
        raise


def complain(what: object) -> None:
    """Say on standard error, in one line, what is wrong. Where nobody can be told, the exit status has to do."""
    try:
        sys.stderr.write(f"soloist: {printable(str(what))}\n")
        sys.stderr.flush()
    except OSError:
        _give_up(_STDERR)


def printable(text: str) -> str:
    """Write with backslashes what a terminal would obey or cannot show: a file's name may be anything."""
    return "".join(character if character.isprintable() else ascii(character)[1:-1] for character in text)


def _occupy(descriptor: int, mode: int) -> None:
    nowhere = os.open(os.devnull, mode)
    if nowhere != descriptor:
        os.dup2(nowhere, descriptor)
        os.close(nowhere)


def _give_up(descriptor: int) -> None:
    """Have what is left to be written lead nowhere: Python would complain once more when it ends."""
    with suppress(OSError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), descriptor)
