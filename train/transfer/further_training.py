"""The loop that trains a pretrained network further: seeded, kept on disk epoch by epoch, gone on from when stopped."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf
from tqdm import tqdm

from stream.errors import ConfigError
from stream.recognition.mel_128 import FRAMES, N_MELS
from train.networks.frozen_statistics import frozen_statistics, measure_ranges
from train.transfer.objectives import embedding_loss, instrument_loss, smoothed, tag_loss
from train.transfer.window_augmentation import augment
from train.transfer.window_store import WindowStore

log = logging.getLogger(__name__)

Array = npt.NDArray[np.float32]

CHECKPOINT: Final = "further.npz"
"""Name of a run's checkpoint."""
_MEASURED: Final = 512  # windows that the ranges of the int8 steps are measured on
HEADS: Final = ("instruments", "tags", "embedding")
"""Layers that begin at random, or are no part of the trunk: they learn faster."""


@dataclass(frozen=True, slots=True)
class FurtherSchedule:
    """How a pretrained network is trained further."""

    epochs: int = 6
    batch: int = 64
    rate: float = 4e-4
    """Highest learning rate of the trunk, after a tenth of the steps; it falls as a cosine."""
    head_rate: float = 1e-3
    """The same of the heads."""
    decay: float = 1e-4
    """Weight decay."""
    smoothing: float = 0.05
    """Of the targets, over all labels."""
    tags: float = 0.3
    """Weight of what the untouched network's tags say, summed over the tags."""
    embedding: float = 0.15
    """Weight of the players' lying together."""
    average: float = 0.998
    """What the moving average of the weights keeps at each step."""
    mixed: float = 0.25
    """Share of windows that sound with another."""
    handovers: float = 0.1
    """Share of windows whose beginning is another's."""
    seed: int = 0
    frozen: bool = True
    """Whether batch normalization keeps the statistics that it has, which trains twice as fast."""
    quantised: bool = False
    """Whether the network learns with all that the int8 model rounds rounded to its steps; statistics are kept then."""


def settings_of(store: WindowStore, schedule: FurtherSchedule, begun_with: str) -> dict[str, Any]:
    """Give all that a run depends on, as json takes it; parameters as for `FurtherTraining`."""
    return {**asdict(schedule), "store": store.digest, "begun_with": begun_with}


def can_go_on(folder: Path, settings: dict[str, Any]) -> bool:
    """Whether a folder has a run of these settings that was stopped, or is done."""
    path = folder / CHECKPOINT
    if not path.exists():
        return False
    with np.load(path) as saved:
        return bool(json.loads(str(saved["about"]))["settings"] == settings)


