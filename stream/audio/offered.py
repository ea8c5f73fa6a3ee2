"""The inputs that there are now, looked for in a process of its own: a stream that runs is not disturbed.

PortAudio looks for devices only when it starts, which would end the streams that it has; and what it asks may hang.
"""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Final, NamedTuple

from stream.audio.devices import is_called, list_devices
from stream.audio.sound_server import SERVERS, default_input
from stream.errors import SoloistError, SourceLostError

ANSWER_SECONDS: Final = 10.0
"""Time that the process has."""


class OfferedDevice(NamedTuple):
    """An input as it can be chosen."""

    name: str
    channels: int
    """Those that it really has, where a sound server says so."""
    default: bool


def offered_devices(timeout: float = ANSWER_SECONDS) -> list[OfferedDevice]:
    """List the inputs that there are now; what another program has to itself may be missing.

    Parameters
    ----------
    timeout : float
        Seconds that the sound system has to answer.

    Raises
    ------
    SourceLostError
        When it does not say, or not in time.
    """
    command = [sys.executable, "-m", "stream.audio.offered"]
    try:
        asked = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=timeout)
        found = json.loads(asked.stdout)
    except subprocess.TimeoutExpired:
        raise SourceLostError("the sound system does not answer") from None
    except (OSError, ValueError) as error:
        raise SourceLostError("the sound system lists no devices") from error
    if isinstance(found, str):
        raise SourceLostError(found)
    return [OfferedDevice(*it) for it in found]


def is_offered(name: str | None) -> bool:
    """Whether there is an input of this name now, or a default one."""
    return any(it.default if name is None else is_called(name, it.name) for it in offered_devices())


def _look() -> list[OfferedDevice] | str:
    """Return what is offered, or why that is not known; in the process of its own."""
    try:
        devices = list_devices()
        server = default_input() if any(it.name in SERVERS for it in devices) else None
    except SoloistError as error:
        return str(error)
    return [
        OfferedDevice(it.name, server.channels if server and it.name in SERVERS else it.channels, it.default)
        for it in devices
    ]


if __name__ == "__main__":
    sys.stdout.write(json.dumps(_look()))
