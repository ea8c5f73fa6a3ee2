"""The format of raw audio, and what a source may have at most."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from stream.errors import ConfigError

RATE_RANGE: Final = (1_000, 768_000)
"""Lowest and highest in Hz. Beyond them nothing is audio, and a resampler would take minutes or gigabytes."""
MAX_CHANNELS: Final = 256
MAX_SAMPLES_PER_SECOND: Final = 64 * 192_000
"""Samples of all channels in a second, of which three seconds may wait: 150 MB."""

_DTYPES: Final = {"s16le": "<i2", "s24le": "<i3", "s32le": "<i4", "f32le": "<f4"}


@dataclass(frozen=True, slots=True)
class PcmFormat:
    """Format of raw audio."""

    dtype: str
    """Of one sample, for numpy; ``<i3`` is 24 bits, which numpy does not know."""
    rate: int
    """In Hz."""
    channels: int

    @property
    def frame_bytes(self) -> int:
        """Bytes of one frame."""
        return int(self.dtype[2:]) * self.channels

    @classmethod
    def parse(cls, text: str) -> PcmFormat:
        """Read ``s16le:44100:1``, ``s24le:48000:2`` and the like.

        Raises
        ------
        ConfigError
            When the text says something else.
        """
        if (expected := pcm_format_problem(text)) is not None:
            raise ConfigError(f"pcm is {text!r}; expected {expected}")
        form, rate, channels = text.split(":")
        return cls(_DTYPES[form], int(rate), int(channels))


def pcm_format_problem(text: str) -> str | None:
    """Return what was expected of a text that is no format of raw audio, None if it is one."""
    form, *numbers = text.split(":")
    try:
        rate, channels = (int(number) for number in numbers)
    except ValueError:
        form = ""
    if form not in _DTYPES:
        return "s16le, s24le, s32le or f32le, rate in Hz and channels, such as s16le:44100:1"
    if not RATE_RANGE[0] <= rate <= RATE_RANGE[1]:
        return f"a rate of {RATE_RANGE[0]} to {RATE_RANGE[1]} Hz"
    if not 1 <= channels <= (max_channels := min(MAX_CHANNELS, MAX_SAMPLES_PER_SECOND // rate)):
        return f"1 to {max_channels} channels at {rate} Hz"
    return None
