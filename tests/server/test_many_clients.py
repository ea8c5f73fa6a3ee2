"""Two hundred clients at once: some stalled, some hostile, and the others miss nothing."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
import random
import socket
from collections.abc import AsyncIterator
from typing import Any

import pytest
from websockets.asyncio.client import connect
from websockets.frames import CloseCode

from stream.protocol.encoding import encode
from stream.protocol.messages import Mark, Spectrum
from stream.protocol.outbox import CAPACITY
from tests.support.serving import Listener, Stage, frame, gone, staged

HEALTHY = 120
SLEEPERS = 10
STALLED = 10
HOPS = 100
SPECTRUM = Spectrum(0.25, [[-90.123] * 129] * 25)
"""Two hops of it are more than a sleeping client's socket holds."""
GARBAGE = random.Random(0)

HOSTILE: dict[str, bytes] = {
    "oversized": frame(b"x" * 5000),
    "oversized in parts": frame(b"x" * 4000, fin=False) + frame(b"x" * 4000, 0),
    "endless": b"\x81\xff" + (2**62).to_bytes(8, "big") + bytes(4),
    "malformed": 50 * frame(b'{"type":"subscribe","types":[[[['),
    "binary": 20 * frame(GARBAGE.randbytes(500), 2),
    "garbage": GARBAGE.randbytes(4000),
    "not UTF-8": frame(b"\xff\xfe\xfd"),
    "not masked": b"\x81\x02{}",
    "reserved bits": b"\xf1\x80" + bytes(4),
    "subscription storm": 3000 * frame(b'{"type":"subscribe","types":["level","spectrum","label"]}'),
    "history storm": 3000 * frame(b'{"type":"history","seconds":1e9}'),
    "ping storm": 3000 * frame(b"x" * 125, 9),
    "half a frame": frame(b'{"type":"ping"}')[:-3],
    "half a message": frame(b'{"type":', fin=False),
    "lone continuation": frame(b"}", 0),
    "early close": frame(b"\x03\xe8bye", 8),
    "strange close": frame(b"\x00", 8),
}


@contextlib.asynccontextmanager
async def sleeper(stage: Stage) -> AsyncIterator[Listener]:
    """Connect a client that reads nothing, over a socket with little room, but is a real client when it wakes up."""
    raw = socket.socket()
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    raw.setblocking(False)
    await asyncio.get_running_loop().sock_connect(raw, ("127.0.0.1", stage.port))
    async with connect(stage.url, sock=raw, max_queue=1, ping_interval=None) as connection:
        client = Listener(connection)
        await client.greeting()
        await client.ask("subscribe", types=["label", "change", "segment", "spectrum", "mark"])
        yield client


async def listen(client: Listener, last: int) -> list[dict[str, Any]]:
    """Collect what a healthy client gets up to a label."""
    told = await client.greeting()
    while told[-1].get("seq", 0) < last:
        told.append(await client.get())
    return told


def events(told: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the changes, segments and marks among messages."""
    return [message for message in told if message["type"] in ("change", "segment", "mark")]


def labels(told: list[dict[str, Any]]) -> list[int]:
    """Return the numbers of the labels among messages."""
    return [message["seq"] for message in told if message["type"] == "label"]


@pytest.mark.slow
async def test_two_hundred_clients() -> None:
    """The healthy miss no event and no newest label, the sleeping catch up, and nothing remains of any of them."""
    async with staged() as stage:
        before = asyncio.all_tasks()
        async with contextlib.AsyncExitStack() as crowd:
            enter = crowd.enter_async_context
            metronome = await enter(stage.listener())
            healthy = [await enter(stage.listener()) for _ in range(HEALTHY)]
            sleepers = [await enter(sleeper(stage)) for _ in range(SLEEPERS)]
            for _ in range(STALLED):
                await enter(stage.stalled("label", "change", "segment", "mark", "spectrum"))
            attacks = 4 * list(HOSTILE)
            async with asyncio.TaskGroup() as tasks:
                listening = [tasks.create_task(listen(client, HOPS)) for client in healthy]
                for seq in range(1, HOPS + 1):
                    if attacks:
                        _, writer = await enter(stage.raw())
                        writer.write(HOSTILE[attacks.pop()])
                    if seq % 10 == 0:
                        _, writer = await enter(stage.plain())
                        writer.write(b"GET /ws HTTP/1.1\r\nHost:" * (seq % 20 // 10))
                    stage.hop(seq, ("violin", "flute", None)[seq // 2 % 3])
                    stage.server.publish(SPECTRUM)
                    while (await metronome.until("label"))[-1]["seq"] < seq:
                        pass
            expected = events([json.loads(encode(message)) for message in stage.published])
            assert len(expected) == HOPS  # a change and a segment every other hop

            for task in listening:
                told = task.result()
                assert events(told) == expected
                assert labels(told) == sorted(set(labels(told)))
                assert labels(told)[-1] == HOPS

            for client in sleepers:
                told = await client.until("label")
                while told[-1]["seq"] < HOPS:
                    told += await client.until("label")
                assert events(told) == expected
                assert labels(told) == sorted(set(labels(told)))
                assert len(labels(told)) < HOPS / 4, "old labels were kept for a client that slept"

            assert stage.server.clients >= 1 + HEALTHY + SLEEPERS + STALLED
            assert b"soloist_slow_clients_total 0.0" in stage.metrics.text()
            del client
        await gone(before)
        assert stage.server.clients == 0
        del enter, crowd, metronome, healthy, sleepers, listening, writer
        gc.collect()
        assert not stage.server._connections


async def test_sleeper_is_told_why_it_is_closed() -> None:
    """A client that wakes up after its events were full gets what fitted, in order, and then code 1013."""
    async with staged() as stage, sleeper(stage) as client, stage.listener() as metronome:
        await metronome.greeting()
        for seq in range(1, 11):
            stage.hop(seq)
            stage.server.publish(SPECTRUM)
            await metronome.until("label")
        for count in range(CAPACITY + 1):
            assert stage.server.clients == 2
            stage.server.publish(Mark(0.0, f"{count}"))
            await metronome.until("mark")
        assert stage.server.clients == 1
        told: list[dict[str, Any]] = []
        code, reason = await client.closed(told)
        assert (code, reason) == (CloseCode.TRY_AGAIN_LATER, "too slow: events wait and are not taken")
        marks = [message["text"] for message in events(told)]
        assert marks == [f"{count}" for count in range(len(marks))]


async def test_newcomers_are_served_while_others_flood() -> None:
    """A client that comes in the midst of floods is greeted, and its requests are answered."""
    async with staged() as stage, contextlib.AsyncExitStack() as crowd:
        for kind in 3 * ["ping storm", "history storm", "subscription storm"]:
            _, writer = await crowd.enter_async_context(stage.raw())
            writer.write(HOSTILE[kind])
        async with stage.listener() as client:
            assert [message["type"] for message in await client.greeting()] == ["hello", "status", "label"]
            assert await client.ask("ping") == {"type": "pong"}
