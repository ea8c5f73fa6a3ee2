"""A line by itself: blocks of audio in, events out, without a server, a log or a device."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator

import numpy as np
import pytest

from stream.audio.block_queue import Block
from stream.protocol.messages import Level, Segment
from stream.recognition.classifier import Classifier
from stream.recognition.mel import SAMPLE_RATE, WINDOW, Array
from stream.recognition.recognizer import Recognizer
from stream.service.events import AudioTaken, Hop, HopSkipped
from stream.service.line import Line
from stream.service.lines import LineEvent, Lines

BLOCK = SAMPLE_RATE // 10


@pytest.fixture
async def line(classifier: Classifier) -> AsyncIterator[Lines]:
    """A line that hears one channel at the model's own rate."""
    line = Lines([Line(Recognizer(classifier), gate=-70.0, live=False)])
    line.connect(SAMPLE_RATE, 1, None)
    yield line
    line.close()


def block(audio: Array, waiting: int = 0) -> Block:
    """Return audio as it is delivered, with more of it waiting behind."""
    return Block(audio[:, None].astype(np.float32), lost=0, waiting=waiting, delivered=12.5)


async def heard(line: Lines, audio: Array, size: int = BLOCK) -> list[LineEvent]:
    """Return what a line tells of audio that comes in blocks."""
    starts = range(0, len(audio), size)
    return [event for start in starts async for event in line.hear(block(audio[start : start + size]), 0)]


async def test_a_line_tells_what_its_recognizer_does(line: Lines, classifier: Classifier, demo: Array) -> None:
    """Each hop becomes a label with the recognizer's figures, in order, with the time at which its audio came."""
    audio = demo[: 8 * SAMPLE_RATE]
    hops = [event for event in await heard(line, audio) if isinstance(event, Hop)]
    results = list(Recognizer(classifier).feed(audio))
    assert [(hop.label.seq, hop.label.time, hop.label.label) for hop in hops] == [
        (result.estimate.seq, result.estimate.time, result.estimate.label) for result in results
    ]
    told = Recognizer(classifier).told
    assert [hop.label.probabilities for hop in hops] == [
        {name: result.estimate.probabilities[name] for name in told} for result in results
    ]
    assert {hop.delivered for hop in hops} == {12.5}
    assert all(hop.seconds is not None and hop.seconds > 0 for hop in hops)


async def test_changes_and_segments_come_with_their_hop(line: Lines, demo: Array) -> None:
    """A change names what is heard from then on, and its segment ends there."""
    hops = [event for event in await heard(line, demo[5 * SAMPLE_RATE : 14 * SAMPLE_RATE]) if isinstance(event, Hop)]
    changes = [hop for hop in hops if hop.change is not None]
    assert len(changes) >= 2
    for hop in changes:
        assert hop.change is not None
        assert hop.segment is not None
        assert (hop.change.state, hop.change.label) == (hop.label.state, hop.label.label)
        assert hop.segment.end == hop.change.time == hop.label.time


async def test_all_audio_is_counted(line: Lines, demo: Array) -> None:
    """The seconds that a line took, and the samples in them that were no numbers, are told."""
    audio = demo[: 2 * SAMPLE_RATE].copy()
    audio[100:110] = np.nan
    taken = [event for event in await heard(line, audio) if isinstance(event, AudioTaken)]
    assert sum(event.seconds for event in taken) == pytest.approx(2.0)
    assert sum(event.invalid for event in taken) == 10
    assert line.time == pytest.approx(2.0)


async def test_hops_are_skipped_when_the_next_one_waits(line: Lines, demo: Array) -> None:
    """Audio that waits for a whole hop more makes this one out of date: it is skipped, and the newest is evaluated."""
    events = [event async for event in line.hear(block(demo[: 4 * SAMPLE_RATE]), 0)]
    kinds = [type(event) for event in events if isinstance(event, Hop | HopSkipped)]
    assert kinds.count(Hop) == 1
    assert kinds[-1] is Hop
    assert kinds.count(HopSkipped) == len(kinds) - 1 > 10
    assert events[-1].label.seq == len(kinds) - 1


