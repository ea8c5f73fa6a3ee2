"""Audio from standard input or another pipe: raw, or a file that says what it is."""

from __future__ import annotations

import os
import select
import time
from collections.abc import Callable
from typing import Final

import numpy as np

from stream.audio import pyav
from stream.audio.audio_file import AudioFile, reading_error_text
from stream.audio.byte_stream import ByteStream
from stream.audio.paced_reader import PacedReader, Remarks
from stream.audio.pcm import PcmFormat
from stream.audio.stream_file import open_stream_file
from stream.errors import SourceError
from stream.recognition.mel import Array

_SPEED: Final = 1.01
"""How much faster than ours the clock of a live input may run; what comes faster is held back."""
_WRITER_SECONDS: Final = 2.0  # for which a pipe is watched that nobody writes into
_TICK: Final = 0.05  # s


def open_pcm_source(pipe: int | str, pcm: PcmFormat) -> PacedReader:
    """Play raw audio, or a file in a format that is known by its first bytes.

    It passes as fast as it comes, but hardly faster than real time, so that a file poured in is heard like a
    microphone.

    Parameters
    ----------
    pipe : int or str
        What to read from: a file descriptor, 0 for standard input, or the path of a pipe.
    pcm : PcmFormat
        The form of raw audio.
    """
    name = "standard input" if isinstance(pipe, int) else pipe
    stream = ByteStream(lambda count: b"")
    file: AudioFile | None = None
    rest = b""
    remarks = Remarks(name)

    def begin() -> tuple[int, int]:
        nonlocal stream, file
        # Not before, for it waits: for who writes into a pipe, and for the first bytes.
        descriptor = pipe if isinstance(pipe, int) else os.open(pipe, os.O_RDONLY)
        # Not through a buffered file: a thread that waits inside one keeps Python from ending.
        stream = ByteStream(lambda count: os.read(descriptor, count))
        file = open_stream_file(stream, name, live=True)
        if file is None:
            return pcm.rate, pcm.channels
        remarks.tell(file.remark)
        return file.rate, file.channels

    def read(frames: int) -> Array:
        nonlocal rest
        if file is not None:
            block = file.read(frames)
            if not len(block):
                remarks.tell(file.shortfall())
            return block
        while len(rest) < pcm.frame_bytes and (more := stream.read(frames * pcm.frame_bytes)):
            rest += more
        if stream.error is not None and len(rest) < pcm.frame_bytes:
            raise stream.error
        whole = len(rest) // pcm.frame_bytes * pcm.frame_bytes
        data, rest = rest[:whole], rest[whole:]
        return _samples(data, pcm)

    return PacedReader(name, pcm.rate, pcm.channels, read, _SPEED, begin)


def open_pipe_file(path: str) -> AudioFile:
    """Open a file that comes through a pipe, to be read as fast as it comes.

    Parameters
    ----------
    path : str
        ``-`` for standard input, or the path of a pipe.

    Raises
    ------
    SourceError
        When nobody writes into it, or what comes is no audio in a known format.
    """
    try:
        descriptor = os.dup(0) if path == "-" else os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    except OSError as error:
        raise SourceError(f"{path}: {error.strerror}") from error
    stream = ByteStream(_patient_reader(descriptor))
    if not stream.peek(1):
        fault = "nothing comes from there" if stream.error is None else reading_error_text(stream.error)
        os.close(descriptor)
        raise SourceError(f"{path}: {fault}")
    file = open_stream_file(stream, path, live=False, close=lambda: os.close(descriptor))
    if file is None:
        os.close(descriptor)
        more = "" if pyav.is_installed() else f"; {pyav.advice()}"
        raise SourceError(f"{path}: Format not recognised{more}")
    return file


def _samples(data: bytes, pcm: PcmFormat) -> Array:
    """Convert whole frames of raw audio to [shape=(n, channels), dtype=float32] in [-1, 1]."""
    if pcm.dtype == "<i3":
        widened = np.zeros((len(data) // 3, 4), np.uint8)
        widened[:, 1:] = np.frombuffer(data, np.uint8).reshape(-1, 3)
        numbers = widened.view("<i4").reshape(-1, pcm.channels)
    else:
        numbers = np.frombuffer(data, pcm.dtype).reshape(-1, pcm.channels)
    converted: Array = numbers.astype(np.float32)
    if numbers.dtype.kind == "f":  # perhaps signalling NaNs, at which arithmetic would warn
        return converted
    return converted / np.float32(1 << 8 * numbers.dtype.itemsize - 1)


def _patient_reader(descriptor: int) -> Callable[[int], bytes]:
    """Return what reads from a pipe, which is not for ever where nobody writes into it."""
    has_begun = False

    def read(count: int) -> bytes:
        nonlocal has_begun
        deadline = time.monotonic() + _WRITER_SECONDS
        while True:
            try:
                data = os.read(descriptor, count)
            except BlockingIOError:  # there is a writer
                waiting = select.poll()
                waiting.register(descriptor, select.POLLIN)
                waiting.poll()
                continue
            if data or has_begun or time.monotonic() > deadline:
                has_begun = True
                return data
            time.sleep(_TICK)

    return read
