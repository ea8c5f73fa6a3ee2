"""Lines of real inputs with many channels: a file, and an interface behind a sound server."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import sys
from asyncio.subprocess import DEVNULL, PIPE
from collections import defaultdict
from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr

from stream.recognition.mel import SAMPLE_RATE, Array
from tests.support.hearing import Subscriber, listening
from tests.support.processes import program, serving
from tests.support.sound_server import missing, running_sound_server
from tests.support.waiting import PATIENCE

WITHOUT = missing()
RATE = 44_100
CHANNELS = 8
PIANO, SECOND = 3, 6
"""Channels with the demo, and with another part of it, counted from 1."""


def interface(demo: Array, seconds: int) -> Array:
    """Return what eight channels deliver, of which two sound [shape=(n, 8)]."""
    length = seconds * SAMPLE_RATE
    frames = np.zeros((length, CHANNELS), np.float32)
    frames[:, PIANO - 1] = demo[:length]
    frames[:, SECOND - 1] = demo[8 * SAMPLE_RATE :][:length]
    return frames


async def names_of(subscriber: Subscriber, lines: set[str]) -> dict[str, set[str | None]]:
    """Return what each line told until all of these have told two changes or more."""
    told: dict[str, list[str | None]] = defaultdict(list)
    async with asyncio.timeout(PATIENCE):
        async for message in subscriber.messages():
            if message["type"] == "label" and message["label"] is not None:
                told[message["line"]].append(message["label"])
                if all(len(told[line]) >= 4 for line in lines):
                    break
    return {line: set(names) for line, names in told.items()}


async def test_the_channels_of_a_file_are_lines(demo: Array, tmp_path: Path) -> None:
    """Each is heard as what it is; a client that knows nothing of lines is told the one in front."""
    soundfile.write(tmp_path / "eight.wav", interface(demo, 20), SAMPLE_RATE, subtype="FLOAT")
    lines = ["--line", f"Anna={PIANO}", "--line", f"Ben={SECOND}", "--line", "Cleo=1-2", "--line", "Dora=20"]
    async with (
        serving("--input", str(tmp_path / "eight.wav"), "--loop", *lines) as service,
        listening(service.address, "--lines", "all") as every,
        listening(service.address) as front,
    ):
        async with asyncio.timeout(PATIENCE):
            hello = await every.until(type="hello")
            assert [(it["name"], it["channels"]) for it in hello["lines"]] == [
                ("Anna", [PIANO]),
                ("Ben", [SECOND]),
                ("Cleo", [1, 2]),
                ("Dora", [20]),
            ]
            told = await names_of(every, {"Anna", "Ben"})
            assert told["Anna"] == {"piano"}
            assert set(told) == {"Anna", "Ben"}
            status = await every.until(type="status")
            assert "Dora: there is no channel 20; the source has 8" in status["warnings"]
            label = await front.until(type="label", state="instrument")
            assert label["line"] in {"Anna", "Ben"}


async def test_every_channel_may_be_a_line(demo: Array, tmp_path: Path) -> None:
    """They are named by their numbers, and known once the file is open."""
    soundfile.write(tmp_path / "eight.wav", interface(demo, 20), SAMPLE_RATE, subtype="FLOAT")
    async with (
        serving("--input", str(tmp_path / "eight.wav"), "--loop", "--line", "each") as service,
        listening(service.address, "--lines", "all") as every,
    ):
        told = await names_of(every, {str(PIANO)})
        assert told[str(PIANO)] == {"piano"}


@pytest.mark.sound_server
@pytest.mark.skipif(WITHOUT is not None, reason=str(WITHOUT))
async def test_the_channels_of_an_interface_are_lines(demo: Array, tmp_path: Path) -> None:
    """Of an interface whose channels ALSA's programs would get mixed, each line is what it is; its end is told."""
    file = tmp_path / "eight.raw"
    frames = interface(demo, 20)
    (32_767 * soxr.resample(frames, SAMPLE_RATE, RATE)).astype("<i2").tofile(file)
    channel_map = ",".join(f"aux{number}" for number in range(CHANNELS))
    async with running_sound_server() as server:
        sink = ["sink_name=desk", f"rate={RATE}", f"channels={CHANNELS}", f"channel_map={channel_map}"]
        assert await server.call("pactl", "load-module", "module-null-sink", *sink) == 0
        assert await server.call("pactl", "set-default-source", "desk.monitor") == 0
        form = ["--raw", f"--rate={RATE}", f"--channels={CHANNELS}", "--no-remap", "--no-remix", "--latency-msec=20"]
        await server.start("pacat", "--device=desk", *form, str(file))
        lines = ["--line", f"Anna={PIANO}:piano", "--line", f"Ben={SECOND}", "--line", "Cleo=1"]
        async with (
            serving(*lines, env=server.env) as service,
            listening(service.address, "--lines", "all") as every,
        ):
            told = await names_of(every, {"Anna", "Ben"})
            assert told["Anna"] == {"piano"}
            assert "Cleo" not in told
            await server.end()
            async with asyncio.timeout(PATIENCE):
                assert (await every.until(type="status", source="waiting"))["message"] is not None


