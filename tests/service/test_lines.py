"""Several lines of one source: each as if it were alone, and the one in front."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from stream.audio.block_queue import Block
from stream.audio.settings import AudioSettings
from stream.protocol.messages import Change, Front, Hello, Label, Level, Segment
from stream.recognition.classifier import Classifier
from stream.recognition.mel import SAMPLE_RATE, Array
from stream.recognition.recognizer import Recognizer
from stream.recognition.settings import RecognitionSettings
from stream.server.settings import ServerSettings
from stream.service.events import Event, Hop, OfLine
from stream.service.line import Line
from stream.service.lines import LineEvent, Lines
from stream.service.service import Service
from stream.settings.lines import LinesSettings
from stream.settings.settings import Settings
from tests.support.waiting import PATIENCE

BLOCK = SAMPLE_RATE // 10


def lines_of(classifier: Classifier, names: str, **more: float) -> Lines:
    """Return lines of one channel each, in order."""
    return Lines(
        [
            Line(Recognizer(classifier), -70.0, False, name=name, channels=[number], **more)
            for number, name in enumerate(names, 1)
        ]
    )


def blocks(audio: Array) -> Iterator[Block]:
    """Cut audio [shape=(n, channels)] into what a device delivers."""
    for start in range(0, len(audio), BLOCK):
        yield Block(audio[start : start + BLOCK].astype(np.float32), lost=0, waiting=0, delivered=12.5)


async def heard(lines: Lines, audio: Array) -> list[LineEvent]:
    """Return what lines tell of audio [shape=(n, channels)] to its end."""
    lines.connect(SAMPLE_RATE, audio.shape[1], None)
    events = [event for block in blocks(audio) async for event in lines.hear(block, 0)]
    events += [event async for event in lines.finish()]
    lines.close()
    return events


def of(events: list[LineEvent], line: str, kind: type) -> list:
    """Return what was told of one line, of one kind."""
    return [it.event for it in events if isinstance(it, OfLine) and it.line == line and isinstance(it.event, kind)]


@pytest.fixture(scope="module")
def stage(demo: Array) -> Array:
    """Twelve seconds of three channels: the demo, the same eight seconds later, and nothing."""
    length = 12 * SAMPLE_RATE
    return np.stack([demo[:length], demo[8 * SAMPLE_RATE :][:length], np.zeros(length, np.float32)], axis=1)


async def test_settings_may_change_before_the_channels_are_known() -> None:
    """With a line for every channel there is none until the source is there; then they have the new line-up."""
    settings = Settings(AudioSettings(input="demo"), lines=LinesSettings(each=True), server=ServerSettings(port=0))
    service = Service(settings)
    lineup = RecognitionSettings(instruments=("piano",))
    assert await service.reload(replace(settings, recognition=lineup)) == []
    assert service.recognizer.lineup == ("piano",)
    hello = asyncio.get_running_loop().create_future()

    def take(event: Event) -> None:
        if isinstance(event, Hello) and event.lines and not hello.done():
            hello.set_result(event)

    service.events.add(take)
    running = asyncio.create_task(service.run(lambda address: None))
    async with asyncio.timeout(PATIENCE):
        told = await hello
    assert {line.lineup for line in told.lines} == {("piano",)}
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_each_line_hears_its_channel_as_if_it_were_alone(classifier: Classifier, stage: Array) -> None:
    """Labels, probabilities and segments of every line are those of a service that hears its channel alone."""
    events = await heard(lines_of(classifier, "ABC"), stage)
    for number, name in enumerate("ABC"):
        alone = await heard(Lines([Line(Recognizer(classifier), -70.0, False)]), stage[:, number : number + 1])
        expected = [event for event in alone if isinstance(event, Hop)]
        found = of(events, name, Hop)
        assert [hop.label.line for hop in found] == [name] * len(expected)
        assert [(it.label.label, it.label.state, it.label.probabilities, it.label.since) for it in found] == [
            (it.label.label, it.label.state, it.label.probabilities, it.label.since) for it in expected
        ]
        assert [(it.segment and it.segment.end, it.change and it.change.label) for it in found] == [
            (it.segment and it.segment.end, it.change and it.change.label) for it in expected
        ]
        (last,) = of(events, name, Segment)
        (last_alone,) = [event for event in alone if isinstance(event, Segment)]
        assert (last.start, last.end, last.label, last.line) == (
            last_alone.start,
            last_alone.end,
            last_alone.label,
            name,
        )


async def test_the_line_in_front_is_told_as_if_it_were_the_only_one(classifier: Classifier, stage: Array) -> None:
    """Its labels are those of the line that leads; changes follow one another, and segments leave no gap."""
    stage = stage.copy()
    stage[: 6 * SAMPLE_RATE, 1] = 0  # the second line begins when the first has ended
    stage[6 * SAMPLE_RATE :, 0] = 0
    events = await heard(lines_of(classifier, "ABC"), stage)
    hops = [event for event in events if isinstance(event, Hop)]
    fronts = [event for event in events if isinstance(event, Front)]
    assert [(it.previous, it.line) for it in fronts] == [(None, "A"), ("A", "B")]
    assert 6 < fronts[1].time < 11
    assert {hop.label.line for hop in hops if hop.label.time < fronts[1].time} == {"A"}
    assert {hop.label.line for hop in hops if hop.label.time >= fronts[1].time} == {"B"}
    changes = [hop.change for hop in hops if hop.change is not None]
    assert all((b.previous.state, b.previous.label) == (a.state, a.label) for a, b in itertools.pairwise(changes))
    segments = [hop.segment for hop in hops if hop.segment is not None]
    segments += [event for event in events if isinstance(event, Segment)]
    assert [segment.start for segment in segments] == [0.0, *(segment.end for segment in segments[:-1])]
    assert segments[-1].end == len(stage) / SAMPLE_RATE
    assert all(hop.label.since <= hop.label.time for hop in hops)


async def test_a_line_whose_channel_is_missing_is_told_and_the_others_go_on(
    classifier: Classifier, demo: Array
) -> None:
    """The source has one channel of the two that are expected."""
    lines = lines_of(classifier, "AB")
    lines.connect(SAMPLE_RATE, 1, None)
    assert lines.warnings == ["B: there is no channel 2; the source has 1"]
    events = await heard(lines, demo[: 5 * SAMPLE_RATE, None])
    assert of(events, "A", Hop)[-1].label.label == "piano"
    assert {hop.label.state for hop in of(events, "B", Hop)} <= {"warming", "silence"}
    assert len(of(events, "A", Hop)) == len(of(events, "B", Hop))


async def test_a_gain_makes_a_line_louder(classifier: Classifier, demo: Array) -> None:
    """Its level rises by so many dB, and with it what passes the gate."""
    quiet = (demo[: 5 * SAMPLE_RATE, None] * 10 ** (-60 / 20)).astype(np.float32)
    before = of(await heard(lines_of(classifier, "A"), quiet), "A", Hop)
    after = of(await heard(lines_of(classifier, "A", gain=40.0), quiet), "A", Hop)
    assert after[-1].label.rms == pytest.approx(before[-1].label.rms + 40, abs=0.01)
    assert (before[-1].label.state, after[-1].label.state) == ("silence", "instrument")


async def test_levels_are_told_of_each_line_and_of_the_one_in_front(classifier: Classifier, stage: Array) -> None:
    """Nobody asks, and there are none; then each line has its own."""
    lines = lines_of(classifier, "ABC")
    lines.want({"level": {None, *"ABC"}})
    events = await heard(lines, stage[: 4 * SAMPLE_RATE])
    assert [len(of(events, name, Level)) for name in "ABC"] == [80] * 3
    assert {level.line for level in events if isinstance(level, Level)} == {"A"}
    assert all(level.rms == -120 for level in of(events, "C", Level))


async def test_a_silent_line_asks_nothing_of_the_model(
    classifier: Classifier, stage: Array, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither features nor inference are computed of what is below the gate."""
    lines = lines_of(classifier, "ABC")
    asked: list[int] = []
    for number, line in enumerate(lines.lines):
        front_end = line.recognizer._front_end
        features = front_end.features

        def counted(window: Array, end: int, number: int = number, features=features) -> Array:  # type: ignore[no-untyped-def]
            asked.append(number)
            return features(window, end)

        monkeypatch.setattr(front_end, "features", counted)
    lines.want({"spectrum": {None}})  # of the line in front, which a page shows
    await heard(lines, stage[: 5 * SAMPLE_RATE])
    assert set(asked) == {0, 1}


