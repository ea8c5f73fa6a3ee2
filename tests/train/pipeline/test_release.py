"""What a card tells besides composed clips: rejection, continuous programmes, real clips, a pack with renderings."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("tensorflow", reason="needs the train extra")
pytest.importorskip("pedalboard", reason="needs the train extra")
pytest.importorskip("mir_eval", reason="needs the train extra")

from stream.recognition import bundle as bundles
from tests.support.synthetic_pack import tone, write_pack, write_sound
from tests.support.tensorflow_warnings import ignore_tensorflow_warnings
from train.__main__ import main
from train.compose import rendered_notes, sound_fonts
from train.datasets.labels import INSTRUMENTS
from train.evaluation.programme_result import ProgrammeResult, SteadySolos, programme_summary
from train.evaluation.real_clips import open_real_clips, original_pack
from train.fitting.training_run import TrainingRun

pytestmark = ignore_tensorflow_warnings

TINY = "--clips 96 --validation-clips 40 --epochs 2 --processes 1"


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A pack of chords and clicks, with two real clips of every instrument to judge by."""
    folder = tmp_path_factory.mktemp("data")
    write_pack(folder)
    rows = [["path", "instrument", "track_id"]]
    for number, instrument in enumerate(INSTRUMENTS):
        for take in range(2):
            path = f"validation/{number} {take}.flac"
            low = 110 * 2 ** (number * 0.75) * 2 ** (take / 12)
            write_sound(folder / path, np.tile(sum(tone(low * ratio) for ratio in (1, 1.19, 1.41)) / 4, 2))
            rows.append([path, instrument, f"{number} {take}"])
    with (folder / "validation.csv").open("w", newline="") as file:
        csv.writer(file).writerows(rows)
    return folder


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where features, looks and the pack with rendered notes go."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def made(data: Path, cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Everything that fit makes when all is to be measured and told; its pack gets no more notes for want of fonts."""
    out = tmp_path_factory.mktemp("models")
    (out / "ablation").mkdir()
    (out / "ablation" / "ablation.md").write_text("# What each ingredient brings\n\n| row |\n| --- |\n| codec 7.1 |\n")
    (out / "notes.md").write_text("Violins *screech*.\n")
    flags = f"--data {data} --cache {cache} --out {out} --name toy {TINY} --render --real --programmes 1 --solos 1"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sound_fonts, "FONTS", ())
        told = ["--ablation", str(out / "ablation"), "--notes", str(out / "notes.md")]
        assert main(["fit", *flags.split(), *told]) == 0
    return out


def section(card: str, heading: str) -> str:
    """Cut a section out of a card."""
    found = re.search(rf"^#+ {re.escape(heading)}$(.*?)(?=^## |\Z)", card, re.MULTILINE | re.DOTALL)
    assert found, f"no section {heading}"
    return found[1]


def looks(cache: Path) -> list[str]:
    """Lines of the log of looks."""
    path = cache / "validation-looks.log"
    return path.read_text().splitlines() if path.exists() else []


def test_real_clips_are_scored_in_one_look(made: Path, cache: Path) -> None:
    """With --real the real clips, single and in a row, are in json, evaluation.json, card and report: one look."""
    assert looks(cache)[:1] == ["toy"]
    metrics = bundles.load(made / "toy.json").info["metrics"]
    assert (metrics["validation"]["clips"], metrics["validation_looks"]) == (16, 1)
    assert len(metrics["validation"]["confusion"]) == 8
    assert metrics["programmes"]["real clips in a row"]["steady"]["solos"] == 8
    evaluation = json.loads((made / "toy" / "evaluation.json").read_text())
    assert evaluation["results"]["validation"] == metrics["validation"]
    assert evaluation["programmes"] == metrics["programmes"]
    assert "looked at once" in evaluation["validation_note"]
    card = (made / "toy.md").read_text()
    right = sum(row["right"] for row in metrics["validation"]["per_class"].values())
    average = 100 * metrics["validation"]["class_average"]
    assert f"| validation: class average | {average:.1f} % ({right} of 16 clips) |" in card
    named = sum(row["right"] for label, row in metrics["validation"]["named_per_class"].items() if label != "unknown")
    average = 100 * metrics["validation"]["named_class_average"]
    assert f"| validation: class average of what is named | {average:.1f} % ({named} of 16 clips) |" in card
    worst = metrics["validation"]["per_class"][metrics["validation"]["worst_class"]]
    assert re.search(rf"validation: worst class \| .* \({worst['right']} of {worst['clips']}\)", card)
    assert card.count("looked at once while this model was made.") == 1
    report = (made / "toy" / "report.html").read_text()
    assert "looked at once while this model was made." in report
    missed = metrics["programmes"]["real clips in a row"]["missed"]
    onsets = metrics["programmes"]["real clips in a row"]["onsets"]
    assert f">{missed} of {onsets}</td>" in report


