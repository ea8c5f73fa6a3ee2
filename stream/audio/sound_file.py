"""Audio files in any format that the installed libraries read."""

from __future__ import annotations

import contextlib
from collections.abc import Generator
from importlib import resources
from pathlib import Path
from typing import Final

import soundfile

from stream.audio import libsndfile, pyav
from stream.audio.audio_file import FIRST_SECONDS, AudioFile, Part, reading_error_text
from stream.audio.file_kind import HEAD_BYTES, file_kind
from stream.audio.paced_reader import PacedReader, Remarks
from stream.errors import SourceError
from stream.recognition.mel import Array
from stream.system.files import is_pipe

_FFMPEGS_OWN: Final = ("aac", "asf", "caf", "matroska", "mp4")
"""Formats of which libsndfile only says that it does not know them."""


def open_file_source(path: str | Path, loop: bool = False, name: str | None = None) -> PacedReader:
    """Play a file in real time.

    Parameters
    ----------
    path : str or path
    loop : bool
        Whether to begin again at the end, for ever.
    name : str, optional
        What to call it, instead of its file name.

    Raises
    ------
    SourceError
        When the file is missing, is no audio, or is too short to be repeated.
    """
    name = name or Path(path).name
    return play(open_sound_file(path, loop), name, loop)


def play(file: AudioFile, name: str, loop: bool = False) -> PacedReader:
    """Play an open file in real time; see `open_file_source`."""
    remarks = Remarks(name)

    def read(frames: int) -> Array:
        block = file.read(frames)
        if not len(block):
            remarks.tell(file.shortfall())
            if loop:
                file.rewind()
                block = file.read(frames)
        return block

    remarks.tell(file.remark)
    return PacedReader(name, file.rate, file.channels, read)


def open_sound_file(path: str | Path, loop: bool = False) -> AudioFile:
    """Open an audio file.

    Parameters
    ----------
    path : str or path
        That of a file or a pipe, or ``-`` for standard input.
    loop : bool
        Whether it is to begin again at its end, for ever.

    Raises
    ------
    SourceError
        When the file is missing, is no audio, holds none, or is too short to be repeated.
    """
    path = Path(path)
    try:
        if is_pipe(str(path)):
            from stream.audio.raw_pcm import open_pipe_file  # only here: most files are none

            return open_pipe_file(str(path))
        if not path.is_file():
            raise SourceError(f"{path}: {'not a file' if path.exists() else 'no such file'}")
    except (OSError, ValueError) as error:
        raise SourceError(f"{path}: {reading_error_text(error)}") from error
    file = AudioFile(str(path), lambda: _parts(path))
    if loop and file.is_short:
        file.close()
        raise SourceError(f"{path}: is too short to be repeated; expected {FIRST_SECONDS:g} s at least")
    return file


def _parts(path: Path) -> Generator[Part]:
    """Have libsndfile read a file, or FFmpeg what it does not know."""
    parts = libsndfile.file_parts(path)
    try:
        first = next(parts)
    except soundfile.SoundFileError as error:
        yield _by_ffmpeg(path, reading_error_text(error))
        return
    with contextlib.closing(parts):
        if first.format == "FLAC" and first.frames and pyav.is_installed():
            from stream.audio.rescue import RescuedPart  # only here, as few files need it

            yield RescuedPart(first, path, first.frames)
        else:
            yield first
        yield from parts


def _by_ffmpeg(path: Path, reason: str) -> pyav.PyavPart:
    """Have FFmpeg read a file that libsndfile does not, for a reason."""
    if not pyav.is_installed():
        raise ValueError(f"{reason}; {pyav.advice()}")
    with open(path, "rb") as file:
        kind = file_kind(file.read(HEAD_BYTES))
    try:
        return pyav.PyavPart(open(path, "rb"))  # the part closes it
    except ValueError as error:
        raise ValueError(reason if kind not in _FFMPEGS_OWN else str(error)) from error


def open_demo_source() -> PacedReader:
    """Play the demo audio that is part of the program, for ever."""
    with demo_path() as path:
        return open_file_source(path, loop=True, name="demo")


def demo_path() -> contextlib.AbstractContextManager[Path]:
    """Provide the demo audio as a file for as long as the context lasts."""
    return resources.as_file(resources.files("stream") / "demo.ogg")
