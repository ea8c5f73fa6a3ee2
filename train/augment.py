"""Changes to the features of a batch while training: shifts, masks, another equaliser, another noise floor, mixup."""

from __future__ import annotations

import math
from typing import Final

import keras
import numpy as np
import numpy.typing as npt

from stream.features import FRAMES, N_MELS, TOP_DB
from train.corpus import Corpus, decibels
from train.pack import LABELS

Array = npt.NDArray[np.float32]
Rng = np.random.Generator

_MIX: Final = 0.3  # Beta parameter of mixup
_MIXED: Final = 0.5  # share of batches mixed up
_BAND: Final = 12  # widest frequency mask, in mel bands
_SPAN: Final = 24  # widest time mask, in frames


class Batches(keras.utils.PyDataset):  # type: ignore[misc]  # Keras ships no types
    """Shuffled, augmented batches of a corpus, the same for the same seed.

    Parameters
    ----------
    corpus : Corpus
        What to draw from.
    size : int
        Clips in a batch.
    smoothing : float
        Share of each target that is spread over all labels.
    seed : int
        Where order and augmentation come from.
    """

    def __init__(self, corpus: Corpus, size: int, smoothing: float, seed: int) -> None:
        super().__init__(workers=1)
        self._corpus = corpus
        self._size = size
        self._targets = np.eye(len(LABELS), dtype=np.float32)[corpus.labels] * (1 - smoothing) + smoothing / len(LABELS)
        self._seed = seed
        self._epoch = 0
        self._order = np.random.default_rng([seed, 0]).permutation(len(corpus.labels))

    def __len__(self) -> int:
        return math.ceil(len(self._order) / self._size)

    def __getitem__(self, index: int) -> tuple[Array, Array]:
        """Batch number `index` of the epoch: features in dB [shape=(n, 129, 129, 1)] and targets [shape=(n, 9)]."""
        rng = np.random.default_rng([self._seed, self._epoch, index])
        rows = np.sort(self._order[index * self._size : (index + 1) * self._size])
        features = np.stack([change(clip, rng) for clip in decibels(self._corpus.features[rows])])
        targets = self._targets[rows]
        if rng.random() < _MIXED:
            other = rng.permutation(len(rows))
            share = rng.beta(_MIX, _MIX, len(rows)).astype(np.float32)
            features = features * share[:, None, None] + features[other] * (1 - share[:, None, None])
            targets = targets * share[:, None] + targets[other] * (1 - share[:, None])
        return features[..., None], targets

    def on_epoch_end(self) -> None:
        """Draw a new order."""
        self._epoch += 1
        self._order = np.random.default_rng([self._seed, self._epoch]).permutation(len(self._corpus.labels))


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
