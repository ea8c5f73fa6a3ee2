"""What the lines of a service are: their channels, and what is their own of what all have otherwise."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from stream.audio.pcm import MAX_CHANNELS
from stream.errors import ConfigError
from stream.settings import values
from stream.system.fields import Range, written
from stream.system.names import in_one_form, split_names

if TYPE_CHECKING:  # the service needs no TOML to start without a file
    from stream.settings.toml_lines import Statement, TableLines

EACH: Final = "each"
"""What is said in place of a line for one of every channel."""
MOST: Final = 64
"""Lines at the most."""
TABLE: Final = "line"
"""Key of the tables of lines, of which there may be several."""
_NAME_LENGTH: Final = 60
_RESERVED: Final = frozenset({"all", EACH})
RANGES: Final = {"gate": Range(-120, 0), "gain": Range(-60, 60), "threshold": Range(0, 1)}
"""What the numbers of a line may be."""
_SHORT: Final = re.compile(r"\s*(?P<name>[^=]*?)\s*=\s*(?P<channels>[\d,\s-]+?)\s*(:(?P<instruments>.*))?", re.DOTALL)
_KEYS: Final = ("name", "channels", "instruments", *RANGES)
_MISSING: Final = {
    "name": 'expected name = "Anna"',
    "channels": "expected channels = [3], or several, counted from 1",
    "instruments": 'expected instruments = ["violin"], or several',
}


@dataclass(frozen=True, slots=True)
class LineSettings:
    """One line: which channels it hears, and how.

    Raises
    ------
    ConfigError
        When a value cannot be used. The text names it and what was expected.
    """

    name: str
    channels: tuple[int, ...]
    """Counted from 1; of several the average is heard."""
    instruments: tuple[str, ...] | None = None
    """Its line-up; that of the service without one."""
    gate: float | None = None
    """Level in dBFS below which it is silent; that of the service without one."""
    gain: float = 0.0
    """By which its audio is made louder before anything else, in dB."""
    threshold: float | None = None
    """Probability from which an instrument is named, in place of the model's thresholds."""

    def __post_init__(self) -> None:
        for key in _KEYS:
            value = getattr(self, key)
            value = list(value) if isinstance(value, tuple) else value
            if value is not None and (expected := _unfit(key, value)) is not None:
                raise ConfigError(f"{key} is {written(value)}; expected {expected}")


@dataclass(frozen=True, slots=True)
class LinesSettings:
    """All lines; none where the source is one sound."""

    lines: tuple[LineSettings, ...] = ()
    each: bool = False
    """Whether every channel of the source is a line, named by its number."""

    def __bool__(self) -> bool:
        return self.each or bool(self.lines)


def paired(old: Sequence[LineSettings], new: Sequence[LineSettings]) -> list[LineSettings | None]:
    """Say which line each was before: that of the same name, or else one that is gone and heard the same channels.

    Returns
    -------
    list of LineSettings or None
        One for each of the new ones; None for a line that was none before.
    """
    by_name = {line.name: line for line in old}
    names = {line.name for line in new}
    gone = [line for line in old if line.name not in names]
    found = []
    for line in new:
        before = by_name.get(line.name) or next((it for it in gone if it.channels == line.channels), None)
        if before in gone:
            gone.remove(before)
        found.append(before)
    return found


@dataclass(slots=True)
class LinesReading:
    """Lines as they are read one after the other, and what is wrong with them."""

    lines: list[LineSettings] = field(default_factory=list)
    each: bool = False
    problems: list[str] = field(default_factory=list)
    """A line each, with its place."""

    def add_tables(self, path: str | Path, statement: Statement) -> None:
        """Read all tables of a file."""
        lines, problems = read_tables(path, statement, ("name", "channels"))
        self.problems += problems
        for line, _ in lines:
            self._put(str(path), line)

    def add_short(self, place: str, text: str) -> None:
        """Read a line in its short form: NAME=CHANNELS[:INSTRUMENTS], or `each`."""
        if text == EACH:
            self.each = True
            return
        try:
            self._put(place, parse_line(text))
        except ConfigError as error:
            self.problems.append(f"{place}: {error}")

    def _put(self, place: str, line: LineSettings) -> None:
        if any(it.name == line.name for it in self.lines):
            self.problems.append(f"{place}: two lines are called {written(line.name)}; expected a name for each")
        elif len(self.lines) == MOST:
            self.problems.append(f"{place}: more than {MOST} lines")
        else:
            self.lines.append(line)

    def settings(self, place: str = "--line") -> LinesSettings:
        """Return what can be used of them."""
        if self.each and self.lines:
            self.problems.append(f"{place}: {EACH} stands beside other lines; expected either")
        return LinesSettings(() if self.each else tuple(self.lines), self.each)


