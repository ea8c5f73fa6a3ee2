"""Hum: what the mains leave in a cable, at 50 or 60 Hz and its multiples.

What tells hum from a bass is that it stays at one frequency and one level. In spectra of two seconds, half a hertz
apart, a line of the mains stands alone: the notes nearest to it, G1 at 49.0 Hz and B1 at 61.7 Hz, raise its neighbours
as much as itself. A line counts where it is 12 dB above all between 1 and 4 Hz beside it, its frequency, interpolated
between bins, is that of the mains to 0.4 %, and both frequency and level are those of the spectrum a second before.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from stream.audio.channel_levels import CELL_SECONDS, Values
from stream.audio.low_band import LowBand
from stream.recognition.mel import Array

MAINS: Final = (50, 60)
"""Hz."""
HUM_SECONDS: Final = 4.0
"""How long hum lasts before it is told: less may be a note."""

_HARMONICS: Final = 5
_WINDOW: Final = round(2.0 / CELL_SECONDS)  # cells
_HOP: Final = round(1.0 / CELL_SECONDS)
_PROMINENCE: Final = 10**1.2  # power of a line above that of its neighbours
_NEAR, _FAR = 1.0, 4.0  # Hz, where the neighbours are; within the first is the taper's own lobe
_DEVIATION: Final = 0.004  # of the mains, and what the clock of an interface adds
_SAME_LEVEL: Final = 10**0.15  # power
_SAME_FREQUENCY: Final = 0.1  # Hz at the fundamental
_LEAST_POWER: Final = 1e-8  # -80 dBFS
_GONE: Final = 0.25  # of the power that it had
_SPECTRA: Final = round(HUM_SECONDS / (_HOP * CELL_SECONDS)) - 1  # in a row, of windows that overlap by half


class MainsHum:
    """Looks for hum in each channel.

    Parameters
    ----------
    rate : int
        In Hz.
    channels : int
    length : int
        Samples of a cell.
    """

    def __init__(self, rate: int, channels: int, length: int) -> None:
        self.frequencies = np.zeros(channels, np.int64)
        """That of the mains which is heard [shape=(channels,)], in Hz; 0 where none is."""
        self.powers: Values = np.zeros(channels)
        """Mean square of its lines, when they were last told from the music; 1 is 0 dBFS."""
        self._low = LowBand(rate, channels, length)
        size = _WINDOW * self._low.length
        self._audio = np.zeros((channels, size), np.float32)
        self._taper = np.hanning(size + 1)[:-1].astype(np.float32)
        self._bin = self._low.rate / size  # Hz
        self._cells = 0
        shape = (channels, len(MAINS), _HARMONICS)
        self._rows = np.zeros(shape, np.int64)  # spectra in a row that have the line
        self._line_powers: Values = np.zeros(shape)
        self._line_frequencies: Values = np.zeros(shape)  # at the fundamental

    def take(self, samples: Array) -> bool:
        """Take in the next cell [shape=(channels, length), dtype=float32]; return whether a spectrum was judged."""
        count = self._low.length
        low = self._low.take(samples)
        self._audio[:, :-count] = self._audio[:, count:].copy()
        self._audio[:, -count:] = low
        self._cells += 1
        if self._cells < _WINDOW or self._cells % _HOP:
            return False
        spectra = np.abs(np.fft.rfft(self._audio * self._taper)) ** 2
        # Of a sine of amplitude a, the bin at its peak has (a n / 4)^2; its mean square is a^2 / 2.
        spectra *= 8 / self._audio.shape[1] ** 2
        for number, mains in enumerate(MAINS):
            for harmonic in range(_HARMONICS):
                self._follow(spectra, number, harmonic, mains * (harmonic + 1))
        self._judge()
        return True

    def _follow(self, spectra: Values, mains: int, harmonic: int, frequency: int) -> None:
        """See which channels have a line in this spectrum, and whether it is the one of before."""
        place = (slice(None), mains, harmonic)
        near, far = (round(it / self._bin) for it in (_NEAR, _FAR))
        middle = round(frequency / self._bin)
        if middle + far + near >= spectra.shape[1]:
            return
        reach = int(np.ceil(_DEVIATION * frequency / self._bin))
        peaks = middle - reach + np.argmax(spectra[:, middle - reach : middle + reach + 1], axis=1)
        rows = np.arange(len(spectra))[:, None]
        peak, below, above = (spectra[rows[:, 0], peaks + offset] for offset in (0, -1, 1))
        beside = np.arange(near, far + 1)
        neighbours = spectra[rows, peaks[:, None] + np.concatenate([-beside, beside])].max(axis=1)
        # With a Hann window, of amplitudes A at the peak's bin and B beside it, it is off by (2 B - A) / (A + B) bins.
        ratio = np.sqrt(np.maximum(below, above) / np.maximum(peak, 1e-30))
        offset = np.where(above >= below, 1, -1) * (2 * ratio - 1) / (1 + ratio)
        fundamental = (peaks + offset) * self._bin / (harmonic + 1)
        is_line = (peak > _PROMINENCE * neighbours) & (np.abs(fundamental / MAINS[mains] - 1) < _DEVIATION)
        before, row = self._line_powers[place], self._rows[place]
        is_same = (np.maximum(peak, before) < _SAME_LEVEL * np.minimum(peak, before)) & (
            np.abs(fundamental - self._line_frequencies[place]) < _SAME_FREQUENCY
        )
        self._rows[place] = np.where(is_line, np.where(is_same, row + 1, 1), 0)
        self._line_powers[place], self._line_frequencies[place] = peak, fundamental

    def _judge(self) -> None:
        """Tell hum by lines that have lasted: two of them, or one that is the mains' own frequency or its double."""
        lasting = self._rows >= _SPECTRA
        powers = np.where(lasting, self._line_powers, 0.0)
        enough = lasting[:, :, :2].any(axis=2) & _are_harmonic(lasting, self._line_frequencies)
        sums = np.where(enough, powers.sum(axis=2), 0.0)
        best = np.argmax(sums, axis=1)
        power = sums[np.arange(len(sums)), best]
        heard: npt.NDArray[np.bool_] = power > _LEAST_POWER
        # Music may cover it; but where there is less than it was, it has gone.
        left = np.where(self.frequencies == MAINS[0], *(self._line_powers.sum(axis=2)[:, i] for i in (0, 1)))
        gone = left < _GONE * self.powers
        self.frequencies[gone], self.powers[gone] = 0, 0.0
        self.frequencies[heard] = np.array(MAINS)[best][heard]
        self.powers[heard] = power[heard]


def _are_harmonic(lasting: npt.NDArray[np.bool_], frequencies: Values) -> npt.NDArray[np.bool_]:
    """Whether the lasting lines are multiples of one frequency [shape=(channels, mains)]."""
    highest = np.where(lasting, frequencies, -np.inf).max(axis=2)
    lowest = np.where(lasting, frequencies, np.inf).min(axis=2)
    return np.asarray(highest - lowest < 2 * _SAME_FREQUENCY)
