"""Other settings for a service that runs: what they can change, and what only the next start can."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Final

from stream.recognition.settings import RecognitionSettings
from stream.settings.settings import Settings

_FIXED: Final = ("host", "port")  # of the server: as long as the service runs
_CHANGEABLE: Final = ("device", "channel")  # of what is listened to


def changeable(old: Settings, new: Settings) -> tuple[Settings, list[str]]:
    """Leave out of other settings what cannot change while the service runs.

    Returns
    -------
    settings : Settings
        The others, with what must stay as it is.
    later : list of str
        Names of those that change with the next start only.
    """
    audio = replace(old.audio, **{name: getattr(new.audio, name) for name in _CHANGEABLE})
    later = [it.name for it in fields(audio) if getattr(new.audio, it.name) != getattr(audio, it.name)]
    later += [name for name in _FIXED if getattr(new.server, name) != getattr(old.server, name)]
    server = replace(new.server, host=old.server.host, port=old.server.port)
    if (server.certificate is None) != (old.server.certificate is None):  # the port is open, with TLS or without
        server = replace(server, certificate=old.server.certificate, key=old.server.key)
        later.append("certificate")
    return replace(new, audio=audio, server=server), later


def changes_labels(old: RecognitionSettings, new: RecognitionSettings) -> bool:
    """Whether labels will be others, though the model be the same."""
    return new != replace(old, model=new.model)
