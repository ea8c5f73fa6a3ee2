"""The service and a device that comes, goes and misbehaves; the device and its clock are the tests'."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
import os
import threading
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from types import SimpleNamespace

import numpy as np
import pytest

from stream.audio.block_queue import BlockQueue
from stream.audio.pcm import PcmFormat
from stream.audio.raw_pcm import open_pcm_source
from stream.audio.settings import AudioSettings
from stream.client import Client, Disconnected
from stream.errors import SourceLostError
from stream.protocol.messages import Hello, History, Label, Mark, Message, Outage, Segment, Status
from stream.recognition.mel import SAMPLE_RATE, Array
from stream.server.settings import ServerSettings
from stream.service.service import Service
from stream.settings.settings import Settings
from tests.support.serving import PATIENCE

BLOCK = SAMPLE_RATE // 10


class Device:
    """A source that delivers what it is given."""

    def __init__(self, name: str) -> None:
        self.name, self.rate, self.channels, self.shared = name, SAMPLE_RATE, 1, False
        self.queue = BlockQueue(SAMPLE_RATE, seconds=60)

    def close(self) -> None:
        """Deliver no more."""
        self.queue.close()


@dataclass
class Socket:
    """Where the device is plugged in, or is not."""

    present: bool = True
    now: float = 1000.0
    """Time of the clock that the service holds audio against, in seconds; only the test moves it."""
    wall: float = 1_780_000_000.0
    """Unix time when that was 0."""
    name: str = "stage"
    device: Device | None = None
    loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.get_running_loop)
    opened: asyncio.Event = field(default_factory=asyncio.Event)

    def open(self, settings: AudioSettings, last: str | None = None, strict: bool = False, channels: int = 1) -> Device:
        """Open the device, as the service does in a thread of its own."""
        if not self.present:
            raise SourceLostError("no input device named 'stage'")
        self.device = Device(self.name)
        self.loop.call_soon_threadsafe(self.opened.set)
        return self.device

    def play(self, audio: Array, *, clipped: bool = False) -> None:
        """Let the device deliver audio in blocks, with its peaks at full scale if asked to."""
        assert self.device is not None
        frames = audio.copy()
        if clipped:
            frames[::BLOCK] = 1.0
        for start in range(0, len(frames), BLOCK):
            block = frames[start : start + BLOCK, None]
            self.now += len(block) / SAMPLE_RATE
            self.device.queue.put(block)

    def pull(self, seconds: float = 0.0) -> None:
        """Pull the plug, and let time pass."""
        assert self.device is not None
        self.present = False
        self.now += seconds
        self.opened.clear()
        self.device.queue.close(SourceLostError("input 'stage' was lost"))

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
async def socket(monkeypatch: pytest.MonkeyPatch) -> Socket:
    """Where services of the test find their device."""
    socket = Socket()
    monkeypatch.setattr("stream.audio.capture.open_source", socket.open)
    monkeypatch.setattr("stream.audio.capture.portaudio.restart", lambda: None)
    monkeypatch.setattr("stream.audio.capture.RETRY_SECONDS", (0.01,))
    monkeypatch.setattr("stream.audio.capture.DELIVERY_TIMEOUT", PATIENCE)
    monkeypatch.setattr("stream.audio.capture.FIRST_DELIVERY_TIMEOUT", PATIENCE)
    monkeypatch.setattr("stream.service.service._STATUS_SECONDS", 0.1)
    monkeypatch.setattr("stream.system.clock.now", lambda: socket.now)
    clocks = SimpleNamespace(
        monotonic=time.monotonic, time=lambda: socket.wall + socket.now, perf_counter=time.perf_counter
    )
    monkeypatch.setattr("stream.service.service.time", clocks)
    monkeypatch.setattr("stream.service.listening.time", clocks)
    return socket


@contextlib.asynccontextmanager
async def evening(socket: Socket, device: str | None = "stage") -> AsyncIterator[Evening]:
    """Run a service that hears the device, with a client; without a name it waits for any."""
    audio = AudioSettings(input="mic", device=device, wait=True)
    service = Service(Settings(audio, server=ServerSettings(port=0)))
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
        socket.now += 2
        await show.client.mark("no sound!")
        mark = (await show.until(lambda message: isinstance(message, Mark)))[-1]
        await socket.plug_in()
        socket.now += 1
        assert (await show.history()).outages == [away]
        socket.play(demo[:SAMPLE_RATE])
        told = await show.until(lambda message: isinstance(message, Label))
        (back,) = (message for message in told if isinstance(message, Outage))
        (segment,) = (message for message in told if isinstance(message, Segment))
        label = told[-1]
        assert isinstance(label, Label)
        assert back == Outage(4.0, 17.0, "stage", "input 'stage' was lost")
        assert isinstance(mark, Mark)
        assert mark.time == 16.0
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


async def test_the_log_tells_what_was_and_what_is(
    socket: Socket, demo: Array, caplog: pytest.LogCaptureFixture
) -> None:
    """At the default level the log has each loss, its end and its length, and gaps; small ones at `info`."""
    caplog.set_level(logging.INFO, "stream.service")
    socket.present = False
    async with evening(socket) as show:
        await show.status(source="waiting")
        await socket.plug_in()
        socket.play(demo[:SAMPLE_RATE])
        await show.status(source="running")
        socket.pull(seconds=10)
        await show.status(source="waiting", message="input 'stage' was lost")
        await socket.plug_in()
        socket.play(demo[: 4 * SAMPLE_RATE])
        await show.until(later_than(14.8))
        for seconds in (60.0, 0.5):
            socket.now += seconds
            socket.play(demo[: 4 * SAMPLE_RATE])
            await show.until(later_than(socket.now - 1000.5))
    lines = [(record.levelname, record.getMessage()) for record in caplog.records]
    told = [text for level, text in lines if level == "WARNING"]
    assert told == [
        "no input device named 'stage'",
        "input 'stage' is heard",
        "input 'stage' was lost",
        "input 'stage' is heard again after 10.0 s",
        "60.0 s of audio are missing: the machine stood still, or was too busy",
    ]
    assert [text for level, text in lines if level == "INFO" and "missing" in text] == ["0.50 s of audio are missing"]


async def test_all_that_is_to_be_mended_is_told(
    socket: Socket, rng: np.random.Generator, caplog: pytest.LogCaptureFixture
) -> None:
    """Warnings come and go with the input, the first of them as the message, and both are logged."""
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
        over = "over: the input delivers only zeros"
        logged = [record.getMessage() for record in caplog.records]
        assert logged[:2] == [zeros, over]
        assert sorted(logged[2:]) == sorted(status.warnings)
        socket.pull()
        status = await show.status(source="waiting")
        assert (status.message, status.warnings) == ("input 'stage' was lost", [])


async def test_a_gap_that_nobody_tells_of_is_told(socket: Socket, demo: Array) -> None:
    """A process that was suspended tells what is missing with its times, and hears on."""
    async with evening(socket) as show:
        socket.play(demo[: 4 * SAMPLE_RATE])
        await show.until(later_than(3.8))
        socket.now += 60.0
        socket.play(demo[4 * SAMPLE_RATE : 9 * SAMPLE_RATE])
        told = await show.until(later_than(68.7))
        (gap,) = (message for message in told if isinstance(message, Outage))
        assert gap.start == 4.0
        assert gap.end == pytest.approx(64.0, abs=0.01)
        assert gap.reason == "60.0 s of audio are missing: the machine stood still, or was too busy"
        assert next(m.state for m in told if isinstance(m, Label) and m.time > 4.0) == "warming"
        assert isinstance(told[-1], Label)
        assert told[-1].state == "instrument"
        assert (await show.status(source="running")).overflows == 1
        assert (await show.history()).outages == [gap]


async def test_time_is_true_after_many_losses(socket: Socket, demo: Array) -> None:
    """After twenty losses stream time is what the clock says, to within a block; nothing of them stays."""
    async with evening(socket) as show:
        socket.play(demo[:SAMPLE_RATE])
        await show.status(source="running")
        threads = threading.active_count()
        tasks = len(asyncio.all_tasks())
        for _ in range(20):
            socket.pull(seconds=1.2345)
            await socket.plug_in()
            socket.play(demo[:SAMPLE_RATE])
        told = await show.until(later_than(20 * 2.2345 + 0.5))
        assert show.service.recognizer.time == pytest.approx(socket.now - 1000.0, abs=BLOCK / SAMPLE_RATE)
        outages = [message for message in told if isinstance(message, Outage) and message.end is not None]
        for number, outage in enumerate(outages):
            assert outage.start == pytest.approx(1 + 2.2345 * number, abs=BLOCK / SAMPLE_RATE)
            assert outage.end == pytest.approx(2.2345 * (number + 1), abs=BLOCK / SAMPLE_RATE)
        assert len(outages) == 20
        assert threading.active_count() == threads
        assert len(asyncio.all_tasks()) <= tasks


async def test_a_device_that_delivers_only_zeros_is_opened_anew(
    socket: Socket, demo: Array, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only zeros make the service unhealthy, and let it open the device anew, less and less often; nothing is reset."""
    monkeypatch.setattr("stream.audio.capture.ZEROS_REOPEN_SECONDS", (10.0, 20.0))
    async with evening(socket) as show:
        socket.play(demo[: 4 * SAMPLE_RATE])
        await show.until(later_than(3.8))
        assert show.service.health().reason is None
        opened = []
        for second in range(4, 66):
            device, arrived = socket.device, later_than(second + 0.7)
            socket.play(np.zeros(SAMPLE_RATE, np.float32))
            told = await show.until(lambda message: arrived(message) or socket.device is not device)  # noqa: B023
            assert not [message for message in told if isinstance(message, Outage)]
            assert not [message for message in told if isinstance(message, Label) and message.state == "warming"]
            reason = show.service.health().reason
            assert (reason is None) == (second < 5), second
            if device is not socket.device:
                opened.append(second)
        assert len(opened) == 3
        assert opened[0] in (15, 16)
        assert all(20 <= later - sooner <= 23 for sooner, later in itertools.pairwise(opened))
        socket.play(demo[: 4 * SAMPLE_RATE])
        await show.status(source="running", warnings=[])
        while show.service.health().reason is not None:
            await show.status()


