"""`soloist train further` from a pack to a bundle and its card, and what it learns from a teacher."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("tensorflow", reason="needs the train extra")
pytest.importorskip("pedalboard", reason="needs the train extra")
pytest.importorskip("mir_eval", reason="needs the train extra")

import keras

from stream.errors import ConfigError
from stream.recognition.bundle import load
from stream.recognition.classifier import Classifier
from stream.recognition.mel import WINDOW
from stream.recognition.mel_128 import FRAMES, N_MELS
from tests.support.synthetic_pack import tone, write_pack, write_sound
from tests.support.tensorflow_warnings import ignore_tensorflow_warnings
from tests.support.tiny import INTEGER, REAL, copied
from train.__main__ import main
from train.compose import fluidsynth, unheard
from train.datasets.labels import ALL_LABELS, INSTRUMENTS
from train.evaluation import real_measurements
from train.export.format_two import write_format_two
from train.export.provenance import Provenance
from train.export.several_outputs import convert
from train.networks.efficient import NARROW, Block, Efficient, build_efficient
from train.networks.tags import TAGS
from train.pipeline import further, further_release
from train.pipeline.further import taught
from train.transfer import further_training
from train.transfer.acceptance import Acceptance
from train.transfer.further_training import CHECKPOINT, FurtherSchedule
from train.transfer.weight_average import pooled
from train.transfer.window_store import WindowStore

pytestmark = ignore_tensorflow_warnings

WEIGHTS = Path(__file__).parents[3] / "../shared/pretrained/mn04_as.npz"
TINY = Efficient("tiny", 4, (Block(8, 8, 3, 4),), 8, 4)
SONGS = (
    # instrument, context, sure, recording; the last three are held out
    ("none", "song", "fair", "torcs:torcs1"),
    ("synth", "alone", "sure", "ev3:2.Lithium"),
    ("violin", "song", "unsure", "0ad:Dried_Tears"),
    ("none", "song", "fair", "redeclipse:track_02"),
    ("synth", "alone", "sure", "ev3:7.Francium"),
    ("violin", "alone", "sure", "gcompris:violin"),
)


@pytest.fixture(scope="module")
def weights() -> Path:
    """The published weights."""
    if not WEIGHTS.exists():
        pytest.skip("needs the pretrained weights in ../shared/pretrained")
    return WEIGHTS


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A pack of chords and clicks, with an accordion, songs on both sides, and a real clip of every instrument."""
    folder = tmp_path_factory.mktemp("pack") / "toys"
    write_pack(folder)
    with (folder / "training.csv").open("a", newline="") as file:
        for source in ("toy", "timgm6mb_beyond"):
            for note in range(3):
                path = f"training/accordion/{source}/{note}.flac"
                write_sound(folder / path, tone(300 + 20 * note) / 2)
                csv.writer(file).writerow([path, "accordion", source, "", 60 + note, 1.5, "CC0"])
    songs = [["path", "instrument", "context", "sure", "source", "recording", "original", "seconds", "licence"]]
    for number, (instrument, context, sure, recording) in enumerate(SONGS):
        path = f"songs/{number}.flac"
        write_sound(folder / path, np.tile(tone(90 * (number + 1)), 3) / 2)
        songs.append([path, instrument, context, sure, recording.partition(":")[0], recording, "", "4.5", "CC0"])
    clips = [["path", "instrument", "track_id"]]
    for number, instrument in enumerate(INSTRUMENTS):
        path = f"validation/{number}.flac"
        write_sound(folder / path, np.tile(tone(110 * 2 ** (number * 0.75)), 2) / 4)
        clips.append([path, instrument, str(number)])
    for name, rows in (("songs", songs), ("validation", clips)):
        with (folder / f"{name}.csv").open("w", newline="") as file:
            csv.writer(file).writerows(rows)
    return folder


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where windows, what was heard, and renderings are kept."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def brief() -> Iterator[None]:
    """Everything is done, but little of it: batches, rows, windows and steps are few, and melodies short."""
    small = replace(NARROW, blocks=NARROW.blocks[:2])
    instruments = tuple(unheard.UNHEARD)[:4]
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(further._NETWORKS, "narrow", small)
        patch.setattr(further_release, "NARROW", small)
        patch.setattr(further_training, "FurtherSchedule", partial(FurtherSchedule, batch=8))
        patch.setattr(further, "refit_heads", partial(further.refit_heads, steps=50))
        patch.setattr(further_release, "ROWS", 1)
        patch.setattr(further_release, "measure_on_real", partial(further_release.measure_on_real, rows=1))
        grid = {"time_constant": (0.2, 0.6), "known": (0.3, 0.6)}
        patch.setattr(further_release, "tune_on_rows", partial(further_release.tune_on_rows, grid=grid))
        patch.setattr(further_release, "_REPRESENTATIVE", 8)
        patch.setattr(further_release, "_TURNS", 3)
        rendered = partial(real_measurements.render_unheard, instruments=instruments)
        patch.setattr(real_measurements, "render_unheard", rendered)
        patch.setattr(unheard, "FONTS", dict.fromkeys(("one", "other"), fluidsynth.SOUNDFONT))
        patch.setattr(unheard, "SECONDS", 13.0)
        yield


