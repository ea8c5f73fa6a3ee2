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
from threadpoolctl import threadpool_limits

Values = npt.NDArray[np.float32]
Statistics = npt.NDArray[np.float64]

_STEPS: Final = 127  # TFLite's weights are symmetric, and the largest of a filter is 127 steps
_DAMPING: Final = 1e-4  # of the mean variance: inputs that never change would leave the covariance singular
_BATCH: Final = 16
_TOGETHER: Final = 4_000_000  # numbers in the factors of filters that are rounded at the same time

_NORMALIZATION: Final = keras.layers.BatchNormalization
_WEIGHTED: Final = (keras.layers.Conv2D, keras.layers.DepthwiseConv2D, keras.layers.Dense)


def round_weights(model: keras.Model, inputs: Values) -> keras.Model:
    """Copy a network with its weights rounded to int8 steps, and biases that make up for the mean error.

    The steps are those that the converter chooses: the largest weight of a filter is 127 of them. Folding a batch
    normalization or a scale into a filter multiplies all its weights, which does not move them off the grid. The
    weights of dense layers are rounded to nearest, because the errors of thousands of inputs average out. Biases are
    corrected as by Nagel et al., 2019, section 4.2; where there are none, the mean of the normalization is.

    Parameters
    ----------
    model : keras.Model
        Sequential or functional, with one output or a dict of them.
    inputs : np.ndarray [shape=(n, ...), dtype=float32]
        What the statistics of the layers' inputs are measured on.

    Returns
    -------
    keras.Model
        Its layers are numbered, so that their names do not depend on what was built before.
    """
    copy = _copy(model)
    pairs = [pair for pair in zip(_layers(model), _layers(copy), strict=True) if isinstance(pair[0], _WEIGHTED)]
    means = _means(model, [layer for layer, _ in pairs], inputs)
    with threadpool_limits(1, "blas"):  # its threads would take longer to meet than to factor such small matrices
        for (layer, ours), exact in zip(pairs, means, strict=True):
            weights = np.asarray(layer.kernel, np.float64)
            flat = _flat(layer, weights)
            if isinstance(layer, keras.layers.Dense):
                (mean,) = _means(copy, [ours], inputs)
                step = np.abs(flat).max(axis=0) / _STEPS
                grid = np.round(flat / np.where(step, step, 1)) * step
            else:
                mean, covariances = _moments(copy, ours, inputs)
                each = np.split(flat, len(covariances), axis=1)
                grid = np.concatenate([_round_filters(*pair) for pair in zip(each, covariances, strict=True)], axis=1)
            ours.kernel.assign(grid.reshape(weights.shape))
            shift = _product(layer, exact, flat) - _product(layer, mean, grid)
            if layer.use_bias:
                ours.bias.assign(np.asarray(layer.bias) + shift)
            for after in _layers(copy):  # normalization takes a mean away, which is a bias by another name
                if not layer.use_bias and isinstance(after, _NORMALIZATION) and after.input is ours.output:
                    after.moving_mean.assign(np.asarray(after.moving_mean) - shift)
    return copy


def _copy(model: keras.Model) -> keras.Model:
    numbers = iter(range(len(model.layers)))

    def numbered(layer: keras.Layer) -> keras.Layer:
        return type(layer).from_config(layer.get_config() | {"name": f"layer_{next(numbers)}"})

    copy = keras.models.clone_model(model, clone_function=numbered)
    copy.set_weights(model.get_weights())
    several = not isinstance(copy, keras.Sequential) and isinstance(copy.output, dict)
    return keras.Model(copy.inputs[0], copy.output if several else copy.outputs[0], name="network")


def _layers(model: keras.Model) -> list[Any]:
    return [layer for layer in model.layers if not isinstance(layer, keras.layers.InputLayer)]


def _flat(layer: Any, weights: Statistics) -> Statistics:
    """Arrange a layer's weights [shape=(weights of a filter, filters)]."""
    depthwise = isinstance(layer, keras.layers.DepthwiseConv2D)
    return weights.reshape((-1, weights.shape[-2]) if depthwise else (-1, weights.shape[-1]))


