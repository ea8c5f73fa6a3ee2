"""A show on which everything goes wrong, on the real path: a room, PortAudio, the service, and a subscriber."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import json
import os
import signal
import sys
import time
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.client import connect

from tests.service.test_sound_server import DEMO, Subscriber, listening
from tests.support.processes import SOLOIST, Service, serving
from tests.support.sound_server import Room, missing, room

WITHOUT = missing()
pytestmark = [pytest.mark.skipif(WITHOUT is not None, reason=str(WITHOUT)), pytest.mark.sound_server]

FAKETIME = sorted(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))
LATE = 20.0
"""Seconds that this machine may be too busy for; what is told is held to the times that it names."""


def health(service: Service) -> tuple[int, dict[str, Any]]:
    """Ask for the health, as a monitor does."""
    connection = http.client.HTTPConnection(service.address, timeout=LATE)
    try:
        connection.request("GET", "/healthz")
        response = connection.getresponse()
        told: dict[str, Any] = json.loads(response.read())
        return response.status, told
    finally:
        connection.close()


async def sick(service: Service, reason: str) -> dict[str, Any]:
    """Wait until the service says that it is not well, and why."""
    while True:
        status, told = await asyncio.to_thread(health, service)
        if status == 503 and reason in (told["reason"] or ""):
            return told
        await asyncio.sleep(0.05)


class Show:
    """A running service in a room, and what a subscriber is told."""

    def __init__(self, place: Room, service: Service, subscriber: Subscriber) -> None:
        self.place, self.service, self.subscriber = place, service, subscriber
        self.utc = 0.0
        self.time = 0.0

    async def begin(self) -> None:
        """Wait until the room is heard."""
        async for message in self.subscriber.messages():
            if message["type"] == "hello":
                self.utc = message["utc"]
            elif message["type"] == "label" and message["state"] != "warming":
                self.time = message["time"]
                return

    def now(self) -> float:
        """Stream time by the wall clock."""
        return time.time() - self.utc

    async def label(self) -> dict[str, Any]:
        """Return the next label, and see that its time is that of the wall clock, within what may wait on the way."""
        label = await self.subscriber.until(type="label")
        assert self.time < label["time"] < self.now() + 0.3
        self.time = label["time"]
        return label

    async def true(self) -> float:
        """Return how far stream time is behind the wall clock, at the least over some labels."""
        times = [((await self.label())["time"], self.now()) for _ in range(12)]
        return min(now - told for told, now in times)

    async def piano(self) -> None:
        """Play the demo into the room, and wait until it is heard."""
        playing = await self.place.play(DEMO)
        named = await self.subscriber.until(type="label", state="instrument")
        assert named["label"] == "piano"
        playing.terminate()
        await playing.wait()


@contextlib.asynccontextmanager
async def show(*arguments: str, names: tuple[str, ...] = ()) -> AsyncIterator[Show]:
    """Begin a show."""
    async with asyncio.timeout(220), room() as place:
        place.name(*names)
        async with (
            serving(*arguments, env=place.env) as service,
            listening(service.address) as subscriber,
        ):
            evening = Show(place, service, subscriber)
            await evening.begin()
            yield evening


def say(text: str) -> None:
    """Tell a figure to whoever reads the tests' output."""
    sys.stdout.write(f"{text}\n")


async def test_a_removed_source_is_noticed_everywhere() -> None:
    """Health and clients know at once that the source is gone, and why; health is well again when it is back."""
    async with show() as evening:
        began = time.monotonic()
        await evening.place.pull_plug()
        gone = time.monotonic()
        told = await sick(evening.service, "input 'default' was lost")
        say(f"removed: in /healthz {time.monotonic() - gone:.2f} s after, {time.monotonic() - began:.2f} s before")
        assert told["source_state"] == "waiting"
        await evening.subscriber.until(type="status", source="waiting")
        await evening.place.plug_in()
        back = time.monotonic()
        await evening.subscriber.until(type="status", source="running")
        say(f"brought back: heard {time.monotonic() - back:.2f} s after")
        say(f"stream time is {await evening.true():.3f} s behind")
        await evening.piano()
        assert (await asyncio.to_thread(health, evening.service))[0] == 200


async def test_only_zeros_are_no_health() -> None:
    """A microphone that is muted while it is heard is told to monitors and clients, until it is heard again."""
    async with show() as evening:
        await evening.piano()
        muted = time.monotonic()
        told = await sick(evening.service, "the input delivers only zeros")
        say(f"only zeros: in /healthz {time.monotonic() - muted:.2f} s after")
        assert told["source_state"] == "running"
        await evening.subscriber.until(type="status", message=told["reason"])
        await evening.piano()


