"""What a client may ask that changes the service, where its settings allow that, and how it is read."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from stream.protocol.fields import bad, one_line, short
from stream.system.names import in_one_form, join_names

NAME_LENGTH: Final = 100
"""Characters of a name at the most."""


@dataclass(frozen=True, slots=True)
class Teach:
    """Asks to listen to somebody who plays alone, and to keep that under a name."""

    name: str
    line: str | None = None
    """The line on which they play; None where the service has no lines."""
    like: str | None = None
    """The model's label that it is one of; the service decides without it."""
    apart: bool = False
    """Whether it is to be told from all of the model's labels; then `like` is None."""


@dataclass(frozen=True, slots=True)
class StopTeaching:
    """Asks to be content with what was played so far."""

    discard: bool = False
    """Whether nothing of it is to be kept."""


@dataclass(frozen=True, slots=True)
class CheckLines:
    """Asks to check the lines of the service, anew where that is done already."""


@dataclass(frozen=True, slots=True)
class StopChecking:
    """Asks to check no more."""


@dataclass(frozen=True, slots=True)
class GetSettings:
    """Asks for the settings that can be chosen, and what can be chosen of each."""


@dataclass(frozen=True, slots=True)
class TrySettings:
    """Asks to go on with other settings, for this run. What is not named stays."""

    values: Mapping[str, Any]
    """By their names, as JSON has them; null for the default."""
    lines: Sequence[Mapping[str, Any]] = ()
    """What changes of lines, one object each: `line` is its name now, none of a new one; `remove` takes it away."""


@dataclass(frozen=True, slots=True)
class KeepSettings:
    """Asks to write what is tried into the file of the settings."""


@dataclass(frozen=True, slots=True)
class DiscardSettings:
    """Asks to return to what flags, variables and the file say."""


ControlRequest: TypeAlias = (
    Teach | StopTeaching | GetSettings | TrySettings | KeepSettings | DiscardSettings | CheckLines | StopChecking
)


def parse_control(kind: str, fields: Mapping[str, Any], lines: Collection[str]) -> ControlRequest | None:
    """Read a request that changes the service.

    Parameters
    ----------
    kind : str
        Its type.
    fields : mapping
    lines : collection of str
        Names of the lines; empty for a service without.

    Returns
    -------
    ControlRequest or None
        None where it is no such request.

    Raises
    ------
    ProtocolError
        With code `bad-message`, when a field cannot be used.
    """
    read = _READERS.get(kind)
    return None if read is None else read(fields, lines)


def _teach(fields: Mapping[str, Any], lines: Collection[str]) -> Teach:
    like = None if fields.get("like") is None else one_line(fields, "like", NAME_LENGTH)
    apart = like is not None and like.casefold() == "none"
    return Teach(one_line(fields, "name", NAME_LENGTH), _line(fields, lines), None if apart else like, apart)


def _stop_teaching(fields: Mapping[str, Any], lines: Collection[str]) -> StopTeaching:
    discard = fields.get("discard", False)
    if not isinstance(discard, bool):
        raise bad(f"discard is {short(discard)}; expected true or false")
    return StopTeaching(discard)


def _try_settings(fields: Mapping[str, Any], lines: Collection[str]) -> TrySettings:
    values, changes = fields.get("values", {}), fields.get("lines", [])
    if not isinstance(values, dict):
        raise bad(f"values is {short(values)}; expected an object with settings")
    if not isinstance(changes, list) or not all(isinstance(it, dict) for it in changes):
        raise bad(f"lines is {short(changes)}; expected a list of objects")
    return TrySettings(values, tuple(changes))


def _line(fields: Mapping[str, Any], lines: Collection[str]) -> str | None:
    """Read the name of a line; needed where there are any."""
    line = fields.get("line")
    if line is None and not lines:
        return None
    name = in_one_form(line) if isinstance(line, str) else None
    if name not in lines:
        expected = f"one of {join_names(sorted(lines))}" if lines else "none: there is one line"
        raise bad(f"line is {short(line)}; expected {expected}")
    return name


_READERS: Final[Mapping[str, Callable[[Mapping[str, Any], Collection[str]], ControlRequest]]] = {
    "teach": _teach,
    "stop-teaching": _stop_teaching,
    "check-lines": lambda fields, lines: CheckLines(),
    "stop-checking": lambda fields, lines: StopChecking(),
    "settings": lambda fields, lines: GetSettings(),
    "try-settings": _try_settings,
    "keep-settings": lambda fields, lines: KeepSettings(),
    "discard-settings": lambda fields, lines: DiscardSettings(),
}
