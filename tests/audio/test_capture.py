"""A source that is opened, watched and taken up again."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path

import numpy as np
import pytest

from stream.audio.block_queue import Block, BlockQueue
from stream.audio.capture import Capture
from stream.audio.settings import AudioSettings
from stream.errors import RuntimeMissingError, SourceLostError
from stream.recognition.mel import SAMPLE_RATE
from tests.support.serving import PATIENCE


class FakeSoundSystem:
    """Where a device is, or hangs."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.free = threading.Event()
        self.free.set()
        self.asked: list[tuple[str | None, bool]] = []
        self.rescans = 0
        self.missing: Exception | None = None
        self.devices: list[Device] = []
        monkeypatch.setattr("stream.audio.capture.open_source", self.open)
        monkeypatch.setattr("stream.audio.capture.portaudio.restart", self.rescan)

    def rescan(self) -> None:
        """Look for devices."""
        self.rescans += 1
        self.free.wait()

    def open(self, settings: AudioSettings, last: str | None, strict: bool, channels: int) -> Device:
        """Open the device."""
        self.asked.append((last, strict))
        self.free.wait()
        if self.missing is not None:
            raise self.missing
        self.devices.append(Device(self))
        return self.devices[-1]


class Device:
    """A source that delivers nothing by itself."""

    name, rate, channels, shared = "stage", SAMPLE_RATE, 1, False

    def __init__(self, sound_system: FakeSoundSystem) -> None:
        self.queue = BlockQueue(SAMPLE_RATE)
        self.closed = False
        self._sound_system = sound_system

    def play(self) -> None:
        """Deliver a little."""
        self.queue.put(np.zeros((SAMPLE_RATE // 100, 1), np.float32))

    def close(self) -> None:
        """Give it back, if nothing hangs."""
        self._sound_system.free.wait()
        self.closed = True


@pytest.fixture
def sound_system(monkeypatch: pytest.MonkeyPatch) -> FakeSoundSystem:
    """Where captures of the test find their device; time passes a hundred times as fast."""
    for name in ("DELIVERY_TIMEOUT", "FIRST_DELIVERY_TIMEOUT", "OPEN_TIMEOUT", "_TICK", "_CLOSE_SECONDS"):
        monkeypatch.setattr(f"stream.audio.capture.{name}", 0.02)
    monkeypatch.setattr("stream.audio.capture.RETRY_SECONDS", (0.02,))
    return FakeSoundSystem(monkeypatch)


async def lost(capture: Capture) -> str:
    """Return what the next loss is."""
    async with asyncio.timeout(PATIENCE):
        while True:
            try:
                await capture.get()
            except SourceLostError as error:
                return str(error)


async def test_a_device_that_stops_calling_is_lost_and_opened_again(sound_system: FakeSoundSystem) -> None:
    """A device is lost when it calls no more, is given back, looked for anew and opened by its name."""
    capture = Capture(AudioSettings(input="mic"))
    await capture.open(PATIENCE)
    sound_system.devices[0].play()
    assert await capture.get() is not None
    assert await lost(capture) == "input 'stage' delivers nothing"
    assert capture.source is None
    sound_system.missing = SourceLostError("no such device")
    assert await lost(capture) == "no such device"
    sound_system.missing = None
    assert await lost(capture) == "input 'stage' delivers nothing"  # it was opened, and never called
    await capture.close()
    assert sound_system.asked == [(None, False), ("stage", True), ("stage", True)]
    assert sound_system.rescans == 2


async def test_an_input_that_can_be_shared_is_opened_anew_without_a_gap(
    sound_system: FakeSoundSystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A sound server's input that delivers zeros is heard until the one that is opened beside it delivers, too."""
    monkeypatch.setattr("stream.audio.capture.ZEROS_REOPEN_SECONDS", (0.0,))
    monkeypatch.setattr("stream.audio.capture.DELIVERY_TIMEOUT", PATIENCE)
    monkeypatch.setattr(Device, "shared", True)
    capture = Capture(AudioSettings(input="mic"))
    await capture.open(PATIENCE)

    async def reopened(count: int) -> Device:
        for _ in range(2):
            capture.note_zeros(True)
        async with asyncio.timeout(PATIENCE):
            while len(sound_system.devices) < count:  # noqa: ASYNC110 - a thread opens it
                await asyncio.sleep(0.01)
        return sound_system.devices[-1]

    first = sound_system.devices[0]
    for count in (2, 3):  # of which one is in vain: there is sound before it delivers
        second = await reopened(count)
        first.play()
        assert await capture.get() is not None
        assert capture.source is first
        if count == 2:
            capture.note_zeros(False)
            async with asyncio.timeout(PATIENCE):
                while not second.closed:  # noqa: ASYNC110 - a thread closes it
                    await asyncio.sleep(0.01)
    second.play()

    async def heard_of_second() -> Block | None:
        while True:
            first.play()
            block = await capture.get()
            if capture.source is second:
                return block

    getting = asyncio.create_task(heard_of_second())
    async with asyncio.timeout(PATIENCE):
        while capture.source is first:  # noqa: ASYNC110 - it changes without an event
            await asyncio.sleep(0)
        second.play()
        block = await getting
    assert block is not None
    assert len(block.frames) == SAMPLE_RATE // 100  # not what the first one had delivered as well
    await capture.close()
    assert first.closed
    assert sound_system.rescans == 0


async def test_a_default_that_stays_away_makes_way(
    sound_system: FakeSoundSystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When the grace is over, the default input may be another one."""
    monkeypatch.setattr("stream.audio.capture.LAST_DEVICE_GRACE_SECONDS", 0.0)
    capture = Capture(AudioSettings(input="mic"))
    await capture.open(PATIENCE)
    await lost(capture)
    await lost(capture)
    assert sound_system.asked == [(None, False), ("stage", False)]
    await capture.close()


@pytest.mark.slow
async def test_a_sound_system_that_hangs_is_told_and_asked_once(sound_system: FakeSoundSystem) -> None:
    """While the sound system hangs, that is told again and again, and nothing is asked of it, nor anybody said well."""
    alive = 0

    def note_alive() -> None:
        nonlocal alive
        alive += 1

    capture = Capture(AudioSettings(input="mic"), note_alive)
    await capture.open(PATIENCE)
    sound_system.free.clear()
    assert await lost(capture) == "input 'stage' delivers nothing"
    assert await lost(capture) == "the sound system does not answer"
    before = alive
    for _ in range(5):
        assert await lost(capture) == "the sound system does not answer"
    assert (len(sound_system.devices), sound_system.rescans, alive) == (1, 0, before)
    sound_system.free.set()
    async with asyncio.timeout(PATIENCE):
        while len(sound_system.devices) < 2:
            await lost(capture)
    assert sound_system.devices[0].closed
    await capture.close()


async def test_a_hanging_device_keeps_nobody_from_ending(sound_system: FakeSoundSystem) -> None:
    """Closing waits for a device only so long; its thread ends when it can."""
    before = threading.enumerate()
    capture = Capture(AudioSettings(input="mic"))
    await capture.open(PATIENCE)
    (thread,) = (thread for thread in threading.enumerate() if thread not in before)
    assert thread.daemon
    sound_system.free.clear()
    async with asyncio.timeout(PATIENCE):
        await capture.close()
    assert thread.is_alive()
    sound_system.free.set()
    await asyncio.to_thread(thread.join, PATIENCE)
    assert sound_system.devices[0].closed


async def test_a_device_that_is_being_opened_at_the_end_is_waited_for(
    sound_system: FakeSoundSystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    """PortAudio is not left alone while it looks for devices, and what it has opened is closed."""
    monkeypatch.setattr("stream.audio.capture._CLOSE_SECONDS", PATIENCE)
    sound_system.free.clear()
    capture = Capture(AudioSettings(input="mic", wait=True))
    with pytest.raises(SourceLostError, match="does not answer"):
        await capture.open(0.01)
    closing = asyncio.create_task(capture.close())
    await asyncio.sleep(0)
    assert not closing.done()
    sound_system.free.set()
    await closing
    assert [device.closed for device in sound_system.devices] == [True]


async def test_a_card_that_is_plugged_in_ends_the_wait(
    sound_system: FakeSoundSystem, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """However long the pause between tries is, a new card is tried at once."""
    cards = tmp_path / "cards"
    monkeypatch.setattr("stream.audio.capture.CARDS", cards)
    monkeypatch.setattr("stream.audio.capture.RETRY_SECONDS", (10_000.0,))
    capture = Capture(AudioSettings(input="mic", wait=True))
    waiting = asyncio.create_task(capture.get())
    await asyncio.sleep(0)
    cards.write_text(" 0 [CODEC]: USB-Audio - USB Audio CODEC")
    async with asyncio.timeout(PATIENCE):
        with pytest.raises(SourceLostError, match="delivers nothing"):
            await waiting
    assert len(sound_system.devices) == 1
    await capture.close()


async def test_what_no_waiting_mends_is_raised(sound_system: FakeSoundSystem) -> None:
    """A missing library is no loss: nobody waits for it."""
    sound_system.missing = RuntimeMissingError("PortAudio is missing")
    capture = Capture(AudioSettings(input="mic", wait=True))
    with pytest.raises(RuntimeMissingError, match="PortAudio is missing"):
        await capture.open(PATIENCE)
    await capture.close()
