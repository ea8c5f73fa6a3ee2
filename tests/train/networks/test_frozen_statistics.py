"""A network whose batch normalization keeps its statistics: the same outputs and gradients, by the same variables."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest

pytest.importorskip("tensorflow", reason="needs the train extra")

import keras
import tensorflow as tf

from tests.support.tensorflow_warnings import ignore_tensorflow_warnings
from train.networks.efficient import Block, Efficient, build_efficient
from train.networks.frozen_statistics import frozen_statistics
from train.transfer.further_training import FurtherSchedule, FurtherTraining
from train.transfer.window_store import WindowStore

pytestmark = ignore_tensorflow_warnings

LABELS = ("low", "high", "noise")
SMALL = Efficient("small", 4, (Block(4, 4, 3, 1), Block(8, 8, 3, 2, 4), Block(12, 8, 5, 1, 4, hard_swish=True)), 16, 8)
"""With all kinds of layers: with an expansion and without, a skip, strides, squeeze-and-excitation, hard-swish."""


@pytest.fixture(scope="module")
def network() -> keras.Model:
    """The small network with its three heads, with statistics as training leaves them."""
    keras.utils.set_random_seed(1)
    model = build_efficient(len(LABELS), 2, 4, network=SMALL, drop_path=0.2)
    rng = np.random.default_rng(1)
    for layer in normalizations(model):
        for variable, (low, high) in zip(layer.weights, ((0.5, 2), (-1, 1), (-0.5, 0.5), (0.1, 2)), strict=True):
            variable.assign(rng.uniform(low, high, variable.shape))
    return model


@pytest.fixture(scope="module")
def frozen(network: keras.Model) -> keras.Model:
    """The second way through it."""
    return frozen_statistics(network)


@pytest.fixture(scope="module")
def windows() -> tf.Tensor:
    """Four windows of features."""
    return tf.constant(np.random.default_rng(2).normal(0, 1, (4, 128, 292, 1)), tf.float32)


def normalizations(model: keras.Model) -> list[keras.Layer]:
    """All layers that normalize."""
    return [layer for layer in model.layers if isinstance(layer, keras.layers.BatchNormalization)]


def values(variables: list[keras.Variable]) -> list[npt.NDArray[np.float32]]:
    """Numbers of variables, as they are now."""
    return [np.asarray(variable) for variable in variables]


def test_outputs_are_those_of_the_network(network: keras.Model, frozen: keras.Model, windows: tf.Tensor) -> None:
    """Nothing but rounding of floats is between both ways, also when the weights have changed since it was made."""
    kernel = network.get_layer("block2_project").kernel
    before = np.asarray(kernel)
    for factor in (1.0, 1.5):
        kernel.assign(factor * before)
        wanted, found = (model(windows, training=False) for model in (network, frozen))
        assert set(found) == {"instruments", "tags", "embedding"}
        for name, output in wanted.items():
            assert np.abs(output).max() > 0.01
            np.testing.assert_allclose(found[name], output, rtol=1e-4, atol=1e-5)
    kernel.assign(before)


def test_what_is_trained_is_the_networks_own(network: keras.Model, frozen: keras.Model) -> None:
    """Both have the same trainable variables, not copies of them, and no layer normalizes in the second one's graph."""
    assert {id(variable) for variable in frozen.trainable_variables} == {
        id(variable) for variable in network.trainable_variables
    }
    assert {id(variable) for variable in network.variables} <= {id(variable) for variable in frozen.variables}
    assert normalizations(network)
    assert not normalizations(frozen)


def test_gradients_are_those_with_constant_statistics(
    network: keras.Model, frozen: keras.Model, windows: tf.Tensor
) -> None:
    """Every kernel, scale and offset gets the gradient that Keras's own layers give it when they do not train."""
    rng = np.random.default_rng(3)
    wanted = {name: rng.normal(size=(4, *output.shape[1:])) for name, output in network.output.items()}

    def gradients(run: Callable[..., dict[str, tf.Tensor]]) -> list[npt.NDArray[np.float32]]:
        with tf.GradientTape() as tape:
            outputs = run(windows, training=False)
            loss = sum(tf.reduce_mean(tf.square(outputs[name] - wanted[name])) for name in wanted)
        return [np.asarray(gradient) for gradient in tape.gradient(loss, network.trainable_variables)]

    for variable, ours, keras_own in zip(
        network.trainable_variables, gradients(frozen), gradients(network), strict=True
    ):
        size = np.abs(keras_own).max()
        assert size > 0, variable.path
        np.testing.assert_allclose(ours, keras_own, rtol=0, atol=1e-3 * size + 1e-6, err_msg=variable.path)


def test_dropout_is_that_of_training_alone(network: keras.Model, frozen: keras.Model, windows: tf.Tensor) -> None:
    """While training two runs differ; otherwise they are equal, and no run changes what the normalization holds."""
    held = [value for layer in normalizations(network) for value in values(layer.non_trainable_variables)]
    first, second = (np.asarray(frozen(windows, training=True)["instruments"]) for _ in range(2))
    assert np.abs(first - second).max() > 1e-3
    first, second = (np.asarray(frozen(windows, training=False)["instruments"]) for _ in range(2))
    np.testing.assert_array_equal(first, second)
    after = [value for layer in normalizations(network) for value in values(layer.non_trainable_variables)]
    for one, other in zip(held, after, strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_step_of_training_leaves_statistics_alone(network: keras.Model) -> None:
    """Kernels, scales and offsets move; means and variances are bit for bit what they were."""
    rng = np.random.default_rng(4)
    store = WindowStore(
        LABELS,
        rng.integers(0, 255, (8, 128, 292)).astype(np.uint8),
        np.eye(3, dtype=np.float32)[np.arange(8) % 3],
        np.ones(8, np.float32),
        np.ones((8, 3), np.bool_),
        ("low", "high") * 4,
        "made up",
    )
    schedule = FurtherSchedule(epochs=10, batch=8, rate=1e-2, head_rate=1e-2, frozen=True)
    training = FurtherTraining(network, store, np.zeros((8, 2), np.float32), schedule)
    before = values(network.variables)
    training._step(
        tf.constant(store.read(np.arange(8))[..., None]),
        *map(tf.constant, (store.targets, store.weights, store.certain)),
        tf.zeros((8, 2)),
        tf.ones(8),
        tf.constant(np.arange(8) % 2, tf.int32),
    )
    statistics = {id(each) for layer in normalizations(network) for each in layer.non_trainable_variables}
    trained = {id(each) for each in network.trainable_variables}
    assert len(statistics) == 2 * len(normalizations(network))
    for variable, value in zip(network.variables, before, strict=True):
        same = np.array_equal(np.asarray(variable), value)
        assert same or id(variable) not in statistics, variable.path
        assert not same or id(variable) not in trained, variable.path
        variable.assign(value)
