"""The label holds still, and moves when it must."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.recognition.classifier import Classifier
from stream.recognition.mel import Array
from stream.recognition.recognizer import Recognizer
from stream.recognition.smoothing import Smoother, Smoothing

HOP = 0.255
USUAL = Smoothing()


def named(estimates: Sequence[tuple[float, ...]], thresholds: tuple[float, ...] = (0.4, 0.4)) -> list[int | None]:
    """Index named after each estimate."""
    smoother = Smoother(thresholds)
    return [smoother.update(np.array(estimate), HOP)[1] for estimate in estimates]


def test_a_single_odd_window_is_not_seen() -> None:
    """One window that says something else between steady ones does not change the label."""
    steady, odd = (0.8, 0.1), (0.3, 0.5)
    assert named([steady] * 4 + [odd] + [steady] * 4) == [0] * 9


def test_clear_evidence_moves_the_label_within_three_hops() -> None:
    """When every window says something else from now on, so does the label."""
    labels = named([(0.9, 0.05)] * 5 + [(0.05, 0.9)] * 5)
    assert labels[:5] == [0] * 5
    assert labels[7:] == [1] * 3


def test_a_tie_does_not_flicker() -> None:
    """Two instruments that are nearly as probable as each other do not take turns."""
    rng = np.random.default_rng(3)
    noise = 0.04 * rng.standard_normal(400)
    labels = named([(0.47 + x, 0.47 - x) for x in noise])
    assert sum(a != b for a, b in itertools.pairwise(labels)) == 0


def test_a_label_comes_at_its_threshold_and_goes_when_unknown_leads() -> None:
    """An instrument needs its threshold to be named, and then only that `unknown` does not lead it clearly."""
    assert named([(0.39, 0.0)])[-1] is None
    assert named([(0.41, 0.0)])[-1] == 0
    held = (1 - USUAL.release) / 2  # unknown is `release` above it
    assert named([(0.41, 0.0)] + [(held + 0.02, 0.0)] * 50)[-1] == 0
    assert named([(0.41, 0.0)] + [(held - 0.02, 0.0)] * 50)[-1] is None


def test_another_instrument_must_be_clearly_more_probable() -> None:
    """A rival takes over only when it leads clearly, however long it leads by less."""
    near, clear = ((0.45 - x * USUAL.lead / 2, 0.45 + x * USUAL.lead / 2) for x in (0.9, 1.1))
    assert named([(0.6, 0.3)] + [near] * 50)[-1] == 0
    assert named([(0.6, 0.3)] + [clear] * 50)[-1] == 1


@pytest.mark.parametrize(("share", "label"), [(1.05, 0), (0.95, None)])
def test_a_label_goes_at_its_floor(share: float, label: int | None) -> None:
    """Where nobody leads clearly, a label stays down to its floor, and nobody is named below it."""
    held = share * USUAL.floor * 0.4
    told = named([(0.8, 0.1, 0.1)] + [(held, 0.38, 0.36)] * 50, (0.4, 0.4, 0.4))
    assert told[0] == 0
    assert told[-1] == label


def test_who_leads_without_passing_ends_a_label_too() -> None:
    """A rival that leads clearly and does not pass its own threshold leaves nobody named."""
    assert named([(0.6, 0.3)] + [(0.3, 0.65)] * 50, (0.4, 0.7))[-1] is None
    assert named([(0.42, 0.56)], (0.4, 0.7)) == [0]
    assert named([(0.31, 0.55)], (0.3, 0.7)) == [None]


def test_settings_say_how_much_a_change_takes() -> None:
    """A shorter average and a narrower lead move the label earlier."""
    estimates = [np.array([0.8, 0.1])] * 3 + [np.array([0.35, 0.5])] * 20
    changed = {}
    for smoothing in (Smoothing(0.05, 0.1, 0.1), Smoothing(1.0, 0.1, 0.1), Smoothing(0.05, 0.3, 0.1)):
        smoother = Smoother((0.4, 0.4), smoothing)
        told = [smoother.update(estimate, HOP)[1] for estimate in estimates]
        changed[smoothing.time_constant, smoothing.lead] = told.index(1) if 1 in told else None
    assert changed[0.05, 0.1] == 3
    assert changed[1.0, 0.1] > 3
    assert changed[0.05, 0.3] is None


def test_a_name_goes_with_what_is_known() -> None:
    """While all that may be named sum to less than what is known, nobody is named; what is shown may be held longer."""
    estimates = [np.array(pair) for pair in [(0.7, 0.1)] + [(0.5, 0.05)] * 40]
    last = {}
    for floor in (1.0, 0.8):
        smoother = Smoother((0.4, 0.4), Smoothing(known_floor=floor), known=0.6)
        last[floor] = [smoother.update(estimate, HOP)[1] for estimate in estimates][-1]
    assert last == {1.0: None, 0.8: 0}
    assert Smoother((0.4, 0.4), known=0.6).update(estimates[-1], HOP)[1] is None


def test_each_instrument_has_its_own_threshold() -> None:
    """An instrument below its own threshold is not named, though it is the most probable one."""
    assert named([(0.5, 0.35)], thresholds=(0.6, 0.25)) == [1]


def test_time_counts_not_hops() -> None:
    """Half as many hops of twice the length smooth as much."""
    slow, fast = Smoother([0.5]), Smoother([0.5])
    for smoother in (slow, fast):
        smoother.update(np.array([0.0]), 1.0)
    average, _ = slow.update(np.array([1.0]), 0.4)
    fast.update(np.array([1.0]), 0.2)
    assert fast.update(np.array([1.0]), 0.2)[0] == pytest.approx(average)


def test_reset_forgets() -> None:
    """After a reset the first estimate counts alone."""
    smoother = Smoother([0.5])
    smoother.update(np.array([0.9]), HOP)
    smoother.reset()
    average, index = smoother.update(np.array([0.1]), HOP)
    assert average == pytest.approx([0.1])
    assert index is None


def check(average: Sequence[float], index: int | None, thresholds: Sequence[float]) -> None:
    """Hold one hop to the rule: no name below its floor, none while another instrument leads clearly."""
    if index is None:
        return
    others = [p for number, p in enumerate(average) if number != index]
    assert average[index] >= USUAL.floor * thresholds[index]
    assert max(others, default=0.0) - average[index] <= USUAL.lead


ESTIMATE = st.lists(st.floats(0, 1), min_size=4, max_size=4)  # the fourth is that of `unknown`
THRESHOLD = st.one_of(st.floats(0, 1), st.just(0.4))


@given(
    st.lists(st.tuples(ESTIMATE, st.integers(1, 6), st.floats(0.02, 3)), max_size=25),
    st.tuples(THRESHOLD, THRESHOLD, THRESHOLD),
    st.floats(0, 1) | st.just(0.0),
)
def test_whatever_is_heard_a_name_is_probable_enough(
    parts: list[tuple[list[float], int, float]], thresholds: tuple[float, float, float], known: float
) -> None:
    """In any sequence, nobody is named below the floor, behind a clear leader, or while too little is known."""
    smoother = Smoother(thresholds, USUAL, known)
    for weights, count, elapsed in parts:
        raw = np.array(weights[:3]) / max(1.0, sum(weights))
        for _ in range(count):
            average, index = smoother.update(raw, elapsed)
            check(average.tolist(), index, thresholds)
            if index is not None:
                assert average.sum() >= known - 1e-6
            elif average.sum() >= known:
                clear = [p for p, needed in zip(average, thresholds, strict=True) if p >= needed and p == max(average)]
                assert not clear  # who is the most probable and passes is named


@given(
    st.lists(st.lists(st.floats(0, 1), min_size=3, max_size=3), min_size=1, max_size=8),
    st.lists(st.floats(0, 1), min_size=3, max_size=3).filter(lambda weights: max(weights) > 0.2),
)
def test_what_goes_on_decides_whatever_was_before(before: list[list[float]], weights: list[float]) -> None:
    """Ten seconds of the same estimate, in which one instrument leads clearly, name it or nobody."""
    steady = tuple((np.array(weights) / max(1.0, sum(weights))).tolist())
    start = [tuple((np.array(estimate) / max(1.0, sum(estimate))).tolist()) for estimate in before]
    last = named([*start, *[steady] * 40], (0.4, 0.4, 0.4))[-1]
    ranked = sorted(steady)
    if ranked[-1] - ranked[-2] >= USUAL.lead + 1e-3:
        assert last == (steady.index(ranked[-1]) if ranked[-1] >= 0.4 else last)
        assert last in (None, steady.index(ranked[-1]))


def test_in_music_a_name_is_probable_enough(classifier: Classifier, demo: Array) -> None:
    """In every hop of the demo a name is at its floor or above, not clearly behind another, and its confidence told."""
    recognizer = Recognizer(classifier)
    told = [result.estimate for result in recognizer.feed(demo[: len(demo) // 2])]
    hops = [estimate for estimate in told if estimate.label is not None]
    assert len({estimate.label for estimate in hops}) >= 3
    for estimate in hops:
        assert estimate.confidence == estimate.probabilities[estimate.label]
        check(
            list(estimate.probabilities.values()), recognizer.instruments.index(estimate.label), recognizer.thresholds
        )
