"""A bank of the demo without its saxophone, and what is taught of that, for the tiny models."""

from __future__ import annotations

import json
from importlib import resources

import numpy as np

from stream.players.bank import Bank, model_digest
from stream.recognition.classifier import Classifier
from stream.recognition.mel import SAMPLE_RATE, WINDOW, Array

SAXOPHONE = (65.0, 75.0)
"""When it plays in the demo, in seconds."""


def saxophone(demo: Array) -> Array:
    """Return twenty seconds of the demo's saxophone."""
    first, last = (round(at * SAMPLE_RATE) for at in SAXOPHONE)
    return np.tile(demo[first:last], 2)


def bank_of(classifier: Classifier, demo: Array, left_out: str = "tenor saxophone") -> Bank:
    """Let a model hear all other instruments of the demo."""
    score = json.loads((resources.files("stream") / "demo.json").read_text(encoding="utf-8"))["segments"]
    front_end = classifier.bundle.front_end.make()
    embeddings, probabilities, labels = [], [], []
    for part in score:
        if part["label"] in (left_out, "silence"):
            continue
        first, last = (round(part[side] * SAMPLE_RATE) for side in ("start", "end"))
        for at in range(first, last - WINDOW + 1, SAMPLE_RATE // 4):
            front_end.reset()
            inference = classifier.infer(front_end.features(demo[at : at + WINDOW], WINDOW))
            embedding = inference.embedding
            assert embedding is not None
            embeddings.append(embedding)
            probabilities.append(inference.probabilities)
            labels.append(part["label"])
    bundle = classifier.bundle
    return Bank(
        bundle.name,
        model_digest(bundle),
        np.stack(embeddings),
        np.stack(probabilities),
        tuple(labels),
        ("demo",) * len(labels),
    )
