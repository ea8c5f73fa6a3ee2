"""The bundle that is written of a model: what it says of itself, and what is not written."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

pytest.importorskip("tensorflow", reason="needs the train extra")

from stream.errors import ConfigError, ModelError, SourceError
from stream.recognition import bundle as bundles
from tests.support.tensorflow_warnings import ignore_tensorflow_warnings
from tests.support.tone_dataset import HERTZ
from tests.support.trained_model import TrainedModel
from train.atomic_file import write_atomically
from train.evaluation.clip_metrics import Calibration
from train.export.bundle_files import write_bundle
from train.export.provenance import Provenance

# One process for all: the model of the tones is trained once.
pytestmark = [ignore_tensorflow_warnings, pytest.mark.xdist_group("trained model")]

INSTRUMENTS = tuple(HERTZ)


def test_bundle_says_where_it_comes_from(trained: TrainedModel) -> None:
    """The json has command, versions, data set, digest, sources with licences, and clips and recordings by split."""
    info = json.loads((trained.folder / "tiny.json").read_text(encoding="utf-8"))
    assert info == trained.bundle.info
    assert info["labels"] == [*INSTRUMENTS, "unknown"]
    assert info["channels"] == ["mel"]
    assert info["command"] == "soloist train fit"
    assert info["versions"].keys() == {"python", "tensorflow", "keras", "numpy", "soloist"}
    training = info["training"]
    assert training["data_set"] == "tones"
    assert training["data_digest"] == "d1ce"
    assert training["clips"] == 32
    assert training["settings"] == {"epochs": 12}
    assert training["splits"]["test"]["whistle"] == {"clips": 8, "recordings": 4}
    assert training["data"] == [
        {"source": "synth|training", "licence": "CC0", "clips": 32, "instruments": sorted([*INSTRUMENTS, "unknown"])}
    ]
    assert "held_out_sources" not in training
    assert sorted(path.name for path in trained.folder.iterdir()) == ["tiny.json", "tiny.tflite"]


def test_a_bundle_cut_short_is_refused(trained: TrainedModel, tmp_path: Path) -> None:
    """A new model under the old json, as a kill between the two files leaves them, is not served."""
    for path in trained.folder.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    write_atomically(tmp_path / "tiny.tflite", b"new")
    with pytest.raises(ModelError, match="SHA-256"):
        bundles.load(tmp_path / "tiny.json")


def test_bundles_that_make_no_sense_are_not_written(trained: TrainedModel, tmp_path: Path) -> None:
    """Labels without thresholds, unknown in the middle and a folder that is a file end with what was expected."""
    provenance = Provenance("tones", "", (), 0, "")
    for labels, thresholds in ((("a", "b"), 1), (("a", "unknown"), 2), (("a", "unknown", "b"), 2)):
        with pytest.raises(ConfigError, match="expected a threshold for each"):
            write_bundle(tmp_path, "x", b"", labels, Calibration(1, (0.5,) * thresholds), provenance, {})
    assert not any(tmp_path.iterdir())
    (tmp_path / "file").write_text("")
    with pytest.raises(SourceError, match="cannot write"):
        write_bundle(tmp_path / "file", "x", b"", ("a",), Calibration(1, (0.5,)), provenance, {})
