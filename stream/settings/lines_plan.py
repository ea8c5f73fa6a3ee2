"""The plan of a stage: which line is on which channels, and which instruments belong there.

It is what the tables `[[line]]` of a TOML file say; whatever else is in that file is somebody else's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from stream.audio.pcm import MAX_CHANNELS
from stream.recognition.bundle import Bundle
from stream.settings import values
from stream.settings.toml_lines import StatementError, TableLines, parse
from stream.system.fields import Range, written
from stream.system.files import read_regular_file
from stream.system.names import in_one_form

TABLE: Final = "line"
_KEYS: Final = ("name", "channels", "instruments", "gate", "gain", "threshold")
"""The last two are of the service, whose settings may be the plan."""
_MOST_BYTES: Final = 65_536
_GATE: Final = Range(-120, 0)
_MISSING: Final = {
    "name": 'expected name = "Anna"',
    "channels": "expected channels = [3], or several, counted from 1",
    "instruments": 'expected instruments = ["violin"], or several',
}


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
    return _plan(path, statement.value, statement.tables)


def strangers(lines: Sequence[LinePlan], model: Bundle) -> list[str]:
    """Say which instruments of a plan a model does not know, a line each."""
    return [
        f"{line.instruments_place}: instruments of line {written(line.name)} name {written(name)}, which model "
        f"{model.name} does not know; {values.closest(name, model.instruments)}"
        for line in lines
        for name in line.instruments
        if name not in model.instruments
    ]


def _plan(path: str | Path, tables: Sequence[dict[str, Any]], places: Sequence[TableLines]) -> LinesPlan:
    lines: list[LinePlan] = []
    problems: list[tuple[int, str]] = []  # with the line of the file
    begun: dict[str, int] = {}  # where each name was given
    for table, place in zip(tables, places, strict=True):
        faults = _faults(table)
        name = table.get("name")
        if "name" not in faults and isinstance(name, str):
            name = in_one_form(name)
            if (before := begun.setdefault(name, place.line)) != place.line:
                faults["name"] = f"{written(name)} is the name of the line on line {before}, too"
        problems += [(place.lines.get(key, place.line), said) for key, said in faults.items()]
        if not faults:
            gate = table.get("gate")
            lines.append(
                LinePlan(
                    str(name),
                    tuple(table["channels"]),
                    tuple(map(in_one_form, table["instruments"])),
                    None if gate is None else float(gate),
                    f"{path}:{place.line}",
                    f"{path}:{place.lines['instruments']}",
                )
            )
    return LinesPlan(tuple(lines), tuple(f"{path}:{line}: {said}" for line, said in sorted(problems)))


def _faults(table: dict[str, Any]) -> dict[str, str]:
    """Say what is wrong with a line, by the key at which it is."""
    faults = {
        key: f"unknown key {written(key)} in [[{TABLE}]]; {values.closest(key, _KEYS)}"
        for key in table
        if key not in _KEYS
    }
    faults |= {key: f"the line has no {key}; {said}" for key, said in _MISSING.items() if key not in table}
    for key, value in table.items():
        expected = _unfit(key, value)
        if expected is not None:
            faults[key] = f"{key} is {written(value)}; expected {expected}"
    return faults


def _unfit(key: str, value: Any) -> str | None:
    """Say what was expected of the value of a key, if it is not that."""
    match key:
        case "name":
            return None if isinstance(value, str) and value.strip() else "a text that is not empty"
        case "channels":
            return _unfit_channels(value)
        case "instruments":
            if not isinstance(value, list) or not value or not all(isinstance(it, str) and it for it in value):
                return 'a list of names such as ["violin"]'
            return "each name once" if len({*map(in_one_form, value)}) < len(value) else None
        case "gate":
            if isinstance(value, bool) or not isinstance(value, int | float):
                return "a number"
            return _GATE(value)
    return None


def _unfit_channels(value: Any) -> str | None:
    if not isinstance(value, list) or not value or not all(type(it) is int for it in value):
        return "a list of numbers such as [3]"
    if not all(1 <= it <= MAX_CHANNELS for it in value):
        return f"numbers from 1 to {MAX_CHANNELS}"
    return "each channel once" if len(set(value)) < len(value) else None
