"""Weights on the int8 grid that keep what a convolution computes, rather than each weight by itself.

Rounded to nearest, the nine weights of a first-layer filter err together: neighbouring bands and frames of a
spectrogram are loud together, so the errors add up in every output. Rounding one weight after the other, and letting
those that are left make up for the error so far, takes that away. This is the method of GPTQ (Frantar et al., 2022),
which solves Optimal Brain Quantization's problem with a Cholesky factor, applied filter by filter.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

Values = npt.NDArray[np.float32]
Statistics = npt.NDArray[np.float64]

_STEPS: Final = 127  # TFLite's weights are symmetric, and the largest of a filter is 127 steps
_DAMPING: Final = 1e-4  # of the mean variance: inputs that never change would leave the covariance singular
_BATCH: Final = 16


def rounded(model: keras.Model, inputs: Values) -> keras.Model:
    """Copy a network with its weights rounded to int8 steps, and biases that make up for the mean error.

    The steps are those that the converter chooses: the largest weight of a filter is 127 of them. Folding a batch
    normalization or a scale into a filter multiplies all its weights, which does not move them off the grid. The
    weights of dense layers are rounded to nearest, because the errors of thousands of inputs average out. Biases are
    corrected as by Nagel et al., 2019, section 4.2.

    Parameters
    ----------
    model : keras.Model
        Sequential or functional.
    inputs : np.ndarray [shape=(n, ...), dtype=float32]
        What the statistics of the layers' inputs are measured on.

    Returns
    -------
    keras.Model
        Its layers are numbered, so that their names do not depend on what was built before.
    """
    copy = _copy(model)
    for layer, ours in zip(_layers(model), _layers(copy), strict=True):
        if not isinstance(layer, keras.layers.Conv2D | keras.layers.Dense):
            continue
        weights = np.asarray(layer.kernel, np.float64)
        flat = weights.reshape(-1, weights.shape[-1])
        target = _mean(model, layer, inputs) @ flat
        if isinstance(layer, keras.layers.Conv2D):
            mean, covariance = _moments(copy, ours, inputs)
            grid = _round_filters(flat, covariance)
        else:
            mean = _mean(copy, ours, inputs)
            step = np.abs(flat).max(axis=0) / _STEPS
            grid = np.round(flat / np.where(step, step, 1)) * step
        ours.kernel.assign(grid.reshape(weights.shape))
        if layer.use_bias:
            ours.bias.assign(np.asarray(layer.bias) + target - mean @ grid)
    return copy


def _copy(model: keras.Model) -> keras.Model:
    numbers = iter(range(len(model.layers)))

    def numbered(layer: keras.Layer) -> keras.Layer:
        return type(layer).from_config(layer.get_config() | {"name": f"layer_{next(numbers)}"})

    copy = keras.models.clone_model(model, clone_function=numbered)
    copy.set_weights(model.get_weights())
    return keras.Model(copy.inputs[0], copy.outputs[0], name="network")


def _layers(model: keras.Model) -> list[Any]:
    return [layer for layer in model.layers if not isinstance(layer, keras.layers.InputLayer)]


def _patches(model: keras.Model, layer: Any, inputs: Values) -> Iterator[Values]:
    """Yield what a layer's filters are multiplied with [shape=(n, weights of a filter)], batch by batch."""
    probe = keras.Model(model.inputs[0], layer.input)
    for start in range(0, len(inputs), _BATCH):
        values = probe(inputs[start : start + _BATCH], training=False)
        if isinstance(layer, keras.layers.Conv2D):
            values = tf.image.extract_patches(
                values,
                [1, *layer.kernel_size, 1],
                [1, *layer.strides, 1],
                [1, *layer.dilation_rate, 1],
                layer.padding.upper(),
            )
        yield np.asarray(values).reshape(-1, values.shape[-1])


def _mean(model: keras.Model, layer: Any, inputs: Values) -> Statistics:
    sums = [(patches.sum(axis=0, dtype=np.float64), len(patches)) for patches in _patches(model, layer, inputs)]
    mean: Statistics = sum(total for total, _ in sums) / sum(count for _, count in sums)
    return mean


def _moments(model: keras.Model, layer: Any, inputs: Values) -> tuple[Statistics, Statistics]:
    """Mean and covariance of a layer's inputs."""
    size = int(np.prod(layer.kernel.shape[:-1]))
    count, total, products = 0, np.zeros(size), np.zeros((size, size))
    for patches in _patches(model, layer, inputs):
        double = patches.astype(np.float64)
        count += len(double)
        total += double.sum(axis=0)
        products += double.T @ double
    mean = total / count
    return mean, products / count - np.outer(mean, mean)


def _round_filters(weights: Statistics, covariance: Statistics) -> Statistics:
    """Round filters [shape=(weights, filters)] so that their outputs change least."""
    variance = np.mean(np.diag(covariance))
    inverse = np.linalg.inv(covariance + (_DAMPING * variance + 1e-12) * np.eye(len(covariance)))
    grid = np.zeros_like(weights)
    for number, column in enumerate(weights.T):
        step = np.abs(column).max() / _STEPS
        if not step:
            continue
        # The largest weight comes first: it defines the grid, so it has to stay where it is.
        order = np.argsort(-np.abs(column), kind="stable")
        rest = column[order]
        factor = np.linalg.cholesky(inverse[np.ix_(order, order)]).T
        for position, index in enumerate(order):
            grid[index, number] = np.clip(np.round(rest[position] / step), -_STEPS, _STEPS) * step
            error = rest[position] - grid[index, number]
            rest[position:] -= error / factor[position, position] * factor[position, position:]
    return grid