async def test_channels_of_a_line_that_cancel_are_called_as_the_source_calls_them(
    classifier: Classifier, stage: Array
) -> None:
    """What is wrong is told with the numbers that stand at the desk, and with what can be done about a line."""
    audio = np.zeros((5 * SAMPLE_RATE, 6), np.float32)
    audio[:, 4], audio[:, 5] = stage[: len(audio), 0], -stage[: len(audio), 0]
    lines = Lines([Line(Recognizer(classifier), -70.0, False, name="Keys", channels=[5, 6])])
    events = await heard(lines, audio)
    assert lines.warnings == [
        "Keys: channels 5 and 6 cancel each other: channel 5 alone is heard; give the line that channel only"
    ]
    assert of(events, "Keys", Hop)[-1].label.label == "piano"


async def test_lines_for_each_channel_are_made_when_the_source_is_known(classifier: Classifier, stage: Array) -> None:
    """Three channels, three lines."""
    lines = Lines(
        [],
        lambda channels: [
            Line(Recognizer(classifier), -70.0, False, name=str(it), channels=[it]) for it in range(1, channels + 1)
        ],
    )
    assert lines.time == 0
    events = await heard(lines, stage[: 4 * SAMPLE_RATE])
    assert [line.name for line in lines.lines] == ["1", "2", "3"]
    assert of(events, "1", Hop)


def test_messages_of_a_service_without_lines_name_none(classifier: Classifier, demo: Array) -> None:
    """What is encoded is what it was before there were lines."""
    from stream.protocol.encoding import decode, encode

    result = next(iter(Recognizer(classifier).feed(demo[: 4 * SAMPLE_RATE])))
    hop = Line(Recognizer(classifier), -70.0, False).told(result, None, None)
    assert '"line' not in encode(hop.label)
    named = Line(Recognizer(classifier), -70.0, False, name="Anna", channels=[1]).told(result, None, None)
    told = decode(encode(named.label))
    assert isinstance(told, Label)
    assert told.line == "Anna"
    assert hop.change is None or isinstance(hop.change, Change)
