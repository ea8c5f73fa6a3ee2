"""The model's input: librosa's dB mel spectrogram of the newest window, computed incrementally.

The features of a window `y` of 65 536 samples are exactly::

    librosa.power_to_db(librosa.feature.melspectrogram(y=y, sr=22050, n_mels=129), ref=np.max)

Of the 129 frames only the outer two on either side see the zero padding; the other 125 depend on their own samples
alone, so a stream that moves on by whole frames computes each of them once.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.fft  # which numpy would leave to its first use: with the first hop, while audio comes
import numpy.typing as npt

Array = npt.NDArray[np.float32]

SAMPLE_RATE: Final = 22_050
"""Rate of the audio the model hears, in Hz."""
WINDOW: Final = 65_536
"""Samples in a window: 2.972 s, the length of a Medley-solos-DB clip."""
N_FFT: Final = 2_048
"""Samples in a frame."""
HOP_LENGTH: Final = 512
"""Samples from one frame to the next."""
N_MELS: Final = 129
"""Mel bands from 0 Hz to half the sample rate."""
FRAMES: Final = WINDOW // HOP_LENGTH + 1
"""Frames in a window."""
TOP_DB: Final = 80.0
"""Range below the window's maximum, in dB."""

PARAMETERS: Final[dict[str, int | float | str]] = {
    "sample_rate": SAMPLE_RATE,
    "window": WINDOW,
    "n_fft": N_FFT,
    "hop_length": HOP_LENGTH,
    "n_mels": N_MELS,
    "frames": FRAMES,
    "top_db": TOP_DB,
    "taper": "hann",
    "padding": "zeros, centred",
    "mel": "slaney",
    "power": 2.0,
    "reference": "maximum of the window",
}
"""What a model bundle must name as its features to be served by this front end."""

CHANNELS: Final = ("mel", "delta")
"""What `stack` can compute for a model's input."""
DELTA_GAIN: Final = 6.0
"""dB of the delta channel for each dB per frame by which a band rises. The 40 dB to either side of the channel's
middle then hold all but 0.2 % of the slopes in recordings and 0.8 % of those in composed clips, and a step of an int8
input, 0.3 dB, is 0.05 dB per frame."""

_POWER_FLOOR: Final = 1e-10  # librosa.power_to_db's amin
_MARGIN: Final = 2  # frames at either end of the window that reach into the zero padding
_INNER: Final = FRAMES - 2 * _MARGIN
_HALF: Final = N_FFT // 2
_EDGE: Final = _HALF + HOP_LENGTH  # samples of the window that the two frames at one end see
_DELTA_REACH: Final = 4  # frames on either side of its own that a slope is fitted to: librosa's width of 9


def mel_edges() -> npt.NDArray[np.float64]:
    """Corner frequencies of the mel triangles, on Slaney's scale.

    The scale is linear below 1 kHz and logarithmic above, as in Slaney's Auditory Toolbox and in
    ``librosa.mel_frequencies(131, fmin=0, fmax=11025)``.

    Returns
    -------
    np.ndarray [shape=(131,), dtype=float64]
        Frequencies in Hz, rising from 0 to half the sample rate.
    """
    hz_per_mel = 200.0 / 3
    knee_hz = 1000.0
    knee_mel = knee_hz / hz_per_mel
    log_step = np.log(6.4) / 27
    top = knee_mel + np.log(SAMPLE_RATE / 2 / knee_hz) / log_step
    mels = np.linspace(0.0, top, N_MELS + 2)
    above = knee_hz * np.exp(log_step * (np.maximum(mels, knee_mel) - knee_mel))
    return np.where(mels < knee_mel, hz_per_mel * mels, above)


