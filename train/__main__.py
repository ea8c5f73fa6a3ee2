"""The laboratory's command line: ``soloist train`` and its actions."""

from __future__ import annotations

import logging
import os
import shlex
import sys

from stream.errors import SoloistError
from stream.system.stderr import quiet_stderr
from train.cli.arguments import parser


def main(argv: list[str] | None = None) -> int:
    """Run the laboratory.

    Parameters
    ----------
    argv : list of str, optional
        Arguments after ``soloist train``; those of the process by default.

    Returns
    -------
    int
        Exit status: 0; 1 after a line on standard error; 130 when it was interrupted.
    """
    given = sys.argv[1:] if argv is None else argv
    arguments = parser().parse_args(given)
    arguments.command = "soloist train " + shlex.join(given)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    logging.getLogger("tensorflow").setLevel(logging.ERROR)  # it warns of every network after the first few
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # read when TensorFlow is imported
    try:
        with quiet_stderr():  # TensorFlow tells of every library that it does not find
            from train.cli.commands import ACTIONS  # not before: --help need not wait for it
    except ImportError as error:
        sys.stderr.write(f"soloist train: {error.name} is missing: pip install --upgrade 'soloist[train]'\n")
        return 1
    try:
        ACTIONS[arguments.action](arguments)
    except SoloistError as error:
        sys.stderr.write(f"soloist train: {error}\n")
        return 1
    except KeyboardInterrupt:
        sys.stderr.write("soloist train: interrupted\n")
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
