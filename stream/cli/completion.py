"""`soloist completion`: what a shell needs to complete `soloist`."""

from __future__ import annotations

import argparse
import sys

HELP = "print the script with which a shell completes commands and flags"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add which shell it is."""
    parser.add_argument("shell", choices=["bash"])
    parser.set_defaults(execute=execute)


def execute(options: argparse.Namespace) -> int:
    """Write the script that `tools.make_completion` made: completing starts no Python."""
    from importlib import resources

    script = resources.files("stream.cli") / f"completion.{options.shell}"
    sys.stdout.write(script.read_text(encoding="utf-8"))
    return 0
