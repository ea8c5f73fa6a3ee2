"""The fields of a settings dataclass: of which type they are, what their values have to be, how those are written."""

from __future__ import annotations

import dataclasses
import functools
import json
import typing
from typing import Any, Final, Literal, NamedTuple

from stream.errors import ConfigError

_SHOWN: Final = 80
"""Characters of a value in a message, at the most."""


class Range(NamedTuple):
    """From the least to the most, both of them included; beside a field by `typing.Annotated`."""

    least: float
    most: float

    def __call__(self, value: float) -> str | None:
        """Say what was expected, if the value is not within."""
        return None if self.least <= value <= self.most else f"{self.least} to {self.most}"


class Example(NamedTuple):
    """What a message shows of a field that takes several texts; beside it by `typing.Annotated`."""

    text: str


class Secret:
    """Says beside a field, by `typing.Annotated`, that its value is never told."""


class Field(NamedTuple):
    """One field of a settings dataclass, as it is declared there."""

    name: str
    default: Any
    hint: Any
    """Its type, without what stands beside it."""
    annotations: tuple[Any, ...]
    """What stands beside its type: rules are called with a value, and return what was expected if it is not that."""

    @property
    def is_secret(self) -> bool:
        """Whether its value is never told."""
        return any(isinstance(it, Secret) for it in self.annotations)

    @property
    def example(self) -> str | None:
        """One of the texts of which it takes several."""
        return next((it.text for it in self.annotations if isinstance(it, Example)), None)

    def unfit(self, value: Any) -> str | None:
        """Say what was expected of a value of the right type, if it is not that. A default is always right."""
        if value is None or value == self.default:
            return None
        if value == "":
            return "a text that is not empty"
        if value == ():
            return "at least one name"
        if typing.get_origin(self.hint) is Literal and value not in (choices := typing.get_args(self.hint)):
            return " or ".join(map(_written, choices))
        return next((said for rule in self.annotations if callable(rule) and (said := rule(value)) is not None), None)

    def written(self, value: object) -> str:
        """Write a value as TOML has it, shortened, and never a secret."""
        return "(hidden)" if self.is_secret and value is not None else written(value)


@functools.cache
def fields(declaration: type) -> tuple[Field, ...]:
    """Return the fields of a settings dataclass, in their order."""
    hints = typing.get_type_hints(declaration, include_extras=True)
    found = []
    for it in dataclasses.fields(declaration):
        hint = hints[it.name]
        annotations = getattr(hint, "__metadata__", ())
        found.append(Field(it.name, it.default, hint.__origin__ if annotations else hint, annotations))
    return tuple(found)


def check(settings: Any) -> None:
    """See whether all values of a settings dataclass are what its fields say; for its `__post_init__`.

    Raises
    ------
    ConfigError
        When one is not. The text names the field, its value and what was expected.
    """
    declaration: type = type(settings)
    for field in fields(declaration):
        value = getattr(settings, field.name)
        if (expected := field.unfit(value)) is not None:
            raise ConfigError(f"{field.name} is {field.written(value)}; expected {expected}")


def written(value: object) -> str:
    """Write a value as TOML has it, shortened."""
    return short(_written(value))


def short(text: str) -> str:
    """Shorten a text for a message."""
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."


def _written(value: object) -> str:
    match value:
        case None:
            return "none"
        case bool():
            return str(value).lower()
        case int() if abs(value) >= 1 << 64:
            return "a huge number"  # of more digits, perhaps, than Python likes to write
        case str():
            return json.dumps(value, ensure_ascii=False)
        case list() | tuple():
            return f"[{', '.join(map(_written, value[:_SHOWN]))}]"
        case dict():
            return "a table"
        case _:
            return str(value)
