"""A run that is gone on with after its data changed says what changed."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("tqdm", reason="needs the train extra")

from stream.errors import ConfigError
from tests.support.data_set_files import write_tone
from train.datasets.corpus import extract
from train.datasets.folder import read_folder
from train.fitting.checkpoint import Checkpoint, load_checkpoint
from train.fitting.data_files import data_files


def files_of(stage: Path) -> dict[str, str]:
    """What a run would learn from."""
    corpora = extract(read_folder(stage), stage.parent / "cache", processes=1).corpora
    return data_files(corpora["training"], corpora["validation"])


def save(path: Path, settings: str, files: dict[str, str]) -> None:
    """Save a run that has not come far."""
    Checkpoint(settings, [], [np.zeros(1)], [np.zeros(1)], files).save(path)


@pytest.fixture
def stage(tmp_path: Path) -> Path:
    """Two classes of two recordings, all of which are learned from."""
    for number in range(4):
        write_tone(tmp_path / "stage" / ("high", "low")[number % 2] / f"{number}.wav", 3, hertz=300 * (number + 1))
    return tmp_path / "stage"


def test_run_with_other_data_names_what_came_went_and_changed(stage: Path) -> None:
    """The line names files that are new, gone and changed, and not the digests that show it."""
    path = stage.parent / "state.npz"
    before = json.dumps({"training": "1", "validation": "2", "labels": ["high", "low"]})
    save(path, before, files_of(stage))
    assert load_checkpoint(path, before, files_of(stage)) is not None
    write_tone(stage / "high" / "0.wav", 3, hertz=500)
    (stage / "low" / "1.wav").rename(stage / "low" / "9.wav")
    (stage / "low" / "broken.wav").write_bytes(b"RIFF")
    now = json.dumps({"training": "3", "validation": "4", "labels": ["high", "low"]})
    with pytest.raises(ConfigError) as refused:
        load_checkpoint(path, now, files_of(stage))
    assert f"other data than before: 1 new ({stage}/low/9.wav), 1 gone ({stage}/low/1.wav)" in str(refused.value)
    assert f"1 changed ({stage}/high/0.wav)" in str(refused.value)
    assert "training '" not in str(refused.value)


def test_run_with_another_division_says_so(stage: Path) -> None:
    """The same files on other sides are counted, and other settings stand beside that."""
    path = stage.parent / "state.npz"
    files = files_of(stage)
    others = {"training": "validation", "validation": "training"}
    swapped = {
        name: f"{others[split]} {digest}" for name, (split, digest) in ((n, s.split()) for n, s in files.items())
    }
    save(path, json.dumps({"training": "1", "seed": 0}), swapped)
    with pytest.raises(ConfigError, match="4 on another side of the division; and seed 0, now 1"):
        load_checkpoint(path, json.dumps({"training": "2", "seed": 1}), files)
