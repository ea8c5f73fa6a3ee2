"""An audio file, whatever library reads it: all that is in it, one block after the other."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Generator
from typing import Final, Protocol

import numpy as np
import soundfile

from stream.audio.form_converter import FormConverter
from stream.audio.pcm import MAX_CHANNELS, MAX_SAMPLES_PER_SECOND, RATE_RANGE
from stream.errors import SourceError
from stream.recognition.mel import Array

UNREADABLE: Final = (soundfile.SoundFileError, OSError, RuntimeError, ValueError, MemoryError)
"""What libraries raise on files that are damaged, MemoryError among them: of numbers that make no sense."""
FIRST_SECONDS: Final = 0.1
"""How much is read at once to see whether there is audio; a file that is to be repeated has more."""
_BLOCK_NUMBERS: Final = 1 << 20  # at most, for a part may claim many more channels than the first
_LEAST_MISSED: Final = 0.05  # s


class DamageError(ValueError):
    """Raised at the end of a part of which something was left out.

    Parameters
    ----------
    text : str
        What was wrong.
    seconds : float
        Where in the part.
    """

    def __init__(self, text: str, seconds: float) -> None:
        super().__init__(text)
        self.seconds = seconds


class Part(Protocol):
    """One recording in a file: most have one, those of recorders and web radios several."""

    rate: int
    """Of what was read last, in Hz; before that, of the beginning."""
    channels: int
    frames: int | None
    """How many there are, None where only reading tells."""
    remark: str | None
    """What people should know of it."""

    def read(self, frames: int) -> Array:
        """Read on.

        Parameters
        ----------
        frames : int
            At the most.

        Returns
        -------
        np.ndarray [shape=(n, channels), dtype=float32]
            None at the end.

        Raises
        ------
        Exception
            One of `UNREADABLE` where it is damaged; nothing follows then.
        """
        ...

    def jump(self, frames: int) -> int:
        """Go onwards where that is exact; return by how many frames, 0 where only reading is.

        Raises
        ------
        Exception
            As for `read`.
        """
        ...

    def close(self) -> None:
        """Give the file back; harmless when done already."""
        ...

    def missing(self) -> float:
        """Seconds that are missing of a part that was read to its end and closed, infinity if nobody knows how many."""
        ...


class AudioFile:
    """A file to be read from its beginning to its end, in the form of its first part.

    What cannot be read ends its part, and is told by `shortfall`: what was heard before is not lost.

    Parameters
    ----------
    name : str
        What it is called in errors.
    open_parts : callable
        Opens the parts one after the other, as they are read.

    Raises
    ------
    SourceError
        When it cannot be opened, is or holds no audio, or claims to be what no audio is.
    """

    def __init__(self, name: str, open_parts: Callable[[], Generator[Part]]) -> None:
        self.name = name
        self.rate = self.channels = 0
        """Hz, and number; those of the first part."""
        self.frames: int | None = None
        """How many the first part has, None where only reading tells."""
        self.remark: str | None = None
        """What people should know of the file."""
        self.missing = 0.0
        """Seconds that were found to be missing so far; infinite where it only shows that the file breaks off."""
        self.is_short = True
        """Whether there are less than `FIRST_SECONDS`."""
        self._open_parts = open_parts
        self._fetched = 0  # frames of all parts so far
        self._part: Part | None = None
        self._pending: Array = np.empty((0, 0), np.float32)  # fetched, and not yet read
        self._open()

    def __enter__(self) -> AudioFile:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def seconds_read(self) -> float:
        """How much was read since the beginning, in seconds."""
        return (self._fetched - len(self._pending)) / self.rate

    def read(self, frames: int) -> Array:
        """Read on.

        Parameters
        ----------
        frames : int

        Returns
        -------
        np.ndarray [shape=(n, channels), dtype=float32]
            So many frames, fewer at the end.
        """
        blocks, count = [self._pending], len(self._pending)
        while count < frames and self._part is not None:
            blocks.append(self._fetch(self._part, frames - count))
            count += len(blocks[-1])
        filled = [block for block in blocks if len(block)] or blocks[:1]
        whole = filled[0] if len(filled) == 1 else np.concatenate(filled)
        self._pending = whole[frames:]
        return whole[:frames]

    def skip(self, frames: int) -> int:
        """Go onwards without the audio.

        Parameters
        ----------
        frames : int
            At the most.

        Returns
        -------
        int
            How many were there, 0 at the end.
        """
        skipped = min(frames, len(self._pending))
        self._pending = self._pending[skipped:]
        if skipped < frames and not len(self._pending) and self._part is not None and self._part.rate == self.rate:
            with contextlib.suppress(*UNREADABLE):
                jumped = self._part.jump(frames - skipped)
                skipped, self._fetched = skipped + jumped, self._fetched + jumped
        while skipped < frames and (count := len(self.read(min(frames - skipped, self.rate)))):
            skipped += count
        return skipped

    def rewind(self) -> None:
        """Go back to the beginning.

        Raises
        ------
        SourceError
            When the file is gone, or another one.
        """
        rate, channels = self.rate, self.channels
        self.close()
        self._open()
        if (self.rate, self.channels) != (rate, channels):
            raise SourceError(f"{self.name}: is another file now")

    def close(self) -> None:
        """Give the file back."""
        if self._part is not None:
            self._part.close()
            self._part = None
        self._parts.close()

    def shortfall(self) -> str | None:
        """Say what could not be heard of a file that is read to its end, None if nothing is known to be missing."""
        if math.isinf(self.missing):
            return self._fault or "breaks off: its end is missing"
        if self.missing < _LEAST_MISSED:
            return self._fault
        lacking = f"{self.missing:.1f} s of the {self.seconds_read + self.missing:.1f} s are missing"
        return f"{self._fault}; {lacking}" if self._fault else f"breaks off: {lacking}"

    def _open(self) -> None:
        self._fault: str | None = None
        self._fetched, self._part_start, self.missing = 0, 0.0, 0.0  # the second in s
        self._part = None
        self._parts = self._open_parts()
        try:
            self._part = part = next(self._parts)
        except UNREADABLE as error:
            raise SourceError(f"{self.name}: {reading_error_text(error)}") from error
        self.rate, self.channels, self.frames, self.remark = part.rate, part.channels, part.frames, part.remark
        self._pending = np.empty((0, self.channels), np.float32)
        fault = form_fault(part.rate, part.channels)
        if fault is None:
            self._fit = FormConverter(part.rate, part.channels)
            self._pending = self.read(math.ceil(FIRST_SECONDS * part.rate))
            self.is_short = self._part is None and len(self._pending) < FIRST_SECONDS * part.rate
            fault = None if len(self._pending) else self._fault or "holds no audio"
        if fault is not None:
            self.close()
            raise SourceError(f"{self.name}: {fault}")

    def _fetch(self, part: Part, frames: int) -> Array:
        """Read on in a part, or go to the next one at its end."""
        try:
            block = part.read(max(1, min(frames, _BLOCK_NUMBERS // max(1, part.channels))))
            if (fault := form_fault(part.rate, part.channels)) is not None:
                raise ValueError(fault)
        except UNREADABLE as error:
            self._blame(error)
            block = np.empty((0, self.channels), np.float32)
        if len(block):
            fitted = self._fit(block, part.rate)
        else:
            fitted = self._fit.flush()
            self._go_on(part)
        self._fetched += len(fitted)
        return fitted

    def _go_on(self, ended: Part) -> None:
        """Go to the next part that can be opened."""
        ended.close()
        self.missing += ended.missing()
        self._part, self._part_start = None, self._fetched / self.rate
        try:
            self._part = next(self._parts, None)
        except UNREADABLE as error:
            self._blame(error)

    def _blame(self, error: Exception) -> None:
        """Take note of what is told of the file: what was wrong first."""
        if self._fault is None:
            seconds, word = self._fetched / self.rate, "broken"
            if isinstance(error, DamageError):
                seconds, word = self._part_start + error.seconds, "damaged"
            self._fault = f"{word} after {seconds:.1f} s: {reading_error_text(error)}"


def form_fault(rate: int, channels: int) -> str | None:
    """Say what is wrong with a form that no audio has, None for one that may be."""
    if not RATE_RANGE[0] <= rate <= RATE_RANGE[1]:
        return f"claims a rate of {rate} Hz; expected {RATE_RANGE[0]} to {RATE_RANGE[1]}"
    if not channels:
        return "claims no channels"
    if channels > MAX_CHANNELS:
        return f"claims {channels} channels; at most {MAX_CHANNELS} are allowed"
    if channels * rate > MAX_SAMPLES_PER_SECOND:
        return f"claims {channels} channels at {rate} Hz, which is too much"
    return None


def reading_error_text(error: Exception) -> str:
    """Return the sentence of a library or of the system, without the path that it repeats."""
    text = str(getattr(error, "error_string", "") or getattr(error, "strerror", "") or error)
    return text.strip().removeprefix("Error : ").rstrip(".") or type(error).__name__
