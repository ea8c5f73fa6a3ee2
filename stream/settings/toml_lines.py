"""A TOML text with the lines on which its statements stand, which tomllib does not tell."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from typing import Any, Final

_LONGEST: Final = 100
"""Lines of a statement; each is tried, so that this bounds the time for a text."""


@dataclass(frozen=True, slots=True)
class Statement:
    """What stands at one key at the top of the text."""

    line: int
    """Its first line, counted from 1."""
    value: Any
    """As tomllib gives it; a dict for a table."""


class StatementError(Exception):
    """A text that is not TOML.

    Parameters
    ----------
    line : int
        Where, counted from 1.
    reason : str
        What is wrong there.
    key, value : str, optional
        The statement so far as it looks like one, the value as it is written.
    """

    def __init__(self, line: int, reason: str, key: str | None = None, value: str | None = None) -> None:
        super().__init__(reason)
        self.line, self.reason, self.key, self.value = line, reason, key, value


def parse(text: str) -> dict[str, Statement]:
    """Read a TOML text.

    Raises
    ------
    StatementError
        When it is not one.
    """
    lines, unfinished = _lines(text)
    try:
        values = tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # a ValueError is also what int() says of 4301 digits
        raise _fault(text.split("\n"), lines, unfinished, error) from error
    if unfinished is not None:
        raise StatementError(unfinished, f"a value of more than {_LONGEST} lines")
    return {key: Statement(lines[key], value) for key, value in values.items()}


def _lines(text: str) -> tuple[dict[str, int], int | None]:
    """Find the line of each key at the top, and where a statement begins that never becomes whole."""
    found: dict[str, int] = {}
    in_table = False
    first, statement = 1, ""
    for number, line in enumerate(text.split("\n"), 1):
        statement += line + "\n"
        if first < number < first + _LONGEST and not any(end in line for end in ("]", '"""', "'''")):
            continue  # only these end what began on an earlier line
        try:
            # A statement that goes on is no TOML before its last line, and is afterwards: tomllib knows best.
            values = tomllib.loads(statement)
        except (ValueError, RecursionError):
            if number - first == _LONGEST:
                break
            continue
        is_header = statement.lstrip().startswith("[")
        in_table = in_table or is_header
        for key in values if is_header or not in_table else ():
            found.setdefault(key, first)
        first, statement = number + 1, ""
    return found, first if statement else None


def _fault(lines: list[str], found: dict[str, int], unfinished: int | None, error: Exception) -> StatementError:
    """Say what is wrong where."""
    said = re.fullmatch(r"(?s)(.*) \(at (?:line (\d+), column (\d+)|end of document)\)", str(error))
    if isinstance(error, RecursionError):
        reason, line = "nested too deeply", unfinished or 1
    elif said is None:
        reason, line = str(error).split("; ")[0], unfinished or 1
    elif said[2] is None:
        reason, line = f"{said[1]} before the end of the file", unfinished or len(lines)
    else:
        reason, line = f"{said[1]} (column {said[3]})", int(said[2])
    begin = line if unfinished is None else min(line, unfinished)
    written = re.match(r"\s*([\w-]+)\s*=\s*(.*?)\s*$", lines[begin - 1])
    if written is None:
        return StatementError(line, reason)
    if reason.startswith("Cannot overwrite") and found.get(written[1], line) < line:
        reason = f"it is set before, on line {found[written[1]]}"
    return StatementError(line, reason, written[1], written[2])
