"""A real server with a stage that the tests play, and clients that hold it to the protocol's schema."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import functools
import json
import os
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeAlias

from jsonschema import Draft202012Validator
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from stream.protocol.messages import Change, Heard, Hello, Label, Level, Segment, State, Status
from stream.server.access import Access
from stream.server.http import HealthReport
from stream.server.metrics import Metrics
from stream.server.server import Server
from tests.support.waiting import PATIENCE

Raw: TypeAlias = tuple[asyncio.StreamReader, asyncio.StreamWriter]

SCHEMA = json.loads((Path(__file__).parents[2] / "docs" / "protocol.schema.json").read_text(encoding="utf-8"))
INSTRUMENTS = [
    "clarinet",
    "distorted electric guitar",
    "female singer",
    "flute",
    "piano",
    "tenor saxophone",
    "trumpet",
    "violin",
]
HELLO = Hello(
    protocol=1,
    server="soloist 0",
    model="toy",
    labels=INSTRUMENTS,
    lineup=INSTRUMENTS,
    window=2.972,
    hop=0.25,
    sample_rate=22_050,
    source="a stage",
    utc=1_780_000_000.0,
)
STATUS = Status("running", overflows=0, dropped_hops=0, clients=0, hop_ms=0.9, uptime=12.5, message=None, warnings=[])


def validator(side: str) -> Draft202012Validator:
    """Return what holds the messages of one side, `server` or `client`, to the schema."""
    return Draft202012Validator({"$ref": f"#/$defs/{side}", "$defs": SCHEMA["$defs"]})


_SERVER = validator("server")


@functools.lru_cache(maxsize=100_000)
def _check(text: str) -> None:
    _SERVER.validate(json.loads(text))


def check(text: str | bytes) -> dict[str, Any]:
    """Read what a server sent, and fail unless the schema describes it."""
    assert isinstance(text, str), "a binary frame"
    _check(text)
    message: dict[str, Any] = json.loads(text)
    return message


def label(
    seq: int, name: str | None = "violin", confidence: float = 0.9, state: State | None = None, since: float = 0.0
) -> Label:
    """Return the label of one hop; with a name it is that of an instrument."""
    state = state or ("unknown" if name is None else "instrument")
    probabilities = {instrument: confidence if instrument == name else 0.0 for instrument in INSTRUMENTS}
    return Label(seq, 0.25 * seq, state, name, since, confidence, probabilities, probabilities, rms=-18.0, peak=-6.0)


def change(seq: int, name: str | None, previous: str | None) -> Change:
    """Return the change at one hop."""
    then, before = (Heard("unknown" if it is None else "instrument", it) for it in (name, previous))
    return Change(0.25 * seq, then.state, then.label, before)


def segment(first: int, last: int, name: str | None, confidence: float = 0.9) -> Segment:
    """Return the segment from one hop to another."""
    return Segment(0.25 * first, 0.25 * last, "unknown" if name is None else "instrument", name, confidence)


class Listener:
    """A client of which no message escapes the schema."""

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection

    async def get(self) -> dict[str, Any]:
        """Return the next message."""
        async with asyncio.timeout(PATIENCE):
            return check(await self.connection.recv())

    async def until(self, kind: str) -> list[dict[str, Any]]:
        """Return the messages up to the next one of a type."""
        messages = [await self.get()]
        while messages[-1]["type"] != kind:
            messages.append(await self.get())
        return messages

    async def greeting(self) -> list[dict[str, Any]]:
        """Return what the server tells a new client."""
        return [await self.get() for _ in range(3)]

    async def say(self, kind: str, **fields: Any) -> None:
        """Send a request."""
        await self.connection.send(json.dumps({"type": kind, **fields}))

    async def ask(self, kind: str, **fields: Any) -> dict[str, Any]:
        """Send a request and return the next message."""
        await self.say(kind, **fields)
        return await self.get()

    async def settled(self) -> list[dict[str, Any]]:
        """Return everything that was sent before the server read all that this client said."""
        await self.say("ping")
        return (await self.until("pong"))[:-1]

    async def closed(self, told: list[dict[str, Any]] | None = None) -> tuple[int | None, str | None]:
        """Read on until the connection is closed, and return its code and reason; `told` gets what came before."""
        told = [] if told is None else told
        async with asyncio.timeout(PATIENCE):
            with contextlib.suppress(ConnectionClosed):
                while True:
                    told.append(check(await self.connection.recv()))
        return self.connection.close_code, self.connection.close_reason


@dataclass
class Stage:
    """A server, and what it is told to publish."""

    server: Server
    metrics: Metrics
    port: int
    health: HealthReport
    time: float = 0.0
    """Stream time in seconds."""
    published: list[Change | Segment | Label] = field(default_factory=list)

    @property
    def address(self) -> str:
        """HOST:PORT."""
        return f"127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        """Address of the socket."""
        return f"ws://{self.address}/ws"

    def hop(self, seq: int, name: str | None = "violin", confidence: float = 0.9, state: State | None = None) -> None:
        """Publish a hop as the service does: segment, change, label."""
        now, last = label(seq, name, confidence, state), self.server.state.label
        self.time = now.time
        if last is None or (last.state, last.label) != (now.state, now.label):
            heard = Heard("warming", None) if last is None else Heard(last.state, last.label)
            closed = Segment(0.0 if last is None else last.time, now.time, heard.state, heard.label, 0.9)
            self.tell(closed)
            self.tell(Change(now.time, now.state, now.label, heard))
            self.tell(replace(now, since=now.time))
        else:
            self.tell(replace(now, since=last.since))

    def tell(self, message: Change | Segment | Label) -> None:
        """Publish a message and keep it."""
        self.published.append(message)
        self.server.publish(message)

    async def emptied(self) -> None:
        """Wait until all connections have ended."""
        async with asyncio.timeout(PATIENCE):
            while len(self.server._limiter) or self.server.clients:  # noqa: ASYNC110 - nobody tells
                await asyncio.sleep(0.01)

    @contextlib.asynccontextmanager
    async def listener(self, **options: Any) -> AsyncIterator[Listener]:
        """Connect a client."""
        async with connect(self.url, **options) as connection:
            yield Listener(connection)

    @contextlib.asynccontextmanager
    async def plain(self) -> AsyncIterator[Raw]:
        """Connect without any handshake."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            yield reader, writer
        finally:
            writer.transport.abort()

    @contextlib.asynccontextmanager
    async def raw(self) -> AsyncIterator[Raw]:
        """Connect and do the handshake, and leave the rest to the test."""
        async with self.plain() as (reader, writer):
            key = base64.b64encode(os.urandom(16)).decode()
            writer.write(
                f"GET /ws HTTP/1.1\r\nHost: {self.address}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
            )
            async with asyncio.timeout(PATIENCE):
                assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 101 ")
            yield reader, writer

    @contextlib.asynccontextmanager
    async def stalled(self, *types: str) -> AsyncIterator[Raw]:
        """Connect, subscribe, and read no more after the answer."""
        async with self.raw() as (reader, writer):
            writer.write(frame(json.dumps({"type": "subscribe", "types": types}).encode()))
            async with asyncio.timeout(PATIENCE):
                for _ in ("greeting", "answer"):
                    await reader.readuntil(b'"type":"label"')
            writer.transport.pause_reading()  # type: ignore[attr-defined]
            yield reader, writer

    async def subscribed(self, *types: str) -> None:
        """Wait until some client has subscribed to exactly these types."""
        async with self.listener() as pace:
            await pace.greeting()
            await pace.ask("subscribe", types=["level"])
            while not any(s.subscription.types == {*types} for s in self.server._subscribers):
                self.server.publish(Level(self.time, -18.0, -6.0, clipped=False))
                await pace.get()


