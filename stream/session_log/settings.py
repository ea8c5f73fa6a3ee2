"""Whether, where and how much of what was heard is kept."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final

from stream.system.fields import Range, check

_NAME: Final = "sessions.db"


@dataclass(frozen=True, slots=True)
class SessionLogSettings:
    """Whether, where and how much of what was heard is kept.

    Raises
    ------
    ConfigError
        When a value cannot be used. The text names it and what was expected.
    """

    file: str | None = None
    """File of the session log, or `off`; in the folder for such things without it."""
    days: Annotated[int, Range(1, 36_500)] = 90
    """Age of the oldest that is kept, in days."""
    megabytes: Annotated[int, Range(2, 100_000)] = 64
    """Size at the most, in MiB."""

    def __post_init__(self) -> None:
        check(self)

    @property
    def is_off(self) -> bool:
        """Whether nothing is kept."""
        return self.file == "off"

    def path(self, variables: Mapping[str, str]) -> Path:
        """Where the log is, if there is one; for the variables see `default_path`."""
        return Path(self.file or default_path(variables))


def default_path(variables: Mapping[str, str]) -> Path:
    """Where the log is unless somebody says otherwise: in systemd's state folder of the service, or in the user's."""
    if folder := variables.get("STATE_DIRECTORY"):
        return Path(folder.partition(":")[0]) / _NAME
    home = Path(variables.get("HOME", "~")).expanduser()
    return Path(variables.get("XDG_STATE_HOME") or home / ".local" / "state") / "soloist" / _NAME
