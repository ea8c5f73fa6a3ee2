"""Another device for a capture that runs: the one that is open is heard until the other is, and again if it is not."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import numpy as np
import pytest

from stream.audio.block_queue import BlockQueue
from stream.audio.capture import Capture
from stream.audio.devices import InputDevice
from stream.audio.settings import AudioSettings
from stream.errors import SourceLostError
from stream.recognition.mel import SAMPLE_RATE
from tests.support.waiting import PATIENCE

BUSY = SourceLostError("input 'desk' cannot be opened: another program uses it, or it is gone")
BUSY.__cause__ = OSError("busy")


class Device:
    """A source that delivers for as long as it is open."""

    rate, channels, shared = SAMPLE_RATE, 2, False

    def __init__(self, name: str) -> None:
        self.name = name
        self.queue = BlockQueue(SAMPLE_RATE)
        self._ended = threading.Event()
        threading.Thread(target=self._play, daemon=True).start()

    @property
    def closed(self) -> bool:
        """Whether it was given back."""
        return self._ended.is_set()

    def close(self) -> None:
        """Give it back."""
        self._ended.set()

    def _play(self) -> None:
        while not self._ended.wait(0.01):
            self.queue.put(np.zeros((SAMPLE_RATE // 100, 2), np.float32))


class SoundSystem:
    """Devices by name, of which PortAudio knows those of its last start."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.there = ["stage", "desk"]
        self.known = [*self.there]
        self.alone = False
        """Whether a device can be opened only while no other one is."""
        self.broken: set[str] = set()
        self.restarts = 0
        self.devices: list[Device] = []
        for name, stand_in in (
            ("capture.open_source", self.open),
            ("capture.portaudio.restart", self.restart),
            ("devices._query_inputs", self.list),
            ("offered.is_offered", lambda name: name in self.there),
        ):
            monkeypatch.setattr(f"stream.audio.{name}", stand_in)

    def restart(self) -> None:
        """Look for devices."""
        self.restarts += 1
        self.known = [*self.there]

    def list(self) -> list[InputDevice]:
        """Return those that are known."""
        return [InputDevice(number, name, "ALSA", 2, 44_100, number == 0) for number, name in enumerate(self.known)]

    def open(self, settings: AudioSettings, last: str | None, strict: bool, channels: int) -> Device:
        """Open one."""
        name = settings.device or "stage"
        if name in self.broken or (self.alone and any(not device.closed for device in self.devices)):
            raise BUSY
        self.devices.append(Device(name))
        return self.devices[-1]


@pytest.fixture
def sound_system(monkeypatch: pytest.MonkeyPatch) -> SoundSystem:
    """Where captures of the test find their devices."""
    return SoundSystem(monkeypatch)


@asynccontextmanager
async def hearing() -> AsyncIterator[tuple[Capture, list[str]]]:
    """Hear a stage; gives the capture, and the name of what is heard by and by."""
    capture = Capture(AudioSettings(device="stage"))
    await capture.open(PATIENCE)
    heard: list[str] = []

    async def listen() -> None:
        while True:
            block = await capture.get()
            assert block is not None, "a change is no end"
            assert capture.source is not None
            if heard[-1:] != [capture.source.name]:
                heard.append(capture.source.name)

    listening = asyncio.create_task(listen())
    try:
        async with asyncio.timeout(PATIENCE):
            yield capture, heard
    finally:
        listening.cancel()
        await asyncio.gather(listening, return_exceptions=True)
        await capture.close()


async def until(heard: list[str], *names: str) -> None:
    """Wait until these were heard, one after the other."""
    while heard != [*names]:  # noqa: ASYNC110 - a capture tells nobody
        await asyncio.sleep(0.01)


async def test_another_device_is_opened_beside_the_first(sound_system: SoundSystem) -> None:
    """The first is given back when the other is heard, and PortAudio need not look again."""
    async with hearing() as (capture, heard):
        assert await capture.change(AudioSettings(device="desk"), 1)
        await until(heard, "stage", "desk")
        assert [device.closed for device in sound_system.devices] == [True, False]
    assert sound_system.restarts == 0


async def test_a_device_that_came_later_is_found(sound_system: SoundSystem) -> None:
    """PortAudio is started anew for it alone, for which the first one is closed."""
    sound_system.there.append("late")
    async with hearing() as (capture, heard):
        assert await capture.change(AudioSettings(device="late"), 1)
        await until(heard, "stage", "late")
    assert sound_system.restarts == 1


async def test_a_card_that_only_one_can_open_changes_its_name(sound_system: SoundSystem) -> None:
    """Where we are who uses it, the first one is closed before."""
    sound_system.alone = True
    async with hearing() as (capture, heard):
        assert await capture.change(AudioSettings(device="desk"), 1)
        await until(heard, "stage", "desk")


async def test_the_device_of_before_is_heard_again(sound_system: SoundSystem) -> None:
    """What is not there disturbs nothing; what cannot be opened costs a moment; either is told."""
    sound_system.broken = {"desk"}
    async with hearing() as (capture, heard):
        await until(heard, "stage")
        with pytest.raises(SourceLostError, match="no input device named 'nothing'; found: 'stage', 'desk'"):
            await capture.change(AudioSettings(device="nothing"), 1)
        assert (sound_system.restarts, len(sound_system.devices)) == (0, 1)
        with pytest.raises(SourceLostError, match="another program uses it"):
            await capture.change(AudioSettings(device="desk"), 1)
        assert capture.source is sound_system.devices[1]
        assert capture.source.name == "stage"
        sound_system.broken = set()
        assert await capture.change(AudioSettings(device="desk"), 1)
        await until(heard, "stage", "desk")


async def test_another_device_is_waited_for_where_none_is_heard(
    sound_system: SoundSystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The pause before the next try ends at once."""
    monkeypatch.setattr("stream.audio.capture.RETRY_SECONDS", (PATIENCE,))
    sound_system.broken = {"stage"}
    capture = Capture(AudioSettings(device="stage"))
    with pytest.raises(SourceLostError):
        await capture.open(PATIENCE)
    next_block = asyncio.create_task(capture.get())
    await asyncio.sleep(0.05)
    assert not await capture.change(AudioSettings(device="desk"), 1)
    async with asyncio.timeout(PATIENCE / 2):
        assert await next_block is not None
    assert capture.source is not None
    assert capture.source.name == "desk"
    await capture.close()
