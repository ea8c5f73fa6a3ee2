"""Audio files as libsndfile reads them, and whole, also where it would stop early."""

from __future__ import annotations

import contextlib
import functools
import math
import os
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any, Final

import numpy as np
import soundfile

from stream.audio.audio_file import DamageError
from stream.audio.byte_stream import ByteStream, PartlySeekable, Piped
from stream.audio.header_sizes import RawForm, Reader, find_audio, following_wav, is_metadata, raw_form
from stream.audio.ogg_pages import OggPages
from stream.audio.truncation import DeclaredLength
from stream.recognition.mel import Array
from stream.system.stderr import quiet_stderr

_UNKNOWN_FRAMES: Final = 1 << 60  # more than any file has: libsndfile's number where the file does not say
_HEADER_BYTES: Final = 1 << 20  # that may stand before the audio of a WAV file in a pipe
_LATEST_START: Final = 5.0  # s; the first page of a web radio that was joined later counts from long ago
_MAX_UNOPENED: Final = 100  # parts one after the other that cannot be opened, after which nothing more is expected


class LibsndfilePart:
    """One recording, read by libsndfile; see `stream.audio.audio_file.Part`.

    Parameters
    ----------
    file : int or file
        Descriptor, which is closed in the end, or object.
    raw : RawForm, optional
        What is read, if it has no header.
    frames : int, optional
        How many there should be of what has no header.
    finish : callable
        Called when the file is closed.
    find_tail : callable
        Returns the last bytes of a file that was read to its end and closed.
    may_end : callable
        Whether an error now is only that the file ends within a frame, which mpg123 does not say.
    can_jump : bool
        Whether it can be read from any place.
    pages : OggPages, optional
        Of what is read, if it is Ogg.

    Raises
    ------
    soundfile.SoundFileError
        When it is no audio, or damaged.
    """

    def __init__(
        self,
        file: Any,
        raw: RawForm | None = None,
        frames: int | None = None,
        finish: Callable[[], None] = lambda: None,
        find_tail: Callable[[], bytes] = bytes,
        may_end: Callable[[], bool] = bool,
        can_jump: bool = False,
        pages: OggPages | None = None,
    ) -> None:
        form: dict[str, Any] = {}
        if raw is not None:
            form = {"format": "RAW", "subtype": raw.subtype, "endian": raw.endian}
            form |= {"samplerate": raw.rate, "channels": raw.channels}
        try:
            with quiet_stderr():  # mpg123 explains itself
                self._sound = _Sequential(file, **form)
        except BaseException:
            finish()
            raise
        self.format = str(self._sound.format)
        self.rate, self.channels = int(self._sound.samplerate), int(self._sound.channels)
        if raw is None and self._sound.frames < _UNKNOWN_FRAMES:
            frames = int(self._sound.frames)
        self.frames = frames
        self.remark: str | None = None
        self._declared = DeclaredLength(self.format, str(self._sound.extra_info), frames)
        self._finish, self._find_tail = finish, find_tail
        self._may_end = may_end
        self._can_jump = can_jump
        self._pages = pages
        self._page_rate = 48_000 if self._sound.subtype == "OPUS" else self.rate
        self._frames_read = 0
        self._error: Exception | None = None

    def read(self, frames: int) -> Array:
        """Read on; see `stream.audio.audio_file.Part`."""
        if self._error is not None:
            raise self._error
        if self.frames is not None:  # behind which a FLAC is "broken" that another one follows
            frames = min(frames, self.frames - self._frames_read)
        # Filled, because what libsndfile has read before an error is told by nothing else.
        block: Array = np.full((frames, self.channels), np.nan, np.float32)
        try:
            with quiet_stderr():
                block = self._sound.read(out=block)
        except (soundfile.SoundFileError, RuntimeError) as error:
            written = np.flatnonzero(~np.isnan(block).all(axis=1))
            block = block[: written[-1] + 1 if len(written) else 0]
            if not self._may_end():
                if not len(block):
                    raise
                self._error = error
        self._frames_read += len(block)
        if not len(block) and frames and self._pages is not None and self._pages.damaged is not None:
            raise DamageError("pages are damaged", min(self._pages.damaged / self._page_rate, self._seconds_read))
        return block

    def jump(self, frames: int) -> int:
        """Go onwards in a file that can be read from any place; see `stream.audio.audio_file.Part`."""
        if not self._can_jump or self.frames is None:
            return 0
        frames = min(frames, self.frames - self._frames_read)
        with quiet_stderr():
            self._sound.seek(self._frames_read + frames)
        self._frames_read += frames
        return frames

    def close(self) -> None:
        """Give the file back."""
        self._sound.close()
        self._finish()

    def missing(self) -> float:
        """Seconds that are missing of a file that was read to its end and closed."""
        missing = self._declared.missing_seconds(self._frames_read, self.rate, self._find_tail())
        pages = self._pages
        if pages is None or pages.damaged is None or (pages.first or 0) > _LATEST_START * self._page_rate:
            return missing
        return math.inf if not pages.ends_whole else max(missing, pages.last / self._page_rate - self._seconds_read)

    @property
    def _seconds_read(self) -> float:
        return self._frames_read / self.rate


class _Sequential(soundfile.SoundFile):  # type: ignore[misc]  # it ships no types
    """Read from the beginning to the end.

    soundfile seeks after each block to where it is, which makes an MP3 of variable bit rate go astray, and a FLAC of
    unknown length fail at its end.
    """

    def seekable(self) -> bool:
        """Say no."""
        return False


