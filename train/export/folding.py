"""A trained network as it is exported: batch normalization folded into convolutions, hard-swish in two operations.

The converter would write x * relu6(x + 3) / 6 as one operation HARD_SWISH, which XNNPACK does not take in int8: the
graph falls into pieces, and inference takes twice as long. Here the sixth is left out and given to the weights that
hear the result, so that nothing is fused and a multiplication is saved.
"""

from __future__ import annotations

from typing import Any, Final

import keras
import numpy as np
import numpy.typing as npt

from train.networks.efficient import HardSwish
from train.networks.pass_through import PassThrough

Values = npt.NDArray[np.float64]

_SCALE: Final = 6.0
"""How many times too large the folded hard-swish is."""
_WEIGHTED: Final = (keras.layers.Conv2D, keras.layers.DepthwiseConv2D, keras.layers.Dense)


@keras.saving.register_keras_serializable("soloist")
class ScaledHardSwish(keras.layers.Layer):  # type: ignore[misc]  # Keras ships no types
    """Six times hard-swish, x * relu6(x + 3)."""

    def call(self, inputs: Any) -> Any:
        """Bend the inputs, which may have any shape."""
        return inputs * keras.ops.relu6(inputs + 3.0)


def fold(model: keras.Model) -> keras.Model:
    """Copy a network of `train.networks.efficient` into one that gives the same outputs by fewer operations.

    Parameters
    ----------
    model : keras.Model
        With or without some of its heads.

    Returns
    -------
    keras.Model
        With the same names of layers and outputs. It has no batch normalization and no dropout, and every convolution
        has a bias.
    """
    folded = keras.models.clone_model(model, clone_function=_clone)
    scales: dict[str, float] = {}
    wanted = _scales_of_branches(model)
    for layer in model.layers:
        before = [scales[source] for source in _sources(layer)]
        if isinstance(layer, _WEIGHTED):
            scales[layer.name] = wanted.get(layer.name, 1.0)
            _assign(layer, folded.get_layer(layer.name), before[0], scales[layer.name])
        elif isinstance(layer, HardSwish):
            scales[layer.name] = _SCALE
        elif isinstance(layer, keras.layers.Multiply):
            scales[layer.name] = float(np.prod(before))
        else:
            scales[layer.name] = before[0] if before else 1.0
    return folded


def _clone(layer: keras.Layer) -> keras.Layer:
    if isinstance(layer, keras.layers.BatchNormalization | keras.layers.Dropout):
        return PassThrough(name=layer.name)
    if isinstance(layer, HardSwish):
        return ScaledHardSwish(name=layer.name)
    if isinstance(layer, keras.layers.Dense) and len(layer.input.shape) == 4:
        # A dense layer on a map becomes a dozen operations on shapes, which no delegate takes.
        return keras.layers.Conv2D(layer.units, 1, activation=layer.activation, name=layer.name)
    return type(layer).from_config(layer.get_config() | ({"use_bias": True} if isinstance(layer, _WEIGHTED) else {}))


def _sources(layer: keras.Layer) -> list[str]:
    """Name the layers that a layer hears."""
    if isinstance(layer, keras.layers.InputLayer):
        return []
    return [tensor._keras_history.operation.name for tensor in keras.tree.flatten(layer.input)]


def _scales_of_branches(model: keras.Model) -> dict[str, float]:
    """Find convolutions whose output is added to a map that is too large, by the scale that they need."""
    found = {}
    for layer in model.layers:
        if isinstance(layer, keras.layers.Add):
            skipped, branch = _sources(layer)
            if isinstance(model.get_layer(skipped), HardSwish):
                while not isinstance(model.get_layer(branch), _WEIGHTED):
                    (branch,) = _sources(model.get_layer(branch))
                found[branch] = _SCALE
            elif skipped in found:
                raise ValueError(f"{layer.name} adds to {skipped}, which is scaled")
    return found


def _assign(layer: Any, copy: Any, before: float, after: float) -> None:
    """Give a copy its layer's weights with the batch normalization that follows, for a scaled input and output."""
    kernel = np.asarray(layer.kernel, np.float64)
    bias = np.asarray(layer.bias, np.float64) if layer.use_bias else np.zeros(copy.bias.shape)
    followers = [node.operation for node in layer._outbound_nodes]
    if len(followers) == 1 and isinstance(followers[0], keras.layers.BatchNormalization):
        (norm,) = followers
        gain = np.asarray(norm.gamma, np.float64) / np.sqrt(np.asarray(norm.moving_variance) + norm.epsilon)
        bias = (bias - np.asarray(norm.moving_mean)) * gain + np.asarray(norm.beta)
        kernel = kernel * (gain[:, None] if isinstance(layer, keras.layers.DepthwiseConv2D) else gain)
    copy.kernel.assign((kernel * (after / before)).reshape(copy.kernel.shape))
    copy.bias.assign(bias * after)
