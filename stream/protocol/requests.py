"""What a client may ask of the server, as typed requests, and how they are read."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from stream.errors import ProtocolError
from stream.system.names import in_one_form, join_names

TYPES: Final = frozenset(
    {"label", "change", "segment", "guess", "level", "spectrum", "front", "status", "outage", "mark"}
)
"""What can be subscribed to."""
ALL_LINES: Final = "all"
"""What a client says that wants every line."""
DEFAULT_TYPES: Final = frozenset({"label", "change", "segment", "status", "outage", "mark"})
"""What a client gets that does not subscribe."""
MARK_LENGTH: Final = 200
"""Characters of a mark's text at the most."""
MARK_AGO: Final = 600.0
"""Seconds by which a mark may come after its moment."""

_CONTROLS: Final = re.compile("[\\x00-\\x1f\\x7f-\\x9f\\u2028\\u2029]+")
_DIRECTIONS: Final = re.compile("[\\u202a-\\u202e\\u2066-\\u2069]")  # they write what follows the other way round


@dataclass(frozen=True, slots=True)
class Auth:
    """Says who is asking; the first message where the server requires a token."""

    token: str


@dataclass(frozen=True, slots=True)
class Subscribe:
    """Replaces the former subscription."""

    types: frozenset[str] = DEFAULT_TYPES
    instruments: frozenset[str] | None = None
    """Only these are of interest; None for all, and for silence and the unknown too."""
    min_confidence: float = 0.0
    max_rate: float | None = None
    """Messages of type `label` and of type `level` a second at the most, of each line; None for all."""
    lines: frozenset[str] | None = None
    """These lines, each for itself; None for the one in front."""


@dataclass(frozen=True, slots=True)
class GetHistory:
    """Asks for what was heard lately."""

    seconds: float
    lines: frozenset[str] | None = None
    """On these lines, each for itself; None for the one in front."""


@dataclass(frozen=True, slots=True)
class SetMark:
    """Sets a note to this moment, or to one just passed."""

    text: str
    ago: float = 0.0
    """Seconds: whoever writes a note writes it after the moment that it is about."""


@dataclass(frozen=True, slots=True)
class Ping:
    """Asks for a `pong`."""


Request: TypeAlias = Auth | Subscribe | GetHistory | SetMark | Ping


def parse(data: str | bytes, instruments: Collection[str], lines: Collection[str] = ()) -> Request:
    """Read what a client sent.

    Parameters
    ----------
    data : str or bytes
        One frame.
    instruments : collection of str
        Those that may be subscribed to.
    lines : collection of str
        The same; empty for a service without lines, of which all lines are the one that it has.

    Returns
    -------
    Request

    Raises
    ------
    ProtocolError
        With code `unknown-type`, or `bad-message` for everything else. The text says what was got and what was
        expected.
    """
    if isinstance(data, bytes):
        raise _bad("a binary frame; expected JSON text")
    try:
        fields = json.loads(data, parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        raise _bad(f"not JSON: {str(error)[:80]}") from error
    if not isinstance(fields, dict) or not isinstance(fields.get("type"), str):
        raise _bad("expected an object with a type")
    match fields["type"]:
        case "auth":
            return Auth(_text(fields, "token", 1000))
        case "subscribe":
            return _subscribe(fields, instruments, lines)
        case "history":
            return GetHistory(_number(fields.get("seconds"), "seconds", 0.0, math.inf), _lines(fields, lines))
        case "mark":
            return SetMark(_line(fields, "text", MARK_LENGTH), _number(fields.get("ago", 0.0), "ago", 0.0, MARK_AGO))
        case "ping":
            return Ping()
        case other:
            raise ProtocolError("unknown-type", f"type is {other[:40]!r}; expected subscribe, history, mark or ping")


def _subscribe(fields: dict[str, Any], instruments: Collection[str], lines: Collection[str]) -> Subscribe:
    types, chosen = _names(fields, "types", TYPES), _lines(fields, lines)
    rate = fields.get("max_rate")
    return Subscribe(
        types=(DEFAULT_TYPES if chosen is None else DEFAULT_TYPES | {"front"}) if types is None else types,
        instruments=_names(fields, "instruments", instruments),
        min_confidence=_number(fields.get("min_confidence", 0.0), "min_confidence", 0.0, 1.0),
        max_rate=None if rate is None else _number(rate, "max_rate", 0.001, 1000.0),
        lines=chosen,
    )


def _lines(fields: dict[str, Any], known: Collection[str]) -> frozenset[str] | None:
    if fields.get("lines") == ALL_LINES:
        return frozenset(known) or None
    names = fields.get("lines")
    if isinstance(names, str) or (names is not None and not known):
        expected = f'"{ALL_LINES}" or a list of texts' if known else f'nothing, or "{ALL_LINES}": there is one line'
        raise _bad(f"lines is {_short(names)}; expected {expected}")
    return _names(fields, "lines", known)


def _names(fields: dict[str, Any], key: str, known: Collection[str]) -> frozenset[str] | None:
    value = fields.get(key)
    if value is None:
        return None
    if not isinstance(value, list) or not all(isinstance(name, str) for name in value):
        raise _bad(f"{key} is {_short(value)}; expected a list of texts")
    names = frozenset(map(in_one_form, value))
    strange = sorted(names - set(known))
    if strange:
        raise _bad(f"{key} name {_short(strange[0])}; expected some of {join_names(sorted(known))}")
    return names


def _number(value: object, key: str, least: float, most: float) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value <= most:
        limits = f"a number of at least {least:g}" if math.isinf(most) else f"a number from {least:g} to {most:g}"
        raise _bad(f"{key} is {_short(value)}; expected {limits}")
    return float(min(value, 1e9))


def _text(fields: dict[str, Any], key: str, length: int) -> str:
    value = fields.get(key)
    if not isinstance(value, str) or not 1 <= len(value) <= length:
        raise _bad(f"{key} is {_short(value)}; expected a text of 1 to {length} characters")
    try:
        value.encode()  # JSON can spell half a surrogate pair, which no frame can carry
    except UnicodeEncodeError as error:
        raise _bad(f"{key} holds half a surrogate pair") from error
    return value


def _line(fields: dict[str, Any], key: str, length: int) -> str:
    """Return a text as one line that is only what it looks like: it is shown to all, and written into files."""
    text = fields.get(key)
    fields = {**fields, key: in_one_form(text) if isinstance(text, str) else text}
    line = _CONTROLS.sub(" ", _DIRECTIONS.sub("", _text(fields, key, length))).strip()
    if not line:
        raise _bad(f"{key} is {_short(fields[key])}; expected visible characters")
    return line


def _refuse(constant: str) -> float:
    raise ValueError(f"{constant} is not valid JSON")


def _bad(message: str) -> ProtocolError:
    return ProtocolError("bad-message", message)


def _short(value: object) -> str:
    text = ascii(value)
    return text if len(text) <= 60 else text[:57] + "..."
