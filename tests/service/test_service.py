"""The whole service: sources in, messages out."""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import signal
import socket
import sys
import time
from asyncio.subprocess import PIPE
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from websockets.asyncio.client import connect

from stream.audio.settings import AudioSettings
from stream.client import Client
from stream.protocol.messages import Change, Hello, Label, Level, Segment, Spectrum, Status
from stream.recognition.classifier import Classifier, Inference
from stream.recognition.mel import SAMPLE_RATE, WINDOW, Array
from stream.recognition.settings import RecognitionSettings
from stream.server.settings import ServerSettings
from stream.service.service import Service
from stream.session_log.settings import SessionLogSettings
from stream.settings.settings import Settings
from tests.support import tiny
from tests.support.processes import serving
from tests.support.serving import PATIENCE, check


@pytest.fixture
def solo(tmp_path: Path, demo: Array) -> Path:
    """Six seconds of the demo's piano, at 44 100 Hz in two channels of which the second is silent."""
    import soxr

    mono = soxr.resample(demo[: 6 * SAMPLE_RATE], SAMPLE_RATE, 44_100)
    path = tmp_path / "solo.wav"
    soundfile.write(path, np.stack([mono, np.zeros_like(mono)], axis=1), 44_100)
    return path


@pytest.mark.slow
async def test_a_file_is_heard_and_ends_the_service(solo: Path) -> None:
    """A file plays in real time, its labels and segments reach a subscriber, and its end is the service's, with 0."""
    messages = []
    async with serving("--input", str(solo), "--channel", "1") as service, asyncio.timeout(20):
        async with connect(f"ws://{service.address}/ws") as connection:
            async for text in connection:
                messages.append(check(text))
        assert connection.close_code == 1001
        assert await service.process.wait() == 0
    assert messages[0]["source"] == "solo.wav"
    states = [m["state"] for m in messages if m["type"] == "label"]
    assert states[-1] == "instrument"
    assert messages[-1]["type"] == "status"
    assert messages[-1]["source"] == "ended"
    assert messages[-1]["message"] == "solo.wav has ended after 6.0 s"
    assert service.complaints == ["soloist: solo.wav has ended after 6.0 s"]
    last = [m for m in messages if m["type"] == "segment"][-1]
    assert (last["label"], round(last["end"], 2)) == ("piano", 6.0)


async def pour(data: bytes, pipe: asyncio.StreamWriter | None) -> None:
    """Write data into a pipe as fast as it is taken, and close it."""
    assert pipe is not None
    pipe.write(data)
    await pipe.drain()
    pipe.close()


@pytest.mark.slow
async def test_raw_audio_on_standard_input_is_heard(demo: Array) -> None:
    """PCM poured in at once is heard in real time, and ends the service when it ends."""
    pcm = (demo[: 5 * SAMPLE_RATE] * 32767).astype("<i2").tobytes()
    async with serving("--input", "-", "--pcm", f"s16le:{SAMPLE_RATE}:1", stdin=PIPE) as service, asyncio.timeout(20):
        async with Client(service.address) as client, asyncio.TaskGroup() as tasks:
            tasks.create_task(pour(pcm, service.process.stdin))
            labels = []
            async for message in client:
                if isinstance(message, Label):
                    labels.append(message)
                if isinstance(message, Status) and message.source == "ended":
                    break
        assert await service.process.wait() == 0
    assert isinstance(message, Status)
    assert labels[-1].label == "piano"
    assert labels[-1].time == pytest.approx(5, abs=0.01)
    assert message.message == "standard input has ended after 5.0 s"
    assert service.complaints[-1] == "soloist: standard input has ended after 5.0 s"


@pytest.mark.slow
async def test_a_file_on_standard_input_is_heard_as_one(tmp_path: Path, demo: Array) -> None:
    """Its own rate and channels count, whatever the form of raw audio is, and a channel that it lacks is refused."""
    path = tmp_path / "solo.flac"
    soundfile.write(path, np.stack([np.zeros(4 * SAMPLE_RATE), demo[: 4 * SAMPLE_RATE]], axis=1), SAMPLE_RATE)
    for channel, status, said in (("2", 0, "standard input has ended after 4.0 s"), ("3", 2, "the source has 2")):
        options = ("--channel", channel, "--log-level", "info", "--pcm", "s16le:8000:1")
        async with serving("--input", "-", *options, stdin=PIPE) as service, asyncio.timeout(30):
            await pour(path.read_bytes(), service.process.stdin)
            assert await service.process.wait() == status
        assert said in service.complaints[-1]
        assert any("piano" in line for line in service.complaints) == (status == 0)


