"""The networks by name: the residual family, and the published ones.

A published network is two or three strided convolutions on a mel spectrogram of 129 x 129, then one dense layer. The
study calls its variants 0a, 1, 2, 2B and 3. They are one architecture with another number of layers, filters and
regularisers, so a table and one loop make them all.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Literal

import keras

from stream.recognition.mel import FRAMES, N_MELS, TOP_DB
from train.networks import residual
from train.networks.normalization import BatchNormalization
from train.networks.residual import RESIDUALS, Residual

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


Network = Variant | Residual

NETWORKS: Final[dict[str, Network]] = {**VARIANTS, **RESIDUALS}
"""All networks by name."""


def recall(record: dict[str, Any]) -> Network:
    """Make the network again that `dataclasses.asdict` wrote down, also by way of json."""
    if "stages" in record:
        return Residual(**{**record, "stages": tuple((wide, blocks) for wide, blocks in record["stages"])})
    return Variant(**record)


def build(variant: Network, outputs: int, channels: int = 1, momentum: float = 0.97) -> keras.Model:
    """Build a network with freshly drawn weights.

    Parameters
    ----------
    variant : Variant or Residual
        Which one.
    outputs : int
        Number of labels.
    channels : int
        Number of input channels: the mel, and what is stacked on it.
    momentum : float
        How much of batch normalization's statistics every step of training keeps.

    Returns
    -------
    keras.Model
        From features in dB, shape=(n, 129, 129, channels), -80 to 0, to logits, shape=(n, outputs): there is no
        softmax, because an int8 one, in steps of 1/256, could not be calibrated.
    """
    if isinstance(variant, Residual):
        return residual.build(variant, outputs, channels, momentum)
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
