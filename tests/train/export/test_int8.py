"""The int8 model against the float one, and what keeps them together."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

pytest.importorskip("tensorflow", reason="needs the train extra")

import keras

from stream.errors import ModelError
from stream.recognition.mel import CHANNELS, stack
from train.datasets.clip_features import decibels, quantise
from train.evaluation.clip_metrics import softmax
from train.export.int8 import Int8Model, convert_to_int8
from train.export.rounding import round_weights
from train.networks.normalization import BatchNormalization

LABELS = 4

# Keras warns about numpy when it fits and loads.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:keras.*")


def spectrograms(count: int, seed: int) -> npt.NDArray[np.uint8]:
    """Features that are like music's: bands and frames next to each other are loud together, and there are beats.

    Every fourth clip is of the same label. Labels differ in where most of the sound is, and overlap a little.
    """
    rng = np.random.default_rng(seed)
    bands, frames = np.arange(129)[:, None], np.arange(129)
    clips = []
    for number in range(count):
        centre, width = 25 + 25 * (number % LABELS) + rng.normal(0, 6), rng.uniform(8, 25)
        beats = np.abs(np.sin(rng.uniform(0.05, 0.5) * frames))
        db = 55 * np.exp(-(((bands - centre) / width) ** 2)) * (0.4 + 0.6 * beats) - 60
        clips.append(np.clip(db + rng.normal(0, 4, (129, 129)), -80, 0))
    return quantise(np.array(clips, np.float32))


def network(
    activation: str = "relu", *, batch_norm: bool = False, channels: Sequence[str] = ("mel",), epochs: int = 0
) -> keras.Model:
    """Two convolutions and a dense layer, fitted to the labels for a few epochs."""
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((129, 129, len(channels))), keras.layers.Rescaling(1 / 80, 1.0)])
    for _ in range(2):
        model.add(keras.layers.Conv2D(8, 3, 2))
        if batch_norm:
            model.add(keras.layers.BatchNormalization(momentum=0.8))
        model.add(keras.layers.Activation(activation))
    model.add(keras.layers.Flatten())
    model.add(keras.layers.Dense(LABELS))
    if epochs:
        model.compile(keras.optimizers.Adam(3e-3), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
        clips = stack(decibels(spectrograms(256, 3)), channels)
        model.fit(clips, np.arange(len(clips)) % LABELS, epochs=epochs, batch_size=16, verbose=0)
    return model


def outputs(model: keras.Model, features: npt.NDArray[np.uint8], channels: Sequence[str]) -> npt.NDArray[np.float32]:
    """Logits of the float model."""
    return np.asarray(model(stack(decibels(features), channels), training=False))


@pytest.mark.parametrize(
    ("activation", "batch_norm", "channels"),
    [("relu", True, ("mel",)), ("tanh", False, CHANNELS)],
)
def test_int8_says_what_float_says(activation: str, batch_norm: bool, channels: tuple[str, ...]) -> None:
    """Clips that conversion has not seen get the same label from both models, and almost the same probabilities."""
    model = network(activation, batch_norm=batch_norm, channels=channels, epochs=4)
    small = Int8Model(convert_to_int8(model, spectrograms(64, 1), channels), channels)
    unseen = spectrograms(300, 2)
    expected, told = outputs(model, unseen, channels), small.logits(unseen)
    assert told.shape == expected.shape
    assert told.dtype == np.float32
    assert np.mean(expected.argmax(axis=1) == np.arange(300) % LABELS) > 0.7
    assert np.mean(told.argmax(axis=1) == expected.argmax(axis=1)) >= 0.98
    assert np.abs(softmax(told, 1.0) - softmax(expected, 1.0)).mean() < 0.01


def test_same_model_same_bytes(tmp_path: Path) -> None:
    """Converting again, after other models have been made and the model has been saved, gives the same file."""
    model, clips = network(batch_norm=True), spectrograms(8, 1)
    first = convert_to_int8(model, clips)
    model.save(tmp_path / "model.keras")
    network("tanh")
    assert convert_to_int8(keras.models.load_model(tmp_path / "model.keras"), clips) == first
    assert convert_to_int8(network(batch_norm=True), clips) == first


def test_conversion_is_quiet(capfd: pytest.CaptureFixture[str]) -> None:
    """Neither TensorFlow nor its C++ parts print or warn while a model is converted, and the model is left alone."""
    model = network()
    before = model.get_weights()
    convert_to_int8(model, spectrograms(4, 1))
    assert capfd.readouterr() == ("", "")
    for now, then in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(now, then)


@pytest.mark.parametrize("batch_norm", [False, True])
def test_rounding_errors_cancel(batch_norm: bool) -> None:
    """Weights lie on the grid of their filter, whose largest one stays, and err less together than the nearest do."""
    model = network(batch_norm=batch_norm)
    inputs = stack(decibels(spectrograms(32, 1)), ["mel"])
    copy = round_weights(model, inputs)
    pairs = [(a, b) for a, b in zip(model.layers, copy.layers[1:], strict=True) if isinstance(a, keras.layers.Conv2D)]
    assert len(pairs) == 2
    for ours, theirs in pairs:
        exact, grid = (np.asarray(layer.kernel).reshape(-1, 8) for layer in (ours, theirs))
        steps = grid / (np.abs(exact).max(axis=0) / 127)
        np.testing.assert_allclose(steps, np.round(steps), atol=1e-3)
        np.testing.assert_allclose(np.abs(steps).max(axis=0), 127, atol=1e-3)
    unseen = stack(decibels(spectrograms(32, 2)), ["mel"])
    nearest = keras.models.clone_model(model)
    nearest.set_weights(model.get_weights())
    for layer in nearest.layers:
        if isinstance(layer, keras.layers.Conv2D | keras.layers.Dense):
            kernel = np.asarray(layer.kernel)
            step = np.abs(kernel).max(axis=tuple(range(kernel.ndim - 1))) / 127
            layer.kernel.assign(np.round(kernel / step) * step)
    exact, near, ours = (np.asarray(network(unseen)) for network in (model, nearest, copy))
    assert np.square(ours - exact).mean() < 0.25 * np.square(near - exact).mean()


def test_rounding_errors_of_separable_convolutions_cancel() -> None:
    """Depthwise filters lie on their grid too, and normalization makes up for the mean error where no bias does."""
    keras.utils.set_random_seed(0)
    seen = x = keras.Input((129, 129, 1))
    x = keras.layers.Rescaling(1 / 80, 1.0)(x)
    for filters in (6, 8):
        x = keras.layers.Conv2D(filters, 3, 2, use_bias=False)(x)
        x = keras.layers.Activation("relu")(BatchNormalization(momentum=0.0)(x))
        x = keras.layers.DepthwiseConv2D(5, use_bias=False)(x)
        x = BatchNormalization(momentum=0.0)(x)
    model = keras.Model(seen, x)
    model(stack(decibels(spectrograms(32, 1)), ["mel"]), training=True)
    copy = round_weights(model, stack(decibels(spectrograms(32, 1)), ["mel"]))
    nearest = keras.models.clone_model(model)
    nearest.set_weights(model.get_weights())
    for exact, near, ours in zip(model.layers, nearest.layers, copy.layers, strict=True):
        if isinstance(exact, keras.layers.Conv2D | keras.layers.DepthwiseConv2D):
            kernel = np.asarray(exact.kernel)
            depthwise = isinstance(exact, keras.layers.DepthwiseConv2D)
            step = np.abs(kernel).max(axis=(0, 1, 3) if depthwise else (0, 1, 2), keepdims=True) / 127
            near.kernel.assign(np.round(kernel / step) * step)
            steps = np.asarray(ours.kernel) / step
            np.testing.assert_allclose(steps, np.round(steps), atol=1e-3)
            np.testing.assert_allclose(np.abs(steps).max(axis=(0, 1, 3) if depthwise else (0, 1, 2)), 127, atol=1e-3)
    unseen = stack(decibels(spectrograms(32, 2)), ["mel"])
    exact, near, ours = (np.asarray(network(unseen, training=False)) for network in (model, nearest, copy))
    assert np.square(ours - exact).mean() < 0.5 * np.square(near - exact).mean()
    means = [np.abs((values - exact).mean(axis=(0, 1, 2))).mean() for values in (near, ours)]
    assert means[1] < 0.5 * means[0]


def test_an_output_that_says_nothing_is_converted() -> None:
    """A network whose weights are all zero, as a broken training may leave them, still becomes a model."""
    model = network()
    model.set_weights([np.zeros_like(weight) for weight in model.get_weights()])
    logits = Int8Model(convert_to_int8(model, spectrograms(4, 1))).logits(spectrograms(3, 2))
    np.testing.assert_allclose(logits, 0, atol=1e-3)


def test_channels_that_do_not_fit_are_refused() -> None:
    """A model of one channel is not run on two."""
    with pytest.raises(ModelError, match=r"\(1, 129, 129, 1\); expected \(1, 129, 129, 2\) for mel, delta"):
        Int8Model(convert_to_int8(network(), spectrograms(2, 1)), CHANNELS)
