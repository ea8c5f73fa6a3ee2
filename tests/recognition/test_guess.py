"""Guesses: the most likely instruments of those that are not shown."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.recognition.guess import MIN_PROBABILITY, GuessTracker
from stream.recognition.results import Stretch

NAMES = ("flute", "piano", "violin")
Hops = list[tuple[list[float], int | None]]


def told(hops: Hops) -> list[Stretch]:
    """Return the guesses of a stream with a hop a second, closed a second after the last one."""
    tracker = GuessTracker(NAMES)
    guesses = [tracker.update(float(time), np.array(hop), shown) for time, (hop, shown) in enumerate(hops)]
    return [guess for guess in (*guesses, tracker.close(float(len(hops)))) if guess is not None]


def test_a_stretch_lasts_to_the_hop_that_knows_better() -> None:
    """A guess starts with its first hop, ends with the first of another, and tells its mean."""
    hops: Hops = [([0.0, 0.1, 0.9], 2), ([0.2, 0.1, 0.7], 2), ([0.4, 0.0, 0.6], 2), ([0.1, 0.1, 0.8], 2)]
    (guess,) = told(hops)
    assert (guess.start, guess.end, guess.label) == (1.0, 3.0, "flute")
    assert guess.confidence == pytest.approx(0.3)


def test_what_is_shown_is_no_guess() -> None:
    """When a guess comes to the front, it ends, and who was shown may be the next one."""
    hops: Hops = [([0.3, 0.0, 0.7], 2)] * 2 + [([0.6, 0.0, 0.4], 0)] * 2
    assert [(guess.start, guess.end, guess.label) for guess in told(hops)] == [
        (0.0, 2.0, "flute"),
        (2.0, 4.0, "violin"),
    ]


def test_the_unknown_has_guesses_too() -> None:
    """Where no instrument is shown, the most probable one was a guess."""
    assert [guess.label for guess in told([([0.2, 0.3, 0.1], None)] * 2)] == ["piano"]


def test_a_single_hop_is_chance() -> None:
    """A guess of one hop is not told, and neither is one that is too improbable."""
    assert told([([0.3, 0.0, 0.7], 2), ([0.0, 0.3, 0.7], 2), ([0.3, 0.0, 0.7], 2)]) == []
    assert told([([MIN_PROBABILITY - 1e-6, 0.0, 0.7], 2)] * 9) == []
    assert len(told([([MIN_PROBABILITY, 0.0, 0.7], 2)] * 2)) == 1


def test_where_nothing_is_estimated_there_is_no_guess() -> None:
    """Silence, a gap and the warming after it end a guess, and the next one begins anew."""
    hops: Hops = [([0.3, 0.0, 0.7], 2)] * 3 + [([0.0, 0.0, 0.0], None)] * 2 + [([0.3, 0.0, 0.7], 2)] * 2
    assert [(guess.start, guess.end) for guess in told(hops)] == [(0.0, 3.0), (5.0, 7.0)]


HOP = st.tuples(
    st.lists(st.sampled_from([0.0, 0.1, MIN_PROBABILITY, 0.2, 0.4]), min_size=3, max_size=3),
    st.none() | st.integers(0, 2),
)


@given(st.lists(HOP, max_size=30))
def test_guesses_are_the_runs_of_the_second_best(hops: Hops) -> None:
    """Whatever is heard, the guesses are the stretches of two hops or more with the same most probable other one."""
    seconds: list[str | None] = []
    for probabilities, shown in hops:
        others = [
            (-value, index) for index, value in enumerate(probabilities) if index != shown and value >= MIN_PROBABILITY
        ]
        seconds.append(NAMES[min(others)[1]] if others else None)
    expected, start = [], 0
    for name, run in itertools.groupby(seconds):
        end = start + len(list(run))
        if name is not None and end - start >= 2:
            mean = sum(hops[hop][0][NAMES.index(name)] for hop in range(start, end)) / (end - start)
            expected.append((float(start), float(end), name, pytest.approx(mean)))
        start = end
    assert [(guess.start, guess.end, guess.label, guess.confidence) for guess in told(hops)] == expected
