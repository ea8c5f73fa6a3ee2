"""A network between its first weights and its last, and heads fitted again on what it then hears.

The mean of both does better on what neither was trained on than either (Wortsman et al., 2022, Robust fine-tuning of
zero-shot models).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from train.networks.normalization import BatchNormalization
from train.transfer.objectives import instrument_loss, smoothed
from train.transfer.window_augmentation import augment
from train.transfer.window_store import WindowStore

Array = npt.NDArray[np.float32]

_BATCH: Final = 64
_MEASURED: Final = 4096  # windows that the statistics of batch normalization are measured on
_HEAD_BATCH: Final = 256


class HeadInputs(NamedTuple):
    """What heads learn from."""

    values: Array
    """shape=(n, channels), what they get"""
    targets: Array
    """shape=(n, labels)"""
    certain: npt.NDArray[np.bool_]
    """shape=(n, labels)"""
    weights: Array
    """shape=(n,)"""


def average_with(model: keras.Model, start: Sequence[Array], share: float, heads: Sequence[str]) -> None:
    """Move a network's weights towards others, but those of some layers.

    Parameters
    ----------
    model : keras.Model
        The network that went on; it is changed.
    start : sequence of np.ndarray
        What its variables were, in their order.
    share : float
        Of the network that went on: 1 leaves it as it is.
    heads : sequence of str
        Layers that began at random, and stay as they are.
    """
    kept = {id(variable) for name in heads for variable in model.get_layer(name).variables}
    for variable, value in zip(model.variables, start, strict=True):
        if variable.dtype.startswith("float") and id(variable) not in kept:
            variable.assign(share * np.asarray(variable) + (1 - share) * value)


def measure_normalization(model: keras.Model, store: WindowStore, seed: int) -> None:
    """Measure batch normalization's statistics anew, as between two networks they are neither's.

    Parameters
    ----------
    model : keras.Model
        It is changed.
    store : WindowStore
        Windows to measure with, augmented as in training.
    seed : int
        Draws the windows.
    """
    rng = np.random.default_rng(seed)
    rows = rng.permutation(len(store))[:_MEASURED]
    batch = min(_BATCH, len(rows))
    layers = [layer for layer in model.layers if isinstance(layer, BatchNormalization)]
    momenta = [layer.momentum for layer in layers]
    for number, start in enumerate(range(0, len(rows) - batch + 1, batch)):
        chosen = np.sort(rows[start : start + batch])
        features = augment(store.read(chosen), store.targets[chosen], store.certain[chosen], rng).features
        for layer in layers:
            layer.momentum = number / (number + 1)  # the mean of all batches so far
        model(features[..., None], training=True)
    for layer, momentum in zip(layers, momenta, strict=True):
        layer.momentum = momentum


def pooled(
    model: keras.Model, store: WindowStore, *, passes: int = 0, most: int | None = None, seed: int = 0
) -> HeadInputs:
    """Compute what the heads get of windows, as they are and augmented some times.

    Parameters
    ----------
    model : keras.Model
        With a layer named pooled.
    store : WindowStore
    passes : int
        How many times augmented besides.
    most : int, optional
        How many windows are drawn of a store that has more.
    seed : int
        Of the augmentations, and of what is drawn.

    Returns
    -------
    HeadInputs
        Of (passes + 1) * n windows.
    """
    network = keras.Model(model.inputs[0], model.get_layer("pooled").output)
    probe: Any = tf.function(lambda features: network(features, training=False), reduce_retracing=True)
    chosen = np.sort(np.random.default_rng(seed).permutation(len(store))[:most])
    parts: list[HeadInputs] = []
    for number in range(passes + 1):
        for start in range(0, len(chosen), _BATCH):
            rows = chosen[start : start + _BATCH]
            features, targets, certain = store.read(rows), store.targets[rows], store.certain[rows]
            if number:
                rng = np.random.default_rng([seed, number, start])
                features, targets, certain, _ = augment(features, targets, certain, rng)
            values = np.asarray(probe(tf.constant(features[..., None])))
            parts.append(HeadInputs(values, targets, certain, store.weights[rows]))
    return HeadInputs(*(np.concatenate(arrays) for arrays in zip(*parts, strict=True)))


def refit_heads(
    model: keras.Model,
    inputs: HeadInputs,
    *,
    steps: int = 3000,
    decay: float = 1e-3,
    smoothing: float = 0.05,
    seed: int = 0,
) -> None:
    """Fit the head for instruments again, from where it is, on what it gets.

    Parameters
    ----------
    model : keras.Model
        Its layer instruments is changed.
    inputs : HeadInputs
        Of `pooled`.
    steps : int
        How many batches.
    decay : float
        Weight decay.
    smoothing : float
        Of the targets.
    seed : int
        Of the order.
    """
    layer = model.get_layer("instruments")
    known = np.flatnonzero(inputs.targets.any(axis=1) & (inputs.weights > 0))
    optimizer = keras.optimizers.AdamW(keras.optimizers.schedules.CosineDecay(3e-3, steps), weight_decay=decay)
    optimizer.build(layer.trainable_variables)

    @tf.function(autograph=False)  # type: ignore[untyped-decorator]
    def step(values: tf.Tensor, targets: tf.Tensor, certain: tf.Tensor, weights: tf.Tensor) -> Any:
        with tf.GradientTape() as tape:
            logits = layer(tf.nn.dropout(values, 0.2))
            loss = instrument_loss(smoothed(targets, certain, smoothing), logits, weights, certain) / _HEAD_BATCH
        optimizer.apply(tape.gradient(loss, layer.trainable_variables), layer.trainable_variables)
        return loss

    rng = np.random.default_rng(seed)
    for _ in range(steps):
        rows = known[rng.integers(len(known), size=_HEAD_BATCH)]
        step(*(array[rows] for array in inputs))
