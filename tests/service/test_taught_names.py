"""A running service and the names that are taught while it runs."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path

from websockets.asyncio.client import connect

from stream.players.enrolment import enrol
from stream.players.folder import PlayerFolder
from stream.recognition.classifier import Classifier
from stream.recognition.mel import SAMPLE_RATE, Array
from tests.support import tiny
from tests.support.processes import serving
from tests.support.serving import check
from tests.support.taught import bank_of


async def test_a_name_that_is_taught_while_it_runs_is_heard_after_a_reload(tmp_path: Path, demo: Array) -> None:
    """SIGHUP reads the folder again: clients are told of the new label, and it is named where it plays."""
    classifier = Classifier.load(tiny.INTEGER)
    bank = bank_of(classifier, demo, left_out="piano")
    enrolment = enrol([demo[: 10 * SAMPLE_RATE]], classifier)
    folder = tmp_path / "players"
    arguments = ("--input", "demo", "--model", str(tiny.INTEGER), "--players", str(folder))
    async with asyncio.timeout(60), serving(*arguments) as service:
        async with connect(f"ws://{service.address}/ws") as client:
            assert "Anna" not in check(await client.recv())["labels"]
            folder.mkdir()
            (folder / "broken.player.json").write_text("no json")
            PlayerFolder.read(folder, classifier.bundle).teach("Anna", enrolment, bank)
            service.process.send_signal(signal.SIGHUP)
            while "Anna" not in (message := check(await client.recv())).get("lineup", ()):
                pass
            assert message["type"] == "hello"
            while (message := check(await client.recv())).get("label") != "Anna":
                pass
            assert message["type"] in ("label", "change")
        assert any("broken.player.json" in line and "left out" in line for line in service.complaints)