@pytest.mark.slow
async def test_the_demo_goes_round(demo: Array) -> None:
    """A looping source goes on after its end; here a file of four seconds."""
    async with serving("--input", "demo") as service, asyncio.timeout(30), Client(service.address) as client:
        async for message in client:
            if isinstance(message, Label) and message.state == "instrument":
                assert message.label == "piano"
                break


@pytest.mark.slow
async def test_level_and_spectrum_come_for_those_who_ask(demo: Array) -> None:
    """Levels come twenty times a second of audio, and spectra hold every frame once."""
    wanted = ["level", "spectrum", "label"]
    async with (
        asyncio.timeout(30),
        serving("--input", "demo") as service,
        Client(service.address, types=wanted) as client,
    ):
        levels: list[Level] = []
        spectra: list[Spectrum] = []
        hello = None
        async for message in client:
            match message:
                case Hello():
                    hello = message
                case Level():
                    levels.append(message)
                case Spectrum():
                    spectra.append(message)
            if len(spectra) == 6:
                break
    assert hello is not None
    assert len(spectra[0].frames) == 125 or spectra[0].time > WINDOW / SAMPLE_RATE + hello.hop
    for before, after in itertools.pairwise(spectra):
        hops = (after.time - before.time) / hello.hop  # more than one where this machine could not keep up
        assert len(after.frames) == 11 * round(hops)
        assert {len(frame) for frame in after.frames} == {129}
    steps = np.diff([level.time for level in levels])
    each = 1102 / SAMPLE_RATE
    assert np.median(steps) == pytest.approx(each, abs=2e-4)
    # Of levels, only the newest waits for a client that this machine keeps waiting.
    np.testing.assert_allclose(steps, each * np.round(steps / each), atol=2e-4)


class SlowClassifier(Classifier):
    """A processor on which an inference takes 0.6 s, more than two hops."""

    def infer(self, features: Array) -> Inference:
        time.sleep(0.6)
        return super().infer(features)


@pytest.mark.slow
async def test_overload_skips_hops_and_stays_current(monkeypatch: pytest.MonkeyPatch) -> None:
    """When inference cannot keep up, hops are skipped and counted, and labels stay current and clients served."""
    monkeypatch.setattr("stream.service.setting_files.Classifier", SlowClassifier)
    service = Service(Settings(AudioSettings(input="demo"), server=ServerSettings(port=0)))
    ages, pongs, dropped = [], 0, 0
    async with asyncio.timeout(60), asyncio.TaskGroup() as tasks:
        listening = asyncio.get_running_loop().create_future()
        running = tasks.create_task(service.run(listening.set_result))
        address = (await listening).removeprefix("http://").strip("/")
        async with connect(f"ws://{address}/ws") as connection:
            last = None
            async for text in connection:
                message = check(text)
                if message["type"] == "hello":
                    utc = message["utc"]
                elif message["type"] == "pong":
                    pongs += 1
                elif message["type"] == "status":
                    dropped = message["dropped_hops"]
                elif message["type"] == "label" and message["state"] != "warming":
                    ages.append(time.time() - utc - message["time"])
                    assert last is None or message["seq"] - last >= 2
                    last = message["seq"]
                    await connection.send('{"type":"ping"}')
                    if len(ages) == 12:
                        break
        assert service.health().details["dropped_hops"] >= 12
        running.cancel()
    assert dropped > 0
    assert pongs >= 10
    assert max(ages) < 2 * 0.6 + 2 * service.recognizer.hop


async def test_a_source_that_fails_says_so_and_ends(tmp_path: Path) -> None:
    """Raw audio whose reading fails, here because standard input is closed, ends the service cleanly."""
    async with serving("--input", "-", stdin=PIPE) as service, asyncio.timeout(20):
        assert service.process.stdin is not None
        service.process.stdin.close()
        assert await service.process.wait() == 0