@pytest.fixture(scope="module")
def flags(weights: Path, data: Path, cache: Path) -> list[str]:
    """What all runs have in common."""
    given = f"--data {data} --pretrained {weights} --cache {cache} --processes 1 --name toy"
    few = "--clips 32 --validation-clips 48 --epochs 1"
    return f"{given} {few}".split()


@pytest.fixture(scope="module")
def teacher(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle of all labels, in float32."""
    keras.utils.set_random_seed(5)
    network = build_efficient(len(ALL_LABELS), 2, 4, network=TINY)
    head = network.get_layer("instruments")
    head.kernel.assign(100 * np.asarray(head.kernel))  # or it would say almost the same of everything
    content = convert(network, form="float32")
    rule = Acceptance(0.7, dict.fromkeys(ALL_LABELS, 0.4), 0.5)
    out = tmp_path_factory.mktemp("teacher")
    write_format_two(out, "teacher", content, rule, Provenance("tones", "", (), 0, ""), {}, tags=TAGS[:2])
    return out / "teacher.tflite"


@pytest.fixture(scope="module")
def store() -> WindowStore:
    """Ten windows: of eight it is known what sounds, in part or for sure, and of two it is not."""
    rng = np.random.default_rng(6)
    targets = np.eye(len(ALL_LABELS), dtype=np.float32)[np.arange(10) % 9]
    targets[3] = (targets[3] + targets[4]) / 2
    targets[8:] = 0
    certain = np.ones((10, len(ALL_LABELS)), np.bool_)
    certain[2, 5:] = False
    return WindowStore(
        ALL_LABELS,
        rng.integers(0, 200, (10, N_MELS, FRAMES)).astype(np.uint8),
        targets,
        np.linspace(0.4, 1, 10, dtype=np.float32),
        certain,
        ("somebody",) * 10,
        "made up",
    )


def test_a_teachers_opinion_is_half_of_what_is_learned(store: WindowStore, teacher: Path) -> None:
    """Where something is known the target is the mean of both, elsewhere the teacher's alone, and it tells of all."""
    learned = taught(store, str(teacher))
    classifier = Classifier(load(teacher))
    said = np.array([classifier.infer(window).probabilities for window in store.read(np.arange(10))])
    assert said.std(axis=0).max() > 0.001
    np.testing.assert_allclose(learned.targets[:8], (store.targets[:8] + said[:8]) / 2, atol=1e-5)
    np.testing.assert_allclose(learned.targets[8:], said[8:], atol=1e-5)
    np.testing.assert_array_equal(learned.weights[:8], store.weights[:8])
    np.testing.assert_array_equal(learned.weights[8:], 0.5)
    assert learned.certain.all()
    assert learned.targets.dtype == learned.weights.dtype == np.float32
    assert learned.features is store.features
    assert learned.players == store.players
    assert learned.digest not in (store.digest, taught(replace(store, digest="other"), str(teacher)).digest)
    assert not store.certain.all()


def test_who_knows_other_labels_does_not_teach(store: WindowStore, tmp_path: Path) -> None:
    """Fewer labels, the same in another order, and another front end are refused by the file's name."""
    (tmp_path / "other").mkdir()
    other = copied(tmp_path / "other", REAL, labels=list(reversed(ALL_LABELS)))
    for bundle in ("published", str(INTEGER), str(other)):
        with pytest.raises(ConfigError, match=f"{re.escape(bundle)} has other labels or another front end"):
            taught(store, bundle)


def test_heads_are_fitted_on_as_many_windows_as_were_asked_for(store: WindowStore) -> None:
    """They are drawn by the seed, each once, and as often augmented besides as was asked for."""
    numbered = replace(store, weights=np.arange(10, dtype=np.float32))
    network = build_efficient(len(ALL_LABELS), 0, 0, network=TINY)

    def drawn(most: int | None, seed: int, passes: int = 0) -> list[float]:
        inputs = pooled(network, numbered, passes=passes, most=most, seed=seed)
        assert inputs.values.shape == (len(inputs.weights), TINY.last)
        assert {len(each) for each in inputs} == {len(inputs.weights)}
        return [float(weight) for weight in inputs.weights]

    few = drawn(4, 1, passes=2)
    assert len(few) == 4 * 3
    assert few == 3 * few[:4]
    assert len(set(few)) == 4
    assert few[:4] == drawn(4, 1)
    assert len({tuple(drawn(4, seed)) for seed in range(4)}) > 1
    assert drawn(None, 1) == drawn(99, 1) == list(range(10))
    values = [pooled(network, store, most=5, seed=2).values for _ in range(2)]
    np.testing.assert_array_equal(*values)


@pytest.fixture(scope="module")
def arguments(flags: list[str], teacher: Path, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """A command that trains a small network anew, and asks for everything that can be told of it."""
    out = tmp_path_factory.mktemp("out")
    (out / "notes.md").write_text("Clicks *click*.\n")
    told = f"--out {out} --real --float --beside small --notes {out / 'notes.md'} --teacher {teacher}"
    after = "--all-epochs 1 --all-clips 24 --int8-epochs 1"
    return ["further", "--network", "narrow", *flags, *told.split(), *after.split()]


@pytest.fixture(scope="module")
def made(brief: None, arguments: list[str]) -> Path:
    """Folder of what it leaves behind."""
    assert main(arguments) == 0
    return Path(arguments[arguments.index("--out") + 1])


def check(out: Path) -> dict[str, Any]:
    """Check a bundle and its card, and return what the json says."""
    bundle = load(out / "toy.tflite")
    info, card = bundle.info, (out / "toy.md").read_text()
    assert info["format"] == 2
    assert (bundle.labels, bundle.lineup, bundle.tags) == (ALL_LABELS, INSTRUMENTS, TAGS)
    assert (len(bundle.labels), len(bundle.lineup)) == (31, 8)
    assert bundle.outputs is not None
    assert set(dict(bundle.outputs.named())) == {"instruments", "tags", "embedding"}
    assert set(info["calibration"]["threshold"]) == set(ALL_LABELS)
    assert bundle.known > 0 or "smoothing" in info
    heard = Classifier(bundle).infer(
        bundle.front_end.make().features(np.tile(tone(440), 2)[:WINDOW].astype(np.float32), WINDOW)
    )
    assert heard.probabilities.sum() == pytest.approx(1, abs=0.01)
    assert set(heard.tags) == set(TAGS)
    assert heard.embedding is not None
    metrics = info["metrics"]
    sizes = {form["name"]: form["size"] for form in metrics["forms"]}
    assert set(sizes) >= {"float32", "int8"}
    assert sizes["int8"] == len(bundle.model) < sizes["float32"]
    assert set(metrics) >= {"held_out", "share", "rows", "peers", "embedding", "held-out sources, composed"}
    assert info["learned_from"].startswith("EfficientAT mn04_as, Florian Schmid, MIT licence")
    assert "Florian Schmid, MIT licence, github.com/fschmid56/EfficientAT" in card
    assert f"`{info['command']}`" in card
    assert info["command"].startswith("soloist train further ")
    assert "--data toys --pretrained mn04_as.npz" in info["command"]
    for text in (card, json.dumps(info)):
        assert str(out.parent) not in text
    return info


def test_a_small_network_becomes_a_bundle_and_a_card(made: Path) -> None:
    """It begins at random, normalizes with the statistics of its own windows, and all that was asked for is told."""
    settings = check(made)["training"]["settings"]
    assert (settings["network"], settings["all_epochs"], settings["int8_epochs"]) == ("narrow", 1, 1)
    assert settings["data"] == {"path": "toys", "all_sources": True}
    assert (settings["schedule"]["frozen"], settings["schedule"]["rate"]) == (False, 2e-3)
    card = (made / "toy.md").read_text()
    assert "Its tags were learned from what EfficientAT" in card
    assert "Half of each clip's target is what teacher said of it." in card
    assert "## What it gets wrong, and why\n\nClicks *click*." in card
    beside = re.findall(r"^\| (\w+) \| [\d.]+ % \(\d+ of 7\) \|", card, re.MULTILINE)
    assert beside == ["toy", "small", "pretrained"]
    assert "validation: class average" in card
    small, exact = (load(made / f"{name}.tflite") for name in ("toy", "toy-float"))
    assert len(exact.model) > len(small.model)
    twin = load(made / "toy" / "twin" / "toy.json")
    assert twin.model not in (small.model, exact.model)
    for other in (exact, twin):
        assert (other.thresholds, other.known, other.smoothing) == (small.thresholds, small.known, small.smoothing)


def test_what_was_trained_is_not_trained_again(made: Path, arguments: list[str]) -> None:
    """The same command goes on from its checkpoints, and makes the files anew that it had made of them."""
    history = made / "toy" / "history.json"
    assert [epoch["epoch"] for epoch in json.loads(history.read_text())] == [1]
    kept = sorted(made.rglob("*.npz"))
    assert {path.parent.name for path in kept if path.name == CHECKPOINT} == {"toy", "all-sources", "int8"}
    written = [path.stat().st_mtime_ns for path in kept]
    before = history.read_bytes()
    for name in ("toy.md", "toy.json", "toy.tflite"):
        (made / name).unlink()
    assert main(arguments) == 0
    assert [path.stat().st_mtime_ns for path in kept] == written
    assert sorted(made.rglob("*.npz")) == kept
    assert history.read_bytes() == before
    check(made)


@pytest.mark.usefixtures("brief")
def test_the_pretrained_network_becomes_a_bundle_and_a_card(flags: list[str], tmp_path: Path) -> None:
    """It keeps the statistics that it has, is averaged with what it was, and its notice is in the card."""
    assert main(["further", *flags, "--out", str(tmp_path), "--all-epochs", "0", "--int8-epochs", "0"]) == 0
    info = check(tmp_path)
    settings = info["training"]["settings"]
    assert (settings["network"], settings["teacher"]) == ("mn04", "")
    assert settings["data"] == {"path": "toys", "all_sources": False}
    assert (settings["schedule"]["frozen"], settings["schedule"]["rate"]) == (True, 4e-4)
    assert info["metrics"]["share"] in settings["shares"]
    card = (tmp_path / "toy.md").read_text()
    assert "MIT License, Copyright (c) 2022 Florian Schmid\n\nPermission is hereby granted" in card
    assert "agrees with the float one stands below" in card
    assert "## What each point of accuracy costs" in card
    assert f"the one with {1 - info['metrics']['share']:g} did best on held-out windows" in card
    assert not (tmp_path / "toy-float.json").exists()


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ("--pretrained {folder}/none.npz", "there is no {folder}/none.npz: expected the weights of EfficientAT's"),
        ("--clips 0", "--clips is 0; expected 1 or more"),
        ("--all-epochs -1", "--all-epochs is -1; expected 0 or more"),
        ("--notes {folder}/none.md", "cannot read {folder}/none.md"),
        ("--beside nobody", "nobody"),
    ],
)
def test_what_cannot_be_done_is_told_first(
    wrong: str, said: str, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One line says what is wrong, before anything is composed or trained."""
    (tmp_path / "mn04_as.npz").write_bytes(b"")
    given = f"--data {data} --pretrained {tmp_path / 'mn04_as.npz'} --cache {tmp_path / 'cache'} --out {tmp_path}"
    assert main(["further", *given.split(), *wrong.format(folder=tmp_path).split()]) == 1
    error = capsys.readouterr().err
    assert error.startswith("soloist train: ")
    assert said.format(folder=tmp_path) in error
    assert error.count("\n") == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mn04_as.npz"]
