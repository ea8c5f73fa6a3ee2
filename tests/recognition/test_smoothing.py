"""The label holds still, and moves when it must."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from stream.recognition.smoothing import ADVANTAGE_FLOOR, Smoother, Smoothing

HOP = 0.255
USUAL = Smoothing()


def named(estimates: list[tuple[float, ...]], thresholds: tuple[float, ...] = (0.4, 0.4)) -> list[int | None]:
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
    noise = 0.02 * rng.standard_normal(400)
    labels = named([(0.47 + x, 0.47 - x) for x in noise])
    assert sum(a != b for a, b in itertools.pairwise(labels)) <= 1


def test_a_label_comes_at_its_threshold_and_goes_when_unknown_leads() -> None:
    """An instrument needs its threshold to be named, and then only that `unknown` does not lead it clearly."""
    assert named([(0.39, 0.0)])[-1] is None
    assert named([(0.41, 0.0)])[-1] == 0
    held = (1 - USUAL.release) / 2  # unknown is `release` above it
    assert named([(0.41, 0.0)] + [(held + 0.02, 0.0)] * 50)[-1] == 0
    assert named([(0.41, 0.0)] + [(held - 0.02, 0.0)] * 50)[-1] is None


def test_another_instrument_must_be_clearly_more_probable() -> None:
    """A rival takes over only when it leads by the margin, however long it leads by less."""
    lead, middle = (0.6, 0.3), 0.5
    near, clear = ((middle - x * USUAL.margin / 2, middle + x * USUAL.margin / 2) for x in (0.9, 1.1))
    assert named([lead] + [near] * 50)[-1] == 0
    assert named([lead] + [clear] * 50)[-1] == 1


def test_a_label_that_is_ruled_out_has_no_margin() -> None:
    """Several that share the probability take over from one that has next to none, though none leads by the margin."""
    thresholds = (0.4, 0.4, 0.4)
    rivals = [(0.45, 0.42), (0.42, 0.45)]
    assert named([(0.8, 0.1, 0.1)] + [(0.5 * ADVANTAGE_FLOOR * 0.4, *rivals[0])] * 50, thresholds)[-1] == 1
    assert named([(0.8, 0.1, 0.1)] + [(1.5 * ADVANTAGE_FLOOR * 0.4, *rivals[0])] * 50, thresholds)[-1] == 0
    told = named([(0.8, 0.1, 0.1)] + [(0.5 * ADVANTAGE_FLOOR * 0.4, *rivals[n % 2]) for n in range(50)], thresholds)
    assert sum(a != b for a, b in itertools.pairwise(told)) == 1


def test_settings_say_how_much_a_change_takes() -> None:
    """A shorter average and narrower margins move the label earlier."""
    estimates = [np.array([0.8, 0.1])] * 3 + [np.array([0.35, 0.5])] * 20
    changed = {}
    for smoothing in (Smoothing(0.05, 0.1, 0.1), Smoothing(1.0, 0.1, 0.1), Smoothing(0.05, 0.3, 0.1)):
        smoother = Smoother((0.4, 0.4), smoothing)
        told = [smoother.update(estimate, HOP)[1] for estimate in estimates]
        changed[smoothing.time_constant, smoothing.margin] = told.index(1) if 1 in told else None
    assert changed[0.05, 0.1] == 3
    assert changed[1.0, 0.1] > 3
    assert changed[0.05, 0.3] is None


def test_each_instrument_has_its_own_threshold() -> None:
    """An instrument below its own threshold is not named, though it is the most probable one."""
    assert named([(0.5, 0.3)], thresholds=(0.6, 0.25)) == [1]


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
