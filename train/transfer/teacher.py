"""What the untouched network says of windows: the tags that a network trained further is to keep."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any, Final

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from stream.errors import SourceError
from stream.recognition.mel_128 import FRAMES
from train.networks.efficient_weights import build_pretrained
from train.transfer.window_store import WindowStore

Array = npt.NDArray[np.float32]

_CLASSES: Final = "audioset_labels.txt"
_BATCH: Final = 64


def read_classes(pretrained: Path) -> tuple[str, ...]:
    """Read the names of a pretrained network's classes, in their order, from the file beside it.

    Raises
    ------
    SourceError
        When it cannot be read.
    """
    path = pretrained.with_name(_CLASSES)
    try:
        return tuple(line for line in path.read_text(encoding="utf-8").splitlines() if line)
    except (OSError, UnicodeError) as error:
        raise SourceError(f"cannot read the names of the pretrained network's classes, {path}: {error}") from error


def teach(pretrained: Path, store: WindowStore, cache: Path) -> npt.NDArray[np.float16]:
    """Compute what a pretrained network says of all windows of a store, or read what was computed before.

    Parameters
    ----------
    pretrained : Path
        The .npz file of its weights.
    store : WindowStore
        Windows.
    cache : Path
        Folder to keep it in.

    Returns
    -------
    np.ndarray [shape=(n, classes), dtype=float16]
        Before the sigmoid.

    Raises
    ------
    ConfigError
        When the weights cannot be read.
    """
    weights = hashlib.sha256(pretrained.read_bytes()).hexdigest() if pretrained.is_file() else ""
    key = hashlib.sha256(f"{weights} {store.digest}".encode()).hexdigest()[:16]
    path = cache / f"teacher-{key}.npy"
    if path.exists():
        return np.asarray(np.load(path), np.float16)
    model = build_pretrained(pretrained, FRAMES)
    said = outputs(keras.Model(model.inputs[0], model.output["logits"]), store).astype(np.float16)
    part = path.with_name(f".{path.stem}.part.npy")
    np.save(part, said)
    part.replace(path)
    return said


def outputs(model: keras.Model, store: WindowStore) -> Array:
    """Run a network of one output on all windows of a store."""
    run: Any = tf.function(lambda features: model(features, training=False), reduce_retracing=True)
    batches = (store.read(np.arange(start, min(start + _BATCH, len(store)))) for start in range(0, len(store), _BATCH))
    return np.concatenate([np.asarray(run(tf.constant(batch[..., None]))) for batch in batches])
