"""Fitting a network to composed clips, and keeping the epoch that is best on the held-out sources."""

from __future__ import annotations

import logging
from dataclasses import dataclass

import keras
import numpy as np
import numpy.typing as npt

from train.augment import Batches
from train.corpus import Corpus, decibels
from train.networks import Variant, build
from train.pack import LABELS
from train.score import class_average

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Schedule:
    """How to fit."""

    epochs: int = 40
    batch: int = 64
    rate: float = 2e-3
    """Learning rate after the warm-up, falling to 0 along a cosine."""
    decay: float = 1e-3
    """Weight decay of AdamW."""
    smoothing: float = 0.05
    """Label smoothing."""
    seed: int = 0


class BestEpoch(keras.callbacks.Callback):  # type: ignore[misc]  # Keras ships no types
    """Keeps the weights of the epoch with the highest class average on held-out clips.

    Parameters
    ----------
    held_out : Corpus
        Clips composed of sources that are not trained on.
    """

    def __init__(self, held_out: Corpus) -> None:
        super().__init__()
        self._held_out = held_out
        self.average = 0.0
        self.epoch = 0
        self._weights: list[npt.NDArray[np.float32]] = []

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Score the epoch."""
        average = class_average(self._held_out.labels, logits(self.model, self._held_out.features).argmax(axis=1))
        if average > self.average:
            self.average, self.epoch, self._weights = average, epoch + 1, self.model.get_weights()
        loss = (logs or {}).get("loss", np.nan)
        log.info("epoch %d: loss %.3f, held-out class average %.1f %%", epoch + 1, loss, 100 * average)

    def on_train_end(self, logs: dict[str, float] | None = None) -> None:
        """Go back to the best epoch."""
        self.model.set_weights(self._weights)


def fit(variant: Variant, training: Corpus, held_out: Corpus, schedule: Schedule) -> tuple[keras.Model, BestEpoch]:
    """Fit a network.

    Parameters
    ----------
    variant : Variant
        Architecture.
    training, held_out : Corpus
        Clips to learn from, and clips of other sources to choose the epoch by.
    schedule : Schedule
        How to fit.

    Returns
    -------
    model : keras.Model
        With the weights of the best epoch.
    best : BestEpoch
        Which epoch that was, and its class average over all nine labels.
    """
    keras.utils.set_random_seed(schedule.seed)
    model = build(variant, len(LABELS))
    batches = Batches(training, schedule.batch, schedule.smoothing, schedule.seed)
    steps = len(batches) * schedule.epochs
    warm_up = min(len(batches), steps // 10)
    rate = keras.optimizers.schedules.CosineDecay(
        schedule.rate / 20, steps - warm_up, warmup_target=schedule.rate, warmup_steps=warm_up
    )
    model.compile(
        keras.optimizers.AdamW(rate, weight_decay=schedule.decay),
        keras.losses.CategoricalCrossentropy(from_logits=True),
    )
    best = BestEpoch(held_out)
    model.fit(batches, epochs=schedule.epochs, callbacks=[best], verbose=0, shuffle=False)
    return model, best


def logits(model: keras.Model, features: npt.NDArray[np.uint8], batch: int = 256) -> npt.NDArray[np.float32]:
    """Compute a network's outputs [shape=(n, labels)] for quantised features [shape=(n, 129, 129)]."""
    parts = [
        np.asarray(model(decibels(features[start : start + batch])[..., None], training=False))
        for start in range(0, len(features), batch)
    ]
    return np.concatenate(parts)