def read_tables(
    path: str | Path, statement: Statement, required: Sequence[str]
) -> tuple[list[tuple[LineSettings, TableLines]], list[str]]:
    """Read the tables `[[line]]` of a file.

    Parameters
    ----------
    path : str or path
        Of the file, for what is told.
    statement : Statement
        What stands at `TABLE` in it, with its tables.
    required : sequence of str
        What each line has to say, out of name, channels and instruments.

    Returns
    -------
    lines : list of (LineSettings, TableLines)
        In their order, those only that can be used, and where each stands.
    problems : list of str
        What is wrong, a line each, in the order of the file: FILE:LINE, what was got and what was expected.
    """
    lines: list[tuple[LineSettings, TableLines]] = []
    problems: list[tuple[int, str]] = []  # with the line of the file
    begun: dict[str, int] = {}  # where each name was given
    for table, place in zip(statement.value, statement.tables, strict=True):
        faults = _faults(table, required)
        if "name" not in faults:
            name = in_one_form(table["name"])
            if (before := begun.setdefault(name, place.line)) != place.line:
                faults["name"] = f"{written(name)} is the name of the line on line {before}, too"
        problems += [(place.lines.get(key, place.line), said) for key, said in faults.items()]
        if not faults:
            lines.append((_line(table), place))
    return lines, [f"{path}:{line}: {said}" for line, said in sorted(problems)]


def parse_line(text: str) -> LineSettings:
    """Read the short form of a line: NAME=CHANNELS[:INSTRUMENTS], as in ``Anna=3:violin`` or ``Drums=5-8``.

    Raises
    ------
    ConfigError
        When it is none.
    """
    found = re.fullmatch(
        r"\s*(?P<name>[^=]*?)\s*=\s*(?P<channels>[\d,\s-]+?)\s*(:(?P<instruments>.*))?", text, re.DOTALL
    )
    if found is None:
        raise ConfigError(f"a line is {written(text)}; expected NAME=CHANNELS[:INSTRUMENTS], such as Anna=3:violin")
    instruments = None if found["instruments"] is None else tuple(map(in_one_form, split_names(found["instruments"])))
    return LineSettings(in_one_form(found["name"]), tuple(_channels(found["channels"])), instruments)


def changed(line: LineSettings | None, changes: Mapping[str, Any]) -> LineSettings:
    """Change some of what a line is.

    Parameters
    ----------
    line : LineSettings or None
        None for a new one.
    changes : mapping of str to Any
        As a table of a file has it; None for what all lines have.

    Raises
    ------
    ConfigError
        When something cannot be used. The text names the line and what was expected.
    """
    told = {key: value for key, value in changes.items() if value is not None or key in ("name", "channels")}
    faults = _faults(told, () if line is not None else ("name", "channels"))
    if faults:
        of = f"line {written(line.name)}" if line is not None else "the new line"
        raise ConfigError(f"{of}: {next(iter(faults.values()))}")
    if line is None:
        return _line(told)
    new = _line({"name": line.name, "channels": line.channels, **told})  # what is not told has its default there
    return replace(line, **{it.name: getattr(new, it.name) for it in fields(new) if it.name in changes})


def _channels(text: str) -> Iterable[int]:
    """Read channels as 3, as 5,6 or as 5-8."""
    for part in text.split(","):
        found = re.fullmatch(r"\s*(\d{1,4})\s*(-\s*(\d{1,4})\s*)?", part)
        first, last = (0, -1) if found is None else (int(found[1]), int(found[3] or found[1]))
        if last < first:
            raise ConfigError(f"channels is {written(text)}; expected numbers such as 3, 5,6 or 5-8")
        yield from range(first, last + 1)


def _line(table: Mapping[str, Any]) -> LineSettings:
    """Make a line of a table without faults."""
    instruments = table.get("instruments")
    return LineSettings(
        in_one_form(table["name"]),
        tuple(table["channels"]),
        None if instruments is None else tuple(map(in_one_form, instruments)),
        **{key: float(table[key]) for key in RANGES if key in table},
    )


def _faults(table: Mapping[str, Any], required: Sequence[str]) -> dict[str, str]:
    """Say what is wrong with a table, by the key at which it is."""
    faults = {
        key: f"unknown key {written(key)} in [[{TABLE}]]; {values.closest(key, _KEYS)}"
        for key in table
        if key not in _KEYS
    }
    faults |= {key: f"the line has no {key}; {_MISSING[key]}" for key in required if key not in table}
    for key, value in table.items():
        expected = _unfit(key, value)
        if expected is not None:
            faults[key] = f"{key} is {written(value)}; expected {expected}"
    return faults


def _unfit(key: str, value: Any) -> str | None:
    """Say what was expected of the value of a key, if it is not that."""
    match key:
        case "name":
            if not isinstance(value, str) or not value.strip():
                return "a text that is not empty"
            is_fit = len(value) <= _NAME_LENGTH and value.isprintable() and value not in _RESERVED
            return None if is_fit else f"1 to {_NAME_LENGTH} visible characters, and not all or each"
        case "channels":
            return _unfit_channels(value)
        case "instruments":
            if not isinstance(value, list) or not value or not all(isinstance(it, str) and it for it in value):
                return 'a list of names such as ["violin"]'
            return "each name once" if len({*map(in_one_form, value)}) < len(value) else None
        case key if key in RANGES:
            if isinstance(value, bool) or not isinstance(value, int | float):
                return "a number"
            return RANGES[key](value)
    return None


def _unfit_channels(value: Any) -> str | None:
    if not isinstance(value, list) or not value or not all(type(it) is int for it in value):
        return "a list of numbers such as [3]"
    if not all(1 <= it <= MAX_CHANNELS for it in value):
        return f"numbers from 1 to {MAX_CHANNELS}"
    return "each channel once" if len(set(value)) < len(value) else None
