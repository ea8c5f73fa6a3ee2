"""The service and a device that comes, goes and misbehaves; the device and its clock are the tests'."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from types import SimpleNamespace

import numpy as np
import pytest

from stream.client import Client, Disconnected
from stream.config import Settings
from stream.errors import SourceLostError
from stream.features import SAMPLE_RATE, Array
from stream.handoff import HandOff
from stream.messages import History, Label, Mark, Message, Outage, Segment, Status
from stream.service import Service
from tests.serving import PATIENCE

BLOCK = SAMPLE_RATE // 10


class Device:
    """A source that delivers what it is given."""

    def __init__(self, name: str) -> None:
        self.name, self.rate, self.channels = name, SAMPLE_RATE, 1
        self.handoff = HandOff(60 * SAMPLE_RATE)

    def close(self) -> None:
        """Deliver no more."""
        self.handoff.close()


@dataclass
class Socket:
    """Where the device is plugged in, or is not."""

    present: bool = True
    later: float = 0.0
    """Seconds by which the service's clock is ahead of the real one."""
    device: Device | None = None
    opened: asyncio.Event = field(default_factory=asyncio.Event)

    def open(self, settings: Settings) -> Device:
        """Open the device, as the service does."""
        if not self.present:
            raise SourceLostError("no input device named 'stage'")
        self.device = Device("stage")
        self.opened.set()
        return self.device

    def play(self, audio: Array, *, clipped: bool = False) -> None:
        """Let the device deliver audio in blocks, with its peaks at full scale if asked to."""
        assert self.device is not None
        frames = audio.copy()
        if clipped:
            frames[::BLOCK] = 1.0
        for start in range(0, len(frames), BLOCK):
            block = frames[start : start + BLOCK, None]
            self.later += len(block) / SAMPLE_RATE
            self.device.handoff.put(block)

    def pull(self, seconds: float = 0.0) -> None:
        """Pull the plug, and let time pass."""
        assert self.device is not None
        self.present = False
        self.later += seconds
        self.opened.clear()
        self.device.handoff.close(SourceLostError("input 'stage' was lost"))

    async def plug_in(self) -> None:
        """Put the plug back and wait until the device is open."""
        self.present = True
        async with asyncio.timeout(PATIENCE):
            await self.opened.wait()


@dataclass
class Evening:
    """A running service, its device, and a client."""

    service: Service
    socket: Socket
    client: Client

    async def until(self, wanted: Callable[[Message | Disconnected], bool]) -> list[Message | Disconnected]:
        """Return what is told up to something wanted."""
        told: list[Message | Disconnected] = []
        async with asyncio.timeout(PATIENCE):
            async for message in self.client:
                told.append(message)
                if wanted(message):
                    break
        return told

    async def status(self, **wanted: object) -> Status:
        """Return the next status with these fields."""
        told = await self.until(
            lambda message: isinstance(message, Status) and all(getattr(message, k) == v for k, v in wanted.items())
        )
        assert isinstance(told[-1], Status)
        return told[-1]

    async def history(self) -> History:
        """Return all that was heard."""
        await self.client.history(7200)
        last = (await self.until(lambda message: isinstance(message, History)))[-1]
        assert isinstance(last, History)
        return last


@pytest.fixture
def socket(monkeypatch: pytest.MonkeyPatch) -> Socket:
    """Where services of the test find their device."""
    socket = Socket()
    monkeypatch.setattr("stream.service.open_source", socket.open)
    monkeypatch.setattr("stream.service.microphone.refresh", lambda: None)
    monkeypatch.setattr("stream.service._RETRY_SECONDS", (0.01,))
    monkeypatch.setattr("stream.service.PATIENCE", PATIENCE)
    clocks = SimpleNamespace(
        monotonic=lambda: time.monotonic() + socket.later, time=time.time, perf_counter=time.perf_counter
    )
    for user in ("handoff", "service"):
        monkeypatch.setattr(f"stream.{user}.time", clocks)
    return socket


@contextlib.asynccontextmanager
async def evening(socket: Socket) -> AsyncIterator[Evening]:
    """Run a service that hears the device, with a client."""
    service = Service(Settings(input="mic", device="stage", port=0))
    listening = asyncio.get_running_loop().create_future()
    running = asyncio.create_task(service.run(listening.set_result))
    try:
        async with Client(await listening) as client:
            yield Evening(service, socket, client)
    finally:
        running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await running


def later_than(seconds: float) -> Callable[[Message | Disconnected], bool]:
    """Return what wants a label of after a stream time."""
    return lambda message: isinstance(message, Label) and message.time > seconds


