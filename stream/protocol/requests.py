"""What a client may ask of the server, as typed requests, and how they are read."""

from __future__ import annotations

import json
import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from stream.errors import ProtocolError
from stream.protocol.control import ControlRequest, parse_control
from stream.protocol.fields import bad, number, one_line, short, text
from stream.system.names import in_one_form, join_names

TYPES: Final = frozenset(
    {
        "label",
        "change",
        "segment",
        "guess",
        "level",
        "spectrum",
        "front",
        "status",
        "outage",
        "mark",
        "teaching",
        "check",
        "settings",
    }
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


Request: TypeAlias = Auth | Subscribe | GetHistory | SetMark | Ping | ControlRequest


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
        raise bad("a binary frame; expected JSON text")
    try:
        fields = json.loads(data, parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        raise bad(f"not JSON: {str(error)[:80]}") from error
    if not isinstance(fields, dict) or not isinstance(fields.get("type"), str):
        raise bad("expected an object with a type")
    match fields["type"]:
        case "auth":
            return Auth(text(fields, "token", 1000))
        case "subscribe":
            return _subscribe(fields, instruments, lines)
        case "history":
            return GetHistory(number(fields.get("seconds"), "seconds", 0.0, math.inf), _lines(fields, lines))
        case "mark":
            return SetMark(one_line(fields, "text", MARK_LENGTH), number(fields.get("ago", 0.0), "ago", 0.0, MARK_AGO))
        case "ping":
            return Ping()
        case other:
            if (asked := parse_control(other, fields, lines)) is not None:
                return asked
            raise ProtocolError("unknown-type", f"type is {other[:40]!r}; expected subscribe, history, mark or ping")


def _subscribe(fields: Mapping[str, Any], instruments: Collection[str], lines: Collection[str]) -> Subscribe:
    types, chosen = _names(fields, "types", TYPES), _lines(fields, lines)
    rate = fields.get("max_rate")
    return Subscribe(
        types=(DEFAULT_TYPES if chosen is None else DEFAULT_TYPES | {"front"}) if types is None else types,
        instruments=_names(fields, "instruments", instruments),
        min_confidence=number(fields.get("min_confidence", 0.0), "min_confidence", 0.0, 1.0),
        max_rate=None if rate is None else number(rate, "max_rate", 0.001, 1000.0),
        lines=chosen,
    )


def _lines(fields: Mapping[str, Any], known: Collection[str]) -> frozenset[str] | None:
    if fields.get("lines") == ALL_LINES:
        return frozenset(known) or None
    names = fields.get("lines")
    if isinstance(names, str) or (names is not None and not known):
        expected = f'"{ALL_LINES}" or a list of texts' if known else f'nothing, or "{ALL_LINES}": there is one line'
        raise bad(f"lines is {short(names)}; expected {expected}")
    return _names(fields, "lines", known)


def _names(fields: Mapping[str, Any], key: str, known: Collection[str]) -> frozenset[str] | None:
    value = fields.get(key)
    if value is None:
        return None
    if not isinstance(value, list) or not all(isinstance(name, str) for name in value):
        raise bad(f"{key} is {short(value)}; expected a list of texts")
    names = frozenset(map(in_one_form, value))
    strange = sorted(names - set(known))
    if strange:
        raise bad(f"{key} name {short(strange[0])}; expected some of {join_names(sorted(known))}")
    return names


def _refuse(constant: str) -> float:
    raise ValueError(f"{constant} is not valid JSON")
