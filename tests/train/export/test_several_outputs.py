"""A network with several outputs, exported: folded, quantized, named, and loaded as the service does."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("tensorflow", reason="needs the train extra")

import keras
from ai_edge_litert.interpreter import Interpreter

from stream.errors import ConfigError
from stream.recognition.classifier import Classifier
from tests.support.tensorflow_warnings import ignore_tensorflow_warnings
from train.datasets.labels import ALL_LABELS, INSTRUMENTS
from train.export.folding import fold
from train.export.format_two import output_names, write_format_two
from train.export.provenance import Provenance
from train.export.several_outputs import convert
from train.networks.efficient import Block, Efficient, build_efficient
from train.transfer.acceptance import Acceptance

# One process for all: the network is converted once.
pytestmark = [ignore_tensorflow_warnings, pytest.mark.xdist_group("several outputs")]

TINY = Efficient("tiny", 4, (Block(4, 4, 3, 1), Block(8, 8, 3, 2, 4), Block(12, 8, 5, 1, 4, hard_swish=True)), 16, 8)
"""With all that folding has to know: a skip around hard-swish, squeeze-and-excitation, a hidden layer."""
TAGS = ("Jazz", "Sad music")
RULE = Acceptance(1.2, dict.fromkeys(ALL_LABELS, 0.4), 0.5)


@pytest.fixture(scope="module")
def network() -> keras.Model:
    """The tiny network, with statistics as training leaves them."""
    keras.utils.set_random_seed(1)
    model = build_efficient(len(ALL_LABELS), len(TAGS), 64, network=TINY)
    rng = np.random.default_rng(1)
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            for variable, (low, high) in zip(layer.weights, ((0.5, 2), (-1, 1), (-0.5, 0.5), (0.1, 1)), strict=True):
                variable.assign(rng.uniform(low, high, variable.shape))
    return model


@pytest.fixture(scope="module")
def windows() -> np.ndarray:
    """Windows of features, loud and quiet."""
    rng = np.random.default_rng(2)
    return (rng.normal(size=(12, 128, 292)) * rng.uniform(0.2, 1.5, (12, 1, 1))).astype(np.float32)


@pytest.fixture(scope="module")
def int8(network: keras.Model, windows: np.ndarray) -> bytes:
    """The integer form."""
    return convert(network, windows)


def test_folded_network_gives_the_same_outputs(network: keras.Model, windows: np.ndarray) -> None:
    """Nothing but rounding of floats is between a network and its folded copy, which has no normalization left."""
    folded = fold(network)
    exact, copied = (model(windows[:2, ..., None], training=False) for model in (network, folded))
    for name in ("instruments", "tags", "embedding"):
        np.testing.assert_allclose(copied[name], exact[name], rtol=1e-4, atol=1e-4)
    assert not any(isinstance(layer, keras.layers.BatchNormalization) for layer in folded.layers)


def test_integers_come_close_to_floats(network: keras.Model, windows: np.ndarray, int8: bytes) -> None:
    """All outputs are int8, under their names, in one piece for the kernels, and near those of the network."""
    interpreter = Interpreter(model_content=int8, num_threads=1)
    interpreter.allocate_tensors()
    assert output_names(int8) == ["instruments", "tags", "embedding"]
    (given,) = interpreter.get_input_details()
    scale, zero = given["quantization"]
    exact = network(windows[..., None], training=False)
    for output in interpreter.get_output_details():
        assert output["dtype"] == np.int8
        steps = []
        for window in windows:
            quantized = np.clip(np.rint(window / scale) + zero, -128, 127).astype(np.int8)
            interpreter.set_tensor(given["index"], quantized[None, ..., None])
            interpreter.invoke()
            steps.append(interpreter.get_tensor(output["index"])[0])
        step, middle = output["quantization"]
        found = (np.array(steps, np.float32) - middle) * step
        wanted = np.asarray(exact[output["name"]])
        assert np.corrcoef(found.ravel(), wanted.ravel())[0, 1] > 0.97
    names = [it["op_name"] for it in interpreter._get_ops_details()]
    assert names.count("DELEGATE") == 1
    assert "HARD_SWISH" not in names


def test_bundle_of_several_outputs_is_served(
    network: keras.Model, windows: np.ndarray, int8: bytes, tmp_path: Path
) -> None:
    """What is written is loaded - outputs by name, line-up, tags, thresholds - with the network's probabilities."""
    provenance = Provenance("tones", "d1ce", (), 0, "soloist train")
    bundle = write_format_two(tmp_path, "tiny", int8, RULE, provenance, {}, tags=TAGS, more={"notice": "MIT"})
    assert bundle.outputs is not None
    assert dict(bundle.outputs.named()) == {"instruments": "instruments", "tags": "tags", "embedding": "embedding"}
    assert (bundle.lineup, bundle.labels, bundle.known) == (INSTRUMENTS, ALL_LABELS, 0.5)
    assert bundle.info["tags"] == list(TAGS)
    assert bundle.info["notice"] == "MIT"
    logits = np.asarray(network(windows[:1, ..., None], training=False)["instruments"], np.float64)[0] / 1.2
    wanted = np.exp(logits - logits.max())
    found = Classifier(bundle).infer(windows[0]).probabilities
    assert np.abs(found[: len(ALL_LABELS)] - wanted / wanted.sum()).max() < 0.1


def test_bundles_that_lack_something_are_not_written(int8: bytes, tmp_path: Path) -> None:
    """A label without a threshold, and an output whose tags have no names, are told before anything is written."""
    provenance = Provenance("tones", "", (), 0, "")
    few = Acceptance(1.0, dict.fromkeys(ALL_LABELS[1:], 0.4), 0.5)
    with pytest.raises(ConfigError, match=f"differ by {ALL_LABELS[0]}"):
        write_format_two(tmp_path, "x", int8, few, provenance, {}, tags=TAGS)
    with pytest.raises(ConfigError, match="0 tags are named"):
        write_format_two(tmp_path, "x", int8, RULE, provenance, {})
    assert not any(tmp_path.iterdir())


def test_integers_need_windows(network: keras.Model) -> None:
    """Ranges are measured, not guessed."""
    with pytest.raises(ValueError, match="needs windows"):
        convert(network)
