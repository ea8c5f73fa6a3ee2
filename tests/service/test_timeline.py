"""The time of a stream, held against clocks that the test turns."""

from __future__ import annotations

import pytest

from stream.protocol.messages import Outage
from stream.recognition.mel import SAMPLE_RATE, WINDOW
from stream.service.timeline import GAP_SECONDS, WRONG_SECONDS, Timeline

EPOCH = 1_780_000_000.0
"""Unix time at which the clock was 0."""


@pytest.fixture
def timeline() -> Timeline:
    """A stream whose first audio began when the clock was at 100."""
    timeline = Timeline(90.0, EPOCH)
    timeline.begin(100.0, EPOCH)
    return timeline


def test_time_goes_on_while_the_source_is_away(timeline: Timeline) -> None:
    """Stream time is the audio that was heard, and what the clock says only while there is none."""
    assert timeline.begun
    assert timeline.utc == EPOCH + 100
    assert timeline.at(106.0, heard=4.0) == 4.0
    timeline.lose(4.0, "USB", "gone")
    assert timeline.at(106.0, heard=4.0) == 6.0
    assert timeline.at(103.9, heard=4.0) == 4.0  # what was delivered late
    timeline.bridge(4.0, 2.0, "USB", anew=True)
    assert timeline.at(107.0, heard=6.5) == 6.5


def test_a_loss_is_told_once_and_ended_once(timeline: Timeline) -> None:
    """A source that is lost over and over is away since the first time, and back when there is audio."""
    assert timeline.lose(4.0, "USB", "gone") == Outage(4.0, None, "USB", "gone")
    assert timeline.lose(4.0, "USB", "no such device") is None
    assert timeline.missing(113.0, heard=4.0) == 9.0
    assert timeline.bridge(4.0, 9.0, "built-in", anew=True) == Outage(4.0, 13.0, "USB", "gone")
    assert timeline.bridge(13.5, 0.0, "built-in", anew=False) is None


def test_of_a_source_that_was_never_heard_nothing_is_missing() -> None:
    """Before the first audio there is no outage, and no time passes."""
    timeline = Timeline(100.0, EPOCH)
    assert not timeline.begun
    assert timeline.lose(0.0, "USB", "gone") is None
    assert timeline.at(200.0, heard=0.0) == 0.0


def test_audio_that_overlaps_what_was_heard_misses_nothing(timeline: Timeline) -> None:
    """A device that is opened anew and delivers sooner than the clock says leaves no gap, nor a negative one."""
    assert timeline.missing(103.9, heard=4.0) == 0.0


@pytest.mark.parametrize(
    ("anew", "least", "words"),
    [(False, GAP_SECONDS, "the machine stood still"), (True, WINDOW / SAMPLE_RATE, "the input was opened anew")],
)
def test_a_gap_is_an_outage_when_it_is_long(timeline: Timeline, anew: bool, least: float, words: str) -> None:
    """Audio that is missing without a loss is told with its times, if it is enough, and why."""
    assert timeline.bridge(4.0, least - 0.01, "USB", anew) is None
    gap = timeline.bridge(4.0, least, "USB", anew)
    assert gap is not None
    assert (gap.start, gap.end, gap.source) == (4.0, 4.0 + least, "USB")
    assert words in gap.reason


def test_a_wall_clock_that_is_set_is_another_beginning(timeline: Timeline) -> None:
    """What the audio says of the wall clock counts when it is off by more than a second, and the least of it."""
    timeline.compare(104.0, 4.0, EPOCH + 0.9 * WRONG_SECONDS)
    assert not timeline.correct(EPOCH)
    for late in (0.5, 0.0, 2.5):  # audio that waited
        timeline.compare(105.0 + late, 5.0, EPOCH + 3600)
    assert timeline.correct(EPOCH)
    assert timeline.utc == EPOCH + 3700
    assert not timeline.correct(EPOCH)
    timeline.compare(106.0, 6.0, EPOCH - 7200)
    timeline.compare(107.0, 7.0, EPOCH + 3600)  # it was set while there was other audio
    assert timeline.correct(EPOCH)
    assert timeline.utc == EPOCH - 7100


def test_a_start_stands_for_the_beginning_until_there_is_audio() -> None:
    """Before the first audio stream time 0 is the start, and when the wall clock is set, that has another time."""
    timeline = Timeline(100.0, EPOCH)
    assert timeline.utc == EPOCH + 100
    assert not timeline.correct(EPOCH + 0.5)
    assert timeline.correct(EPOCH + 86_400)
    assert timeline.utc == EPOCH + 86_500
    timeline.begin(160.0, EPOCH + 86_400)
    assert timeline.utc == EPOCH + 86_560
    assert not timeline.correct(EPOCH)  # from now on audio says it
