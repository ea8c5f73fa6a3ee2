"""The command line as a whole: which commands there are, and which of them is meant."""

from __future__ import annotations

import argparse
import importlib
from collections.abc import Sequence
from typing import Final

from stream import __version__
from stream.cli.argument_parser import Parser

COMMANDS: Final = (
    "run",
    "classify",
    "teach",
    "players",
    "listen",
    "sessions",
    "devices",
    "check-lines",
    "config",
    "install-service",
    "bench",
    "completion",
    "train",
)
"""In the order in which the help names them. Each is a module of this package with an underscore for the hyphen.

Of such a module the command line takes `HELP`, what the command does in one line, and `add_arguments`, which is given
the command's parser and sets as its `execute` what is to be called: that takes what was read, and returns the exit
status. What takes time to import is imported there.
"""


def execute(arguments: Sequence[str]) -> int:
    """Do what the arguments say, and return the exit status."""
    name = arguments[0] if arguments else None
    if name == "train":
        from stream.cli import train

        return train.execute(arguments[1:])  # as they are: they are for another program
    named = name in COMMANDS or name == "--version"  # which needs none of them
    options = parser([it for it in COMMANDS if it == name] if named else COMMANDS).parse_args(arguments)
    return int(options.execute(options))


def parser(names: Sequence[str] = COMMANDS) -> argparse.ArgumentParser:
    """Return what reads the command line.

    Parameters
    ----------
    names : sequence of str
        The commands that it has to know. Each takes a moment: whoever knows which is meant names that one.
    """
    parser = Parser(prog="soloist", description="Says which instrument is in front.")
    parser.add_argument("--version", action="version", version=f"soloist {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for name in names:
        module = importlib.import_module(f"stream.cli.{name.replace('-', '_')}")
        command = commands.add_parser(
            name,
            help=module.HELP,
            description=module.HELP,
            argument_default=argparse.SUPPRESS,
            add_help=name != "train",
        )
        module.add_arguments(command)
    return parser
