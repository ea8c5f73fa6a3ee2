"""What reads arguments."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

from stream.system.names import split_names


class Parser(argparse.ArgumentParser):
    """One whose complaint about what it does not know shows how this command is used, not the whole program."""

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> tuple[Any, list[str]]:
        """Return what is known, and nothing else."""
        found, rest = super().parse_known_args(args, namespace)
        if rest:
            self.error(f"unrecognized arguments: {' '.join(rest)}")
        return found, rest


def add_action(
    actions: Any, name: str, text: str, execute: Callable[[argparse.Namespace], int]
) -> argparse.ArgumentParser:
    """Add one of several things that a command does.

    Parameters
    ----------
    actions : object
        What `add_subparsers` of the command's parser returned.
    name, text : str
        What it is called, and what it does in one line.
    execute : callable
        Does it.
    """
    action: argparse.ArgumentParser = actions.add_parser(
        name, help=text, description=text, argument_default=argparse.SUPPRESS
    )
    action.set_defaults(execute=execute)
    return action


def comma_separated(text: str) -> tuple[str, ...]:
    """Read a list of names, `A,B`, as the `type` of an argument; see `split_names`."""
    return split_names(text)
