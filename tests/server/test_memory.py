"""What a client holds of the server's memory: little while it takes nothing, and nothing once it is gone."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
import socket
from collections.abc import AsyncIterator, Callable

import pytest
from websockets.asyncio.client import ClientConnection, connect

from stream.protocol.messages import Mark, Spectrum
from stream.protocol.outbox import CAPACITY, STATES
from stream.protocol.requests import TYPES
from tests.support.certificates import Certificate
from tests.support.serving import PATIENCE, Stage, staged
from tools.assault import fortified

SPECTRUM = Spectrum(0.25, [[-90.1234] * 129] * 12)
MARK = Mark(0.0, "\N{SAXOPHONE}" * 200)
"""The longest one."""


async def until(is_so: Callable[[], bool]) -> None:
    """Wait for what nobody tells."""
    async with asyncio.timeout(PATIENCE):
        while not is_so():  # noqa: ASYNC110
            await asyncio.sleep(0.01)


@contextlib.asynccontextmanager
async def stalled(certificate: Certificate | None) -> AsyncIterator[tuple[Stage, ClientConnection]]:
    """Serve one client, with TLS or without, that has asked for everything and reads nothing."""
    async with contextlib.AsyncExitStack() as stack:
        if certificate is None:
            stage, options = await stack.enter_async_context(staged()), {}
        else:
            stage, trust = await stack.enter_async_context(fortified(certificate))
            options = {"ssl": trust, "server_hostname": "localhost"}
        for _ in range(250):  # a history with as many as it holds
            stage.server.publish(MARK)
        raw = socket.socket()
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        raw.setblocking(False)
        await asyncio.get_running_loop().sock_connect(raw, ("127.0.0.1", stage.port))
        url = stage.url.replace("ws:", "wss:") if options else stage.url
        client = await stack.enter_async_context(connect(url, sock=raw, max_queue=1, close_timeout=0, **options))
        client.transport.pause_reading()
        await client.send(json.dumps({"type": "subscribe", "types": sorted(TYPES)}))
        await until(lambda: any(it.subscription.types == TYPES for it in stage.server._subscribers))
        await client.send('{"type":"history","seconds":1e9}')
        await until(lambda: any(unsent(stage)))
        yield stage, client


def unsent(stage: Stage) -> list[int]:
    """How many bytes wait below the queue of each client."""
    return [it.connection.transport.get_write_buffer_size() for it in stage.server._subscribers]


@pytest.mark.parametrize("encrypted", [False, True])
async def test_a_client_that_takes_nothing_holds_little(encrypted: bool, certificate: Certificate) -> None:
    """Half a megabyte of history and all that is published wait as what everybody shares, but for some kilobytes."""
    async with stalled(certificate if encrypted else None) as (stage, _):
        below = []
        for seq in range(1, 60):
            stage.server.publish(SPECTRUM)
            stage.hop(seq, "violin" if seq % 2 else "flute")
            await asyncio.sleep(0)
            below += unsent(stage)
        assert len(below) == 59
        assert max(below) < 20_000
        (subscriber,) = stage.server._subscribers
        assert 100 < len(subscriber._outbox) <= CAPACITY + len(STATES)


@pytest.mark.parametrize("encrypted", [False, True])
async def test_nothing_of_a_lost_client_waits_for_the_collector(encrypted: bool, certificate: Certificate) -> None:
    """A client that vanishes in the middle of a message leaves nothing, though no garbage is collected."""
    gc.collect()
    gc.disable()  # full collections are minutes apart in a service
    try:
        async with stalled(certificate if encrypted else None) as (stage, client):
            assert len(stage.server._connections) == 1
            client.transport.abort()
            await until(lambda: not stage.server._connections and not stage.server._tls_transports)
    finally:
        gc.enable()