async def test_an_outage_is_told_with_its_times(socket: Socket, demo: Array) -> None:
    """A device that goes and comes back is told both times; those of segment, label and marks go with them."""
    async with evening(socket) as show:
        socket.play(demo[: 4 * SAMPLE_RATE])
        await show.until(later_than(3.8))
        socket.pull(seconds=10)
        *_, away, status = await show.until(lambda m: isinstance(m, Status) and m.source == "waiting")
        assert away == Outage(4.0, None, "stage", "input 'stage' was lost")
        assert isinstance(status, Status)
        assert (status.message, status.warnings) == (away.reason, [])
        assert (await show.history()).outages == [away]
        await show.client.mark("no sound!")
        mark = (await show.until(lambda message: isinstance(message, Mark)))[-1]
        await socket.plug_in()
        assert (await show.history()).outages == [away]
        socket.play(demo[:SAMPLE_RATE])
        told = await show.until(lambda message: isinstance(message, Label))
        (back,) = (message for message in told if isinstance(message, Outage))
        (segment,) = (message for message in told if isinstance(message, Segment))
        label = told[-1]
        assert isinstance(label, Label)
        assert back.end is not None
        assert back == Outage(4.0, back.end, "stage", "input 'stage' was lost")
        assert isinstance(mark, Mark)
        assert 4.0 + 10 < mark.time < back.end < 4.0 + 10 + PATIENCE
        assert segment.end == label.since == 4.0
        assert (label.state, label.time) == ("warming", back.end)
        assert (await show.history()).outages == [back]


async def test_a_device_that_comes_and_goes_without_a_sound_is_one_outage(socket: Socket, demo: Array) -> None:
    """An outage lasts until there is audio, and one that is shorter than a window is heard as silence, no gap."""
    async with evening(socket) as show:
        socket.play(demo[: 4 * SAMPLE_RATE])
        await show.until(later_than(3.8))
        for _ in range(2):
            socket.pull()
            await show.status(source="waiting")
            await socket.plug_in()
            await show.status(source="running")
        socket.play(demo[:SAMPLE_RATE])
        told = await show.until(later_than(4.0))
        assert [message.end is None for message in told if isinstance(message, Outage)] == [False]
        assert not [message for message in told if isinstance(message, Label) and message.state == "warming"]
        assert len((await show.history()).outages) == 1


async def test_a_device_that_was_never_there_is_no_outage(socket: Socket, demo: Array) -> None:
    """Before the first audio nothing is lost: the status alone says what is waited for."""
    socket.present = False
    async with evening(socket) as show:
        status = await show.status(source="waiting")
        assert status.message == "no input device named 'stage'"
        await socket.plug_in()
        socket.pull()
        await show.status(source="waiting", message="input 'stage' was lost")
        await socket.plug_in()
        socket.play(demo[: 4 * SAMPLE_RATE])
        told = await show.until(later_than(3.8))
        assert not [message for message in told if isinstance(message, Outage)]
        assert (await show.history()).outages == []


async def test_all_that_is_to_be_mended_is_told(
    socket: Socket, rng: np.random.Generator, caplog: pytest.LogCaptureFixture
) -> None:
    """Warnings come and go with the input, the first of them as the message, and each is logged when it comes."""
    noise = (0.01 * rng.standard_normal(SAMPLE_RATE)).astype(np.float32)
    caplog.set_level(logging.WARNING, "stream.service")
    async with evening(socket) as show:
        socket.play(np.zeros(3 * SAMPLE_RATE, np.float32))
        told = await show.until(lambda message: isinstance(message, Status) and bool(message.warnings))
        status = told[-1]
        assert isinstance(status, Status)
        (zeros,) = status.warnings
        assert zeros == status.message
        assert zeros.startswith("the input delivers only zeros: ")
        socket.play(noise)
        await show.status(message=None, warnings=[])
        socket.play(np.tile(noise, 3) + np.float32(0.1), clipped=True)
        socket.play(np.full(BLOCK, np.nan, np.float32))
        told = await show.until(lambda message: isinstance(message, Status) and len(message.warnings) == 3)
        status = told[-1]
        assert isinstance(status, Status)
        assert [text.partition(":")[0] for text in status.warnings] == [
            "the input holds samples that are not numbers, which are taken as zeros",
            "the input is at full scale",
            "the input has a DC offset",
        ]
        assert status.message == status.warnings[0]
        assert sorted(record.getMessage() for record in caplog.records) == sorted([zeros, *status.warnings])
        socket.pull()
        status = await show.status(source="waiting")
        assert (status.message, status.warnings) == ("input 'stage' was lost", [])
