"""`soloist teach` and `soloist players`, from recordings to labels."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import soundfile

from stream.__main__ import main
from stream.players.bank import ENDING
from stream.recognition.classifier import Classifier
from stream.recognition.mel import SAMPLE_RATE, Array
from tests.support import tiny
from tests.support.taught import bank_of, saxophone


@pytest.fixture
def model(tmp_path: Path, demo: Array) -> Path:
    """A tiny model with its bank."""
    folder = tmp_path / "model"
    folder.mkdir()
    path = Path(shutil.copy(tiny.INTEGER, folder / "mine.tflite"))
    shutil.copy(tiny.INTEGER.with_suffix(".json"), folder / "mine.json")
    path.with_name(f"mine{ENDING}").write_bytes(bank_of(Classifier.load(path), demo).packed())
    return path


@pytest.fixture
def recording(tmp_path: Path, demo: Array) -> Path:
    """Twenty seconds of the demo's saxophone."""
    path = tmp_path / "sax.flac"
    soundfile.write(path, saxophone(demo), SAMPLE_RATE)
    return path


def test_a_name_is_taught_used_renamed_and_handed_on(
    tmp_path: Path, model: Path, recording: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """From a recording to a label in files, under another name, and on another machine."""
    players = ["--players", str(tmp_path / "players"), "--model", str(model)]
    assert main(["teach", "Ben's sax", str(recording), *players]) == 0
    said = capfd.readouterr().out
    assert said.startswith("Ben's sax: 2")
    assert "the model takes it for other saxophone (100%)" in said
    assert "told apart reliably" in said
    assert main(["classify", "--json", str(recording), *players]) == 0
    told = json.loads(capfd.readouterr().out)
    assert told["label"] == "Ben's sax"
    assert told["probabilities"]["Ben's sax"] > 0.5

    assert main(["players", "rename", "Ben's sax", "Ben", *players]) == 0
    assert main(["players", "export", "Ben", "-o", str(tmp_path / "ben.json"), *players]) == 0
    assert main(["players", "remove", "Ben", *players]) == 0
    assert main(["players", *players]) == 0
    assert "nobody is taught" in capfd.readouterr().out
    assert main(["players", "import", str(tmp_path / "ben.json"), *players]) == 0
    assert main(["players", *players]) == 0
    assert "Ben: 2" in capfd.readouterr().out
    assert main(["classify", "--instruments", "Ben,violin", str(recording), *players]) == 0
    assert "Ben " in capfd.readouterr().out


def test_what_cannot_be_taught_is_one_line(
    tmp_path: Path, model: Path, recording: Path, demo: Array, capfd: pytest.CaptureFixture[str]
) -> None:
    """Too little audio, a name of the model's, a label that it does not have, and a folder that is a file."""
    short = tmp_path / "short.flac"
    soundfile.write(short, demo[: 5 * SAMPLE_RATE], SAMPLE_RATE)
    players = ["--players", str(tmp_path / "players"), "--model", str(model)]
    for arguments, expected in (
        (["teach", "Ben", str(short), *players], "only 5.0 s of this sound; at least 10 s are needed to teach a name"),
        (["teach", "violin", str(recording), *players], "'violin' means something already"),
        (["teach", "Ben", str(recording), "--like", "kazoo", *players], "'kazoo' is no label of model"),
        (["teach", "Ben", str(recording), "--players", str(short), "--model", str(model)], "folder of players"),
        (["players", "remove", "Ben", *players], "nobody called 'Ben' is taught in"),
        (["players", "import", str(short), *players], "is no file of a taught name, or damaged"),
    ):
        assert main(arguments) == 1
        err = capfd.readouterr().err
        assert err.count("\n") == 1
        assert expected in err
