"""Audio files that come through a pipe: read onwards, and heard while they are still being written."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import closing
from typing import Final

from stream.audio import libsndfile, pyav
from stream.audio.audio_file import AudioFile, Part
from stream.audio.byte_stream import ByteStream
from stream.audio.file_kind import begins_with_index

_ONWARDS: Final = ("flac", "ogg", "mp3", "wav", "aiff", "au")
"""Formats that libsndfile reads onwards."""
_FFMPEGS_ONWARDS: Final = ("aac", "asf", "matroska")
_INDEX_BYTES: Final = 1 << 16  # within which an MP4 file shows where its index is
_COPIED: Final = 1 << 20


def open_stream_file(
    stream: ByteStream, name: str, live: bool, close: Callable[[], None] = lambda: None
) -> AudioFile | None:
    """Open the file that a stream begins with.

    Parameters
    ----------
    stream : ByteStream
        Waited for until its first bytes tell the format.
    name : str
        What it is called in errors.
    live : bool
        Whether what is no known file is something else, and not one for FFmpeg to look at.
    close : callable
        Called when the file is closed.

    Returns
    -------
    AudioFile or None
        None where it is no file; nothing of the stream is lost then.

    Raises
    ------
    SourceError
        When it is a file that cannot be opened.
    """
    kind = stream.begin() or (stream.begin_within() if live else None)
    if kind is None and (live or not pyav.is_installed()):
        return None

    def parts() -> Generator[Part]:
        try:
            yield from _parts(stream, kind, live)
        finally:
            if not stream.is_read:  # a descriptor that is closed may soon be that of another file
                close()

    return AudioFile(name, parts)


def _parts(stream: ByteStream, kind: str | None, live: bool) -> Generator[Part]:
    if kind in _ONWARDS:
        yield from libsndfile.stream_parts(stream)
        return
    if not pyav.is_installed():
        raise ValueError(f"Format not recognised; {pyav.advice()}")
    if kind in _FFMPEGS_ONWARDS or (kind == "mp4" and begins_with_index(stream.peek(_INDEX_BYTES))):
        yield pyav.PyavPart(Onwards(stream), live)
        return
    import tempfile  # takes longer to import than most of what else is needed to hear a microphone

    # What has its index at the end has to be there before it can be read: on disk, not in memory.
    with closing(tempfile.TemporaryFile(prefix="soloist-")) as copy:
        while data := stream.read(_COPIED):
            copy.write(data)
        copy.seek(0)
        try:
            part = pyav.PyavPart(copy)
        except ValueError as error:
            raise ValueError(str(error) if kind else "Format not recognised") from error
        yield part


class Onwards:
    """A part of a stream as a file for PyAV, which finds no way back in it.

    Parameters
    ----------
    stream : ByteStream
    close : callable
        Called when it is closed.
    """

    def __init__(self, stream: ByteStream, close: Callable[[], None] = lambda: None) -> None:
        self._stream = stream
        self.close = close

    def read(self, count: int) -> bytes:
        """Read on."""
        return self._stream.read(count)
