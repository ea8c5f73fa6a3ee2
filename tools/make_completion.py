"""Write the script by which bash completes `soloist`: `python -m tools.make_completion`, with shtab installed.

It is static, so that a TAB starts no Python: on a small computer that takes a second. The values that a flag takes
stand in its metavar, `text|json` for instance: words in small letters are values, FILE and PATH are files.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import shtab

from stream.cli.command_line import parser
from stream.recognition import bundle

SCRIPT = Path(__file__).parents[1] / "stream" / "cli" / "completion.bash"


def script() -> str:
    """Return the script."""
    root = parser()
    for action in _actions(root):
        if action.choices is None and (choices := _choices(action)):
            action.choices = choices
    return str(shtab.complete(root, "bash"))


def _actions(parser: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    """Yield all that a parser reads, and those of its commands."""
    for action in parser._actions:
        yield action
        if isinstance(action, argparse._SubParsersAction):
            for command in action.choices.values():
                yield from _actions(command)


def _choices(action: argparse.Action) -> list[str | shtab.Choice]:
    """Return the values that an action takes, so far as its metavar names them."""
    if not isinstance(action.metavar, str):
        return []
    parts = action.metavar.split("|")
    if any(":" in part for part in parts):
        return []  # of which a shell cannot know the rest
    found: list[str | shtab.Choice] = [part for part in parts if part.isalnum() and part.islower()]
    if "--model" in action.option_strings:
        found += bundle.shipped_names()
    if not {"FILE", "PATH"}.isdisjoint(parts):
        found += shtab.Required.FILE
    return found


if __name__ == "__main__":
    argparse.ArgumentParser(description=__doc__).parse_args()
    SCRIPT.write_text(script(), encoding="utf-8")