@contextlib.asynccontextmanager
async def staged(port: int = 0, greeting: bool = True, host: str = "127.0.0.1", **access: Any) -> AsyncIterator[Stage]:
    """Serve a stage on a free port; with a greeting there are a hello, a status and a first label to tell."""
    stage: Stage
    metrics = Metrics()
    server = Server(
        INSTRUMENTS,
        metrics,
        lambda: stage.health,
        lambda: stage.time,
        lambda mark: server.publish(mark),
        Access(**access),
    )
    async with server.listening(host, port) as address:
        port = int(address.rstrip("/").rpartition(":")[2])
        stage = Stage(server, metrics, port, HealthReport(None, {"model": "toy"}))
        if greeting:
            server.publish(HELLO)
            server.publish(STATUS)
            stage.hop(0)
            stage.published.clear()
        yield stage


async def gone(before: set[asyncio.Task[Any]]) -> None:
    """Wait until all tasks have ended that were not there before."""
    async with asyncio.timeout(PATIENCE):
        while left := asyncio.all_tasks() - before:
            await asyncio.wait(left)


def frame(payload: bytes, opcode: int = 1, fin: bool = True) -> bytes:
    """Return a client's frame, masked with zeros."""
    first, size = bytes([opcode | 128 * fin]), len(payload)
    if size < 126:
        return first + bytes([128 | size]) + bytes(4) + payload
    if size < 65_536:
        return first + b"\xfe" + size.to_bytes(2, "big") + bytes(4) + payload
    return first + b"\xff" + size.to_bytes(8, "big") + bytes(4) + payload
