"""The form of raw audio."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from stream.errors import ConfigError

RATES: Final = (1_000, 768_000)
"""Lowest and highest in Hz. Beyond them nothing is audio, and a resampler would take minutes or gigabytes."""
MOST_CHANNELS: Final = 256
MOST_NUMBERS: Final = 64 * 192_000
"""Samples of all channels in a second, of which three seconds may wait: 150 MB."""

_DTYPES: Final = {"s16le": "<i2", "f32le": "<f4"}


@dataclass(frozen=True, slots=True)
class Pcm:
    """Form of raw audio."""

    dtype: str
    """Of one sample, for numpy."""
    rate: int
    """In Hz."""
    channels: int

    @classmethod
    def parse(cls, text: str) -> Pcm:
        """Read ``s16le:44100:1`` or ``f32le:48000:2``.

        Raises
        ------
        ConfigError
            When the text says something else.
        """
        if (expected := unfit_form(text)) is not None:
            raise ConfigError(f"pcm is {text!r}; expected {expected}")
        form, rate, channels = text.split(":")
        return cls(_DTYPES[form], int(rate), int(channels))


def unfit_form(text: str) -> str | None:
    """Say what was expected of a text, if it is no form of raw audio."""
    form, *numbers = text.split(":")
    try:
        rate, channels = (int(number) for number in numbers)
    except ValueError:
        form = ""
    if form not in _DTYPES:
        return "s16le or f32le, rate in Hz and channels, such as s16le:44100:1"
    if not RATES[0] <= rate <= RATES[1]:
        return f"a rate of {RATES[0]} to {RATES[1]} Hz"
    if not 1 <= channels <= (most := min(MOST_CHANNELS, MOST_NUMBERS // rate)):
        return f"1 to {most} channels at {rate} Hz"
    return None
