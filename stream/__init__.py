"""Soloist's service: hears a stage and tells every subscriber which instrument is in front.

What programs use is here, and imported when it is asked for, so that each costs only what it needs:

`Client`
    A subscriber: typed messages from a server, whatever happens to the connection.
`Recognizer`
    Samples in, results out: one stream of audio, without a clock or I/O.
`classify`
    What is in an audio file.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from stream.client import Client
    from stream.recognition.recognizer import Recognizer
    from stream.service.offline import classify

__all__ = ["Client", "Recognizer", "__version__", "classify"]
__version__ = "0.2.0"

_PLACES: Final = {
    "Client": "stream.client",
    "Recognizer": "stream.recognition.recognizer",
    "classify": "stream.service.offline",
}


def __getattr__(name: str) -> Any:
    """Import what is asked for; see PEP 562."""
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    value = globals()[name] = getattr(import_module(_PLACES[name]), name)
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
