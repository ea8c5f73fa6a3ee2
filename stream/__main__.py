"""The `soloist` command."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from stream import arguments, commands
from stream.errors import ConfigError, SoloistError
from stream.output import checked_stdout


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
    # One thread is what the figures promise, and OpenBLAS takes memory for each that it starts. It reads this when
    # numpy is imported, which is why every command imports what it needs by itself.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    told = list(sys.argv[1:] if argv is None else argv)
    try:
        with checked_stdout():
            if told[:1] == ["train"]:
                return commands.train(told[1:])
            options = arguments.parser().parse_args(told)
            return int(options.command(options))
    except ConfigError as error:
        commands.complain(error)
        return 2
    except SoloistError as error:
        commands.complain(error)
        return 1
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        return 0  # whoever read our output has had enough


if __name__ == "__main__":
    sys.exit(main())
