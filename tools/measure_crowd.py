"""What a crowd costs a running service: ``python -m tools.measure_crowd [BUILD ...]``.

Clients subscribe to everything, ask for the history, set marks, read all of it, little or nothing, leave with and
without a farewell, and come again as others. Each build is a command such as ``/opt/soloist/bin/soloist``; several are
measured at the same time, each with a crowd of its own that does the same. Without one, it is this checkout.

Printed is the resident memory of each: idle, after ten seconds with a single client; the highest while the crowd was
there, as the kernel noted it; and when all of it has gone for so long that no half-open connection is left.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import logging
import os
import random
import re
import shlex
import socket
import ssl
import struct
import sys
import tempfile
import time
from asyncio.subprocess import DEVNULL, PIPE
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

from stream.protocol.requests import TYPES
from tests.support.certificates import make
from tests.support.serving import frame

SETTLE_SECONDS = 10.0
GONE_SECONDS = 45.0
"""Half-open connections are given up after 40 s."""
SUBSCRIBE = frame(json.dumps({"type": "subscribe", "types": sorted(TYPES)}).encode())
HISTORY = frame(b'{"type":"history","seconds":1e9}')
MARK = frame(json.dumps({"type": "mark", "text": "\N{SAXOPHONE}" * 200}, ensure_ascii=False).encode())
PING = frame(b"x" * 125, opcode=9)
LIES = [
    frame(text) for text in (b"", b"{", b"[]", b'{"type":7}', b'{"type":"subscribe","types":["nothing"]}', b"x" * 4000)
]
CLOSE = frame(b"\x03\xe8", opcode=8)
PAGES = ("/", "/app.js", "/healthz", "/metrics", "/nothing")


@dataclass
class Place:
    """Where a crowd goes, how it speaks, and what it is like."""

    port: int
    tls: ssl.SSLContext | None
    deflate: bool
    rng: random.Random
    came: Counter[str] = field(default_factory=Counter)


class Visitor:
    """A connection of somebody in the crowd."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    def send(self, data: bytes) -> None:
        """Send without waiting."""
        self._writer.write(data)

    async def read(self, seconds: float, pause: float = 0.0, most: int = 65_536) -> None:
        """Read for a while, with a pause after each piece."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while await self._reader.read(most):  # noqa: ASYNC110 - the pause is the point
                    await asyncio.sleep(pause)

    def vanish(self) -> None:
        """Leave with a reset, as a machine does whose program was killed."""
        raw = self._writer.get_extra_info("socket")
        if raw is not None:  # it is gone where the server has ended the connection
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._writer.transport.abort()


@contextlib.asynccontextmanager
async def visit(place: Place, room: int | None = None) -> AsyncIterator[Visitor]:
    """Connect; with little room for what is sent, whatever the system would have."""
    raw = socket.socket()
    if room is not None:
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, room)
    raw.setblocking(False)
    try:
        await asyncio.get_running_loop().sock_connect(raw, ("127.0.0.1", place.port))
        name = "localhost" if place.tls else None
        reader, writer = await asyncio.open_connection(sock=raw, ssl=place.tls, server_hostname=name, limit=4096)
    except OSError:
        raw.close()
        raise
    try:
        yield Visitor(reader, writer)
    finally:
        writer.transport.abort()


@contextlib.asynccontextmanager
async def subscribed(place: Place, room: int | None = None) -> AsyncIterator[Visitor]:
    """Connect and subscribe to everything."""
    async with visit(place, room) as visitor:
        deflate = "Sec-WebSocket-Extensions: permessage-deflate\r\n" if place.deflate else ""
        visitor.send(
            b"GET /ws HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            + f"Sec-WebSocket-Key: {'A' * 22}==\r\nSec-WebSocket-Version: 13\r\n{deflate}\r\n".encode()
        )
        await visitor._reader.readuntil(b"\r\n\r\n")
        visitor.send(SUBSCRIBE)
        yield visitor


async def listen(place: Place, seconds: float) -> None:
    """Read everything, ask for the history now and then, and say goodbye."""
    async with subscribed(place) as visitor:
        for _ in range(3):
            visitor.send(HISTORY)
            await visitor.read(seconds / 3)
        visitor.send(CLOSE)
        await visitor.read(2)


async def crawl(place: Place, seconds: float) -> None:
    """Read two kilobytes a second, of more than that."""
    async with subscribed(place, 4096) as visitor:
        visitor.send(HISTORY)
        await visitor.read(seconds, pause=1.0, most=2048)


async def stall(place: Place, seconds: float) -> None:
    """Read nothing, and vanish."""
    async with subscribed(place, 4096) as visitor:
        for _ in range(2):
            visitor.send(HISTORY)
            await asyncio.sleep(seconds / 2)
        visitor.vanish()


async def hoard(place: Place, seconds: float) -> None:
    """Read nothing, and ask for something again and again."""
    async with subscribed(place, 4096) as visitor:
        for number in range(int(seconds)):
            visitor.send(HISTORY + PING * 10)
            visitor.send(LIES[number % len(LIES)])
            await asyncio.sleep(1)
        visitor.vanish()


async def mark(place: Place, seconds: float) -> None:
    """Fill the history, and take what it gets with a delay."""
    async with subscribed(place) as visitor:
        for _ in range(int(seconds)):
            visitor.send(MARK)
            await visitor.read(1, pause=0.5)


async def turn_away(place: Place, seconds: float) -> None:
    """Stop in the middle of a request, or in the middle of a frame."""
    async with visit(place) as visitor:
        visitor.send(b"GET /ws HTTP/1.1\r\nHost: local")
        await visitor.read(min(seconds, 9))
    async with subscribed(place) as visitor:
        visitor.send(MARK[:-5])
        await visitor.read(1)
        visitor.vanish()


async def load(place: Place, seconds: float) -> None:
    """Load pages, and do not take all of them."""
    for path in PAGES:
        async with visit(place) as visitor:
            visitor.send(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
            await visitor.read(seconds / 10, most=place.rng.choice([100, 65_536]))


ROLES: tuple[Callable[[Place, float], Awaitable[None]], ...] = (listen, crawl, stall, hoard, mark, turn_away, load)


async def come_and_go(place: Place, until: float) -> None:
    """One client after the other, each of another kind."""
    while time.monotonic() < until:
        role, seconds = place.rng.choice(ROLES), place.rng.uniform(3, 40)
        try:
            async with asyncio.timeout_at(until - time.monotonic() + asyncio.get_running_loop().time()):
                await role(place, seconds)
            place.came[role.__name__] += 1
        except TimeoutError:
            return
        except (OSError, asyncio.IncompleteReadError):  # the server has ended it
            place.came["cut off"] += 1
            await asyncio.sleep(0.5)


def resident(pid: int, what: str = "VmRSS") -> float:
    """Return the memory of a process in MB, or its highest (VmHWM)."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    return int(next(line for line in status.splitlines() if line.startswith(what)).split()[1]) / 1024


