"""`soloist train`: the laboratory, which is a program of its own."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence

from stream.system.terminal import print_error

HELP = "the laboratory (needs the train extra)"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add nothing: the laboratory reads its arguments itself."""


def execute(arguments: Sequence[str]) -> int:
    """Enter the laboratory with its arguments."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # TensorFlow would tell of GPUs that are not there
    try:
        from train.__main__ import main
    except ImportError as error:
        from stream.system.extras import advise_install

        print_error(f"the laboratory is not installed ({error.name} is missing): {advise_install('train')}")
        return 1
    return int(main(list(arguments)))