async def test_a_frozen_sound_server_stops_nobody_else() -> None:
    """While the sound server hangs, health and pings are answered and everybody knows; then it is heard again."""
    async with show() as evening:
        normal = await evening.true()
        evening.place.freeze()
        frozen, began = evening.now(), time.monotonic()
        away = await evening.subscriber.until(type="outage")
        say(f"frozen: told {time.monotonic() - began:.2f} s after")
        assert away["reason"] == "input 'default' delivers nothing"
        assert away["end"] is None
        assert away["start"] == pytest.approx(frozen, abs=1.0)
        stuck = await evening.subscriber.until(type="status", message="the sound system does not answer")
        assert stuck["source"] == "waiting"
        for _ in range(5):  # the thread that closes the device hangs; nothing else does
            asked = time.monotonic()
            status, told = await asyncio.to_thread(health, evening.service)
            say(f"frozen: /healthz answers in {1000 * (time.monotonic() - asked):.0f} ms")
            assert (status, told["source_state"]) == (503, "waiting")
            async with listening(evening.service.address) as another:
                assert (await another.until(type="status"))["source"] == "waiting"
        evening.place.thaw()
        thawed = evening.now()
        back = await evening.subscriber.until(type="outage")
        assert {**back, "end": None} == away
        assert thawed - 0.5 < back["end"] < evening.now()
        evening.time = back["end"] - 1
        assert await evening.true() == pytest.approx(normal, abs=0.5)
        await evening.piano()


async def test_a_frozen_sound_server_keeps_nobody_from_ending() -> None:
    """A service whose sound server hangs ends when it is told to, with 0."""
    async with show() as evening:
        evening.place.freeze()
        await evening.subscriber.until(type="status", message="the sound system does not answer")
        began = time.monotonic()
        evening.service.process.terminate()
        assert await evening.service.process.wait() == 0
        say(f"frozen: ended in {time.monotonic() - began:.2f} s")


async def test_a_sound_server_that_hangs_at_the_start_is_waited_for() -> None:
    """A service that waits for its device serves at once, says what hangs, and hears when it does no more."""
    async with asyncio.timeout(220), room() as place:
        place.freeze()
        async with serving("--wait", env=place.env) as service, listening(service.address) as subscriber:
            await subscriber.until(type="status", source="waiting", message="the sound system does not answer")
            assert (await asyncio.to_thread(health, service))[0] == 503
            place.thaw()
            await subscriber.until(type="status", source="running")
            await Show(place, service, subscriber).piano()


@pytest.mark.parametrize("ending", ["answer", "interrupt"])
async def test_a_sound_server_that_hangs_is_told_to_who_asks_for_devices(ending: str) -> None:
    """`soloist devices` says that nobody answers, and ends at once when its user has had enough."""
    async with asyncio.timeout(120), room() as place:
        place.freeze()
        asking = await asyncio.create_subprocess_exec(*SOLOIST, "devices", env={**os.environ, **place.env}, stderr=PIPE)
        if ending == "interrupt":
            await asyncio.to_thread(connecting, asking.pid)
            asking.send_signal(signal.SIGINT)
        _, err = await asking.communicate()
    if ending == "interrupt":
        assert asking.returncode == 130
    else:
        assert (asking.returncode, err.decode()) == (1, "soloist: the sound system does not answer\n")


def connecting(process: int) -> None:
    """Wait until a process has a socket: it asks the sound server."""
    folder = Path(f"/proc/{process}/fd")
    while not any("socket" in os.readlink(file) for file in folder.iterdir() if file.is_symlink()):
        time.sleep(0.05)


async def test_the_log_tells_the_whole_story() -> None:
    """At the default level each line is Soloist's, and JSON, and says what was and what is; no library interrupts."""
    async with show("--log-format", "json") as evening:
        await evening.place.pull_plug()
        await evening.subscriber.until(type="status", source="waiting")
        await asyncio.sleep(2)  # tries that fail
        await evening.place.plug_in()
        await evening.subscriber.until(type="status", source="running")
        await evening.true()
        evening.service.process.send_signal(signal.SIGSTOP)
        await asyncio.sleep(10)  # some of it is kept by the sound server
        evening.service.process.send_signal(signal.SIGCONT)
        # The subscriber may have given up meanwhile. Where this machine took long to go on, the source seemed lost.
        story = evening.service.complaints
        while not ("are missing: " in story[-1] or len([line for line in story if "heard again" in line]) == 2):  # noqa: ASYNC110
            await asyncio.sleep(0.1)
    told = [json.loads(line) for line in evening.service.complaints]
    assert {line["level"] for line in told} == {"warning"}
    lines = [line["message"] for line in told]
    say(f"the log: {lines}")
    lines = [line for line in lines if "only zeros" not in line]  # nobody plays
    assert lines[0] == "input 'default' was lost"
    assert "input 'default' cannot be opened: the sound system refuses (Input/output error)" in lines
    assert "input 'default' is heard again after " in "\n".join(lines)


