"""What goes wrong while the service runs, on the real path: a sound server, PortAudio, the service, a subscriber."""

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

from tests.support.hearing import DEMO, SECONDS, Subscriber, hearing, listening
from tests.support.processes import SOLOIST, Service, program, serving
from tests.support.sound_server import SoundServer, missing, running_sound_server

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


async def unhealthy(service: Service, reason: str) -> dict[str, Any]:
    """Wait until the service says that it is not well, and why."""
    while True:
        status, told = await asyncio.to_thread(health, service)
        if status == 503 and reason in (told["reason"] or ""):
            return told
        await asyncio.sleep(0.05)


class Setup:
    """A running service that hears a sound server, and what a subscriber is told."""

    def __init__(self, sound_server: SoundServer, service: Service, subscriber: Subscriber) -> None:
        self.sound_server, self.service, self.subscriber = sound_server, service, subscriber
        self.utc = 0.0
        self.time = 0.0

    async def wait_for_audio(self) -> None:
        """Wait until the sound server is heard."""
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

    async def delay(self) -> float:
        """Return how far stream time is behind the wall clock, at the least over some labels."""
        times = [((await self.label())["time"], self.now()) for _ in range(12)]
        return min(now - told for told, now in times)

    async def play_piano(self) -> None:
        """Play the demo, and wait until its first instrument is heard."""
        playing = await self.sound_server.play(DEMO)
        named = await self.subscriber.until(type="label", state="instrument")
        assert named["label"] == "piano"
        playing.terminate()
        await playing.wait()


@contextlib.asynccontextmanager
async def set_up(*arguments: str, microphones: tuple[str, ...] = ()) -> AsyncIterator[Setup]:
    """Start it all and wait until it is heard."""
    async with hearing(*arguments, microphones=microphones) as (sound_server, service, subscriber):
        setup = Setup(sound_server, service, subscriber)
        await setup.wait_for_audio()
        yield setup


def report(text: str) -> None:
    """Tell a figure to whoever reads the tests' output."""
    sys.stdout.write(f"{text}\n")


async def test_a_removed_source_is_noticed_everywhere() -> None:
    """Health and clients know at once that the source is gone, and why; health is well again when it is back."""
    async with set_up() as setup:
        began = time.monotonic()
        await setup.sound_server.remove_microphones()
        gone = time.monotonic()
        told = await unhealthy(setup.service, "input 'default' was lost")
        report(f"removed: in /healthz {time.monotonic() - gone:.2f} s after, {time.monotonic() - began:.2f} s before")
        assert told["source_state"] == "waiting"
        await setup.subscriber.until(type="status", source="waiting")
        await setup.sound_server.add_microphone()
        back = time.monotonic()
        await setup.subscriber.until(type="status", source="running")
        report(f"brought back: heard {time.monotonic() - back:.2f} s after")
        report(f"stream time is {await setup.delay():.3f} s behind")
        await setup.play_piano()
        assert (await asyncio.to_thread(health, setup.service))[0] == 200


async def test_only_zeros_are_no_health() -> None:
    """A microphone that is muted while it is heard is told to monitors and clients, until it is heard again."""
    async with set_up() as setup:
        await setup.play_piano()
        muted = time.monotonic()
        told = await unhealthy(setup.service, "the input delivers only zeros")
        report(f"only zeros: in /healthz {time.monotonic() - muted:.2f} s after")
        assert told["source_state"] == "running"
        await setup.subscriber.until(type="status", message=told["reason"])
        await setup.play_piano()


