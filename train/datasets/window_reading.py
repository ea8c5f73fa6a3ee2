"""Windows of audio files, read onwards: to seek in Vorbis and MP3 gives other samples than to read up to a place."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from stream.audio.audio_file import AudioFile, reading_error_text
from stream.audio.libsndfile import count_frames
from stream.audio.sound_file import open_sound_file
from stream.errors import SourceError
from stream.recognition.mel import SAMPLE_RATE, WINDOW
from train.datasets.clips import Array


@dataclass(slots=True)
class _OpenFile:
    path: Path
    version: tuple[int, int]
    file: AudioFile
    position: int = 0


_last = threading.local()  # the file that was read last in this thread: mostly the next window follows


def read_window(path: Path, number: int) -> tuple[Array, int]:
    """Read a window of a file.

    Parameters
    ----------
    path : Path
    number : int
        Counted from 0; each is 65 536 samples at 22 050 Hz long.

    Returns
    -------
    sound : np.ndarray [shape=(n, channels), dtype=float32]
        Shorter where the file ends earlier, empty where it ends before.
    rate : int
        In Hz.

    Raises
    ------
    SourceError
        When the file cannot be read, or not as far as that. The text names it.
    """
    opened = _at_most(path, number)
    file = opened.file
    start, stop = (round(edge * WINDOW * file.rate / SAMPLE_RATE) for edge in (number, number + 1))
    opened.position += file.skip(start - opened.position)
    sound = file.read(stop - start) if opened.position == start else np.zeros((0, file.channels), np.float32)
    opened.position += len(sound)
    if not len(sound) and (shortfall := file.shortfall()) is not None:
        raise SourceError(f"{path}: {shortfall}")
    return sound, file.rate


def count_windows(path: Path) -> int:
    """How many clips an audio file is cut to.

    Parameters
    ----------
    path : Path
        Audio file.

    Returns
    -------
    int
        Windows of 65 536 samples at 22 050 Hz without overlap, 1 or more. What is left at the end counts where it is
        half a window or more, or all there is. 1 also for a file that cannot be read, so that reading its clip names
        it.
    """
    try:
        with open_sound_file(path) as file:
            rate = file.rate
            if (frames := count_frames(path)) is None:  # nothing but reading it tells
                frames = 0
                while count := file.skip(rate):
                    frames += count
    except (SourceError, OSError):
        return 1
    full, rest = divmod(frames * SAMPLE_RATE, WINDOW * rate)
    return max(1, full + (2 * rest >= WINDOW * rate))


def _at_most(path: Path, number: int) -> _OpenFile:
    """Return the file, opened, at or before a window."""
    try:
        status = path.stat()
    except FileNotFoundError as error:
        raise SourceError(f"{path}: there is no such file") from error
    except (OSError, ValueError) as error:
        raise SourceError(f"{path}: {reading_error_text(error)}") from error
    version = (status.st_mtime_ns, status.st_size)
    last: _OpenFile | None = getattr(_last, "opened", None)
    if last is not None:
        start = round(number * WINDOW * last.file.rate / SAMPLE_RATE)
        if (last.path, last.version) == (path, version) and last.position <= start:
            return last
        last.file.close()
        _last.opened = None
    opened = _OpenFile(path, version, open_sound_file(path))
    _last.opened = opened
    return opened
