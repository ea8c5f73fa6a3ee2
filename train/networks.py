"""The published network: three strided convolutions on a mel spectrogram of 129 x 129, then one dense layer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import keras

from stream.features import FRAMES, N_MELS, TOP_DB


@dataclass(frozen=True, slots=True)
class Convolution:
    """One row of the architecture's table; every convolution is unpadded and followed by a ReLU."""

    filters: int
    kernel: int
    stride: int


@dataclass(frozen=True, slots=True)
class Variant:
    """A published variant."""

    convolutions: tuple[Convolution, ...]
    batch_norm: bool
    dropout: float
    """Share of the last feature map that is dropped in training."""


_PUBLISHED: Final = (Convolution(16, 3, 2),) * 3

PLAIN: Final = Variant(_PUBLISHED, batch_norm=False, dropout=0.0)
"""The published network."""
REGULAR: Final = Variant(_PUBLISHED, batch_norm=True, dropout=0.3)
"""The published variant 2B, the same with batch normalization and dropout."""


def build(variant: Variant, outputs: int) -> keras.Model:
    """Build a network with freshly drawn weights.

    Parameters
    ----------
    variant : Variant
        Which one.
    outputs : int
        Number of labels.

    Returns
    -------
    keras.Model
        From features in dB, shape=(n, 129, 129, 1), -80 to 0, to logits, shape=(n, outputs): there is no softmax,
        because an int8 one, in steps of 1/256, could not be calibrated.
    """
    features = keras.Input((N_MELS, FRAMES, 1), name="features")
    x = keras.layers.Rescaling(1 / TOP_DB, offset=1.0)(features)  # 0 to 1
    for row in variant.convolutions:
        x = keras.layers.Conv2D(row.filters, row.kernel, row.stride, padding="valid", use_bias=True)(x)
        if variant.batch_norm:
            x = keras.layers.BatchNormalization(momentum=0.97)(x)
        x = keras.layers.ReLU()(x)
    x = keras.layers.Flatten()(x)
    if variant.dropout:
        x = keras.layers.Dropout(variant.dropout)(x)
    return keras.Model(features, keras.layers.Dense(outputs, name="logits")(x), name="published")