@pytest.mark.slow
@pytest.mark.parametrize("how", ["2>&-", "2> /dev/full", "2> >(read line)"])
async def test_a_service_that_cannot_write_its_log_goes_on(how: str, tmp_path: Path) -> None:
    """Where standard error is closed, full, or read by nobody any more, the service hears on and reloads."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.setblocking(False)
        environment = {**os.environ, "NOTIFY_SOCKET": str(tmp_path / "notify"), "XDG_STATE_HOME": str(tmp_path)}
        command = f'exec "$0" -m stream run --input demo --port 0 --log-level info {how}'
        service = await asyncio.create_subprocess_exec("bash", "-c", command, sys.executable, env=environment)
        loop = asyncio.get_running_loop()

        async def told(what: str) -> str:
            while what not in (text := (await loop.sock_recv(manager, 4096)).decode()):
                pass
            return text

        try:
            async with asyncio.timeout(PATIENCE):
                ready = await told("READY=1")
                address = ready.partition("http://")[2].partition("/")[0]
                async with Client(address) as client:
                    for _ in range(2):
                        service.send_signal(signal.SIGHUP)
                        await told("RELOADING=1")
                        await told("READY=1")
                        began: float | None = None
                        async for message in client:
                            if isinstance(message, Label):
                                began = message.time if began is None else began
                                if message.time > began + 1:
                                    break
                service.terminate()
                assert await service.wait() == 0
        finally:
            if service.returncode is None:
                service.kill()
                await service.wait()


@pytest.mark.slow
async def test_events_of_a_real_stream_agree(demo: Array, tmp_path: Path) -> None:
    """Changes and segments that a client gets are those that the labels show."""
    path = tmp_path / "handover.wav"
    soundfile.write(path, demo[6 * SAMPLE_RATE : 14 * SAMPLE_RATE], SAMPLE_RATE)
    shown: list[tuple[str, str | None]] = []
    changes: list[Change] = []
    segments: list[Segment] = []
    async with serving("--input", str(path)) as service, asyncio.timeout(30), Client(service.address) as client:
        async for message in client:
            match message:
                case Label():
                    if not shown or shown[-1] != (message.state, message.label):
                        shown.append((message.state, message.label))
                case Change():
                    changes.append(message)
                case Segment():
                    segments.append(message)
                case Status(source="ended"):
                    break
    assert [(change.state, change.label) for change in changes] == shown[-len(changes) :]
    assert [(s.state, s.label) for s in segments] == shown[-len(segments) :]
    assert segments[-1].end == pytest.approx(8, abs=0.01)


async def test_a_model_that_knows_more_than_it_names() -> None:
    """Clients learn all that it knows and what it names, may ask for either, and hear more when all is named."""
    settings = Settings(
        AudioSettings(input="demo"),
        RecognitionSettings(model=str(tiny.INTEGER)),
        ServerSettings(port=0),
        SessionLogSettings("off"),
    )
    service = Service(settings)
    async with asyncio.timeout(PATIENCE), asyncio.TaskGroup() as tasks:
        listening = asyncio.get_running_loop().create_future()
        running = tasks.create_task(service.run(listening.set_result))
        address = (await listening).removeprefix("http://").strip("/")
        async with connect(f"ws://{address}/ws") as client:
            await client.send(json.dumps({"type": "subscribe", "instruments": ["cello"]}))
            await client.send(json.dumps({"type": "subscribe"}))

            async def told(kind: str) -> dict[str, Any]:
                while True:
                    message = check(await client.recv())
                    assert message["type"] != "error", message
                    if message["type"] == kind:
                        return message

            hello = await told("hello")
            assert (len(hello["labels"]), hello["lineup"]) == (31, list(service.recognizer.lineup))
            assert list((await told("label"))["probabilities"]) == hello["lineup"] != hello["labels"]
            await service.reload(replace(settings, recognition=replace(settings.recognition, instruments=("all",))))
            assert (await told("hello"))["lineup"] == hello["labels"]
            while list((await told("label"))["probabilities"]) != hello["labels"]:
                pass
        running.cancel()