class MelBank:
    """The mel filter bank of ``librosa.filters.mel(sr=22050, n_fft=2048, n_mels=129)``, applied without most zeros.

    A band sees few FFT bins, the low ones very few, so four products of neighbouring bands with the bins they see
    cost a third of the whole product.
    """

    def __init__(self) -> None:
        edges = mel_edges()
        bins = np.arange(_HALF + 1) * (SAMPLE_RATE / N_FFT)
        rising = (bins - edges[:-2, None]) / np.diff(edges)[:-1, None]
        falling = (edges[2:, None] - bins) / np.diff(edges)[1:, None]
        area = 2.0 / (edges[2:] - edges[:-2])  # Slaney's normalization: triangles of equal area
        weights = (np.maximum(0.0, np.minimum(rising, falling)) * area[:, None]).astype(np.float32)
        self._blocks = []
        for bands in np.array_split(np.arange(N_MELS), 4):
            first, last = bands[0], bands[-1] + 1
            seen = np.flatnonzero(weights[first:last].any(axis=0))
            columns = slice(seen[0], seen[-1] + 1)
            self._blocks.append((slice(first, last), columns, np.ascontiguousarray(weights[first:last, columns].T)))

    def __call__(self, power: Array) -> Array:
        """Sum a power spectrum into mel bands.

        Parameters
        ----------
        power : np.ndarray [shape=(n, 1025), dtype=float32]
            Squared magnitudes of `n` frames.

        Returns
        -------
        np.ndarray [shape=(n, 129), dtype=float32]
            Mel power.
        """
        mel = np.empty((len(power), N_MELS), np.float32)
        for bands, bins, weights in self._blocks:
            mel[:, bands] = power[:, bins] @ weights
        return mel


class StreamingMel:
    """Features of one window after the other, reusing the frames that the windows share."""

    def __init__(self) -> None:
        self._bank = _bank()
        self._taper = _taper()
        self._frames = np.empty((FRAMES, N_FFT))
        self._power = np.empty((FRAMES, _HALF + 1), np.float32)
        self._padding = np.zeros(_HALF, np.float32)
        self._db = np.zeros((FRAMES, N_MELS), np.float32)
        self._end: int | None = None
        self._fresh = 0

    def reset(self) -> None:
        """Forget all frames: the next window shares none with the last."""
        self._end = None
        self._fresh = 0

    def features(self, window: Array, end: int) -> Array:
        """Features of the window that ends at sample `end` of the stream.

        Parameters
        ----------
        window : np.ndarray [shape=(65536,), dtype=float32]
            Mono audio at 22 050 Hz, finite. It is read, not kept.
        end : int
            Position in the stream of the sample after the window's last one. Frames are reused when it lies a whole
            number of frames after that of the previous call, and recomputed otherwise.

        Returns
        -------
        np.ndarray [shape=(129, 129), dtype=float32]
            Mel bands by frames, in dB below the window's maximum, -80 to 0.
        """
        fresh = _count_fresh(None if self._end is None else end - self._end)
        inner = self._db[_MARGIN : FRAMES - _MARGIN]
        inner[: _INNER - fresh] = inner[fresh:]
        # Tapered frames in double precision, as librosa does; numpy's single-precision FFT is also the slower one.
        frames = self._frames[: fresh + 2 * _MARGIN]
        np.multiply(_split(np.concatenate([self._padding, window[:_EDGE]])), self._taper, out=frames[:_MARGIN])
        np.multiply(_split(np.concatenate([window[-_EDGE:], self._padding])), self._taper, out=frames[-_MARGIN:])
        if fresh:
            new = window[WINDOW - (fresh - 1) * HOP_LENGTH - N_FFT :]
            np.multiply(_split(new), self._taper, out=frames[_MARGIN:-_MARGIN])
        spectrum = np.fft.rfft(frames)
        power = self._power[: len(frames)]
        square = np.square(spectrum.real)
        np.add(square, np.square(spectrum.imag), out=power, casting="same_kind")
        db = 10 * np.log10(np.maximum(self._bank(power), _POWER_FLOOR))
        self._db[:_MARGIN] = db[:_MARGIN]
        inner[_INNER - fresh :] = db[_MARGIN : _MARGIN + fresh]
        self._db[-_MARGIN:] = db[-_MARGIN:]
        self._end, self._fresh = end, fresh
        reference = self._db.max()
        features: Array = np.maximum(self._db.T - reference, np.float32(-TOP_DB))
        return features

    def newest(self) -> Array:
        """Frames that the last call of `features` added, for a display.

        Returns
        -------
        np.ndarray [shape=(n, 129), dtype=float32]
            Mel power in dB relative to 1, oldest first; `n` is 125 after a start or a jump. Frames are those that
            need no padding, so the newest one is centred 1024 samples before the window's end.
        """
        return self._db[FRAMES - _MARGIN - self._fresh : FRAMES - _MARGIN].copy()

    def frames(self) -> Array:
        """Frames of the newest window that need no padding, in dB relative to 1.

        Returns
        -------
        np.ndarray [shape=(125, 129), dtype=float32]
            A view that holds until the next call of `features`, oldest frame first.
        """
        return self._db[_MARGIN : FRAMES - _MARGIN]


