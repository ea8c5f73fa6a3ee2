"""The study and the search, on sounds that train in seconds."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("tensorflow", reason="needs the train extra")
pytest.importorskip("optuna", reason="needs the train extra")

import optuna

from stream.errors import ConfigError
from stream.recognition.interpreter import Interpreter
from tests.support.synthetic_pack import tone, write_pack, write_sound
from train.data_settings import DataSettings
from train.datasets.labels import TASKS
from train.experiments import study_table
from train.experiments.search import load_best, run_search
from train.experiments.study import ROWS, run_study
from train.experiments.study_results import Spread
from train.fitting.schedule import Schedule

# Training processes on all cores: several such tests at a time would only wait for each other.
pytestmark = pytest.mark.xdist_group("training processes")

QUICK = Schedule(epochs=2, batch=8, rate=2e-3, smoothing=0.0, patience=2, augmented=False)
GUITAR, SINGER = TASKS["2"]


@pytest.fixture(scope="module")
def tones(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for two instruments of the study: ten recordings of each, low tones and high ones."""
    root = tmp_path_factory.mktemp("tones")
    for label, hertz in ((GUITAR, 150.0), (SINGER, 900.0)):
        for number in range(10):
            write_sound(root / label / f"{number}.flac", np.tile(0.5 * tone(hertz * 2 ** (number / 30)), 2))
    return root


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for features."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def done(tones: Path, cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a study of two rows with two seeds."""
    out = tmp_path_factory.mktemp("done")
    run(tones, cache, out)
    return out


def run(data: Path, cache: Path, out: Path, **settings):
    """Study two rows on tones."""
    plain = {"tasks": ["2"], "rows": ["0a", "2B + delta"], "seeds": 2, "schedule": QUICK, "processes": 2}
    return run_study(DataSettings(data), cache, out, progress=False, **{**plain, **settings})


def figures(out: Path) -> dict:
    """What study.json says, without what time it took."""
    record = json.loads((out / "study.json").read_text())
    for entry in record["trainings"]:
        del entry["seconds"]
    for entry in record["compacts"]:
        del entry["milliseconds"]
    return record


def test_study_scores_every_row_seed_and_split(done: Path) -> None:
    """Each row has a training for each seed, scored on all three splits, and one int8 model that the service runs."""
    record = json.loads((done / "study.json").read_text())
    assert [(t["row"], t["seed"]) for t in record["trainings"]] == [
        ("0a", 0),
        ("0a", 1),
        ("2B + delta", 0),
        ("2B + delta", 1),
    ]
    clips = {split: sum(counts) for split, counts in record["materials"]["2"]["clips"].items()}
    assert sum(clips.values()) == 20
    for training in record["trainings"]:
        assert {split: score["clips"] for split, score in training["scores"].items()} == clips
        assert all(0 <= score["right"] <= score["clips"] for score in training["scores"].values())
        assert 1 <= training["best"] <= training["epochs"] <= 2
    for compact, name, channels in zip(record["compacts"], ("2-0a", "2-2B-delta"), (1, 2), strict=True):
        content = (done / "models" / f"{name}.tflite").read_bytes()
        assert compact["size"] == len(content)
        assert Interpreter(content).input.shape == (1, 129, 129, channels)
        assert compact["milliseconds"] > 0
        assert compact["test"]["clips"] == clips["test"]


def test_table_stands_beside_what_was_published(done: Path, tones: Path, cache: Path) -> None:
    """The table fits a terminal, has the published figure once per task, and says whose figures ours are."""
    shown = study_table.study_text(run(tones, cache, done))
    assert max(map(len, shown.splitlines())) <= 120
    assert shown.count("98 to 100 %") == 1
    assert "not the publication's" in shown
    assert "project's brief alone" in shown
    assert "The channel delta changes the test class average of 2B" not in shown  # there is no row without it
    row = next(line for line in shown.splitlines() if line.startswith("0a "))
    assert row.count("±") == 6

    page = (done / "study.md").read_text()
    assert "98 to 100 %" in page
    assert all(ROWS[name].variant.described in page for name in ("0a", "2B + delta"))
    lines = list(csv.DictReader((done / "study.csv").read_text().splitlines()))
    assert [(line["row"], line["split"]) for line in lines[:3]] == [
        ("published", ""),
        ("0a", "training"),
        ("0a", "validation"),
    ]
    assert lines[0]["accuracy_min"] == "0.98"
    assert {line["seeds"] for line in lines[1:]} == {"2"}


