"""Networks and their fitting: the same seed gives the same weights, and a killed run goes on."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("tensorflow", reason="needs the train extra")
pytest.importorskip("pedalboard", reason="needs the train extra")

from stream.errors import ConfigError, SourceError
from stream.recognition.bundle import load
from stream.recognition.classifier import Classifier
from stream.recognition.mel import WINDOW, StreamingMel
from tests.support.synthetic_pack import write_pack
from tests.support.tone_folder import CLASSES, write_tones
from train.__main__ import main
from train.datasets.corpus import Extraction, extract
from train.datasets.folder import read_folder
from train.datasets.labels import LABELS
from train.evaluation.clip_metrics import softmax
from train.evaluation.network_logits import network_logits
from train.fitting.fit import fit
from train.fitting.schedule import History, Schedule, best_epoch, epochs_since_best
from train.fitting.training_run import TrainingRun
from train.networks.published import VARIANTS

# TensorFlow's converter warns about itself, and about statistics that full-integer models take from their clips.
pytestmark = [
    pytest.mark.filterwarnings(
        "ignore:Statistics for quantized inputs were expected:UserWarning",
        "ignore::DeprecationWarning:tensorflow.*",
        "ignore::DeprecationWarning:keras.*",
        "ignore::ImportWarning",
    ),
    pytest.mark.timeout(300),
]

QUICK = Schedule(epochs=3, batch=8, augmented=False)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of tones per class."""
    return write_tones(tmp_path_factory.mktemp("tones") / "data")


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where features go."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def extraction(data: Path, cache: Path) -> Extraction:
    """The tones' features."""
    return extract(read_folder(data), cache, processes=1)


def weights(extraction: Extraction, schedule: Schedule, folder: Path | None = None) -> list[np.ndarray]:
    """Fit variant 2B and return all of its variables."""
    corpora = extraction.corpora
    fitted = fit(VARIANTS["2B"], corpora["training"], corpora["validation"], schedule, folder=folder)
    return [np.asarray(variable) for variable in fitted.model.variables]


def test_fit_learns_and_keeps_the_best_epoch(extraction: Extraction) -> None:
    """Tones of three registers are told apart, and the network has the weights of its best epoch."""
    corpora = extraction.corpora
    fitted = fit(
        VARIANTS["2"], corpora["training"], corpora["validation"], Schedule(epochs=8, batch=8, augmented=False)
    )
    validation = corpora["validation"]
    right = network_logits(fitted.model, validation).argmax(axis=1) == validation.targets
    assert right.mean() == fitted.entry["validation_accuracy"] > 0.9
    assert fitted.best == best_epoch(fitted.history)
    assert [entry["epoch"] for entry in fitted.history] == list(range(1, 9))


def test_weights_are_averaged(extraction: Extraction) -> None:
    """After a step, weights and statistics are their average: 2/11 of what they were before it, and 9/11 of after."""
    corpora = extraction.corpora
    schedule = Schedule(epochs=1, batch=len(corpora["training"]), augmented=False)
    variables = []
    for average in (0.0, 0.1, 0.995):
        settings = replace(schedule, average=average)
        fitted = fit(VARIANTS["2B"], corpora["training"], corpora["validation"], settings)
        variables.append([np.asarray(v) for v in fitted.model.variables if v.dtype == "float32"])
    # What was before is what 0.1 of it and 0.9 of after show.
    for after, little, warming in zip(*variables, strict=True):
        before = (little.astype(np.float64) - 0.9 * after) / 0.1
        np.testing.assert_allclose(warming, before * 2 / 11 + after * 9 / 11, rtol=1e-3, atol=1e-4)
    assert not np.allclose(variables[0][0], variables[2][0], rtol=1e-4)


def test_lucky_early_epoch_is_not_kept() -> None:
    """Of epochs that few clips cannot tell apart the surest is kept; many clips tell them apart."""
    rounds = [(1.0, 0.95), (0.95, 0.1), (0.6, 0.05)]
    for clips, best in ((12.0, 2), (5000.0, 1)):
        history = [
            {"validation_class_average": average, "validation_loss": loss, "validation_clips": clips}
            for average, loss in rounds
        ]
        assert best_epoch(history) == best
        assert epochs_since_best(history) == 0
    assert epochs_since_best([*history, {**history[0], "validation_loss": 2.0}]) == 1
    assert best_epoch([]) == epochs_since_best([]) == 0


