"""Lines that change while they hear: what stays as it was, and what begins."""

from __future__ import annotations

import asyncio
import itertools

import numpy as np
import pytest
import soxr

from stream.audio.block_queue import Block
from stream.errors import ConfigError
from stream.protocol.messages import Front, Label, Segment
from stream.recognition.classifier import Classifier
from stream.recognition.mel import SAMPLE_RATE, Array
from stream.recognition.recognizer import Recognizer
from stream.service.arrangement import Arrangement
from stream.service.events import Hop, OfLine, RecognizerReplaced
from stream.service.line import Line
from stream.service.lines import LineEvent, Lines
from stream.settings.lines import LineSettings, paired

RATE = 44_100
HALF, WHOLE = 5, 12
"""When lines change, and how long they are heard, in seconds."""
OLD = (LineSettings("A", (1,)), LineSettings("B", (2,)))


@pytest.fixture(scope="module")
def stage(demo: Array) -> Array:
    """Two channels of 44.1 kHz: the demo, and the same eight seconds later."""
    channels = np.stack([demo[: WHOLE * SAMPLE_RATE], demo[8 * SAMPLE_RATE :][: WHOLE * SAMPLE_RATE]], axis=1)
    return np.asarray(soxr.resample(channels, SAMPLE_RATE, RATE), np.float32)


