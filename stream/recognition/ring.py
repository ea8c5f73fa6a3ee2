"""A ring buffer of the last seconds of audio."""

from __future__ import annotations

import numpy as np

from stream.recognition.mel import Array


class Ring:
    """Keeps the newest `capacity` samples and shows any stretch of them in one piece.

    Every sample is stored twice, `capacity` apart, so that the newest ones are contiguous wherever the ring has turned
    to; a view costs nothing, and writing costs one more copy.

    Parameters
    ----------
    capacity : int
        Samples to keep.
    """

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self._data = np.zeros(2 * capacity, np.float32)
        self._head = 0

    def write(self, samples: Array) -> None:
        """Append samples, which are copied.

        Parameters
        ----------
        samples : np.ndarray [shape=(n,), dtype=float32]
            Mono audio; of more than `capacity` samples the newest are kept.
        """
        samples = samples[-self.capacity :]
        first = min(len(samples), self.capacity - self._head)
        for start in (self._head, self._head + self.capacity):
            self._data[start : start + first] = samples[:first]
        rest = len(samples) - first
        for start in (0, self.capacity):
            self._data[start : start + rest] = samples[first:]
        self._head = (self._head + len(samples)) % self.capacity

    def newest(self, count: int) -> Array:
        """Return the newest samples, oldest of them first.

        Parameters
        ----------
        count : int
            At most `capacity`. What was never written reads as zeros.

        Returns
        -------
        np.ndarray [shape=(count,), dtype=float32]
            A view that holds until the next write.
        """
        end = self._head + self.capacity
        return self._data[end - count : end]

    def clear(self) -> None:
        """Fill the ring with zeros."""
        self._data.fill(0.0)
