"""Figures of merit, for any number of labels."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.errors import ConfigError
from stream.recognition.smoothing import Smoother
from train.evaluation.clip_metrics import (
    BINS,
    Calibration,
    accuracy,
    calibrate,
    calibration_error,
    class_average,
    class_metrics,
    confusion_counts,
    reliability,
    softmax,
)
from train.evaluation.clip_result import clip_table, score_clips


def drawn(rng: np.random.Generator, clips: int, labels: int) -> tuple[np.ndarray, np.ndarray]:
    """Logits, and targets drawn from exactly the probabilities that the logits state."""
    logits = rng.normal(0, 2, (clips, labels))
    return (logits + rng.gumbel(size=logits.shape)).argmax(axis=1), logits


def test_averages_weigh_clips_or_classes_alike() -> None:
    """Accuracy weighs clips alike, class averages weigh classes alike, and rows of a confusion are true labels."""
    targets, chosen = np.array([0, 0, 0, 1]), np.array([0, 0, 1, 1])
    assert accuracy(targets, chosen) == 0.75
    assert class_average(targets, chosen) == pytest.approx((2 / 3 + 1) / 2)
    np.testing.assert_array_equal(confusion_counts(targets, chosen, 2), [[2, 1], [0, 1]])


def test_merits_come_with_their_counts() -> None:
    """Precision is a share of what was called so, recall of what is so, and F1 their harmonic mean."""
    first, second, third = class_metrics(np.array([0, 0, 0, 1]), np.array([0, 0, 1, 1]), 3)
    assert (first.clips, first.chosen, first.right) == (3, 2, 2)
    assert (first.precision, first.recall, first.f1) == pytest.approx((1, 2 / 3, 4 / 5))
    assert (second.precision, second.recall, second.f1) == pytest.approx((1 / 2, 1, 2 / 3))
    assert (third.clips, third.chosen, third.right) == (0, 0, 0)
    assert (third.precision, third.recall, third.f1) == (None, None, None)


@given(st.integers(0, 2**32 - 1), st.integers(2, 9), st.integers(1, 60))
def test_merits_agree_with_the_matrix(seed: int, size: int, clips: int) -> None:
    """Every share is that of the confusion matrix, whatever labels occur."""
    targets, chosen = np.random.default_rng(seed).integers(size, size=(2, clips))
    matrix = confusion_counts(targets, chosen, size)
    for label, merit in enumerate(class_metrics(targets, chosen, size)):
        assert (merit.clips, merit.chosen) == (matrix[label].sum(), matrix[:, label].sum())
        assert merit.recall == (pytest.approx(merit.right / merit.clips) if merit.clips else None)
        assert merit.precision == (pytest.approx(merit.right / merit.chosen) if merit.chosen else None)


@given(st.integers(0, 2**32 - 1), st.integers(2, 9), st.integers(1, 60))
def test_merits_are_those_of_scikit_learn(seed: int, size: int, clips: int) -> None:
    """Averages, precision, recall and F1 are the ones that everybody computes."""
    metrics = pytest.importorskip("sklearn.metrics", reason="needs the search extra")
    targets, chosen = np.random.default_rng(seed).integers(size, size=(2, clips))
    occurring = np.unique(targets)
    assert accuracy(targets, chosen) == pytest.approx(metrics.accuracy_score(targets, chosen))
    expected = metrics.recall_score(targets, chosen, labels=occurring, average="macro")
    assert class_average(targets, chosen) == pytest.approx(expected)
    shares = metrics.precision_recall_fscore_support(targets, chosen, labels=occurring, zero_division=np.nan)[:3]
    merits = [merit for merit in class_metrics(targets, chosen, size) if merit.clips]
    for ours, theirs in zip(("precision", "recall", "f1"), shares, strict=True):
        told = [np.nan if getattr(merit, ours) is None else getattr(merit, ours) for merit in merits]
        np.testing.assert_allclose(told, theirs)


def test_label_without_clips_has_no_share_of_them() -> None:
    """Nothing is known of a label that no clip is of, though a clip be called so, and no average has it."""
    targets, chosen = np.array([0, 0, 1]), np.array([0, 2, 1])
    third = class_metrics(targets, chosen, 3)[2]
    assert (third.clips, third.chosen, third.recall, third.f1) == (0, 1, None, None)
    assert class_average(targets, chosen) == pytest.approx((1 / 2 + 1) / 2)
    result = score_clips("test", ("a", "b", "c"), ["a", "a", "b"], np.eye(3)[chosen], Calibration(1.0, (0.5,) * 3))
    assert result.absent == ("c",)
    table = clip_table(result)
    assert "class average 75.0 % (without c: no clips)" in table
    assert "| c | 0 | 0 | 0 | - | 0.0 % | - | - |" in table


def test_calibration_error_is_the_gap() -> None:
    """Sure and right is calibrated; sure and right three times in four is off by a quarter."""
    targets, chosen = np.array([0, 0, 0, 1]), np.array([0, 0, 1, 1])
    sure = np.eye(2)[chosen]
    assert calibration_error(targets, sure) == pytest.approx(0.25)
    assert calibration_error(chosen, sure) == 0


def test_reliability_bins_hold_every_clip(rng: np.random.Generator) -> None:
    """Bins count each clip once, lie where their clips' probabilities do, and are right as often as they say."""
    targets, logits = drawn(rng, 50_000, 4)
    bins = reliability(targets, softmax(logits, 1))
    assert sum(b.clips for b in bins) == 50_000
    assert bins[-1].high == 1
    assert len(bins) <= BINS
    for b in bins:
        assert b.low <= b.confidence <= b.high
        if b.clips > 1000:
            assert b.accuracy == pytest.approx(b.confidence, abs=0.03)


