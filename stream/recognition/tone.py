"""Tones: line-up tones, feedback, hum, sweeps. They are no instrument, whatever a model says that only knows music.

What tells a tone from a note is that it holds still. Of a stationary sinusoid, each bin of a spectrum turns by the same
angle from one frame to the next. So, with frames X_i and R_i = X_{i+1} X_i*, the unsteadiness ::

    1 - sum over bins |sum over i R_i| / sum over bins and i |R_i|

is 0 for any sum of stationary partials, however many, and about the noise's share of the power where there is noise:
0.0005 at 30 dB. A pitch that moves by one cent makes it 0.002, and no player holds a note as still as a generator, or
a loudspeaker that feeds back; strings and plates are still, but die away. Looped sound fonts are as still as a
generator, so that a tone of many partials has to be stiller than one of a single partial, and for longer. Of a partial
that is far above all else, the bins about its peak are judged alone: they hold a seventieth of a room's noise.

What moves can be told when it is a single partial and nothing else: of real instruments, noise, attack and overtones
are never more than 26 dB below it for all of a second, of a generator they are.

The limits were chosen with `tools/measure_tones.py` on 9000 recordings.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from stream.recognition.mel import HOP_LENGTH, N_FFT, WINDOW, Array, newest_frames

_STEP: Final = 5 * HOP_LENGTH  # samples from frame to frame: the pitch has 0.12 s to move
_SHORT: Final = 8  # frames, 0.9 s
_LONG: Final = 16  # frames, 1.8 s
_LOWEST: Final = 3  # bin: direct current and rumble, below 27 Hz, are none
_LOBE: Final = 3  # bins to either side of its peak in which the taper leaves all of a partial
_MOST_FALL: Final = 0.5  # dB
_MOST_RISE: Final = 7.0  # dB over the short stretch: feedback grows
_STEADY: Final = ((_SHORT, 0.001, 0.997), (_LONG, 0.002, 0.99), (_LONG, 0.0005, 0.0))
"""Frames, the unsteadiness below which they are a tone, and the share of the power that the strongest partial needs."""
_ABOVE_NOISE: Final = (_LONG, 0.001, 0.96)
"""The same of the strongest partial alone: 14 dB above all else."""
_PURE: Final = 0.9995  # share of the power that the strongest partial has in every frame: 33 dB

_BAND_FRAMES: Final = 36  # mel frames, the short stretch
_BAND_FALL: Final = 1.5  # dB: looser than what follows, since neighbouring partials beat within a band
_BAND_RISE: Final = 9.0
_PURE_BANDS: Final = 8  # at most, within 30 dB of the loudest, where there is a single partial
_PURE_RANGE: Final = 30.0

_PART_OF_IT: Final = 1e-3  # power, relative to its strongest bin, from which on a bin is the tone's
_NOTHING_ELSE: Final = 0.9  # share of the power in the tone's bins while nothing else is heard
_NOTHING: Final = 1e-3  # power, relative to the tone's, below which nothing is heard


class ToneDetector:
    """Tells whether a window ends with a tone and nothing else.

    A tone that was recognized stays one while it is interrupted, as line-up tones are that name their channel: as long
    as nothing else is heard, and for a window at the most.
    """

    def __init__(self) -> None:
        self._taper = np.hanning(N_FFT + 1)[:-1]
        self._bins: npt.NDArray[np.bool_] | None = None
        self._power = 0.0
        self._recognized = 0
        self._sparse: list[tuple[int, Array]] = []  # mel frames in dB, and where in the stream their windows end

    def reset(self) -> None:
        """Forget the tone."""
        self._bins = None
        self._sparse.clear()

    def sparse_frames(self, window: Array, end: int) -> Array:
        """Return the newest mel frame of each of the last hops, for `update` where a front end has none in dB.

        They are among those that there would be otherwise, so that no tone is missed for their being few.

        Parameters
        ----------
        window : np.ndarray [shape=(65536,), dtype=float32]
            A whole one.
        end : int
            Position of its end in the stream, in samples.

        Returns
        -------
        np.ndarray [shape=(n, 129), dtype=float32]
            In dB, the newest last; at most those of 36 frames' time.
        """
        first = end - _BAND_FRAMES * HOP_LENGTH
        self._sparse = [(at, frame) for at, frame in self._sparse if first < at < end]
        self._sparse.append((end, newest_frames(window, HOP_LENGTH)[0]))
        return np.array([frame for _, frame in self._sparse])

    def update(self, audio: Array, bands: Array | None, end: int) -> bool:
        """Judge a window.

        Parameters
        ----------
        audio : np.ndarray [shape=(n,), dtype=float32]
            The window, without the zeros that were appended to it.
        bands : np.ndarray [shape=(m, 129), dtype=float32] or None
            Its newest mel frames in dB, by which most windows are told to be none without further ado.
        end : int
            Position of its end in the stream, in samples.

        Returns
        -------
        bool
        """
        steady, pure = (True, True) if bands is None else _possible(bands[-_BAND_FRAMES:])
        if pure and not steady:  # which the newest frames alone mostly deny
            pure = _is_pure(_power(self._spectra(audio, 2)))
        if steady or pure:
            spectra = self._spectra(audio, _LONG)
            power = _power(spectra)
            if len(power) >= _SHORT and (_is_pure(power[-_SHORT:]) or _is_steady(spectra, power)):
                mean = power[-_SHORT:].mean(axis=0)
                self._bins = _widened(mean >= _PART_OF_IT * mean.max())
                self._power = float(mean.sum())
                self._recognized = end
                return True
        if self._bins is not None and not self._goes_on(audio, end):
            self._bins = None
        return self._bins is not None

    def _goes_on(self, audio: Array, end: int) -> bool:
        """Whether nothing but the tone, or nothing at all, was heard since it was recognized."""
        assert self._bins is not None
        if end - self._recognized >= WINDOW:
            return False
        power = _power(self._spectra(audio, 2))
        total = power.sum(axis=1)
        return bool(
            np.all((power[:, self._bins].sum(axis=1) >= _NOTHING_ELSE * total) | (total < _NOTHING * self._power))
        )

    def _spectra(self, audio: Array, count: int) -> npt.NDArray[np.complex128]:
        """Spectra of the newest frames, at most `count` of them [shape=(n, 1022)]."""
        count = min(count, (len(audio) - N_FFT) // _STEP + 1)
        if count < 1:
            return np.empty((0, N_FFT // 2 + 1 - _LOWEST), np.complex128)
        newest = audio[len(audio) - (count - 1) * _STEP - N_FFT :]
        frames = np.lib.stride_tricks.sliding_window_view(newest, N_FFT)[::_STEP]
        return np.fft.rfft(frames * self._taper)[:, _LOWEST:]


def _possible(bands: Array) -> tuple[bool, bool]:
    """Whether the loudest mel band holds still or grows slowly, and whether it is nearly alone in the newest frame."""
    newest = bands[-1]
    peak = int(np.argmax(newest))
    loudest = bands[:, peak]
    fall = np.maximum.accumulate(loudest) - loudest
    steady = fall.max() < _BAND_FALL and loudest[-1] - loudest[0] < _BAND_RISE
    return bool(steady), int(np.count_nonzero(newest > newest[peak] - _PURE_RANGE)) <= _PURE_BANDS


def _is_pure(power: npt.NDArray[np.float64]) -> bool:
    """Whether every frame is a single partial."""
    return all(
        total > 0 and _strongest(frame) > _PURE * total for frame, total in zip(power, power.sum(axis=1), strict=True)
    )


def _is_steady(spectra: npt.NDArray[np.complex128], power: npt.NDArray[np.float64]) -> bool:
    """Whether all partials of the newest frames hold still, or the strongest one does and is far above the rest."""
    turns = spectra[1:] * spectra[:-1].conj()
    if any(_holds_still(turns, power, *limits) for limits in _STEADY):
        return True
    mean = power[-_LONG:].mean(axis=0)
    lobe = _lobe(mean)
    count, unsteadiness, share = _ABOVE_NOISE
    enough = float(mean[lobe].sum()) > share * float(mean.sum())
    return enough and _holds_still(turns[:, lobe], power[:, lobe], count, unsteadiness, 0.0)


def _holds_still(
    turns: npt.NDArray[np.complex128], power: npt.NDArray[np.float64], count: int, unsteadiness: float, share: float
) -> bool:
    """Whether the bins of the newest `count` frames hold still, and the strongest partial has its share of them."""
    if len(power) < count:
        return False
    level = 10 * np.log10(power[-count:].sum(axis=1) + 1e-20)
    if np.max(np.maximum.accumulate(level) - level) >= _MOST_FALL:
        return False
    if level[-1] - level[0] >= _MOST_RISE * count / _SHORT:
        return False
    those = turns[1 - count :]
    whole = np.abs(those).sum()
    mean = power[-count:].mean(axis=0)
    return bool(
        whole - np.abs(those.sum(axis=0)).sum() < unsteadiness * whole and _strongest(mean) > share * mean.sum()
    )


def _power(spectra: npt.NDArray[np.complex128]) -> npt.NDArray[np.float64]:
    return np.square(spectra.real) + np.square(spectra.imag)


def _strongest(power: npt.NDArray[np.float64]) -> float:
    """Power of the strongest partial of a spectrum."""
    return float(power[_lobe(power)].sum())


def _lobe(power: npt.NDArray[np.float64]) -> slice:
    """Bins of the strongest partial of a spectrum."""
    peak = int(np.argmax(power))
    return slice(max(0, peak - _LOBE), peak + _LOBE + 1)


def _widened(bins: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Add the bins within a lobe of those that are set."""
    return np.convolve(bins, np.ones(2 * _LOBE + 1), mode="same") > 0.5