async def test_time_that_was_slept_through_is_no_doubt_about_a_device(socket: Socket) -> None:
    """A silent device is not opened anew because the process was suspended: only what it delivered counts."""
    async with evening(socket) as show:
        for second in range(6):
            socket.play(np.zeros(SAMPLE_RATE, np.float32))
            await show.until(later_than(second + 0.7))
        device = socket.device
        socket.now += 60.0
        for second in range(66, 69):
            socket.play(np.zeros(SAMPLE_RATE, np.float32))
            await show.until(later_than(second + 0.7))
        assert show.service.health().reason is not None
        assert socket.device is device


async def test_the_wall_clock_moves_nothing_but_hello(socket: Socket, demo: Array) -> None:
    """A clock that is set is told by another hello, so that its time is right; labels go on as if nothing had been."""
    async with evening(socket) as show:
        socket.play(demo[: 4 * SAMPLE_RATE])
        told = await show.until(later_than(3.8))
        assert [m.utc for m in told if isinstance(m, Hello)][-1] == pytest.approx(socket.wall + 1000.0, abs=0.01)
        for step in (3600.0, -7200.0):
            socket.wall += step
            hellos: list[Hello] = []
            while not hellos:
                socket.play(demo[:SAMPLE_RATE])
                told = await show.until(lambda message: isinstance(message, Status))
                assert not [message for message in told if isinstance(message, Outage)]
                hellos = [message for message in told if isinstance(message, Hello)]
            assert hellos[0].utc == pytest.approx(socket.wall + 1000.0, abs=0.01)
        socket.wall += 0.5
        for _ in range(5):
            socket.play(demo[:SAMPLE_RATE])
            assert not [m for m in await show.until(lambda m: isinstance(m, Status)) if isinstance(m, Hello)]


