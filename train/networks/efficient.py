"""EfficientAT's MobileNetV3 of width 0.4, with a head for instruments, one for tags and one for an embedding.

The trunk is `mn04` of Schmid et al., 2022 ("Efficient Large-Scale Audio Tagging via Transformer-to-CNN Knowledge
Distillation", arXiv 2211.04772): a convolution, 15 inverted residual blocks (Howard et al., 2019), a last convolution
and the mean over the map. `train.networks.efficient_weights` loads published weights into it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import keras

from train.networks.normalization import BatchNormalization

BANDS: Final = 128
"""Mel bands of the input."""
EPSILON: Final = 0.001
"""Added to the variance by batch normalization."""
EMBEDDING: Final = 96
"""Numbers in the embedding."""

Tensor = Any  # a KerasTensor while a network is built; Keras ships no types


class Block(NamedTuple):
    """One inverted residual block."""

    expanded: int
    """Channels of the depthwise convolution; as many as come in where there is no expansion."""
    channels: int
    """Channels that go out."""
    kernel: int
    stride: int
    squeezed: int = 0
    """Channels in the middle of squeeze-and-excitation; 0 for none."""
    hard_swish: bool = False
    """Hard-swish in place of ReLU."""


@dataclass(frozen=True, slots=True)
class Efficient:
    """One network of the family."""

    name: str
    stem: int
    """Filters of the first convolution, 3 x 3."""
    blocks: tuple[Block, ...]
    last: int
    """Channels of the last convolution, 1 x 1, whose mean over the map the heads get."""
    hidden: int
    """Units between that mean and the tags, hard-swish; 0 for none."""
    hard_swish: bool = True
    """Hard-swish in place of ReLU after the first and the last convolution."""
    stem_stride: tuple[int, int] = (2, 2)
    """Of the first convolution, along bands and frames."""


MN04: Final = Efficient(
    "mn04",
    8,
    (
        Block(8, 8, 3, 1),
        Block(24, 16, 3, 2),
        Block(32, 16, 3, 1),
        Block(32, 16, 5, 2, 8),
        Block(48, 16, 5, 1, 16),
        Block(48, 16, 5, 1, 16),
        Block(96, 32, 3, 2, hard_swish=True),
        Block(80, 32, 3, 1, hard_swish=True),
        Block(72, 32, 3, 1, hard_swish=True),
        Block(72, 32, 3, 1, hard_swish=True),
        Block(192, 48, 3, 1, 48, hard_swish=True),
        Block(272, 48, 3, 1, 72, hard_swish=True),
        Block(272, 64, 5, 2, 72, hard_swish=True),
        Block(384, 64, 5, 1, 96, hard_swish=True),
        Block(384, 64, 5, 1, 96, hard_swish=True),
    ),
    384,
    512,
)
"""The published network of width 0.4."""

NARROW: Final = Efficient(
    "narrow",
    16,
    (
        Block(16, 12, 3, 2),
        Block(36, 12, 3, 1),
        Block(36, 16, 5, 2),
        Block(48, 16, 3, 1),
        Block(64, 24, 3, 2),
        Block(96, 24, 5, 1),
        Block(96, 32, 5, 2),
        Block(104, 32, 5, 1),
    ),
    96,
    0,
    hard_swish=False,
    stem_stride=(2, 4),
)
"""For a Pi Zero: a fifth of the multiply-adds and a tenth of the weights. Its first convolution keeps one frame of
four, each of three frames; ReLU alone, and no squeeze-and-excitation, for int8 kernels take both at a price."""


def build_efficient(
    labels: int,
    tags: int = 0,
    embedding: int = EMBEDDING,
    *,
    network: Efficient = MN04,
    frames: int | None = 292,
    dropout: float = 0.2,
    drop_path: float = 0.0,
    momentum: float = 0.99,
    hidden_instruments: bool = False,
) -> keras.Model:
    """Build a network with freshly drawn weights.

    Parameters
    ----------
    labels : int
        Number of instruments and other labels.
    tags : int
        Number of tags; 0 for no such output.
    embedding : int
        Numbers in the embedding; 0 for no such output.
    network : Efficient
        Which one.
    frames : int, optional
        Frames of the input; None for any number.
    dropout : float
        Share of the pooled channels, and of the hidden units, that is dropped in training.
    drop_path : float
        Share of the last block's branches beside the skip that is dropped in training; less in earlier blocks
        (stochastic depth of Huang et al., 2016).
    momentum : float
        How much of batch normalization's statistics every step of training keeps.
    hidden_instruments : bool
        Whether the instruments, too, are read off the hidden units; else a single dense layer reads them off the pooled
        channels, which can be fitted again in seconds.

    Returns
    -------
    keras.Model
        From features, shape=(n, 128, frames, 1), to a dict of instruments (logits, shape=(n, labels)), tags (logits,
        shape=(n, tags)) and embedding (shape=(n, embedding), not normalized). The layer "pooled" gives what all heads
        get, shape=(n, channels).
    """
    features = keras.Input((BANDS, frames, 1), name="features")
    pooled = trunk(features, network, momentum, drop_path)
    dropped = keras.layers.Dropout(dropout, name="dropout")(pooled)
    hidden = dropped
    if network.hidden and (tags or hidden_instruments):
        hidden = keras.layers.Dense(network.hidden, name="hidden")(dropped)
        hidden = keras.layers.Dropout(dropout, name="hidden_dropout")(HardSwish(name="hidden_hard_swish")(hidden))
    outputs = {"instruments": keras.layers.Dense(labels, name="instruments")(hidden if hidden_instruments else dropped)}
    if tags:
        outputs["tags"] = keras.layers.Dense(tags, name="tags")(hidden)
    if embedding:
        outputs["embedding"] = keras.layers.Dense(embedding, name="embedding")(pooled)
    return keras.Model(features, outputs, name=network.name)


def trunk(features: Tensor, network: Efficient = MN04, momentum: float = 0.99, drop_path: float = 0.0) -> Tensor:
    """Lay the network's layers up to the mean over the map; the input's frames may be any number.

    Parameters
    ----------
    features : KerasTensor [shape=(n, 128, frames, 1)]
        The input.
    network : Efficient
        Which one.
    momentum, drop_path : float
        As in `build_efficient`.

    Returns
    -------
    KerasTensor [shape=(n, network.last)]
        The pooled channels.
    """
    x = _convolved(features, "stem", network.stem, 3, network.stem_stride, momentum)
    x = _activated(x, "stem", network.hard_swish)
    for number, block in enumerate(network.blocks, 1):
        x = _inverted_residual(x, f"block{number}", block, momentum, drop_path * number / len(network.blocks))
    x = _activated(_convolved(x, "last", network.last, 1, 1, momentum), "last", network.hard_swish)
    return keras.layers.GlobalAveragePooling2D(name="pooled")(x)


@keras.saving.register_keras_serializable("soloist")
class HardSwish(keras.layers.Layer):  # type: ignore[misc]  # Keras ships no types
    """Hard-swish, x * relu6(x + 3) / 6."""

    def call(self, inputs: Tensor) -> Tensor:
        """Bend the inputs, which may have any shape."""
        return keras.activations.hard_silu(inputs)


def _inverted_residual(x: Tensor, name: str, block: Block, momentum: float, drop_path: float) -> Tensor:
    start = x
    if block.expanded != x.shape[-1]:
        x = _convolved(x, f"{name}_expand", block.expanded, 1, 1, momentum)
        x = _activated(x, f"{name}_expand", block.hard_swish)
    x = _padded(x, f"{name}_depthwise", block.kernel, block.stride)
    x = keras.layers.DepthwiseConv2D(
        block.kernel, block.stride, _padding(block.stride), use_bias=False, name=f"{name}_depthwise"
    )(x)
    x = BatchNormalization(momentum=momentum, epsilon=EPSILON, name=f"{name}_depthwise_norm")(x)
    x = _activated(x, f"{name}_depthwise", block.hard_swish)
    if block.squeezed:
        mean = keras.layers.GlobalAveragePooling2D(keepdims=True, name=f"{name}_mean")(x)
        share = keras.layers.Dense(block.squeezed, activation="relu", name=f"{name}_squeeze")(mean)
        share = keras.layers.Dense(block.expanded, activation="sigmoid", name=f"{name}_excite")(share)
        x = keras.layers.Multiply(name=f"{name}_scale")([x, share])
    x = _convolved(x, f"{name}_project", block.channels, 1, 1, momentum)
    if block.stride == 1 and block.channels == start.shape[-1]:
        if drop_path:
            x = keras.layers.Dropout(drop_path, noise_shape=(None, 1, 1, 1), name=f"{name}_drop_path")(x)
        x = keras.layers.Add(name=f"{name}_add")([start, x])
    return x


def _convolved(
    x: Tensor, name: str, filters: int, kernel: int, stride: int | tuple[int, int], momentum: float
) -> Tensor:
    x = _padded(x, name, kernel, stride)
    x = keras.layers.Conv2D(filters, kernel, stride, _padding(stride), use_bias=False, name=name)(x)
    return BatchNormalization(momentum=momentum, epsilon=EPSILON, name=f"{name}_norm")(x)


def _padded(x: Tensor, name: str, kernel: int, stride: int | tuple[int, int]) -> Tensor:
    """Pad evenly on both sides, as the published network does; TensorFlow pads after the end of an even map first."""
    if stride == 1:
        return x
    return keras.layers.ZeroPadding2D(kernel // 2, name=f"{name}_padding")(x)


def _padding(stride: int | tuple[int, int]) -> str:
    return "same" if stride == 1 else "valid"


def _activated(x: Tensor, name: str, hard_swish: bool) -> Tensor:
    if hard_swish:
        return HardSwish(name=f"{name}_hard_swish")(x)
    return keras.layers.ReLU(name=f"{name}_relu")(x)
