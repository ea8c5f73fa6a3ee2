"""Heads that tell taught names from everything else and from each other."""

from __future__ import annotations

import numpy as np
import pytest

from stream.errors import TeachError
from stream.players.bank import Bank
from stream.players.enrolment import LEAST, Enroller, Enrolment, enrol
from stream.players.fitting import STRANGERS, EnrolledName, fit_all, fit_logistic, judge_last, likeness
from stream.recognition.classifier import Classifier
from stream.recognition.mel import SAMPLE_RATE, Array
from stream.recognition.recognizer import Recognizer
from tests.support import tiny
from tests.support.taught import bank_of, saxophone

LENGTH = 16


@pytest.fixture(scope="module")
def classifier() -> Classifier:
    """A tiny model with an embedding."""
    return Classifier.load(tiny.INTEGER)


def cloud(rng: np.random.Generator, centre: Array, count: int, spread: float = 0.3) -> Array:
    """Points of unit length about a direction."""
    points = centre + spread * rng.normal(size=(count, LENGTH))
    return np.asarray(points / np.linalg.norm(points, axis=1, keepdims=True), np.float32)


def enrolment_of(points: Array, instruments: int, instrument: int) -> Enrolment:
    """What was kept of somebody whom the model takes for one of its instruments."""
    probabilities = np.zeros((len(points), instruments))
    probabilities[:, instrument] = 0.9
    ends = np.arange(len(points), dtype=np.float32) / 2 + 3
    return Enrolment(points, probabilities, ends, float(ends[-1]))


def test_a_logistic_regression_finds_what_the_odds_are(rng: np.random.Generator) -> None:
    """Of points whose odds are known, weights and bias come back."""
    points = rng.normal(size=(40_000, 2))
    wanted = np.array([2.0, -1.0])
    targets = (rng.random(len(points)) < 1 / (1 + np.exp(-(points @ wanted + 0.5)))).astype(float)
    weights, bias = fit_logistic(points, targets, np.full(len(points), 1 / len(points)), 1e-9)
    np.testing.assert_allclose(weights, wanted, atol=0.1)
    assert bias == pytest.approx(0.5, abs=0.1)


def test_two_players_of_one_instrument_are_told_apart_and_strangers_stay_out(
    rng: np.random.Generator, classifier: Classifier
) -> None:
    """New windows of either have its name, and no more of the bank passes than is let pass."""
    bundle = classifier.bundle
    count = len(bundle.instruments)
    anna, ben = np.eye(LENGTH, dtype=np.float32)[:2]
    others = cloud(rng, np.eye(LENGTH, dtype=np.float32)[5], 400, 0.5)
    uniform = np.full((len(others), count), 1 / count)
    bank = Bank(bundle.name, "", others, uniform, ("piano",) * len(others), ("x",) * len(others))
    enrolled = [
        EnrolledName(name, None, enrolment_of(cloud(rng, at, 30), count, 7)) for name, at in (("A", anna), ("B", ben))
    ]
    fitted = fit_all(enrolled, bank, bundle)
    assert judge_last(enrolled, bank, bundle) == fitted[-1][1]
    for number, (head, reliability) in enumerate(fitted):
        assert reliability.is_reliable, reliability.doubts()
        assert reliability.held_out > 0
        assert reliability.passing <= STRANGERS * reliability.strangers + 1
        fresh = enrolment_of(cloud(rng, (anna, ben)[number], 50), count, 7).points
        other = fitted[1 - number][0]
        own = fresh @ np.array(head.weights) + head.bias
        assert (own > 0).mean() > 0.9
        assert (own > fresh @ np.array(other.weights) + other.bias).mean() > 0.9


def test_what_cannot_be_told_apart_is_said_to_be_so(rng: np.random.Generator, classifier: Classifier) -> None:
    """Two names for one sound are mistaken for each other, and the numbers say it."""
    bundle = classifier.bundle
    count = len(bundle.instruments)
    same, other = np.eye(LENGTH, dtype=np.float32)[:2]
    others = cloud(rng, other, 200)
    bank = Bank(bundle.name, "", others, np.full((200, count), 1 / count), ("piano",) * 200, ("x",) * 200)
    enrolled = [EnrolledName(name, None, enrolment_of(cloud(rng, same, 40), count, 7)) for name in ("A", "B")]
    (_, first), _ = fit_all(enrolled, bank, bundle)
    assert any("held out" in doubt or "taken for B" in doubt for doubt in first.doubts())


def test_an_instrument_beyond_the_line_up_is_taught_as_one_of_its_label(classifier: Classifier) -> None:
    """Others of its label may be taken for it; but a violin, which is named anyway, is told from other violins."""
    bundle = classifier.bundle
    points = np.eye(LENGTH, dtype=np.float32)
    for name, expected in (("cello", "cello"), ("violin", None)):
        enrolment = enrolment_of(points, len(bundle.instruments), bundle.instruments.index(name))
        assert likeness(enrolment, bundle) == expected


def test_less_than_ten_sounding_seconds_are_too_few(classifier: Classifier, demo: Array) -> None:
    """Silence does not count, and the error says how much sounded."""
    audio = np.concatenate([demo[: 6 * SAMPLE_RATE], np.zeros(20 * SAMPLE_RATE, np.float32)])
    with pytest.raises(TeachError, match=rf"only \d\.\d s of this sound; .* {LEAST:g} s"):
        enrol([audio], classifier)


def test_no_more_than_a_minute_is_listened_to(classifier: Classifier, demo: Array) -> None:
    """What follows it is not even read."""
    taken = 0

    def blocks() -> object:
        nonlocal taken
        for at in range(0, 10 * len(demo), SAMPLE_RATE):
            taken += 1
            yield np.take(demo, range(at, at + SAMPLE_RATE), mode="wrap")

    enrolment = enrol(blocks(), classifier)  # type: ignore[arg-type]
    assert enrolment.seconds < 61
    assert taken < 90


def test_a_name_is_taught_from_the_results_of_a_running_recognizer(classifier: Classifier, demo: Array) -> None:
    """What gathers them takes the same windows whatever the hop is, and tells how far it is."""
    enroller = Enroller(classifier)
    assert enroller.taken_for is None
    for result in Recognizer(classifier, hop=0.1).feed(saxophone(demo)):
        enroller.take(result)
    assert enroller.taken_for == "other saxophone"
    assert enroller.seconds == pytest.approx(20, abs=0.5)
    whole = enrol([saxophone(demo)], classifier)
    assert len(enroller.enrolment().ends) == pytest.approx(len(whole.ends), abs=3)


def test_one_instrument_of_the_demo_is_taught_against_the_others(classifier: Classifier, demo: Array) -> None:
    """Each window that is held out is recognized, and hardly any of the others passes."""
    enrolment = enrol([saxophone(demo)], classifier)
    each = EnrolledName("sax", likeness(enrolment, classifier.bundle), enrolment)
    ((_, reliability),) = fit_all([each], bank_of(classifier, demo), classifier.bundle)
    assert reliability.is_reliable, reliability.doubts()
    assert reliability.taken_for == {"other saxophone": 1.0}
