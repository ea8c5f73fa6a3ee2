"""Measuring a model as it is served, comparing it with the float one, and writing its bundle and card."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("tensorflow", reason="needs the train extra")

from stream.errors import ConfigError
from stream.recognition import bundle as bundles
from stream.recognition.classifier import Classifier
from stream.recognition.mel import WINDOW, StreamingMel
from tests.support.tensorflow_warnings import ignore_tensorflow_warnings
from tests.support.tone_dataset import HERTZ, ToneDataset, clip_without_sound
from tests.support.trained_model import TrainedModel
from train.datasets.clips import Clip
from train.evaluation import clip_evaluation, demo_evaluation, real_clips
from train.evaluation.agreement import measure_agreement
from train.evaluation.clip_metrics import Calibration
from train.evaluation.clip_predictions import ClipPredictions, predict_clips
from train.evaluation.clip_result import clip_table, score_clips

# One process for all: the model of the tones is trained once.
pytestmark = [ignore_tensorflow_warnings, pytest.mark.xdist_group("trained model")]

INSTRUMENTS = tuple(HERTZ)


def held_out(dataset: ToneDataset) -> list[Clip]:
    """The clips of the test split."""
    return [clip for clip in dataset.clips if clip.split == "test"]


def test_served_probabilities_are_the_classifiers(trained: TrainedModel) -> None:
    """The recognizer says of a clip what the service's classifier says of its window, and unknown is the rest."""
    clips = held_out(trained.dataset)[::5]
    heard = predict_clips(trained.bundle, trained.dataset, clips)
    assert heard.labels == trained.bundle.labels
    assert list(heard.clips) == clips
    assert not heard.silent.any()
    np.testing.assert_allclose(heard.probabilities.sum(axis=1), 1)
    classifier = Classifier(trained.bundle)
    for clip, row in zip(clips, heard.probabilities, strict=True):
        expected = classifier(StreamingMel().features(trained.dataset.audio(clip), WINDOW))
        np.testing.assert_allclose(row[:-1], expected, atol=1e-12)


def test_served_by_several_processes_is_the_same(trained: TrainedModel) -> None:
    """However many processes hear the clips, probabilities and order are those of one, broken clips included."""
    dataset = replace(trained.dataset, each=30)
    clips = [*dataset.clips, clip_without_sound("unknown", "a.broken")]
    one, two = (predict_clips(trained.bundle, dataset, clips, processes, progress=False) for processes in (1, 2))
    assert one.clips == two.clips == dataset.clips
    np.testing.assert_array_equal(one.probabilities, two.probabilities)
    assert one.skipped == two.skipped
    assert [skipped.clip for skipped in one.skipped] == clips[-1:]


def test_silent_and_broken_clips_are_counted_and_left_out(trained: TrainedModel) -> None:
    """A clip that cannot be read is named with the reason, a silent one gets no probabilities, and neither a figure."""
    clips = held_out(trained.dataset)
    odd = [clip_without_sound("whistle", "silence.wav"), clip_without_sound("whistle", "take.broken")]
    result, heard = clip_evaluation.evaluate_clips("test", trained.bundle, trained.dataset, [*odd, *clips])
    assert heard.silent.tolist() == [True] + [False] * len(clips)
    assert not heard.probabilities[0].any()
    assert [str(skipped.clip) for skipped in heard.skipped] == ["take.broken, window 0"]
    assert "take.broken" in heard.skipped[0].reason
    assert (result.clips, result.silent, result.skipped) == (len(clips), 1, 1)
    assert "; not among them: 1 silent, 1 unreadable" in clip_table(result)
    alone = clip_evaluation.score_predictions(
        "test", trained.bundle, predict_clips(trained.bundle, trained.dataset, clips)
    )
    assert result.figures() == {**alone.figures(), "silent": 1, "skipped": 1}


