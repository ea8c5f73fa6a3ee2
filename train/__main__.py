"""The laboratory's command line: ``soloist train`` and its actions."""

from __future__ import annotations

import logging
import os
import shlex
import sys
from typing import Final

from stream.errors import SoloistError
from stream.system.extras import advise_install
from train.cli.actions import build_parser

_EXTRAS: Final = {
    **dict.fromkeys(("librosa", "mido", "mir_eval", "mirdata", "pedalboard", "scipy"), "study"),
    **dict.fromkeys(("optuna", "sklearn"), "search"),
}
"""Which extra has a module that `train` has not."""


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
    arguments = build_parser().parse_args(given)
    arguments.command = "soloist train " + shlex.join(given)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    logging.getLogger("tensorflow").setLevel(logging.ERROR)  # it warns of every network after the first few
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # read when TensorFlow is imported
    try:
        arguments.run_action(arguments)
    except ModuleNotFoundError as error:
        missing = (error.name or str(error)).partition(".")[0]
        sys.stderr.write(f"soloist train: {missing} is missing: {advise_install(_EXTRAS.get(missing, 'train'))}\n")
        return 1
    except SoloistError as error:
        sys.stderr.write(f"soloist train: {error}\n")
        return 1
    except KeyboardInterrupt:
        sys.stderr.write("soloist train: interrupted\n")
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
