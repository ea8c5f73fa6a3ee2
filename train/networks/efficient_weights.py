"""Published weights for `train.networks.efficient`: EfficientAT's, in an .npz, by the names they have there.

They are a starting point for training. The MIT licence of EfficientAT (Florian Schmid, github.com/fschmid56) goes with
what comes of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import keras
import numpy as np
import numpy.typing as npt

from stream.errors import ConfigError
from train.networks.efficient import BANDS, MN04, HardSwish, trunk
from train.networks.tags import TAGS

Values = npt.NDArray[np.float32]

CLASS_FILE: Final = "audioset_labels.txt"
"""Beside the weights: the names of the published network's classes, one a line."""

_NORM: Final = ("weight", "bias", "running_mean", "running_var")
_HIDDEN: Final = "classifier.2"
_CLASSES: Final = "classifier.5"


def load_pretrained(
    model: keras.Model, path: Path, classes: Sequence[str] | None = None, tags: Sequence[str] = TAGS
) -> None:
    """Assign published weights to a network: the trunk, and where it has them the hidden units and the tags.

    The heads for instruments and embedding stay as they were drawn.

    Parameters
    ----------
    model : keras.Model
        Of `train.networks.efficient.build_efficient`, in the published size.
    path : Path
        The .npz file.
    classes : sequence of str, optional
        Names of the published network's classes, in their order; by default the lines of ``audioset_labels.txt`` beside
        the file.
    tags : sequence of str
        Which of them the network's output `tags` gives, in its order.

    Raises
    ------
    ConfigError
        When a file cannot be read, lacks a weight, has one of another shape, or a tag is none of the classes.
    """
    weights = read_weights(path)
    for layer in model.layers:
        if layer.name.startswith(("stem", "block", "last")) and layer.weights:
            _assign(layer, _published(layer.name), weights)
        elif layer.name == "hidden":
            _assign(layer, _HIDDEN, weights)
        elif layer.name == "tags":
            names = list(classes) if classes is not None else read_classes(path.with_name(CLASS_FILE))
            missing = [tag for tag in tags if tag not in names]
            if missing:
                raise ConfigError(f"no class of the pretrained network is named {', '.join(missing)}")
            rows = [names.index(tag) for tag in tags]
            chosen = {f"{_CLASSES}.{part}": weights[f"{_CLASSES}.{part}"][rows] for part in ("weight", "bias")}
            _assign(layer, _CLASSES, chosen)


def build_pretrained(path: Path, frames: int | None = None) -> keras.Model:
    """Build the published network as it is, with all its classes.

    Parameters
    ----------
    path : Path
        The .npz file.
    frames : int, optional
        Frames of the input; None for any number.

    Returns
    -------
    keras.Model
        From features, shape=(n, 128, frames, 1), to a dict of pooled, shape=(n, 384), and logits, shape=(n, classes).

    Raises
    ------
    ConfigError
        As `load_pretrained`.
    """
    weights = read_weights(path)
    if f"{_CLASSES}.bias" not in weights:
        raise ConfigError(f"{path} has no {_CLASSES}.bias; expected EfficientAT's mn04_as")
    features = keras.Input((BANDS, frames, 1), name="features")
    pooled = trunk(features)
    hidden = HardSwish(name="hidden_hard_swish")(keras.layers.Dense(MN04.hidden, name="hidden")(pooled))
    logits = keras.layers.Dense(len(weights[f"{_CLASSES}.bias"]), name="classes")(hidden)
    model = keras.Model(features, {"pooled": pooled, "logits": logits}, name="mn04_as")
    load_pretrained(model, path)
    _assign(model.get_layer("classes"), _CLASSES, weights)
    return model


def read_weights(path: Path) -> dict[str, Values]:
    """Read an .npz of arrays by name.

    Raises
    ------
    ConfigError
        When it cannot be read.
    """
    try:
        with np.load(path, allow_pickle=False) as archive:
            return {name: np.asarray(archive[name], np.float32) for name in archive.files}
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise ConfigError(f"cannot read the pretrained weights {path}: {error}") from error


def read_classes(path: Path) -> list[str]:
    """Read the names of the published network's classes.

    Raises
    ------
    ConfigError
        When the file cannot be read.
    """
    try:
        return path.read_text("utf-8").splitlines()
    except (OSError, ValueError) as error:
        raise ConfigError(f"cannot read the names of the pretrained network's classes, {path}: {error}") from error


def _published(name: str) -> str:
    """Find the name that a layer's weights were published under.

    A block's layers are numbered one after the other, so that what follows an expansion or a squeeze counts on.
    """
    part = name.removesuffix("_norm")
    number = 1 if part != name else 0
    if part in ("stem", "last"):
        return f"features.{0 if part == 'stem' else len(MN04.blocks) + 1}.{number}"
    block, _, kind = part.removeprefix("block").partition("_")
    index = int(block)
    expansion = index > 1
    if kind in ("squeeze", "excite"):
        return f"features.{index}.block.{1 + expansion}.conc_se_layers.0.fc{1 + (kind == 'excite')}"
    place = {
        "expand": 0,
        "depthwise": int(expansion),
        "project": expansion + 1 + (MN04.blocks[index - 1].squeezed > 0),
    }[kind]
    return f"features.{index}.block.{place}.{number}"


def _assign(layer: keras.Layer, published: str, weights: Mapping[str, Values]) -> None:
    """Give a layer its published weights, in the arrangement that Keras has."""
    normalization = isinstance(layer, keras.layers.BatchNormalization)
    parts = _NORM if normalization else _NORM[: 1 + layer.use_bias]
    missing = [f"{published}.{part}" for part in parts if f"{published}.{part}" not in weights]
    if missing:
        raise ConfigError(f"the pretrained weights lack {', '.join(missing)}")
    values = [weights[f"{published}.{part}"] for part in parts]
    if isinstance(layer, keras.layers.DepthwiseConv2D):
        values[0] = values[0].transpose(2, 3, 0, 1)  # from [filters, 1, height, width]
    elif isinstance(layer, keras.layers.Conv2D):
        values[0] = values[0].transpose(2, 3, 1, 0)
    elif not normalization:
        values[0] = values[0].T
    for variable, value in zip(layer.weights, values, strict=True):
        if variable.shape != value.shape:
            raise ConfigError(f"{published} has shape {value.shape}; expected {tuple(variable.shape)} for {layer.name}")
        variable.assign(value)
