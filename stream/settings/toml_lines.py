"""A TOML text with the lines on which its statements stand, which tomllib does not tell."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

_LONGEST: Final = 100
"""Lines of a statement; each is tried, so that this bounds the time for a text."""

Path: TypeAlias = tuple[str, ...]
"""Keys from the top of a text down."""


@dataclass(frozen=True, slots=True)
class Statement:
    """What stands at one key at the top of the text."""

    line: int
    """Its first line, counted from 1."""
    value: Any
    """As tomllib gives it; a dict for a table."""
    lines: dict[str, int] = field(default_factory=dict)
    """The first line of each key in a table."""
    tables: tuple[TableLines, ...] = ()
    """Where the tables stand of which the value is a list."""


@dataclass(frozen=True, slots=True)
class TableLines:
    """Where one of several tables of the same name stands."""

    line: int
    """Its first line, counted from 1: that of its `[[name]]`."""
    lines: dict[str, int] = field(default_factory=dict)
    """The first line of each of its keys."""


class StatementError(Exception):
    """A text that is not TOML.

    Parameters
    ----------
    line : int
        Where, counted from 1.
    reason : str
        What is wrong there.
    path : tuple of str
        The key of the statement so far as it looks like one, below that of the table in which it is.
    value : str, optional
        As it is written.
    """

    def __init__(self, line: int, reason: str, path: Path = (), value: str | None = None) -> None:
        super().__init__(reason)
        self.line, self.reason, self.path, self.value = line, reason, path, value


def parse(text: str) -> dict[str, Statement]:
    """Read a TOML text.

    Raises
    ------
    StatementError
        When it is not one.
    """
    found = _Lines(text)
    try:
        values = tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # a ValueError is also what int() says of 4301 digits
        raise _fault(text.split("\n"), found, error) from error
    if found.unfinished is not None:
        raise StatementError(found.unfinished, f"a value of more than {_LONGEST} lines")
    return {key: _statement(key, value, found) for key, value in values.items()}


def _statement(key: str, value: Any, found: _Lines) -> Statement:
    line = found.lines[key,]
    if isinstance(value, dict):
        return Statement(line, value, {it: found.lines[key, it] for it in value})
    if not isinstance(value, list) or not value or not all(isinstance(it, dict) for it in value):
        return Statement(line, value)
    # Those of a list that is written as a value, [{...}, {...}], are all on its line.
    tables = found.tables.get(key) or [TableLines(line, dict.fromkeys(it, line)) for it in value]
    return Statement(line, value, tables=tuple(tables))


class _Lines:
    """Where the statements of a text stand.

    Parameters
    ----------
    text : str
        It need not be TOML: what stands before the first fault is found.
    """

    def __init__(self, text: str) -> None:
        self.lines: dict[Path, int] = {}
        """The first line of each key at the top, and of each in a table there."""
        self.tables: dict[str, list[TableLines]] = {}
        """Those that are declared at the top with `[[name]]`, by their names."""
        self.unfinished: int | None = None
        """Where a statement begins that never becomes whole."""
        self._tables: list[tuple[int, Path]] = [(0, ())]  # from which line on, which one
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
            if statement.lstrip().startswith("["):
                header = _header(values)
                self._tables.append((first, header))
                self._note((), values, first)
                self._note_table(header, values, first)
            else:
                self._note(self._tables[-1][1], values, first)
                self._note_keys(values, first)
            first, statement = number + 1, ""
        if statement:
            self.unfinished = first

    def table(self, line: int) -> Path:
        """Return the table in which a line is."""
        return next(table for first, table in reversed(self._tables) if first <= line)

    def _note_table(self, header: Path, values: dict[str, Any], line: int) -> None:
        """Note where one of several tables of a name begins, or a table inside of the last of them."""
        name, *deeper = header
        if isinstance(values[name], list) and not deeper:
            self.tables.setdefault(name, []).append(TableLines(line))
        elif deeper and name in self.tables:
            self.tables[name][-1].lines.setdefault(deeper[0], line)

    def _note_keys(self, values: dict[str, Any], line: int) -> None:
        """Note where keys stand that are in one of several tables of a name."""
        header = self._tables[-1][1]
        if len(header) == 1 and header[0] in self.tables:
            for key in values:
                self.tables[header[0]][-1].lines.setdefault(key, line)

    def _note(self, above: Path, values: dict[str, Any], line: int) -> None:
        """Note the line of the keys of a statement, so far as they are at the top or in a table there."""
        for key, value in values.items():
            path = (*above, key)
            if len(path) > 2:
                return
            self.lines.setdefault(path, line)
            if isinstance(value, dict):
                self._note(path, value, line)


def _header(values: Any) -> Path:
    """Return the path of the table that a header declares, from what tomllib makes of the header alone."""
    path: Path = ()
    while values:
        if isinstance(values, list):  # of tables
            (values,) = values
            continue
        ((key, values),) = values.items()
        path += (key,)
    return path


def _fault(lines: list[str], found: _Lines, error: Exception) -> StatementError:
    """Say what is wrong where."""
    unfinished = found.unfinished
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
    header = re.match(r"\s*\[\s*([\w.-]+)\s*\]", lines[begin - 1])
    if header is not None and reason.startswith("Cannot "):
        before = found.lines.get(tuple(header[1].split(".")), begin)
        if before < begin:
            reason = f"[{header[1]}] already stands on line {before}"
            if not lines[before - 1].lstrip().startswith("["):
                reason = (
                    f"{header[1]} is set outside of tables on line {before}: move it into this table, as "
                    "soloist config example has it"
                )
        return StatementError(line, reason)
    written = re.match(r"\s*([\w.-]+)\s*=\s*(.*?)\s*$", lines[begin - 1])
    if written is None:
        return StatementError(line, reason)
    path = (*found.table(begin), *written[1].split("."))
    if reason.startswith("Cannot overwrite") and (before := found.lines.get(path, begin)) < begin:
        return StatementError(line, f"it is already set on line {before}", path)
    return StatementError(line, reason, path, written[2])
