"""The `soloist` command."""

from __future__ import annotations

import os
import signal
import sys
from typing import TYPE_CHECKING

from stream.errors import ConfigError, SoloistError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import FrameType

_INTERRUPTED = 128 + signal.SIGINT
"""Exit status that shells give to what was interrupted."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the `soloist` command.

    Parameters
    ----------
    argv : sequence of str, optional
        Arguments without the program's name; those of the process by default.

    Returns
    -------
    int
        Exit status: 0, 1 for what went wrong, 2 for wrong usage.
    """
    told = list(sys.argv[1:] if argv is None else argv)
    # Before anything else, for all else takes time, and a signal may come in it.
    signal.signal(signal.SIGINT, _interrupt)
    if told[:1] == ["run"]:
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGHUP})  # kept by the system until the service can obey
    try:
        return _command(told)
    except ConfigError as error:
        _print_error(error)
        return 2
    except SoloistError as error:
        _print_error(error)
        return 1
    except KeyboardInterrupt:
        return _INTERRUPTED
    except BrokenPipeError:
        return 0  # whoever read our output has had enough


def _command(told: list[str]) -> int:
    """Do what the arguments say."""
    # One thread is what the figures promise, and OpenBLAS takes memory for each that it starts. It reads this when
    # numpy is imported, which is why every command imports what it needs by itself.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    from stream.cli import command_line
    from stream.system.terminal import checked_stdout

    with checked_stdout():
        return command_line.execute(told)


def _print_error(what: object) -> None:
    from stream.system.terminal import print_error

    print_error(what)


def _interrupt(number: int, frame: FrameType | None) -> None:
    """Raise KeyboardInterrupt; but end at once where something is being imported, which may swallow or print that."""
    while frame is not None:
        if frame.f_code.co_filename.startswith("<frozen importlib"):
            os._exit(_INTERRUPTED)
        frame = frame.f_back
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
