"""Run the whole service for an hour among clients that come, go, stall and lie: ``python -m tools.soak [--hours 1]``.

The demo is played round and round into a microphone (tests/support/sound_server.py) that is unplugged now and then, and
the service is told to read its settings again. Memory, file handles, threads and tasks are read every ten seconds. The
table at the end has them in quiet moments, when all clients have left: they must not grow from one to the next.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import random
import signal
import sys
import time
import urllib.request
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake

from tests.support.processes import Service, serving
from tests.support.sound_server import SoundServer, missing, running_sound_server

CROWD = 40
"""Clients at once."""
QUIET_SECONDS = 300.0
"""From one quiet moment to the next; the plug is pulled in each other one, and a SIGHUP sent in the others."""


@dataclass
class Sample:
    """What the process holds at one moment."""

    seconds: float
    rss: float
    """MB."""
    handles: int
    threads: int
    tasks: int

    def __str__(self) -> str:
        return (
            f"{self.seconds / 60:6.1f} min  {self.rss:7.2f} MB  {self.handles:4d} handles  {self.threads:3d} threads  "
            f"{self.tasks:4d} tasks"
        )


def fetch(url: str) -> str:
    """Return the text of a page."""
    with urllib.request.urlopen(url, timeout=30) as answer:
        text: str = answer.read().decode()
    return text


async def sample(service: Service, start: float) -> Sample:
    """Look at the process."""
    process = Path(f"/proc/{service.process.pid}")
    status = dict(line.split(":\t", 1) for line in (process / "status").read_text().splitlines() if ":\t" in line)
    metrics = await asyncio.to_thread(fetch, f"{service.url}metrics")
    tasks = next(float(line.split()[1]) for line in metrics.splitlines() if line.startswith("soloist_tasks "))
    return Sample(
        time.monotonic() - start,
        int(status["VmRSS"].split()[0]) / 1024,
        len(list((process / "fd").iterdir())),
        int(status["Threads"]),
        int(tasks),
    )


async def listen(socket: ClientConnection, seconds: float, pause: float = 0.0) -> None:
    """Read for a while, at a client's own pace."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            async for _ in socket:
                await asyncio.sleep(pause)


async def subscribe(socket: ClientConnection, seconds: float) -> None:
    """Change the subscription over and over."""
    for _ in range(4):
        types = random.sample(["label", "change", "segment", "guess", "level", "spectrum", "status", "mark"], 4)
        await socket.send(json.dumps({"type": "subscribe", "types": types, "max_rate": random.choice([1, 2, 20])}))
        await listen(socket, seconds / 4)


async def ask(socket: ClientConnection, seconds: float) -> None:
    """Ask for the history, set a mark, ping."""
    for request in ({"type": "history", "seconds": 7200}, {"type": "mark", "text": "soak"}, {"type": "ping"}):
        await socket.send(json.dumps(request))
        await listen(socket, seconds / 3)


async def lie(socket: ClientConnection, seconds: float) -> None:
    """Send what is no request."""
    for text in ("", "{", "[]", '{"type":7}', '{"type":"subscribe","types":["nothing"]}', "x" * 4000, b"\x00\xff"):
        await socket.send(text)
        await listen(socket, seconds / 7)


async def sleep(socket: ClientConnection, seconds: float) -> None:
    """Take nothing, and vanish without a farewell."""
    socket.transport.pause_reading()
    await asyncio.sleep(seconds)
    socket.transport.abort()


async def crawl(socket: ClientConnection, seconds: float) -> None:
    """Read one message a second."""
    await socket.send(json.dumps({"type": "subscribe", "types": ["label", "level", "spectrum"]}))
    await listen(socket, seconds, pause=1.0)


ROLES: tuple[Callable[[ClientConnection, float], Awaitable[None]], ...] = (listen, subscribe, ask, lie, sleep, crawl)


