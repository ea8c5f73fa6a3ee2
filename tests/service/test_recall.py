"""What was heard before the service started: in the history from the start, each at its own time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TypeAlias

import pytest

from stream.client import Disconnected
from stream.protocol.encoding import decode
from stream.protocol.messages import Guess, Hello, History, Mark, Message, Outage, Segment, Status
from stream.recognition.mel import SAMPLE_RATE, Array
from stream.server.history import Event, EventHistory
from stream.service import recall
from stream.session_log.reader import LogReader
from stream.session_log.session_log import SessionLog
from tests.service.test_devices import Evening, Socket, evening, later_than
from tests.service.test_devices import socket as socket  # the fixture
from tests.support.serving import HELLO, PATIENCE

HOUR = 3600.0


Told: TypeAlias = list[tuple[float, float | None, str | None]]
"""Start and end, in Unix time to the second, and label or text."""


def spans(history: History, utc: float) -> Told:
    """Return all that is in a history."""
    told: Told = [(it.start, it.end, it.label) for it in history.segments]
    told += [(it.start, it.end, it.label) for it in history.guesses]
    told += [(it.time, it.time, it.text) for it in history.marks]
    told += [(it.start, it.end, it.reason) for it in history.outages]
    return sorted((round(utc + start), None if end is None else round(utc + end), name) for start, end, name in told)


class Watcher:
    """Somebody who knows the present hello of a service."""

    def __init__(self, show: Evening) -> None:
        self.show = show
        self.hello = HELLO

    async def until(self, wanted: Callable[[Message | Disconnected], bool]) -> None:
        """Listen until something wanted is told."""

        def hear(message: Message | Disconnected) -> bool:
            if isinstance(message, Hello):
                self.hello = message
            return wanted(message)

        await self.show.until(hear)

    def begins(self, utc: float) -> bool:
        """Whether stream time 0 is that Unix time, to the second."""
        return abs(self.hello.utc - utc) < 0.5

    async def greeted(self, utc: float, play: Callable[[], None] = lambda: None) -> None:
        """Wait until stream time 0 is that Unix time, and let something be played meanwhile."""
        async with asyncio.timeout(PATIENCE):
            while not self.begins(utc):
                play()
                await self.until(lambda message: isinstance(message, Hello | Status))

    def past(self) -> Told:
        """Return all before stream time 0 that the service tells whoever asks, in Unix time."""
        history = decode("".join(self.show.service.server.state.history(1e6)))
        assert isinstance(history, History)
        heard = (segment for segment in history.segments if segment.start < 0)
        return spans(replace(history, segments=list(heard)), self.hello.utc)

    async def recalled(self) -> Told:
        """Return the same once there is something."""
        async with asyncio.timeout(PATIENCE):
            while not (past := self.past()):  # noqa: ASYNC110 - nobody tells when the log is read
                await asyncio.sleep(0.02)
        return past


@pytest.fixture
def log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where services of the test keep their log."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    return tmp_path / "soloist" / "sessions.db"


async def heard(log: Path, utc: float) -> Told:
    """Write what a service has heard that began then, and return it in Unix time."""
    session_log = SessionLog(log)
    events: list[Event] = [
        Segment(0.0, 60.0, "instrument", "violin", 0.9),
        Guess(20.0, 30.0, "flute", 0.2),
        Mark(40.0, "bridge"),
        Outage(60.0, 90.0, "stage", "gone"),
    ]
    session_log.add(replace(HELLO, utc=utc, source="stage"))
    for event in events:
        session_log.add(event)
    assert await asyncio.to_thread(session_log.close, 10)
    return sorted(
        [
            (utc, utc + 60, "violin"),
            (utc + 20, utc + 30, "flute"),
            (utc + 40, utc + 40, "bridge"),
            (utc + 60, utc + 90, "gone"),
        ]
    )


async def test_the_past_is_known_before_there_is_audio(socket: Socket, log: Path, demo: Array) -> None:
    """While the device is missing, the history has what was heard before; when it is there, still at its own time."""
    started = socket.wall + socket.now
    told = await heard(log, started - HOUR)
    socket.present = False
    async with evening(socket) as show:
        watcher = Watcher(show)
        await watcher.greeted(started)
        assert await watcher.recalled() == told
        socket.now += 600.0
        await socket.plug_in()
        socket.play(demo[: 4 * SAMPLE_RATE])
        await watcher.until(later_than(3.8))
        assert watcher.begins(started + 600)
        assert watcher.past() == told


@pytest.mark.parametrize("playing", [True, False])
async def test_the_past_keeps_its_time_when_the_clock_is_set(
    socket: Socket, log: Path, demo: Array, playing: bool
) -> None:
    """What was heard before stays where it was, leaves the history when it is too old, and is there when it is not."""
    started = socket.wall + socket.now
    told = await heard(log, started - HOUR)
    socket.present = playing

    def play() -> None:
        if playing:
            socket.play(demo[:SAMPLE_RATE])

    async with evening(socket) as show:
        watcher = Watcher(show)
        await watcher.greeted(started, play)
        assert await watcher.recalled() == told
        for ahead, wanted in ((0.5 * HOUR, told), (72 * HOUR, []), (0.5 * HOUR, told), (-2 * HOUR, []), (0.0, told)):
            socket.wall = started - 1000.0 + ahead
            await watcher.greeted(started + ahead, play)
            assert watcher.past() == wanted


async def test_a_run_in_which_the_clock_is_set_is_one_session(socket: Socket, log: Path, demo: Array) -> None:
    """However often and far the clock is set, the log has the run once, at the time that the clock says last."""
    started = socket.wall + socket.now
    async with evening(socket) as show:
        watcher = Watcher(show)
        for ahead in (0.0, 72 * HOUR, 0.0, -72 * HOUR, 0.5 * HOUR):
            socket.wall = started - 1000.0 + ahead
            await watcher.greeted(started + ahead, lambda: socket.play(demo[:SAMPLE_RATE]))
            socket.play(demo[: 4 * SAMPLE_RATE])
            await watcher.until(later_than(show.service.time + 3.5))
        length = show.service.time
    with LogReader(log) as reader:
        (session,) = reader.sessions()
        first, *_ = reader.records()
    assert session.start == first.start == pytest.approx(started + 0.5 * HOUR, abs=0.5)
    assert session.end - session.start == pytest.approx(length, abs=1)


async def test_what_seems_to_be_later_is_known_when_the_clock_is_right(socket: Socket, log: Path, demo: Array) -> None:
    """After a power cut a clock may begin before the last that was heard: that is told when the clock is set."""
    started = socket.wall + socket.now
    await heard(log, started - 100 * HOUR)
    await heard(log, started + 8 * HOUR)
    told = await heard(log, started + 10 * HOUR)
    async with evening(socket) as show:
        watcher = Watcher(show)
        socket.play(demo[:SAMPLE_RATE])
        await watcher.until(later_than(0.2))
        assert watcher.past() == []
        socket.wall += 11 * HOUR
        await watcher.greeted(started + 11 * HOUR, lambda: socket.play(demo[:SAMPLE_RATE]))
        assert await watcher.recalled() == told


async def test_a_stream_of_the_future_hides_nothing(socket: Socket, log: Path) -> None:
    """Of a run whose clock was fast nothing is told, and what was heard in the last hours is."""
    started = socket.wall + socket.now
    await heard(log, started + 1000 * HOUR)
    told = await heard(log, started - HOUR)
    socket.present = False
    async with evening(socket) as show:
        watcher = Watcher(show)
        await watcher.greeted(started)
        assert await watcher.recalled() == told


async def test_another_device_is_another_source_of_the_same_run(socket: Socket, log: Path, demo: Array) -> None:
    """It is heard from an empty window on; what was heard of each is told and kept as its own, in one session."""
    async with evening(socket) as show:
        socket.play(demo[: 6 * SAMPLE_RATE])
        await show.until(later_than(5.5))
        socket.pull(1.0)
        socket.name = "built-in"
        await socket.plug_in()
        socket.play(demo[: 6 * SAMPLE_RATE])
        told = await show.until(later_than(12.5))
        history = await show.history()
    (hello,) = (it for it in told if isinstance(it, Hello))
    assert (hello.source, hello.since) == ("built-in", pytest.approx(6, abs=0.1))
    assert [(it.start, it.source, it.run) for it in history.origins] == [
        (0.0, "stage", hello.run), (hello.since, "built-in", hello.run),
    ]  # fmt: skip
    with LogReader(log) as reader:
        (session,) = reader.sessions()
        segments = [it for it in reader.records() if it.kind == "segment"]
    assert (session.run, session.sources) == (hello.run, ("stage", "built-in"))
    turn = session.start + hello.since
    assert {(it.start < turn - 1e-3, it.source) for it in segments} == {(True, "stage"), (False, "built-in")}
    assert next(it.state for it in segments if it.source == "built-in") == "warming"
    assert max(it.end or 0.0 for it in segments if it.source == "stage") == pytest.approx(turn, abs=1e-3)


async def test_the_past_of_another_source_is_not_told(socket: Socket, log: Path, demo: Array) -> None:
    """While it is not known which device there will be, nothing is told; then only what was heard of that."""
    started = socket.wall + socket.now
    told = await heard(log, started - HOUR)
    socket.name, socket.present = "built-in", False
    async with evening(socket, device=None) as show:
        watcher = Watcher(show)
        await watcher.greeted(started)
        async with asyncio.timeout(PATIENCE):
            while show.service._past is None:  # noqa: ASYNC110 - nobody tells when the log is read
                await asyncio.sleep(0.02)
        assert watcher.past() == []
        await socket.plug_in()
        socket.play(demo[: 2 * SAMPLE_RATE])
        await watcher.until(later_than(1.5))
        assert watcher.past() == []
        socket.pull()
        socket.name = "stage"
        await socket.plug_in()
        socket.play(demo[: 2 * SAMPLE_RATE])
        await watcher.until(later_than(3.5))
        assert [it for it in watcher.past() if it[0] < started] == told


def test_of_services_side_by_side_each_recalls_its_own(tmp_path: Path) -> None:
    """It is that on the same port and channel; where there is none, of two at once the one that was heard last."""
    log = tmp_path / "log.db"
    for run, begin, port, channel in (
        ("a", 0.0, 8001, None), ("b", 30.0, 8002, None), ("left", 0.0, 8001, 1), ("c", 200.0, 8002, None),
        ("mine", 300.0, 8001, None),
    ):  # fmt: skip
        session_log = SessionLog(log, port=port, channel=channel)
        session_log.add(replace(HELLO, utc=1000.0 + begin, run=run))
        session_log.add(Segment(0.0, 100.0, "instrument", "violin", 0.9))
        session_log.add(Mark(50.0, run))
        assert session_log.close(10)

    def marks(port: int, channel: int | None = None, source: str = HELLO.source) -> list[str]:
        past = recall.read(log, 1500.0, recall.Listener("mine", channel, port))
        messages, origins = past.messages(1500.0, source)
        found = [it.text for it in messages if isinstance(it, Mark)]
        assert [it.run for it in origins] == found
        return found

    assert marks(8001) == ["a", "c"]
    assert marks(8002) == marks(8003) == ["b", "c"]
    assert marks(8001, channel=1) == ["left"]
    assert marks(8001, channel=2) == marks(8001, source="another") == []


def test_a_past_that_is_recalled_again_takes_the_place_of_the_first() -> None:
    """What was before the stream can be told anew, beside what the stream has; an outage that lasts is not ended."""
    recent = EventHistory()
    recent.add(Outage(5.0, None, "stage", "gone"))
    for shift in (0.0, -100.0):
        recent.recall([Segment(shift - 2.0, shift - 1.0, "silence", None, 0.0), Outage(shift - 1.0, 0.0, "USB", "off")])
    recent.add(Segment(0.0, 5.0, "silence", None, 0.0))
    recent.add(Outage(5.0, 6.0, "stage", "gone"))
    history = decode("".join(recent.since(-1e6)))
    assert isinstance(history, History)
    assert [it.start for it in history.segments] == [-102.0, 0.0]
    assert [(it.start, it.end) for it in history.outages] == [(-101.0, 0.0), (5.0, 6.0)]
    recent.recall([])
    history = decode("".join(recent.since(-1e6)))
    assert isinstance(history, History)
    assert [it.start for it in history.segments] == [0.0]


def test_the_past_makes_way_for_the_stream() -> None:
    """Where there is no room for all, the oldest before the stream is left out first, also when it is recalled late."""
    recent = EventHistory()
    for number in range(1000):
        recent.add(Mark(float(number), 200 * "x"))
    recent.recall([Mark(float(number), 200 * "y") for number in range(-4000, 0)])
    history = decode("".join(recent.since(-1e6)))
    assert isinstance(history, History)
    past, present = ([it.time for it in history.marks if (it.time < 0) == is_past] for is_past in (True, False))
    assert present == [float(number) for number in range(1000)]
    assert 0 < len(past) < 4000
    assert past == [float(number) for number in range(-len(past), 0)]


def test_the_past_is_as_long_as_the_protocol_says() -> None:
    """Two hours are told."""
    assert recall.PAST_SECONDS == 2 * HOUR
