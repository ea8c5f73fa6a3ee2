"""A running service that is taught names by its clients."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import soundfile
from websockets.asyncio.client import connect

from stream.errors import ConfigError, ProtocolError
from stream.players.bank import ENDING
from stream.players.folder import PlayerFolder
from stream.players.reliability import Reliability
from stream.protocol.control import Teach
from stream.protocol.messages import Teaching
from stream.recognition import bundle
from stream.recognition.classifier import Classifier
from stream.recognition.mel import SAMPLE_RATE, Array
from stream.recognition.recognizer import Recognizer
from stream.server.access import Access
from stream.server.settings import ServerSettings
from stream.service.teaching import ENOUGH, NameTeaching
from tests.support import tiny
from tests.support.processes import serving, soloist
from tests.support.serving import Listener
from tests.support.taught import bank_of, saxophone

TOKEN = "a stage of one's own, 831"


@pytest.fixture(scope="module")
def bank(demo: Array) -> bytes:
    """A bank of the tiny model."""
    return bank_of(Classifier.load(tiny.INTEGER), demo).packed()


@pytest.fixture
def model(tmp_path: Path, bank: bytes) -> Path:
    """A tiny model with its bank."""
    folder = tmp_path / "model"
    folder.mkdir()
    path = Path(shutil.copy(tiny.INTEGER, folder / "mine.tflite"))
    shutil.copy(tiny.INTEGER.with_suffix(".json"), folder / "mine.json")
    path.with_name(f"mine{ENDING}").write_bytes(bank)
    return path


@asynccontextmanager
async def taught(model: Path, sound: Path, *arguments: str) -> AsyncIterator[Listener]:
    """Run a service that clients may change, and give one of its clients, greeted, who hears of teaching alone."""
    async with (
        serving(
            *("--input", str(sound), "--loop", "--model", str(model)),
            *("--control", "--token", TOKEN, *arguments),
        ) as service,
        connect(f"ws://{service.address}/ws", additional_headers={"Authorization": f"Bearer {TOKEN}"}) as it,
    ):
        client = Listener(it)
        await client.until("hello")
        await client.say("subscribe", types=["teaching"])
        yield client


async def answer(client: Listener, kind: str, **fields: Any) -> dict[str, Any]:
    """Ask for something, and return the error or the news of teaching that comes of it."""
    await client.say(kind, **fields)
    while (message := await client.get())["type"] not in ("error", "teaching"):
        pass
    return message


async def ended(client: Listener) -> dict[str, Any]:
    """Return the last news of what is being taught."""
    while (message := (await client.until("teaching"))[-1])["state"] in ("listening", "fitting"):
        pass
    return message


@pytest.mark.slow
async def test_a_client_teaches_a_name_that_is_named_at_once(tmp_path: Path, model: Path, demo: Array) -> None:
    """From ten sounding seconds to a label, with how far it is; the file is there, and nothing was restarted."""
    sound, folder = tmp_path / "sax.wav", tmp_path / "players"
    soundfile.write(sound, saxophone(demo), SAMPLE_RATE)
    async with taught(model, sound, "--players", str(folder)) as client:
        first = await answer(client, "teach", name="Ben's sax")
        assert (first["state"], first["seconds"], first["reliable"]) == ("listening", 0, None)
        assert (await answer(client, "teach", name="Anna"))["code"] == "not-possible"
        await client.say("stop-teaching")
        assert "at least 10 s are needed" in (await client.until("error"))[-1]["message"]
        while (heard := (await client.until("teaching"))[-1])["seconds"] < heard["least"]:
            assert heard["state"] == "listening"
        assert heard["taken_for"] is not None
        await client.say("stop-teaching")
        last = await ended(client)
        assert (last["state"], last["reliable"], last["message"]) == ("done", True, None)
        assert 10 <= last["seconds"] < 60
        found = PlayerFolder.read(folder, bundle.load(model))
        assert [it.name for it in found.players] == ["Ben's sax"]
        await client.say("subscribe", types=["teaching"])
        assert (await client.until("teaching"))[-1] == last  # who comes now is told how it ended
        await client.say("subscribe", types=["label"])
        while (await client.until("label"))[-1]["label"] != "Ben's sax":
            pass


@pytest.mark.slow
async def test_what_cannot_be_taught_is_told_in_one_line(tmp_path: Path, model: Path, demo: Array) -> None:
    """A name that means something, no folder, no such line, nothing to stop: the service says so and goes on."""
    sound, folder = tmp_path / "two.wav", tmp_path / "players"
    soundfile.write(sound, saxophone(demo), SAMPLE_RATE)
    async with taught(model, sound) as client:
        assert "players" in (await answer(client, "teach", name="Ben"))["message"]
    async with taught(model, sound, "--players", str(folder), "--line", "Ben=1:piano") as client:
        assert "means something" in (await answer(client, "teach", name="piano", line="Ben"))["message"]
        assert "line is None" in (await answer(client, "teach", name="Sax"))["message"]
        assert "no label" in (await answer(client, "teach", name="Sax", line="Ben", like="gong"))["message"]
        assert "no name is being taught" in (await answer(client, "stop-teaching"))["message"]
        begun = await answer(client, "teach", name="Sax", line="Ben")
        assert (begun["line"], begun["state"]) == ("Ben", "listening")
        await client.say("stop-teaching", discard=True)
        assert (await ended(client))["state"] == "discarded"
        assert not folder.exists()
        await answer(client, "teach", name="Sax", line="Ben")
        while (await client.until("teaching"))[-1]["seconds"] < 10:
            pass
        await client.say("stop-teaching")
        last = await ended(client)
        assert last["state"] == "done"
        assert "not in the line-up: add Sax" in last["message"]


async def test_nobody_changes_a_service_that_does_not_allow_it(tmp_path: Path, model: Path) -> None:
    """Without the setting control a request is refused; with it a token is needed."""
    async with (
        serving("--input", "demo", "--model", str(model)) as service,
        connect(f"ws://{service.address}/ws") as it,
    ):
        client = Listener(it)
        assert "control" not in (await client.until("hello"))[-1]
        assert (await answer(client, "teach", name="Ben"))["code"] == "not-allowed"
    with pytest.raises(ConfigError, match="control is true, and no token is required"):
        Access.of(ServerSettings(control=True))


@pytest.mark.slow
async def test_the_command_teaches_a_line_of_a_running_service(tmp_path: Path, model: Path, demo: Array) -> None:
    """`soloist teach` without files shows how far it is and what came of it, and says in a line what cannot be."""
    sound, folder = tmp_path / "two.wav", tmp_path / "players"
    silence_and_sax = np.column_stack([np.zeros(20 * SAMPLE_RATE, np.float32), saxophone(demo)])
    soundfile.write(sound, silence_and_sax, SAMPLE_RATE)
    async with serving(
        *("--input", str(sound), "--loop", "--model", str(model), "--players", str(folder), "--line", "each"),
        *("--control", "--token", TOKEN),
    ) as service:
        to = ("--url", service.address, "--token", TOKEN)
        status, out, err = await soloist("teach", "Ben's sax", *to)
        assert (status, out) == (1, "")
        assert "line is None; expected one of 1, 2" in err
        status, out, err = await soloist("teach", "Ben's sax", "--line", "2", *to)
        assert (status, err) == (0, "")
        first, *_, last = out.splitlines()
        assert first == "Ben's sax: 0.0 s of 10 to 60 s; play alone"
        assert last == "  told apart reliably"
        status, out, err = await soloist("teach", "Ben's sax", "sax.wav", "--line", "2")
        assert (status, err) == (2, "soloist: --line can only be used without files: then a running service listens\n")
    async with serving("--input", str(sound), "--loop", "--model", str(model)) as service:
        status, _, err = await soloist("teach", "Ben's sax", "--url", service.address)
        assert status == 1
        assert err.endswith("does not let its clients teach it: it needs --control and a token\n")


class Lesson:
    """Half a minute of a saxophone, played to what teaches a name, hop after hop."""

    def __init__(self, model: Path, demo: Array) -> None:
        self.told: list[Teaching] = []
        self.classifier = Classifier.load(model)
        self.recognizer = Recognizer(self.classifier, hop=0.5)
        self.line: Any = SimpleNamespace(recognizer=self.recognizer, listener=None, name=None)
        self.teaching = NameTeaching(self.told.append, self._use)
        self._sound = saxophone(demo)

    async def begin(self, folder: Path, name: str = "Ben") -> None:
        """Ask for it."""
        await self.teaching.begin(Teach(name), self.line, self.classifier, str(folder))

    async def play(self) -> None:
        """Play until it ends, and wait for each trial."""
        while self.line.listener is not None:
            for result in self.recognizer.feed(self._sound):
                if self.line.listener is not None:
                    self.line.listener(result)
                await asyncio.gather(*self.teaching._tasks)

    async def _use(self) -> None:
        pass


@pytest.fixture
async def lesson(model: Path, demo: Array, tmp_path: Path) -> AsyncIterator[Lesson]:
    """A lesson without a service about it."""
    lesson = Lesson(model, demo)
    await lesson.begin(tmp_path / "players")
    yield lesson
    lesson.teaching.close()


def judged(recognized: int) -> Reliability:
    """Say how many of ten windows are recognized."""
    return Reliability(10, recognized, 100, 0, {}, {}, {})


async def test_it_ends_when_what_sounded_until_then_is_told_apart(
    lesson: Lesson, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A trial of before does not count: who was told apart after ten seconds, and is not after twenty, plays on."""
    verdicts = iter([judged(10), judged(10), judged(1), judged(10)])
    monkeypatch.setattr(PlayerFolder, "judge", lambda *_: next(verdicts))
    await lesson.play()
    tried = [it.reliable for it in lesson.told if it.state == "listening"]
    assert [one for one, next_ in zip(tried, [*tried[1:], None], strict=True) if one != next_] == [
        None,
        True,
        False,
        True,
    ]
    kept = next(it for it in lesson.told if it.state == "fitting")
    assert ENOUGH + 5 <= kept.seconds < ENOUGH + 6
    assert lesson.told[-1].state == "done"


