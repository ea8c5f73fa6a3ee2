"""A network while it learns: its batches, its steps, and all that the next epoch depends on."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any, Final

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf
from tqdm import tqdm

from stream.recognition.bundle import UNKNOWN
from stream.recognition.mel import FRAMES, N_MELS, stack
from train.datasets.clip_features import decibels
from train.datasets.corpus import Corpus
from train.evaluation.clip_metrics import class_average, softmax
from train.evaluation.network_logits import network_logits
from train.fitting.augmentation import augment
from train.fitting.checkpoint import Checkpoint
from train.fitting.cluster import Cluster
from train.fitting.data_files import data_files
from train.fitting.pretrained import Pretrained
from train.fitting.schedule import History, Schedule, best_epoch, epochs_since_best
from train.framework_versions import framework_versions
from train.networks.architectures import Network, build_network

Array = npt.NDArray[np.float32]


_KEYS: Final = (
    "epoch",
    "loss",
    "accuracy",
    "validation_loss",
    "validation_accuracy",
    "validation_class_average",
    "validation_instrument_average",
    "validation_clips",
    "rate",
    "seconds",
)


class Trainer:
    """One network on its way, epoch by epoch.

    Parameters
    ----------
    variant, training, validation, schedule, channels, cluster, start
        As for `train.fitting.fit.fit`.
    """

    def __init__(
        self,
        variant: Network,
        training: Corpus,
        validation: Corpus,
        schedule: Schedule,
        channels: tuple[str, ...],
        cluster: Cluster,
        start: Sequence[Array] | Pretrained | None = None,
    ) -> None:
        digest = start.digest if isinstance(start, Pretrained) else _digest(start)
        if isinstance(start, Pretrained):
            start = start.starting_values(training, schedule.seed)
        self._training, self._validation = training, validation
        self._schedule, self._channels, self._cluster = schedule, channels, cluster
        tf.config.experimental.enable_op_determinism()
        keras.utils.clear_session()
        keras.utils.set_random_seed(schedule.seed)
        full, rest = divmod(len(training), schedule.batch)
        self._steps = full + (rest >= cluster.count)
        with cluster.strategy.scope():
            self.model = build_network(variant, len(training.labels), len(channels), _momentum(self._steps))
            for variable, value in zip(self.model.variables, start or (), strict=start is not None):
                variable.assign(value)
            self._optimizer = keras.optimizers.AdamW(self._rate(), weight_decay=schedule.decay)
            self._optimizer.build(self.model.trainable_variables)
            self._moving = [v for v in self.model.variables if v.dtype.startswith("float")] if schedule.average else []
            self._averages = [keras.Variable(np.asarray(v), trainable=False) for v in self._moving]
        self._best = [np.asarray(variable) for variable in self.model.variables]
        self._targets = np.eye(len(training.labels), dtype=np.float32)[training.targets]
        self._targets = self._targets * (1 - schedule.smoothing) + schedule.smoothing / len(training.labels)
        self._step = self._compiled()
        self.history: History = []
        self.files = data_files(training, validation)
        self.settings = json.dumps(
            {
                "variant": asdict(variant),
                "schedule": asdict(schedule),
                "channels": channels,
                "labels": training.labels,
                "training": training.digest,
                "validation": validation.digest,
                "workers": cluster.count,
                "start": digest,
                **framework_versions(),
            }
        )

    @property
    def finished(self) -> bool:
        """Whether there is no epoch left, or none would help."""
        schedule = self._schedule
        worn = schedule.patience is not None and epochs_since_best(self.history) >= schedule.patience
        return worn or len(self.history) >= schedule.epochs

    def resume(self, saved: Checkpoint | None) -> None:
        """Go on from the chief's checkpoint, on every worker."""
        variables = self._variables()
        values = saved.variables if saved else [np.asarray(variable) for variable in variables]
        best = saved.best if saved else self._best
        entries = np.zeros((self._schedule.epochs, len(_KEYS)))
        for number, entry in enumerate(saved.history if saved else []):
            entries[number] = [entry.get(key, np.nan) for key in _KEYS]  # earlier versions had fewer
        *values, entries = self._cluster.chiefs([*values, *best, entries])
        for variable, value in zip(variables, values, strict=False):
            variable.assign(value)
        self._best = values[len(variables) :]
        self.history = [dict(zip(_KEYS, map(float, row), strict=True)) for row in entries if row[0]]

    def epoch(self, progress: bool) -> dict[str, float]:
        """Learn from every clip once, score the validation clips, and return what came out."""
        started = time.perf_counter()
        number = len(self.history)
        loss = right = clips = 0.0
        for features, targets, size in tqdm(
            self._batches(number),
            f"epoch {number + 1} of {self._schedule.epochs}",
            self._steps,
            leave=False,
            disable=None if progress else True,
        ):
            summed, hits = self._step(features, targets, size)
            loss, right, clips = loss + float(summed), right + float(hits), clips + float(size)
        statistics = {id(v) for v in self.model.non_trainable_variables}  # of its own batches, on every worker
        self._cluster.average([v for v in self.model.variables if id(v) in statistics and "seed" not in v.path])
        averaged = zip(self._moving, self._averages, strict=True)
        self._cluster.average([average for variable, average in averaged if id(variable) in statistics])
        with self._averaged():
            return self._scored(loss / clips, right / clips, started)

    def _scored(self, loss: float, accuracy: float, started: float) -> dict[str, float]:
        """Score the validation clips, and keep the weights if this epoch is the best."""
        logits = network_logits(self.model, self._validation, self._channels)
        targets = self._validation.targets
        chosen = logits.argmax(axis=1)
        likelihood = softmax(logits, 1.0)[np.arange(len(targets)), targets]
        entry = {
            "epoch": len(self.history) + 1.0,
            "loss": loss,
            "accuracy": accuracy,
            "validation_loss": float(-np.log(likelihood + 1e-12).mean()),
            "validation_accuracy": float(np.mean(chosen == targets)),
            "validation_class_average": class_average(targets, chosen),
            "validation_instrument_average": self._instrument_average(logits),
            "validation_clips": float(len(targets)),
            "rate": float(self._optimizer.learning_rate),
            "seconds": time.perf_counter() - started,
        }
        self.history.append(entry)
        if best_epoch(self.history) == len(self.history):
            self._best = [np.asarray(variable) for variable in self.model.variables]
        return entry

    def _instrument_average(self, logits: Array) -> float:
        """Class average as cards tell it: over the instruments, by which of them is the most probable."""
        instruments = [number for number, label in enumerate(self._validation.labels) if label != UNKNOWN]
        solo = np.isin(self._validation.targets, instruments)
        chosen = logits[solo][:, instruments].argmax(axis=1)
        return class_average(self._validation.targets[solo], np.array(instruments)[chosen])

    @contextmanager
    def _averaged(self) -> Iterator[None]:
        """Give the network its averaged weights for a while, and then those back that it goes on learning with."""
        own = [np.asarray(variable) for variable in self._moving]
        for variable, average in zip(self._moving, self._averages, strict=True):
            variable.assign(np.asarray(average))
        try:
            yield
        finally:
            for variable, value in zip(self._moving, own, strict=True):
                variable.assign(value)

    def checkpoint(self) -> Checkpoint:
        """Everything that the next epoch depends on."""
        return Checkpoint(
            self.settings, self.history, [np.asarray(v) for v in self._variables()], self._best, self.files
        )

    def restore(self) -> None:
        """Go back to the best epoch."""
        for variable, value in zip(self.model.variables, self._best, strict=True):
            variable.assign(value)

    def _variables(self) -> list[keras.Variable]:
        return [*self.model.variables, *self._optimizer.variables, *self._averages]

    def _rate(self) -> keras.optimizers.schedules.LearningRateSchedule:
        steps = self._steps * self._schedule.epochs
        warm_up = min(self._steps, steps // 10)
        return keras.optimizers.schedules.CosineDecay(
            self._schedule.rate / 20, steps - warm_up, warmup_target=self._schedule.rate, warmup_steps=warm_up
        )

    def _batches(self, epoch: int) -> Iterator[tuple[tf.Tensor, tf.Tensor, tf.Tensor]]:
        """One epoch of batches: features, targets, and the clips that all workers together have in the batch."""
        order = np.random.default_rng([self._schedule.seed, epoch]).permutation(len(self._training))

        def load(step: Any) -> tuple[Array, Array, np.float32]:
            batch = order[step * self._schedule.batch : (step + 1) * self._schedule.batch]
            rows = np.sort(self._cluster.share(batch))
            features, targets = decibels(self._training.features(rows)), self._targets[rows]
            if self._schedule.augmented:
                rng = np.random.default_rng([self._schedule.seed, epoch, step, self._cluster.index])
                features, targets = augment(features, targets, rng, self._schedule.without, self._schedule.handovers)
            return stack(features, self._channels), targets, np.float32(len(batch))

        def read(step: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
            features, targets, size = tf.numpy_function(load, [step], [tf.float32] * 3)
            features.set_shape((None, N_MELS, FRAMES, len(self._channels)))
            targets.set_shape((None, self._targets.shape[1]))
            size.set_shape(())
            return features, targets, size

        return iter(tf.data.Dataset.range(self._steps).map(read).prefetch(2))

    def _compiled(self) -> Any:
        """Compile one step: from a batch to its summed loss and how many of its clips were called right."""
        model, optimizer, most = self.model, self._optimizer, self._schedule.average

        def replica(features: tf.Tensor, targets: tf.Tensor, size: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            with tf.GradientTape() as tape:
                logits = model(features, training=True)
                losses = tf.nn.softmax_cross_entropy_with_logits(targets, logits)
                loss = tf.reduce_sum(losses)
                mean = loss / size  # gradients of the workers are summed
            optimizer.apply(tape.gradient(mean, model.trainable_variables), model.trainable_variables)
            steps = tf.cast(optimizer.iterations, tf.float32)
            decay = tf.minimum(most, (1 + steps) / (10 + steps))  # of few steps it must not remember the first ones
            for variable, average in zip(self._moving, self._averages, strict=True):
                average.assign(average * decay + variable * (1 - decay))
            hits = tf.argmax(targets, axis=1) == tf.argmax(logits, axis=1)
            return loss, tf.reduce_sum(tf.cast(hits, tf.float32))

        # One signature for all batches: the last one of an epoch is smaller, and tracing takes a second.
        signature = (
            tf.TensorSpec((None, N_MELS, FRAMES, len(self._channels)), tf.float32),
            tf.TensorSpec((None, self._targets.shape[1]), tf.float32),
            tf.TensorSpec((), tf.float32),
        )

        @tf.function(input_signature=signature, autograph=False)  # type: ignore[untyped-decorator]
        def step(features: tf.Tensor, targets: tf.Tensor, size: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            return self._cluster.sum(replica, features, targets, size)  # type: ignore[no-any-return]

        return step


def _digest(weights: Sequence[Array] | None) -> str:
    """Tell weights from others, and from none."""
    return hashlib.sha256(b"".join(value.tobytes() for value in weights)).hexdigest() if weights else ""


def _momentum(steps: int) -> float:
    """Choose how slowly batch normalization's statistics follow, by the steps of an epoch.

    In an epoch of few steps they would lag behind the weights for dozens of epochs, and validation with them.
    """
    return float(np.clip(1 - 2 / steps, 0.7, 0.97))
