"""The check of a running service's lines."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from websockets.asyncio.client import connect

from stream.audio.block_queue import Block
from stream.protocol.check import Check
from stream.recognition.classifier import Classifier
from stream.recognition.mel import SAMPLE_RATE, Array
from stream.recognition.recognizer import Recognizer
from stream.recognition.taught import Head
from stream.service import checking
from stream.service.checking import LineChecking
from stream.service.line import Line
from stream.service.lines import Lines, Listener
from stream.service.shared_check import SharedCheck
from stream.settings.lines import LineSettings, LinesSettings
from stream.settings.lines_plan import LinePlan, read_plan
from stream.settings.settings import Settings
from tests.support import tiny
from tests.support.processes import serving
from tests.support.serving import Listener as Client
from tests.support.stage import PLAN, eight_channels, room, solo
from tests.support.waiting import PATIENCE

TOKEN = "a stage of one's own, 831"
BAND = ["Anna=1:violin", "Ben=2:trumpet", "Drums=3"]
Score = list[dict[str, Any]]


@asynccontextmanager
async def checked(sound: Path, lines: Sequence[str], *arguments: str) -> AsyncIterator[Client]:
    """Run a service with lines, and give one of its clients, greeted, who hears of the check alone."""
    named = [it for line in lines for it in ("--line", line)]
    async with (
        serving("--input", str(sound), "--loop", "--control", "--token", TOKEN, *named, *arguments) as service,
        connect(f"ws://{service.address}/ws", additional_headers={"Authorization": f"Bearer {TOKEN}"}) as it,
    ):
        client = Client(it)
        await client.until("hello")
        await client.say("subscribe", types=["check"])
        yield client


async def reach(client: Client, *colours: str) -> dict[str, Any]:
    """Wait until the lines have these colours."""
    async with asyncio.timeout(4 * PATIENCE):
        while True:
            message = (await client.until("check"))[-1]
            if [line["colour"] for line in message["lines"]] == [*colours]:
                return message


@pytest.mark.slow
async def test_a_client_has_the_lines_checked_while_the_service_goes_on(
    tmp_path: Path, demo: Array, score: Score
) -> None:
    """Two are swapped, one is a copy that no line has; it is told, begun anew, with other lines, stopped."""
    sound = tmp_path / "stage.wav"
    audio = eight_channels(demo, score)[:, :4]
    audio[:, 2:] = audio[:, [3, 1]]
    soundfile.write(sound, audio, SAMPLE_RATE)
    async with checked(sound, BAND) as client:
        await client.say("stop-checking")
        assert "no check" in (await client.until("error"))[-1]["message"]
        await client.say("check-lines")
        first = (await client.until("check"))[-1]
        assert (first["state"], first["green"]) == ("running", False)
        assert [line["instruments"] for line in first["lines"]] == [["violin"], ["trumpet"], []]
        found = await reach(client, "amber", "amber", "green")
        async with asyncio.timeout(PATIENCE):
            while found["lines"][0]["text"] != "the violin is on 2 and 4; on 1 there is a trumpet":
                found = (await client.until("check"))[-1]
        assert found["lines"][1]["elsewhere"] == [{"instrument": "trumpet", "channels": [1]}]
        assert found["lines"][0]["level"] > -60
        while not (warned := (await client.until("check"))[-1]["channels"][3]["warnings"]):
            pass
        assert (warned[0]["kind"], warned[0]["text"][:33]) == ("copy", "carries the same as channel 2: lo")
        await client.say("check-lines")
        await reach(client, "waiting", "waiting", "waiting")
        await client.say("try-settings", lines=[{"line": "Drums", "remove": True}])
        await reach(client, "waiting", "waiting")
        await reach(client, "amber", "amber")
        await client.say("stop-checking")
        while (last := (await client.until("check"))[-1])["state"] != "ended":
            pass
        assert last["message"] is None
        await client.say("subscribe", types=["label"], lines=["Anna"])
        seqs = [(await client.until("label"))[-1]["seq"] for _ in range(3)]
        assert seqs == sorted({*seqs})


async def test_what_cannot_be_checked_is_told_in_one_line(tmp_path: Path) -> None:
    """A service that hears one sound has no lines."""
    sound = tmp_path / "quiet.wav"
    soundfile.write(sound, room(2), SAMPLE_RATE)
    async with checked(sound, [], "--model", str(tiny.INTEGER)) as client:
        await client.say("check-lines")
        error = (await client.until("error"))[-1]
        assert error["code"] == "not-possible"
        assert "give it lines" in error["message"]


@dataclass
class Heard:
    """A service that hears what the test lets it."""

    settings: Settings
    lines: Sequence[Line]
    line_settings: Sequence[LineSettings]
    classifier: Classifier
    taught: Sequence[Head] = ()
    time: float = 0.0
    watchers: int = 1
    listener: Listener | None = None
    told: list[Check] = field(default_factory=list)

    def tell_all(self, listener: Listener | None) -> None:
        """Let somebody hear."""
        self.listener = listener
        if listener is not None:
            listener.connect(SAMPLE_RATE, 2)

    def is_wanted(self, kind: str) -> bool:
        """Say whether somebody looks at it."""
        return kind == "check" and self.watchers > 0

    async def until(self, state: str, count: int) -> Check:
        """Wait for so many messages, of which the last one has this state."""
        async with asyncio.timeout(PATIENCE):
            while len(self.told) < count or self.told[-1].state != state:  # noqa: ASYNC110 - nobody tells
                await asyncio.sleep(0.01)
        return self.told[-1]


def service(*lines: LineSettings, each: bool = False, model: Classifier | None = None) -> Heard:
    """Return one with these lines."""
    classifier = model or Classifier.load(tiny.INTEGER)
    made = [
        Line(
            Recognizer(classifier, lineup=it.instruments),
            *(-70.0, False),
            name=it.name,
            channels=it.channels,
            gain=it.gain,
        )
        for it in lines
    ]
    return Heard(Settings(lines=LinesSettings(lines, each)), made, lines, classifier)


ANNA = LineSettings("Anna", (1,), ("violin",), gate=-50, gain=6)
BEN = LineSettings("Ben", (2,), ("all",))


async def test_a_check_ends_when_nobody_looks_any_more(monkeypatch: pytest.MonkeyPatch) -> None:
    """It goes on while somebody does, and says why it ended."""
    monkeypatch.setattr(checking, "PATIENCE", 0.3)
    heard = service(ANNA, BEN)
    check = LineChecking(heard, heard.told.append)
    check.begin()
    await heard.until("running", 1)
    await asyncio.sleep(0.6)
    assert heard.told[-1].state == "running"
    heard.watchers = 0
    last = await heard.until("ended", 2)
    assert last.message == "nobody looked at it for 0.3 s"
    assert heard.listener is None
    check.begin()
    assert (await heard.until("running", 3)).message is None
    check.close()
    assert heard.listener is None


async def test_a_check_begins_anew_with_another_model() -> None:
    """Not with a reload that changes nothing of what is heard."""
    heard = service(ANNA)
    check = LineChecking(heard, heard.told.append)
    check.change_model()
    assert heard.listener is None
    check.begin()
    first = heard.listener
    check.change_model()
    assert heard.listener is first
    heard.lines[0].recognizer.replace(Recognizer(heard.classifier, lineup=["flute"]))
    check.change_model()
    assert heard.listener is not first
    assert (await heard.until("running", 1)).lines[0].instruments == ["flute"]
    heard.lines, heard.line_settings = [], []
    check.change_model()
    assert "not there yet" in str((await heard.until("ended", 2)).message)
    assert heard.listener is None
    check.close()


async def test_the_plan_is_what_the_lines_have_of_their_own() -> None:
    """A line that names all, or nothing, may have anything; the gate is that of the signal before it is made louder."""
    heard = service(ANNA, BEN)
    assert checking._plan(heard) == [LinePlan("Anna", (1,), ("violin",), -56), LinePlan("Ben", (2,), (), -70)]


async def test_a_check_that_fails_is_told(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    """An error of ours ends the check and nothing else; the log has it."""
    heard = service(ANNA)
    check = LineChecking(heard, heard.told.append)
    monkeypatch.setattr(SharedCheck, "work", lambda *_: 1 / 0)
    check.begin()
    last = await heard.until("ended", 1)
    assert last.message is not None
    assert "log" in last.message
    assert heard.listener is None
    assert "division by zero" in caplog.text
    check.close()


async def test_lines_of_a_source_that_is_not_there_yet_wait_for_it() -> None:
    """`--line each` has no line before the source is known."""
    heard = service(each=True)
    with pytest.raises(Exception, match="not there yet"):
        LineChecking(heard, heard.told.append).begin()


def test_audio_that_waits_too_long_is_left_out_and_told() -> None:
    """Three seconds wait at the most; what is missing counts as time, and what came before is heard."""
    heard = service(ANNA, BEN)
    check = SharedCheck(checking._plan(heard), heard.lines, heard.classifier, -70, ["violin"])
    check.connect(SAMPLE_RATE, 2)
    for _ in range(10):
        check.hear(np.zeros((SAMPLE_RATE // 2, 2), np.float32), 0)
    assert check.missed == 2
    report = check.work(check.collect())
    assert report is not None
    assert report.time == 3
    check.hear(np.zeros((SAMPLE_RATE // 2, 2), np.float32), 0)
    report = check.work(check.collect())
    assert report is not None
    assert report.time == pytest.approx(5.5)


@pytest.mark.slow
async def test_what_the_lines_recognize_is_not_recognized_again(
    tmp_path: Path, classifier: Classifier, demo: Array, score: Score
) -> None:
    """With line-ups of their own they show as much as a check that hears for itself, and cost no inference."""
    file = tmp_path / "plan.toml"
    file.write_text(PLAN)
    plan = read_plan(file).lines
    heard = service(*(LineSettings(it.name, it.channels, it.instruments) for it in plan), model=classifier)
    names = [name for line in plan for name in line.instruments]
    lines = Lines(heard.lines)
    check = SharedCheck(plan, heard.lines, classifier, -70, names)
    lines.tell(check)
    lines.connect(SAMPLE_RATE, 8, None)
    audio, report = eight_channels(demo, score), None
    for start in range(0, len(audio), 5000):
        async for _ in lines.hear(Block(audio[start : start + 5000], 0, 0, 0.0), 0):
            pass
        report = check.work(check.collect())
    lines.close()
    assert report is not None
    assert [line.colour for line in report.lines] == ["amber", "amber", "green", "green", "waiting", "waiting"]
    assert check._check._source is not None
    assert check._check._source.spots == ((8,),)  # of which no line is
    assert check.missed == 0


def test_a_service_without_a_plan_tells_what_sounds(classifier: Classifier, demo: Array, score: Score) -> None:
    """Each line is green when anything has sounded for three seconds."""
    heard = service(LineSettings("1", (1,)), LineSettings("2", (2,)), model=classifier)
    plan = checking._plan(heard)
    check = SharedCheck(plan, heard.lines, classifier, -70, heard.lines[0].recognizer.lineup)
    check.connect(SAMPLE_RATE, 2)
    trumpet, quiet = solo(demo, score, "trumpet")[: 8 * SAMPLE_RATE], room(1)[: 8 * SAMPLE_RATE, 0]
    for trumpets, nothing in zip(
        heard.lines[0].recognizer.feed(trumpet), heard.lines[1].recognizer.feed(quiet), strict=True
    ):
        check.take([trumpets, nothing])
    report = check.work(check.collect())
    assert report is not None
    assert [(it.colour, it.heard and it.heard.shown) for it in report.lines] == [
        ("green", "trumpet"),
        ("waiting", "silence"),
    ]
