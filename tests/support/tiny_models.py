"""Tiny models of format 2, which know the demo by heart: ``python -m tests.support.tiny_models`` makes them.

Each averages its features over tiles, and has 31 labels, four tags and an embedding of 64 numbers, all of them linear
in these averages. What plays in the demo it calls by its name, but for the saxophone, which is to it another one than
the tenor's, and the drums: both are outside its line-up. The tests load what lies in `tests/recognition/models`, so
that they need no TensorFlow.
"""

from __future__ import annotations

import hashlib
import json
from importlib import resources
from pathlib import Path
from typing import Any, Final

import numpy as np

from stream.bench.demo_audio import demo_audio
from stream.recognition.front_end import FrontEndKind, find
from stream.recognition.mel import SAMPLE_RATE, WINDOW
from train.datasets.labels import ALL_LABELS, INSTRUMENTS

FOLDER: Final = Path(__file__).parents[1] / "recognition" / "models"
TAGS: Final = ("Jazz", "Rock music", "Classical music", "Sad music")
PLAYS: Final = {"unknown": "drums", "tenor saxophone": "other saxophone"}
"""What the models call what the demo's score calls otherwise."""
EMBEDDING: Final = 64
_TILES: Final = 8  # along either side of the features
_SHARPNESS: Final = 12.0  # of the logits, whose targets are 0 and 1


def write(name: str, kind: FrontEndKind, quantized: bool) -> None:
    """Make a model, and write it and its json."""
    features, targets = _windows(kind)
    content, outputs = _convert(features, _weights(features, targets, kind), kind, quantized)
    info: dict[str, Any] = {
        "format": 2,
        "name": name,
        "task": "the demo, by heart",
        "labels": ALL_LABELS,
        "features": {"front_end": kind.name, **kind.parameters},
        "outputs": outputs,
        "tags": TAGS,
        "lineup": INSTRUMENTS,
        "calibration": {"temperature": 1.0, "threshold": dict.fromkeys(ALL_LABELS, 0.4), "known": 0.5},
        "sha256": hashlib.sha256(content).hexdigest(),
        "training": {"data_set": "the demo", "command": "python -m tests.support.tiny_models"},
    }
    FOLDER.mkdir(exist_ok=True)
    (FOLDER / f"{name}.tflite").write_bytes(content)
    (FOLDER / f"{name}.json").write_text(json.dumps(info, indent=1) + "\n")


def _windows(kind: FrontEndKind) -> tuple[np.ndarray, np.ndarray]:
    """Features of windows all over the demo, and which label each has."""
    audio = demo_audio()
    score = json.loads((resources.files("stream") / "demo.json").read_text(encoding="utf-8"))["segments"]
    found, targets = [], []
    for part in score:
        label = PLAYS.get(part["label"], part["label"])
        if label not in ALL_LABELS:
            continue
        first, last = (round(part[side] * SAMPLE_RATE) for side in ("start", "end"))
        for end in range(max(WINDOW, first + WINDOW // 2), last + 1, 2048):
            found.append(kind.make().features(audio[end - WINDOW : end], end))
            targets.append(ALL_LABELS.index(label))
    return np.array(found), np.array(targets)


def _tile(kind: FrontEndKind) -> tuple[int, int]:
    bands, frames = kind.shape
    return bands // _TILES, frames // _TILES


def _weights(features: np.ndarray, targets: np.ndarray, kind: FrontEndKind) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Fit each output by least squares to the averages: its kernel and bias."""
    high, wide = _tile(kind)
    tiles = features[:, : _TILES * high, : _TILES * wide].reshape(len(features), _TILES, high, _TILES, wide)
    means = tiles.mean(axis=(2, 4)).reshape(len(features), -1)
    centre, spread = means.mean(axis=0), means.std()
    seen = (means - centre) / spread
    heard = np.eye(len(ALL_LABELS))[targets]
    rng = np.random.default_rng(0)
    gram = seen.T @ seen + 0.01 * len(seen) * np.eye(seen.shape[1])
    fitted = np.linalg.solve(gram, seen.T @ (heard - heard.mean(axis=0)))
    wanted = {
        "instruments": (_SHARPNESS * fitted, _SHARPNESS * heard.mean(axis=0)),
        "tags": (rng.normal(size=(seen.shape[1], len(TAGS))) / 4, np.zeros(len(TAGS))),
        "embedding": (rng.normal(size=(seen.shape[1], EMBEDDING)), np.zeros(EMBEDDING)),
    }
    return {name: (kernel / spread, bias - centre @ kernel / spread) for name, (kernel, bias) in wanted.items()}


def _convert(
    features: np.ndarray, weights: dict[str, tuple[np.ndarray, np.ndarray]], kind: FrontEndKind, quantized: bool
) -> tuple[bytes, dict[str, str]]:
    """Make a .tflite, and find out what its outputs are called."""
    import keras
    import tensorflow as tf
    from ai_edge_litert.interpreter import Interpreter

    seen = keras.Input((*kind.shape, 1), batch_size=1)
    means = keras.layers.Flatten()(keras.layers.AveragePooling2D(_tile(kind))(seen))
    outputs = {name: keras.layers.Dense(bias.size, name=name)(means) for name, (_, bias) in weights.items()}
    model = keras.Model(seen, outputs)
    for name, values in weights.items():
        model.get_layer(name).set_weights(list(values))
    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    if quantized:
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.representative_dataset = lambda: ([window[None, ..., None]] for window in features)
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.inference_input_type = converter.inference_output_type = tf.int8
    content = converter.convert()
    interpreter = Interpreter(model_content=content)
    interpreter.allocate_tensors()
    sizes = {int(it["shape"][-1]): it["name"] for it in interpreter.get_output_details()}
    return content, {name: sizes[bias.size] for name, (_, bias) in weights.items()}


if __name__ == "__main__":
    write("tiny-129", find("mel-129"), quantized=True)
    write("tiny-128", find("mel-128"), quantized=False)