def test_card_tells_how_programmes_are_followed(made: Path) -> None:
    """The card's section has delay, missed onsets, flicker and false labels of json, composed and real, with counts."""
    figures = bundles.load(made / "toy.json").info["metrics"]["programmes"]
    told = section((made / "toy.md").read_text(), "In the stream")
    composed, real = figures["composed programmes"], figures["real clips in a row"]
    assert "| figure | composed programmes | real clips in a row |" in told
    assert (composed["programmes"], composed["steady"]["solos"], real["programmes"]) == (1, 1, 3)
    assert f"| missed | {composed['missed']} of {composed['onsets']} | {real['missed']} of {real['onsets']} |" in told
    changes = re.search(r"label changes per minute of steady solos \| [\d.]+ \((\d+) in", told)
    assert changes
    assert int(changes[1]) == composed["steady"]["changes"]
    false = re.search(r"false labels per minute with nobody in front \| [\d.]+ \((\d+) in", told)
    assert false
    assert int(false[1]) == composed["false_labels"]


def test_card_tells_what_is_rejected(made: Path) -> None:
    """Of the instruments' clips 90 % or more pass the one threshold, and the counts are those of json and confusion."""
    metrics = bundles.load(made / "toy.json").info["metrics"]
    one, together, own = metrics["rejection"][:3]
    assert together["accepted"] / together["instrument_clips"] >= 0.9
    assert one["clips"] == own["clips"] == "held-out sources"
    assert 0.9 <= one["accepted"] / one["instrument_clips"] < 1
    assert one["instrument_clips"] + one["unknown_clips"] == metrics["held-out sources"]["clips"]
    matrix = np.array(metrics["held-out sources"]["named_confusion"])
    assert (own["accepted"], own["rejected"]) == (matrix[:-1, :-1].sum(), matrix[-1, -1])
    told = section((made / "toy.md").read_text(), "What is none of them")
    assert f"({one['accepted']} of {one['instrument_clips']})" in told
    assert f"({one['rejected']} of {one['unknown_clips']})" in told
    assert f"({own['rejected']} of {own['unknown_clips']})" in told


def test_card_has_findings_and_ablation(made: Path) -> None:
    """Findings stand verbatim under their heading, the ablation's page is a section, and the command is told."""
    card = (made / "toy.md").read_text()
    assert section(card, "What it gets wrong, and why").strip() == "Violins *screech*."
    assert section(card, "What each ingredient brings").strip() == "| row |\n| --- |\n| codec 7.1 |"
    assert section(card, "How to train it again").count("soloist train fit --data ") == 1
    headings = re.findall("^#+ .*", card, re.MULTILINE)
    assert len(headings) == len(set(headings))


def test_rendered_pack_names_the_original(made: Path, data: Path, cache: Path) -> None:
    """A run with --render composes of CACHE/pack; card and json name the original without its folder."""
    run = TrainingRun.load(made / "toy")
    assert run.data.path == cache / "pack"
    assert "--render" in run.command.split()
    assert f"--data {data}" in run.command
    assert original_pack(run.data.path) == data.resolve()
    assert original_pack(data) == data
    assert open_real_clips(run.data.path).clips == open_real_clips(data.resolve()).clips
    training = bundles.load(made / "toy.json").info["training"]
    assert training["settings"]["data"]["rendered_from"] == data.name
    assert training["data_set"] == f"clips composed of {data.name} and of notes rendered from sound fonts"
    card = (made / "toy.md").read_text()
    assert f"`{training['pack_digest']}`" in card
    for text in (card, (made / "toy.json").read_text()):
        assert str(data.parent) not in text
        assert str(cache) not in text
    assert training["data_set"] in card
    assert "rendered from free sound fonts with FluidSynth" in card


