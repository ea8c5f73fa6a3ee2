"""Audio files in any format that libsndfile reads."""

from __future__ import annotations

import os
from contextlib import AbstractContextManager
from importlib import resources
from pathlib import Path
from typing import Final

import soundfile

from stream.audio.paced_reader import PacedReader, reading_error_text
from stream.audio.pcm import MAX_CHANNELS, MAX_SAMPLES_PER_SECOND, RATE_RANGE
from stream.errors import SourceError
from stream.recognition.mel import Array
from stream.system.stderr import quiet_stderr

_MIN_LOOP_SECONDS: Final = 0.1


def open_file_source(path: str | Path, loop: bool = False, name: str | None = None) -> PacedReader:
    """Play a file in any format that libsndfile reads, in real time.

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
    sound = open_sound_file(path, loop)

    def read(frames: int) -> Array:
        with quiet_stderr():
            block: Array = sound.read(frames, dtype="float32", always_2d=True)
            if not len(block) and loop:
                sound.seek(0)
                block = sound.read(frames, dtype="float32", always_2d=True)
        return block

    return PacedReader(name or Path(path).name, sound.samplerate, sound.channels, read)


def open_sound_file(path: str | Path, loop: bool = False) -> soundfile.SoundFile:
    """Open an audio file.

    Parameters
    ----------
    path : str or path
    loop : bool
        Whether it is to begin again at its end, for ever.

    Raises
    ------
    SourceError
        When the file is missing, is no audio, holds none, or is too short to be repeated.
    """
    path = Path(path)
    try:
        if not path.is_file():
            raise SourceError(f"{path}: {'not a file' if path.exists() else 'no such file'}")
        with open(path, "rb"):  # for which libsndfile would only say "System error"
            pass
        with quiet_stderr():  # mpg123 explains itself
            sound = soundfile.SoundFile(os.fsencode(path))  # any name, whatever Python makes of it
    except (soundfile.SoundFileError, OSError, ValueError) as error:
        raise SourceError(f"{path}: {reading_error_text(error)}") from error
    fault = None
    if not sound.frames:
        fault = "holds no audio"
    elif not RATE_RANGE[0] <= sound.samplerate <= RATE_RANGE[1]:
        fault = f"claims a rate of {sound.samplerate} Hz; expected {RATE_RANGE[0]} to {RATE_RANGE[1]}"
    elif sound.channels > MAX_CHANNELS:
        fault = f"claims {sound.channels} channels; at most {MAX_CHANNELS} are allowed"
    elif sound.channels * sound.samplerate > MAX_SAMPLES_PER_SECOND:
        fault = f"claims {sound.channels} channels at {sound.samplerate} Hz, which is too much"
    elif loop and sound.frames < _MIN_LOOP_SECONDS * sound.samplerate:
        fault = f"is too short to be repeated; expected {_MIN_LOOP_SECONDS:g} s at least"
    if fault:
        sound.close()
        raise SourceError(f"{path}: {fault}")
    return sound


def open_demo_source() -> PacedReader:
    """Play the demo audio that is part of the program, for ever."""
    with demo_path() as path:
        return open_file_source(path, loop=True, name="demo")


def demo_path() -> AbstractContextManager[Path]:
    """Provide the demo audio as a file for as long as the context lasts."""
    return resources.as_file(resources.files("stream") / "demo.ogg")
