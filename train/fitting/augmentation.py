"""Changes to the features of a batch while training.

Each augmentation changes some clips of a batch as another moment, room, desk or player would, and has a generator of
its own: leaving one out leaves the others what they were.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Final

import numpy as np
import numpy.typing as npt

from stream.recognition.mel import FRAMES, N_MELS, TOP_DB

Array = npt.NDArray[np.float32]
Rng = np.random.Generator

_MIX: Final = 0.3  # Beta parameter of mixup
_MIXED: Final = 0.5  # share of batches mixed up
_PITCH: Final = 2  # most mel bands up or down
_GAIN: Final = 3.5  # dB, standard deviation of an equaliser's knots
_KNOTS: Final = 6
_COLOURED: Final = 0.6  # most of the way to another clip's spectrum
_BROAD: Final = 25  # mel bands that a spectrum is smoothed over
_BAND: Final = 12  # widest frequency mask, in mel bands
_SPAN: Final = 24  # widest time mask, in frames
_NEWEST: Final = (26, 100)  # frames of the newer player at a handover
_HEARD: Final = -30.0  # dB of the loudest band, on average, from which on a player is heard
_FLOOR: Final = np.float32(-TOP_DB)


def augment(
    features: Array, targets: Array, rng: Rng, without: Collection[str] = (), handovers: float = 0.0
) -> tuple[Array, Array]:
    """Change the clips of a batch.

    Parameters
    ----------
    features : np.ndarray [shape=(n, 129, 129), dtype=float32]
        Features in dB, -80 to 0.
    targets : np.ndarray [shape=(n, labels), dtype=float32]
        Share of each label.
    rng : np.random.Generator
        Where all choices come from.
    without : collection of str
        Which of `AUGMENTATIONS` to leave out.
    handovers : float
        Share of the clips whose beginning is another clip's.

    Returns
    -------
    features, targets : np.ndarray
        Of the same shapes.
    """
    features = features.copy()
    *generators, joining, mixing = rng.spawn(len(_CHANGES) + 2)
    for (name, change), own in zip(_CHANGES.items(), generators, strict=True):
        if name not in without:
            change(features, own)
    if handovers:
        features = _handed_over(features, joining, handovers)
    if "mixup" not in without:
        features, targets = _mixed_up(features, targets, mixing)
    return features, targets


def hand_over(before: Array, after: Array, rng: Rng) -> Array:
    """Let one clip end and another begin inside the window, which is then to be called by the newer one.

    The newer clip has the last 0.6 to 2.3 seconds, because a label is to say what plays now. Where nothing sounds in
    that part, it is returned as it is.

    Parameters
    ----------
    before, after : np.ndarray [shape=(129, 129), dtype=float32]
        Features in dB, -80 to 0.
    rng : np.random.Generator
        Where all choices come from.

    Returns
    -------
    np.ndarray [shape=(129, 129), dtype=float32]
        Features in dB, -80 to 0.
    """
    newest = int(rng.integers(*_NEWEST))
    if after[:, -newest:].max(axis=0).mean() < _HEARD:
        return after
    louder = np.float32(rng.normal(0, 5))
    joined = np.concatenate([before[:, newest:] + louder, after[:, -newest:]], axis=1)
    return np.asarray(np.maximum(joined - joined.max(), _FLOOR), np.float32)


def _time(clips: Array, rng: Rng) -> None:
    """Begin every clip at another moment, and go round."""
    for clip, start in zip(clips, rng.integers(FRAMES, size=len(clips)), strict=True):
        clip[:] = np.concatenate([clip[:, start:], clip[:, :start]], axis=1)


def _pitch(clips: Array, rng: Rng) -> None:
    """Shift every clip by some bands, which a player's tuning and another size of an instrument do."""
    for clip, shift in zip(clips, rng.integers(-_PITCH, _PITCH + 1, len(clips)), strict=True):
        if shift > 0:
            clip[shift:] = clip[:-shift].copy()
            clip[:shift] = _FLOOR
        elif shift < 0:
            clip[:shift] = clip[-shift:].copy()
            clip[shift:] = _FLOOR


def _equaliser(clips: Array, rng: Rng) -> None:
    """Turn the knobs of an equaliser."""
    chosen = _some(clips, rng, 0.6)
    knots = rng.normal(0, _GAIN, (len(chosen), _KNOTS)).astype(np.float32)
    _filter(clips, chosen, knots @ _CURVES)


