"""A network that begins with the weights of a bundle: what it computes then, and what can be begun with."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("tensorflow", reason="needs the train extra")

import keras
import numpy as np

from stream.errors import ConfigError
from stream.recognition.bundle import load
from tests.support.tensorflow_warnings import ignore_tensorflow_warnings
from tests.support.trained_model import TrainedModel
from train.datasets.clip_features import decibels
from train.datasets.corpus import Extraction
from train.export.int8 import Int8Model
from train.fitting.cluster import Cluster
from train.fitting.fit import CHECKPOINT, fit
from train.fitting.pretrained import read_layers, read_pretrained
from train.fitting.schedule import Schedule
from train.fitting.trainer import Trainer
from train.networks.architectures import NETWORKS, build_network

pytestmark = ignore_tensorflow_warnings


def test_network_begins_with_what_the_bundle_computes(tone_features: Extraction) -> None:
    """With the bundle's own last layer the network's logits are the int8 model's; batches of its own change little."""
    bundle = load("residual")
    pretrained = read_pretrained(bundle)
    assert pretrained.network == NETWORKS["lead"]
    training = tone_features.corpora["training"]
    model = build_network(pretrained.network, len(training.labels))
    for variable, value in zip(model.variables, pretrained.starting_values(training, 0), strict=True):
        variable.assign(value)
    last = read_layers(bundle.model)[-1]
    body = keras.Model(model.inputs[0], model.layers[-1].input)
    inputs = decibels(training.features())[..., None]
    logits = np.asarray(body(inputs, training=False)) @ last.kernel + last.bias
    told = Int8Model(bundle.model).logits(training.features())
    assert np.abs(logits - told).mean() < 0.1 * told.std()
    assert np.corrcoef(logits.ravel(), told.ravel())[0, 1] > 0.99
    learning = keras.Model(model.inputs[0], model.layers[-3].input)(inputs, training=True)  # before the dropout
    resting = keras.Model(model.inputs[0], model.layers[-3].input)(inputs, training=False)
    assert np.corrcoef(np.ravel(learning), np.ravel(resting))[0, 1] > 0.99


def test_last_layer_is_drawn_by_the_seed(tone_features: Extraction) -> None:
    """The same seed begins with the same values, another one with another last layer and the same network below."""
    pretrained, training = read_pretrained(load("residual")), tone_features.corpora["training"]
    one, again, other = (pretrained.starting_values(training, seed) for seed in (1, 1, 2))
    assert all(np.array_equal(a, b) for a, b in zip(one, again, strict=True))
    different = [a.shape for a, b in zip(one, other, strict=True) if not np.array_equal(a, b)]
    assert (96, 3) in different
    assert len(different) <= 2  # and the state of the generator that drops


def test_stopped_run_goes_on_to_the_same_weights(tone_features: Extraction, tmp_path: Path) -> None:
    """A run that began with a bundle's weights and was stopped after an epoch ends as an undisturbed one does."""
    pretrained, schedule = read_pretrained(load("residual")), Schedule(epochs=2, batch=16, rate=1e-3)
    training, validation = tone_features.corpora["training"], tone_features.corpora["validation"]
    told = (pretrained.network, training, validation, schedule)
    stopped = Trainer(*told, ("mel",), Cluster(), pretrained)
    stopped.epoch(progress=False)
    (tmp_path / "stopped").mkdir()
    stopped.checkpoint().save(tmp_path / "stopped" / CHECKPOINT)
    models = [fit(*told, folder=tmp_path / name, start=pretrained).model for name in ("stopped", "whole")]
    for one, other in zip(*(model.variables for model in models), strict=True):
        np.testing.assert_array_equal(np.asarray(one), np.asarray(other))


def test_network_is_read_off_the_bundle(trained: TrainedModel) -> None:
    """A row of the study's table is known by its layers; what is none of the laboratory's networks is refused."""
    assert read_pretrained(load("published")).network == NETWORKS["2B"]
    with pytest.raises(ConfigError, match="its weights cannot be gone on from"):
        read_pretrained(trained.bundle)
