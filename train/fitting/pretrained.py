"""The weights of a finished model, for another network to begin with: all layers but the last, whose labels are others.

A bundle holds integers, in which each batch normalization is folded into the convolution before it. Rounding took less
than a label in a hundred off the network, so what they stand for is as good a beginning as the weights before were; and
any bundle can be gone on from, without another file.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import keras
import numpy as np
import numpy.typing as npt
from ai_edge_litert.interpreter import Interpreter, OpResolverType

from stream.errors import ConfigError
from stream.recognition.bundle import Bundle
from stream.recognition.mel import stack
from stream.system.stderr import quiet_stderr
from train.datasets.clip_features import decibels
from train.datasets.corpus import Corpus
from train.networks.architectures import NETWORKS, Network, build_network

Values = npt.NDArray[np.float32]

_WEIGHTED: Final = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED")
_CONVOLUTIONS: Final = (keras.layers.Conv2D, keras.layers.DepthwiseConv2D)
_MEASURED: Final = 512  # clips that the statistics of batch normalization are measured on
_BATCH: Final = 32


@dataclass(frozen=True, slots=True)
class LayerWeights:
    """A layer as the service computes it, its batch normalization folded into it."""

    kernel: Values
    """In the shape that Keras gives it."""
    bias: Values
    """shape=(filters,)"""


@dataclass(frozen=True, slots=True)
class Pretrained:
    """A network's weights, read from a bundle."""

    name: str
    """Of the bundle."""
    network: Network
    channels: tuple[str, ...]
    digest: str
    """SHA-256 of the .tflite file."""
    layers: tuple[LayerWeights, ...]
    """Of the convolutions, in their order."""

    def starting_values(self, training: Corpus, seed: int) -> list[Values]:
        """Make the values of all variables of the same network with other labels.

        The last layer is freshly drawn. Batch normalization begins with the statistics of the training clips and is
        set to undo them, so that the network computes what the bundle does, and learns from there.

        Parameters
        ----------
        training : Corpus
            Clips to be learned from; their labels are the new outputs.
        seed : int
            Draws the last layer.

        Returns
        -------
        list of np.ndarray
            In the order of the network's variables, as `train.fitting.fit.fit` takes them for `start`.
        """
        keras.utils.set_random_seed(seed)
        model = build_network(self.network, len(training.labels), len(self.channels))
        convolutions = [layer for layer in model.layers if isinstance(layer, _CONVOLUTIONS)]
        for convolution, weights in zip(convolutions, self.layers, strict=True):
            convolution.kernel.assign(weights.kernel)
        # The bias is the normalization's, which does nothing else until it is known what it gets.
        normalizations = [layer for layer in model.layers if isinstance(layer, keras.layers.BatchNormalization)]
        for normalization, weights in zip(normalizations, self.layers, strict=True):
            normalization.beta.assign(weights.bias)
            normalization.moving_variance.assign(np.full_like(weights.bias, 1 - normalization.epsilon))
        for normalization, (mean, variance) in zip(
            normalizations, _moments(model, normalizations, training, self.channels), strict=True
        ):
            normalization.gamma.assign(np.sqrt(variance + normalization.epsilon))
            normalization.beta.assign(np.asarray(normalization.beta) + mean)
            normalization.moving_mean.assign(mean)
            normalization.moving_variance.assign(variance)
        return [np.asarray(variable) for variable in model.variables]


def read_pretrained(bundle: Bundle) -> Pretrained:
    """Read the weights of a bundle that the laboratory made.

    Raises
    ------
    ConfigError
        When no network of the laboratory with a batch normalization after each convolution has such layers.
    """
    *layers, _ = read_layers(bundle.model)
    shapes = [layer.kernel.shape for layer in layers]
    for network in NETWORKS.values():
        model = build_network(network, len(bundle.labels), len(bundle.channels))
        kernels = [tuple(layer.kernel.shape) for layer in model.layers if isinstance(layer, _CONVOLUTIONS)]
        normalized = sum(isinstance(layer, keras.layers.BatchNormalization) for layer in model.layers)
        if kernels == shapes and normalized == len(kernels):
            digest = hashlib.sha256(bundle.model).hexdigest()
            return Pretrained(bundle.name, network, bundle.channels, digest, tuple(layers))
    raise ConfigError(
        f"{bundle.origin} is of none of the networks with batch normalization: its weights cannot be gone on from"
    )


def read_layers(model: bytes) -> list[LayerWeights]:
    """Read kernels and biases of a .tflite in the order in which they are computed."""
    with quiet_stderr():
        interpreter = Interpreter(
            model_content=model, experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
        )
        interpreter.allocate_tensors()
    tensors = {tensor["index"]: tensor for tensor in interpreter.get_tensor_details()}
    layers = []
    for operation in interpreter._get_ops_details():  # private, and the only way to learn their order
        if operation["op_name"] in _WEIGHTED:
            _, kernel, bias = (int(index) for index in operation["inputs"])
            values = _real(interpreter.get_tensor(kernel), tensors[kernel])
            shape = values.shape
            if operation["op_name"] == "CONV_2D":
                values = values.transpose(1, 2, 3, 0)
            elif operation["op_name"] == "DEPTHWISE_CONV_2D":
                values = values.reshape(*shape[1:], 1)
            else:
                values = values.T
            layers.append(LayerWeights(values, _real(interpreter.get_tensor(bias), tensors[bias])))
    return layers


def _real(steps: npt.NDArray[np.integer], tensor: dict[str, Any]) -> Values:
    """Bring integers to the real values that they stand for."""
    about = tensor["quantization_parameters"]
    shape = [1] * steps.ndim
    shape[about["quantized_dimension"]] = -1
    scales, zeros = (np.asarray(about[key], np.float64).reshape(shape) for key in ("scales", "zero_points"))
    return np.asarray((steps.astype(np.float64) - zeros) * scales, np.float32)


def _moments(
    model: keras.Model, layers: Sequence[Any], training: Corpus, channels: Sequence[str]
) -> list[tuple[Values, Values]]:
    """Mean and variance of what goes into layers, over clips drawn evenly from the training clips."""
    probe = keras.Model(model.inputs[0], [layer.input for layer in layers])
    rows = np.linspace(0, len(training) - 1, min(len(training), _MEASURED)).astype(int)
    count = np.zeros(len(layers))
    sums, squares = ([np.zeros(layer.beta.shape) for layer in layers] for _ in range(2))
    for batch in np.array_split(rows, -(-len(rows) // _BATCH)):
        features = stack(decibels(training.features(batch)), channels)
        for number, values in enumerate(keras.tree.flatten(probe(features, training=False))):
            flat = np.asarray(values, np.float64).reshape(-1, values.shape[-1])
            count[number] += len(flat)
            sums[number] += flat.sum(axis=0)
            squares[number] += np.square(flat).sum(axis=0)
    means = [total / n for total, n in zip(sums, count, strict=True)]
    return [
        (mean.astype(np.float32), np.maximum(square / n - mean**2, 0).astype(np.float32))
        for mean, square, n in zip(means, squares, count, strict=True)
    ]
