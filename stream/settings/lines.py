"""What the lines of a service are: their channels, and what is their own of what all have otherwise."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from stream.audio.pcm import MAX_CHANNELS
from stream.errors import ConfigError
from stream.settings import values
from stream.system.fields import written
from stream.system.names import in_one_form, split_names

EACH: Final = "each"
"""What is said in place of a line for one of every channel."""
MOST: Final = 64
"""Lines at the most."""
_NAME_LENGTH: Final = 60
_RESERVED: Final = frozenset({"all", EACH})
_RANGES: Final = {"gate": (-120.0, 0.0), "gain": (-60.0, 60.0), "threshold": (0.0, 1.0)}
_SHORT: Final = re.compile(r"\s*(?P<name>[^=]*?)\s*=\s*(?P<channels>[\d,\s-]+?)\s*(:(?P<instruments>.*))?", re.DOTALL)
_KEYS: Final = ("name", "channels", "instruments", *_RANGES)


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
        if not 1 <= len(self.name) <= _NAME_LENGTH or not self.name.isprintable() or self.name in _RESERVED:
            raise ConfigError(
                f"name is {written(self.name)}; expected 1 to {_NAME_LENGTH} visible characters, and not all or each"
            )
        if not self.channels or len({*self.channels}) < len(self.channels):
            raise ConfigError(f"channels is {written(self.channels)}; expected one or more, each once")
        for channel in self.channels:
            if not 1 <= channel <= MAX_CHANNELS:
                raise ConfigError(f"channels has {channel}; expected 1 to {MAX_CHANNELS}")
        if self.instruments == ():
            raise ConfigError("instruments is []; expected at least one name")
        for key, (least, most) in _RANGES.items():
            value = getattr(self, key)
            if value is not None and not least <= value <= most:
                raise ConfigError(f"{key} is {written(value)}; expected {least:g} to {most:g}")


@dataclass(frozen=True, slots=True)
class LinesSettings:
    """All lines; none where the source is one sound."""

    lines: tuple[LineSettings, ...] = ()
    each: bool = False
    """Whether every channel of the source is a line, named by its number."""

    def __bool__(self) -> bool:
        return self.each or bool(self.lines)


@dataclass(slots=True)
class LinesReading:
    """Lines as they are read one after the other, and what is wrong with them."""

    lines: list[LineSettings] = field(default_factory=list)
    each: bool = False
    problems: list[str] = field(default_factory=list)
    """A line each, with its place."""

    def add(self, place: str, table: Mapping[str, Any]) -> None:
        """Read a line as TOML has it."""
        if strange := [key for key in table if key not in _KEYS]:
            self.problems.append(
                f"{place}: unknown setting {written(strange[0])} of a line; {values.closest(strange[0], _KEYS)}"
            )
            return
        try:
            self._put(place, _line(table))
        except ConfigError as error:
            self.problems.append(f"{place}: {error}")

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


def _channels(text: str) -> Iterable[int]:
    """Read channels as 3, as 5,6 or as 5-8."""
    for part in text.split(","):
        found = re.fullmatch(r"\s*(\d{1,4})\s*(-\s*(\d{1,4})\s*)?", part)
        first, last = (0, -1) if found is None else (int(found[1]), int(found[3] or found[1]))
        if last < first:
            raise ConfigError(f"channels is {written(text)}; expected numbers such as 3, 5,6 or 5-8")
        yield from range(first, last + 1)


def _line(table: Mapping[str, Any]) -> LineSettings:
    name, channels, instruments = table.get("name"), table.get("channels"), table.get("instruments")
    if not isinstance(name, str):
        raise ConfigError(f"name is {written(name)}; expected a text in quotes")
    if not isinstance(channels, list) or not all(isinstance(it, int) and not isinstance(it, bool) for it in channels):
        raise ConfigError(f"channels is {written(channels)}; expected a list of numbers such as [3]")
    if instruments is not None and not (
        isinstance(instruments, list) and all(isinstance(it, str) for it in instruments)
    ):
        raise ConfigError(f'instruments is {written(instruments)}; expected a list of texts such as ["violin"]')
    numbers = {key: table[key] for key in _RANGES if key in table}
    for key, value in numbers.items():
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise ConfigError(f"{key} is {written(value)}; expected a number")
    return LineSettings(
        in_one_form(name),
        tuple(channels),
        None if instruments is None else tuple(map(in_one_form, instruments)),
        **{key: float(value) for key, value in numbers.items()},
    )
