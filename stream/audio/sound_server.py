"""The inputs of a sound server, PulseAudio or PipeWire, with the channels that they have.

A sound server fills the channels that a program asks for by their names: of an interface with eight, whose channels are
called `aux0` to `aux7` or something else that the program does not ask for, ALSA's programs get mixtures or zeros. Such
an input is recorded with the server's own program and the input's own names, so that each channel is what it is.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import subprocess
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from stream.audio.block_queue import BlockQueue
from stream.errors import SourceLostError

SERVERS: Final = frozenset({"default", "pulse", "pipewire"})
"""Names under which ALSA offers the default input of such a server."""

_ANSWER_SECONDS: Final = 5.0
_LATENCY_MS: Final = 20
_END_SECONDS: Final = 1.0
_PLAIN_MAPS: Final = ("mono", "front-left,front-right")  # which ALSA's programs get as they are
_INSTALL: Final = "apt-get install pulseaudio-utils"


@dataclass(frozen=True, slots=True)
class ServerInput:
    """An input of a sound server."""

    name: str
    rate: int
    """In Hz."""
    channel_map: str
    """Names of its channels, separated by commas."""

    @property
    def channels(self) -> int:
        """How many it has."""
        return self.channel_map.count(",") + 1

    @property
    def is_plain(self) -> bool:
        """Whether ALSA's programs get its channels as they are."""
        return self.channel_map in _PLAIN_MAPS


def default_input() -> ServerInput | None:
    """Ask the sound server for its default input; None where there is no server, or it does not say.

    Raises
    ------
    SourceLostError
        When the server does not answer.
    """
    if shutil.which("pactl") is None:
        return None
    name = os.environ.get("PULSE_SOURCE") or str((_ask("info") or {}).get("default_source_name"))
    for source in _ask("list", "sources") or ():
        form = re.search(r"(\d+)ch (\d+)Hz", str(source.get("sample_specification")))
        channel_map = source.get("channel_map")
        if source.get("name") == name and form and isinstance(channel_map, str):
            found = ServerInput(name, int(form[2]), channel_map)
            return found if found.channels == int(form[1]) else None
    return None


def find_server_input(device: str, channel: int | None) -> ServerInput | None:
    """Find out whether an input of ALSA's is to be recorded from the sound server itself, and which that is.

    Parameters
    ----------
    device : str
        Name of the input.
    channel : int, optional
        The channel that will be listened to, counted from 1.

    Returns
    -------
    ServerInput or None
        None where ALSA is to be asked.

    Raises
    ------
    SourceLostError
        When the server does not answer, or the input has no such channel, or its channels cannot be told apart.
    """
    if device not in SERVERS:
        return None
    found = default_input()
    if found is None:
        if channel is not None and channel > 2 and shutil.which("pactl") is None and _has_server():
            raise SourceLostError(
                f"channel {channel} of input {device!r} may be another one, which only the sound server knows: "
                f"{_INSTALL}, or choose the card itself (see soloist devices)"
            )
        return None
    if channel is not None and channel > found.channels:
        raise SourceLostError(f"input {device!r} has {found.channels} channels, and no channel {channel}")
    return None if found.is_plain else found


class ServerMicrophone:
    """An open input of a sound server; see `stream.audio.source.Source`.

    Parameters
    ----------
    name : str
        What it is called.
    found : ServerInput

    Raises
    ------
    SourceLostError
        When it cannot be recorded.
    """

    shared = True

    def __init__(self, name: str, found: ServerInput) -> None:
        self.name, self.rate, self.channels = name, found.rate, found.channels
        self.queue = BlockQueue(found.rate)
        command = [
            *("parec", "--raw", "--client-name=Soloist", "--format=float32le", f"--latency-msec={_LATENCY_MS}"),
            *(f"--device={found.name}", f"--rate={found.rate}", f"--channels={found.channels}"),
            *(f"--channel-map={found.channel_map}", "--no-remap", "--no-remix"),
        ]
        try:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                process_group=0,  # what ends us by the terminal's Ctrl-C is no loss of the input
            )
        except OSError as error:
            raise SourceLostError(f"input {name!r} cannot be opened: {error.strerror}: parec ({_INSTALL})") from error
        threading.Thread(target=self._read, name=f"record {name}", daemon=True).start()

    def close(self) -> None:
        """Stop listening."""
        self.queue.close()
        with contextlib.suppress(ProcessLookupError):
            self._process.terminate()
        try:
            self._process.wait(_END_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _read(self) -> None:
        """Queue what is recorded until it ends."""
        assert self._process.stdout is not None
        size = 4 * self.channels
        rest = b""
        with self._process.stdout as pipe:
            while data := os.read(pipe.fileno(), 1 << 16):
                data = rest + data
                whole = len(data) // size * size
                data, rest = data[:whole], data[whole:]
                if data:
                    self.queue.put(np.frombuffer(data, "<f4").reshape(-1, self.channels).astype(np.float32))
        self.queue.close(SourceLostError(f"input {self.name!r} was lost"))


def _has_server() -> bool:
    """Tell whether a sound server runs, without its own programs."""
    home = os.environ.get("XDG_RUNTIME_DIR", f"/run/user/{os.getuid()}")
    sockets = (Path(os.environ.get("PULSE_RUNTIME_PATH", f"{home}/pulse"), "native"), Path(home, "pipewire-0"))
    return "PULSE_SERVER" in os.environ or any(socket.exists() for socket in sockets)


def _ask(*question: str) -> Any:
    """Return what the sound server answers, None where it cannot be asked."""
    try:
        answer = subprocess.run(
            ["pactl", "--format=json", *question],
            env={**os.environ, "LC_ALL": "C"},  # a comma in a number would be no JSON
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_ANSWER_SECONDS,
        )
        return json.loads(answer.stdout) if answer.returncode == 0 else None
    except subprocess.TimeoutExpired:
        raise SourceLostError("the sound system does not answer") from None
    except (OSError, ValueError):  # an old version, which speaks no JSON
        return None
