"""Audio from files and from standard input, at the pace of real time."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from importlib import resources
from pathlib import Path
from typing import Final

import numpy as np
import soundfile

from stream.audio.block_queue import HandOff
from stream.audio.pcm import MOST_CHANNELS, MOST_NUMBERS, RATES, Pcm
from stream.errors import SourceError
from stream.recognition.mel import Array
from stream.system import clock
from stream.system.stderr import quiet_stderr

_BLOCK_SECONDS: Final = 0.02
_LATE_SECONDS: Final = 2.0
"""How far reading may fall behind and catch up; what is more is a gap, as it would be for a microphone."""
_PCM_SPEED: Final = 1.01
"""How much faster than ours the clock of a live standard input may run; what comes faster is held back."""
_LOOP_SECONDS: Final = 0.1


class Reader:
    """A thread that reads audio and hands it over in real time; see `stream.audio.source.Source`.

    Parameters
    ----------
    name : str
        What is read, for people.
    rate, channels : int
        Form of the audio.
    read : callable
        Takes a number of frames and returns at most so many [shape=(n, channels), dtype=float32], none at the end.
    speed : float
        How much faster than real time the audio may pass.
    """

    def __init__(self, name: str, rate: int, channels: int, read: Callable[[int], Array], speed: float = 1.0) -> None:
        self.name, self.rate, self.channels = name, rate, channels
        self.handoff = HandOff(rate)
        self._read = read
        self._speed = speed
        self._stop = threading.Event()
        # A daemon, for it may wait for standard input for ever.
        threading.Thread(target=self._run, name=f"read {name}", daemon=True).start()

    def close(self) -> None:
        """Stop reading."""
        self._stop.set()
        self.handoff.close()

    def _run(self) -> None:
        error = None
        heard = 0
        due = clock.now()
        try:
            while not self._stop.is_set():
                frames = self._read(max(1, round(_BLOCK_SECONDS * self.rate)))
                if not len(frames):
                    break
                heard += len(frames)
                # A block is handed over when its last frame would have been heard.
                due = max(due, clock.now() - _LATE_SECONDS) + len(frames) / self.rate / self._speed
                if self._stop.wait(max(0.0, due - clock.now())):
                    break
                self.handoff.put(frames)
        except (soundfile.SoundFileError, OSError, ValueError) as caught:
            error = SourceError(f"{self.name}: broken after {heard / self.rate:.1f} s: {reason(caught)}")
            error.__cause__ = caught
        self.handoff.close(error)


def open_file(path: str | Path, loop: bool = False, name: str | None = None) -> Reader:
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
    sound = open_sound(path, loop)

    def read(frames: int) -> Array:
        with quiet_stderr():
            block: Array = sound.read(frames, dtype="float32", always_2d=True)
            if not len(block) and loop:
                sound.seek(0)
                block = sound.read(frames, dtype="float32", always_2d=True)
        return block

    return Reader(name or Path(path).name, sound.samplerate, sound.channels, read)


def open_sound(path: str | Path, loop: bool = False) -> soundfile.SoundFile:
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
        with open(path, "rb"):  # of which libsndfile would say no more than "System error"
            pass
        with quiet_stderr():  # mpg123 explains itself
            sound = soundfile.SoundFile(os.fsencode(path))  # any name, whatever Python makes of it
    except (soundfile.SoundFileError, OSError, ValueError) as error:
        raise SourceError(f"{path}: {reason(error)}") from error
    fault = None
    if not sound.frames:
        fault = "holds no audio"
    elif not RATES[0] <= sound.samplerate <= RATES[1]:
        fault = f"says that its rate is {sound.samplerate} Hz; expected {RATES[0]} to {RATES[1]}"
    elif sound.channels > MOST_CHANNELS:
        fault = f"says that it has {sound.channels} channels; at most {MOST_CHANNELS} are allowed"
    elif sound.channels * sound.samplerate > MOST_NUMBERS:
        fault = f"says that it has {sound.channels} channels at {sound.samplerate} Hz, which is too much"
    elif loop and sound.frames < _LOOP_SECONDS * sound.samplerate:
        fault = f"is too short to be repeated; expected {_LOOP_SECONDS:g} s at least"
    if fault:
        sound.close()
        raise SourceError(f"{path}: {fault}")
    return sound


def open_demo() -> Reader:
    """Play the demo audio that is part of the program, for ever."""
    with demo_file() as path:
        return open_file(path, loop=True, name="demo")


def demo_file() -> AbstractContextManager[Path]:
    """Have the demo audio as a file for as long as the context lasts."""
    return resources.as_file(resources.files("stream") / "demo.ogg")


def open_pcm(descriptor: int, pcm: Pcm) -> Reader:
    """Play raw audio.

    It passes as fast as it comes, but hardly faster than real time, so that a file poured in is heard like a
    microphone.

    Parameters
    ----------
    descriptor : int
        File descriptor to read from: 0 for standard input.
    pcm : Pcm
        Its form.
    """
    size = np.dtype(pcm.dtype).itemsize * pcm.channels
    rest = b""

    def read(frames: int) -> Array:
        nonlocal rest
        data = rest
        while len(data) < size:
            # Not through a buffered file: a thread that waits inside one keeps Python from ending.
            more = os.read(descriptor, frames * size)
            if not more:
                return np.empty((0, pcm.channels), np.float32)
            data += more
        whole = len(data) // size * size
        data, rest = data[:whole], data[whole:]
        samples = np.frombuffer(data, pcm.dtype).reshape(-1, pcm.channels)
        if pcm.dtype == "<f4":  # garbage, perhaps, that arithmetic would complain of
            return samples.astype(np.float32)
        return samples.astype(np.float32) / np.float32(32768)

    return Reader("standard input", pcm.rate, pcm.channels, read, _PCM_SPEED)


def reason(error: Exception) -> str:
    """Return libsndfile's sentence without the path that it repeats."""
    text = str(getattr(error, "error_string", "") or getattr(error, "strerror", "") or error)
    return text.strip().removeprefix("Error : ").rstrip(".") or type(error).__name__
