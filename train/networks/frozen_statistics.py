"""A network whose batch normalization keeps its statistics while it is trained further, at half the cost.

What normalizes with constant statistics is a factor and an offset for each channel, so it can be multiplied into the
weights of the convolution before it: no pass over a map is left of it, and on a processor those passes are more than
half of a step. The statistics of two million clips also serve better than those of 64 windows.

The same way through a network can be rounded as the int8 model will be (Jacob et al., 2018, Quantization and Training
of Neural Networks for Efficient Integer-Arithmetic-Only Inference), so that it learns to do with such steps.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from train.networks.pass_through import PassThrough

Range = tuple[float, float]

_CONVOLUTIONS: Final = (keras.layers.Conv2D, keras.layers.DepthwiseConv2D)
_UNROUNDED: Final = (keras.layers.InputLayer, keras.layers.ZeroPadding2D, keras.layers.Dropout, PassThrough)
_STEPS: Final = 127  # the largest weight of a filter, in int8 steps
_BATCH: Final = 16


def frozen_statistics(model: keras.Model, ranges: Mapping[str, Range] | None = None) -> keras.Model:
    """Make a second way through a network, by the same variables, in which batch normalization is part of convolutions.

    Parameters
    ----------
    model : keras.Model
        Of `train.networks.efficient`.
    ranges : mapping of str to (float, float), optional
        Lowest and highest value of layers, of `measure_ranges`: with them their outputs and all weights are rounded to
        int8 steps, through which gradients pass as if nothing were rounded.

    Returns
    -------
    keras.Model
        From the same inputs to the same outputs, with dropout while training. Weights of convolutions, scales and
        offsets of the normalization get gradients; its means and variances are constants.
    """

    def clone(layer: keras.Layer) -> keras.Layer:
        norm, rounded = _norm_after(layer), None if ranges is None else ranges.get(layer.name)
        if norm is not None:
            return _NormalizedConvolution(layer, norm, rounded, ranges is not None, name=layer.name)
        if isinstance(layer, keras.layers.BatchNormalization):
            return PassThrough(name=layer.name)
        if isinstance(layer, keras.layers.Dense):
            return _Shared(layer, rounded, ranges is not None, name=layer.name)
        if layer.variables:  # the state that dropout draws from
            return _Kept(layer, name=layer.name)
        copy = type(layer).from_config(layer.get_config())
        return copy if rounded is None else _Rounded(copy, rounded, name=layer.name)

    return keras.models.clone_model(model, clone_function=clone)


def measure_ranges(model: keras.Model, windows: npt.NDArray[np.float32]) -> dict[str, Range]:
    """Measure lowest and highest values of all layers whose outputs the int8 model rounds.

    Parameters
    ----------
    model : keras.Model
        Of `train.networks.efficient`.
    windows : np.ndarray [shape=(n, 128, frames, 1), dtype=float32]

    Returns
    -------
    dict of str to (float, float)
        By the layers' names. A convolution that a ReLU follows is left out: it is computed together with it.
    """
    network = frozen_statistics(model)
    names = {layer.name for layer in network.layers}
    layers = [
        layer
        for layer in network.layers
        if not isinstance(layer, (*_UNROUNDED, _Kept)) and f"{layer.name}_relu" not in names
    ]
    probe = keras.Model(network.inputs[0], [layer.output for layer in layers])
    found: dict[str, Range] = {}
    for start in range(0, len(windows), _BATCH):
        outputs = keras.tree.flatten(probe(windows[start : start + _BATCH], training=False))
        for layer, output in zip(layers, outputs, strict=True):
            low, high = found.get(layer.name, (0.0, 0.0))
            found[layer.name] = min(low, float(tf.reduce_min(output))), max(high, float(tf.reduce_max(output)))
    return {name: (low, max(high, low + 1e-3)) for name, (low, high) in found.items()}


def _norm_after(layer: keras.Layer) -> keras.Layer | None:
    followers = [node.operation for node in layer._outbound_nodes]
    alone = isinstance(layer, _CONVOLUTIONS) and len(followers) == 1
    return followers[0] if alone and isinstance(followers[0], keras.layers.BatchNormalization) else None


def _to_steps(values: tf.Tensor, rounded: Range | None) -> tf.Tensor:
    if rounded is None:
        return values
    return tf.quantization.fake_quant_with_min_max_args(values, min=rounded[0], max=rounded[1], num_bits=8)


def _weights_to_steps(kernel: tf.Tensor, axes: list[int]) -> tf.Tensor:
    step = tf.maximum(tf.reduce_max(tf.abs(kernel), axis=axes, keepdims=True) / _STEPS, 1e-12)
    return kernel + tf.stop_gradient(tf.round(kernel / step) * step - kernel)


class _Kept(keras.layers.Layer):  # type: ignore[misc]  # Keras ships no types
    """Another layer, with its own state, and nothing rounded."""

    def __init__(self, layer: keras.Layer, name: str) -> None:
        super().__init__(name=name)
        self.layer = layer
        self.built = True

    def call(self, inputs: Any) -> Any:
        return self.layer(inputs)


class _Rounded(keras.layers.Layer):  # type: ignore[misc]  # Keras ships no types
    """A layer without weights, its output rounded."""

    def __init__(self, layer: keras.Layer, rounded: Range, name: str) -> None:
        super().__init__(name=name)
        self.layer, self._range = layer, rounded
        self.built = True

    def call(self, inputs: Any) -> Any:
        return _to_steps(self.layer(inputs), self._range)


class _Shared(keras.layers.Layer):  # type: ignore[misc]  # Keras ships no types
    """A dense layer, by its own variables."""

    def __init__(self, layer: keras.Layer, rounded: Range | None, to_steps: bool, name: str) -> None:
        super().__init__(name=name)
        self.layer, self._range, self._to_steps = layer, rounded, to_steps
        self.built = True

    def call(self, inputs: Any) -> Any:
        if not self._to_steps:
            return self.layer(inputs)
        outputs = tf.matmul(inputs, _weights_to_steps(tf.convert_to_tensor(self.layer.kernel), [0])) + self.layer.bias
        return _to_steps(self.layer.activation(outputs), self._range)


class _NormalizedConvolution(keras.layers.Layer):  # type: ignore[misc]  # Keras ships no types
    """A convolution without bias, and the normalization after it."""

    def __init__(
        self, convolution: keras.Layer, norm: keras.Layer, rounded: Range | None, to_steps: bool, name: str
    ) -> None:
        super().__init__(name=name)
        self.convolution, self.norm, self._range, self._to_steps = convolution, norm, rounded, to_steps
        self.built = True

    def call(self, inputs: Any) -> Any:
        norm, convolution = self.norm, self.convolution
        gain = norm.gamma * tf.math.rsqrt(norm.moving_variance + norm.epsilon)
        strides, padding = [1, *convolution.strides, 1], convolution.padding.upper()
        if isinstance(convolution, keras.layers.DepthwiseConv2D):
            kernel = convolution.kernel * gain[:, None]
            kernel = _weights_to_steps(kernel, [0, 1, 3]) if self._to_steps else kernel
            outputs = tf.nn.depthwise_conv2d(inputs, kernel, strides, padding)
        else:
            kernel = convolution.kernel * gain
            kernel = _weights_to_steps(kernel, [0, 1, 2]) if self._to_steps else kernel
            outputs = tf.nn.conv2d(inputs, kernel, strides, padding)
        return _to_steps(tf.nn.bias_add(outputs, norm.beta - norm.moving_mean * gain), self._range)
