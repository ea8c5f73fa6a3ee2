"""Residual networks: what wins over the published ones at the cost that a Raspberry Pi can pay."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final, Literal

import keras

from stream.recognition.mel import FRAMES, N_MELS, TOP_DB
from train.networks.normalization import BatchNormalization

Pooling = Literal["weighted", "average", "frequency"]


@dataclass(frozen=True, slots=True)
class Residual:
    """One network of the family.

    A strided convolution, then stages of convolutions of 3 x 3, each stage halving the map with its first one and
    adding the others to what they get (He et al., 2016). They are ordinary ones or depthwise-separable ones (Howard et
    al., 2017).
    """

    name: str
    stem: int
    """Filters of the first convolution, 5 x 5."""
    stages: tuple[tuple[int, int], ...]
    """Channels, and number of convolutions."""
    dropout: float
    """Share of the last channels that is dropped in training."""
    separable: bool = False
    """Whether the stages' convolutions are depthwise-separable."""
    pooling: Pooling = "weighted"
    """How the last map is summed up.

    - weighted: every channel over all bands and moments with weights that are learned (the global depthwise
      convolution of Chen et al., 2018), so that low may count for more than high, and new for more than old;
    - average: every channel over all bands and moments;
    - frequency: every channel and band over all moments.
    """

    @property
    def described(self) -> str:
        """The network in words."""
        kind = "depthwise-separable" if self.separable else "convolutional"
        stages = ", ".join(f"{blocks} of {channels}" for channels, blocks in self.stages)
        pooling = {
            "weighted": "a global depthwise convolution",
            "average": "the average over the map",
            "frequency": "the average over time",
        }[self.pooling]
        return (
            f"a convolution of {self.stem} filters, {kind} residual stages ({stages} channels), "
            f"{pooling}, dropout {self.dropout:g}, ReLU"
        )


_LEAD: Final = Residual("lead", 16, ((32, 2), (64, 2), (96, 2)), 0.2)

RESIDUALS: Final = {
    network.name: network
    for network in (
        _LEAD,
        replace(_LEAD, name="lead-average", pooling="average"),
        replace(_LEAD, name="lead-frequency", pooling="frequency"),
        Residual("lead-separable", 24, ((48, 2), (96, 3), (160, 5), (192, 1)), 0.2, separable=True),
        Residual("small", 8, ((16, 2), (24, 2), (32, 2)), 0.1),
    )
}
"""The family by name."""


def build_residual(network: Residual, outputs: int, channels: int = 1, momentum: float = 0.97) -> keras.Model:
    """Build a network with freshly drawn weights; see `train.networks.architectures.build_network`."""
    features = keras.Input((N_MELS, FRAMES, channels), name="features")
    x = keras.layers.Rescaling(1 / TOP_DB, offset=1.0)(features)  # 0 to 1
    x = _normalized_relu(keras.layers.Conv2D(network.stem, 5, strides=2, padding="same", use_bias=False)(x), momentum)
    convolve = _separable if network.separable else _convolution
    for wide, blocks in network.stages:
        x = keras.layers.Activation("relu")(convolve(x, wide, 2, momentum))
        for _ in range(blocks - 1):
            x = keras.layers.Activation("relu")(keras.layers.Add()([x, convolve(x, wide, 1, momentum)]))
    if network.pooling == "weighted":
        x = BatchNormalization(momentum=momentum)(keras.layers.DepthwiseConv2D(x.shape[1:3], use_bias=False)(x))
    else:
        x = keras.layers.AveragePooling2D(x.shape[1:3] if network.pooling == "average" else (1, x.shape[2]))(x)
    x = keras.layers.Dropout(network.dropout)(keras.layers.Flatten()(x))
    return keras.Model(features, keras.layers.Dense(outputs, name="logits")(x), name=network.name)


def _separable(x: keras.KerasTensor, wide: int, stride: int, momentum: float) -> keras.KerasTensor:
    x = _normalized_relu(keras.layers.DepthwiseConv2D(3, strides=stride, padding="same", use_bias=False)(x), momentum)
    return BatchNormalization(momentum=momentum)(keras.layers.Conv2D(wide, 1, use_bias=False)(x))


def _convolution(x: keras.KerasTensor, wide: int, stride: int, momentum: float) -> keras.KerasTensor:
    x = keras.layers.Conv2D(wide, 3, strides=stride, padding="same", use_bias=False)(x)
    return BatchNormalization(momentum=momentum)(x)


def _normalized_relu(x: keras.KerasTensor, momentum: float) -> keras.KerasTensor:
    return keras.layers.Activation("relu")(BatchNormalization(momentum=momentum)(x))
