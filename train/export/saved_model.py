"""The form in which TFLite's converter reads a network."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf


def save(model: keras.Model, folder: str) -> None:
    """Write a network of one input as a SavedModel that can be converted; Keras's own export takes three times as long.

    Parameters
    ----------
    model : keras.Model
    folder : str
    """
    (features,) = model.inputs
    given = tf.TensorSpec(features.shape, features.dtype, name=features.name)

    @tf.function(input_signature=[given], autograph=False)  # type: ignore[untyped-decorator]
    def serve(values: tf.Tensor) -> Any:
        return model(values, training=False)

    module = tf.Module()
    module.weights = [variable.value for variable in model.variables]
    module.serve = serve
    tf.saved_model.save(module, folder, signatures={"serving_default": serve})
