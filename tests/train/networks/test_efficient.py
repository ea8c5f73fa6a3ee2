"""The pretrained network, rebuilt: its published outputs, and the heads that stand on it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("tensorflow", reason="needs the train extra")

import keras

from stream.errors import ConfigError
from train.networks.efficient import NARROW, build_efficient
from train.networks.efficient_weights import build_pretrained, load_pretrained, read_classes, read_weights
from train.networks.tags import TAGS

# Keras warns about numpy when it loads.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:keras.*")

WEIGHTS = Path(__file__).parents[3] / "../shared/pretrained/mn04_as.npz"


@pytest.fixture(scope="module")
def model() -> keras.Model:
    """The network with its heads, freshly drawn."""
    return build_efficient(31, len(TAGS))


@pytest.fixture(scope="module")
def weights() -> Path:
    """The published weights."""
    if not WEIGHTS.exists():
        pytest.skip("needs the pretrained weights in ../shared/pretrained")
    return WEIGHTS


def test_rebuilt_network_gives_the_published_outputs(weights: Path, model: keras.Model) -> None:
    """Mean over the map and logits are those computed elsewhere, and the heads' tags are rows of the logits."""
    check = np.load(weights.with_name("mn04_check.npz"))
    published = build_pretrained(weights)
    outputs = published(check["mel"][None, ..., None], training=False)
    for name in ("pooled", "logits"):
        np.testing.assert_allclose(np.asarray(outputs[name])[0], check[name], rtol=0, atol=1e-4)
    load_pretrained(model, weights)
    trunk = sum(layer.count_params() for layer in model.layers if layer.name.startswith(("stem", "block", "last")))
    assert trunk == sum(value.size for name, value in read_weights(weights).items() if "classifier" not in name)
    window = check["mel"][None, :, -292:, None]
    classes = read_classes(weights.with_name("audioset_labels.txt"))
    rows = np.asarray(published(window, training=False)["logits"])[0, [classes.index(tag) for tag in TAGS]]
    np.testing.assert_allclose(np.asarray(model(window, training=False)["tags"])[0], rows, rtol=0, atol=1e-4)


def test_heads_have_the_sizes_that_were_asked_for(model: keras.Model) -> None:
    """There are three outputs by name, and a head of nothing is left out."""
    shapes = {name: tuple(output.shape[1:]) for name, output in model.output.items()}
    assert shapes == {"instruments": (31,), "tags": (len(TAGS),), "embedding": (96,)}
    assert len(set(TAGS)) == len(TAGS)
    assert list(build_efficient(9, 0, 0, frames=None).output) == ["instruments"]


def test_narrow_network_is_small_enough_for_a_pi_zero() -> None:
    """All heads and batch normalization included, it has no more than 60 000 weights."""
    narrow = build_efficient(31, len(TAGS), network=NARROW)
    assert narrow.count_params() <= 60_000
    assert narrow.get_layer("stem").output.shape[1:] == (64, 73, 16)


def test_weights_of_another_network_are_refused_by_name(tmp_path: Path, model: keras.Model) -> None:
    """What lacks a weight, has one of another shape, or is no archive, is told by what is wrong."""
    path = tmp_path / "weights.npz"
    path.write_bytes(b"nothing")
    with pytest.raises(ConfigError, match="cannot read the pretrained weights"):
        load_pretrained(model, path)
    np.savez(path, **{"features.1.block.0.0.weight": np.zeros((8, 1, 3, 3), np.float32)})
    with pytest.raises(ConfigError, match=r"lack features\.0\.0\.weight"):
        load_pretrained(model, path)
    np.savez(path, **{"features.0.0.weight": np.zeros((16, 1, 3, 3), np.float32)})
    with pytest.raises(ConfigError, match=r"has shape \(3, 3, 1, 16\); expected \(3, 3, 1, 8\) for stem"):
        load_pretrained(model, path)
