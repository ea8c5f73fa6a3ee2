"""What the fields of a request hold, or the error that says what was expected."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any, Final

from stream.errors import ProtocolError
from stream.system.names import in_one_form

_CONTROLS: Final = re.compile("[\\x00-\\x1f\\x7f-\\x9f\\u2028\\u2029]+")
_DIRECTIONS: Final = re.compile("[\\u202a-\\u202e\\u2066-\\u2069]")  # they write what follows the other way round


def number(value: object, key: str, least: float, most: float) -> float:
    """Return a number within limits; `key` is what its field is called."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value <= most:
        limits = f"a number of at least {least:g}" if math.isinf(most) else f"a number from {least:g} to {most:g}"
        raise bad(f"{key} is {short(value)}; expected {limits}")
    return float(min(value, 1e9))


def text(fields: Mapping[str, Any], key: str, length: int) -> str:
    """Return a text of one to so many characters."""
    value = fields.get(key)
    if not isinstance(value, str) or not 1 <= len(value) <= length:
        raise bad(f"{key} is {short(value)}; expected a text of 1 to {length} characters")
    try:
        value.encode()  # JSON can spell half a surrogate pair, which no frame can carry
    except UnicodeEncodeError as error:
        raise bad(f"{key} holds half a surrogate pair") from error
    return value


def one_line(fields: Mapping[str, Any], key: str, length: int) -> str:
    """Return a text as one line that is only what it looks like: it is shown to all, and written into files."""
    value = fields.get(key)
    fields = {**fields, key: in_one_form(value) if isinstance(value, str) else value}
    line = _CONTROLS.sub(" ", _DIRECTIONS.sub("", text(fields, key, length))).strip()
    if not line:
        raise bad(f"{key} is {short(fields[key])}; expected visible characters")
    return line


def bad(message: str) -> ProtocolError:
    """Make the error for a request that cannot be used."""
    return ProtocolError("bad-message", message)


def short(value: object) -> str:
    """Write what a client sent, or its beginning."""
    written = ascii(value)
    return written if len(written) <= 60 else written[:57] + "..."