def file_parts(path: Path) -> Generator[LibsndfilePart]:
    """All recordings in a file, one after the other; each is to be read to its end and closed before the next.

    Raises
    ------
    soundfile.SoundFileError
        When it is no audio that libsndfile knows.
    OSError
        When it cannot be read.
    """
    with open(path, "rb", buffering=0) as file:
        descriptor = file.fileno()
        stream = ByteStream(lambda count: os.read(descriptor, count))
        kind = stream.begin()
        if kind in ("ogg", "mp3"):
            yield from stream_parts(stream)
            return
        read = functools.partial(_read_at, descriptor)
        if (extent := find_audio(read)) is not None and (raw := raw_form(extent, str(kind))) is not None:
            if kind == "wav" and _is_followed(read):
                os.lseek(descriptor, 0, os.SEEK_SET)
                yield from stream_parts(ByteStream(lambda count: os.read(descriptor, count)))
                return
            there = extent.audio_bytes(read, os.fstat(descriptor).st_size)
            if there > extent.declared:
                os.lseek(descriptor, extent.start, os.SEEK_SET)
                stream = ByteStream(lambda count: os.read(descriptor, count))
                stream.divide(None, there)
                yield _raw_part(stream, raw, there // raw.frame_bytes)
                return
        part = LibsndfilePart(os.open(path, os.O_RDONLY), can_jump=True)  # for soundfile makes much of names
        if kind == "flac" and part.frames is None:  # then it would be read into the one that follows
            part.close()
            yield from stream_parts(stream)
            return
        yield part
        if kind == "flac":
            stream.divide(kind)
            if stream.finish_part():
                yield from stream_parts(stream)


def count_frames(path: Path) -> int | None:
    """Return how many frames a file has, None where only reading it tells.

    Raises
    ------
    OSError
        When it cannot be read.
    """
    with contextlib.closing(file_parts(path)) as parts, contextlib.suppress(soundfile.SoundFileError, StopIteration):
        part = next(parts)
        part.close()
        with open(path, "rb", buffering=0) as file:
            stream = ByteStream(lambda count: os.read(file.fileno(), count))
            kind = stream.begin()
            stream.divide(kind)
            if part.frames is not None:
                if kind == "wav" and _is_followed(functools.partial(_read_at, file.fileno())):
                    return None
                return None if kind in ("flac", "mp3") and stream.finish_part() else part.frames
            if kind == "ogg" and not stream.finish_part():
                with contextlib.closing(LibsndfilePart(os.open(path, os.O_RDONLY))) as part:
                    return part.frames
    return None


def stream_parts(stream: ByteStream) -> Generator[LibsndfilePart]:
    """All recordings in a stream that can only be read onwards; see `file_parts`."""
    fault: soundfile.SoundFileError | None = None
    opened, unopened = 0, 0
    while unopened < _MAX_UNOPENED:
        kind = stream.begin()
        try:
            part = _stream_part(stream, kind)
        except soundfile.SoundFileError as error:
            if not opened:
                raise
            fault, unopened = fault or error, unopened + 1
        else:
            opened, unopened = opened + 1, 0
            yield part
        if not _goes_on(stream, kind):
            break
    if fault is not None:
        raise fault


def _is_followed(read: Reader) -> bool:
    """Whether another WAV file begins behind the first one."""
    extent = find_audio(read)
    return extent is not None and following_wav(read, extent.start + extent.declared) is not None


def _goes_on(stream: ByteStream, kind: str | None) -> bool:
    """Go to the end of a part; return whether another one follows."""
    if not stream.finish_part():
        return False
    if kind != "wav":
        return True
    read = stream.peek_header(_HEADER_BYTES)
    if (at := following_wav(read, 0)) is not None:
        stream.skip(at)
        return True
    return not is_metadata(read, 0, len(stream.peek(_HEADER_BYTES)))


def _stream_part(stream: ByteStream, kind: str | None) -> LibsndfilePart:
    if kind == "flac":  # which libsndfile does not read from a pipe
        stream.divide(kind)
        return LibsndfilePart(PartlySeekable(stream))
    if kind == "wav":
        head = stream.peek_header(_HEADER_BYTES)
        extent = find_audio(head)
        raw = None if extent is None else raw_form(extent, kind)
        if extent is not None and raw is not None:
            stream.skip(extent.start)
            length = None if extent.is_unknown else extent.declared
            stream.divide(None, length)
            return _raw_part(stream, raw, None if length is None else length // raw.frame_bytes)
    stream.divide(kind)
    pipe = Piped(stream)
    if kind == "ogg":
        return LibsndfilePart(pipe.descriptor, finish=pipe.join, find_tail=stream.find_tail, pages=stream.pages)
    return LibsndfilePart(pipe.descriptor, finish=pipe.join, may_end=lambda: kind == "mp3" and pipe.is_written)


def _raw_part(stream: ByteStream, raw: RawForm, frames: int | None) -> LibsndfilePart:
    pipe = Piped(stream)
    return LibsndfilePart(pipe.descriptor, raw, frames, pipe.join)


def _read_at(descriptor: int, offset: int, count: int) -> bytes:
    return os.pread(descriptor, count, min(offset, (1 << 63) - 1))