class FurtherTraining:
    """A network while it is trained further.

    Parameters
    ----------
    model : keras.Model
        From features [n, 128, 292, 1] to a dictionary with `instruments`, `tags` and `embedding`.
    store : WindowStore
        Windows to learn from.
    teacher : np.ndarray [shape=(n, tags)]
        What the untouched network says of their tags, before the sigmoid.
    schedule : FurtherSchedule
    begun_with : str
        What the network's weights are before: a run that was stopped goes on only where they were the same.

    Raises
    ------
    ConfigError
        When there are fewer windows than a batch has.
    """

    def __init__(
        self,
        model: keras.Model,
        store: WindowStore,
        teacher: npt.NDArray[np.floating[Any]],
        schedule: FurtherSchedule,
        begun_with: str = "",
    ) -> None:
        if len(store) < schedule.batch:
            raise ConfigError(
                f"there are {len(store)} windows to learn from; expected a batch, {schedule.batch}, or more"
            )
        keras.utils.set_random_seed(schedule.seed)
        self.model, self._store, self._teacher, self.schedule = model, store, teacher, schedule
        self._begun_with = begun_with
        names = sorted({player for player in store.players if player})
        numbers = {name: number for number, name in enumerate(names)}
        self._players = np.array([numbers.get(player, -1) for player in store.players], np.int32)
        rng = np.random.default_rng(schedule.seed)
        size = int(model.output["embedding"].shape[-1])
        self._directions = keras.Variable(rng.standard_normal((max(1, len(names)), size)).astype(np.float32))
        heads = {id(v) for name in HEADS for v in model.get_layer(name).trainable_variables}
        self._trunk = [v for v in model.trainable_variables if id(v) not in heads]
        self._heads = [v for v in model.trainable_variables if id(v) in heads] + [self._directions]
        self._steps = len(store) // schedule.batch
        self._optimizers = [
            keras.optimizers.AdamW(self._rate(top), weight_decay=schedule.decay)
            for top in (schedule.rate, schedule.head_rate)
        ]
        for optimizer, variables in zip(self._optimizers, (self._trunk, self._heads), strict=True):
            optimizer.build(variables)
        self._moving = [v for v in model.variables if v.dtype.startswith("float")]
        self._averages = [keras.Variable(np.asarray(v), trainable=False) for v in self._moving]
        self.history: list[dict[str, float]] = []
        self._step = self._compiled()

    def run(self, folder: Path, *, progress: bool = False, look: Any = None) -> None:
        """Train until the schedule's end; a run that was stopped goes on after its last epoch."""
        folder.mkdir(parents=True, exist_ok=True)
        self._resume(folder / CHECKPOINT)
        while len(self.history) < self.schedule.epochs:
            self.history.append(self._epoch(progress))
            if look is not None:
                with _swapped(self._moving, self._averages):
                    self.history[-1] |= look(self.model)
            log.info("epoch %s", {key: round(value, 4) for key, value in self.history[-1].items()})
            self._save(folder / CHECKPOINT)
        for variable, average in zip(self._moving, self._averages, strict=True):
            variable.assign(average)

    def _epoch(self, progress: bool) -> dict[str, float]:
        started, number = time.perf_counter(), len(self.history)
        sums = np.zeros(3)
        windows = 0
        for batch in tqdm(self._batches(number), f"epoch {number + 1}", self._steps, leave=False, disable=not progress):
            sums += [float(loss) for loss in self._step(*batch)]
            windows += len(batch[0])
        named = dict(zip((f"{head}_loss" for head in HEADS), (sums / max(1, windows)).tolist(), strict=True))
        return {"epoch": number + 1.0, **named, "seconds": time.perf_counter() - started}

    def _batches(self, epoch: int) -> Iterator[Sequence[tf.Tensor]]:
        schedule = self.schedule
        order = np.random.default_rng([schedule.seed, epoch]).permutation(len(self._store))

        def load(step: Any) -> tuple[npt.NDArray[Any], ...]:
            rows = np.sort(order[step * schedule.batch : (step + 1) * schedule.batch])
            rng = np.random.default_rng([schedule.seed, epoch, int(step)])
            store = self._store
            batch = augment(
                *(store.read(rows), store.targets[rows], store.certain[rows], rng),
                mixed=schedule.mixed,
                handovers=schedule.handovers,
            )
            return (
                batch.features[..., None],
                batch.targets,
                store.weights[rows],
                batch.certain,
                self._teacher[rows].astype(np.float32),
                batch.alone.astype(np.float32),
                np.where(batch.alone, self._players[rows], -1).astype(np.int32),
            )

        def read(step: tf.Tensor) -> tuple[tf.Tensor, ...]:
            values = tf.numpy_function(load, [step], [spec.dtype for spec in self._signature])
            for value, spec in zip(values, self._signature, strict=True):
                value.set_shape(spec.shape)
            return tuple(values)

        return iter(tf.data.Dataset.range(self._steps).map(read).prefetch(2))

    @property
    def _signature(self) -> tuple[tf.TensorSpec, ...]:
        n = self.schedule.batch
        return (
            tf.TensorSpec((n, N_MELS, FRAMES, 1), tf.float32),
            tf.TensorSpec((n, self._store.targets.shape[1]), tf.float32),
            tf.TensorSpec((n,), tf.float32),
            tf.TensorSpec((n, self._store.targets.shape[1]), tf.bool),
            tf.TensorSpec((n, self._teacher.shape[1]), tf.float32),
            tf.TensorSpec((n,), tf.float32),
            tf.TensorSpec((n,), tf.int32),
        )

    def _rate(self, top: float) -> keras.optimizers.schedules.LearningRateSchedule:
        steps = self._steps * self.schedule.epochs
        warm_up = max(1, steps // 10)
        return keras.optimizers.schedules.CosineDecay(
            top / 20, max(1, steps - warm_up), warmup_target=top, warmup_steps=warm_up
        )

    def _compiled(self) -> Any:
        schedule = self.schedule
        network = self.model
        if schedule.quantised:
            rows = np.sort(np.random.default_rng(schedule.seed).permutation(len(self._store))[:_MEASURED])
            network = frozen_statistics(self.model, measure_ranges(self.model, self._store.read(rows)[..., None]))
        elif schedule.frozen:
            network = frozen_statistics(self.model)

        @tf.function(input_signature=self._signature, autograph=False)  # type: ignore[untyped-decorator]
        def step(
            features: tf.Tensor,
            targets: tf.Tensor,
            weights: tf.Tensor,
            certain: tf.Tensor,
            teacher: tf.Tensor,
            alone: tf.Tensor,
            players: tf.Tensor,
        ) -> tuple[tf.Tensor, ...]:
            with tf.GradientTape() as tape:
                outputs = network(features, training=True)
                losses = (
                    instrument_loss(
                        smoothed(targets, certain, schedule.smoothing), outputs["instruments"], weights, certain
                    ),
                    tag_loss(teacher, outputs["tags"], alone),
                    embedding_loss(outputs["embedding"], self._directions.value, players),
                )
                mean = (losses[0] + schedule.tags * losses[1] + schedule.embedding * losses[2]) / schedule.batch
            gradients = tape.gradient(mean, [*self._trunk, *self._heads])
            trunk = len(self._trunk)
            self._optimizers[0].apply(gradients[:trunk], self._trunk)
            self._optimizers[1].apply(gradients[trunk:], self._heads)
            steps = tf.cast(self._optimizers[0].iterations, tf.float32)
            keep = tf.minimum(schedule.average, (1 + steps) / (10 + steps))  # the first steps must not be remembered
            for variable, average in zip(self._moving, self._averages, strict=True):
                average.assign(average * keep + variable * (1 - keep))
            return losses

        return step

    def _variables(self) -> list[keras.Variable]:
        return [
            *self.model.variables,
            self._directions,
            *(v for o in self._optimizers for v in o.variables),
            *self._averages,
        ]

    def _save(self, path: Path) -> None:
        part = path.with_name(f".{path.name}.part.npz")
        values: dict[str, Any] = {
            f"v{number}": np.asarray(variable) for number, variable in enumerate(self._variables())
        }
        settings = settings_of(self._store, self.schedule, self._begun_with)
        about = json.dumps({"settings": settings, "history": self.history})
        np.savez(part, about=np.array(about), **values)
        part.replace(path)

    def _resume(self, path: Path) -> None:
        if not path.exists():
            return
        if not can_go_on(path.parent, settings_of(self._store, self.schedule, self._begun_with)):
            log.warning("%s is of another schedule, of other windows or weights: beginning anew", path)
            return
        with np.load(path) as saved:
            about = json.loads(str(saved["about"]))
            for number, variable in enumerate(self._variables()):
                variable.assign(saved[f"v{number}"])
        self.history = about["history"]


class _swapped:
    """Give variables the values of others for a while."""

    def __init__(self, variables: Sequence[keras.Variable], values: Sequence[keras.Variable]) -> None:
        self._variables, self._values = variables, values

    def __enter__(self) -> None:
        self._own = [np.asarray(variable) for variable in self._variables]
        for variable, value in zip(self._variables, self._values, strict=True):
            variable.assign(value)

    def __exit__(self, *_: object) -> None:
        for variable, value in zip(self._variables, self._own, strict=True):
            variable.assign(value)