async def test_a_frozen_sound_server_stops_nobody_else() -> None:
    """While the sound server hangs, health and pings are answered and everybody knows; then it is heard again."""
    async with set_up() as setup:
        normal = await setup.delay()
        setup.sound_server.freeze()
        frozen, began = setup.now(), time.monotonic()
        away = await setup.subscriber.until(type="outage")
        report(f"frozen: told {time.monotonic() - began:.2f} s after")
        assert away["reason"] == "input 'default' delivers nothing"
        assert away["end"] is None
        assert away["start"] == pytest.approx(frozen, abs=1.0)
        stuck = await setup.subscriber.until(type="status", message="the sound system does not answer")
        assert stuck["source"] == "waiting"
        for _ in range(5):  # the thread that closes the device hangs; nothing else does
            asked = time.monotonic()
            status, told = await asyncio.to_thread(health, setup.service)
            report(f"frozen: /healthz answers in {1000 * (time.monotonic() - asked):.0f} ms")
            assert (status, told["source_state"]) == (503, "waiting")
            async with listening(setup.service.address) as another:
                assert (await another.until(type="status"))["source"] == "waiting"
        setup.sound_server.thaw()
        thawed = setup.now()
        back = await setup.subscriber.until(type="outage")
        assert {**back, "end": None} == away
        assert thawed - 0.5 < back["end"] < setup.now()
        setup.time = back["end"] - 1
        assert await setup.delay() == pytest.approx(normal, abs=0.5)
        await setup.play_piano()


async def test_a_frozen_sound_server_keeps_nobody_from_ending() -> None:
    """A service whose sound server hangs ends when it is told to, with 0."""
    async with set_up() as setup:
        setup.sound_server.freeze()
        await setup.subscriber.until(type="status", message="the sound system does not answer")
        began = time.monotonic()
        setup.service.process.terminate()
        assert await setup.service.process.wait() == 0
        report(f"frozen: ended in {time.monotonic() - began:.2f} s")


async def test_a_sound_server_that_hangs_at_the_start_is_waited_for() -> None:
    """A service that waits for its device serves at once, says what hangs, and hears when it does no more."""
    async with asyncio.timeout(SECONDS), running_sound_server() as sound_server:
        sound_server.freeze()
        async with serving("--wait", env=sound_server.env) as service, listening(service.address) as subscriber:
            await subscriber.until(type="status", source="waiting", message="the sound system does not answer")
            assert (await asyncio.to_thread(health, service))[0] == 503
            sound_server.thaw()
            await subscriber.until(type="status", source="running")
            await Setup(sound_server, service, subscriber).play_piano()


@pytest.mark.parametrize("ending", ["answer", "interrupt"])
async def test_a_sound_server_that_hangs_is_told_to_who_asks_for_devices(ending: str) -> None:
    """`soloist devices` says that nobody answers, and ends at once when its user has had enough."""
    async with asyncio.timeout(SECONDS), running_sound_server() as sound_server:
        sound_server.freeze()
        async with program(*SOLOIST, "devices", env={**os.environ, **sound_server.env}, stderr=PIPE) as asking:
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
    async with set_up("--log-format", "json") as setup:
        await setup.sound_server.remove_microphones()
        await setup.subscriber.until(type="status", source="waiting")
        await asyncio.sleep(2)  # tries that fail
        await setup.sound_server.add_microphone()
        await setup.subscriber.until(type="status", source="running")
        await setup.delay()
        setup.service.process.send_signal(signal.SIGSTOP)
        await asyncio.sleep(10)  # some of it is kept by the sound server
        setup.service.process.send_signal(signal.SIGCONT)
        # The subscriber may have given up meanwhile. Where this machine took long to go on, the source seemed lost.
        story = setup.service.complaints
        while not ("are missing: " in story[-1] or len([line for line in story if "heard again" in line]) == 2):  # noqa: ASYNC110
            await asyncio.sleep(0.1)
    told = [json.loads(line) for line in setup.service.complaints]
    assert {line["level"] for line in told} == {"warning"}
    lines = [line["message"] for line in told]
    report(f"the log: {lines}")
    lines = [line for line in lines if "only zeros" not in line]  # nobody plays
    assert lines[0] == "input 'default' was lost"
    assert "input 'default' cannot be opened: the sound system refuses (Input/output error)" in lines
    assert "input 'default' is heard again after " in "\n".join(lines)


