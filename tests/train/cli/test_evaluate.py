"""The command that measures a bundle on real recordings that no model learns from, beside other models."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("tensorflow", reason="the laboratory's command line needs all of the train extra")
pytest.importorskip("mir_eval", reason="needs the train extra")
pytest.importorskip("pedalboard", reason="needs the train extra")

from stream.recognition import bundle as bundles
from stream.recognition.mel import WINDOW
from tests.support.synthetic_pack import write_pack, write_songs
from tests.support.tensorflow_warnings import ignore_tensorflow_warnings
from tests.support.tiny_models import FOLDER
from train.__main__ import main
from train.datasets.labels import ALL_LABELS, INSTRUMENTS
from train.evaluation.embeddings import bundle_embedding
from train.evaluation.real_measurements import measure_on_real
from train.report.measured_sections import real_sections

pytestmark = [ignore_tensorflow_warnings, pytest.mark.slow]


def test_every_class_is_measured_on_held_out_recordings(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A model of 31 labels has a table of the line-up, one of all classes, rejection by both rules, and its peers."""
    pack = tmp_path / "pack"
    write_pack(pack)
    write_songs(pack)
    model = str(FOLDER / "tiny-129.json")
    flags = ["--cache", str(tmp_path / "cache"), "--processes", "1", "--json", str(tmp_path / "figures.json")]
    command = ["evaluate", model, "--data", str(pack), "--no-clips", "--held-out", "--beside", "published", *flags]
    assert main(command) == 0
    out = capsys.readouterr().out
    figures = json.loads((tmp_path / "figures.json").read_text())
    assert list(figures) == [
        *("held-out recordings", "held-out recordings, all classes", "held-out recordings, rejection", "peers"),
    ]
    assert len(figures["held-out recordings"]["per_class"]) >= 4
    assert set(figures["held-out recordings"]["per_class"]) <= set(INSTRUMENTS)
    classes = figures["held-out recordings, all classes"]
    assert {"synthesizer", "accordion"} <= set(classes["classes"]) <= set(ALL_LABELS)
    assert classes["classes"]["accordion"]["clips"] == 3
    assert "cello" in classes["without_clips"]
    for what in ("the most probable instrument", "all of the line-up together", "the thresholds of the bundle"):
        assert f"{what}" in out
    rows = figures["held-out recordings, rejection"]
    assert all(row["accepted"] >= 0.9 * row["instrument_clips"] for row in rows[:2])
    assert list(figures["peers"]) == ["tiny-129", "published"]
    assert "| published |" in out
    assert main([*command[:2], "--data", str(tmp_path), "--held-out"]) == 1
    assert "is no pack: --no-clips, --held-out, --embedding and other models need one" in capsys.readouterr().err


def test_all_that_is_real_is_measured_at_once(tmp_path: Path) -> None:
    """One call has windows, classes, rejection, rows and peers, for the json and for the card's sections."""
    write_pack(tmp_path / "pack")
    write_songs(tmp_path / "pack")
    bundle = bundles.load(str(FOLDER / "tiny-129.json"))
    peer = {"guess": lambda window: np.full(len(ALL_LABELS), float(np.abs(window).max()))}
    real = measure_on_real(bundle, tmp_path / "pack", tmp_path / "cache", rows=1, beside=[bundle], peers=peer)
    assert [found.name for found in real.peers] == ["tiny-129", "tiny-129", "guess"]
    assert real.peers[0] == real.peers[1]
    assert [row.rows for row in real.rows] == [1]
    figures = json.loads(json.dumps(real.figures(), allow_nan=False))
    assert figures["rows"]["held-out recordings in a row"]["players"] == real.rows[0].players
    text = "\n".join(real_sections(real, INSTRUMENTS))
    for heading in ("## Every class", "## Real recordings in a row", "## Beside others"):
        assert heading in text
    assert "## Instruments that it never heard" not in text


def test_embedding_is_the_bundles_own_or_made_of_its_names() -> None:
    """Of unit length where the model has one; the same window gives the same, another one another."""
    rng = np.random.default_rng(0)
    one, other = (rng.normal(size=WINDOW).astype(np.float32) * 0.1 * np.hanning(WINDOW) ** power for power in (0, 8))
    for model, name, length in (
        (str(FOLDER / "tiny-128.json"), "tiny-128", 64),
        ("published", "published, by its names", len(INSTRUMENTS) + 1),
    ):
        told, embed = bundle_embedding(bundles.load(model))
        assert told == name
        first, second = embed(one.astype(np.float32)), embed(other.astype(np.float32))
        assert first.shape == (length,)
        np.testing.assert_array_equal(embed(one.astype(np.float32)), first)
        assert not np.array_equal(first, second)
        assert length == 9 or np.linalg.norm(first) == pytest.approx(1, abs=1e-5)
