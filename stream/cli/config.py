"""`soloist config`: what is set, what is wrong with it, and a file to begin with."""

from __future__ import annotations

import argparse
import os
import sys

from stream.cli.argument_parser import add_action
from stream.cli.settings_flags import add_settings, sources
from stream.system.terminal import print_error

HELP = "check the settings, or print an example of them"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what can be done with settings."""
    actions = parser.add_subparsers(required=True, metavar="ACTION")
    add_settings(add_action(actions, "check", "print every setting with its origin, and what is wrong", check_settings))
    add_action(actions, "example", "print an example file, with every setting at its default", write_example)


def check_settings(options: argparse.Namespace) -> int:
    """Tell the settings, where they stand, and what cannot be used."""
    from stream.settings import check
    from stream.settings.reading import read

    reading = read(*sources(options))
    sys.stdout.write(check.table(reading))
    sys.stdout.flush()
    for note in (*check.strays(os.environ), *check.notes(reading)):
        print_error(f"note: {note}")
    problems = reading.in_order([*reading.problems, *check.problems(reading)])
    for problem in problems:
        print_error(problem)
    return 2 if problems else 0


def write_example(options: argparse.Namespace) -> int:
    """Write a file of settings."""
    from stream.system import systemd_unit

    sys.stdout.write(systemd_unit.example_settings())
    return 0
