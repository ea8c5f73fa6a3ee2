"""The command that fits: a killed run goes on, what it makes is served, and what cannot be done is told in a line."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("tensorflow", reason="needs the train extra")
pytest.importorskip("pedalboard", reason="needs the train extra")

from stream.recognition.bundle import load
from stream.recognition.classifier import Classifier
from stream.recognition.mel import WINDOW, StreamingMel
from tests.support.tensorflow_warnings import ignore_tensorflow_warnings
from tests.support.tone_folder import CLASSES
from train.__main__ import main
from train.datasets.folder import read_folder
from train.datasets.labels import LABELS
from train.fitting.schedule import Schedule
from train.fitting.training_run import TrainingRun
from train.networks.published import VARIANTS

pytestmark = ignore_tensorflow_warnings

QUICK = Schedule(epochs=3, batch=8, augmented=False)


@pytest.fixture(scope="module")
def made(tone_folder: Path, tone_cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """What `soloist train fit` makes of the tones, with a second channel."""
    out = tmp_path_factory.mktemp("models")
    flags = f"--data {tone_folder} --cache {tone_cache} --out {out} --name tones --processes 1"
    fitting = "--network 2B --epochs 6 --batch 8 --plain --channels mel,delta"
    assert main(["fit", *flags.split(), *fitting.split()]) == 0
    return out


def test_bundle_is_served_as_it_was_measured(made: Path, tone_folder: Path) -> None:
    """The service's classifier names the tones that the laboratory trained on, by both channels."""
    bundle = load(made / "tones.tflite")
    assert (bundle.labels, bundle.channels) == (tuple(sorted(CLASSES)), ("mel", "delta"))
    assert bundle.info["metrics"]["test clips"]["class_average"] > 0.9
    dataset = read_folder(tone_folder).divided()
    classifier = Classifier(bundle)
    clips = [clip for clip in dataset.clips if clip.split == "test"]
    for clip in clips:
        probabilities = classifier(StreamingMel().features(dataset.audio(clip), WINDOW))
        assert bundle.labels[probabilities.argmax()] == clip.label


def test_bundle_names_its_origin(made: Path, tone_folder: Path) -> None:
    """The json names command, versions, data digest, settings, and the clips and recordings of each split."""
    info = json.loads((made / "tones.json").read_text())
    assert info["command"].startswith(f"soloist train fit --data {tone_folder.name} ")  # and no folder of this machine
    assert {"python", "tensorflow", "keras", "numpy", "soloist"} <= set(info["versions"])
    assert len(info["training"]["data_digest"]) >= 16
    assert info["training"]["settings"]["schedule"]["epochs"] == 6
    splits = info["training"]["splits"]
    assert set(splits) == {"training", "validation", "test"}
    assert all(counts[label]["recordings"] >= 1 for counts in splits.values() for label in CLASSES)


def test_run_is_exported_and_reported_again(made: Path, tone_cache: Path, tmp_path: Path, capsys) -> None:
    """Export makes the same bytes of a run as fit did, and report writes its page again."""
    flags = ["--cache", str(tone_cache), "--processes", "1"]
    assert main(["export", str(made / "tones"), "--out", str(tmp_path), *flags]) == 0
    assert (tmp_path / "tones.tflite").read_bytes() == (made / "tones.tflite").read_bytes()
    page = made / "tones" / "report.html"
    page.unlink()
    assert main(["report", str(made / "tones"), *flags]) == 0
    assert capsys.readouterr().out.strip().endswith(str(page))
    assert "<svg" in page.read_text(encoding="utf-8")
    assert TrainingRun.load(made / "tones").variant == VARIANTS["2B"]


def test_evaluate_prints_what_was_measured(made: Path, tone_folder: Path, tone_cache: Path, capsys) -> None:
    """Evaluate finds for a bundle what fit found, split by split."""
    figures = load(made / "tones.json").info["metrics"]["test clips"]
    assert main(["evaluate", str(made / "tones.json"), "--data", str(tone_folder), "--cache", str(tone_cache)]) == 0
    said = capsys.readouterr().out
    right = sum(row["right"] for row in figures["per_class"].values())
    assert f"({right} of {figures['clips']} instrument clips right)" in said