def test_the_tones_are_told_apart(trained: TrainedModel) -> None:
    """A model of sounds that are easy to tell apart is right, and rejects noise, as the service hears it."""
    result, heard = clip_evaluation.evaluate_clips("test", trained.bundle, trained.dataset, held_out(trained.dataset))
    assert result.accuracy > 0.9
    assert result.rejected > 0.6
    wrong = clip_evaluation.find_mistakes(heard)
    assert len(wrong) == np.sum(heard.probabilities.argmax(axis=1) != np.repeat(range(4), 8))


def test_figures_of_a_known_case() -> None:
    """Every figure of a small case is what counting by hand gives, and json takes all of them."""
    labels = ["a", "a", "a", "b", "c", "unknown"]
    probabilities = np.array(
        [[0.9, 0.1, 0.0], [0.6, 0.3, 0.1], [0.2, 0.7, 0.1], [0.1, 0.4, 0.5], [0.8, 0.1, 0.1], [0.1, 0.1, 0.8]]
    )
    result = score_clips("six", ("a", "b"), labels, probabilities, Calibration(1.0, (0.7, 0.5)))
    assert (result.solos, result.right) == (4, 3)
    assert result.accuracy == pytest.approx(3 / 4)
    assert result.average == pytest.approx((2 / 3 + 1) / 2)
    assert result.labels == ("a", "b", "unknown")
    assert result.matrix.tolist() == [[2, 1], [0, 1], [2, 0]]
    assert result.named_matrix.tolist() == [[1, 1, 1], [0, 0, 1], [1, 0, 1]]
    assert (result.named, result.named_right, result.rejected) == (2, 1, pytest.approx(1 / 2))
    assert result.named_average == pytest.approx((1 / 3 + 0) / 2)
    figures = json.loads(json.dumps(result.figures(), allow_nan=False))
    assert figures["worst_class"] == "a"
    assert figures["confusion"] == [[2, 1], [0, 1], [2, 0]]
    assert figures["per_class"]["a"] == {
        "right": 2, "clips": 3, "chosen": 2, "precision": 1.0, "recall": 0.6667, "f1": 0.8,
    }  # fmt: skip
    assert sum(bin_["clips"] for bin_ in figures["reliability"]) == 6
    text = clip_table(result)
    assert "accuracy 75.0 % (3 of 4 instrument clips right), class average 83.3 %" in text
    assert "What is named: class average 16.7 % (1 of 4 instrument clips named right; 2 named as any" in text
    assert (figures["named"], figures["named_right"], figures["named_class_average"]) == (0.5, 0.25, 0.1667)
    assert "| a | 2 | 1 | 2 of 3 | 100.0 % | 66.7 % | 80.0 % |" in text
    assert "| unknown | 1 | 0 | 1 | 1 of 2 | 33.3 % | 50.0 % | 40.0 % |" in text


@pytest.mark.parametrize("labels", [2, 3, 4, 8])
@pytest.mark.parametrize("unknown", [0, 1])
def test_any_number_of_labels_is_scored(rng: np.random.Generator, labels: int, unknown: int) -> None:
    """Random outputs of 2 to 8 instruments, with and without unknown, give figures that fit together."""
    instruments = tuple(f"instrument {number}" for number in range(labels))
    names = rng.choice([*instruments, *["unknown"] * unknown], 200).tolist()
    probabilities = rng.dirichlet(np.ones(labels + unknown), 200)
    result = score_clips("random", instruments, names, probabilities, Calibration(1.0, (0.3,) * labels))
    assert result.matrix.sum() == result.named_matrix.sum() == result.clips == 200
    assert result.right / result.solos == pytest.approx(result.accuracy)
    assert np.mean([merit.recall for merit in result.classes]) == pytest.approx(result.average)
    assert (result.rejected is None) == (not unknown)
    assert len(clip_table(result).splitlines()) == 2 + 2 * (3 + labels + unknown)


def test_no_clips_have_no_figures() -> None:
    """Shares of nothing are null in json and a dash in the table, instead of an error."""
    result = score_clips("nothing", ("a", "b"), [], np.zeros((0, 3)), Calibration(1.0, (0.5, 0.5)))
    assert json.loads(json.dumps(result.figures(), allow_nan=False))["accuracy"] is None
    assert "accuracy - (0 of 0" in clip_table(result)


