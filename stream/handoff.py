"""The way from the thread that delivers audio to the event loop that takes it."""

from __future__ import annotations

import asyncio
import threading
import time
from collections import deque
from dataclasses import dataclass

import numpy as np

from stream.features import Array


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
    """When its last frame was handed over, on `time.monotonic`, in seconds."""


@dataclass(slots=True)
class _Entry:
    frames: Array
    lost: int
    delivered: float


class HandOff:
    """A bounded queue of audio with one writing thread and one reading task.

    When it is full the oldest audio makes way for the newest, and its length is told as `lost` to whoever reads on:
    the sample clock stays true.

    Parameters
    ----------
    capacity : int
        Frames to keep waiting at the most.
    """

    def __init__(self, capacity: int) -> None:
        self.overflows = 0
        """Times that audio was lost, on the device's side or on ours."""
        self._capacity = capacity
        self._lock = threading.Lock()
        self._entries: deque[_Entry] = deque()
        self._waiting = 0
        self._closed = False
        self._error: Exception | None = None
        self._loop = asyncio.get_running_loop()
        self._ready = asyncio.Event()

    def put(self, frames: Array, lost: int = 0, overflow: bool = False) -> None:
        """Hand over audio; from the delivering thread.

        Parameters
        ----------
        frames : np.ndarray [shape=(n, channels), dtype=float32]
            Kept, not copied.
        lost : int
            Frames known to be missing before these.
        overflow : bool
            Whether the device said that it lost audio.
        """
        with self._lock:
            self.overflows += overflow
            self._entries.append(_Entry(frames, lost, time.monotonic()))
            self._waiting += len(frames)
            if self._waiting > self._capacity and len(self._entries) > 1:
                self.overflows += 1
                while self._waiting > self._capacity and len(self._entries) > 1:
                    oldest = self._entries.popleft()
                    self._waiting -= len(oldest.frames)
                    self._entries[0].lost += oldest.lost + len(oldest.frames)
        self._wake()

    def close(self, error: Exception | None = None) -> None:
        """Say that no more will come, because of an error or because the audio has ended; from any thread."""
        with self._lock:
            if self._closed:
                return
            self._closed, self._error = True, error
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
        while True:
            self._ready.clear()
            with self._lock:
                if self._entries:
                    return self._take()
                if self._closed:
                    if self._error is not None:
                        raise self._error
                    return None
            await self._ready.wait()

    def _take(self) -> Block:
        first = self._entries.popleft()
        pieces, delivered = [first.frames], first.delivered
        while self._entries and not self._entries[0].lost:
            entry = self._entries.popleft()
            pieces.append(entry.frames)
            delivered = entry.delivered
        frames = pieces[0] if len(pieces) == 1 else np.concatenate(pieces)
        self._waiting -= len(frames)
        return Block(frames, first.lost, self._waiting, delivered)

    def _wake(self) -> None:
        # The loop may be gone already when a device says its last word.
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._ready.set)
