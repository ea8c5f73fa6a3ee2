"""The check of a stage against its plan, by the shipped model."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import soxr
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stream.recognition.classifier import Classifier
from stream.recognition.mel import SAMPLE_RATE, Array
from stream.service.line_check import CheckReport, LineCheck
from stream.service.line_states import Elsewhere
from stream.service.line_words import channel_name, line_text, warnings
from stream.settings.lines_plan import LinePlan, read_plan
from tests.support.stage import PLAN, eight_channels, room, solo

Score = list[dict[str, Any]]


@pytest.fixture(scope="module")
def plan(tmp_path_factory: pytest.TempPathFactory) -> tuple[LinePlan, ...]:
    """The plan of the eight channels."""
    file = tmp_path_factory.mktemp("plan") / "plan.toml"
    file.write_text(PLAN)
    return read_plan(file).lines


def hear(check: LineCheck, frames: Array, rate: int = SAMPLE_RATE, size: int = 10_000) -> CheckReport:
    """Let a check hear audio to its end, in blocks of one size."""
    check.connect(rate, frames.shape[1])
    for start in range(0, len(frames), size):
        check.hear(frames[start : start + size])
    check.finish()
    assert check.report is not None
    return check.report


def test_everything_that_is_wrong_with_a_stage_is_told(
    plan: tuple[LinePlan, ...], classifier: Classifier, demo: Array, score: Score
) -> None:
    """Two are swapped, one channel is clipped, one hums, one is silent, two are copies."""
    report = hear(LineCheck(plan, classifier), eight_channels(demo, score))
    assert [line.colour for line in report.lines] == ["amber", "amber", "green", "green", "waiting", "waiting"]
    assert [line_text(line, 8) for line in report.lines] == [
        "the violin is on 2 and 8; on 1 there is a trumpet",
        "the trumpet is on 1; on 2 there is a violin",
        "heard",
        "heard",
        "not heard yet",
        "not heard yet",
    ]
    told = {(it.channel, it.kind): it.text for it in warnings(report)}
    assert set(told) == {(3, "clipped"), (5, "copy"), (6, "hum"), (7, "silent"), (8, "copy")}
    assert told[5, "copy"] == (
        "carries the same as channel 4, 6.0 dB quieter, with its polarity inverted: they cancel each other in line "
        "Keys: look for an inverted or a balanced cable"
    )
    assert told[6, "hum"].startswith("hums at 50 Hz (-43 dBFS)")
    assert told[8, "copy"].startswith("carries the same as channel 2: ")
    assert [channel_name(channel, report) for channel in (5, 8)] == ["channel 5 (Keys)", "channel 8"]
    assert not report.is_all_green


def test_a_stage_that_is_right_is_green(classifier: Classifier, demo: Array, score: Score) -> None:
    """At 48 kHz as well, and nothing is warned of."""
    names = ("violin", "trumpet", "piano")
    audio = room(4)
    for channel, name in enumerate(names):
        audio[:, channel] += solo(demo, score, name)
    lines = [LinePlan(name.title(), (channel,), (name,)) for channel, name in enumerate(names, 1)]
    report = hear(LineCheck(lines, classifier), soxr.resample(audio, SAMPLE_RATE, 48_000), 48_000)
    assert report.is_all_green
    assert warnings(report) == []
    assert report.time == pytest.approx(12, abs=0.01)


@pytest.mark.slow
@pytest.mark.parametrize(("channels", "farthest"), [(32, 18), (18, 32)])
def test_the_plan_and_the_device_may_have_other_numbers_of_channels(
    classifier: Classifier, demo: Array, score: Score, channels: int, farthest: int
) -> None:
    """Of a plan to 18, all is heard on 32 channels; of one to 32 on 18, what is missing is told and the rest heard."""
    audio = room(channels)
    audio[:, 2] += solo(demo, score, "violin")
    audio[:, 16] += solo(demo, score, "trumpet")
    audio[:, 17] += solo(demo, score, "flute")
    lines = [
        LinePlan("Anna", (3,), ("violin",)),
        LinePlan("Ben", (7,), ("trumpet",)),
        LinePlan("Carla", (farthest,), ("flute",)),
    ]
    report = hear(LineCheck(lines, classifier), audio)
    anna, ben, carla = report.lines
    assert anna.colour == "green"
    assert (ben.colour, ben.elsewhere) == ("amber", (Elsewhere("trumpet", (17,)),))
    if channels == 32:
        assert carla.colour == "green"
    else:
        assert carla.colour == "missing"
        assert line_text(carla, channels) == "the plan has channel 32; the device has 18; the flute is on 18"
    assert report.device_channels == channels


def test_an_outage_loses_nothing_but_its_time(classifier: Classifier, demo: Array, score: Score) -> None:
    """What was heard before counts on when the device is back, and begins anew when it is another one."""
    check = LineCheck([LinePlan("Anna", (1,), ("violin",))], classifier)
    violin = solo(demo, score, "violin")[: 6 * SAMPLE_RATE, None]
    seconds = hear(check, violin).lines[0].seconds
    assert seconds > 3
    check.connect(SAMPLE_RATE, 1)
    check.hear(violin[:SAMPLE_RATE], lost=4 * SAMPLE_RATE)
    assert check.report is not None
    assert check.report.lines[0].seconds == seconds
    assert check.report.time == pytest.approx(11)
    check.connect(SAMPLE_RATE, 2)
    assert check.report.lines[0].seconds == 0


def test_hops_are_skipped_where_the_machine_cannot_keep_up(classifier: Classifier, demo: Array, score: Score) -> None:
    """Audio that waits already makes a hop old; the time of those that are skipped counts with the next one."""
    check = LineCheck([LinePlan("Anna", (1,), ("violin",))], classifier)
    check.connect(SAMPLE_RATE, 1)
    violin = solo(demo, score, "violin")[:, None]
    for start in range(0, 8 * SAMPLE_RATE, SAMPLE_RATE // 10):
        is_behind = start // SAMPLE_RATE % 2 == 0
        check.hear(violin[start : start + SAMPLE_RATE // 10], waiting=SAMPLE_RATE if is_behind else 0)
    assert check.report is not None
    assert check.report.lines[0].colour == "green"


@pytest.mark.slow
@settings(max_examples=4, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(sizes=st.lists(st.integers(100, 60_000), min_size=1, max_size=5))
def test_the_report_does_not_depend_on_the_blocks(
    sizes: list[int], plan: tuple[LinePlan, ...], classifier: Classifier, demo: Array, score: Score
) -> None:
    """Whatever the blocks, all of it is the same; resampled to the last bit but for rounding."""
    audio = soxr.resample(eight_channels(demo, score)[: 6 * SAMPLE_RATE], SAMPLE_RATE, 32_000)
    check = LineCheck(plan, classifier)
    check.connect(32_000, 8)
    start = 0
    while start < len(audio):
        for size in sizes:
            check.hear(audio[start : start + size])
            start += size
    check.finish()
    report, whole = check.report, hear(LineCheck(plan, classifier), audio, 32_000, len(audio))
    assert report is not None
    assert report.channels == whole.channels
    for line, other in zip(report.lines, whole.lines, strict=True):
        assert (line.colour, line.elsewhere, line.other) == (other.colour, other.elsewhere, other.other)
        assert line.seconds == pytest.approx(other.seconds)


@pytest.mark.slow
def test_real_recordings_are_told_apart(shared: Path, classifier: Classifier) -> None:
    """Of real solos on eight channels, two of them swapped, the six others become green and the two amber."""
    with (shared / "validation.csv").open(newline="") as table:
        rows = list(csv.DictReader(table))
    names = sorted({row["instrument"] for row in rows})
    channels = []
    for name in names:
        paths = sorted(row["path"] for row in rows if row["instrument"] == name)[:6]
        clips = [soundfile.read(shared / path, dtype="float32") for path in paths]
        rate = clips[0][1]
        channels.append(np.resize(np.concatenate([clip for clip, _ in clips]), 18 * rate))
    order = [1, 0, *range(2, len(names))]
    lines = [LinePlan(name.title(), (channel,), (name,)) for channel, name in enumerate(names, 1)]
    report = hear(LineCheck(lines, classifier), np.stack([channels[it] for it in order], axis=1), rate)
    assert [line.colour for line in report.lines] == ["amber", "amber"] + ["green"] * (len(names) - 2)
    assert {it.kind for it in warnings(report)} <= {"clipped"}
