"""A running service whose settings are chosen by its clients: tried, kept in the file, discarded."""

from __future__ import annotations

import asyncio
import itertools
import json
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from websockets.asyncio.client import connect

from stream.recognition.mel import SAMPLE_RATE, Array
from tests.support.processes import Service, serving
from tests.support.serving import Listener
from tests.support.tiny import INTEGER

TOKEN = "a stage of one's own, 831"
RATE = 48_000
"""Other than the model's, so that there is a resampler in every line."""
FILE = f"""\
# Tonight in the small hall.

[server]
token = "{TOKEN}"   # nobody else's
control = true

[recognition]
model = "small"
gate = -60   # a quiet hall

# Left to right.
[[line]]
name = "Anna"   # on the left
channels = [3]
gain = 6

[[line]]
name = "Ben"
channels = [4]
"""


@pytest.fixture(scope="module")
def stage(demo: Array, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eight channels, of which the third and the fourth sound, each with what the other one played a moment ago."""
    path = tmp_path_factory.mktemp("stage") / "eight.wav"
    frames = np.zeros((len(demo), 8), np.float32)
    frames[:, 2], frames[:, 3] = demo, np.roll(demo, 5 * SAMPLE_RATE)
    soundfile.write(path, np.repeat(frames, 2, axis=0)[: len(demo)], RATE)
    return path


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A file of settings with two lines, which nobody else may read."""
    path = tmp_path / "soloist.toml"
    path.write_text(FILE)
    path.chmod(0o640)
    return path


def text_of(file: Path) -> str:
    """Return what stands in a file."""
    return file.read_text()


def write(file: Path, text: str) -> None:
    """Write something else into a file."""
    file.write_text(text)


def alone_with_mode(file: Path) -> int:
    """Return the mode of a file beside which nothing was left."""
    assert list(file.parent.iterdir()) == [file]
    return file.stat().st_mode & 0o777


def changed_file(*changes: tuple[str, str]) -> str:
    """Return the text of the file with other words."""
    text = FILE
    for old, new in changes:
        assert text.count(old) == 1
        text = text.replace(old, new)
    return text


class Chooser(Listener):
    """A client that chooses settings."""

    async def choose(self, kind: str, **fields: Any) -> dict[str, Any]:
        """Ask for something, and return the settings or the error that comes of it."""
        while True:
            await self.say(kind, **fields)
            while (message := await self.get())["type"] not in ("settings", "error"):
                pass
            if message.get("code") != "too-often":
                return message
            await asyncio.sleep(0.2)

    async def refused(self, kind: str, **fields: Any) -> str:
        """Ask for something that cannot be, and return why."""
        message = await self.choose(kind, **fields)
        assert message["type"] == "error"
        assert message["code"] == "not-possible"
        assert "\n" not in message["message"]
        return str(message["message"])


@asynccontextmanager
async def chooser(service: Service) -> AsyncIterator[Chooser]:
    """Connect a client that knows the token, and hears of settings only when it asks."""
    async with connect(f"ws://{service.address}/ws", additional_headers={"Authorization": f"Bearer {TOKEN}"}) as it:
        client = Chooser(it)
        await client.until("hello")
        await client.say("subscribe", types=[])
        yield client


@pytest.mark.slow
async def test_what_is_tried_holds_at_once_and_is_kept_in_the_file(stage: Path, file: Path) -> None:
    """Model, line-up, gate, threshold and lines change without a gap; the file gets them with its comments and mode."""
    async with (
        serving("--input", str(stage), "--loop", "--config", str(file), "--hop", "0.3") as service,
        chooser(service) as client,
    ):
        told = await client.choose("settings")
        assert (told["tried"], told["decided"], told["file"]) == ([], {"hop": "--hop"}, str(file))
        assert (told["values"]["gate"], told["values"]["model"], told["choices"]["channels"]) == (-60, "small", 8)
        assert [(it["name"], it["channels"], it["gain"]) for it in told["lines"]] == [("Anna", [3], 6), ("Ben", [4], 0)]
        assert told["choices"]["devices"] is None
        assert set(told["choices"]["models"]) >= {"lead", "small"}
        assert TOKEN not in json.dumps(told)

        await client.say("subscribe", types=["label"], lines="all")
        await client.until("label")
        await client.say(
            "try-settings",
            values={"gate": -50, "threshold": 0.5, "instruments": ["piano", "violin"], "hop": 0.5},
            lines=[
                {"line": "Anna", "name": "Anna B.", "gain": 12, "instruments": ["piano"], "threshold": 0.3},
                {"line": "Ben", "channels": [3, 4]},
            ],
        )
        messages = await client.until("settings")
        answer = messages[-1]
        assert answer["tried"] == ["instruments", "hop", "gate", "threshold", "line"]
        labels: list[dict[str, Any]] = []
        while len(labels) < 8:
            labels += [it for it in await client.until("label") if it["type"] == "label"]
        assert {it["line"] for it in labels} == {"Ben"}  # Anna is called otherwise, and this client did not ask for her
        hello = [it for it in messages if it["type"] == "hello"][-1]
        assert [(it["name"], it["channels"], it["lineup"]) for it in hello["lines"]] == [
            ("Anna B.", [3], ["piano"]),
            ("Ben", [3, 4], ["piano", "violin"]),
        ]
        assert labels[0]["state"] == "warming"  # of these channels nothing was heard
        assert labels[1]["seq"] == labels[0]["seq"] + 1

        kept = await client.choose("keep-settings")
        assert kept["tried"] == ["hop"]
        assert kept["message"] == "not kept: hop (--hop decides it at the next start)"
        assert alone_with_mode(file) == 0o640
        assert text_of(file) == changed_file(
            ("gate = -60 ", "gate = -50.0 "),
            ("quiet hall\n", 'quiet hall\ninstruments = ["piano", "violin"]\nthreshold = 0.5\n'),
            ('"Anna" ', '"Anna B." '),
            ("gain = 6\n", 'gain = 12.0\ninstruments = ["piano"]\nthreshold = 0.3\n'),
            ("[4]", "[3, 4]"),
        )
        assert "not kept: hop" in await client.refused("keep-settings")
        assert (await client.choose("discard-settings"))["tried"] == []
    assert service.process.returncode == 0


@pytest.mark.slow
async def test_what_cannot_be_used_changes_nothing(stage: Path, file: Path) -> None:
    """Each mistake is one line that says what was expected, and secrets can be neither seen nor set."""
    async with (
        serving("--input", str(stage), "--loop", "--config", str(file)) as service,
        chooser(service) as client,
    ):
        before = await client.choose("settings")
        for fields, said in (
            ({"values": {"gate": 5}}, "gate is 5.0; expected -120 to 0"),
            ({"values": {"gate": "loud"}}, 'gate is "loud"; expected a number'),
            ({"values": {"gate": -40, "instruments": ["kazoo"]}}, "kazoo"),
            ({"values": {"instruments": []}}, "at least one name"),
            ({"values": {"model": str(INTEGER)}}, "expected one of lead"),
            ({"values": {"token": "mine"}}, "'token' cannot be chosen"),
            ({"values": {"players": "/etc"}}, "'players' cannot be chosen"),
            ({"values": {"channel": 9}}, "channel is 9; the source has 8"),
            ({"lines": [{"line": "Zed", "gain": 1}]}, 'there is no line "Zed"; known are Anna, Ben'),
            ({"lines": [{"line": "Anna", "gain": 99}]}, 'line "Anna": gain is 99; expected -60 to 60'),
            ({"lines": [{"line": "Anna", "loud": 1}]}, 'line "Anna": unknown key "loud"'),
            ({"lines": [{"line": "Anna", "name": "Ben"}]}, 'two lines are called "Ben"'),
            ({"lines": [{"line": "Anna", "instruments": ["kazoo"]}]}, "kazoo"),
            ({"lines": [{"name": "Zed"}]}, "the new line: the line has no channels"),
            ({"lines": [{"line": None, "channels": 3, "name": "Z"}]}, "the new line: channels is 3"),
        ):
            assert said in await client.refused("try-settings", **fields)
            await client.settled()
        assert await client.choose("settings") == before
        await client.choose("try-settings", values={"gate": -40})
        write(file, "gate = \n")
        assert "has a mistake" in await client.refused("keep-settings")
        assert f"{file}:1" in await client.refused("discard-settings")


@pytest.mark.slow
async def test_lines_come_and_go_while_the_others_are_heard(stage: Path, file: Path) -> None:
    """A new line begins with warming on the others' grid of hops, and one that goes closes what it has."""
    async with (
        serving("--input", str(stage), "--loop", "--config", str(file)) as service,
        chooser(service) as client,
    ):
        await client.say("subscribe", types=["label", "front", "segment"], lines="all")
        await client.until("label")
        await client.say("try-settings", lines=[{"name": "Cora", "channels": [3]}, {"line": "Ben", "remove": True}])
        messages = await client.until("settings")
        assert [it["name"] for it in messages[-1]["lines"]] == ["Anna", "Cora"]
        assert [it["line"] for it in messages if it["type"] == "segment" and it["line"] == "Ben"]
        await client.say("subscribe", types=["label", "front"], lines="all")
        seen: dict[str, list[dict[str, Any]]] = {"Anna": [], "Cora": []}
        while not any(it["state"] == "instrument" for it in seen["Cora"]):
            for message in await client.until("label"):
                if message["type"] == "label":
                    seen[message["line"]].append(message)
        assert seen["Cora"][0]["state"] == "warming"
        for name, labels in seen.items():
            steps = [after["time"] - before["time"] for before, after in itertools.pairwise(labels)]
            assert max(steps) - min(steps) < 2e-4, name
        assert seen["Anna"][-1]["time"] - seen["Cora"][-1]["time"] <= 0.3

        await client.say("subscribe", types=["label"])
        alone = await client.choose(
            "try-settings", lines=[{"line": "Anna", "remove": True}, {"line": "Cora", "remove": True}]
        )
        assert "lines" not in alone
        while "line" in (label := (await client.until("label"))[-1]):
            pass
        assert label["state"] == "warming"
        assert (await client.choose("keep-settings"))["tried"] == []
        assert "[[line]]" not in text_of(file)


@pytest.mark.slow
async def test_a_service_without_a_file_says_how_to_have_one(stage: Path) -> None:
    """What is tried holds for the run; whoever subscribes is told, also of what is read again with SIGHUP."""
    arguments = ("--input", str(stage), "--loop", "--model", str(INTEGER), "--control", "--token", TOKEN)
    async with (
        serving(*arguments, "--line", "Anna=3") as service,
        chooser(service) as client,
        chooser(service) as other,
    ):
        await other.say("subscribe", types=["settings"])
        told = await client.choose("try-settings", values={"gate": -40}, lines=[{"line": "Anna", "gain": 3}])
        assert told["decided"] == {"model": "--model", "line": "--line"}
        assert (told["file"], told["tried"]) == (None, ["gate", "line"])
        assert str(INTEGER) in told["choices"]["models"]
        assert (await other.until("settings"))[-1]["tried"] == ["gate", "line"]
        assert "soloist run --config" in await client.refused("keep-settings")
        service.process.send_signal(signal.SIGHUP)
        assert (await other.until("settings"))[-1]["tried"] == []


async def test_nobody_chooses_where_it_is_not_allowed(stage: Path) -> None:
    """Without the setting control the settings are not even told."""
    async with (
        serving("--input", str(stage), "--loop", "--model", str(INTEGER), "--token", TOKEN) as service,
        chooser(service) as client,
    ):
        assert (await client.choose("settings"))["code"] == "not-allowed"