async def test_who_waits_for_the_end_is_told_of_a_fault(lesson: Lesson, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever goes wrong while the name is fitted, it has failed, and another one can be taught."""

    def fail(*_: object) -> None:
        raise MemoryError("a page of it")

    monkeypatch.setattr(PlayerFolder, "judge", lambda *_: judged(10))
    monkeypatch.setattr(PlayerFolder, "teach", fail)
    await lesson.play()
    assert (lesson.told[-1].state, lesson.told[-1].reliable) == ("failed", None)
    assert "a page of it" in str(lesson.told[-1].message)
    await lesson.begin(Path("elsewhere"), "Anna")
    assert lesson.told[-1].name == "Anna"


async def test_without_its_model_or_its_line_a_lesson_ends(lesson: Lesson, tmp_path: Path) -> None:
    """It goes on while both are there; whoever waits is told which of them is not, and nothing is heard any more."""
    model = lesson.classifier.bundle
    lesson.teaching.change(model, [lesson.line])
    assert lesson.told[-1].state == "listening"
    lesson.teaching.change(model, [])
    assert (lesson.told[-1].state, lesson.line.listener) == ("failed", None)
    assert "its line is gone" in str(lesson.told[-1].message)
    await lesson.begin(tmp_path / "players", "Anna")
    lesson.teaching.change(bundle.load("residual"), [lesson.line])
    assert (lesson.told[-1].name, lesson.told[-1].state, lesson.line.listener) == ("Anna", "failed", None)
    assert "the model was changed" in str(lesson.told[-1].message)


async def test_two_names_are_not_taught_at_once(lesson: Lesson, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither while one is listened to nor while it is fitted."""
    monkeypatch.setattr(PlayerFolder, "judge", lambda *_: judged(10))
    with pytest.raises(ProtocolError, match="Ben is being taught now"):
        await lesson.begin(Path("elsewhere"), "Anna")
    refused = []

    async def use() -> None:
        with pytest.raises(ProtocolError, match="Ben is being fitted now") as error:
            await lesson.begin(Path("elsewhere"), "Anna")
        refused.append(error)

    monkeypatch.setattr(lesson.teaching, "_taught", use)
    await lesson.play()
    assert lesson.told[-1].state == "done"
    assert len(refused) == 1
