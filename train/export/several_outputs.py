"""TFLite of a network with several outputs, in the forms that may ship: integers throughout, float, and between.

Each output's tensor has the name of the output, so that a bundle can say which is which.
"""

from __future__ import annotations

import warnings
from tempfile import TemporaryDirectory
from typing import Any, Final, Literal

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf
from tensorflow.lite.tools import flatbuffer_utils

from stream.system.stderr import quiet_stderr
from train.export import saved_model
from train.export.folding import fold
from train.export.int8 import OutputRange, output_range
from train.export.rounding import round_weights

Features = npt.NDArray[np.float32]

Form = Literal["int8", "dynamic", "float16", "float32"]
"""What is computed with: integers throughout; integers for weights and what they are multiplied with, float between;
float, with weights stored in 16 bits; float."""

OUTPUTS: Final = ("instruments", "tags", "embedding")
"""Outputs that a network may have, in the order in which they stand in the file."""
_ROUNDING_CLIPS: Final = 64
_BATCH: Final = 16


def convert(
    model: keras.Model, representative: Features | None = None, form: Form = "int8", *, rounding: bool = False
) -> bytes:
    """Make the .tflite of a network of `train.networks.efficient`.

    Parameters
    ----------
    model : keras.Model
        From features to a dict of outputs.
    representative : np.ndarray [shape=(n, 128, frames), dtype=float32], optional
        Windows of the training set that the ranges of the activations are measured on; int8 needs them.
    form : {"int8", "dynamic", "float16", "float32"}
        What is computed with.
    rounding : bool
        Whether int8 weights are rounded as `train.export.rounding` does, which takes minutes.

    Returns
    -------
    bytes
        The .tflite file, for one window at a time. Its input is named `features`, its outputs as those of the network.

    Raises
    ------
    ValueError
        When int8 is asked for without windows.
    """
    network = fold(model)
    measured = np.asarray([] if representative is None else representative, np.float32)[..., None]
    single = keras.Input(batch_shape=(1, *network.inputs[0].shape[1:]), name="features")
    outputs = network(single)
    with TemporaryDirectory() as folder, quiet_stderr(), warnings.catch_warnings():
        # The converter's, about itself, and about statistics that full-integer models take from their clips.
        warnings.simplefilter("ignore", DeprecationWarning)
        warnings.filterwarnings("ignore", "Statistics for quantized inputs were expected", UserWarning)
        if form == "int8":
            if not len(measured):
                raise ValueError("int8 needs windows to measure ranges on")
            batches = (measured[start : start + _BATCH] for start in range(0, len(measured), _BATCH))
            logits = np.concatenate([np.asarray(network(batch, training=False)["instruments"]) for batch in batches])
            if rounding:
                few = np.linspace(0, len(measured) - 1, min(len(measured), _ROUNDING_CLIPS)).astype(int)
                outputs = round_weights(network, measured[few])(single)
            outputs["instruments"] = OutputRange(*output_range(logits))(outputs["instruments"])
        saved_model.save(keras.Model(single, outputs, name="single"), folder)
        converter = tf.lite.TFLiteConverter.from_saved_model(folder)
        if form != "float32":
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
        if form == "float16":
            converter.target_spec.supported_types = [tf.float16]
        if form == "int8":
            converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
            converter.inference_input_type = tf.int8
            converter.inference_output_type = tf.int8
            converter.representative_dataset = lambda: ([window[None]] for window in measured)
        return _named(bytes(converter.convert()))


def _named(content: bytes) -> bytes:
    """Give input and outputs the names that the network has for them, and put the outputs in order."""
    model: Any = flatbuffer_utils.convert_bytearray_to_object(bytearray(content))
    (signature,) = model.signatureDefs
    (graph,) = model.subgraphs
    indices = {entry.name.decode(): entry.tensorIndex for entry in signature.outputs}
    for name, index in indices.items():
        graph.tensors[index].name = name.encode()
    graph.tensors[graph.inputs[0]].name = b"features"
    ordered = [indices[name] for name in OUTPUTS if name in indices]
    graph.outputs = np.array(ordered, np.int32)  # the type that the file has: another would be written as it lies
    return bytes(flatbuffer_utils.convert_object_to_bytearray(model))
