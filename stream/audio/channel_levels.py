"""What is measured of each channel of a source, a tenth of a second at a time, before anything is averaged."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from stream.recognition.mel import Array

CELL_SECONDS: Final = 0.1

Values: TypeAlias = npt.NDArray[np.float64]


class ChannelLevels(NamedTuple):
    """A tenth of a second of all channels: one value for each of them [shape=(channels,)]."""

    means: Array
    """Direct-current offset, 1 being full scale."""
    powers: Values
    """Mean square about the mean; 1 is 0 dBFS."""
    lowest: Array
    """The smallest sample."""
    highest: Array
    """The largest sample."""
    average_power: float
    """Mean square, about its mean, of the average of the channels."""

    @property
    def peaks(self) -> Array:
        """Largest magnitudes."""
        return np.maximum(self.highest, -self.lowest)


class ChannelCells:
    """Cuts the audio of a source into cells on a grid of its own, whatever the blocks in which it arrives.

    A cell is measured as a whole, so that not even rounding depends on the blocks.

    Parameters
    ----------
    rate : int
        In Hz.
    channels : int
    """

    def __init__(self, rate: int, channels: int) -> None:
        self.length = max(1, round(CELL_SECONDS * rate))
        """Frames of a cell."""
        self._samples = np.zeros((channels, self.length), np.float32)
        self._filled = 0

    @property
    def samples(self) -> Array:
        """The cell that has ended [shape=(channels, length)], until more is cut."""
        return self._samples

    @property
    def begun(self) -> Array:
        """What there is of the next one [shape=(channels, n)]."""
        return self._samples[:, : self._filled]

    def cut(self, frames: Array) -> Iterator[tuple[Array, ChannelLevels | None]]:
        """Divide a block at the ends of cells.

        Parameters
        ----------
        frames : np.ndarray [shape=(n, channels), dtype=float32]
            Finite.

        Yields
        ------
        piece : np.ndarray [shape=(m, channels), dtype=float32]
        levels : ChannelLevels or None
            Of the cell that ends with this piece; None where none does.
        """
        while len(frames):
            piece = frames[: self.length - self._filled]
            self._samples[:, self._filled : self._filled + len(piece)] = piece.T
            self._filled = (self._filled + len(piece)) % self.length
            yield piece, None if self._filled else measure_channels(self._samples)
            frames = frames[len(piece) :]


def measure_channels(samples: Array) -> ChannelLevels:
    """Measure all channels, and their average.

    Parameters
    ----------
    samples : np.ndarray [shape=(channels, n), dtype=float32]
        At least one of each.
    """
    # The reductions themselves, for numpy's methods around them take as long again.
    channels, count = samples.shape
    means = np.add.reduce(samples, axis=1) / np.float32(count)
    swing = samples - means[:, None]  # in float32, whose rounding is 140 dB below an offset
    powers = np.einsum("ij,ij->i", swing, swing).astype(np.float64) / count
    if channels == 1:
        average = float(powers[0])
    else:
        total = np.add.reduce(swing, axis=0)
        average = float(np.einsum("i,i", total, total)) / (count * channels**2)
    return ChannelLevels(means, powers, np.minimum.reduce(samples, axis=1), np.maximum.reduce(samples, axis=1), average)
