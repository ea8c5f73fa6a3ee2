"""Other settings for a service that runs: what they can change, and what only the next start can."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from stream.settings.settings import Settings

_FIXED: Final = ("input", "device", "wait", "channel", "pcm", "loop", "host", "port")  # as long as the service runs
_HEARING: Final = ("hop", "gate", "instruments", "runtime", "threads")  # beside the model
_LOG: Final = ("session_log", "session_log_days", "session_log_megabytes")


def possible(old: Settings, new: Settings) -> tuple[Settings, list[str]]:
    """Leave out of other settings what cannot change while the service runs.

    Returns
    -------
    settings : Settings
        The others, with what must stay as it is.
    later : list of str
        Names of those that change with the next start only.
    """
    later = [name for name in _FIXED if getattr(new, name) != getattr(old, name)]
    new = replace(new, **{name: getattr(old, name) for name in later})
    if (new.certificate is None) != (old.certificate is None):  # the port is open, with TLS or without
        return replace(new, certificate=old.certificate, key=old.key), [*later, "certificate"]
    return new, later


def changes_hearing(old: Settings, new: Settings) -> bool:
    """Whether labels will be others, though the model be the same."""
    return any(getattr(new, name) != getattr(old, name) for name in _HEARING)


def changes_log(old: Settings, new: Settings) -> bool:
    """Whether the session log will be another."""
    return any(getattr(new, name) != getattr(old, name) for name in _LOG)
