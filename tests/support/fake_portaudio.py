"""A PortAudio that the tests make up, in place of sounddevice."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

INVALID_RATE, INVALID_CHANNELS, UNAVAILABLE, HOST = -9997, -9998, -9985, -9999


class PortAudioError(Exception):
    """As sounddevice has it: text, number, and what the sound system below says."""


class FakeStream:
    """An open input."""

    def __init__(self, fake: FakePortAudio, **options: Any) -> None:
        fake.asked.append((options["samplerate"], options["channels"]))
        code = fake.refuses(options["samplerate"], options["channels"])
        if code:
            text = f"Error opening InputStream: no [PaErrorCode {code}]"
            raise PortAudioError(text, code, *([(0, -5, fake.said)] if code == HOST else []))
        self.options = options
        fake.open.append(self)
        self._portaudio = fake

    def start(self) -> None:
        """Begin."""
        if self._portaudio.dead:
            raise PortAudioError("Error starting stream: dead", UNAVAILABLE)

    def close(self, ignore_errors: bool) -> None:
        """End."""
        self._portaudio.open.remove(self)


@dataclass
class FakePortAudio:
    """What stands in for sounddevice."""

    names: list[str]
    standard: int = 0
    """Index of the default input."""
    channels: int = 2
    said: str = "Input/output error"
    """What the sound system says when it refuses."""
    dead: bool = False
    fails: bool = False
    refuses: Callable[[int, int], int | None] = lambda rate, channels: None
    asked: list[tuple[int, int]] = field(default_factory=list)
    open: list[FakeStream] = field(default_factory=list)
    starts: int = 0
    PortAudioError = PortAudioError

    @property
    def default(self) -> SimpleNamespace:
        """The default devices."""
        return SimpleNamespace(device=(self.standard, -1))

    def query_hostapis(self) -> list[dict[str, Any]]:
        """Return the sound systems."""
        return [{"name": "ALSA"}]

    def query_devices(self) -> list[dict[str, Any]]:
        """Return the devices."""
        if self.fails:
            raise PortAudioError("PortAudio not initialized", -10000)
        rest = {"hostapi": 0, "max_input_channels": self.channels, "default_samplerate": 44_100.0}
        return [{"index": index, "name": name, **rest} for index, name in enumerate(self.names)]

    def InputStream(self, **options: Any) -> FakeStream:
        """Open an input."""
        return FakeStream(self, **options)

    def _terminate(self) -> None:
        raise PortAudioError("PortAudio not initialized", -10000)

    def _initialize(self) -> None:
        self.starts += 1
        if self.fails:
            raise PortAudioError("Error initializing PortAudio: Host API not found", -9979)