@given(
    st.lists(st.tuples(st.floats(0, 1), st.floats(0, 3)), min_size=1, max_size=12),
    st.sampled_from([5.0, 12.0, 100.0, 5000.0]),
)
def test_kept_epoch_is_the_newest_or_the_one_before(rounds: list[tuple[float, float]], clips: float) -> None:
    """Whatever comes, no epoch is kept whose weights were let go; and what is kept is near the highest average."""
    history: History = []
    kept = 0
    for average, loss in rounds:
        history.append({"validation_class_average": average, "validation_loss": loss, "validation_clips": clips})
        best = best_epoch(history)
        assert best in (kept, len(history))
        kept = best
    highest = max(average for average, _ in rounds)
    assert rounds[kept - 1][0] >= highest - 0.5 / clips**0.5 - 1e-9


def test_weights_are_those_of_the_kept_epoch(extraction: Extraction) -> None:
    """The network that fit returns scores on validation what the history says of the epoch it kept."""
    corpora = extraction.corpora
    for seed in range(3):
        fitted = fit(VARIANTS["1"], corpora["training"], corpora["validation"], replace(QUICK, epochs=6, seed=seed))
        logits = network_logits(fitted.model, corpora["validation"])
        rows = np.arange(len(logits))
        likelihood = softmax(logits, 1.0)[rows, corpora["validation"].targets]
        assert -np.log(likelihood + 1e-12).mean() == pytest.approx(fitted.entry["validation_loss"], rel=1e-5)


def test_fit_goes_on_from_other_weights(extraction: Extraction, tmp_path: Path) -> None:
    """A network may begin with another run's weights, and such a run is not taken for one that did not."""
    corpora = extraction.corpora
    first = weights(extraction, QUICK)
    idle = replace(QUICK, epochs=1, rate=1e-9, decay=0.0)
    arguments = VARIANTS["2B"], corpora["training"], corpora["validation"], idle
    again = fit(*arguments, start=first, folder=tmp_path)
    learned = {variable.path for variable in again.model.trainable_variables}
    for variable, value in zip(again.model.variables, first, strict=True):
        if variable.path in learned:
            np.testing.assert_allclose(np.asarray(variable), value, atol=1e-6)
    with pytest.raises(ConfigError, match="other settings"):
        fit(*arguments, folder=tmp_path)


def test_fit_stops_when_nothing_gets_better(extraction: Extraction) -> None:
    """Patience ends a run so many epochs after its best one."""
    corpora = extraction.corpora
    schedule = Schedule(epochs=50, batch=8, rate=0.0, decay=0.0, patience=2, augmented=False)
    fitted = fit(VARIANTS["0a"], corpora["training"], corpora["validation"], schedule)
    assert (len(fitted.history), fitted.best) == (3, 1)


@pytest.mark.parametrize("augmented", [False, True])
def test_seed_determines_the_weights(extraction: Extraction, augmented: bool) -> None:
    """The same seed gives the same bits with dropout and augmentation, and another seed others."""
    schedule = Schedule(epochs=2, batch=8, augmented=augmented, seed=1)
    first, again = weights(extraction, schedule), weights(extraction, schedule)
    for one, other in zip(first, again, strict=True):
        np.testing.assert_array_equal(one, other)
    other = weights(extraction, Schedule(epochs=2, batch=8, augmented=augmented, seed=2))
    assert not np.array_equal(first[0], other[0])


