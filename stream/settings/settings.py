"""The settings of all rooms in one object, and the names that they have outside of it."""

from __future__ import annotations

import dataclasses
import functools
import typing
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from stream.audio.settings import AudioSettings
from stream.recognition.settings import RecognitionSettings
from stream.server.settings import ServerSettings
from stream.session_log.settings import SessionLogSettings
from stream.settings.lines import LinesSettings
from stream.system.fields import Field, fields
from stream.system.logs import LoggingSettings

_NAMES: Final = {
    ("session_log", "file"): "session_log",
    ("session_log", "days"): "session_log_days",
    ("session_log", "megabytes"): "session_log_megabytes",
    ("logging", "level"): "log_level",
    ("logging", "format"): "log_format",
}
"""Of flags and variables, where those say more than the field of the room."""


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything that `soloist run` can be told, for each room what is its own."""

    audio: AudioSettings = dataclasses.field(default_factory=AudioSettings)
    recognition: RecognitionSettings = dataclasses.field(default_factory=RecognitionSettings)
    server: ServerSettings = dataclasses.field(default_factory=ServerSettings)
    session_log: SessionLogSettings = dataclasses.field(default_factory=SessionLogSettings)
    logging: LoggingSettings = dataclasses.field(default_factory=LoggingSettings)
    lines: LinesSettings = dataclasses.field(default_factory=LinesSettings)
    """Of a source whose channels are heard one by one; they have tables of their own, `[[line]]`."""


class Setting(NamedTuple):
    """One of them, as it is told from outside."""

    name: str
    """Of its flag and its variable, with underscores in lower case; no two have the same."""
    room: str
    """The field of `Settings` in which it is."""
    field: Field
    """What it is there."""

    def of(self, settings: Settings) -> Any:
        """Return its value."""
        return getattr(getattr(settings, self.room), self.field.name)


@functools.cache
def declared() -> dict[str, Setting]:
    """Return all settings by their names, in the order in which they are declared."""
    found = [
        Setting(_NAMES.get((room, field.name), field.name), room, field)
        for room, declaration in rooms().items()
        for field in fields(declaration)
    ]
    settings = {it.name: it for it in found}
    assert len(settings) == len(found), "two settings have one name: give one of them another in _NAMES"
    return settings


@functools.cache
def rooms() -> dict[str, type]:
    """Return what declares the settings of each room, by its name."""
    return {room: declaration for room, declaration in typing.get_type_hints(Settings).items() if room != "lines"}


def names() -> list[str]:
    """Names of all settings."""
    return list(declared())
