"""The settings that somebody may choose while the service runs, and what such a choice makes of them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from stream.errors import ConfigError
from stream.settings import values
from stream.settings.lines import MOST, TABLE, LineSettings, LinesSettings, changed
from stream.settings.settings import Settings, declared
from stream.system.fields import written
from stream.system.names import in_one_form, join_names

CHOSEN: Final[tuple[str, ...]] = ("device", "channel", "instruments", "hop", "gate", "threshold", "model")
"""Names of the settings that can be chosen; and the lines. No secret is among them, and nothing that names a file."""
_TEXT_LENGTH: Final = 200


def choose(
    settings: Settings,
    lines: Sequence[LineSettings],
    chosen: Mapping[str, Any],
    changes: Sequence[Mapping[str, Any]],
    models: Collection[str],
) -> Settings:
    """Change some of the settings.

    Parameters
    ----------
    settings : Settings
    lines : sequence of LineSettings
        The present lines, with those of every channel.
    chosen : mapping of str to Any
        What is to be another, by its name, as JSON has it; None for the default.
    changes : sequence of mapping
        For each line that is to be another: `line`, its name now, and what changes; without `line` a new one; with
        `remove` true it goes.
    models : collection of str
        Those that may be chosen: a client cannot name files.

    Raises
    ------
    ConfigError
        When something cannot be used. The text is one line: what it is, and what was expected.
    """
    told: dict[str, dict[str, Any]] = {}
    for name, value in chosen.items():
        if name not in CHOSEN:
            raise ConfigError(f"{ascii(name)[:60]} cannot be chosen; expected some of {', '.join(CHOSEN)}")
        setting = declared()[name]
        told.setdefault(setting.room, {})[setting.field.name] = _value(name, value, models)
    rooms = {room: replace(getattr(settings, room), **fields) for room, fields in told.items()}
    if changes:
        rooms["lines"] = LinesSettings(_lines(lines, changes))
    return replace(settings, **rooms)


def different(new: Settings, old: Settings) -> list[str]:
    """Return the names of the settings that can be chosen and that differ; `line` for the lines."""
    names = [name for name in CHOSEN if declared()[name].of(new) != declared()[name].of(old)]
    return names if new.lines == old.lines else [*names, TABLE]


def with_those_of(settings: Settings, other: Settings) -> Settings:
    """Return settings with all that can be chosen as others have it."""
    told: dict[str, dict[str, Any]] = {}
    for name in CHOSEN:
        setting = declared()[name]
        told.setdefault(setting.room, {})[setting.field.name] = setting.of(other)
    rooms = {room: replace(getattr(settings, room), **fields) for room, fields in told.items()}
    return replace(settings, **rooms, lines=other.lines)


def limits() -> dict[str, tuple[float, float]]:
    """Return the least and the most of each setting that is a number; of lines, `gain` besides."""
    from stream.settings.lines import RANGES
    from stream.system.fields import Range

    found = {"gain": (RANGES["gain"].least, RANGES["gain"].most)}
    for name in CHOSEN:
        for rule in declared()[name].field.annotations:
            if isinstance(rule, Range):
                found[name] = (rule.least, rule.most)
    return found


def _value(name: str, value: Any, models: Collection[str]) -> Any:
    field = declared()[name].field
    if value is None:
        return field.default
    value, is_it = values.convert(value, field.hint)
    expected = field.unfit(value) if is_it else values.words(field)
    if expected is None and isinstance(value, str):
        value = in_one_form(value)
        if len(value) > _TEXT_LENGTH or not value.isprintable():
            expected = f"at most {_TEXT_LENGTH} visible characters"
        elif name == "model" and value not in models:
            expected = f"one of {join_names(sorted(models))}"
    if expected is not None:
        raise ConfigError(f"{name} is {written(value)}; expected {expected}")
    return value


def _lines(lines: Sequence[LineSettings], changes: Sequence[Mapping[str, Any]]) -> tuple[LineSettings, ...]:
    names = [line.name for line in lines]
    found: dict[str | int, LineSettings | None] = {line.name: line for line in lines}
    for number, change in enumerate(changes):
        name = change.get("line")
        if name is not None and (not isinstance(name, str) or in_one_form(name) not in names):
            known = join_names(names) if names else "none: it is one sound"
            raise ConfigError(f"there is no line {written(name)}; known are {known}")
        told = {key: value for key, value in change.items() if key not in ("line", "remove")}
        if name is None:
            found[number] = changed(None, told)
        elif change.get("remove") is True:
            found[in_one_form(name)] = None
        else:
            key = in_one_form(name)
            found[key] = changed(found[key], told)
    arranged = tuple(line for line in found.values() if line is not None)
    if len(arranged) > MOST:
        raise ConfigError(f"{len(arranged)} lines; expected {MOST} at the most")
    twice = next((it.name for it in arranged if sum(other.name == it.name for other in arranged) > 1), None)
    if twice is not None:
        raise ConfigError(f"two lines are called {written(twice)}; expected a name for each")
    return arranged
