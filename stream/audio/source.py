"""What every source of audio has in common, and how the one in the settings is opened."""

from __future__ import annotations

import sys
from typing import Protocol

from stream.audio.block_queue import BlockQueue
from stream.audio.devices import find_device
from stream.audio.microphone import Microphone
from stream.audio.pcm import PcmFormat
from stream.audio.raw_pcm import is_pipe, open_pcm_source
from stream.audio.settings import AudioSettings
from stream.audio.sound_file import open_demo_source, open_file_source
from stream.audio.sound_server import ServerMicrophone, find_server_input
from stream.errors import SourceError


class Source(Protocol):
    """Audio that a thread of its own puts into a queue, from opening to closing."""

    name: str
    """What is heard, for people."""
    rate: int
    """Frames a second, in Hz; this and the channels are what is expected, until audio has arrived."""
    channels: int
    """Channels of its blocks."""
    queue: BlockQueue
    """Where its audio arrives."""
    shared: bool
    """Whether it may be opened once more meanwhile."""

    def close(self) -> None:
        """Stop delivering and give the device or file back; harmless when done already."""


def open_source(settings: AudioSettings, last: str | None = None, strict: bool = False) -> Source:
    """Open what the settings name.

    Parameters
    ----------
    settings : AudioSettings
    last : str, optional
        The device that was heard before, see `stream.audio.devices.find_device`.
    strict : bool
        Whether no other default input is to be taken.

    Raises
    ------
    SourceLostError
        When a microphone is not there now.
    SourceError
        When a file or standard input cannot be read.
    """
    match settings.input:
        case "mic":
            name = find_device(settings.device, last, strict).name
            if (found := find_server_input(name, settings.channel)) is not None:
                return ServerMicrophone(name, found)
            return Microphone(settings.device, settings.channel, last, strict)
        case "demo":
            return open_demo_source()
        case "-":
            if sys.stdin is None:
                raise SourceError("standard input is closed")
            return open_pcm_source(sys.stdin.fileno(), PcmFormat.parse(settings.pcm))
        case path if is_pipe(path):
            if settings.loop:
                raise SourceError(f"{path}: is a pipe, which cannot be repeated")
            return open_pcm_source(path, PcmFormat.parse(settings.pcm))
        case path:
            return open_file_source(path, settings.loop)