JACK = ("jackd", "jack_lsp", "jack_connect", "jack_disconnect")
LACKING = [tool for tool in JACK if shutil.which(tool) is None]
PLAYER = """
import signal, sys
import sounddevice, soundfile
frames, rate = soundfile.read(sys.argv[1], dtype="float32")
device = next(i for i, it in enumerate(sounddevice.query_devices()) if it["name"] == "system")
position = 0
def give(out, count, when, status):
    global position
    for row in range(count):
        out[row] = frames[(position + row) % len(frames)]
    position += count
with sounddevice.OutputStream(device=device, channels=frames.shape[1], samplerate=rate, callback=give):
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    print("playing", flush=True)
    signal.sigwait({signal.SIGTERM})
"""


@contextlib.asynccontextmanager
async def ended(process: asyncio.subprocess.Process) -> AsyncIterator[None]:
    """End a server of JACK, or a client of it, as it ends by itself.

    A server that is killed keeps a place (findings/jack-places-of-the-killed.sh), and one whose client is may not live.
    """
    try:
        yield
    finally:
        process.terminate()
        await process.wait()


@pytest.mark.sound_server
@pytest.mark.skipif(bool(LACKING), reason=f"needs {', '.join(LACKING)}: apt install jackd2")
async def test_the_inputs_of_jack_are_lines(demo: Array, tmp_path: Path) -> None:
    """With JACK's dummy driver, what another client sends to each of eight inputs is heard there."""
    file, rate = tmp_path / "eight.wav", 48_000
    soundfile.write(file, soxr.resample(interface(demo, 20), SAMPLE_RATE, rate), rate, subtype="FLOAT")
    env = {**os.environ, "JACK_DEFAULT_SERVER": f"soloist-{os.getpid()}", "HOME": str(tmp_path)}

    async def ports(word: str) -> list[str]:
        async with program("jack_lsp", stdout=PIPE, stderr=DEVNULL, env=env) as listing:
            out, _ = await listing.communicate()
        return [port for port in out.decode().split() if word in port]

    async def call(*command: str) -> int:
        async with program(*command, stdout=DEVNULL, stderr=DEVNULL, env=env) as process:
            return await process.wait()

    driver = ["-d", "dummy", "-r", str(rate), "-p", "4096", "-C", str(CHANNELS), "-P", str(CHANNELS)]
    quiet = {"stdout": DEVNULL, "stderr": DEVNULL, "env": env}
    async with asyncio.timeout(PATIENCE), program("jackd", "-r", *driver, **quiet) as server, ended(server):
        while not await ports("system:capture"):  # noqa: ASYNC110 - there is no event to wait for
            await asyncio.sleep(0.1)
        playing = program(sys.executable, "-c", PLAYER, str(file), stdout=PIPE, stderr=DEVNULL, env=env)
        async with playing as player, ended(player):
            assert player.stdout is not None
            assert b"playing" in await player.stdout.readline()
            outputs = await ports(":out_")
            lines = ["--line", f"Anna={PIANO}", "--line", f"Ben={SECOND}", "--line", "Cleo=1"]
            async with (
                serving("--device", "system", *lines, env=env) as service,
                listening(service.address, "--lines", "all") as every,
            ):
                while len(inputs := await ports(":in_")) < CHANNELS:  # noqa: ASYNC110
                    await asyncio.sleep(0.1)
                for number, (source, target) in enumerate(zip(outputs, inputs, strict=True), 1):
                    await call("jack_disconnect", f"system:capture_{number}", target)
                    assert await call("jack_connect", source, target) == 0
                told = await names_of(every, {"Anna", "Ben"})
                assert "piano" in told["Anna"]
                assert "Cleo" not in told