@pytest.mark.slow
async def test_a_pipe_that_pauses_is_told(demo: Array, monkeypatch: pytest.MonkeyPatch) -> None:
    """When nothing comes on standard input everybody is told, and so is that something comes again."""
    reading, writing = os.pipe()
    monkeypatch.setattr(
        "stream.audio.capture.open_source",
        lambda settings, **_: open_pcm_source(reading, PcmFormat.parse("f32le:22050:1")),
    )
    service = Service(Settings(AudioSettings(input="-"), server=ServerSettings(port=0)))
    listening = asyncio.get_running_loop().create_future()
    try:
        async with asyncio.timeout(PATIENCE), asyncio.TaskGroup() as tasks:
            running = tasks.create_task(service.run(listening.set_result))
            async with Client(await listening) as client:
                show = Evening(service, Socket(), client)
                os.write(writing, demo[: SAMPLE_RATE // 2].tobytes())
                status = await show.status(source="waiting")
                assert status.message == "standard input delivers nothing"
                assert service.health().reason == status.message
                tasks.create_task(asyncio.to_thread(os.write, writing, demo[: 8 * SAMPLE_RATE].tobytes()))
                await show.until(lambda message: isinstance(message, Outage) and message.end is not None)
                await show.status(source="running")
                os.close(writing)
                await running
    finally:
        os.close(reading)  # which also ends a thread that writes still
