"""The queue of audio between the thread that delivers it and the event loop that takes it."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections import deque
from dataclasses import dataclass
from typing import Final

import numpy as np

from stream.audio.gaps import GapDetector
from stream.recognition.mel import Array
from stream.system import clock

_CAPACITY_SECONDS: Final = 3.0


@dataclass(frozen=True, slots=True)
class Block:
    """Audio in one piece, as it was delivered."""

    frames: Array
    """Shape (n, channels), float32 in [-1, 1]."""
    lost: int
    """Frames that are missing before it."""
    waiting: int
    """Frames that were delivered after it already."""
    delivered: float
    """When its last frame was put, on `stream.system.clock`, in seconds."""


@dataclass(slots=True)
class _Entry:
    frames: Array
    lost: int
    delivered: float


class BlockQueue:
    """A bounded queue of audio with one writing thread and one reading task.

    When it is full the oldest audio is dropped, and its length is in the next block's `lost`: the sample clock stays
    true. So it does when audio is missing that nobody reports, which the `GapDetector` finds; audio before which much
    may be missing waits, for half a second at the most, until it is known how much.

    Parameters
    ----------
    rate : int
        Frames a second, in Hz.
    seconds : float
        Audio to keep waiting at the most.
    """

    def __init__(self, rate: int, seconds: float = _CAPACITY_SECONDS) -> None:
        self.deliveries = 0
        """Times that `put` was called: a sign of life, also while the audio waits."""
        self._capacity = round(seconds * rate)
        self._gaps = GapDetector(rate)
        self._dropped = 0
        self._lock = threading.Lock()
        self._entries: deque[_Entry] = deque()
        self._certain = 0  # entries before which no more may be missing
        self._waiting = 0
        self._closed = False
        self._error: Exception | None = None
        self._loop: asyncio.AbstractEventLoop | None = None  # that of the reader, once it reads
        self._ready = asyncio.Event()
        self._woken = False  # whether the loop is about to set it

    @property
    def overflows(self) -> int:
        """Times that audio was lost, on the device's side or on ours."""
        return self._gaps.losses + self._dropped

    def change_rate(self, rate: int, seconds: float = _CAPACITY_SECONDS) -> None:
        """Take another rate than was expected, in Hz, before the first audio."""
        with self._lock:
            self._capacity = round(seconds * rate)
            self._gaps = GapDetector(rate)

    def put(self, frames: Array, overflow: bool = False) -> None:
        """Add audio; from the delivering thread.

        Parameters
        ----------
        frames : np.ndarray [shape=(n, channels), dtype=float32]
            Kept, not copied.
        overflow : bool
            Whether the device said that it lost audio before these.
        """
        now = clock.now()
        with self._lock:
            self.deliveries += 1
            lost = self._gaps.update(len(frames), now, overflow)
            if lost < 0:
                return
            self._entries.append(_Entry(frames, 0, now))
            self._waiting += len(frames)
            if lost:
                self._entries[self._certain].lost += lost
            if not self._gaps.is_undecided:
                self._certain = len(self._entries)
            if self._waiting > self._capacity and len(self._entries) > 1:
                self._dropped += 1
                while self._waiting > self._capacity and len(self._entries) > 1:
                    oldest = self._entries.popleft()
                    self._certain = max(0, self._certain - 1)
                    self._waiting -= len(oldest.frames)
                    self._entries[0].lost += oldest.lost + len(oldest.frames)
            if not self._certain:
                return
        self._wake()

    def clear(self) -> None:
        """Leave out what waits, before any of it is taken."""
        with self._lock:
            self._entries.clear()
            self._certain = self._waiting = 0

    def close(self, error: Exception | None = None) -> None:
        """Say that no more will come, because of an error or because the audio has ended; from any thread."""
        with self._lock:
            if self._closed:
                return
            self._closed, self._error = True, error
            self._certain = len(self._entries)
        self._wake()

    async def get(self) -> Block | None:
        """Take all audio that waits, as far as it is in one piece.

        Returns
        -------
        Block or None
            None when the audio has ended.

        Raises
        ------
        Exception
            What `close` was given, once all audio before it is taken.
        """
        self._loop = asyncio.get_running_loop()
        while True:
            self._ready.clear()
            with self._lock:
                if self._certain:
                    return self._take()
                if self._closed:
                    if self._error is not None:
                        raise self._error
                    return None
            await self._ready.wait()

    def _take(self) -> Block:
        first = self._pop()
        pieces, delivered = [first.frames], first.delivered
        while self._certain and not self._entries[0].lost:
            entry = self._pop()
            pieces.append(entry.frames)
            delivered = entry.delivered
        frames = pieces[0] if len(pieces) == 1 else np.concatenate(pieces)
        self._waiting -= len(frames)
        return Block(frames, first.lost, self._waiting, delivered)

    def _pop(self) -> _Entry:
        self._certain -= 1
        return self._entries.popleft()

    def _wake(self) -> None:
        # Once is enough: a device that delivers without a pause would fill the pipe by which the loop gets signals.
        if self._loop is not None and not self._woken:
            self._woken = True
            with contextlib.suppress(RuntimeError):  # the loop may be gone when a device calls for the last time
                self._loop.call_soon_threadsafe(self._set)

    def _set(self) -> None:
        self._woken = False
        self._ready.set()
