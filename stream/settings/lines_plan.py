"""The plan of a stage: which line is on which channels, and which instruments belong there.

It is what the tables `[[line]]` of a TOML file say; whatever else is in that file is somebody else's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from stream.recognition.bundle import Bundle
from stream.settings import values
from stream.settings.lines import TABLE, read_tables
from stream.settings.toml_lines import StatementError, parse
from stream.system.fields import written
from stream.system.files import read_regular_file

_REQUIRED: Final = ("name", "channels", "instruments")
_MOST_BYTES: Final = 65_536


@dataclass(frozen=True, slots=True)
class LinePlan:
    """One line, as it is planned."""

    name: str
    channels: tuple[int, ...]
    """Counted from 1; of several, the mean is the line."""
    instruments: tuple[str, ...]
    """What is to be heard there."""
    gate: float | None = None
    """RMS level in dBFS below which it is silent; None where it has none of its own."""
    place: str = ""
    """FILE:LINE."""
    instruments_place: str = ""
    """FILE:LINE of its instruments."""


@dataclass(frozen=True, slots=True)
class LinesPlan:
    """What a file says of lines."""

    lines: tuple[LinePlan, ...] = ()
    """In their order; those only that can be used."""
    problems: tuple[str, ...] = ()
    """What is wrong, a line each: FILE:LINE, what was got and what was expected."""


def read_plan(path: str | Path) -> LinesPlan:
    """Read the lines of a file; what cannot be read is among the problems."""
    try:
        content = read_regular_file(path, _MOST_BYTES + 1)
        if len(content) > _MOST_BYTES:
            raise ValueError(f"it is longer than the {_MOST_BYTES} bytes that a plan may have")
        statements = parse(content.decode("utf-8-sig"))
    except OSError as error:
        return LinesPlan(problems=(f"{path}: {error.strerror}",))
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        said = f"byte 0x{content[error.start]:02x} is not UTF-8; expected text in UTF-8"
        return LinesPlan(problems=(f"{path}:{line}: {said}",))
    except ValueError as error:
        return LinesPlan(problems=(f"{path}: {error}",))
    except StatementError as error:
        key = f"{'.'.join(error.path)}: " if error.path else ""
        return LinesPlan(problems=(f"{path}:{error.line}: {key}{error.reason}",))
    statement = statements.get(TABLE)
    if statement is None:
        return LinesPlan(problems=(f"{path}: has no line; expected a table [[{TABLE}]] for each",))
    if not statement.tables:
        said = f"{TABLE} is {written(statement.value)}; expected a table [[{TABLE}]] for each line"
        return LinesPlan(problems=(f"{path}:{statement.line}: {said}",))
    lines, problems = read_tables(path, statement, _REQUIRED)
    plans = [
        LinePlan(
            line.name,
            line.channels,
            line.instruments or (),
            line.gate,
            f"{path}:{place.line}",
            f"{path}:{place.lines['instruments']}",
        )
        for line, place in lines
    ]
    return LinesPlan(tuple(plans), tuple(problems))


def strangers(lines: Sequence[LinePlan], model: Bundle) -> list[str]:
    """Say which instruments of a plan a model does not know, a line each."""
    return [
        f"{line.instruments_place}: instruments of line {written(line.name)} name {written(name)}, which model "
        f"{model.name} does not know; {values.closest(name, model.instruments)}"
        for line in lines
        for name in line.instruments
        if name not in model.instruments
    ]
