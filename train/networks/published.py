"""The published networks: a table, and one loop that builds them all.

A published network is two or three strided convolutions on a mel spectrogram of 129 x 129, then one dense layer. The
study calls its variants 0a, 1, 2, 2B and 3. They are one architecture with another number of layers, filters and
regularisers.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

import keras

from stream.recognition.mel import FRAMES, N_MELS, TOP_DB
from train.networks.normalization import BatchNormalization

Activation = Literal["relu", "tanh", "mixed"]


@dataclass(frozen=True, slots=True)
class Variant:
    """One row of the table. Every convolution has a stride of 2 x 2 and no padding."""

    name: str
    layers: int
    """Convolutions."""
    filters: int
    """Of each convolution."""
    kernel: int
    """Height and width of each convolution."""
    batch_norm: bool
    dropout: float
    """Share of the last feature map that is dropped in training."""
    activation: Activation
    """After each convolution; mixed is tanh after the first and ReLU after the others."""

    @property
    def described(self) -> str:
        """The row in words."""
        parts = [f"{self.layers} convolutions of {self.filters} filters, {self.kernel} x {self.kernel}, stride 2"]
        parts += ["batch normalization"] * self.batch_norm
        parts += [f"dropout {self.dropout:g}"] * bool(self.dropout)
        parts += [{"relu": "ReLU", "tanh": "tanh", "mixed": "tanh, then ReLU"}[self.activation]]
        return ", ".join(parts)


VARIANTS: Final = {
    variant.name: variant
    for variant in (
        Variant("0a", 2, 16, 3, batch_norm=False, dropout=0.0, activation="relu"),
        Variant("0a-tanh", 2, 16, 3, batch_norm=False, dropout=0.0, activation="tanh"),
        Variant("1", 2, 16, 3, batch_norm=True, dropout=0.0, activation="relu"),
        Variant("2", 3, 16, 3, batch_norm=False, dropout=0.0, activation="relu"),
        Variant("2-tanh", 3, 16, 3, batch_norm=False, dropout=0.0, activation="tanh"),
        Variant("2-mixed", 3, 16, 3, batch_norm=False, dropout=0.0, activation="mixed"),
        Variant("2B", 3, 16, 3, batch_norm=True, dropout=0.3, activation="relu"),
        Variant("3", 3, 25, 3, batch_norm=False, dropout=0.0, activation="relu"),
        Variant("3-5x5", 3, 25, 5, batch_norm=False, dropout=0.0, activation="relu"),
    )
}
"""The study's rows by name."""


def build_published(variant: Variant, outputs: int, channels: int = 1, momentum: float = 0.97) -> keras.Model:
    """Build a network with freshly drawn weights; see `train.networks.architectures.build_network`."""
    features = keras.Input((N_MELS, FRAMES, channels), name="features")
    x = keras.layers.Rescaling(1 / TOP_DB, offset=1.0)(features)  # 0 to 1
    for layer in range(variant.layers):
        x = keras.layers.Conv2D(variant.filters, variant.kernel, strides=2, padding="valid")(x)
        if variant.batch_norm:
            x = BatchNormalization(momentum=momentum)(x)
        bent = variant.activation == "tanh" or (variant.activation == "mixed" and layer == 0)
        x = keras.layers.Activation("tanh" if bent else "relu")(x)
    x = keras.layers.Flatten()(x)
    if variant.dropout:
        x = keras.layers.Dropout(variant.dropout)(x)
    return keras.Model(features, keras.layers.Dense(outputs, name="logits")(x), name=f"variant-{variant.name}")
