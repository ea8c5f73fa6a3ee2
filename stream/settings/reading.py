"""Settings from the command line, SOLOIST_* variables and a TOML file, in this order, and what is wrong with them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stream.errors import ConfigError
from stream.settings import values
from stream.settings.lines import LinesReading, LinesSettings
from stream.settings.settings import Settings, declared, rooms

if TYPE_CHECKING:
    from stream.settings.toml_file import FileContent


@dataclass(frozen=True, slots=True)
class Reading:
    """What was found, and where."""

    values: dict[str, Any] = field(default_factory=dict)
    """Those that can be used; a setting that is missing has its default."""
    origins: dict[str, str] = field(default_factory=dict)
    """Where each value stands: FILE:LINE, a variable or a flag."""
    keys: dict[str, str | None] = field(default_factory=dict)
    """How each is called there, if that is a file: `server.port`, or `port` outside of its table."""
    lines: LinesSettings = field(default_factory=LinesSettings)
    lines_from: str | None = None
    """The flag or variable that says them; None where the file does, or nothing."""
    file: str | Path | None = None
    """The file that was read."""
    outdated: str | None = None
    """Which settings of the file stand outside of the tables to which they belong now, in one line."""
    problems: list[str] = field(default_factory=list)
    """What cannot be used, a line each: where it stands, its value and what was expected."""

    @property
    def settings(self) -> Settings:
        """The settings so far as they can be used."""
        told: dict[str, dict[str, Any]] = {room: {} for room in rooms()}
        for name, value in self.values.items():
            setting = declared()[name]
            told[setting.room][setting.field.name] = value
        return Settings(**{room: declaration(**told[room]) for room, declaration in rooms().items()}, lines=self.lines)

    def called(self, name: str) -> str:
        """Name a setting by the place that decided it, for a message."""
        if name not in self.origins:
            return name
        key = self.keys[name]
        return self.origins[name] if key is None else f"{self.origins[name]}: {key}"

    def in_order(self, problems: Iterable[str]) -> list[str]:
        """Put problems in the order in which the settings stand in the file; all others keep theirs, after them."""

        def line(problem: str) -> float:
            found = re.match(r":(\d+):", problem.removeprefix(str(self.file))) if self.file is not None else None
            return int(found[1]) if found is not None and problem.startswith(str(self.file)) else float("inf")

        return sorted(problems, key=line)

    def placed(self, message: object) -> str:
        """Put the place of a setting into a message that begins with its name."""
        name, space, rest = str(message).partition(" ")
        return f"{self.called(name)}{space}{rest}"


def load(flags: Mapping[str, Any], variables: Mapping[str, str], file: str | Path | None = None) -> Settings:
    """Put the settings together.

    Parameters
    ----------
    flags : mapping
        What the command line says, without what it leaves open; texts are read as those of variables are.
    variables : mapping
        The environment; those that begin with SOLOIST_ count, and those that are empty do not.
    file : str or path, optional
        A TOML file with a table for each room.

    Raises
    ------
    ConfigError
        When a setting is unknown or cannot be used. The text names where it stands, its value and what was expected.
    """
    reading = read(flags, variables, file)
    refuse(reading.problems)
    return reading.settings


def refuse(problems: list[str]) -> None:
    """Raise the first problem as a `ConfigError` of one line, if there is any."""
    if problems:
        raise ConfigError(in_short(problems))


def in_short(problems: list[str]) -> str:
    """Tell problems in one line: the first, and how many more there are."""
    more = f" (and {len(problems) - 1} more: soloist config check)" if len(problems) > 1 else ""
    return problems[0] + more


def read(flags: Mapping[str, Any], variables: Mapping[str, str], file: str | Path | None = None) -> Reading:
    """Find all settings and everything that is wrong with them; for the parameters see `load`."""
    known = declared()
    content = None
    if file is not None:
        # Only here, for the service needs no TOML to start without a file.
        from stream.settings import toml_file

        content = toml_file.read(file)
    reading = Reading(file=file, outdated=None if content is None else content.outdated)

    def put(name: str, value: Any, origin: str, key: str | None = None) -> None:
        field = known[name].field
        value, is_it = values.convert(value, field.hint)
        expected = field.unfit(value) if is_it else values.words(field)
        if expected is not None:
            called = origin if key is None else f"{origin}: {key}"
            reading.problems.append(f"{called} is {field.written(value)}; expected {expected}")
            return
        reading.values[name], reading.origins[name], reading.keys[name] = value, origin, key

    if content is not None:
        for it in content.entries:
            put(it.setting.name, it.value, f"{file}:{it.line}", it.key)
        reading.problems[:] = reading.in_order([*content.problems, *reading.problems])
    for key, setting in known.items():
        variable = f"SOLOIST_{key.upper()}"
        if variables.get(variable):
            put(key, values.from_text(variables[variable], setting.field.hint), variable)
    reading = _with_lines(reading, flags.get("line"), variables.get("SOLOIST_LINE"), content)
    for key, value in flags.items():
        if key == "line":
            continue
        told = values.from_text(value, known[key].field.hint) if isinstance(value, str) else value
        put(key, list(told) if isinstance(told, tuple) else told, f"--{key.replace('_', '-')}")
    return reading


def _with_lines(
    reading: Reading, flags: Iterable[str] | None, variable: str | None, content: FileContent | None
) -> Reading:
    """Add the lines: those of the command line, of the variable (with semicolons between them), or of the file."""
    found, place, lines_from = LinesReading(), "--line", None
    if flags:
        lines_from = place
        for text in flags:
            found.add_short(place, text)
    elif variable:
        lines_from = place = "SOLOIST_LINE"
        for text in filter(None, map(str.strip, variable.split(";"))):
            found.add_short(place, text)
    elif content is not None and content.lines is not None:
        found.add_tables(reading.file or "", content.lines)
    lines = found.settings(place)
    reading.problems.extend(found.problems)
    return replace(reading, lines=lines, lines_from=lines_from)
