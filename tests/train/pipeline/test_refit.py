"""A model that is shipped: measured without some sources, trained on with all of them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("tensorflow", reason="needs the train extra")
pytest.importorskip("pedalboard", reason="needs the train extra")

from stream.recognition.bundle import load
from tests.support.tensorflow_warnings import ignore_tensorflow_warnings
from train.__main__ import main
from train.compose.pack import HELD_OUT_SOURCES
from train.fitting import checkpoint
from train.fitting.fit import CHECKPOINT
from train.fitting.training_run import TrainingRun

pytestmark = ignore_tensorflow_warnings


@pytest.fixture(scope="module")
def made(synthetic_pack: Path, pack_cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `fit --refit` leaves behind."""
    folder = tmp_path_factory.mktemp("made")
    command = (
        f"fit --data {synthetic_pack} --cache {pack_cache} --out {folder} --name toy --clips 96 "
        "--validation-clips 40 --epochs 2 --processes 1 --no-programmes --refit 1 --refit-clips 120"
    )
    assert main(command.split()) == 0
    return folder


def test_shipped_network_learned_from_all_sources(made: Path, pack_cache: Path) -> None:
    """It went on from its twin's weights, with clips of held-out sources, for as long as it was told."""
    twin, shipped = TrainingRun.load(made / "toy"), TrainingRun.load(made / "toy" / "all-sources")
    assert not twin.data.all_sources
    assert (shipped.data.all_sources, shipped.data.clips, shipped.schedule.epochs) == (True, 120, 1)
    assert shipped.schedule.rate == twin.schedule.rate / 2
    sources = {clip.recording for clip in shipped.data.open(pack_cache).clips if clip.split == "training"}
    assert {f"{instrument}/{source}" for instrument, source in HELD_OUT_SOURCES} & sources
    first, last = (checkpoint.load_checkpoint(made / folder / CHECKPOINT) for folder in ("toy", "toy/all-sources"))
    assert first is not None
    assert last is not None
    assert any(not np.array_equal(a, b) for a, b in zip(first.best, last.best, strict=True))


def test_shipped_bundle_is_calibrated_by_its_twin(made: Path) -> None:
    """Temperature, thresholds and held-out figures are those of the twin; the weights are its own."""
    twin, shipped = load(made / "toy" / "toy.json"), load(made / "toy.json")
    assert (shipped.temperature, shipped.thresholds) == (twin.temperature, twin.thresholds)
    assert shipped.model != twin.model
    of_twin = twin.info["metrics"]["held-out sources"]
    of_shipped = shipped.info["metrics"]["held-out sources, by a twin that did not learn from them"]
    assert {**of_shipped, "name": ""} == {**of_twin, "name": ""}
    assert "held-out sources" not in shipped.info["metrics"]
    card = (made / "toy.md").read_text()
    assert "went on from its twin's weights and learned from all sources; it is a weighted mean of both" in card
    assert "Held out (instrument: source)" not in card


def test_shipped_run_is_not_exported_alone(made: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Without its twin there is nothing to calibrate it on: one line names the command that makes both."""
    assert main(f"export {made / 'toy' / 'all-sources'} --out {tmp_path}".split()) == 1
    said = capsys.readouterr().err.strip()
    assert "has its calibration from its twin" in said
    assert "--refit 1" in said
    assert len(said.splitlines()) == 1


def test_only_packs_have_held_out_sources(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Other data is refused before anything is trained."""
    (tmp_path / "data" / "flute").mkdir(parents=True)
    command = f"fit --data {tmp_path / 'data'} --cache {tmp_path} --out {tmp_path} --refit 1"
    assert main(command.split()) == 1
    assert "only a pack has held-out sources" in capsys.readouterr().err


def test_metrics_are_json(made: Path) -> None:
    """Everything that is told of the shipped model can be read back."""
    assert json.loads((made / "toy" / "all-sources" / "evaluation.json").read_text())["results"]
