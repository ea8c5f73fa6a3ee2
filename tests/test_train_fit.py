"""The network, its fitting, and the bundle that comes out."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("tensorflow", reason="needs the train extra")
pytest.importorskip("pedalboard", reason="needs the train extra")

from train_toys import toy_pack

from stream.bundle import load
from stream.classifier import Classifier
from stream.features import WINDOW, StreamingMel
from train.__main__ import main
from train.augment import change
from train.composer import Composer, Recipe
from train.corpus import compose, decibels, quantise
from train.int8 import Int8Model
from train.networks import PLAIN, REGULAR, build
from train.pack import INSTRUMENTS, LABELS
from train.score import Calibration, calibrate, calibration_error, class_average, confusion, softmax

# TensorFlow's converter warns about itself, and about statistics that full-integer models take from their clips.
converter_warnings = pytest.mark.filterwarnings(
    "ignore:Statistics for quantized inputs were expected:UserWarning",
    "ignore::DeprecationWarning:tensorflow.*",
    "ignore::DeprecationWarning:keras.*",
)


@pytest.mark.parametrize(("variant", "weights"), [(PLAIN, 37_209), (REGULAR, 37_209 + 3 * 4 * 16)])
def test_network_is_the_published_one(variant: object, weights: int) -> None:
    """Three convolutions of 16 filters halve 129 x 129 to 15 x 15, and a dense layer gives one logit per label."""
    model = build(variant, len(LABELS))
    maps = [layer.output.shape[1:] for layer in model.layers if "conv2d" in layer.name]
    assert maps == [(64, 64, 16), (31, 31, 16), (15, 15, 16)]
    assert model.count_params() == weights
    assert model.output_shape == (None, 9)
    assert model.layers[-1].activation.__name__ == "linear"


def test_augmented_features_stay_in_range() -> None:
    """Augmentation keeps shape, type and range, and the same generator gives the same."""
    clip = np.random.default_rng(0).uniform(-80, 0, (129, 129)).astype(np.float32)
    for seed in range(30):
        changed = change(clip, np.random.default_rng(seed))
        assert changed.shape == clip.shape
        assert changed.dtype == np.float32
        assert changed.min() >= -80
        assert changed.max() <= 0
        np.testing.assert_array_equal(changed, change(clip, np.random.default_rng(seed)))


def test_quantised_features_are_right_to_half_a_step() -> None:
    """Storing features loses less than the int8 input does anyway."""
    db = np.random.default_rng(0).uniform(-80, 0, (129, 129)).astype(np.float32)
    np.testing.assert_allclose(decibels(quantise(db)), db, atol=80 / 255 / 2 + 1e-4)


def test_figures_of_merit() -> None:
    """Class averages weigh classes alike, rows of a confusion matrix are true labels, sure and right is calibrated."""
    labels, chosen = np.array([0, 0, 0, 1]), np.array([0, 0, 1, 1])
    assert class_average(labels, chosen) == pytest.approx((2 / 3 + 1) / 2)
    np.testing.assert_array_equal(confusion(labels, chosen, 2), [[2, 1], [0, 1]])
    sure = np.eye(2)[chosen]
    assert calibration_error(labels, sure) == pytest.approx(0.25)
    assert calibration_error(chosen, sure) == 0


def test_calibration_finds_the_temperature() -> None:
    """Logits twice too large get a temperature of 2, and 90 % of each instrument's right clips pass its threshold."""
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 2, (20_000, len(LABELS)))
    labels = (logits + rng.gumbel(size=logits.shape)).argmax(axis=1)
    rule = calibrate(labels, 2 * logits)
    assert rule.temperature == pytest.approx(2, rel=0.05)
    probabilities = softmax(2 * logits, rule.temperature)
    right = probabilities[:, : len(INSTRUMENTS)].argmax(axis=1) == labels
    for label in range(len(INSTRUMENTS)):
        names = rule.names(probabilities[right & (labels == label)])
        assert np.mean(names == label) == pytest.approx(0.9, abs=0.02)


def test_a_name_needs_its_own_threshold() -> None:
    """The most probable of the instruments that pass is named, and unknown when none passes."""
    rule = Calibration(1.0, (0.5, 0.2, *[0.9] * 6))
    probabilities = np.zeros((3, len(LABELS)))
    probabilities[0, :2] = 0.4, 0.3
    probabilities[1, :2] = 0.6, 0.3
    probabilities[2, :2] = 0.4, 0.1
    assert rule.names(probabilities).tolist() == [1, 0, len(INSTRUMENTS)]


@converter_warnings
def test_fit_writes_a_bundle_that_the_service_loads(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """On sounds that are easy to tell apart the whole laboratory ends in an int8 bundle that tells them apart."""
    data, cache, out = tmp_path / "data", tmp_path / "cache", tmp_path / "models"
    toy_pack(data)
    flags = f"--data {data} --cache {cache} --out {out} --name toy --processes 1 --held-out-clips 40"
    assert main(["fit", *flags.split(), "--clips", "192", "--epochs", "8"]) == 0
    card = capsys.readouterr().out
    assert "There were no validation clips." in card

    bundle = load(out / "toy.tflite")
    assert bundle.labels == LABELS
    training = compose(Recipe(data, cache, False, 0), 192, 1)
    logits = Int8Model(bundle.model).logits(training.features)
    assert class_average(training.labels, logits.argmax(axis=1)) > 0.6

    info = json.loads((out / "toy.json").read_text())
    assert info["training"]["data"][0] == {
        "source": "toy",
        "licence": "CC0",
        "files": 25,
        "instruments": sorted([*INSTRUMENTS, "drums"]),
    }
    assert info["metrics"]["int8_float_agreement"] > 0.9
    assert (out / "toy.md").read_text() == card

    # The service's own classifier says what the laboratory measured.
    classifier = Classifier(bundle)
    audio = Composer(Recipe(data, cache, False, 0)).clip(0).audio
    served = classifier(StreamingMel().features(audio, WINDOW))
    measured = softmax(logits[:1], bundle.temperature)[0, : len(INSTRUMENTS)]
    np.testing.assert_allclose(served, measured, atol=0.05)


def test_wrong_settings_get_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A missing data folder and a senseless number end with one line and status 1."""
    toy_pack(tmp_path)
    assert main(["fit", "--data", str(tmp_path / "none"), "--out", str(tmp_path), "--cache", str(tmp_path)]) == 1
    assert main(["fit", "--data", str(tmp_path), "--out", str(tmp_path), "--clips", "0"]) == 1
    lines = capsys.readouterr().err.strip().splitlines()
    assert len(lines) == 2
    assert all(line.startswith("soloist train: ") for line in lines)
