"""A damaged FLAC beyond the place where libsndfile gives up."""

from __future__ import annotations

from pathlib import Path

from stream.audio.audio_file import UNREADABLE, DamageError, Part, reading_error_text
from stream.audio.byte_stream import ByteStream
from stream.audio.pyav import PyavPart
from stream.audio.stream_file import Onwards
from stream.recognition.mel import Array

_SKIPPED_FRAMES = 65_536


class RescuedPart:
    """A part of known length, whose rest FFmpeg reads where libsndfile cannot; see `stream.audio.audio_file.Part`.

    Parameters
    ----------
    part : Part
        As libsndfile reads it.
    path : Path
        The file that begins with it.
    frames : int
        How many it has.
    """

    def __init__(self, part: Part, path: Path, frames: int) -> None:
        self.rate, self.channels, self.remark = part.rate, part.channels, part.remark
        self.frames: int | None = frames
        self._part, self._path, self._declared = part, path, frames
        self._frames_read = 0
        self._fault: DamageError | None = None

    def read(self, frames: int) -> Array:
        """Read on; what is damaged is left out, and told at the end."""
        try:
            block = self._part.read(min(frames, self._declared - self._frames_read))
        except UNREADABLE as error:
            if self._fault is None:
                self._fault = DamageError(reading_error_text(error), self._frames_read / self.rate)
                self._go_over()
                return self.read(frames)
            raise self._fault from error
        self._frames_read += len(block)
        if not len(block) and self._fault is not None:
            fault, self._fault = self._fault, None
            raise fault
        return block

    def jump(self, frames: int) -> int:
        """Go onwards as the library does that reads."""
        jumped = self._part.jump(frames)
        self._frames_read += jumped
        return jumped

    def close(self) -> None:
        """Give the file back."""
        self._part.close()

    def missing(self) -> float:
        """Seconds that were left out, or are not there."""
        return (self._declared - self._frames_read) / self.rate

    def _go_over(self) -> None:
        """Have FFmpeg read what follows; if it cannot either, nothing does."""
        self._part.close()
        file = self._path.open("rb", buffering=0)
        stream = ByteStream(lambda count: file.read(count) or b"")
        stream.divide(stream.begin())  # for what follows this part is read by itself
        self._part = PyavPart(Onwards(stream, file.close))
        left = self._frames_read
        while left and (count := len(self._part.read(min(left, _SKIPPED_FRAMES)))):
            left -= count