def test_int8_and_float_are_compared_clip_by_clip(trained: TrainedModel) -> None:
    """The served model agrees with the float one, and differs no more than quantisation explains."""
    clips = held_out(trained.dataset)
    heard = predict_clips(trained.bundle, trained.dataset, [*clips, clip_without_sound("whistle", "silence.wav")])
    comparison = measure_agreement(heard, clips, trained.float_probabilities(clips), trained.bundle.labels)
    assert comparison.clips == len(clips)
    assert comparison.share > 0.95
    assert comparison.mean_difference < 0.02
    assert comparison.mean_difference <= comparison.largest_difference
    assert len(comparison.disagreements) == comparison.clips - comparison.equal


def test_every_disagreement_is_told() -> None:
    """Each clip with another favourite is listed with both names and both probabilities, the surest first."""
    clips = ToneDataset(each=1).clips[:3]
    ours = np.array([[0.7, 0.3], [0.4, 0.6], [0.2, 0.8]])
    theirs = np.array([[0.7, 0.3], [0.6, 0.4], [0.9, 0.1]])
    heard = ClipPredictions(("a", "b"), clips, ours, np.zeros(3, bool), ())
    comparison = measure_agreement(heard, clips, theirs, ("a", "b"))
    assert (comparison.equal, comparison.clips) == (1, 3)
    assert comparison.mean_difference == pytest.approx((0 + 0.2 + 0.7) / 3)
    assert comparison.largest_difference == pytest.approx(0.7)
    figures = json.loads(json.dumps(comparison.figures()))
    assert [row["clip"] for row in figures["disagreements"]] == [str(clips[2]), str(clips[1])]
    assert figures["disagreements"][0] == {
        "clip": str(clips[2]), "label": clips[2].label,
        "int8": "b", "int8_probability": 0.8, "float": "a", "float_probability": 0.9,
    }  # fmt: skip
    assert "agree on 1 of 3 clips (33.33 %)" in comparison.table()
    assert len(comparison.table().splitlines()) == 2 + 2 + 2
    with pytest.raises(ConfigError, match="labels are a, b; those of the network are b, a"):
        measure_agreement(heard, clips, theirs, ("b", "a"))


def test_mistakes_are_told_surest_first() -> None:
    """Wrong favourites are sorted by their probability; strange labels are right as unknown, silence is no mistake."""
    clips = tuple(replace(clip, label=label) for clip, label in zip(ToneDataset(each=1).clips, "abcc", strict=False))
    rows = np.array([[0.1, 0.9, 0.0], [0.6, 0.4, 0.0], [0.1, 0.2, 0.7], [0.0, 0.0, 0.0]])
    heard = ClipPredictions(("a", "b", "unknown"), clips, rows, np.array([False, False, False, True]), ())
    wrong = clip_evaluation.find_mistakes(heard)
    assert [(mistake.clip.label, mistake.guess, mistake.probability) for mistake in wrong] == [
        ("a", "b", 0.9),
        ("b", "a", 0.6),
    ]


def test_demo_is_named_by_windows() -> None:
    """Windows of the demo lie inside its segments, and the shipped model names most of them right."""
    stretches = demo_evaluation.evaluate_demo(bundles.load())
    windows = sum(stretch.windows for stretch in stretches)
    assert windows == sum(sum(stretch.names.values()) for stretch in stretches) > 100
    assert sum(stretch.names.get(stretch.label, 0) for stretch in stretches) / windows > 0.6
    assert str(stretches[0]).startswith("demo ")


def test_validation_clips_are_the_real_ones(shared: Path) -> None:
    """The 104 real clips are opened with the instruments they are of."""
    dataset = real_clips.open_real_clips(shared)
    assert len(dataset.clips) == 104
    assert len(dataset.labels) == 8
    assert dataset.audio(dataset.clips[0]).shape == (WINDOW,)
