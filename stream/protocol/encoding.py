"""The one encoding of messages: JSON, one object in each text frame."""

from __future__ import annotations

import collections.abc
import dataclasses
import functools
import json
import math
import types
import typing
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final

from stream.errors import ProtocolError
from stream.protocol.messages import PROTOCOL, History, Message, Origin

_CLASSES: Final[dict[str, type[Message]]] = {cls.type: cls for cls in typing.get_args(Message)}

_LEFT_OUT: Final = frozenset({"line", "lines", "control", "taught"})
"""Fields that a message does not have where they say nothing."""
_ENCODER: Final = json.JSONEncoder(separators=(",", ":"), allow_nan=False)


def encode(message: Message | Origin) -> str:
    """Encode a message as the text of one WebSocket frame, or a part of one.

    Numbers are rounded to four digits after the point: a tenth of a millisecond, a hundredth of a percent.

    Raises
    ------
    ValueError
        When a number is infinite or none.
    """
    return _ENCODER.encode(_plain(message))


def encode_history(
    segments: Iterable[str],
    guesses: Iterable[str],
    marks: Iterable[str],
    outages: Iterable[str],
    origins: Iterable[str] = (),
) -> Iterator[str]:
    """Encode a `History` whose parts are encoded already; what it yields makes the text together."""
    before = '{"type":"history",'
    for name, parts in zip(_names(History), (segments, guesses, marks, outages, origins), strict=True):
        yield f'{before}"{name}":['
        for number, part in enumerate(parts):
            yield f",{part}" if number else part
        before = "],"
    yield "]}"


def decode(text: str | bytes) -> Message | None:
    """Decode what a server sent, ignoring fields that this version does not know.

    Returns
    -------
    Message or None
        None for a type that this version does not know.

    Raises
    ------
    ProtocolError
        When the text is not a message, lacks a field, or has a field of another kind than expected.
    """
    try:
        fields = json.loads(text)
        cls = _CLASSES.get(fields["type"])
        return None if cls is None else typing.cast(Message, _build(cls, fields))
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise ProtocolError("bad-message", f"not a message of protocol {PROTOCOL}: {error!r}") from error


def _plain(value: Any) -> Any:
    """Turn a message, or a part of one, into what the json module writes."""
    if isinstance(value, float):
        if not math.isfinite(value):
            raise ValueError(f"{value} cannot be written as JSON")
        return round(value, 4)
    if value is None or isinstance(value, str | int):
        return value
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if dataclasses.is_dataclass(value):
        # A message within a message says what it is, too; `Heard` is none and has no type.
        plain = {"type": value.type} if hasattr(value, "type") else {}
        kind: Any = type(value)
        for name in _names(kind):
            item = getattr(value, name)
            if item or name not in _LEFT_OUT:
                plain[name] = _plain(item)
        return plain
    return [_plain(item) for item in value]


@functools.cache
def _names(cls: Any) -> tuple[str, ...]:
    return tuple(field.name for field in dataclasses.fields(cls))


def _build(cls: Any, fields: Any) -> Any:
    """Make a message, or a part of one, of what the json module read."""
    if not isinstance(fields, dict):
        raise TypeError(f"expected an object with the fields of {cls.__name__}")
    values = {}
    for name, read, is_required in _readers(cls):
        if is_required or name in fields:
            try:
                values[name] = read(fields[name])
            except TypeError as error:
                raise TypeError(f"{cls.__name__}: {name} is {ascii(fields[name])[:60]}") from error
    return cls(**values)


@functools.cache
def _readers(cls: Any) -> list[tuple[str, Callable[[Any], Any], bool]]:
    """Return the name of each field, what takes its value, and whether it must be there."""
    hints = typing.get_type_hints(cls)
    return [
        (field.name, _reader(hints[field.name]), field.default is dataclasses.MISSING)
        for field in dataclasses.fields(cls)
    ]


def _reader(hint: Any) -> Callable[[Any], Any]:
    """Return what takes a value of the kind that a field has, and raises TypeError for another one."""
    if dataclasses.is_dataclass(hint):
        return functools.partial(_build, hint)
    arguments = typing.get_args(hint)
    match typing.get_origin(hint):
        case types.UnionType:
            (inner,) = (_reader(it) for it in arguments if it is not types.NoneType)
            return lambda value: None if value is None else inner(value)
        case collections.abc.Sequence:
            item = _reader(arguments[0])
            return lambda value: [item(it) for it in _only(value, list)]
        case collections.abc.Mapping:
            item = _reader(arguments[1])
            return lambda value: {key: item(it) for key, it in _only(value, dict).items()}
        case typing.Literal:
            return lambda value: _only(value, str)  # a later server may know more of them
    kinds = (int, float) if hint is float else hint
    return lambda value: _only(value, kinds)


def _only(value: Any, kinds: Any) -> Any:
    """Return a value of these kinds; to Python, a truth value is a number."""
    if not isinstance(value, kinds) or (isinstance(value, bool) and kinds is not bool):
        raise TypeError
    return value
