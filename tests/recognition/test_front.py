"""Which line leads."""

from __future__ import annotations

import pytest

from stream.recognition.front import FrontChooser, FrontRule
from stream.recognition.results import State

HOP = 0.25


def led(chooser: FrontChooser, levels: list[float], states: list[State], seconds: float) -> int:
    """Return who leads after some time in which nothing changes."""
    for _ in range(round(seconds / HOP)):
        chooser.update(levels, states, HOP)
    return chooser.leading


def test_a_line_that_sounds_leads_before_one_that_is_silent() -> None:
    """However loud the other was before."""
    chooser = FrontChooser(2)
    assert led(chooser, [-10, -80], ["instrument", "silence"], 5) == 0
    assert led(chooser, [-80, -40], ["silence", "unknown"], 0.5) == 0
    assert led(chooser, [-80, -40], ["silence", "unknown"], 0.5) == 1


def test_loudness_counts_against_what_is_usual_of_a_line() -> None:
    """A flute that plays up leads before drums that are always louder."""
    chooser = FrontChooser(2)
    assert led(chooser, [-10, -30], ["instrument", "instrument"], 60) == 0
    assert led(chooser, [-10, -22], ["instrument", "instrument"], 2) == 1


def test_a_line_with_a_name_leads_before_one_without() -> None:
    """The band is as loud as ever, and one of its channels is a soloist."""
    chooser = FrontChooser(2)
    assert led(chooser, [-20, -20], ["unknown", "unknown"], 10) == 0
    assert led(chooser, [-20, -20], ["unknown", "instrument"], 2) == 1


def test_near_a_tie_nothing_changes() -> None:
    """Two dB more is no lead, and four for a moment are none either."""
    chooser = FrontChooser(2)
    assert led(chooser, [-20, -20], ["instrument", "instrument"], 30) == 0
    assert led(chooser, [-20, -18], ["instrument", "instrument"], 5) == 0
    chooser = FrontChooser(2, FrontRule(loudness=0.01))
    assert led(chooser, [-20, -20], ["instrument", "instrument"], 30) == 0
    for _ in range(10):
        assert led(chooser, [-20, -14], ["instrument", "instrument"], 0.5) == 0
        assert led(chooser, [-20, -22], ["instrument", "instrument"], 0.5) == 0


def test_when_all_are_silent_the_last_one_stays() -> None:
    """A rest of the band is no change of the line in front."""
    chooser = FrontChooser(3)
    assert led(chooser, [-80, -20, -80], ["silence", "instrument", "silence"], 2) == 1
    assert led(chooser, [-80, -80, -80], ["silence"] * 3, 20) == 1
    assert chooser.leading == pytest.approx(1)