def stack(db: Array, channels: Sequence[str]) -> Array:
    """Stack the input channels of a model.

    ``mel`` is the features as they are. ``delta`` is how fast each band rises or falls: the slope in dB per frame of
    the straight line through 9 frames, ``librosa.feature.delta(db)``, times `DELTA_GAIN`, about -40 dB and cut off at
    -80 and 0 dB. So all channels share one scale, and one quantization.

    Parameters
    ----------
    db : np.ndarray [shape=(..., 129, 129), dtype=float32]
        Mel bands by frames of one window or many, in dB, -80 to 0.
    channels : sequence of str
        Names out of `CHANNELS`, in the model's order.

    Returns
    -------
    np.ndarray [shape=(..., 129, 129, n_channels), dtype=float32]
        Between -80 and 0. For ``mel`` alone it is a view of `db`.
    """
    if tuple(channels) == ("mel",):
        return db[..., None]
    stacked = np.empty((*db.shape, len(channels)), np.float32)
    for number, channel in enumerate(channels):
        if channel == "mel":
            stacked[..., number] = db
        elif channel == "delta":
            slopes = db @ _slopes()
            slopes -= np.float32(TOP_DB / 2)
            np.clip(slopes, np.float32(-TOP_DB), np.float32(0), out=stacked[..., number])
        else:
            raise ValueError(f"channel is {channel!r}; expected {' or '.join(CHANNELS)}")
    return stacked


@functools.cache
def _slopes() -> Array:
    """Matrix [shape=(129, 129)] that turns frames into slopes by least squares, `DELTA_GAIN` included.

    As with ``mode="interp"`` in librosa, the frames at the ends have the slope of the outermost 9.
    """
    reach = np.arange(-_DELTA_REACH, _DELTA_REACH + 1)
    matrix = np.zeros((FRAMES, FRAMES), np.float32)
    for frame in range(FRAMES):
        centre = min(max(frame, _DELTA_REACH), FRAMES - 1 - _DELTA_REACH)
        matrix[centre + reach, frame] = DELTA_GAIN * reach / np.sum(reach**2)
    return matrix


def newest_frames(window: Array, moved: int | None) -> Array:
    """Frames that a window has and the last one had not, for a display, computed by themselves.

    Parameters
    ----------
    window : np.ndarray [shape=(65536,), dtype=float32]
        Mono audio at 22 050 Hz, finite.
    moved : int or None
        Samples by which it ends later than the last one, None after a start.

    Returns
    -------
    np.ndarray [shape=(n, 129), dtype=float32]
        What `StreamingMel.newest` gives.
    """
    fresh = _count_fresh(moved)
    if not fresh:
        return np.empty((0, N_MELS), np.float32)
    spectrum = np.fft.rfft(_split(window[WINDOW - (fresh - 1) * HOP_LENGTH - N_FFT :]) * _taper())
    power = np.square(spectrum.real) + np.square(spectrum.imag)
    db: Array = 10 * np.log10(np.maximum(_bank()(power.astype(np.float32)), _POWER_FLOOR))
    return db


def _count_fresh(moved: int | None) -> int:
    """Inner frames that a window does not share with the last one, which ended so many samples earlier."""
    if moved is None or moved < 0 or moved % HOP_LENGTH:
        return _INNER
    return min(moved // HOP_LENGTH, _INNER)


@functools.cache
def _bank() -> MelBank:
    return MelBank()


@functools.cache
def _taper() -> npt.NDArray[np.float64]:
    taper: npt.NDArray[np.float64] = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(N_FFT) / N_FFT)
    return taper


def _split(samples: Array) -> Array:
    """Overlapping frames of `samples`, as a read-only view [shape=(n, 2048)]."""
    shape = ((len(samples) - N_FFT) // HOP_LENGTH + 1, N_FFT)
    step = samples.strides[0]
    return np.lib.stride_tricks.as_strided(samples, shape, (HOP_LENGTH * step, step), writeable=False)
