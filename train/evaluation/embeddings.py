"""Embeddings of windows: a bundle's own, or what stands for one where it has none."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np

from stream.recognition.bundle import Bundle
from stream.recognition.classifier import Classifier
from stream.recognition.mel import WINDOW, Array
from stream.recognition.mel_128 import window_features
from train.evaluation.embedding_trial import Embed

_LEAST: Final = 1e-4  # probability below which differences mean nothing


def bundle_embedding(bundle: Bundle) -> tuple[str, Embed]:
    """Return the embedding of a bundle, or the logarithms of its probabilities where it has none, with its name."""
    classifier = Classifier(bundle)
    front_end = bundle.front_end.make()
    own = bundle.outputs is not None and bundle.outputs.embedding is not None

    def embed(window: Array) -> Array:
        front_end.reset()
        inference = classifier.infer(front_end.features(window, WINDOW))
        if own:
            found = inference.embedding
            return np.zeros(1, np.float32) if found is None else found
        probable = np.append(inference.probabilities, max(0.0, 1 - float(inference.probabilities.sum())))
        logarithms = np.log(np.maximum(probable, _LEAST))
        return np.asarray(logarithms - logarithms.mean(), np.float32)

    return bundle.name if own else f"{bundle.name}, by its names", embed


def pretrained_embedding(path: Path) -> tuple[str, Embed]:
    """Return what the pretrained network's trunk puts out, with a name.

    Raises
    ------
    ConfigError
        If the file cannot be read.
    """
    from train.networks.efficient_weights import build_pretrained

    model = build_pretrained(path)

    def embed(window: Array) -> Array:
        pooled = model.predict_on_batch(window_features(window)[None, ..., None])["pooled"]
        return np.asarray(pooled, np.float32).reshape(-1)

    return "pretrained", embed