async def played(
    classifier: Classifier, stage: Array, new: tuple[LineSettings, ...], **more: float
) -> list[LineEvent | RecognizerReplaced]:
    """Return what two lines tell that become others in the middle."""

    def make(recognizer: Recognizer, own: LineSettings | None) -> Line:
        if own is None:
            return Line(recognizer, -70.0, False)
        return Line(recognizer, -70.0, False, name=own.name, channels=own.channels, gain=own.gain)

    lines = Lines([make(Recognizer(classifier), own) for own in OLD])
    lines.connect(RATE, 2, None)
    events: list[LineEvent | RecognizerReplaced] = []
    for start in range(0, len(stage), RATE // 10):
        if start == HALF * RATE:
            recognizers = [
                Recognizer(classifier, gate=-70.0 if own.gate is None else own.gate, threshold=own.threshold)
                for own in new
            ] or [Recognizer(classifier)]
            change = Arrangement(lines, OLD, new, recognizers)
            events += [event async for event in change.carry_out(make, False, -70.0, None)]
        block = Block(stage[start : start + RATE // 10], lost=0, waiting=0, delivered=12.5)
        events += [event async for event in lines.hear(block, 0)]
    events += [event async for event in lines.finish()]
    lines.close()
    return events


def labels(events: list[LineEvent | RecognizerReplaced], *names: str) -> list[Label]:
    """Return the labels of a line, whatever it was called by and by."""
    told = [it for it in events if isinstance(it, OfLine) and it.line in names]
    return [it.event.label for it in told if isinstance(it.event, Hop)]


def told(label: Label) -> tuple[object, ...]:
    """Return what a label says, whoever says it."""
    return label.seq, label.time, label.state, label.label, tuple(label.probabilities.values()), label.rms


@pytest.fixture(scope="module")
def unchanged(classifier: Classifier, stage: Array) -> list[LineEvent | RecognizerReplaced]:
    """What the lines tell that stay as they are."""
    return asyncio.run(played(classifier, stage, OLD))


def test_a_line_is_known_by_its_name_or_its_channels() -> None:
    """Who is called otherwise and hears the same is the same; who has both of others is new."""
    one, two = OLD
    renamed = LineSettings("C", (2,))
    assert paired(OLD, (two, one)) == [two, one]
    assert paired(OLD, (one, renamed)) == [one, two]
    assert paired(OLD, (one, two, renamed)) == [one, two, None]
    assert paired(OLD, (LineSettings("B", (1,)), LineSettings("D", (3,)))) == [two, None]


@pytest.mark.slow
@pytest.mark.parametrize(
    "other",
    [
        LineSettings("B", (1,), gain=6.0),
        LineSettings("B", (2,), gain=-6.0, gate=-40.0, threshold=0.9),
        LineSettings("B", (7,)),  # which there is not
        LineSettings("C", (2,)),
    ],
    ids=["channels", "numbers", "missing", "name"],
)
async def test_nothing_is_missing_of_the_other_line(
    classifier: Classifier, stage: Array, unchanged: list[LineEvent | RecognizerReplaced], other: LineSettings
) -> None:
    """When a line changes, the other one's labels are to the bit those of lines that stay; its own hops go on."""
    events = await played(classifier, stage, (OLD[0], other))
    assert [told(it) for it in labels(events, "A")] == [told(it) for it in labels(unchanged, "A")]
    own = labels(events, "B", other.name)
    assert [(it.seq, it.time) for it in own] == [(it.seq, it.time) for it in labels(unchanged, "B")]
    after = [it for it in own if it.time > HALF + 0.3]
    if other.channels != (2,):
        assert after[0].state == "warming"
        assert {it.state for it in after if it.time > HALF + 4} <= {"silence", "instrument", "unknown"}
    elif other.name == "B":
        quieter = [before.rms - it.rms for before, it in zip(labels(unchanged, "B")[-9:], own[-9:], strict=True)]
        np.testing.assert_allclose(quieter, 6.0, atol=0.1)
    else:
        assert {it.line for it in after} == {"C"}
        assert [it.state for it in own] == [it.state for it in labels(unchanged, "B")]


@pytest.mark.slow
async def test_a_line_that_comes_begins_on_the_grid_of_the_others(
    classifier: Classifier, stage: Array, unchanged: list[LineEvent | RecognizerReplaced]
) -> None:
    """It hears from its first moment on, starts with warming, and the front goes on without a gap."""
    events = await played(classifier, stage, (OLD[0], LineSettings("D", (2,)), LineSettings("B", (2,))))
    mine, others = labels(events, "D"), labels(events, "A")
    assert [it.time for it in mine] == [it.time for it in others[-len(mine) :]]
    assert {it.state for it in mine if it.time < HALF + 2.9} == {"warming"}
    late, same = [it for it in mine if it.time > HALF + 4], labels(events, "B")
    assert [it.label for it in late] == [it.label for it in same[-len(late) :]]
    # Of what a resampler holds back, some milliseconds begin anew; the clock does not notice.
    assert [it.time for it in others] == [it.time for it in labels(unchanged, "A")]
    assert [it.label for it in others] == [it.label for it in labels(unchanged, "A")]
    front = [it for it in events if isinstance(it, Segment)] + [
        it.segment for it in events if isinstance(it, Hop) and it.segment is not None
    ]
    for before, after in itertools.pairwise(sorted(front, key=lambda it: it.start)):
        assert after.start == before.end
    assert [it.previous for it in events if isinstance(it, Front)].count(None) == 2


@pytest.mark.slow
async def test_a_line_that_goes_closes_what_it_has(classifier: Classifier, stage: Array) -> None:
    """Its last segment ends with the change, and one sound that takes the place of all begins with warming."""
    events = await played(classifier, stage, (OLD[0],))
    (last,) = [it.event for it in events if isinstance(it, OfLine) and it.line == "B" and isinstance(it.event, Segment)]
    assert last.end == pytest.approx(HALF, abs=0.01)
    assert max(it.time for it in labels(events, "B")) <= HALF
    events = await played(classifier, stage, ())
    alone = [it.label for it in events if isinstance(it, Hop) and it.label.line is None]
    assert alone[0].state == "warming"
    assert alone[0].time == pytest.approx(HALF, abs=0.3)
    assert any(isinstance(it, RecognizerReplaced) for it in events)


async def test_a_line_on_which_a_name_is_taught_does_not_go(classifier: Classifier) -> None:
    """It is refused before anything has changed."""
    lines = Lines([Line(Recognizer(classifier), -70.0, False, name=it.name, channels=it.channels) for it in OLD])
    lines.lines[1].listener = lambda result: None
    with pytest.raises(ConfigError, match='a name is being taught on line "B"'):
        Arrangement(lines, OLD, OLD[:1], [Recognizer(classifier)])
    lines.close()