def test_study_goes_on_with_what_is_missing(tones: Path, cache: Path, done: Path, tmp_path: Path) -> None:
    """A study that lost half of its trainings makes these again, with one process as with two, and nothing else."""
    record = json.loads((done / "study.json").read_text())
    record["trainings"] = record["trainings"][1:3]
    record["compacts"] = record["compacts"][1:]
    for training in record["trainings"]:
        training["seconds"] = -1
    (tmp_path / "models").mkdir()
    for model in (done / "models").iterdir():
        if model.name != "2-0a.tflite":
            (tmp_path / "models" / model.name).write_bytes(model.read_bytes())
    (tmp_path / "study.json").write_text(json.dumps(record))
    again = run(tones, cache, tmp_path, processes=1)
    assert [training.seconds == -1 for training in again.trainings] == [False, True, True, False]
    assert figures(tmp_path) == figures(done)
    for model in (done / "models").iterdir():
        assert (tmp_path / "models" / model.name).read_bytes() == model.read_bytes()


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"schedule": Schedule(epochs=3, batch=8)}, "epochs 2, now 3"),
        ({"tasks": ["5"]}, "tasks are 5; expected some of 2, 3, 4, 8"),
        ({"rows": ["9"]}, "rows are 9; expected some of 0a"),
        ({"seeds": 0}, "seeds are 0"),
        ({"tasks": ["3"]}, "no folder of clarinet"),
    ],
)
def test_wrong_settings_are_refused(tones: Path, cache: Path, done: Path, settings: dict, reason: str) -> None:
    """What is not there, or not what the folder's study was done with, is told in one line."""
    before = (done / "study.json").read_text()
    with pytest.raises(ConfigError, match=reason) as refused:
        run(tones, cache, done, **settings)
    assert "\n" not in str(refused.value)
    assert (done / "study.json").read_text() == before


def test_other_clips_are_refused(tones: Path, cache: Path, done: Path) -> None:
    """A study does not go on with other clips than it began with."""
    with pytest.raises(ConfigError, match="other clips for task 2"):
        run_study(DataSettings(tones, seed=1), cache, done, tasks=["2"], rows=["0a"], schedule=QUICK, progress=False)


def test_study_composes_one_set_of_clips_for_all_tasks(tmp_path: Path) -> None:
    """Of a pack, the clips of the smaller task are those of the larger one that have its labels."""
    write_pack(tmp_path / "pack", three_way=True)
    each = {"training": 6, "validation": 3, "test": 3}
    found = run_study(
        DataSettings(tmp_path / "pack"),
        tmp_path / "cache",
        tmp_path / "out",
        tasks=["2", "4"],
        rows=["0a"],
        seeds=1,
        schedule=QUICK,
        each=each,
        processes=1,
        progress=False,
    )
    small, large = found.materials["2"], found.materials["4"]
    assert sum(large.clips["training"]) == 24
    for split in each:
        of_large = dict(zip(large.labels, large.clips[split], strict=True))
        assert dict(zip(small.labels, small.clips[split], strict=True)) == {
            label: of_large[label] for label in TASKS["2"]
        }
    shown = " ".join(study_table.study_text(found).split())
    assert "this pack's figures, not the publication's" in shown
    assert "±" not in shown.split("Ours")[0]  # of one seed there is no deviation


@pytest.mark.parametrize("action", [run_study, run_search])
def test_clips_for_validation_only_are_not_trained_with(tones: Path, tmp_path: Path, action: Callable) -> None:
    """Neither command takes a clip that a table keeps for validation only, through a link or not."""
    home = tmp_path / "validation"
    home.mkdir()
    source = next((tones / GUITAR).iterdir())
    (home / "kept.flac").write_bytes(source.read_bytes())
    (tmp_path / "validation.csv").write_text("path,instrument\nvalidation/kept.flac,x\n")
    for label in (GUITAR, SINGER):
        (tmp_path / "data" / label).mkdir(parents=True)
        for path in (tones / label).iterdir():
            (tmp_path / "data" / label / path.name).symlink_to(path)
    (tmp_path / "data" / GUITAR / "kept.flac").symlink_to(home / "kept.flac")
    extra = {"tasks": ["2"]} if action is run_study else {}
    with pytest.raises(ConfigError, match="keeps it for validation only"):
        action(DataSettings(tmp_path / "data"), tmp_path / "cache", tmp_path / "out", progress=False, **extra)


def test_search_goes_on_and_ends_the_same(tones: Path, cache: Path, tmp_path: Path) -> None:
    """Two trials and then one more are the three that a search makes in one go, and its report tells of all."""

    def look(out: Path, trials: int):
        return run_search(DataSettings(tones), cache, out, trials=trials, epochs=1, progress=False)

    look(tmp_path / "parts", 2)
    stored = optuna.load_study(study_name="search", storage=f"sqlite:///{tmp_path / 'parts' / 'search.sqlite'}")
    stored.ask()  # as a trial is left that was killed
    best = look(tmp_path / "parts", 3)
    assert look(tmp_path / "whole", 3).validation == best.validation
    both = [
        optuna.load_study(study_name="search", storage=f"sqlite:///{tmp_path / name / 'search.sqlite'}")
        for name in ("parts", "whole")
    ]
    parts, whole = ([(t.params, t.values) for t in one.trials if t.values] for one in both)
    assert parts == whole
    assert len(whole) == 3

    report = (tmp_path / "whole" / "search.md").read_text()
    assert "3 trials" in report
    assert "--settings" in report
    assert (tmp_path / "whole" / "search.png").read_bytes().startswith(b"\x89PNG")
    assert load_best(tmp_path / "parts" / "best.json") == (best.variant, best.schedule, ("mel",))
    with pytest.raises(ConfigError, match="epochs 1, now 2"):
        run_search(DataSettings(tones), cache, tmp_path / "whole", trials=3, epochs=2, progress=False)


def test_spread_of_seeds() -> None:
    """The deviation is that of a sample; one seed has none."""
    assert Spread.of([0.9, 0.95, 1.0]) == Spread(pytest.approx(0.95), pytest.approx(0.05), 0.9, 1.0)
    assert Spread.of([0.9]).deviation is None