def _product(layer: Any, values: Statistics, flat: Statistics) -> Statistics:
    """Compute what filters make of values [shape=(inputs of all filters,)]."""
    if isinstance(layer, keras.layers.DepthwiseConv2D):
        summed: Statistics = (values.reshape(flat.shape) * flat).sum(axis=0)
        return summed
    return values @ flat


def _patches(layer: Any, values: tf.Tensor) -> Values:
    """Arrange a layer's input as what its filters are multiplied with [shape=(n, inputs of all filters)]."""
    if not isinstance(layer, keras.layers.Dense):
        values = tf.image.extract_patches(
            values,
            [1, *layer.kernel_size, 1],
            [1, *layer.strides, 1],
            [1, *layer.dilation_rate, 1],
            layer.padding.upper(),
        )
    return np.asarray(values).reshape(-1, values.shape[-1])


def _input_patches(model: keras.Model, layers: list[Any], inputs: Values) -> Iterator[list[Values]]:
    """Yield the patches of layers, batch by batch."""
    probe = keras.Model(model.inputs[0], [layer.input for layer in layers])
    for start in range(0, len(inputs), _BATCH):
        values = keras.tree.flatten(probe(inputs[start : start + _BATCH], training=False))
        yield [_patches(layer, value) for layer, value in zip(layers, values, strict=True)]


def _means(model: keras.Model, layers: list[Any], inputs: Values) -> list[Statistics]:
    """Mean of each layer's inputs."""
    sums, counts = [0.0 for _ in layers], [0 for _ in layers]
    for heard in _input_patches(model, layers, inputs):
        for number, patches in enumerate(heard):
            sums[number] += patches.sum(axis=0, dtype=np.float64)
            counts[number] += len(patches)
    return [np.asarray(total / count) for total, count in zip(sums, counts, strict=True)]


def _moments(model: keras.Model, layer: Any, inputs: Values) -> tuple[Statistics, Statistics]:
    """Mean of a convolution's inputs, and their covariance.

    There is a covariance for all filters together [shape=(1, n, n)], or one for each where each hears a channel of its
    own [shape=(filters, n, n)].
    """
    apart = layer.kernel.shape[-2] if isinstance(layer, keras.layers.DepthwiseConv2D) else 1
    size = int(np.prod(layer.kernel.shape[:-1])) // apart
    count, total, products = 0, np.zeros((apart, size)), np.zeros((apart, size, size))
    for (patches,) in _input_patches(model, [layer], inputs):
        double = patches.astype(np.float64).reshape(-1, size, apart).transpose(2, 1, 0)
        count += double.shape[2]
        total += double.sum(axis=2)
        products += double @ double.transpose(0, 2, 1)
    mean = total / count
    return mean.T.ravel(), products / count - mean[:, :, None] * mean[:, None, :]


def _round_filters(weights: Statistics, covariance: Statistics) -> Statistics:
    """Round filters [shape=(weights, filters)] so that their outputs change least."""
    size = len(weights)
    variance = np.mean(np.diag(covariance))
    inverse = np.linalg.inv(covariance + (_DAMPING * variance + 1e-12) * np.eye(size))
    grid = np.zeros_like(weights)
    together = max(_TOGETHER // size**2, 1)
    for start in range(0, weights.shape[1], together):
        columns = weights[:, start : start + together]
        steps = np.abs(columns).max(axis=0) / _STEPS
        steps = np.where(steps, steps, 1)
        # The largest weight comes first: it defines the grid, so it has to stay where it is.
        order = np.argsort(-np.abs(columns), axis=0, kind="stable")
        rest = np.take_along_axis(columns, order, axis=0)
        factors = np.linalg.cholesky(inverse[order.T[:, :, None], order.T[:, None, :]])
        placed = np.empty_like(rest)
        for position in range(size):
            placed[position] = np.clip(np.round(rest[position] / steps), -_STEPS, _STEPS) * steps
            error = (rest[position] - placed[position]) / factors[:, position, position]
            rest[position:] -= error * factors[:, position:, position].T
        np.put_along_axis(grid[:, start : start + together], order, placed, axis=0)
    return grid