async def test_a_source_is_found_by_its_name_at_another_place() -> None:
    """A device that comes back after others came is taken up by its name, whatever number it has; others are not."""
    async with show("--device", "stage", "--channel", "1", names=("stage",)) as evening:
        await evening.place.pull_plug()
        await evening.subscriber.until(type="status", source="waiting")
        evening.place.name("aside", "other")
        await evening.place.plug_in("aside")
        await evening.place.plug_in("other")
        away = await evening.subscriber.until(type="status", source="waiting")
        while "no input device named 'stage'" not in away["message"]:
            away = await evening.subscriber.until(type="status", source="waiting")
        assert "'aside', 'other'" in away["message"]
        await evening.place.plug_in("stage")
        evening.place.name("aside", "other", "stage")
        await evening.subscriber.until(type="status", source="running")
        say(f"replaced: stream time is {await evening.true():.3f} s behind")
        assert (await asyncio.to_thread(health, evening.service))[1]["source"] == "stage"
        await evening.piano()


async def test_a_suspended_process_tells_what_it_missed() -> None:
    """After ten seconds of SIGSTOP the gap is told with its times, stream time is true, and labels go on."""
    # The subscriber gives up a connection that is silent for so long; the other one does not.
    async with show() as evening, connect(f"ws://{evening.service.address}/ws", ping_interval=None) as patient:
        normal = await evening.true()
        evening.service.process.send_signal(signal.SIGSTOP)
        stopped = evening.now()
        await asyncio.sleep(10)
        evening.service.process.send_signal(signal.SIGCONT)
        resumed = evening.now()
        gap: dict[str, Any] = {}
        while gap.get("type") != "outage" or gap["end"] is None:  # where it takes long to go on the source seems lost
            gap = json.loads(await patient.recv())
        say(f"suspended {stopped:.2f} to {resumed:.2f}: told {gap['start']:.2f} to {gap['end']:.2f}, {gap['reason']}")
        assert gap["start"] == pytest.approx(stopped, abs=4.0)  # what the sound server had kept is heard
        assert gap["end"] <= resumed + 1.0
        assert gap["end"] - gap["start"] > 5.0
        late = await evening.true()
        say(f"suspended: stream time is {late:.3f} s behind, {normal:.3f} s before")
        assert late == pytest.approx(normal, abs=0.3)
        assert (await asyncio.to_thread(health, evening.service))[1]["overflows"] >= 1
        await evening.piano()


@pytest.mark.skipif(not FAKETIME, reason="needs libfaketime: apt install faketime")
async def test_a_wall_clock_that_is_set_moves_only_the_mapping(tmp_path: Path) -> None:
    """When the clock of the machine is set, hello says what stream time means now; audio and labels go on."""
    file = tmp_path / "clock"
    file.write_text("+0\n")
    fake = {
        "LD_PRELOAD": str(FAKETIME[0]),
        "FAKETIME_TIMESTAMP_FILE": str(file),
        "FAKETIME_CACHE_DURATION": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }
    async with (
        asyncio.timeout(220),
        room() as place,
        serving(env=place.env | fake) as service,
        listening(service.address) as subscriber,
    ):
        evening = Show(place, service, subscriber)
        await evening.begin()
        began = time.monotonic() - evening.time
        for offset in (3600, -7200):
            file.write_text(f"{offset:+d}\n")
            utc = 0.0
            while abs(utc - evening.utc - offset) > 2:
                utc = (await subscriber.until(type="hello"))["utc"]
            label = await subscriber.until(type="label")
            assert label["time"] == pytest.approx(time.monotonic() - began, abs=LATE)
            assert label["time"] > evening.time
            say(f"clock set to {offset:+d} s: hello tells {utc - evening.utc:+.3f} s")


def resources(process: int) -> tuple[int, int, int]:
    """Threads, file descriptors and KiB in memory of a process."""
    status = dict(line.split(":", 1) for line in Path(f"/proc/{process}/status").read_text().splitlines())
    return int(status["Threads"]), len(os.listdir(f"/proc/{process}/fd")), int(status["VmRSS"].split()[0])


async def test_losses_leave_nothing_behind() -> None:
    """Threads, file descriptors and memory are the same after fifteen losses as after five."""
    async with show() as evening:
        after = []
        for number in range(15):
            await evening.place.pull_plug()
            await evening.subscriber.until(type="status", source="waiting")
            await evening.place.plug_in()
            await evening.subscriber.until(type="status", source="running")
            if number % 5 == 4:
                await evening.subscriber.until(type="status", source="running")
                after.append(resources(evening.service.process.pid))
        say(f"threads, files and KiB after 5, 10 and 15 losses: {after}")
        assert after[-1][0] < after[0][0] + 5  # the sound system's own come and go
        assert after[-1][1] == after[0][1]
        assert after[-1][2] < after[0][2] + 2048
        say(f"stream time is {await evening.true():.3f} s behind")


LOOK = """
import pathlib
from stream.audio import portaudio

def held():
    lines = pathlib.Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("RssAnon"))

for number in range(150):
    portaudio.restart()
    if number == 30:
        before = held()
print(held() - before)  # KiB
"""


async def test_looking_for_a_device_costs_no_memory() -> None:
    """A device may be missing for days: 120 looks of the real PortAudio take less than 1 KiB each."""
    async with room() as place:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", LOOK, stdout=PIPE, env={**os.environ, **place.env}
        )
        out, _ = await process.communicate()
    assert int(out) < 120
