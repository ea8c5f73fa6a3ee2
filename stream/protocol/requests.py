"""What a client may say, and what a subscription lets through; without any I/O."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from stream.errors import ProtocolError
from stream.protocol.messages import Change, Guess, Label, Level, Message, Segment

TYPES: Final = frozenset({"label", "change", "segment", "guess", "level", "spectrum", "status", "outage", "mark"})
"""What can be subscribed to."""
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
    """Messages of type `label` and of type `level` a second at the most; None for all."""


@dataclass(frozen=True, slots=True)
class GetHistory:
    """Asks for what was heard lately."""

    seconds: float


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


def parse(data: str | bytes, instruments: Collection[str]) -> Request:
    """Read what a client sent.

    Parameters
    ----------
    data : str or bytes
        One frame.
    instruments : collection of str
        Those that may be subscribed to.

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
            return _subscribe(fields, instruments)
        case "history":
            return GetHistory(_number(fields.get("seconds"), "seconds", 0.0, math.inf))
        case "mark":
            return SetMark(_line(fields, "text", MARK_LENGTH), _number(fields.get("ago", 0.0), "ago", 0.0, MARK_AGO))
        case "ping":
            return Ping()
        case other:
            raise ProtocolError("unknown-type", f"type is {other[:40]!r}; expected subscribe, history, mark or ping")


def _subscribe(fields: dict[str, Any], instruments: Collection[str]) -> Subscribe:
    types = _names(fields, "types", TYPES)
    rate = fields.get("max_rate")
    return Subscribe(
        types=DEFAULT_TYPES if types is None else types,
        instruments=_names(fields, "instruments", instruments),
        min_confidence=_number(fields.get("min_confidence", 0.0), "min_confidence", 0.0, 1.0),
        max_rate=None if rate is None else _number(rate, "max_rate", 0.001, 1000.0),
    )


def _names(fields: dict[str, Any], key: str, known: Collection[str]) -> frozenset[str] | None:
    value = fields.get(key)
    if value is None:
        return None
    if not isinstance(value, list) or not all(isinstance(name, str) for name in value):
        raise _bad(f"{key} is {_short(value)}; expected a list of texts")
    strange = sorted(set(value) - set(known))
    if strange:
        raise _bad(f"{key} name {_short(strange[0])}; expected some of {', '.join(sorted(known))}")
    return frozenset(value)


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
    line = _CONTROLS.sub(" ", _DIRECTIONS.sub("", _text(fields, key, length))).strip()
    if not line:
        raise _bad(f"{key} is {_short(fields[key])}; expected something to be read")
    return line


def _refuse(constant: str) -> float:
    raise ValueError(f"{constant} is no JSON")


def _bad(message: str) -> ProtocolError:
    return ProtocolError("bad-message", message)


def _short(value: object) -> str:
    text = ascii(value)
    return text if len(text) <= 60 else text[:57] + "..."


class Filter:
    """Decides, message by message, what one subscriber gets.

    What does not match the wanted instruments and confidence is held back, except the first message that says that
    something matching has ended.

    Parameters
    ----------
    subscription : Subscribe
    """

    def __init__(self, subscription: Subscribe) -> None:
        self.subscription = subscription
        self._shown: set[str] = set()  # types whose last message to pass was a matching one
        self._sent: dict[str, float] = {}  # stream time of the last message of a limited type

    def admits(self, message: Message, confidence: float = 0.0) -> bool:
        """Whether the subscriber gets this message; to be asked once for each.

        Parameters
        ----------
        message : Message
            Of any type.
        confidence : float
            For a change, which carries none: that of its hop.
        """
        wanted = self.subscription
        if message.type in TYPES and message.type not in wanted.types:
            return False
        match message:
            case Label():
                return self._passes("label", self._matches(message.label, message.confidence), message)
            case Change():
                return self._passes("change", self._matches(message.label, confidence))
            case Segment() | Guess():
                return self._matches(message.label, message.confidence)
            case Level():
                return not self._too_soon(message)
            case _:
                return True

    def begin(self, label: Label | None) -> None:
        """Take note of the label that the subscriber is told first, whatever it says.

        Parameters
        ----------
        label : Label or None
            None when there is none yet; then the next one passes whatever it says.
        """
        if label is None:
            self._shown = {"label"}
            return
        self._too_soon(label)
        # The end of what it is told now is news, as a label and as a change.
        self._shown = {"label", "change"} if self._matches(label.label, label.confidence) else set()

    def _passes(self, kind: str, matches: bool, limited: Label | None = None) -> bool:
        """Whether a message matches, or is the first that does not."""
        if not (matches or kind in self._shown) or (limited is not None and self._too_soon(limited)):
            return False
        (self._shown.add if matches else self._shown.discard)(kind)
        return True

    def _matches(self, label: str | None, confidence: float) -> bool:
        wanted = self.subscription
        return confidence >= wanted.min_confidence and (wanted.instruments is None or label in wanted.instruments)

    def _too_soon(self, message: Label | Level) -> bool:
        """Whether the last one of its type passed too short a time ago; if not, this is the last one from now on."""
        rate = self.subscription.max_rate
        last = self._sent.get(message.type)
        # A sample's length of tolerance, for times are multiples of hops and rates are not.
        if rate is not None and last is not None and 0 <= message.time - last < 1 / rate - 1e-4:
            return True
        self._sent[message.type] = message.time
        return False
