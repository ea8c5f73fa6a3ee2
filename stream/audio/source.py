"""What every source of audio has in common, and how the one in the settings is opened."""

from __future__ import annotations

import sys
from typing import Protocol

from stream.audio.block_queue import BlockQueue
from stream.audio.pcm import PcmFormat
from stream.audio.settings import AudioSettings
from stream.errors import SourceError
from stream.system.files import is_pipe


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


def open_source(settings: AudioSettings, last: str | None = None, strict: bool = False, channels: int = 1) -> Source:
    """Open what the settings name.

    Parameters
    ----------
    settings : AudioSettings
    last : str, optional
        The device that was heard before, see `stream.audio.devices.find_device`.
    strict : bool
        Whether no other default input is to be taken.
    channels : int
        How many are to be heard, where a microphone has as many.

    Raises
    ------
    SourceLostError
        When a microphone is not there now.
    SourceError
        When a file or standard input cannot be read.
    """
    # Each kind of source has modules and libraries of its own, which start-up and memory need not bear for the others.
    match settings.input:
        case "mic":
            from stream.audio.devices import find_device
            from stream.audio.microphone import Microphone
            from stream.audio.sound_server import ServerMicrophone, find_server_input

            name = find_device(settings.device, last, strict).name
            if (found := find_server_input(name, settings.channel)) is not None:
                return ServerMicrophone(name, found)
            return Microphone(settings.device, settings.channel, last, strict, channels)
        case "demo":
            from stream.audio.sound_file import open_demo_source

            return open_demo_source()
        case "-":
            if sys.stdin is None:
                raise SourceError("standard input is closed")
            from stream.audio.raw_pcm import open_pcm_source

            return open_pcm_source(sys.stdin.fileno(), PcmFormat.parse(settings.pcm))
        case path if is_pipe(path):
            if settings.loop:
                raise SourceError(f"{path}: is a pipe, which cannot be repeated")
            from stream.audio.raw_pcm import open_pcm_source

            return open_pcm_source(path, PcmFormat.parse(settings.pcm))
        case path:
            from stream.audio.sound_file import open_file_source

            return open_file_source(path, settings.loop)
