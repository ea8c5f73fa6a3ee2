"""The ablation: rows that lack an ingredient, trained on a pack of synthetic sounds."""

from __future__ import annotations

import json
import math
import shutil
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("tensorflow", reason="needs the train extra")

from stream.errors import ConfigError, SourceError
from stream.recognition.interpreter import Interpreter
from tests.support.synthetic_pack import tone, write_pack, write_sound
from train import __main__
from train.compose.composer import INGREDIENTS
from train.data_settings import DataSettings
from train.evaluation.clip_metrics import class_average
from train.experiments import ablation_results, ablation_table
from train.experiments.ablation import SCHEDULE, run_ablation
from train.experiments.ablation_results import Ablation, Difference, paired_difference
from train.experiments.ablation_rows import ablation_rows, choose_rows
from train.fitting.augmentation import AUGMENTATIONS
from train.fitting.schedule import Schedule

INSTRUMENTS = ("flute", "trumpet")
QUICK = Schedule(epochs=1, batch=8, handovers=0.25)
ROWS = ["full", "composer/codec", "augmentation/mixup", "network/0a"]
FLAGS = "--instruments flute,trumpet --unknown --clips 24 --validation-clips 18 --network 2B"
RUNNING = "--full-seeds 2 --epochs 1 --processes 1"


@dataclass
class Place:
    """Where an ablation lives, and who looks."""

    data: Path
    cache: Path
    out: Path
    looks: list[str] = field(default_factory=list)

    def run(self, **settings) -> Ablation:
        """Run the ablation of this file, or a different one."""
        plain = {
            "network": "2B",
            "only": ROWS[1:],
            "schedule": QUICK,
            "processes": 1,
            "full_seeds": 2,
            "progress": False,
        }
        data = settings.pop("data", self.pack)
        return run_ablation(data, self.cache, self.out, **{**plain, **settings})

    @property
    def pack(self) -> DataSettings:
        """Two instruments and what is neither."""
        return DataSettings(self.data, INSTRUMENTS, unknown=True, clips=24, validation_clips=18)

    def look(self) -> int:
        """Count a look."""
        self.looks.append("look")
        return 6 + len(self.looks)

    def copy(self, out: Path) -> Place:
        """Copy what came out, to go on with it elsewhere."""
        shutil.copytree(self.out, out)
        return Place(self.data, self.cache, out)


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """An ablation of three ingredients, scored on five real clips, of which one is of no instrument asked for."""
    root = tmp_path_factory.mktemp("ablation")
    write_pack(root / "pack")
    table = ["path,instrument"]
    for label in (*INSTRUMENTS, *INSTRUMENTS, "violin"):
        path = f"validation/{len(table)}.flac"
        write_sound(root / "pack" / path, np.tile(0.5 * tone(200.0 * len(table)), 2))
        table.append(f"{path},{label}")
    (root / "pack" / "validation.csv").write_text("\n".join(table))
    place = Place(root / "pack", root / "cache", root / "out")
    place.run(look=place.look)
    return place


def stored(place: Place) -> dict:
    """What ablation.json says."""
    return json.loads((place.out / "ablation.json").read_text())


def told(found: Ablation, row: str) -> str:
    """The row's line in the terminal."""
    return next(line for line in ablation_table.ablation_text(found).splitlines() if line.startswith(f"{row} "))


def test_rows_lack_what_they_say(done: Place) -> None:
    """Each row that was asked for is trained, in the order of declaration, and all are scored on the same clips."""
    record = stored(done)
    assert list(record["rows"]) == ROWS
    assert [(trial["row"], trial["seed"]) for trial in record["trials"]] == [
        ("full", 0),
        ("full", 1),
        *((row, 0) for row in ROWS[1:]),
    ]
    targets = record["held"]["targets"]
    assert len(targets) == 18
    assert set(targets) == {"0", "1", "2"}
    assert sorted(record["real"]["targets"]) == ["0", "0", "1", "1"]
    for trial in record["trials"]:
        assert len(trial["held"]["best"]) == len(targets)
        assert set(trial["held"]["best"]) <= {"0", "1"}
        assert 0 <= trial["held"]["rejected"] <= 1
        assert trial["held"]["likelihood"] > 0
        assert trial["real"]["rejected"] is None
        content = (done.out / "models" / f"{trial['row'].replace('/', '-')}-{trial['seed']}.tflite").read_bytes()
        assert len(content) == trial["size"]
        assert Interpreter(content).output.shape == (1, 3)
    full, *_, other = record["trials"]
    assert full["parameters"] < other["parameters"]


def test_only_the_composer_s_rows_have_clips_of_their_own(done: Place) -> None:
    """Training clips of the full recipe serve all rows but those that compose otherwise."""
    models = {row: (done.out / "models" / f"{row.replace('/', '-')}-0.tflite").read_bytes() for row in ROWS}
    assert len(set(models.values())) == len(ROWS)  # every row learned something else
    schedules = {row: line.schedule for row, line in ablation_rows("2B", QUICK).items()}
    assert schedules["composer/codec"] == schedules["full"] == QUICK
    assert schedules["augmentation/mixup"].without == ("mixup",)
    assert schedules["training/average"].average == schedules["training/handovers"].handovers == 0