async def visitor(service: Service, counts: Counter[str]) -> None:
    """One client after the other, each of another kind."""
    while True:
        role = random.choice(ROLES)
        try:
            if random.random() < 0.2:
                for path in ("", "app.js", "healthz", "metrics", "nothing"):
                    with contextlib.suppress(OSError):
                        await asyncio.to_thread(fetch, service.url + path)
                counts["page"] += 1
            async with connect(f"ws://{service.address}/ws", close_timeout=2) as socket:
                counts[role.__name__] += 1
                await role(socket, random.uniform(5, 40))
        except ConnectionClosed as closed:
            counts[f"closed with {closed.rcvd.code if closed.rcvd else 1006}"] += 1
        except (OSError, InvalidHandshake) as error:
            counts[type(error).__name__] += 1
            await asyncio.sleep(1)


@dataclass
class Witness:
    """A steady client that sees to it that labels go on."""

    labels: int = 0
    outages: int = 0
    backwards: int = 0
    longest: float = 0.0
    """Seconds from one label to the next, at the most, but for outages."""

    async def watch(self, service: Service) -> None:
        """Listen for ever."""
        last, at, away = -1.0, time.monotonic(), False
        async with connect(f"ws://{service.address}/ws") as socket:
            async for text in socket:
                message = json.loads(text)
                if message["type"] == "outage":
                    self.outages += message["end"] is not None
                    away = True
                elif message["type"] == "label":
                    now = time.monotonic()
                    self.longest = self.longest if away else max(self.longest, now - at)
                    self.backwards += message["time"] < last
                    self.labels += 1
                    last, at, away = message["time"], now, False


async def play(sound_server: SoundServer, file: Path) -> None:
    """Play a file into the microphone, round and round."""
    while True:
        if await (await sound_server.play(file)).wait():
            await asyncio.sleep(1)  # the microphone is away


@contextlib.asynccontextmanager
async def crowd(service: Service, counts: Counter[str]) -> AsyncIterator[None]:
    """Clients for as long as the context lasts."""
    tasks = [asyncio.create_task(visitor(service, counts)) for _ in range(CROWD)]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        outcomes = await asyncio.gather(*tasks, return_exceptions=True)
        for outcome in outcomes:
            if isinstance(outcome, Exception):
                raise outcome


async def soak(hours: float) -> int:
    """Run it, tell what it held, and return 0 if nothing grew."""
    demo = Path(str(resources.files("stream") / "demo.ogg"))
    async with running_sound_server() as sound_server:
        os.environ.update(sound_server.env)
        playing = asyncio.create_task(play(sound_server, demo))
        await asyncio.sleep(3)
        async with serving() as service:
            start = time.monotonic()
            counts: Counter[str] = Counter()
            witness = Witness()
            watching = asyncio.create_task(witness.watch(service))
            quiet: list[Sample] = []
            busiest = 0.0
            while time.monotonic() - start < 3600 * hours:
                async with crowd(service, counts):
                    until = time.monotonic() + min(QUIET_SECONDS, 3600 * hours / 4)
                    while time.monotonic() < until:
                        await asyncio.sleep(10)
                        busiest = max(busiest, (await sample(service, start)).rss)
                if len(quiet) % 2:
                    await sound_server.remove_microphones()
                    await asyncio.sleep(5)
                    await sound_server.add_microphone()
                else:
                    service.process.send_signal(signal.SIGHUP)
                await asyncio.sleep(45)  # half-open connections are given up after 40 s
                quiet.append(await sample(service, start))
                sys.stdout.write(f"{quiet[-1]}\n")
                sys.stdout.flush()
                if watching.done():
                    await watching
            watching.cancel()
            playing.cancel()
        told = Counter(line[:100] for line in service.complaints)
    sys.stdout.write(f"busiest {busiest:.1f} MB; {witness}\n{dict(counts)}\n")
    for line, count in told.most_common(20):
        sys.stdout.write(f"{count:5d}  {line}\n")
    first, last = quiet[min(1, len(quiet) - 1)], quiet[-1]
    return int(last.handles > first.handles + 2 or last.tasks > first.tasks + 2 or last.threads > first.threads + 1)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hours", type=float, default=1.0, help="how long (1)")
    options = parser.parse_args()
    if lacking := missing():
        sys.exit(lacking)
    sys.exit(asyncio.run(soak(options.hours)))
