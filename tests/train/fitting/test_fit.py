"""Networks and their fitting: the same seed gives the same weights, and a killed run goes on."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("tensorflow", reason="needs the train extra")
pytest.importorskip("pedalboard", reason="needs the train extra")

from stream.errors import ConfigError, SourceError
from tests.support.tensorflow_warnings import ignore_tensorflow_warnings
from train.datasets.corpus import Extraction
from train.evaluation.clip_metrics import softmax
from train.evaluation.network_logits import network_logits
from train.fitting.fit import fit
from train.fitting.schedule import History, Schedule, best_epoch, epochs_since_best
from train.networks.published import VARIANTS

pytestmark = ignore_tensorflow_warnings

QUICK = Schedule(epochs=3, batch=8, augmented=False)


def weights(tone_features: Extraction, schedule: Schedule, folder: Path | None = None) -> list[np.ndarray]:
    """Fit variant 2B and return all of its variables."""
    corpora = tone_features.corpora
    fitted = fit(VARIANTS["2B"], corpora["training"], corpora["validation"], schedule, folder=folder)
    return [np.asarray(variable) for variable in fitted.model.variables]


@dataclass(frozen=True)
class QuickRun:
    """A run that is fitted once; tests that change its folder take a copy."""

    folder: Path
    weights: list[np.ndarray]

    def copy(self, folder: Path) -> Path:
        """Copy what the run left behind."""
        return Path(shutil.copytree(self.folder, folder, dirs_exist_ok=True))


@pytest.fixture(scope="module")
def quick_run(tone_features: Extraction, tmp_path_factory: pytest.TempPathFactory) -> QuickRun:
    """Variant 2B, fitted as `QUICK` says."""
    folder = tmp_path_factory.mktemp("quick")
    return QuickRun(folder, weights(tone_features, QUICK, folder))


def test_fit_learns_and_keeps_the_best_epoch(tone_features: Extraction) -> None:
    """Tones of three registers are told apart, and the network has the weights of its best epoch."""
    corpora = tone_features.corpora
    fitted = fit(
        VARIANTS["2"], corpora["training"], corpora["validation"], Schedule(epochs=8, batch=8, augmented=False)
    )
    validation = corpora["validation"]
    right = network_logits(fitted.model, validation).argmax(axis=1) == validation.targets
    assert right.mean() == fitted.entry["validation_accuracy"] > 0.9
    assert fitted.best == best_epoch(fitted.history)
    assert [entry["epoch"] for entry in fitted.history] == list(range(1, 9))


def test_weights_are_averaged(tone_features: Extraction) -> None:
    """After a step, weights and statistics are their average: 2/11 of what they were before it, and 9/11 of after."""
    corpora = tone_features.corpora
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


def test_weights_are_those_of_the_kept_epoch(tone_features: Extraction) -> None:
    """The network that fit returns scores on validation what the history says of the epoch it kept."""
    corpora = tone_features.corpora
    for seed in range(3):
        fitted = fit(VARIANTS["1"], corpora["training"], corpora["validation"], replace(QUICK, epochs=6, seed=seed))
        logits = network_logits(fitted.model, corpora["validation"])
        rows = np.arange(len(logits))
        likelihood = softmax(logits, 1.0)[rows, corpora["validation"].targets]
        assert -np.log(likelihood + 1e-12).mean() == pytest.approx(fitted.entry["validation_loss"], rel=1e-5)


def test_fit_goes_on_from_other_weights(tone_features: Extraction, quick_run: QuickRun, tmp_path: Path) -> None:
    """A network may begin with another run's weights, and such a run is not taken for one that did not."""
    corpora = tone_features.corpora
    first = quick_run.weights
    idle = replace(QUICK, epochs=1, rate=1e-9, decay=0.0)
    arguments = VARIANTS["2B"], corpora["training"], corpora["validation"], idle
    again = fit(*arguments, start=first, folder=tmp_path)
    learned = {variable.path for variable in again.model.trainable_variables}
    for variable, value in zip(again.model.variables, first, strict=True):
        if variable.path in learned:
            np.testing.assert_allclose(np.asarray(variable), value, atol=1e-6)
    with pytest.raises(ConfigError, match="other settings"):
        fit(*arguments, folder=tmp_path)


def test_fit_stops_when_nothing_gets_better(tone_features: Extraction) -> None:
    """Patience ends a run so many epochs after its best one."""
    corpora = tone_features.corpora
    schedule = Schedule(epochs=50, batch=8, rate=0.0, decay=0.0, patience=2, augmented=False)
    fitted = fit(VARIANTS["0a"], corpora["training"], corpora["validation"], schedule)
    assert (len(fitted.history), fitted.best) == (3, 1)


def test_seed_determines_the_weights(tone_features: Extraction) -> None:
    """The same seed gives the same bits with dropout and augmentation, and another seed others."""
    schedule = Schedule(epochs=2, batch=8, augmented=True, seed=1)
    first, again = weights(tone_features, schedule), weights(tone_features, schedule)
    for one, other in zip(first, again, strict=True):
        np.testing.assert_array_equal(one, other)
    other = weights(tone_features, Schedule(epochs=2, batch=8, augmented=True, seed=2))
    assert not np.array_equal(first[0], other[0])


def test_run_leaves_history_and_tensorboard(quick_run: QuickRun) -> None:
    """A run's folder has an entry for each epoch, and logs that TensorBoard reads."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    history = json.loads((quick_run.folder / "history.json").read_text())
    assert [entry["epoch"] for entry in history] == [1, 2, 3]
    written = {}
    for path in (quick_run.folder / "tensorboard").iterdir():
        events = EventAccumulator(str(path))
        events.Reload()
        written |= {event.step: event for event in events.Tensors("validation/class_average")}
    assert sorted(written) == [1, 2, 3]


def test_finished_run_is_not_repeated(tone_features: Extraction, quick_run: QuickRun, tmp_path: Path) -> None:
    """Who fits again into the folder of a finished run gets its network."""
    first = quick_run.weights
    quick_run.copy(tmp_path)
    stamp = (tmp_path / "state.npz").stat().st_mtime_ns
    for one, other in zip(first, weights(tone_features, QUICK, tmp_path), strict=True):
        np.testing.assert_array_equal(one, other)
    assert (tmp_path / "state.npz").stat().st_mtime_ns == stamp


def test_run_with_other_settings_is_refused(tone_features: Extraction, quick_run: QuickRun) -> None:
    """A checkpoint of other settings is not continued, and the text says which."""
    with pytest.raises(ConfigError, match=r"schedule epochs 3, now 4"):
        weights(tone_features, Schedule(epochs=4, batch=8, augmented=False), quick_run.folder)


def test_damaged_checkpoint_is_named(tone_features: Extraction, quick_run: QuickRun, tmp_path: Path) -> None:
    """A checkpoint that cannot be read is an error with its name, not a run from the start."""
    quick_run.copy(tmp_path)
    content = (tmp_path / "state.npz").read_bytes()
    (tmp_path / "state.npz").write_bytes(content[: len(content) // 2])
    with pytest.raises(SourceError, match=r"state\.npz"):
        weights(tone_features, QUICK, tmp_path)