def test_run_leaves_history_and_tensorboard(extraction: Extraction, tmp_path: Path) -> None:
    """A run's folder has an entry for each epoch, and logs that TensorBoard reads."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    weights(extraction, QUICK, tmp_path)
    history = json.loads((tmp_path / "history.json").read_text())
    assert [entry["epoch"] for entry in history] == [1, 2, 3]
    written = {}
    for path in (tmp_path / "tensorboard").iterdir():
        events = EventAccumulator(str(path))
        events.Reload()
        written |= {event.step: event for event in events.Tensors("validation/class_average")}
    assert sorted(written) == [1, 2, 3]


def test_finished_run_is_not_repeated(extraction: Extraction, tmp_path: Path) -> None:
    """Who fits again into the folder of a finished run gets its network."""
    first = weights(extraction, QUICK, tmp_path)
    stamp = (tmp_path / "state.npz").stat().st_mtime_ns
    for one, other in zip(first, weights(extraction, QUICK, tmp_path), strict=True):
        np.testing.assert_array_equal(one, other)
    assert (tmp_path / "state.npz").stat().st_mtime_ns == stamp


def test_run_with_other_settings_is_refused(extraction: Extraction, tmp_path: Path) -> None:
    """A checkpoint of other settings is not continued, and the text says which."""
    weights(extraction, QUICK, tmp_path)
    with pytest.raises(ConfigError, match=r"schedule epochs 3, now 4"):
        weights(extraction, Schedule(epochs=4, batch=8, augmented=False), tmp_path)


def test_damaged_checkpoint_is_named(extraction: Extraction, tmp_path: Path) -> None:
    """A checkpoint that cannot be read is an error with its name, not a run from the start."""
    weights(extraction, QUICK, tmp_path)
    content = (tmp_path / "state.npz").read_bytes()
    (tmp_path / "state.npz").write_bytes(content[: len(content) // 2])
    with pytest.raises(SourceError, match=r"state\.npz"):
        weights(extraction, QUICK, tmp_path)


async def test_killed_run_ends_with_the_same_model(data: Path, tmp_path: Path) -> None:
    """Kill -9 in the middle of fitting costs an epoch at most: the next run continues to the same bytes."""
    command = [
        *(sys.executable, "-m", "stream", "train", "fit", "--data", str(data), "--cache", str(tmp_path / "cache")),
        *("--name", "tones", "--processes", "1", "--epochs", "5", "--batch", "4", "--out"),
    ]
    quiet = {"stdout": asyncio.subprocess.DEVNULL, "stderr": asyncio.subprocess.PIPE}
    victim = await asyncio.create_subprocess_exec(*command, str(tmp_path / "killed"), start_new_session=True, **quiet)
    assert victim.stderr is not None
    async with asyncio.timeout(120):
        async for line in victim.stderr:
            if b"epoch 2:" in line:
                break
    os.killpg(victim.pid, signal.SIGKILL)
    await victim.wait()
    assert not (tmp_path / "killed" / "tones.tflite").exists()

    async with asyncio.timeout(240):
        again = await asyncio.create_subprocess_exec(*command, str(tmp_path / "killed"), **quiet)
        said = (await again.communicate())[1].decode()
        whole = await asyncio.create_subprocess_exec(*command, str(tmp_path / "whole"), **quiet)
        await whole.communicate()
    assert again.returncode == whole.returncode == 0, said
    assert "continuing after epoch" in said
    killed, undisturbed = (tmp_path / name / "tones.tflite" for name in ("killed", "whole"))
    assert killed.read_bytes() == undisturbed.read_bytes()
    histories = [json.loads((tmp_path / name / "tones" / "history.json").read_text()) for name in ("killed", "whole")]
    for history in histories:
        for entry in history:
            del entry["seconds"]
    assert histories[0] == histories[1]


@pytest.fixture(scope="module")
def made(data: Path, cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """What `soloist train fit` makes of the tones, with a second channel."""
    out = tmp_path_factory.mktemp("models")
    flags = f"--data {data} --cache {cache} --out {out} --name tones --processes 1"
    assert main(["fit", *flags.split(), "--epochs", "6", "--batch", "8", "--plain", "--channels", "mel,delta"]) == 0
    return out


def test_bundle_is_served_as_it_was_measured(made: Path, data: Path) -> None:
    """The service's classifier names the tones that the laboratory trained on, by both channels."""
    bundle = load(made / "tones.tflite")
    assert (bundle.labels, bundle.channels) == (tuple(sorted(CLASSES)), ("mel", "delta"))
    assert bundle.info["metrics"]["test clips"]["class_average"] > 0.9
    dataset = read_folder(data)
    classifier = Classifier(bundle)
    clips = [clip for clip in dataset.clips if clip.split == "test"]
    for clip in clips:
        probabilities = classifier(StreamingMel().features(dataset.audio(clip), WINDOW))
        assert bundle.labels[probabilities.argmax()] == clip.label


def test_bundle_names_its_origin(made: Path, data: Path) -> None:
    """The json names command, versions, data digest, settings, and the clips and recordings of each split."""
    info = json.loads((made / "tones.json").read_text())
    assert info["command"].startswith(f"soloist train fit --data {data}")
    assert {"python", "tensorflow", "keras", "numpy", "soloist"} <= set(info["versions"])
    assert len(info["training"]["data_digest"]) >= 16
    assert info["training"]["settings"]["schedule"]["epochs"] == 6
    splits = info["training"]["splits"]
    assert set(splits) == {"training", "validation", "test"}
    assert all(counts[label]["recordings"] >= 1 for counts in splits.values() for label in CLASSES)


