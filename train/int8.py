"""Full-integer TFLite: making it from a Keras network, and running it on many clips as the service would."""

from __future__ import annotations

from collections.abc import Sequence
from tempfile import TemporaryDirectory

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf
from ai_edge_litert.interpreter import Interpreter

from stream.features import FRAMES, N_MELS, stack
from train.corpus import decibels

Features = npt.NDArray[np.uint8]


def convert(model: keras.Model, representative: Features, channels: Sequence[str] = ("mel",)) -> bytes:
    """Quantise a network to int8: weights, activations, input and output.

    Parameters
    ----------
    model : keras.Model
        From features in dB to logits.
    representative : np.ndarray [shape=(n, 129, 129), dtype=uint8]
        Clips of the training set that the ranges of the activations are measured on.
    channels : sequence of str
        The model's input channels, as for `stream.features.stack`.

    Returns
    -------
    bytes
        The .tflite file, for one clip at a time.
    """
    single = keras.Input(batch_shape=(1, N_MELS, FRAMES, len(channels)))
    with TemporaryDirectory() as folder:
        keras.Model(single, model(single)).export(folder, verbose=False)
        converter = tf.lite.TFLiteConverter.from_saved_model(folder)
        return _quantise(converter, representative, channels)


def _quantise(converter: tf.lite.TFLiteConverter, representative: Features, channels: Sequence[str]) -> bytes:
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = tf.int8
    converter.inference_output_type = tf.int8
    # The first clip spans the whole scale, so that a step of the input is a step of the stored features.
    scale = np.zeros((N_MELS, FRAMES), np.uint8)
    scale[0] = 255
    clips = [scale, *representative]
    converter.representative_dataset = lambda: ([stack(decibels(clip)[None], channels)] for clip in clips)
    return bytes(converter.convert())


class Int8Model:
    """A full-integer model, run clip by clip on one thread.

    Parameters
    ----------
    content : bytes
        The .tflite file.
    channels : sequence of str
        Its input channels, as for `stream.features.stack`.
    """

    def __init__(self, content: bytes, channels: Sequence[str] = ("mel",)) -> None:
        self._channels = tuple(channels)
        self._interpreter = Interpreter(model_content=content, num_threads=1)
        self._interpreter.allocate_tensors()
        self._input = self._interpreter.get_input_details()[0]
        self._output = self._interpreter.get_output_details()[0]

    def logits(self, features: Features) -> npt.NDArray[np.float32]:
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
        scale, zero = self._input["quantization"]
        out_scale, out_zero = self._output["quantization"]
        rows = []
        for clip in features:
            steps = np.round(stack(decibels(clip), self._channels) / scale + zero).clip(-128, 127).astype(np.int8)
            self._interpreter.set_tensor(self._input["index"], steps.reshape(self._input["shape"]))
            self._interpreter.invoke()
            raw = self._interpreter.get_tensor(self._output["index"])[0].astype(np.float32)
            rows.append((raw - out_zero) * out_scale)
        return np.array(rows, np.float32)