def _colour(clips: Array, rng: Rng) -> None:
    """Bring clips nearer to the long-term spectrum of others, as their microphone and room would.

    It is the idea of Freq-MixStyle (Kim et al., 2022) on features instead of maps, and smoothed over frequency, so that
    the timbre of an instrument stays its own.
    """
    chosen = _some(clips, rng, 0.3)
    others = rng.permutation(len(clips))[: len(chosen)]
    way = rng.uniform(0, _COLOURED, (len(chosen), 1)).astype(np.float32)
    _filter(clips, chosen, (clips[others].mean(axis=2) - clips[chosen].mean(axis=2)) * way @ _SMOOTHING)


def _noise(clips: Array, rng: Rng) -> None:
    """Raise the noise floor."""
    chosen = _some(clips, rng, 0.3)
    field = 2 * rng.standard_normal((N_MELS, 2 * FRAMES), np.float32)  # dB; every clip has another part of it
    starts, floors = rng.integers(FRAMES, size=len(chosen)), rng.uniform(-78, -48, len(chosen)).astype(np.float32)
    for index, start, floor in zip(chosen, starts, floors, strict=True):
        noise = np.minimum(field[:, start : start + FRAMES] + floor, 0)
        np.maximum(clips[index], noise, out=clips[index])


def _bands(clips: Array, rng: Rng) -> None:
    """Take some bands away (Park et al., 2019)."""
    for clip, (start, end) in zip(*_stretches(clips, rng, _BAND, N_MELS), strict=True):
        clip[start:end] = _FLOOR


def _frames(clips: Array, rng: Rng) -> None:
    """Take some frames away (Park et al., 2019)."""
    for clip, (start, end) in zip(*_stretches(clips, rng, _SPAN, FRAMES), strict=True):
        clip[:, start:end] = _FLOOR


_CHANGES: Final[dict[str, Callable[[Array, Rng], None]]] = {
    "time": _time,
    "pitch": _pitch,
    "equaliser": _equaliser,
    "colour": _colour,
    "noise": _noise,
    "bands": _bands,
    "frames": _frames,
}

AUGMENTATIONS: Final = (*_CHANGES, "mixup")
"""Names of the augmentations, in their order."""


def _handed_over(features: Array, rng: Rng, share: float) -> Array:
    others = rng.permutation(len(features))
    joined = features.copy()
    for index in _some(features, rng, share):
        joined[index] = hand_over(features[others[index]], features[index], rng)
    return joined


def _mixed_up(features: Array, targets: Array, rng: Rng) -> tuple[Array, Array]:
    """Mix half of the batches up (Zhang et al., 2018)."""
    if rng.random() >= _MIXED:
        return features, targets
    other = rng.permutation(len(features))
    share = rng.beta(_MIX, _MIX, len(features)).astype(np.float32)
    mixed = features[other]
    mixed += (features - mixed) * share[:, None, None]
    return mixed, targets * share[:, None] + targets[other] * (1 - share[:, None])


def _some(clips: Array, rng: Rng, share: float) -> npt.NDArray[np.int64]:
    return np.flatnonzero(rng.random(len(clips)) < share)


def _filter(clips: Array, chosen: npt.NDArray[np.int64], curves: Array) -> None:
    """Add a curve in dB to the spectrum of each of the chosen clips, whose loudest moment is 0 dB again."""
    for index, curve in zip(chosen, curves, strict=True):
        clip = clips[index]
        clip += curve[:, None]
        clip -= clip.max()
        np.maximum(clip, _FLOOR, out=clip)


def _stretches(clips: Array, rng: Rng, widest: int, length: int) -> tuple[list[Array], npt.NDArray[np.int64]]:
    """Choose clips to mask, and from where to where."""
    chosen = _some(clips, rng, 0.3)
    widths = rng.integers(1, widest, len(chosen))
    starts = rng.integers(length - widths)
    return [clips[index] for index in chosen], np.stack([starts, starts + widths], axis=1)


def _curves() -> Array:
    """Weights of the knots in each band [shape=(knots, 129)]: straight lines between them."""
    knots = np.linspace(0, N_MELS - 1, _KNOTS)
    rows = [np.interp(np.arange(N_MELS), knots, unit) for unit in np.eye(_KNOTS)]
    return np.array(rows, np.float32)


def _smoothing() -> Array:
    """Weights of the bands in each band's mean with its neighbours [shape=(129, 129)], the outermost repeated."""
    neighbours = np.arange(N_MELS)[:, None] + np.arange(_BROAD) - _BROAD // 2
    weights = np.zeros((N_MELS, N_MELS), np.float32)
    np.add.at(weights, (neighbours.clip(0, N_MELS - 1), np.arange(N_MELS)[:, None]), 1 / _BROAD)
    return weights


_CURVES: Final = _curves()
_SMOOTHING: Final = _smoothing()
