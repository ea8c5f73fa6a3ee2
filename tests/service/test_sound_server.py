"""The main job on the real path: a sound server, PortAudio, the service, and a subscriber in another process."""

from __future__ import annotations

import asyncio
import csv
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from tests.support.hearing import DEMO, Subscriber, hearing, listening
from tests.support.processes import serving
from tests.support.sound_server import SoundServer, missing, running_sound_server
from tests.support.waiting import PATIENCE

WITHOUT = missing()
pytestmark = [pytest.mark.skipif(WITHOUT is not None, reason=str(WITHOUT)), pytest.mark.sound_server]

ZEROS = (
    "the input delivers only zeros: unmute it, switch it on, or choose another device "
    "(instead of a sound server's, the card itself: channels that the server names otherwise are silent)"
)
WINDOW_SECONDS = 65_536 / 22_050


async def heard(sound_server: SoundServer, subscriber: Subscriber, file: Path) -> list[dict[str, Any]]:
    """Play a file into the microphone: the labels told while it plays, with times since it began."""
    playing = await sound_server.play(file)
    waiting = asyncio.create_task(playing.wait())
    labels: list[dict[str, Any]] = []
    async for message in subscriber.messages():
        if message["type"] == "label":
            labels.append(message)
        if waiting.done() and message["type"] == "label":
            break
    # The player ends when its last sample is heard, so time is counted back from there.
    end = labels[-1]["time"]
    seconds = soundfile.info(str(file)).duration
    return [label | {"time": label["time"] - end + seconds} for label in labels]


async def test_the_demo_comes_out_as_its_soloists(score: list[dict[str, Any]]) -> None:
    """The demo played into the microphone is told soloist by soloist, in order, by a client in another process."""
    async with hearing() as (sound_server, _, subscriber):
        await subscriber.until(type="label", state="silence")
        labels = await heard(sound_server, subscriber, DEMO)
    told = []
    for part in score:
        inside = [m for m in labels if part["start"] + WINDOW_SECONDS <= m["time"] <= part["end"]]
        names = [m["label"] or m["state"] for m in inside]
        told.append(max(set(names), key=names.count))
    assert told == [part["label"] for part in score]


def solos(shared: Path, folder: Path, count: int) -> tuple[Path, list[str]]:
    """One file with a stretch of real clips for each instrument, and the instruments in order."""
    with (shared / "validation.csv").open(newline="") as table:
        rows = list(csv.DictReader(table))
    instruments = sorted({row["instrument"] for row in rows})
    pieces = []
    for instrument in instruments:
        paths = sorted(row["path"] for row in rows if row["instrument"] == instrument)
        pieces += [soundfile.read(shared / path, dtype="float32")[0] for path in paths[:count]]
    file = folder / "solos.wav"
    soundfile.write(file, np.concatenate(pieces), 44_100)
    return file, instruments


async def test_real_recordings_are_recognized(shared: Path, tmp_path: Path) -> None:
    """Real solos of all eight instruments played into the microphone are told as by `classify` from the file itself."""
    count = 3
    file, instruments = solos(shared, tmp_path, count)
    async with hearing() as (sound_server, _, subscriber):
        await subscriber.until(type="label", state="silence")
        labels = await heard(sound_server, subscriber, file)
    stretch = count * WINDOW_SECONDS
    right = []
    for number, instrument in enumerate(instruments):
        start = number * stretch
        inside = [m["raw"] for m in labels if start + WINDOW_SECONDS <= m["time"] <= start + stretch]
        mean = {name: np.mean([raw[name] for raw in inside]) for name in instruments}
        right.append(max(mean, key=lambda name: mean[name]) == instrument)
    sys.stdout.write(f"real recordings through the microphone: {sum(right)} of {len(right)} instruments right\n")
    assert sum(right) >= 6


async def test_a_microphone_that_is_unplugged_is_told_and_heard_again() -> None:
    """When the microphone goes, everybody is told; when it comes back, it is heard again, and both times are known."""
    async with hearing() as (sound_server, service, subscriber):
        async for message in subscriber.messages():
            if message["type"] == "hello":
                utc = message["utc"]  # the one that comes with the first audio is exact
            elif message.get("state") == "silence":
                break
        pulled = time.time() - utc
        await sound_server.remove_microphones()
        away = await subscriber.until(type="outage")
        assert (away["end"], away["source"]) == (None, "default")
        assert "lost" in away["reason"]
        assert message["time"] <= away["start"] <= pulled + 1  # audio may be on its way
        lost = await subscriber.until(type="status", source="waiting")
        assert lost["message"] == away["reason"]
        await sound_server.add_microphone()
        plugged = time.time() - utc
        playing = await sound_server.play(DEMO)
        await subscriber.until(type="status", source="running")
        back = await subscriber.until(type="outage")
        sys.stdout.write(f"heard again {back['end'] - plugged:.2f} s after it was back\n")
        assert {**back, "end": None} == away
        assert plugged - 1 <= back["end"] <= time.time() - utc + 1
        named = await subscriber.until(type="label", state="instrument")
        assert named["label"] == "piano"
        playing.terminate()
        await playing.wait()
    assert service.process.returncode == 0


async def test_a_muted_microphone_is_told() -> None:
    """A microphone that delivers only zeros is told after two seconds, until it is heard."""
    async with hearing() as (sound_server, _, subscriber):
        muted = await subscriber.until(type="status", warnings=[ZEROS], message=ZEROS)
        assert muted["source"] == "running"
        playing = await sound_server.play(DEMO)
        await subscriber.until(type="status", warnings=[], message=None)
        playing.terminate()
        await playing.wait()


async def test_a_device_is_chosen_by_a_part_of_its_name() -> None:
    """A part of the name in any case is enough, and a name that is not there is waited for while clients are served."""
    async with asyncio.timeout(PATIENCE), running_sound_server() as sound_server:
        async with (
            serving("--device", "PUL", env=sound_server.env) as service,
            listening(service.address) as subscriber,
        ):
            assert (await subscriber.until(type="hello", source="pulse"))["source"] == "pulse"
        async with (
            serving("--device", "kazoo", env=sound_server.env) as service,
            listening(service.address) as subscriber,
        ):
            told = await subscriber.until(type="status", source="waiting")
            assert "no input device named 'kazoo'; found: " in told["message"]
            assert "'pulse'" in told["message"]