async def test_levels_and_spectra_are_made_only_where_they_are_wanted(line: Lines, demo: Array) -> None:
    """Nobody asks, and there are none; somebody asks, and there are levels every 50 ms and frames with each hop."""
    events = await heard(line, demo[: 4 * SAMPLE_RATE])
    assert not [event for event in events if isinstance(event, Level)]
    assert all(event.spectrum is None for event in events if isinstance(event, Hop))
    line.want({"level": {None}, "spectrum": {None}})
    events = await heard(line, demo[4 * SAMPLE_RATE : 6 * SAMPLE_RATE])
    levels = [event for event in events if isinstance(event, Level)]
    assert len(levels) == 40
    assert all(b.time - a.time == pytest.approx(0.05, abs=1e-3) for a, b in itertools.pairwise(levels))
    spectra = [event.spectrum for event in events if isinstance(event, Hop)]
    assert all(spectrum is not None and len(spectrum.frames) == 11 for spectrum in spectra)


async def test_a_short_gap_is_silence_and_a_long_one_starts_over(line: Lines, demo: Array) -> None:
    """What is missing takes its time in the stream; after more than a window it is `warming` again."""
    await heard(line, demo[: 5 * SAMPLE_RATE])
    short = [event async for event in line.hear(block(demo[:BLOCK]), lost=SAMPLE_RATE // 2)]
    assert line.time == pytest.approx(5.6)
    assert [event.label.state for event in short if isinstance(event, Hop)].count("warming") == 0
    long = [event async for event in line.hear(block(demo[:BLOCK]), lost=WINDOW + SAMPLE_RATE)]
    first = next(event for event in long if isinstance(event, Hop))
    assert first.label.state == "warming"
    assert first.seconds is None
    assert line.time == pytest.approx(5.7 + WINDOW / SAMPLE_RATE + 1)


async def test_channels_that_cancel_are_heard_by_one(line: Lines, demo: Array) -> None:
    """A soloist who comes inverted in the other channel is named, and the warning says by which channel and why."""
    line.connect(SAMPLE_RATE, 2, None)
    events: list[LineEvent] = []
    for start in range(0, 5 * SAMPLE_RATE, BLOCK):
        frames = np.stack([demo[start : start + BLOCK], -demo[start : start + BLOCK]], axis=1)
        events += [event async for event in line.hear(Block(frames, lost=0, waiting=0, delivered=12.5), 0)]
    assert [event.label.label for event in events if isinstance(event, Hop)][-1] == "piano"
    assert [text.partition("; ")[0] for text in line.warnings] == [
        "channels 1 and 2 cancel each other: channel 1 alone is heard"
    ]
    assert line.still is None


async def test_a_gap_says_nothing_about_the_channels(line: Lines) -> None:
    """Audio that is lost again and again is not taken for an input that delivers only zeros."""
    line = Lines([Line(line.lines[0].recognizer, gate=-70.0, live=True)])
    line.connect(SAMPLE_RATE, 1, None)
    noise = np.random.default_rng(0).normal(0, 0.01, BLOCK).astype(np.float32)
    for _ in range(3):
        async for _ in line.hear(block(noise), lost=2 * SAMPLE_RATE):
            assert line.still is None
    line.close()


async def test_the_end_closes_what_is_open(line: Lines, demo: Array) -> None:
    """The last segment ends with the last sample."""
    audio = demo[: 4 * SAMPLE_RATE + 321]
    await heard(line, audio)
    *_, last = [event async for event in line.finish() if isinstance(event, Segment)]
    assert last.end == len(audio) / SAMPLE_RATE
    assert last.label == "piano"


async def test_another_recognizer_goes_on_in_the_same_stream(line: Lines, classifier: Classifier, demo: Array) -> None:
    """Time and sequence go on; the line-up is the new one."""
    before = [event for event in await heard(line, demo[: 5 * SAMPLE_RATE]) if isinstance(event, Hop)]
    await line.replace([Recognizer(classifier, lineup=["violin"])])
    after = [event for event in await heard(line, demo[5 * SAMPLE_RATE : 7 * SAMPLE_RATE]) if isinstance(event, Hop)]
    assert after[0].label.seq == before[-1].label.seq + 1
    assert line.lines[0].recognizer.lineup == ("violin",)
    assert {hop.label.label for hop in after} <= {"violin", None}
