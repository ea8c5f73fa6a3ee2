"""Full-integer TFLite: making it from a Keras network, and running it on many clips as the service would."""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Sequence
from tempfile import TemporaryDirectory
from typing import Final

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf
from threadpoolctl import threadpool_limits

from stream.errors import ModelError
from stream.recognition.bundle import UNKNOWN
from stream.recognition.interpreter import Interpreter
from stream.recognition.mel import FRAMES, N_MELS, TOP_DB, stack
from stream.system.stderr import quiet_stderr
from train.datasets.clip_features import decibels
from train.datasets.corpus import Corpora
from train.evaluation.clip_metrics import Calibration, calibrate, softmax
from train.export import saved_model
from train.export.rounding import round_weights

Features = npt.NDArray[np.uint8]
Logits = npt.NDArray[np.float32]

_ROUNDING_CLIPS: Final = 128
"""Clips that weights are rounded on. 32, 100, 200 and 500 of them give the same agreement."""
_LOW: Final = (0.0, 0.001, 0.01, 0.03, 0.1, 0.3)
_HIGH: Final = (0.5, 0.8, 0.9, 0.97, 0.99, 1.0)
"""Quantiles of all logits, and of each clip's largest, that the range of the output is chosen from."""


def convert_to_int8(model: keras.Model, representative: Features, channels: Sequence[str] = ("mel",)) -> bytes:
    """Quantise a network to int8: weights, activations, input and output.

    Two things are decided here and not left to the converter, which would round each weight to nearest and let the
    output's 256 steps span every logit it saw. `train.export.rounding` rounds weights so that each filter's
    errors cancel.
    And the output spans the range that changes the probabilities least: two logits within one step are a tie, and
    how far below 0 the most improbable label lies does not matter. No other range is capped: 255 steps of the largest
    activation cost a tenth of what the weights' rounding does.

    Parameters
    ----------
    model : keras.Model
        From features in dB to logits.
    representative : np.ndarray [shape=(n, 129, 129), dtype=uint8]
        Clips of the training set that the ranges of the activations are measured on.
    channels : sequence of str
        The model's input channels, as for `stream.recognition.mel.stack`.

    Returns
    -------
    bytes
        The .tflite file, for one clip at a time. It depends on the weights and the clips alone.
    """
    inputs = stack(decibels(representative), channels)
    few = np.linspace(0, len(inputs) - 1, min(len(inputs), _ROUNDING_CLIPS)).astype(int)
    network = round_weights(model, inputs[few])
    batches = (inputs[start : start + 64] for start in range(0, len(inputs), 64))
    logits = np.concatenate([np.asarray(network(batch, training=False)) for batch in batches])
    single = keras.Input(batch_shape=(1, *inputs.shape[1:]), name="features")
    # The first clip spans the whole scale, so that a step of the input is a step of the stored features.
    scale = np.full(inputs.shape[1:], -TOP_DB, np.float32)
    scale[0] = 0
    with TemporaryDirectory() as folder, quiet_stderr(), warnings.catch_warnings():
        # The converter's, about itself, and about statistics that full-integer models take from their clips.
        warnings.simplefilter("ignore", DeprecationWarning)
        warnings.filterwarnings("ignore", "Statistics for quantized inputs were expected", UserWarning)
        output = OutputRange(*output_range(logits))(network(single))
        saved_model.save(keras.Model(single, output, name="single"), folder)
        converter = tf.lite.TFLiteConverter.from_saved_model(folder)
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.inference_input_type = tf.int8
        converter.inference_output_type = tf.int8
        converter.representative_dataset = lambda: ([clip[None]] for clip in itertools.chain([scale], inputs))
        return bytes(converter.convert())


class OutputRange(keras.layers.Layer):  # type: ignore[misc]  # Keras ships no types
    """Tells the converter which range a tensor has; no operation of it is left in the .tflite file."""

    def __init__(self, low: float, high: float) -> None:
        super().__init__(name="range")
        self._low, self._high = low, high

    def call(self, values: tf.Tensor) -> tf.Tensor:
        """Give the tensor its range."""
        return tf.quantization.fake_quant_with_min_max_args(values, self._low, self._high)


def output_range(logits: Logits) -> tuple[float, float]:
    """Lower and upper end between which 256 steps change the probabilities least."""
    exact = softmax(logits, 1.0)
    lows = np.minimum(np.quantile(logits, _LOW), 0)
    highs = np.maximum(np.quantile(logits.max(axis=1), _HIGH), 1e-3)

    def change(ends: tuple[float, float]) -> float:
        low, high = ends
        step = (high - low) / 255
        return float(np.abs(softmax(np.round(logits.clip(low, high) / step) * step, 1.0) - exact).mean())

    low, high = min(itertools.product(lows, highs), key=change)
    return float(low), float(high)


class Int8Model:
    """A full-integer model, run clip by clip on one thread in the service's interpreter.

    Parameters
    ----------
    content : bytes
        The .tflite file.
    channels : sequence of str
        Its input channels, as for `stream.recognition.mel.stack`.

    Raises
    ------
    ModelError
        When the model is not full-integer, or hears another number of channels.
    """

    def __init__(self, content: bytes, channels: Sequence[str] = ("mel",)) -> None:
        self._interpreter = Interpreter(content)
        if self._interpreter.input.dtype != "int8" or self._interpreter.output.dtype != "int8":
            raise ModelError(f"the model's input is {self._interpreter.input}; expected full-integer int8")
        self._channels = tuple(channels)
        shape, expected = self._interpreter.input.shape, (1, N_MELS, FRAMES, len(self._channels))
        if shape != expected:
            raise ModelError(f"the model's input has shape {shape}; expected {expected} for {', '.join(channels)}")

    def logits(self, features: Features) -> Logits:
        """Dequantised outputs.

        Parameters
        ----------
        features : np.ndarray [shape=(n, 129, 129), dtype=uint8]
            Quantised features.

        Returns
        -------
        np.ndarray [shape=(n, labels), dtype=float32]
            Logits.
        """
        rows = np.empty((len(features), self._interpreter.output.shape[-1]), np.float32)
        for row, clip in zip(rows, features, strict=True):
            steps = self._interpreter.input.quantize(stack(decibels(clip), self._channels))
            row[:] = self._interpreter.output.dequantize(self._interpreter(steps))[0]
        return rows


_REPRESENTATIVE: Final = 500  # training clips that the ranges of the int8 model are measured on


def quantise_and_calibrate(
    model: keras.Model, corpora: Corpora, channels: Sequence[str], seed: int
) -> tuple[bytes, Calibration]:
    """Make the .tflite of a network, and choose how its outputs become names.

    Parameters
    ----------
    model : keras.Model
        From features in dB to logits.
    corpora : mapping
        Training clips give the ranges of the activations, validation clips the temperature and the thresholds.
    channels : sequence of str
        The model's input channels.
    seed : int
        Draws the training clips.
    """
    training, validation = corpora["training"], corpora["validation"]
    rng = np.random.default_rng(seed)
    chosen = rng.choice(len(training), min(_REPRESENTATIVE, len(training)), replace=False)
    with threadpool_limits(1, "blas"):  # more threads only wait for each other here
        content = convert_to_int8(model, training.features(np.sort(chosen)), channels)
    int8 = Int8Model(content, channels)
    instruments = sum(label != UNKNOWN for label in training.labels)
    return content, calibrate(validation.targets, int8.logits(validation.features()), instruments)