def test_table_shows_what_is_stored(done: Place) -> None:
    """Averages, counts and differences in the table are those of the stored labels, and fit a terminal."""
    record, found = stored(done), ablation_results.load_ablation(done.out / "ablation.json")
    page = (done.out / "ablation.md").read_text()
    for which, average, gain in (("held", 1, 3), ("real", 7, 9)):
        targets = np.array(list(map(int, record[which]["targets"])))
        solo = targets < 2
        shares = {}
        for row in ROWS:
            called = [trial[which]["best"] for trial in record["trials"] if trial["row"] == row]
            bests = [np.array(list(map(int, best)))[solo] for best in called]
            shares[row] = np.mean([class_average(targets[solo], best) for best in bests])
            right = sum(int(np.sum(best == targets[solo])) for best in bests)
            cells = told(found, row).replace(" ±", "±").replace(" *", "*").split()
            assert cells[average : average + 2] == [f"{100 * shares[row]:.1f}", str(right)]
            gained = 100 * (shares[row] - shares["full"])
            assert cells[gain].partition("±")[0] == ("-" if row == "full" else f"{gained:+.1f}")
            line = next(line for line in page.splitlines() if line.startswith(f"| {row} |"))
            assert f"({right} of {len(bests) * solo.sum()})" in line
    assert max(map(len, ablation_table.ablation_text(found).splitlines())) <= 120


def test_ablation_goes_on_with_what_is_missing(done: Place, tmp_path: Path) -> None:
    """An ablation that lost a training makes it again, as it was, and nothing else."""
    place = done.copy(tmp_path / "out")
    record = stored(place)
    lost = record["trials"].pop(3)
    for trial in record["trials"]:
        trial["seconds"] = -1
    (place.out / "ablation.json").write_text(json.dumps(record))
    again = place.run(look=place.look)
    assert [trial.seconds == -1 for trial in again.trials] == [True, True, True, False, True]
    (made,) = (trial for trial in stored(place)["trials"] if trial["seconds"] != -1)
    assert {**made, "seconds": 0} == {**lost, "seconds": 0}
    assert again.looks == [7, 7]  # the first one, and that at the new model


def test_one_look_for_a_table(done: Place, tmp_path: Path) -> None:
    """All rows are scored on the real clips in one look; without one they are not; a second run takes none."""
    assert done.looks == ["look"]
    assert stored(done)["looks"] == [7]
    assert "in look 7 of all that were counted. They chose nothing here." in " ".join(
        ablation_table.ablation_text(done.run(look=done.look)).split()
    )
    assert done.looks == ["look"]

    place = done.copy(tmp_path / "out")
    record = stored(place)
    record.update(real=None, looks=[], trials=[{**trial, "real": None} for trial in record["trials"]])
    (place.out / "ablation.json").write_text(json.dumps(record))
    blind = place.run()
    assert (blind.real, blind.looks) == (None, [])
    assert told(blind, "full").split()[-5:-2] == ["-", "-", "-"]
    assert "real class average" not in (place.out / "ablation.md").read_text()
    place.run(look=place.look)
    assert stored(place) == stored(done)


def test_missing_model_is_named(done: Place, tmp_path: Path) -> None:
    """A model that is to be scored and is gone is named, with what to do."""
    place = done.copy(tmp_path / "out")
    record = stored(place)
    record["trials"][0]["real"] = None
    (place.out / "ablation.json").write_text(json.dumps(record))
    (place.out / "models" / "full-0.tflite").unlink()
    with pytest.raises(SourceError, match=r"full-0\.tflite: No such file or directory; remove .* and start over"):
        place.run(look=place.look)


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"schedule": Schedule(epochs=2, batch=8, handovers=0.25)}, "epochs 1, now 2"),
        ({"network": "0a", "only": ["training"]}, "row full 'all ingredients; 3 .*, now 'all ingredients; 2 convol"),
        ({"network": "9"}, "no network '9'; there are"),
        ({"only": ["composer/magic"]}, "no row composer/magic; there are full, composer/"),
        ({"seeds": 0}, "seeds are 0 and 2, processes 1; expected 1 or more of each"),
        ({"processes": 0}, "processes 0"),
    ],
)
def test_wrong_settings_are_refused(done: Place, settings: dict, reason: str) -> None:
    """What is not there, or not what the folder's ablation was done with, is told in one line."""
    before = stored(done)
    with pytest.raises(ConfigError, match=reason) as refused:
        done.run(**settings)
    assert "\n" not in str(refused.value)
    assert stored(done) == before