def test_export_finds_the_pack_and_looks_only_when_told(
    made: Path, cache: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Export composes of the run's pack again and takes no look; with --real it and report take one each."""
    before = looks(cache)
    flags = f"--cache {cache} --processes 1 --no-programmes".split()
    assert main(["export", str(made / "toy"), "--out", str(tmp_path), *flags]) == 0
    assert looks(cache) == before
    assert (tmp_path / "toy.tflite").read_bytes() == (made / "toy.tflite").read_bytes()
    card = (tmp_path / "toy.md").read_text()
    assert "were not looked at for this card" in card
    assert "In the stream" not in card
    assert not {"validation", "validation_looks", "programmes"} & set(
        bundles.load(tmp_path / "toy.json").info["metrics"]
    )
    bundle = ["--model", str(made / "toy.json")]
    assert main(["report", str(made / "toy"), *bundle, *flags, "--real"]) == 0
    assert looks(cache) == [*before, "toy"]
    evaluation = json.loads((made / "toy" / "evaluation.json").read_text())
    assert list(evaluation["programmes"]) == ["real clips in a row"]
    capsys.readouterr()


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        ("--data {tones} --render", "--render needs a pack, a folder with training.csv; {tones} is none"),
        (
            "--data {tones} --real",
            "{tones} is no pack with real clips: name the folder of a validation.csv, --real PACK",
        ),
        ("--data {data} --real {tones}", "validation.csv"),
        ("--data {data} --programmes -1", "--programmes is -1; expected 0 or more"),
        ("--data {data} --notes {tones}/none.md", "cannot read {tones}/none.md"),
        ("--data {data} --ablation {tones}", "cannot read {tones}/ablation.md"),
    ],
)
def test_what_cannot_be_measured_is_told_first(
    flags: str, said: str, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A pack that is none, absent clips and absent texts end with one line before anything is trained, and no look."""
    tones = tmp_path / "tones"
    (tones / "low").mkdir(parents=True)
    given = flags.format(tones=tones, data=data).split()
    assert main(["fit", *given, "--out", str(tmp_path / "out"), "--cache", str(tmp_path)]) == 1
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert error.startswith("soloist train: ")
    assert said.format(tones=tones) in error
    assert looks(tmp_path) == []
    assert not (tmp_path / "out").exists()


def test_another_packs_renderings_are_not_taken(data: Path, tmp_path: Path, capsys, monkeypatch) -> None:
    """A cache with the rendered notes of one pack is refused for another, in one line."""
    monkeypatch.setattr(sound_fonts, "FONTS", ())
    other = tmp_path / "other"
    write_pack(other)
    rendered_notes.render_pack(other, tmp_path / "pack", ())
    assert main(["fit", "--data", str(data), "--render", "--out", str(tmp_path), "--cache", str(tmp_path)]) == 1
    assert f"pack was rendered for {other}: name another --cache, or delete it" in capsys.readouterr().err


def test_summary_of_a_known_case() -> None:
    """What decides is told with the counts it comes from; a tenth that is missed is not hidden."""
    delays = (0.5, 1.0, 1.5, float("inf"))
    steady = SteadySolos(solos=2, seconds=120.0, changes=3, right=110.0)
    timing = ProgrammeResult("two", 2, 60.0, delays, 9, 4, 30.0, 1, 3.0, 45.0, 6, (3, 5), 0.8, 0.02, steady)
    rows = dict(line.strip("| ").split(" | ") for line in programme_summary([timing]).splitlines()[2:])
    assert rows["onsets of an instrument"] == "4 in 1.0 min"
    assert rows["delay of its label, median"] == "1.00 s"
    assert rows["delay of its label, 90 % of onsets"] == "missed"
    assert rows["missed"] == "1 of 4"
    assert rows["label changes per minute of steady solos"] == "1.50 (3 in 2.0 min) of 2 solos"
    assert rows["false labels per minute with nobody in front"] == "2.00 (1 in 0.5 min)"
    assert rows["label changes per minute beyond the true ones"] == "4.00 (4 in 1.0 min)"
    assert rows["time with the right label"] == "75.0 %"
    assert rows["boundaries within 0.5 s, F-measure (mir_eval)"] == "40.0 % (3 matched of 6 true, 9 told)"
    assert rows["frame pairs, F-measure (mir_eval)"] == "80.0 %"
