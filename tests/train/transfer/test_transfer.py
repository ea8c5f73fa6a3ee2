"""Training a pretrained network further: windows on disk, what is asked of heads, a run that goes on when stopped."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("tensorflow", reason="needs the train extra")

import keras
import tensorflow as tf

from stream.recognition.mel import WINDOW
from stream.recognition.mel_128 import FRAMES, N_MELS
from tests.support.tensorflow_warnings import ignore_tensorflow_warnings
from train.evaluation.clip_metrics import softmax
from train.networks.efficient import Block, Efficient, build_efficient
from train.transfer.acceptance import choose_acceptance
from train.transfer.further_training import CHECKPOINT, HEADS, FurtherSchedule, FurtherTraining
from train.transfer.objectives import embedding_loss, instrument_loss, smoothed, tag_loss
from train.transfer.weight_average import average_with, measure_normalization, pooled, refit_heads
from train.transfer.window_augmentation import DB, augment
from train.transfer.window_store import LOWEST, STEP, Window, WindowStore, joined, open_store, restored, stored

pytestmark = ignore_tensorflow_warnings

LABELS = ("low", "high", "noise")
TINY = Efficient("tiny", 4, (Block(8, 8, 3, 4),), 8, 4)
SCHEDULE = FurtherSchedule(epochs=2, batch=8, rate=3e-3, head_rate=1e-2, mixed=0.0, handovers=0.0)


@dataclass(frozen=True)
class Tones:
    """Windows of a low tone, a high one or noise, in turn; what is made is counted in a folder."""

    count: int
    folder: Path
    labels: tuple[str, ...] = LABELS
    digest: str = "tones"

    @property
    def players(self) -> tuple[str, ...]:
        return tuple(("low player", "high player", "")[number % 3] for number in range(self.count))

    def __len__(self) -> int:
        return self.count

    def window(self, number: int) -> Window:
        (self.folder / f"{number}-{len(list(self.folder.glob(f'{number}-*')))}").touch()
        rng, kind = np.random.default_rng(number), number % 3
        time = np.arange(WINDOW) / 22_050
        hertz = (rng.uniform(200, 300), rng.uniform(2000, 3000), 0.0)[kind]
        audio = np.sin(2 * np.pi * hertz * time) * 0.1 if hertz else rng.normal(0, 0.1, WINDOW)
        return Window(audio.astype(np.float32), np.eye(3, dtype=np.float32)[kind], 1.0, np.ones(3, np.bool_))


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> WindowStore:
    """Features of 24 windows."""
    folder = tmp_path_factory.mktemp("tones")
    return open_store(Tones(24, folder), folder / "cache", processes=1)


@pytest.fixture(scope="module")
def network() -> keras.Model:
    """A network of one trunk and three heads that learns in seconds."""
    keras.utils.set_random_seed(0)
    return build_efficient(3, 2, 4, network=TINY, momentum=0.5)


@pytest.fixture
def fresh(network: keras.Model) -> keras.Model:
    """The same network with the weights that it was drawn with, before and after a test."""
    before = [np.asarray(variable) for variable in network.variables]
    yield network
    for variable, value in zip(network.variables, before, strict=True):
        variable.assign(value)


def test_windows_are_computed_once_and_a_longer_collection_goes_on(tmp_path: Path) -> None:
    """What is in the store is not made again, and rows of a shorter collection are those of the longer one."""
    first = open_store(Tones(2, tmp_path), tmp_path / "cache", processes=1)
    again = open_store(Tones(2, tmp_path), tmp_path / "cache", processes=1)
    longer = open_store(Tones(5, tmp_path), tmp_path / "cache", processes=1)
    assert sorted(path.name for path in tmp_path.glob("*-*")) == ["0-0", "1-0", "2-0", "3-0", "4-0"]
    assert np.array_equal(first.features, again.features)
    assert np.array_equal(first.features, longer.features[:2])
    assert longer.features.shape == (5, N_MELS, FRAMES)
    assert np.array_equal(longer.targets[:3], np.eye(3))
    assert longer.features[0].any()
    assert longer.features[4].any()


def test_stores_are_joined(store: WindowStore) -> None:
    """Rows are those of the one, then those of the other, in whatever order they are asked for."""
    both = joined(store, joined(store, store))
    assert len(both) == 72
    assert np.array_equal(both.features[np.array([50, 2, 25])], store.features[[2, 2, 1]])
    assert both.players == 3 * store.players


def test_stored_features_are_within_half_a_step() -> None:
    """Over the range of the front end, and nothing lies below silence."""
    values = np.linspace(LOWEST, LOWEST + 250 * STEP, 999, dtype=np.float32)
    assert np.abs(restored(stored(values)) - values).max() <= STEP / 2 + 1e-6
    assert restored(stored(np.float32([LOWEST - 1])))[0] == pytest.approx(LOWEST)


def test_augmented_windows_keep_what_is_known_of_them(store: WindowStore) -> None:
    """Shares add up to 1, a mixed window tells of both, and a teacher is asked of windows of one clip alone."""
    rows = np.arange(24)
    batch = augment(store.read(rows), store.targets, store.certain, np.random.default_rng(1), mixed=0.5, handovers=0.2)
    assert batch.targets.sum(axis=1) == pytest.approx(1)
    shared = (batch.targets > 0).sum(axis=1) > 1
    assert shared.any()
    assert not batch.alone[shared].any()
    assert batch.alone.any()
    assert batch.features.min() >= LOWEST - 1e-6
    assert np.array_equal(batch.targets[batch.alone], store.targets[batch.alone])
    same = augment(store.read(rows), store.targets, store.certain, np.random.default_rng(1), mixed=0.5, handovers=0.2)
    assert np.array_equal(batch.features, same.features)
    assert pytest.approx(np.log(10) / 50) == DB


def test_instruments_that_nobody_knows_of_cost_nothing() -> None:
    """A label left out of a target may have any logit; a target of zeros asks for nothing."""
    targets = np.float32([[1, 0, 0], [0, 0, 0]])
    certain = np.array([[True, True, False], [True, True, True]])
    low, high = (
        instrument_loss(targets, np.float32([[1, 0, x], [5, 1, 2]]), np.ones(2, np.float32), certain) for x in (-3, 9)
    )
    assert float(low) == pytest.approx(float(high)) == pytest.approx(np.log1p(np.exp(-1)), rel=1e-5)
    even = np.asarray(smoothed(targets, certain, 0.1))
    assert even == pytest.approx(np.float32([[0.95, 0.05, 0], [0, 0, 0]]))


def test_tags_cost_nothing_where_they_are_the_teachers() -> None:
    """And something elsewhere; a window that is not to count does not."""
    teacher = np.float32([[-3, 0.5], [2, -9]])
    assert float(tag_loss(teacher, teacher, np.ones(2, np.float32))) == pytest.approx(0, abs=1e-6)
    assert float(tag_loss(teacher, teacher + 1, np.float32([0, 1]))) > 0.01
    assert float(tag_loss(teacher, teacher + 1, np.zeros(2, np.float32))) == 0


def test_an_embedding_is_to_lie_near_its_player() -> None:
    """The nearer it is the less it costs, whatever its length; where nobody is in front nothing is asked for."""
    directions = np.eye(2, dtype=np.float32)
    near, far, nobody = (
        float(embedding_loss(tf.constant(np.float32([place])), directions, np.int32([player])))
        for place, player in (((7, 1), 0), ((1, 7), 0), ((1, 7), -1))
    )
    assert near < 0.01 < 5 < far
    assert nobody == 0


def test_a_run_that_was_stopped_ends_as_one_that_was_not(
    fresh: keras.Model, store: WindowStore, tmp_path: Path
) -> None:
    """It goes on after the last epoch that it had finished, with the same weights, averages and steps."""
    teacher = np.zeros((24, 2), np.float32)
    start = [np.asarray(variable) for variable in fresh.variables]
    stopped = tmp_path / "stopped"

    def copy(_: keras.Model) -> dict[str, float]:
        """Keep what a run that is killed in its second epoch leaves behind."""
        if (tmp_path / "whole" / CHECKPOINT).exists():
            shutil.copytree(tmp_path / "whole", stopped)
        return {}

    FurtherTraining(fresh, store, teacher, SCHEDULE).run(tmp_path / "whole", look=copy)
    whole = [np.asarray(variable) for variable in fresh.variables]
    for variable, value in zip(fresh.variables, start, strict=True):
        variable.assign(value)
    again = FurtherTraining(fresh, store, teacher, SCHEDULE)
    again.run(stopped)
    assert len(again.history) == 2
    for variable, value in zip(fresh.variables, whole, strict=True):
        assert np.asarray(variable) == pytest.approx(value, abs=1e-5), variable.path
    # It has learned something, and the mean of both ends is a network, too, whose head is quickly fitted again.
    average_with(fresh, start, 0.5, ("instruments", "embedding"))
    kernel = fresh.get_layer("last").kernel
    number = next(n for n, variable in enumerate(fresh.variables) if variable is kernel)
    assert np.asarray(kernel) == pytest.approx((start[number] + whole[number]) / 2, abs=1e-6)
    norm = fresh.get_layer("stem_norm")
    norm.moving_mean.assign(np.full(TINY.stem, 99, np.float32))
    measure_normalization(fresh, store, 0)
    assert np.abs(np.asarray(norm.moving_mean)).max() < 9
    inputs = pooled(fresh, store, passes=1)
    assert len(inputs.values) == 48
    assert inputs.values.shape[1] == TINY.last
    told = np.eye(3, TINY.last)[inputs.targets.argmax(axis=1)] + np.random.default_rng(0).normal(
        0, 0.2, (48, TINY.last)
    )
    inputs = inputs._replace(values=told.astype(np.float32))
    head = fresh.get_layer("instruments")
    before = float(instrument_loss(inputs.targets, head(inputs.values), inputs.weights, inputs.certain))
    refit_heads(fresh, inputs, steps=400)
    after = float(instrument_loss(inputs.targets, head(inputs.values), inputs.weights, inputs.certain))
    assert after < 0.5 * before
    assert set(HEADS) == set(fresh.output)


def test_nine_in_ten_windows_of_the_line_up_are_accepted() -> None:
    """Real windows count as much as composed ones; labels count alike; thresholds are capped."""
    rng = np.random.default_rng(0)
    truth = rng.integers(3, size=3000)
    logits = rng.normal(0, 1, (3000, 3)) + 2.5 * np.eye(3)[truth]
    real = np.arange(3000) % 7 == 0
    chosen = choose_acceptance(logits, np.eye(3)[truth], np.ones(3000), real, LABELS, ("low", "high"))
    together = softmax(logits, chosen.temperature)[:, :2].sum(axis=1)
    shares = [
        np.mean(together[(truth == label) & (real == side)] >= chosen.known)
        for label in (0, 1)
        for side in (True, False)
    ]
    assert np.mean(shares) == pytest.approx(0.9, abs=0.01)
    assert set(chosen.thresholds) == set(LABELS)
    assert max(chosen.thresholds.values()) <= 0.4
    likelihoods = [np.log(softmax(logits, t)[np.arange(3000), truth]).mean() for t in (chosen.temperature, 0.5, 2.0)]
    assert max(likelihoods) == likelihoods[0]