def test_other_clips_are_refused(done: Place, tmp_path: Path) -> None:
    """An ablation does not go on with other clips than it began with, nor with data that nothing is composed of."""
    more = DataSettings(done.data, INSTRUMENTS, unknown=True, clips=24, validation_clips=19)
    with pytest.raises(ConfigError, match=r"held-out clips \w+, now \w+"):
        done.run(data=more)
    for label in INSTRUMENTS:
        for name in "abc":
            write_sound(tmp_path / "folder" / label / f"{name}.flac", np.tile(tone(200.0), 2))
    with pytest.raises(ConfigError, match="folder is no pack"):
        done.run(data=DataSettings(tmp_path / "folder", clips=24))


def test_broken_results_are_named(done: Place, tmp_path: Path) -> None:
    """A file that is no ablation is named."""
    place = done.copy(tmp_path / "out")
    (place.out / "ablation.json").write_text("{}")
    with pytest.raises(SourceError, match=r"cannot read the ablation .*ablation\.json"):
        place.run()


def test_command_prints_the_table(done: Place, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The command goes on with a folder and prints its table; its look at the real clips is logged."""
    place = done.copy(tmp_path / "out")
    record = stored(place)
    record.update(real=None, looks=[], trials=[{**trial, "real": None} for trial in record["trials"]])
    (place.out / "ablation.json").write_text(json.dumps(record))
    arguments = ["ablation", "--data", str(done.data), "--out", str(place.out), "--cache", str(done.cache)]
    assert __main__.main([*arguments, *FLAGS.split(), *RUNNING.split(), "--only", ", ".join(ROWS[1:]), "--real"]) == 0
    found = ablation_results.load_ablation(place.out / "ablation.json")
    assert capsys.readouterr().out == ablation_table.ablation_text(found) + "\n"
    assert found.looks == [1]
    assert (done.cache / "validation-looks.log").read_text() == f"ablation {place.out}\n"
    assert __main__.main([*arguments, *FLAGS.split(), "--handovers", "2"]) == 1
    assert "--handovers is 2; expected 0 to 1" in capsys.readouterr().err


def test_rows_are_all_that_can_be_left_out() -> None:
    """There is a row for every ingredient, augmentation and other network, and for what the schedule has."""
    known = ablation_rows("small", SCHEDULE)
    names = list(known)
    assert names[0] == "full"
    for group, members in (("composer", INGREDIENTS), ("augmentation", AUGMENTATIONS)):
        assert [name for name in names if name.startswith(f"{group}/")] == [f"{group}/{name}" for name in members]
    assert {"training/handovers", "training/average", "network/2B", "network/lead"} < set(names)
    assert "network/small" not in names
    assert [line.without for name, line in known.items() if name.startswith("composer/")] == list(INGREDIENTS)

    plain = ablation_rows("small", Schedule(augmented=False, average=0.0, handovers=0.0))
    assert {name.partition("/")[0] for name in plain} == {"full", "composer", "network"}


def test_rows_are_chosen_by_name_or_group() -> None:
    """The full recipe is always trained; of the published networks only 2B, unless another one is named."""
    known = ablation_rows("small", SCHEDULE)
    assert choose_rows(["network/0a", "composer/codec"], known) == ["full", "composer/codec", "network/0a"]
    assert choose_rows(["training"], known) == ["full", "training/handovers", "training/average"]
    usual = choose_rows([], known)
    assert [name for name in known if name not in usual] == [
        f"network/{name}" for name in ("0a", "0a-tanh", "1", "2", "2-tanh", "2-mixed", "3", "3-5x5")
    ]


def test_difference_is_paired() -> None:
    """The error is that of paired differences, averaged over the labels as the class average is."""
    targets = np.array([0, 0, 0, 0, 1, 1])
    full = np.array([0, 0, 1, 1, 1, 0])
    other = np.array([0, 0, 0, 1, 0, 0])  # one more of label 0, one less of label 1
    once = paired_difference(targets, [full], [other])
    assert once == Difference(pytest.approx(-0.125), pytest.approx(math.sqrt((0.25 / 4 + 0.5 / 2) / 4)))
    assert str(once) == "-12.5 ±28.0"
    assert paired_difference(targets, [full], [full]) == Difference(0.0, 0.0)

    # Another seed without a change halves the mean; how far the seeds lie apart is part of the error of both rows.
    twice = paired_difference(targets, [full], [other, full])
    assert twice.mean == pytest.approx(-0.0625)
    seeds = (0.125**2 / 2) * (1 + 1 / 2)
    assert twice.error == pytest.approx(math.sqrt((0.25 / 4 + 0.5 / 2) / 16 + seeds))
    swapped = paired_difference(targets, [other, full], [full])
    assert swapped == Difference(pytest.approx(0.0625), pytest.approx(twice.error))


def test_difference_says_what_is_beyond_chance() -> None:
    """An asterisk marks more than two standard errors; of a single clip no error is known."""
    targets = np.repeat([0, 1], 50)
    wrong = 1 - targets
    some = np.where(np.arange(100) % 5 == 0, wrong, targets)
    assert str(paired_difference(targets, [targets], [some])) == "-20.0 ±4.0 *"
    assert paired_difference(np.array([0, 1, 1]), [np.zeros(3, int)], [np.ones(3, int)]).error is None
