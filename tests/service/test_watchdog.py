"""What feeds the watchdog: audio that goes through, and nothing else."""

from __future__ import annotations

import asyncio
import os
import socket
import threading
from pathlib import Path

import pytest

from stream.audio.pcm import PcmFormat
from stream.audio.raw_pcm import open_pcm_source
from stream.audio.settings import AudioSettings
from stream.recognition.classifier import Classifier, Inference
from stream.recognition.mel import Array
from stream.server.settings import ServerSettings
from stream.service.events import Alive
from stream.service.service import Service
from stream.settings.settings import Settings
from tests.support.processes import serving


class StuckClassifier(Classifier):
    """An interpreter that never comes back from its third inference."""

    stuck = threading.Event()
    free = threading.Event()
    calls = 0

    def infer(self, features: Array) -> Inference:
        type(self).calls += 1
        if self.calls == 3:
            self.stuck.set()
            self.free.wait()
        return super().infer(features)


@pytest.mark.slow
async def test_a_stuck_recognizer_feeds_no_watchdog(monkeypatch: pytest.MonkeyPatch) -> None:
    """Signs of life come with the audio, and end when an inference does not, though audio and clients go on."""
    monkeypatch.setattr("stream.service.setting_files.Classifier", StuckClassifier)
    service = Service(Settings(AudioSettings(input="demo"), server=ServerSettings(port=0)))
    alive = asyncio.Event()
    service.events.add(lambda event: alive.set() if isinstance(event, Alive) else None)
    listening = asyncio.get_running_loop().create_future()
    async with asyncio.timeout(60), asyncio.TaskGroup() as tasks:
        running = tasks.create_task(service.run(listening.set_result))
        await listening
        await asyncio.to_thread(StuckClassifier.stuck.wait)
        assert alive.is_set()
        alive.clear()
        # Seconds of audio have come and found nobody by the time the hand-off is full.
        while not service.health().details["overflows"]:  # noqa: ASYNC110 - there is no event to wait for
            await asyncio.sleep(0.1)
        assert not alive.is_set()
        StuckClassifier.free.set()
        await alive.wait()
        running.cancel()


async def test_a_pause_on_standard_input_feeds_the_watchdog(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who pipes audio may pause for as long as it likes: the service is well meanwhile."""
    reading, writing = os.pipe()
    monkeypatch.setattr("stream.audio.capture._TICK", 0.01)
    monkeypatch.setattr(
        "stream.audio.capture.open_source",
        lambda settings, **_: open_pcm_source(reading, PcmFormat.parse(settings.pcm)),
    )
    service = Service(Settings(AudioSettings(input="-"), server=ServerSettings(port=0)))
    alive = asyncio.Event()
    service.events.add(lambda event: alive.set() if isinstance(event, Alive) else None)
    async with asyncio.timeout(60), asyncio.TaskGroup() as tasks:
        running = tasks.create_task(service.run(lambda address: None))
        for _ in range(3):
            await alive.wait()
            alive.clear()
            assert service.health().details["source_state"] == "starting"  # nothing has come yet, and nothing is missed
        os.close(writing)
        await running
    os.close(reading)


@pytest.mark.slow
async def test_the_manager_is_told_what_is_heard(tmp_path: Path) -> None:
    """Signs of life and the name of the instrument reach systemd's socket."""
    wanted = {"READY=1", "WATCHDOG=1", "STATUS=running: demo", "STATUS=hears piano from demo"}
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.settimeout(30)
        env = {"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "1000000"}
        async with serving("--input", "demo", env=env) as service:
            while wanted:
                wanted -= set((await asyncio.to_thread(manager.recv, 4096)).decode().split("\n"))
            assert service.complaints == []
