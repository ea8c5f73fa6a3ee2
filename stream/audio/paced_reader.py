"""A thread that reads audio at the pace of real time."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Final

from stream.audio.audio_file import UNREADABLE, reading_error_text
from stream.audio.block_queue import BlockQueue
from stream.errors import SourceError
from stream.recognition.mel import Array
from stream.system import clock

_log = logging.getLogger(__name__)

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
    begin : callable, optional
        Waits for the first audio, and returns its rate and channels, where only that tells.
    """

    shared = False

    def __init__(
        self,
        name: str,
        rate: int,
        channels: int,
        read: Callable[[int], Array],
        speed: float = 1.0,
        begin: Callable[[], tuple[int, int]] | None = None,
    ) -> None:
        self.name, self.rate, self.channels = name, rate, channels
        self.queue = BlockQueue(rate)
        self._read = read
        self._speed = speed
        self._begin = begin
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
        try:
            if self._begin is not None:
                self.rate, self.channels = self._begin()
                self.queue.change_rate(self.rate)
            due = clock.now()
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
        except SourceError as caught:
            error = caught
        except UNREADABLE as caught:
            seconds = frames_read / self.rate
            error = SourceError(f"{self.name}: broken after {seconds:.1f} s: {reading_error_text(caught)}")
            error.__cause__ = caught
        self.queue.close(error)


class Remarks:
    """Tells what people should know of what is read: once, however often it is repeated.

    Parameters
    ----------
    name : str
        What is read, for people.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._told: set[str] = set()

    def tell(self, remark: str | None) -> None:
        """Write a remark to the log, if there is one."""
        if remark is not None and remark not in self._told:
            self._told.add(remark)
            _log.warning("%s: %s", self._name, remark)