def test_pack_gets_a_bundle_with_unknown(synthetic_pack: Path, pack_cache: Path, tmp_path: Path, capsys) -> None:
    """From a pack, clips of all eight instruments and of what is none of them are composed and told apart."""
    data, cache, out = synthetic_pack, pack_cache, tmp_path / "models"
    flags = f"--data {data} --cache {cache} --out {out} --name toy --processes 1 --validation-clips 40 --no-programmes"
    assert main(["fit", *flags.split(), "--clips", "192", "--epochs", "8"]) == 0
    card = capsys.readouterr().out
    assert "held-out sources" in card
    assert (out / "toy.md").read_text() in card
    bundle = load(out / "toy.tflite")
    assert bundle.labels == LABELS
    assert bundle.info["metrics"]["held-out sources"]["class_average"] > 0.4
    epochs = json.loads((out / "toy" / "history.json").read_text())
    floats = json.loads((out / "toy" / "evaluation.json").read_text())["results"]["held-out sources, float network"]
    told = epochs[bundle.info["metrics"]["best_epoch"] - 1]["validation_instrument_average"]
    assert floats["class_average"] == pytest.approx(told, abs=1e-4)  # the log's figure, though there is unknown
    rows = bundle.info["training"]["data"]
    assert [row["source"] for row in rows if row["licence"] == "CC0"] == ["toy"]
    assert (
        main(["examples", "--data", str(data), "--cache", str(cache), "--out", str(tmp_path / "ex"), "--each", "1"])
        == 0
    )
    assert len(list((tmp_path / "ex").glob("*.flac"))) == len(LABELS)
    assert (tmp_path / "ex" / "index.html").read_text().count("<audio") == len(LABELS)


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        ("--data nowhere", "no data at nowhere"),
        ("--data {data} --epochs 0", "--epochs is 0; expected 1 or more"),
        ("--data {data} --variant 7", "no network '7'; there are 0a"),
        ("--data {data} --network 7", "no network '7'; there are 0a"),
        ("--data {data} --start leda", "no model 'leda'; shipped are lead, published, residual, small"),
        ("--data {data} --start residual --network small", "residual is of the network lead, not small"),
        ("--data {data} --start lead", "its weights cannot be gone on from"),
        ("--data {data} --start residual --channels mel,delta", "residual hears mel, not mel,delta"),
        ("--data {data} --name a/b", "--name 'a/b' has '/', which none may have"),
        ("--data {data} --name a\x07b", r"--name 'a\x07b' has '\x07'"),
        ("--data {data} --average 1", "--average is 1; expected 0 or more, and less than 1"),
        ("--data {data} --handovers 2", "--handovers is 2; expected 0 to 1"),
        (
            "--data {data} --without-augmentation noise,hum",
            "no augmentation 'hum'; there are time, pitch, equaliser",
        ),
        ("--data {data} --channels delta", "--channels is delta; expected mel"),
        ("--data {data} --instruments low,tuba", "no folder of tuba"),
        ("--data {data} --distribute", "--distribute needs a TF_CONFIG like"),
    ],
)
def test_wrong_settings_get_one_line(
    flags: str, said: str, tone_folder: Path, tmp_path: Path, capsys, monkeypatch
) -> None:
    """What cannot be done ends with one line and status 1."""
    monkeypatch.delenv("TF_CONFIG", raising=False)
    arguments = ["--out", str(tmp_path), "--cache", str(tmp_path), *flags.format(data=tone_folder).split()]
    assert main(["fit", *arguments]) == 1
    line = capsys.readouterr().err.strip().splitlines()[-1]
    assert line.startswith("soloist train: ")
    assert said in line


def test_validation_clips_are_not_trained_on(shared: Path, tmp_path: Path, capsys) -> None:
    """A training command that is given the real validation clips refuses them."""
    arguments = ["--data", str(shared / "validation.csv"), "--out", str(tmp_path), "--cache", str(tmp_path)]
    assert main(["fit", *arguments]) == 1
    assert "must not be trained with" in capsys.readouterr().err