@pytest.mark.parametrize(("labels", "instruments"), [(2, 2), (3, 3), (4, 4), (8, 8), (4, 3), (9, 8)])
def test_calibration_finds_the_temperature(rng: np.random.Generator, labels: int, instruments: int) -> None:
    """Logits twice too large get a temperature of 2, and 90 % of each instrument's right clips pass its threshold.

    Where the quantile is above the ceiling more than that pass.
    """
    targets, logits = drawn(rng, 20_000, labels)
    rule = calibrate(targets, 2 * logits, instruments)
    assert rule.temperature == pytest.approx(2, rel=0.06)
    assert len(rule.thresholds) == instruments
    probabilities = softmax(2 * logits, rule.temperature)
    right = probabilities[:, :instruments].argmax(axis=1) == targets
    for label, threshold in enumerate(rule.thresholds):
        passed = np.mean(rule.names(probabilities[right & (targets == label)]) == label)
        assert passed == pytest.approx(0.9, abs=0.02) or (threshold == 0.4 and passed > 0.9)


def test_an_instrument_never_recognized_gets_a_plain_threshold() -> None:
    """Without a clip to choose it by, the threshold is one half."""
    rule = calibrate(np.array([0, 0]), np.array([[3.0, 0.0], [2.0, 0.0]]), 2)
    assert rule.thresholds[1] == 0.5


@pytest.mark.parametrize(("clips", "outputs", "instruments"), [(0, 3, 3), (5, 3, 4), (5, 5, 3)])
def test_calibration_refuses_what_it_cannot_use(clips: int, outputs: int, instruments: int) -> None:
    """No clips, too few outputs and too many outputs are refused with what was got."""
    with pytest.raises(ConfigError, match=f"{clips} clips and {outputs} outputs for {instruments} instruments"):
        calibrate(np.zeros(clips, int), np.zeros((clips, outputs)), instruments)


@pytest.mark.parametrize("outputs", [3, 4], ids=["without unknown", "with unknown"])
def test_a_name_needs_its_own_threshold(outputs: int) -> None:
    """The most probable of the instruments that pass is named, and unknown, after the last one, when none passes."""
    rule = Calibration(1.0, (0.5, 0.2, 0.9))
    probabilities = np.array([[0.4, 0.3, 0.3, 0.0], [0.6, 0.3, 0.1, 0.0], [0.4, 0.1, 0.5, 0.0], [0.1, 0.1, 0, 0.8]])
    assert rule.names(probabilities[:, :outputs]).tolist() == [1, 0, 3, 3]


def test_nobody_is_named_whom_another_leads_clearly() -> None:
    """As in a stream, who passes stays unnamed where another, who does not pass, is clearly more probable."""
    rule = Calibration(1.0, (0.6, 0.2))
    probabilities = np.array([[0.45, 0.3], [0.5, 0.25], [0.1, 0.25]])
    names = []
    for row in probabilities:
        _, named = Smoother(rule.thresholds).update(row, 0.25)
        names.append(2 if named is None else named)
    assert rule.names(probabilities).tolist() == names == [1, 2, 1]
