"""The networks: published and residual ones, and the batch normalization that both learn with."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("tensorflow", reason="needs the train extra")

import keras
import tensorflow as tf

from train.cli.actions import build_parser
from train.datasets.labels import LABELS
from train.export.int8 import Int8Model, convert_to_int8
from train.networks.architectures import NETWORKS, build_network, network_from_record
from train.networks.normalization import BatchNormalization
from train.networks.published import VARIANTS, Variant
from train.networks.residual import RESIDUALS, Pooling, Residual

# Keras warns about numpy when it loads.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:keras.*")


@pytest.mark.parametrize("variant", VARIANTS.values(), ids=lambda variant: variant.name)
def test_networks_are_those_of_the_table(variant: Variant) -> None:
    """Every row gives its number of unpadded convolutions of stride 2, its filters, and one logit for each label."""
    model = build_network(variant, 4, channels=2)
    layers = [layer for layer in model.layers if "conv2d" in layer.name]
    assert len(layers) == variant.layers
    side = 129
    for layer in layers:
        side = (side - variant.kernel) // 2 + 1
        assert layer.output.shape[1:] == (side, side, variant.filters)
        assert (layer.strides, layer.padding) == ((2, 2), "valid")
    assert any("batch_normalization" in layer.name for layer in model.layers) == variant.batch_norm
    assert any("dropout" in layer.name for layer in model.layers) == bool(variant.dropout)
    bent = [layer.activation.__name__ for layer in model.layers if layer.name.startswith("activation")]
    assert (
        bent
        == {
            "relu": ["relu"] * variant.layers,
            "tanh": ["tanh"] * variant.layers,
            "mixed": ["tanh", *["relu"] * (variant.layers - 1)],
        }[variant.activation]
    )
    assert model.output_shape == (None, 4)
    assert model.layers[-1].activation.__name__ == "linear"


@pytest.mark.parametrize(("name", "weights"), [("2", 37_209), ("2B", 37_209 + 3 * 4 * 16)])
def test_published_network_has_the_published_size(name: str, weights: int) -> None:
    """Three convolutions of 16 filters and nine outputs have as many weights as the shipped model."""
    assert build_network(VARIANTS[name], len(LABELS)).count_params() == weights


@pytest.mark.parametrize("network", RESIDUALS.values(), ids=lambda network: network.name)
def test_residual_networks_halve_and_add(network: Residual) -> None:
    """Every stage halves the map once and adds its other convolutions; pooling leaves what its name says."""
    model = build_network(network, 4, channels=2, momentum=0.9)
    assert model.output_shape == (None, 4)
    assert sum(isinstance(layer, keras.layers.Add) for layer in model.layers) == sum(n - 1 for _, n in network.stages)
    assert {layer.momentum for layer in model.layers if isinstance(layer, BatchNormalization)} == {0.9}
    side = 65
    for _ in network.stages:
        side = (side + 1) // 2
    (flat,) = (layer for layer in model.layers if isinstance(layer, keras.layers.Flatten))
    channels = network.stages[-1][0]
    assert flat.output.shape[1] == channels * (side if network.pooling == "frequency" else 1)
    depthwise = sum(isinstance(layer, keras.layers.DepthwiseConv2D) for layer in model.layers)
    blocks = sum(n for _, n in network.stages)
    assert depthwise == (blocks if network.separable else 0) + (network.pooling == "weighted")
    assert str(channels) in network.described


@pytest.mark.parametrize(("name", "most"), [(name, 300_000) for name in RESIDUALS] + [("small", 40_000)])
def test_residual_networks_are_small_enough(name: str, most: int) -> None:
    """The shipped network has at most 300 000 weights, the small one 40 000."""
    assert build_network(RESIDUALS[name], len(LABELS)).count_params() <= most


@pytest.mark.parametrize(
    ("pooling", "separable"), [("weighted", True), ("average", True), ("frequency", True), ("weighted", False)]
)
def test_residual_networks_become_int8(pooling: Pooling, separable: bool) -> None:
    """A network that knows its statistics becomes a full-integer model that says almost the same."""
    keras.utils.set_random_seed(0)
    model = build_network(Residual("tiny", 4, ((8, 1), (8, 2)), 0.1, separable, pooling), 3, momentum=0.0)
    clips = np.random.default_rng(0).integers(0, 256, (6, 129, 129)).astype(np.uint8)
    inputs = clips[..., None] * np.float32(80 / 255) - 80
    model(inputs, training=True)
    told = Int8Model(convert_to_int8(model, clips)).logits(clips)
    expected = np.asarray(model(inputs, training=False))
    assert np.abs(told - expected).max() < 0.1 * np.abs(expected).max()


@pytest.mark.parametrize("network", NETWORKS.values(), ids=lambda network: network.name)
def test_networks_are_recalled_from_json(network: Variant | Residual) -> None:
    """What json keeps of a network makes it again."""
    assert network_from_record(json.loads(json.dumps(asdict(network)))) == network


def test_help_names_all_networks(capsys: pytest.CaptureFixture[str]) -> None:
    """The help of fit lists every network that there is."""
    with pytest.raises(SystemExit):
        build_parser().parse_args(["fit", "--help"])
    said = " ".join(capsys.readouterr().out.split()).replace("- ", "-")  # it breaks lines at hyphens
    listed = said[said.index("one of lead") : said.index("(default: that of --start")].replace("one of ", "")
    names = listed.replace("or a row of the study's table: ", "").strip().split(", ")
    assert set(names) == set(NETWORKS)


@pytest.mark.parametrize("shape", [(8, 5, 7, 3), (2, 1, 1, 3), (1, 1, 1, 3), (6, 3)])
def test_fused_normalization_is_the_one_of_keras(shape: tuple[int, ...]) -> None:
    """Steps of training give the outputs, gradients and moving statistics of Keras's layer, and so does inference."""
    rng = np.random.default_rng(0)
    layers = [kind(momentum=0.8) for kind in (BatchNormalization, keras.layers.BatchNormalization)]
    shift, scale = rng.normal(size=(2, 3)).astype(np.float32)
    for layer in layers:
        layer.build(shape)
        layer.beta.assign(shift)
        layer.gamma.assign(scale)
    for _ in range(3):
        inputs = tf.constant(rng.normal(3, 2, shape).astype(np.float32))
        weights = tf.constant(rng.normal(size=shape).astype(np.float32))
        seen = []
        for layer in layers:
            with tf.GradientTape() as tape:
                tape.watch(inputs)
                outputs = layer(inputs, training=True)
                loss = tf.reduce_sum(outputs * outputs * weights)
            seen.append([outputs, *tape.gradient(loss, [inputs, layer.gamma.value, layer.beta.value])])
            seen[-1] += [tf.convert_to_tensor(value) for value in (layer.moving_mean, layer.moving_variance)]
        for ours, theirs in zip(*seen, strict=True):
            np.testing.assert_allclose(ours, theirs, rtol=1e-3, atol=1e-4)
    ours, theirs = (np.asarray(layer(inputs, training=False)) for layer in layers)
    np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-5)


def test_frozen_normalization_keeps_its_statistics() -> None:
    """A layer that is not trainable normalizes by what it knows, also in training."""
    layer = BatchNormalization(trainable=False)
    inputs = np.random.default_rng(0).normal(3, 2, (4, 5, 5, 2)).astype(np.float32)
    np.testing.assert_allclose(layer(inputs, training=True), layer(inputs, training=False))
    np.testing.assert_array_equal(layer.moving_mean, [0, 0])


def test_networks_are_saved_and_loaded_by_keras(tmp_path: Path) -> None:
    """Keras's own file of a network is read back without being told of the layer."""
    model = build_network(NETWORKS["small"], 3)
    model.save(tmp_path / "small.keras")
    again = keras.models.load_model(tmp_path / "small.keras")
    assert any(type(layer) is BatchNormalization for layer in again.layers)
    inputs = np.random.default_rng(0).uniform(-80, 0, (2, 129, 129, 1)).astype(np.float32)
    np.testing.assert_array_equal(model(inputs, training=False), again(inputs, training=False))
