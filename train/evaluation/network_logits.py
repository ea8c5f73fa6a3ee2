"""The float network's logits for many clips."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import keras
import numpy as np

from stream.recognition.mel import stack
from train.datasets.clip_features import decibels
from train.datasets.clips import Array
from train.datasets.corpus import Corpus

_READ: Final = 256  # clips at a time where nothing is learned from them


def network_logits(model: keras.Model, corpus: Corpus, channels: Sequence[str] = ("mel",)) -> Array:
    """Compute a network's logits [shape=(n, labels)] for all clips of a corpus."""
    rows = [np.arange(start, min(start + _READ, len(corpus))) for start in range(0, len(corpus), _READ)]
    return np.concatenate([_outputs(model, stack(decibels(corpus.features(part)), channels)) for part in rows])


def _outputs(model: keras.Model, features: Array) -> Array:
    return np.asarray(model(features, training=False), np.float32)
