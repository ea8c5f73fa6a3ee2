"""Settings from the command line, SOLOIST_* variables and a TOML file, in this order, and what is wrong with them."""

from __future__ import annotations

import re
import typing
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from stream.errors import ConfigError
from stream.settings import values
from stream.settings.settings import Setting, Settings, declared, rooms
from stream.system.fields import short, written
from stream.system.files import read_regular_file

if typing.TYPE_CHECKING:
    from stream.settings.toml_lines import Statement

_FILE_BYTES: Final = 16_384


@dataclass(frozen=True, slots=True)
class Reading:
    """What was found, and where."""

    values: dict[str, Any] = field(default_factory=dict)
    """Those that can be used; a setting that is missing has its default."""
    origins: dict[str, str] = field(default_factory=dict)
    """Where each value stands: FILE:LINE, a variable or a flag."""
    file: str | Path | None = None
    """The file that was read."""
    problems: list[str] = field(default_factory=list)
    """What cannot be used, a line each: where it stands, its value and what was expected."""

    @property
    def settings(self) -> Settings:
        """The settings so far as they can be used."""
        told: dict[str, dict[str, Any]] = {room: {} for room in rooms()}
        for name, value in self.values.items():
            setting = declared()[name]
            told[setting.room][setting.field.name] = value
        return Settings(**{room: declaration(**told[room]) for room, declaration in rooms().items()})

    def called(self, key: str) -> str:
        """Name a setting by the place that decided it, for a message."""
        return _called(key, self.origins[key]) if key in self.origins else key

    def in_order(self, problems: Iterable[str]) -> list[str]:
        """Put problems in the order in which the settings stand in the file; all others keep theirs, after them."""

        def line(problem: str) -> float:
            found = re.match(r":(\d+):", problem.removeprefix(str(self.file))) if self.file is not None else None
            return int(found[1]) if found is not None and problem.startswith(str(self.file)) else float("inf")

        return sorted(problems, key=line)

    def placed(self, message: object) -> str:
        """Put the place of a setting into a message that begins with its name."""
        key, space, rest = str(message).partition(" ")
        return f"{self.called(key)}{space}{rest}"


def load(flags: Mapping[str, Any], variables: Mapping[str, str], file: str | Path | None = None) -> Settings:
    """Put the settings together.

    Parameters
    ----------
    flags : mapping
        What the command line says, without what it leaves open; texts are read as those of variables are.
    variables : mapping
        The environment; those that begin with SOLOIST_ count, and those that are empty do not.
    file : str or path, optional
        A TOML file with the names of settings as its keys.

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
    reading = Reading(file=file)

    def put(key: str, value: Any, origin: str) -> None:
        field = known[key].field
        value, is_it = values.convert(value, field.hint)
        expected = field.unfit(value) if is_it else values.words(field)
        if expected is not None:
            reading.problems.append(f"{_called(key, origin)} is {field.written(value)}; expected {expected}")
        else:
            reading.values[key], reading.origins[key] = value, origin

    if file is not None:
        for key, statement in _read(file, known, reading.problems).items():
            origin = f"{file}:{statement.line}"
            if key in known:
                put(key, statement.value, origin)
            elif isinstance(statement.value, dict):
                reading.problems.append(f"{origin}: unknown table {written(key)}; settings stand outside of tables")
            else:
                reading.problems.append(f"{origin}: unknown setting {written(key)}; {values.closest(key, known)}")
    for key, setting in known.items():
        variable = f"SOLOIST_{key.upper()}"
        if variables.get(variable):
            put(key, values.from_text(variables[variable], setting.field.hint), variable)
    for key, value in flags.items():
        told = values.from_text(value, known[key].field.hint) if isinstance(value, str) else value
        put(key, list(told) if isinstance(told, tuple) else told, f"--{key.replace('_', '-')}")
    return reading


def _called(key: str, origin: str) -> str:
    """Name a setting in a message: by its variable or flag, or by its line in the file."""
    return f"{origin}: {key}" if ":" in origin else origin


def _read(file: str | Path, known: Mapping[str, Setting], problems: list[str]) -> dict[str, Statement]:
    """Read what stands in a file."""
    # Only here, for the service needs no TOML to start without a file.
    from stream.settings.toml_lines import StatementError, parse

    try:
        content = read_regular_file(file, _FILE_BYTES + 1)
        if len(content) > _FILE_BYTES:
            raise ValueError(f"it is longer than the {_FILE_BYTES} bytes that a file of settings may have")
        return parse(content.decode("utf-8-sig"))
    except OSError as error:
        problems.append(f"{file}: {error.strerror}")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        problems.append(f"{file}:{line}: byte 0x{content[error.start]:02x} is not UTF-8; expected text in UTF-8")
    except ValueError as error:
        problems.append(f"{file}: {error}")
    except StatementError as error:
        what, expected = f"{error.key}: " if error.key else "", ""
        if error.key is not None and error.key in known:
            # The value of anything else is not told: it may be a secret whose name is misspelt.
            field = known[error.key].field
            value = "" if field.is_secret else f" is {short(error.value or '')}"
            what, expected = f"{error.key}{value}: ", f"; expected {values.words(field)}"
        problems.append(f"{file}:{error.line}: {what}{error.reason}{expected}")
    return {}
