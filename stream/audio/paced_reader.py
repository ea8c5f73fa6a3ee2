"""A thread that reads audio at the pace of real time."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Final

import soundfile

from stream.audio.block_queue import BlockQueue
from stream.errors import SourceError
from stream.recognition.mel import Array
from stream.system import clock

_BLOCK_SECONDS: Final = 0.02
_MAX_LATE_SECONDS: Final = 2.0
"""How far reading may fall behind and catch up; what is more is a gap, as it would be for a microphone."""


class PacedReader:
    """Reads audio in a thread and queues it in real time; see `stream.audio.source.Source`.

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

    shared = False

    def __init__(self, name: str, rate: int, channels: int, read: Callable[[int], Array], speed: float = 1.0) -> None:
        self.name, self.rate, self.channels = name, rate, channels
        self.queue = BlockQueue(rate)
        self._read = read
        self._speed = speed
        self._stop = threading.Event()
        # A daemon, for it may wait for standard input for ever.
        threading.Thread(target=self._run, name=f"read {name}", daemon=True).start()

    def close(self) -> None:
        """Stop reading."""
        self._stop.set()
        self.queue.close()

    def _run(self) -> None:
        error = None
        frames_read = 0
        due = clock.now()
        try:
            while not self._stop.is_set():
                frames = self._read(max(1, round(_BLOCK_SECONDS * self.rate)))
                if not len(frames):
                    break
                frames_read += len(frames)
                # A block is queued when its last frame would have been heard.
                due = max(due, clock.now() - _MAX_LATE_SECONDS) + len(frames) / self.rate / self._speed
                if self._stop.wait(max(0.0, due - clock.now())):
                    break
                self.queue.put(frames)
        except (soundfile.SoundFileError, OSError, ValueError) as caught:
            seconds = frames_read / self.rate
            error = SourceError(f"{self.name}: broken after {seconds:.1f} s: {reading_error_text(caught)}")
            error.__cause__ = caught
        self.queue.close(error)


def reading_error_text(error: Exception) -> str:
    """Return the sentence of libsndfile or of the system, without the path that it repeats."""
    text = str(getattr(error, "error_string", "") or getattr(error, "strerror", "") or error)
    return text.strip().removeprefix("Error : ").rstrip(".") or type(error).__name__
