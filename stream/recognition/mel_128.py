"""The other model input: log mel frames at 32 kHz of the newest window, computed incrementally.

They are those of EfficientAT (Schmid, Koutini, Widmer: "Efficient Large-Scale Audio Tagging via Transformer-to-CNN
Knowledge Distillation", arXiv 2211.04772), whose networks heard AudioSet through them. With audio x brought to 32 kHz::

    y[n] = x[n + 1] - 0.97 x[n]
    frame k = |FFT_1024(y[320 k - 400 ... 320 k + 399] under a symmetric Hann window)| ** 2
    features = (log(gain ** 2 * mel(frame) + 1e-5) + 4.5) / 5

with triangular mel bands whose peaks are 1, and the gain that brings the window's loudest sample to 0.5. Nothing is
padded: a window's features are its newest 292 frames that lie within it. Frames are tied to positions in the stream,
two to each 441 samples at 22 050 Hz, so that wherever windows end, each frame is computed once.

Resampling is one low-pass filter of 201 samples at 22 050 Hz, which takes the pre-emphasis along. It was fitted to the
impulse response of soxr's high quality, with which the pretrained network's check was made: flat to 10 kHz, -6 dB at
10.55 kHz and nothing from 11 kHz on. As nothing is left above, the frames are computed at 24 kHz, with three quarters
of the samples and the same bins, 31.25 Hz apart. That changes what is heard between 10 and 11 kHz by about 0.001.
"""

from __future__ import annotations

import functools
from typing import Final, NamedTuple

import numpy as np
import numpy.fft  # which numpy would leave to its first use: with the first hop, while audio comes
import numpy.typing as npt

from stream.recognition.mel import SAMPLE_RATE, WINDOW, Array, newest_frames

RATE: Final = 32_000
"""Rate that the audio is brought to, in Hz."""
N_FFT: Final = 1_024
"""Points of a frame's Fourier transform."""
FRAME_LENGTH: Final = 800
"""Samples in a frame, at 32 kHz."""
HOP_LENGTH: Final = 320
"""Samples from one frame to the next, at 32 kHz: 10 ms."""
N_MELS: Final = 128
"""Mel bands."""
F_MAX: Final = 15_000.0
"""Upper end of the highest band in Hz. What lies above 11 025 Hz hears nothing."""
FRAMES: Final = 292
"""Frames in a window: those that lie within it wherever it ends."""
PEAK: Final = 0.5
"""Largest magnitude of a window's samples, once its gain is applied."""
QUIETEST: Final = 1e-6
"""Peak below which a window is not amplified further, -120 dBFS: the lowest level that can be set as the gate."""

PARAMETERS: Final[dict[str, int | float | str]] = {
    "front_end": "mel-128",
    "sample_rate": SAMPLE_RATE,
    "window": WINDOW,
    "resampled_rate": RATE,
    "n_fft": N_FFT,
    "frame_length": FRAME_LENGTH,
    "hop_length": HOP_LENGTH,
    "n_mels": N_MELS,
    "frames": FRAMES,
    "taper": "symmetric hann",
    "pre_emphasis": 0.97,
    "mel": "1127 ln(1 + f / 700)",
    "f_max": F_MAX,
    "power": 2.0,
    "peak": PEAK,
    "floor": 1e-5,
    "offset": 4.5,
    "scale": 5.0,
}
"""What a model bundle must name as its features to be served by this front end."""

_PRE_EMPHASIS: Final = 0.97
_FLOOR: Final = 1e-5

# Kaiser's window, fitted to soxr's high quality: the transition ends where the input's spectrum does.
_CUTOFF: Final = 0.9568  # of half the sample rate
_BETA: Final = 13.19
_REACH: Final = 100  # samples at 22 050 Hz to either side

_RATE: Final = 24_000  # at which frames are computed, in Hz
_UP: Final = 160  # samples at 24 kHz in a block
_DOWN: Final = 147  # the same at 22 050 Hz
_FRAME_LENGTH: Final = FRAME_LENGTH * _RATE // RATE
_HOP_LENGTH: Final = HOP_LENGTH * _RATE // RATE
_N_FFT: Final = N_FFT * _RATE // RATE
_BINS: Final = SAMPLE_RATE * N_FFT // (2 * RATE) + 2  # of the spectrum that hear anything
_BEFORE: Final = FRAME_LENGTH / 2 * SAMPLE_RATE / RATE  # from a frame's first sample to its middle, at 22 050 Hz
_AHEAD: Final = SAMPLE_RATE / RATE  # of the sample that pre-emphasis looks ahead to
_GROUPS: Final = 5  # parts of a block, each of which is one product of its stretch of audio with a matrix
_STEP: Final = _DOWN // _GROUPS  # samples from one stretch to the next; 0.4 short of what it would be
_FIRST: Final = -int(_BEFORE + _REACH)  # first sample that a block sees, from the middle of a frame that begins there
_SEEN: Final = int(_DOWN - _BEFORE + _AHEAD + _REACH) - (_GROUPS - 1) * _STEP - _FIRST + 1  # samples in a stretch
_LATEST: Final = int(_BEFORE + _AHEAD + _REACH) + 2  # from a frame's middle to the sample after those that it sees
_CHUNK: Final = 32  # frames computed at a time: what they take stays in the processor's cache


