"""Changes to the features of a batch while training: shifts, masks, another equaliser, another noise floor, mixup."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from stream.features import FRAMES, N_MELS, TOP_DB

Array = npt.NDArray[np.float32]
Rng = np.random.Generator

_MIX: Final = 0.3  # Beta parameter of mixup
_MIXED: Final = 0.5  # share of batches mixed up
_BAND: Final = 12  # widest frequency mask, in mel bands
_SPAN: Final = 24  # widest time mask, in frames


def augment(features: Array, targets: Array, rng: Rng) -> tuple[Array, Array]:
    """Change every clip of a batch by itself, and mix half of the batches up (Zhang et al., 2018).

    Parameters
    ----------
    features : np.ndarray [shape=(n, 129, 129), dtype=float32]
        Features in dB, -80 to 0.
    targets : np.ndarray [shape=(n, labels), dtype=float32]
        Share of each label.
    rng : np.random.Generator
        Where all choices come from.

    Returns
    -------
    features, targets : np.ndarray
        Of the same shapes.
    """
    features = np.stack([change(clip, rng) for clip in features])
    if rng.random() < _MIXED:
        other = rng.permutation(len(features))
        share = rng.beta(_MIX, _MIX, len(features)).astype(np.float32)
        features = features * share[:, None, None] + features[other] * (1 - share[:, None, None])
        targets = targets * share[:, None] + targets[other] * (1 - share[:, None])
    return features, targets


def change(clip: Array, rng: Rng) -> Array:
    """Change the features of one clip as another moment, room, desk or noise floor would.

    Parameters
    ----------
    clip : np.ndarray [shape=(129, 129), dtype=float32]
        Features in dB, -80 to 0.
    rng : np.random.Generator
        Where all choices come from.

    Returns
    -------
    np.ndarray [shape=(129, 129), dtype=float32]
        Features in dB, -80 to 0.
    """
    clip = np.roll(clip, rng.integers(FRAMES), axis=1)
    if shift := int(rng.integers(-2, 3)):
        clip = np.roll(clip, shift, axis=0)
        clip[(slice(0, shift) if shift > 0 else slice(shift, None))] = -TOP_DB
    if rng.random() < 0.6:  # another equaliser
        knots = rng.normal(0, 3.5, 6)
        curve = np.interp(np.arange(N_MELS), np.linspace(0, N_MELS - 1, 6), knots).astype(np.float32)
        clip = clip + curve[:, None]
        clip = np.maximum(clip - clip.max(), np.float32(-TOP_DB))
    if rng.random() < 0.3:  # another noise floor
        clip = np.maximum(clip, np.float32(rng.uniform(-78, -48)) + rng.normal(0, 2, clip.shape).astype(np.float32))
        clip = np.minimum(clip, np.float32(0))
    if rng.random() < 0.3:
        width = int(rng.integers(1, _BAND))
        start = int(rng.integers(N_MELS - width))
        clip[start : start + width] = -TOP_DB
    if rng.random() < 0.3:
        width = int(rng.integers(1, _SPAN))
        start = int(rng.integers(FRAMES - width))
        clip[:, start : start + width] = -TOP_DB
    return np.asarray(clip, np.float32)
