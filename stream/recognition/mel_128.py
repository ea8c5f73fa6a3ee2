"""The other model input: log mel frames at 32 kHz of the newest window, computed incrementally.

They are those of EfficientAT (Schmid, Koutini, Widmer: "Efficient Large-Scale Audio Tagging via Transformer-to-CNN
Knowledge Distillation", arXiv 2211.04772), whose networks heard AudioSet through them. With audio x brought to 32 kHz::

    y[n] = x[n + 1] - 0.97 x[n]
    frame k = |FFT_1024(y[320 k - 400 ... 320 k + 399] under a symmetric Hann window)| ** 2
    features = (log(gain ** 2 * mel(frame) + 1e-5) + 4.5) / 5

with triangular mel bands whose peaks are 1, and the gain that brings the window's loudest sample to 0.5. Nothing is
padded: a window's features are its newest 292 frames that lie within it. Frames are tied to positions in the stream,
two to each 441 samples at 22 050 Hz, so that wherever windows end, each frame is computed once.

Resampling is a low-pass filter of 221 samples at 22 050 Hz, evaluated where the samples at 32 kHz lie (640 to 441), and
takes the pre-emphasis along. It was fitted to the impulse response of soxr's high quality, with which the pretrained
network's check was made: flat to 10 kHz, -6 dB at 10.55 kHz and nothing from 11 kHz on.
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

# Kaiser's window, fitted to soxr 0.1.3 at its high quality: the transition ends where the input's spectrum does.
_CUTOFF: Final = 0.9568379  # of half the sample rate
_BETA: Final = 16.06345843
_REACH: Final = 110.4618  # samples at 22 050 Hz to either side

_UP: Final = 640  # samples at 32 kHz in a block, which has two frames
_DOWN: Final = 441  # the same at 22 050 Hz
_GROUPS: Final = 20  # parts of a block, each of which is one product of its stretch of audio with a matrix
_STEP: Final = _DOWN // _GROUPS  # samples from one stretch to the next; 0.95 short of what it would be for the last one
_BEFORE: Final = FRAME_LENGTH / 2 * _DOWN / _UP + _REACH  # samples that a frame sees before its middle, and after it
_FIRST: Final = -int(_BEFORE)  # first sample that a block sees, from where its first frame is centred
_SEEN: Final = int(_DOWN - _BEFORE + 2 * _REACH) - (_GROUPS - 1) * _STEP - _FIRST + 1  # samples in a stretch
_LATEST: Final = int(_BEFORE) + 2  # from a frame's middle to the sample after the last one that it sees
_CHUNK: Final = 32  # frames computed at a time, an even number: what they take stays in the processor's cache
_BINS: Final = SAMPLE_RATE * N_FFT // (2 * RATE) + 2  # bins of the spectrum that hear anything
_CAPACITY: Final = 4 * FRAMES


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
        self._power = np.zeros((N_MELS, _CAPACITY), np.float32)
        self._logs = np.zeros((N_MELS, _CAPACITY), np.float32)  # features of the same frames, at `_gain`
        self._frames = np.zeros((_CHUNK, N_FFT))
        self._head = 0  # column after the newest frame
        self._newest: int | None = None  # number of that frame in the stream
        self._gain = 0.0
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
        newest = 2 * (end - _LATEST) // _DOWN
        moved = FRAMES if self._newest is None else newest - self._newest
        fresh = moved if 0 <= moved < FRAMES else FRAMES
        self._moved = None if self._end is None else end - self._end
        self._window, self._newest, self._end = window, newest, end
        self._make_room(fresh)
        origin = end - WINDOW
        number = newest - fresh + 1
        while number <= newest:
            count = min(_CHUNK - number % 2, newest - number + 1)
            power = self._mel_power(window, origin, number, count)
            self._power[:, self._head : self._head + count] = power.T
            self._head += count
            number += count
        gain = PEAK / max(float(window.max()), -float(window.min()), QUIETEST)
        start = self._head - (fresh if gain == self._gain else FRAMES)
        self._gain = gain
        logs = self._logs[:, start : self._head]
        np.multiply(self._power[:, start : self._head], np.float32(gain * gain), out=logs)
        logs += np.float32(_FLOOR)
        np.log(logs, out=logs)
        logs += np.float32(4.5)
        logs *= np.float32(0.2)
        return self._logs[:, self._head - FRAMES : self._head].copy()

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

    def _make_room(self, fresh: int) -> None:
        """Have room for new frames after those that are kept."""
        if self._head + fresh <= _CAPACITY:
            return
        kept = FRAMES - fresh
        for columns in (self._power, self._logs):
            columns[:, :kept] = columns[:, self._head - kept : self._head]
        self._head = kept

    def _mel_power(self, window: Array, origin: int, number: int, count: int) -> Array:
        """Mel power [shape=(count, 128)] of frames from `number` on, in a window whose first sample is `origin`."""
        tables = self._tables
        block = number // 2
        skipped = number % 2 * HOP_LENGTH
        blocks = -(-(skipped + (count - 1) * HOP_LENGTH + FRAME_LENGTH) // _UP)
        start = block * _DOWN + _FIRST - origin
        audio = _stretch(window, start, (blocks - 1) * _DOWN + (_GROUPS - 1) * _STEP + _SEEN)
        item = audio.itemsize
        stretches = np.lib.stride_tricks.as_strided(
            audio, (_GROUPS, blocks, _SEEN), (_STEP * item, _DOWN * item, item), writeable=False
        )
        resampled = np.empty((blocks, _GROUPS, _UP // _GROUPS), np.float32)
        np.matmul(stretches, tables.resampling, out=resampled.transpose(1, 0, 2))
        split = np.lib.stride_tricks.as_strided(
            resampled.reshape(-1)[skipped:], (count, FRAME_LENGTH), (HOP_LENGTH * item, item), writeable=False
        )
        frames = self._frames[:count]
        np.multiply(split, tables.taper, out=frames[:, :FRAME_LENGTH])
        spectrum = np.fft.rfft(frames)[:, :_BINS]
        square = np.square(spectrum.real)
        power = np.empty(square.shape, np.float32)
        np.add(square, np.square(spectrum.imag), out=power, casting="same_kind")
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
    outputs = np.arange(_UP).reshape(_GROUPS, 1, -1) * (_DOWN / _UP) - FRAME_LENGTH / 2 * _DOWN / _UP
    inputs = _FIRST + _STEP * np.arange(_GROUPS)[:, None, None] + np.arange(_SEEN)[:, None]
    distance = outputs - inputs
    resampling = _low_pass(distance + _DOWN / _UP) - _PRE_EMPHASIS * _low_pass(distance)
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
    return _Tables(resampling.astype(np.float32), np.hanning(FRAME_LENGTH).astype(np.float32), blocks)


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