def test_run_is_exported_and_reported_again(made: Path, cache: Path, tmp_path: Path, capsys) -> None:
    """Export makes the same bytes of a run as fit did, and report writes its page again."""
    flags = ["--cache", str(cache), "--processes", "1"]
    assert main(["export", str(made / "tones"), "--out", str(tmp_path), *flags]) == 0
    assert (tmp_path / "tones.tflite").read_bytes() == (made / "tones.tflite").read_bytes()
    page = made / "tones" / "report.html"
    page.unlink()
    assert main(["report", str(made / "tones"), *flags]) == 0
    assert capsys.readouterr().out.strip().endswith(str(page))
    assert "<svg" in page.read_text(encoding="utf-8")
    assert TrainingRun.load(made / "tones").variant == VARIANTS["2B"]


def test_evaluate_prints_what_was_measured(made: Path, data: Path, cache: Path, capsys) -> None:
    """Evaluate finds for a bundle what fit found, split by split."""
    figures = load(made / "tones.json").info["metrics"]["test clips"]
    assert main(["evaluate", str(made / "tones.json"), "--data", str(data), "--cache", str(cache)]) == 0
    said = capsys.readouterr().out
    right = sum(row["right"] for row in figures["per_class"].values())
    assert f"({right} of {figures['clips']} instrument clips right)" in said


def test_pack_gets_a_bundle_with_unknown(tmp_path: Path, capsys) -> None:
    """From a pack, clips of all eight instruments and of what is none of them are composed and told apart."""
    data, cache, out = tmp_path / "data", tmp_path / "cache", tmp_path / "models"
    write_pack(data)
    flags = f"--data {data} --cache {cache} --out {out} --name toy --processes 1 --validation-clips 40 --no-programmes"
    assert main(["fit", *flags.split(), "--clips", "192", "--epochs", "8"]) == 0
    card = capsys.readouterr().out
    assert "held-out sources" in card
    assert (out / "toy.md").read_text() in card
    bundle = load(out / "toy.tflite")
    assert bundle.labels == LABELS
    assert bundle.info["metrics"]["held-out sources"]["class_average"] > 0.4
    rows = bundle.info["training"]["data"]
    assert [row["source"] for row in rows if row["licence"] == "CC0"] == ["toy"]
    assert (
        main(["examples", "--data", str(data), "--cache", str(cache), "--out", str(tmp_path / "ex"), "--each", "1"])
        == 0
    )
    assert len(list((tmp_path / "ex").glob("*.flac"))) == len(LABELS)
    assert (tmp_path / "ex" / "index.html").read_text().count("<audio") == len(LABELS)


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        ("--data nowhere", "no data at nowhere"),
        ("--data {data} --epochs 0", "--epochs is 0; expected 1 or more"),
        ("--data {data} --variant 7", "no network '7'; there are 0a"),
        ("--data {data} --network 7", "no network '7'; there are 0a"),
        ("--data {data} --average 1", "--average is 1; expected 0 or more, and less than 1"),
        ("--data {data} --handovers 2", "--handovers is 2; expected 0 to 1"),
        ("--data {data} --without-augmentation noise,hum", "no augmentation 'hum'; there are time, pitch, equaliser"),
        ("--data {data} --channels delta", "--channels is delta; expected mel"),
        ("--data {data} --instruments low,tuba", "no folder of tuba"),
        ("--data {data} --distribute", "--distribute needs a TF_CONFIG like"),
    ],
)
def test_wrong_settings_get_one_line(flags: str, said: str, data: Path, tmp_path: Path, capsys, monkeypatch) -> None:
    """What cannot be done ends with one line and status 1."""
    monkeypatch.delenv("TF_CONFIG", raising=False)
    arguments = ["--out", str(tmp_path), "--cache", str(tmp_path), *flags.format(data=data).split()]
    assert main(["fit", *arguments]) == 1
    line = capsys.readouterr().err.strip().splitlines()[-1]
    assert line.startswith("soloist train: ")
    assert said in line


def test_validation_clips_are_not_trained_on(shared: Path, tmp_path: Path, capsys) -> None:
    """A training command that is given the real validation clips refuses them."""
    arguments = ["--data", str(shared / "validation.csv"), "--out", str(tmp_path), "--cache", str(tmp_path)]
    assert main(["fit", *arguments]) == 1
    assert "must not be trained with" in capsys.readouterr().err