def forget_highest(pid: int) -> None:
    """Have the kernel note the highest memory of a process anew."""
    Path(f"/proc/{pid}/clear_refs").write_text("5", encoding="ascii")


async def measure(build: str, options: argparse.Namespace, folder: Path, tls: list[str]) -> None:
    """Run a build, let a crowd come to it, and print what it took."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("SOLOIST_")}
    command = [*shlex.split(build), "run", "--port", "0", "--input", "demo", *tls]
    state = {"XDG_STATE_HOME": tempfile.mkdtemp(dir=folder)}
    process = await asyncio.create_subprocess_exec(
        *command, stderr=PIPE, stdin=DEVNULL, stdout=DEVNULL, env=environment | state
    )
    assert process.stderr is not None
    try:
        told = b""
        while not (found := re.search(rb"listening on https?://\S+?:(\d+)/", told)):
            told = await process.stderr.readline()
            if not told:
                sys.exit(f"{build} ended")
        reading = asyncio.create_task(process.stderr.read())
        context = None
        if tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        place = Place(int(found[1]), context, options.deflate, random.Random(options.seed))
        async with subscribed(place) as visitor:
            await visitor.read(SETTLE_SECONDS)
        idle = resident(process.pid)
        forget_highest(process.pid)
        until = time.monotonic() + 60 * options.minutes
        async with asyncio.TaskGroup() as tasks:
            for _ in range(options.clients):
                tasks.create_task(come_and_go(place, until))
        highest = resident(process.pid, "VmHWM")
        await asyncio.sleep(GONE_SECONDS)
        after = resident(process.pid)
        sys.stdout.write(
            f"idle {idle:6.1f} MB, highest {highest:6.1f} (+{highest - idle:.1f}), after {after:6.1f} "
            f"(+{after - idle:.1f})  {build}\n    {dict(sorted(place.came.items()))}\n"
        )
        sys.stdout.flush()
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()
    await reading


async def main(options: argparse.Namespace) -> None:
    """Measure all builds at the same time."""
    with tempfile.TemporaryDirectory(prefix="soloist-crowd-") as folder:
        tls = []
        if options.tls:
            files = make(Path(folder))
            tls = ["--certificate", str(files.certificate), "--key", str(files.key)]
        async with asyncio.TaskGroup() as tasks:
            for build in options.builds or [f"{sys.executable} -m stream"]:
                tasks.create_task(measure(build, options, Path(folder), tls))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("builds", nargs="*", metavar="BUILD", help="command of a build (this checkout)")
    parser.add_argument("--minutes", type=float, default=10.0, help="how long the crowd stays (10)")
    parser.add_argument("--clients", type=int, default=40, help="how many there are at once (40)")
    parser.add_argument("--seed", type=int, default=1, help="of what they do (1)")
    parser.add_argument("--tls", action="store_true", help="encrypt; needs openssl")
    parser.add_argument("--deflate", action="store_true", help="ask for permessage-deflate, too")
    logging.getLogger("asyncio").setLevel(logging.ERROR)  # it warns of what is written to a connection that has ended
    asyncio.run(main(parser.parse_args()))