async def test_a_source_is_found_by_its_name_at_another_place() -> None:
    """A device that comes back after others came is taken up by its name, whatever number it has; others are not."""
    async with set_up("--device", "stage", "--channel", "1", microphones=("stage",)) as setup:
        await setup.sound_server.remove_microphones()
        await setup.subscriber.until(type="status", source="waiting")
        setup.sound_server.list_as("aside", "other")
        await setup.sound_server.add_microphone("aside")
        await setup.sound_server.add_microphone("other")
        away = await setup.subscriber.until(type="status", source="waiting")
        while "no input device named 'stage'" not in away["message"]:
            away = await setup.subscriber.until(type="status", source="waiting")
        assert "'aside', 'other'" in away["message"]
        await setup.sound_server.add_microphone("stage")
        setup.sound_server.list_as("aside", "other", "stage")
        await setup.subscriber.until(type="status", source="running")
        report(f"replaced: stream time is {await setup.delay():.3f} s behind")
        assert (await asyncio.to_thread(health, setup.service))[1]["source"] == "stage"
        await setup.play_piano()


async def test_a_suspended_process_tells_what_it_missed() -> None:
    """After ten seconds of SIGSTOP the gap is told with its times, stream time is true, and labels go on."""
    # The subscriber gives up a connection that is silent for so long; the other one does not.
    async with set_up() as setup, connect(f"ws://{setup.service.address}/ws", ping_interval=None) as patient:
        normal = await setup.delay()
        setup.service.process.send_signal(signal.SIGSTOP)
        stopped = setup.now()
        await asyncio.sleep(10)
        setup.service.process.send_signal(signal.SIGCONT)
        resumed = setup.now()
        gap: dict[str, Any] = {}
        while gap.get("type") != "outage" or gap["end"] is None:  # where it takes long to go on the source seems lost
            gap = json.loads(await patient.recv())
        report(
            f"suspended {stopped:.2f} to {resumed:.2f}: told {gap['start']:.2f} to {gap['end']:.2f}, {gap['reason']}"
        )
        assert gap["start"] == pytest.approx(stopped, abs=4.0)  # what the sound server had kept is heard
        assert gap["end"] <= resumed + 1.0
        assert gap["end"] - gap["start"] > 5.0
        late = await setup.delay()
        report(f"suspended: stream time is {late:.3f} s behind, {normal:.3f} s before")
        assert late == pytest.approx(normal, abs=0.3)
        assert (await asyncio.to_thread(health, setup.service))[1]["overflows"] >= 1
        await setup.play_piano()


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
    async with hearing(env=fake) as (sound_server, service, subscriber):
        setup = Setup(sound_server, service, subscriber)
        await setup.wait_for_audio()
        began = time.monotonic() - setup.time
        for offset in (3600, -7200):
            file.write_text(f"{offset:+d}\n")
            utc = 0.0
            while abs(utc - setup.utc - offset) > 2:
                utc = (await subscriber.until(type="hello"))["utc"]
            label = await subscriber.until(type="label")
            assert label["time"] == pytest.approx(time.monotonic() - began, abs=LATE)
            assert label["time"] > setup.time
            report(f"clock set to {offset:+d} s: hello tells {utc - setup.utc:+.3f} s")


def resources(process: int) -> tuple[int, int, int]:
    """Threads, file descriptors and KiB in memory of a process."""
    status = dict(line.split(":", 1) for line in Path(f"/proc/{process}/status").read_text().splitlines())
    return int(status["Threads"]), len(os.listdir(f"/proc/{process}/fd")), int(status["VmRSS"].split()[0])


async def test_losses_leave_nothing_behind() -> None:
    """Threads, file descriptors and memory are the same after fifteen losses as after five."""
    async with set_up() as setup:
        after = []
        for number in range(15):
            await setup.sound_server.remove_microphones()
            await setup.subscriber.until(type="status", source="waiting")
            await setup.sound_server.add_microphone()
            await setup.subscriber.until(type="status", source="running")
            if number % 5 == 4:
                await setup.subscriber.until(type="status", source="running")
                after.append(resources(setup.service.process.pid))
        report(f"threads, files and KiB after 5, 10 and 15 losses: {after}")
        assert after[-1][0] < after[0][0] + 5  # the sound system's own come and go
        assert after[-1][1] == after[0][1]
        assert after[-1][2] < after[0][2] + 2048
        report(f"stream time is {await setup.delay():.3f} s behind")


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
    async with running_sound_server() as sound_server:
        env = {**os.environ, **sound_server.env}
        async with program(sys.executable, "-c", LOOK, stdout=PIPE, env=env) as process:
            out, _ = await process.communicate()
    assert int(out) < 120
