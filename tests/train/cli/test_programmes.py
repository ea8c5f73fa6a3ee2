"""The command that measures a bundle on continuous programmes."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("mir_eval", reason="needs the train extra")
pytest.importorskip("pedalboard", reason="needs the train extra")
pytest.importorskip("tqdm", reason="needs the train extra")

from stream.recognition.mel import WINDOW
from tests.support.synthetic_pack import tone, write_pack, write_sound
from train.evaluation.smoothing_tradeoff import GRID


@pytest.fixture(scope="module")
def pack(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A pack of chords and clicks of its own, which gets real clips to judge by."""
    folder = tmp_path_factory.mktemp("pack")
    write_pack(folder)
    return folder


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where looks are counted, of nobody else."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def command(pack: Path, cache: Path, tmp_path: Path) -> list[str]:
    """Arguments that all commands here have."""
    pytest.importorskip("tensorflow", reason="the laboratory's command line needs all of the train extra")
    return [
        *("programmes", "--data", str(pack), "--cache", str(cache), "--model", "published"),
        *("--programmes", "1", "--solos", "1", "--processes", "1", "--json", str(tmp_path / "figures.json")),
    ]


def run(command: list[str]) -> int:
    """Run the laboratory."""
    from train.__main__ import main  # not before it is known that TensorFlow is there

    return main(command)


def test_command_prints_the_table(command: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A table of the composed programmes on standard output, and all figures as json."""
    assert run(command) == 0
    assert "| figure | composed |" in capsys.readouterr().out
    figures = json.loads((tmp_path / "figures.json").read_text())
    assert list(figures) == ["composed"]
    assert figures["composed"]["programmes"] == figures["composed"]["steady"]["solos"] == 1
    assert figures["composed"]["onsets"] > 2


@pytest.mark.slow
def test_command_looks_at_real_clips_when_told_to(
    command: list[str], pack: Path, cache: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With --real there is a column of the validation clips in a row, and the look is logged."""
    rows = [["path", "instrument", "track_id"]]
    for number, label in enumerate(("flute", "violin")):
        for take in range(2):
            path = f"validation/{label} {take}.flac"
            write_sound(pack / path, np.tile(tone(440 * (number + 1) + take), 2)[:WINDOW])
            rows.append([path, label, str(number)])
    with (pack / "validation.csv").open("w", newline="") as file:
        csv.writer(file).writerows(rows)
    assert run([*command, "--real", "--rows", "1"]) == 0
    out = capsys.readouterr().out
    assert "| figure | composed | real clips in a row | held-out recordings in a row |" in out
    assert "| right 2 s after a change on |" in out
    assert "were looked at once" in out
    assert (cache / "validation-looks.log").read_text() == "published\n"
    figures = json.loads((tmp_path / "figures.json").read_text())
    real = figures["real clips in a row"]
    assert (real["programmes"], real["onsets"], real["steady"]["solos"]) == (3, 6, 2)
    assert figures["rows"]["real clips in a row"]["players"] == 6
    held_out = figures["rows"]["held-out recordings in a row"]
    assert held_out["rows"] == 1
    assert held_out["players"] >= 5
    assert run([*command, "--no-programmes", "--real", "held-out", "--rows", "1"]) == 0
    again = json.loads((tmp_path / "figures.json").read_text())
    assert list(again) == ["held-out recordings in a row", "rows"]
    assert again["rows"]["held-out recordings in a row"] == held_out
    assert len((cache / "validation-looks.log").read_text().splitlines()) == 1  # no look this time


@pytest.mark.slow
def test_command_prints_what_smoothing_costs(
    command: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With --tune there is a row for every way of smoothing, today's among them, and no look at real clips."""
    assert run([*command, "--tune"]) == 0
    rows = capsys.readouterr().out.splitlines()[2:]
    assert len(rows) == len(GRID)
    assert sum("(today)" in row for row in rows) == 1
    assert len(json.loads((tmp_path / "figures.json").read_text())) == len(GRID)
    assert run([*command, "--tune", "--real"]) == 1
    assert "nothing is chosen on the validation clips: --tune --real held-out" in capsys.readouterr().err


def test_command_needs_programmes(command: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """A number of programmes below one is refused in one line."""
    assert run([*command, "--programmes", "0"]) == 1
    assert capsys.readouterr().err == "soloist train: --programmes is 0; expected 1 or more\n"
    assert run([*command, "--no-programmes"]) == 1
    assert capsys.readouterr().err == "soloist train: --no-programmes leaves nothing to hear without --real\n"
