"""What is to be listened to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from stream.audio.pcm import MAX_CHANNELS, pcm_format_problem
from stream.system.fields import Range, check


@dataclass(frozen=True, slots=True)
class AudioSettings:
    """What is to be listened to, and how.

    Raises
    ------
    ConfigError
        When a value cannot be used. The text names it and what was expected.
    """

    input: str = "mic"
    """`mic`, `demo`, the path of an audio file or a pipe, or `-` for standard input."""
    device: str | None = None
    """A part of the name of the microphone or line input; it is waited for."""
    wait: bool = False
    """Whether to wait for a microphone where there is none."""
    channel: Annotated[int | None, Range(1, MAX_CHANNELS)] = None
    """The channel to listen to, counted from 1; the average of all without it."""
    pcm: Annotated[str, pcm_format_problem] = "s16le:44100:1"
    """Format of raw audio on standard input: s16le, s24le, s32le or f32le, rate in Hz, channels."""
    loop: bool = False
    """Whether a file begins again at its end."""

    def __post_init__(self) -> None:
        check(self)