def mel_edges() -> npt.NDArray[np.float64]:
    """Corner frequencies of the mel triangles.

    Returns
    -------
    np.ndarray [shape=(130,), dtype=float64]
        Frequencies in Hz, rising from 0 to 15 000, evenly spaced on the scale 1127 ln(1 + f / 700).
    """
    return 700 * np.expm1(np.linspace(0, _mels(np.asarray(F_MAX)), N_MELS + 2) / 1127)


class StreamingMel128:
    """Features of one window after the other, reusing the frames that the windows share."""

    def __init__(self) -> None:
        self._tables = _tables()
        self._tapered = np.zeros((_CHUNK, _N_FFT))
        self._power = np.zeros((N_MELS, FRAMES), np.float32)
        self._features = self._power  # of these frames, with `_gain`
        self._gain = 0.0
        self._newest: int | None = None  # number of the newest frame in the stream
        self._window: Array = np.zeros(0, np.float32)
        self._end: int | None = None
        self._moved: int | None = None

    def reset(self) -> None:
        """Forget all frames: the next window shares none with the last."""
        self._newest = self._end = self._moved = None
        self._window = self._window[:0]

    def features(self, window: Array, end: int) -> Array:
        """Features of the window that ends at sample `end` of the stream.

        Parameters
        ----------
        window : np.ndarray [shape=(65536,), dtype=float32]
            Mono audio at 22 050 Hz, finite. It is read, and by `newest` read again.
        end : int
            Position in the stream of the sample after the window's last one. Frames that the window of the last call
            had are reused when it did not lie later.

        Returns
        -------
        np.ndarray [shape=(128, 292), dtype=float32]
            Mel bands by frames, oldest first; -1.4 where there is nothing.
        """
        newest = (end - _LATEST) * 2 // 441  # two to each 441 samples
        moved = FRAMES if self._newest is None else newest - self._newest
        fresh = moved if 0 <= moved < FRAMES else FRAMES
        self._moved = None if self._end is None else end - self._end
        self._window, self._newest, self._end = window, newest, end
        power = [self._power[:, fresh:]]
        for number in range(newest - fresh + 1, newest + 1, _CHUNK):
            count = min(_CHUNK, newest - number + 1)
            power.append(self._mel_power(window, end - WINDOW, number, count).T)
        self._power = np.concatenate(power, axis=1)
        gain = PEAK / max(float(window.max()), -float(window.min()), QUIETEST)
        if gain == self._gain:
            new = _scaled(self._power[:, FRAMES - fresh :], gain)
            self._features = np.concatenate([self._features[:, fresh:], new], axis=1)
        else:
            self._features = _scaled(self._power, gain)
            self._gain = gain
        self._features.flags.writeable = False  # it is used again
        return self._features

    def newest(self) -> Array:
        """Frames that the last call of `features` added, for a display. They are computed now.

        Returns
        -------
        np.ndarray [shape=(n, 129), dtype=float32]
            Those of `stream.recognition.mel.StreamingMel`, since a display shows more than these models hear: power
            in dB relative to 1, oldest first; `n` is 125 after a start or a jump. The newest one is centred
            1024 samples before the window's end.
        """
        return newest_frames(self._window, self._moved)

    def frames(self) -> Array:
        """All frames of the newest window that `newest` gives after a start [shape=(125, 129), dtype=float32]."""
        return newest_frames(self._window, None)

    def _mel_power(self, window: Array, origin: int, number: int, count: int) -> Array:
        """Mel power [shape=(count, 128)] of frames from `number` on, in a window whose first sample is `origin`."""
        tables = self._tables
        block, skipped = divmod(number * _HOP_LENGTH, _UP)
        blocks = -(-(skipped + (count - 1) * _HOP_LENGTH + _FRAME_LENGTH) // _UP)
        audio = _stretch(window, block * _DOWN + _FIRST - origin, (blocks - 1) * _DOWN + (_GROUPS - 1) * _STEP + _SEEN)
        item = audio.itemsize
        stretches = np.lib.stride_tricks.as_strided(
            audio, (_GROUPS, blocks, _SEEN), (_STEP * item, _DOWN * item, item), writeable=False
        )
        resampled = np.empty((blocks, _GROUPS, _UP // _GROUPS), np.float32)
        np.matmul(stretches, tables.resampling, out=resampled.transpose(1, 0, 2))
        split = np.lib.stride_tricks.as_strided(
            resampled.reshape(-1)[skipped:], (count, _FRAME_LENGTH), (_HOP_LENGTH * item, item), writeable=False
        )
        tapered = self._tapered[:count]
        np.multiply(split, tables.taper, out=tapered[:, :_FRAME_LENGTH])
        # The transform in double precision, since numpy's in single precision is the slower one.
        square = np.fft.rfft(tapered)[:, :_BINS].astype(np.complex64).view(np.float32)
        np.square(square, out=square)
        power = square[:, ::2] + square[:, 1::2]
        mel = np.zeros((count, N_MELS), np.float32)
        for bands, bins, weights in tables.mel:
            np.matmul(power[:, bins], weights, out=mel[:, bands])
        return mel


def window_features(window: Array, end: int = WINDOW) -> Array:
    """Features of one window by itself, as `StreamingMel128` gives them.

    Parameters
    ----------
    window : np.ndarray [shape=(65536,), dtype=float32]
        Mono audio at 22 050 Hz, finite.
    end : int
        Where in a stream it ends: by this the frames lie elsewhere, by up to 220 samples.

    Returns
    -------
    np.ndarray [shape=(128, 292), dtype=float32]
    """
    return StreamingMel128().features(window, end)


class _Tables(NamedTuple):
    """What all front ends share."""

    resampling: Array
    """[shape=(20, n, 32)]: from a stretch of audio to pre-emphasized samples at 32 kHz."""
    taper: Array
    """[shape=(800,)]"""
    mel: list[tuple[slice, slice, Array]]
    """Bands, the bins that they see, and the weights [shape=(n_bins, n_bands)]."""


@functools.cache
def _tables() -> _Tables:
    outputs = np.arange(_UP).reshape(_GROUPS, 1, -1) * (_DOWN / _UP) - _BEFORE
    inputs = _FIRST + _STEP * np.arange(_GROUPS)[:, None, None] + np.arange(_SEEN)[:, None]
    distance = outputs - inputs
    resampling = _low_pass(distance + _AHEAD) - _PRE_EMPHASIS * _low_pass(distance)
    turns = np.arange(_FRAME_LENGTH) * (RATE / _RATE / (FRAME_LENGTH - 1))
    taper = (RATE / _RATE) * (0.5 - 0.5 * np.cos(2 * np.pi * turns))
    mels, corners = _mels(np.arange(_BINS, dtype=float) * (RATE / N_FFT)), _mels(mel_edges())
    rising = (mels - corners[:-2, None]) / np.diff(corners)[:-1, None]
    falling = (corners[2:, None] - mels) / np.diff(corners)[1:, None]
    weights = np.maximum(0.0, np.minimum(rising, falling)).astype(np.float32)
    blocks = []
    for part in np.array_split(np.flatnonzero(weights.any(axis=1)), 4):
        bands = slice(part[0], part[-1] + 1)
        seen = np.flatnonzero(weights[bands].any(axis=0))
        bins = slice(seen[0], seen[-1] + 1)
        blocks.append((bands, bins, np.ascontiguousarray(weights[bands, bins].T)))
    return _Tables(resampling.astype(np.float32), taper.astype(np.float32), blocks)


def _scaled(power: Array, gain: float) -> Array:
    """Features of mel power [shape=(128, n)] with a gain."""
    features = power * np.float32(gain * gain)
    features += np.float32(_FLOOR)
    np.log(features, out=features)
    features *= np.float32(0.2)
    features += np.float32(0.9)
    return features


def _low_pass(distance: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Impulse response of the resampling filter, at distances in samples at 22 050 Hz."""
    grid = np.linspace(0, 1, 4097)  # interpolated, since Bessel functions would take longer than all else at the start
    kaiser = np.interp(1 - np.square(distance / _REACH), grid, np.i0(_BETA * np.sqrt(grid)) / np.i0(_BETA), left=0.0)
    response: npt.NDArray[np.float64] = _CUTOFF * np.sinc(_CUTOFF * distance) * kaiser
    return response


def _mels(frequency: npt.NDArray[np.floating]) -> npt.NDArray[np.float64]:
    mels: npt.NDArray[np.float64] = 1127 * np.log1p(frequency / 700)
    return mels


def _stretch(window: Array, start: int, length: int) -> Array:
    """Part of a window, with zeros for what lies outside: the filter's matrices weigh it with zeros."""
    first, last = max(0, start), min(len(window), start + length)
    if last - first == length:
        return window[first:last]
    stretch = np.zeros(length, np.float32)
    stretch[first - start : last - start] = window[first:last]
    return stretch
