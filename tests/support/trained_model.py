"""A small network that is fitted to the tones, and the bundle that is made of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import keras
import numpy as np

from stream.recognition.bundle import Bundle
from tests.support.tone_dataset import ToneDataset
from train.datasets.clip_features import decibels, window_features
from train.evaluation.clip_metrics import calibrate, softmax
from train.export.bundle_files import write_bundle
from train.export.int8 import Int8Model, convert_to_int8
from train.export.provenance import Provenance


@dataclass(frozen=True)
class TrainedModel:
    """What came of fitting."""

    dataset: ToneDataset
    model: keras.Model
    bundle: Bundle
    folder: Path

    def float_probabilities(self, clips) -> np.ndarray:
        """Probabilities that the float network gives some clips."""
        logits = np.asarray(self.model(decibels(features(self.dataset, clips))[..., None], training=False))
        return softmax(logits, self.bundle.temperature)


def features(dataset, clips) -> np.ndarray:
    """Quantised features of some clips."""
    return np.stack([window_features(dataset.audio(clip)) for clip in clips])


def train_model(folder: Path, labels: tuple[str, ...]) -> TrainedModel:
    """Fit a network to tones, quantise it and write its bundle."""
    dataset = ToneDataset(labels=labels, each=8)
    keras.utils.set_random_seed(0)
    seen = x = keras.Input((129, 129, 1))
    x = keras.layers.Rescaling(1 / 80, offset=1.0)(x)
    x = keras.layers.Conv2D(4, 5, strides=4, activation="relu")(x)
    x = keras.layers.Conv2D(8, 3, strides=3, activation="relu")(x)
    model = keras.Model(seen, keras.layers.Dense(len(labels))(keras.layers.Flatten()(x)))
    model.compile(keras.optimizers.Adam(0.005), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    sides = {side: [clip for clip in dataset.clips if clip.split == side] for side in ("training", "validation")}
    seen = {side: features(dataset, clips) for side, clips in sides.items()}
    targets = {side: np.array([labels.index(clip.label) for clip in clips]) for side, clips in sides.items()}
    model.fit(decibels(seen["training"])[..., None], targets["training"], epochs=12, batch_size=8, verbose=0)
    content = convert_to_int8(model, seen["training"])
    rule = calibrate(
        targets["validation"], Int8Model(content).logits(seen["validation"]), len(labels) - ("unknown" in labels)
    )
    provenance = Provenance(
        dataset.name, dataset.digest, dataset.clips, 0, "soloist train fit", MappingProxyType({"epochs": 12})
    )
    bundle = write_bundle(folder, "tiny", content, labels, rule, provenance, {"held_out": {"accuracy": 1.0}})
    return TrainedModel(dataset, model, bundle, folder)
