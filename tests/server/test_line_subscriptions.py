"""Subscriptions to lines: each for itself, or the one in front."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from stream.protocol.messages import Front, LineInfo, Segment
from tests.support.serving import HELLO, INSTRUMENTS, STATUS, Stage, change, label, staged

ALL = ["Anna", "Ben"]


@pytest.fixture
async def lines() -> AsyncIterator[Stage]:
    """A stage with two lines, of which Anna leads and plays the violin, and Ben the flute."""
    async with staged(greeting=False) as stage:
        stage.server.state.lines = ALL
        stage.server.publish(
            replace(HELLO, lines=[LineInfo(name, [number], INSTRUMENTS) for number, name in enumerate(ALL, 1)])
        )
        stage.server.publish(STATUS)
        play(stage, 0, "violin", "flute")
        stage.server.publish(Front(0.0, "Anna", None))
        yield stage


def play(stage: Stage, seq: int, anna: str | None, ben: str | None, front: str = "Anna") -> None:
    """Publish a hop of both lines, and of the one in front, as the service does."""
    labels = {name: replace(label(seq, it), line=name) for name, it in zip(ALL, (anna, ben), strict=True)}
    stage.time = labels["Anna"].time
    for name, each in labels.items():
        stage.server.publish(each, name)
    stage.server.publish(labels[front])


async def test_who_asks_for_no_lines_is_told_the_one_in_front(lines: Stage) -> None:
    """Like a service that hears nothing else; its messages say which line that is."""
    async with lines.listener() as client:
        hello, _, first = await client.greeting()
        assert [it["name"] for it in hello["lines"]] == ALL
        assert (first["line"], first["label"]) == ("Anna", "violin")
        play(lines, 1, "violin", "piano", front="Ben")
        lines.server.publish(Front(0.25, "Ben", "Anna"))
        assert [(it["type"], it.get("line"), it.get("label")) for it in await client.settled()] == [
            ("label", "Ben", "piano")
        ]


async def test_who_asks_for_lines_is_told_each_of_them(lines: Stage) -> None:
    """The answer is the label of each, and which is in front; then come those of each hop."""
    async with lines.listener() as client:
        await client.greeting()
        await client.say("subscribe", lines="all")
        told = await client.settled()
        assert [(it["type"], it["line"], it.get("label")) for it in told] == [
            ("label", "Anna", "violin"),
            ("label", "Ben", "flute"),
            ("front", "Anna", None),
        ]
        play(lines, 1, None, "flute")
        lines.server.publish(Front(0.25, "Ben", "Anna"))
        assert [(it["type"], it["line"], it.get("label")) for it in await client.settled()] == [
            ("label", "Anna", None),
            ("label", "Ben", "flute"),
            ("front", "Ben", None),
        ]


async def test_what_costs_something_is_made_of_the_lines_that_are_asked_for(lines: Stage) -> None:
    """A spectrum of one line, and of the one in front, says nothing about the others."""
    async with lines.listener() as one, lines.listener() as other:
        for client, wanted in ((one, {"lines": ["Ben"]}), (other, {})):
            await client.greeting()
            await client.say("subscribe", types=["spectrum"], **wanted)
            await client.settled()
        assert lines.server.wanted_of("spectrum") == {"Ben", None}
        assert lines.server.wanted_of("level") == set()


async def test_some_lines_may_be_asked_for(lines: Stage) -> None:
    """Nothing is told of the others, and neither of the one in front."""
    async with lines.listener() as client:
        await client.greeting()
        assert (await client.ask("subscribe", lines=["Ben"], types=["label"]))["line"] == "Ben"
        play(lines, 1, "piano", "flute")
        assert [it["line"] for it in await client.settled()] == ["Ben"]


async def test_filters_hold_for_each_line_by_itself(lines: Stage) -> None:
    """The end of a match on one line says nothing about another; so does the rate."""
    async with lines.listener() as client:
        await client.greeting()
        await client.say("subscribe", lines="all", instruments=["violin"], types=["label"])
        assert [(it["line"], it["label"]) for it in await client.settled()] == [("Anna", "violin"), ("Ben", None)]
        play(lines, 1, "piano", "violin")
        play(lines, 2, "piano", "violin")
        play(lines, 3, "violin", "flute")
        assert [(it["line"], it["time"], it["label"]) for it in await client.settled()] == [
            ("Anna", 0.25, None),
            ("Ben", 0.25, "violin"),
            ("Ben", 0.5, "violin"),
            ("Anna", 0.75, "violin"),
            ("Ben", 0.75, None),
        ]
        await client.say("subscribe", lines="all", max_rate=1, types=["label"])
        await client.settled()
        for seq in range(4, 12):
            play(lines, seq, "violin", "flute")
        told = [(it["line"], it["time"]) for it in await client.settled()]
        assert told == [("Anna", 1.75), ("Ben", 1.75), ("Anna", 2.75), ("Ben", 2.75)]


async def test_a_history_is_of_the_front_or_of_lines(lines: Stage) -> None:
    """Segments name their line; marks are the same for all."""
    lines.time = 10.0
    lines.server.publish(Segment(0.0, 4.0, "instrument", "violin", 0.9, "Anna"), "Anna")
    lines.server.publish(Segment(0.0, 8.0, "instrument", "flute", 0.9, "Ben"), "Ben")
    lines.server.publish(Segment(0.0, 4.0, "instrument", "violin", 0.8, "Anna"))
    lines.server.publish(Segment(4.0, 8.0, "instrument", "flute", 0.7, "Ben"))
    async with lines.listener() as client:
        await client.greeting()
        front = await client.ask("history", seconds=60)
        assert [(it["line"], it["end"], it["confidence"]) for it in front["segments"]] == [
            ("Anna", 4.0, 0.8),
            ("Ben", 8.0, 0.7),
        ]
        every = await client.ask("history", seconds=60, lines="all")
        assert [(it["line"], it["end"], it["confidence"]) for it in every["segments"]] == [
            ("Anna", 4.0, 0.9),
            ("Ben", 8.0, 0.9),
        ]
        assert every["marks"] == front["marks"]
        assert [it["line"] for it in (await client.ask("history", seconds=5, lines=ALL))["segments"]] == ["Ben"]


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"lines": ["Cleo"]}, "lines name 'Cleo'; expected some of Anna, Ben"),
        ({"lines": "Anna"}, "lines is 'Anna'; expected \"all\" or a list of texts"),
        ({"lines": [3]}, "lines is [3]; expected a list of texts"),
    ],
)
async def test_lines_that_there_are_not_are_refused(lines: Stage, fields: dict[str, object], told: str) -> None:
    """The subscription before stays in force."""
    async with lines.listener() as client:
        await client.greeting()
        assert (await client.ask("subscribe", **fields))["message"] == told
        play(lines, 1, "piano", "flute")
        assert [it["line"] for it in await client.settled()] == ["Anna"]


async def test_a_service_without_lines_is_all_of_them() -> None:
    """A client that asks for all lines works with it; one that names a line is told that there is one."""
    async with staged() as stage, stage.listener() as client:
        await client.greeting()
        answer = await client.ask("subscribe", lines="all")
        assert answer["type"] == "label"
        assert "line" not in answer
        stage.server.publish(change(1, "flute", "violin"))
        assert [it["type"] for it in await client.settled()] == ["change"]
        refused = await client.ask("subscribe", lines=["Anna"])
        assert refused["message"] == "lines is ['Anna']; expected nothing, or \"all\": there is one line"


async def test_a_slow_client_keeps_the_newest_label_of_each_line(lines: Stage) -> None:
    """Older ones of the same line are dropped, and none of another line."""
    async with lines.listener() as client:
        await client.greeting()
        await client.say("subscribe", lines="all", types=["label"])
        await client.settled()
        (subscriber,) = lines.server._subscribers
        for seq in range(1, 50):  # as if the client took nothing meanwhile
            for name in ALL:
                subscriber.put("label", f'{{"type":"label","seq":{seq}}}', name)
        assert len(subscriber._outbox) == 2
