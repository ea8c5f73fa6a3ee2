"""TLS between TCP and the WebSocket: what comes in any pieces, much that goes out, and every kind of end."""

from __future__ import annotations

import asyncio
import json
import socket
import ssl
from asyncio.sslproto import SSLProtocol

import pytest
from websockets.asyncio.client import connect

from stream.protocol.encoding import encode
from stream.protocol.messages import Mark, Spectrum
from stream.protocol.outbox import CAPACITY
from stream.server import tls
from stream.server.connection_limits import ConnectionLimiter
from stream.server.tls import TLSTransport
from tests.support.certificates import Certificate
from tests.support.serving import PATIENCE, Stage, frame
from tools.assault import SHAKE, Tunnel, fortified

BULK = Spectrum(0.25, [[-90.1234] * 129] * 200)
"""More than a hundred thousand characters, so several records of TLS."""
REQUEST = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"


def upgrade(stage: Stage) -> bytes:
    """Return a request for a WebSocket."""
    return "\r\n".join(["GET /ws HTTP/1.1", f"Host: {stage.address}", *SHAKE, "", ""]).encode()


async def test_asyncio_stays_as_it_is(certificate: Certificate) -> None:
    """Serving with TLS changes nothing that other TLS connections of the process have."""
    before = dict(vars(SSLProtocol))
    async with fortified(certificate) as (stage, trust), connect(f"wss://{stage.address}/ws", ssl=trust) as client:
        await client.recv()
        assert dict(vars(SSLProtocol)) == before


@pytest.mark.parametrize("size", [1, 7, 1000])
async def test_tls_comes_in_any_pieces(size: int, certificate: Certificate) -> None:
    """However the records of a client are cut apart, it is understood."""
    async with fortified(certificate) as (stage, trust), stage.plain() as (reader, writer), asyncio.timeout(PATIENCE):
        received, sent = ssl.MemoryBIO(), ssl.MemoryBIO()
        client = trust.wrap_bio(received, sent, server_hostname="localhost")
        answer = b""
        is_asked = False
        while b"ok" not in answer:
            try:
                if not is_asked:
                    client.do_handshake()
                    client.write(REQUEST)
                    is_asked = True
                answer += client.read(65_536)
            except ssl.SSLWantReadError:
                data = sent.read()
                for start in range(0, len(data), size):
                    writer.write(data[start : start + size])
                    await asyncio.sleep(0)
                received.write(await reader.read(size))
        assert answer.startswith(b"HTTP/1.1 200 ")


async def test_several_records_make_one_message(certificate: Certificate) -> None:
    """A message longer than a record arrives as it was, and the next one behind it."""
    async with fortified(certificate) as (stage, trust), connect(f"wss://{stage.address}/ws", ssl=trust) as client:
        for _ in range(3):
            await client.recv()
        await client.send(json.dumps({"type": "subscribe", "types": ["spectrum", "mark"]}))
        await client.recv()
        for number in range(3):
            stage.server.publish(BULK)
            stage.server.publish(Mark(float(number), "bridge"))
        assert len(encode(BULK)) > 6 * 16_384
        async with asyncio.timeout(PATIENCE):
            told = [await client.recv()]
            while told[-1] != encode(Mark(2.0, "bridge")):
                told.append(await client.recv())
        assert [it for it in told if "mark" in str(it)[:20]] == [encode(Mark(float(it), "bridge")) for it in range(3)]
        # A spectrum is a state: the newest one is told in any case, older ones may be left out.
        assert {it for it in told if "mark" not in str(it)[:20]} == {encode(BULK)}


async def test_stalled_client_is_closed_with_tls(certificate: Certificate) -> None:
    """A client that takes nothing is given up when its events are full, and does not stay for long."""
    async with fortified(certificate) as (stage, trust), stage.plain() as raw, asyncio.timeout(PATIENCE):
        client = Tunnel(raw, trust)
        await client.shake()
        client.write(upgrade(stage))
        while b'"label"' not in await client.read(65_536):
            pass
        client.write(frame(b'{"type":"subscribe","types":["spectrum","mark"]}'))
        while b'"label"' not in await client.read(65_536):
            pass
        raw[1].transport.pause_reading()  # type: ignore[attr-defined]
        for number in range(30):  # more than a socket holds
            stage.server.publish(BULK)
            stage.hop(number)
        for number in range(CAPACITY + 1):
            stage.server.publish(Mark(float(number), "x" * 200))
        assert stage.server.clients == 0
        assert b"soloist_slow_clients_total 1.0" in stage.metrics.text()
        await stage.emptied()


async def test_end_is_told_by_tls(certificate: Certificate) -> None:
    """An answer ends with the end of TLS, so that nobody can cut it off unnoticed."""
    async with fortified(certificate) as (stage, trust), stage.plain() as (reader, writer), asyncio.timeout(PATIENCE):
        received, sent = ssl.MemoryBIO(), ssl.MemoryBIO()
        client = trust.wrap_bio(received, sent, server_hostname="localhost")
        is_asked, answer = False, [b"nothing yet"]
        while answer[-1]:  # an error unless TLS tells the end
            try:
                if not is_asked:
                    client.do_handshake()
                    client.write(REQUEST)
                    is_asked = True
                answer.append(client.read(65_536))
            except ssl.SSLWantReadError:
                writer.write(sent.read())
                data = await reader.read(65_536)
                received.write(data) if data else received.write_eof()
        assert b"HTTP/1.1 200 " in b"".join(answer)
        assert await reader.read() == b""
        writer.close()
        await stage.emptied()


@pytest.mark.parametrize("is_shaken", [True, False])
async def test_client_that_does_not_hang_up_after_tls_is_cut(
    is_shaken: bool, certificate: Certificate, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where TLS has ended, by either side's will or by a mistake, TCP ends soon, also if the client keeps it."""
    monkeypatch.setattr(tls, "SHUTDOWN_SECONDS", 0.05)
    async with fortified(certificate) as (stage, trust), stage.plain() as raw:
        client = Tunnel(raw, trust)
        if is_shaken:
            await client.shake()
            client.write(upgrade(stage))
            while b'"label"' not in await client.read(65_536):
                pass
            raw[1].write(client.farewell())
        else:
            raw[1].write(bytes(range(256)))
            assert b"HTTP" not in await raw[0].read()
        await stage.emptied()


async def test_page_that_is_taken_slowly_arrives(certificate: Certificate, monkeypatch: pytest.MonkeyPatch) -> None:
    """A page longer than what the network takes at once has as much time as a request, not only that of an end."""
    monkeypatch.setattr(tls, "SHUTDOWN_SECONDS", 0.05)
    raw = socket.socket()
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
    raw.setblocking(False)
    async with fortified(certificate) as (stage, trust), asyncio.timeout(PATIENCE):
        page = max(stage.server._handshake._responder._pages.items(), key=lambda it: len(it[1].content))
        await asyncio.get_running_loop().sock_connect(raw, ("127.0.0.1", stage.port))
        reader, writer = await asyncio.open_connection(sock=raw, limit=1024)
        client = Tunnel((reader, writer), trust)
        await client.shake()
        client.write(f"GET {page[0]} HTTP/1.1\r\nHost: {stage.address}\r\n\r\n".encode())
        while not any(it.is_closing() for it in stage.server._tls_transports):  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.01)
        (transport,) = stage.server._tls_transports
        assert transport.get_write_buffer_size()
        await asyncio.sleep(0.2)
        answer = b""
        while data := await client.read(65_536):
            answer += data
        assert answer.endswith(page[1].content)
        writer.close()
        await stage.emptied()


async def test_end_of_tcp_alone_is_the_end(certificate: Certificate) -> None:
    """A client that ends TCP and says nothing of it in TLS is gone at once."""
    async with fortified(certificate) as (stage, trust), stage.plain() as raw, asyncio.timeout(PATIENCE):
        client = Tunnel(raw, trust)
        await client.shake()
        client.write(upgrade(stage))
        while b'"label"' not in await client.read(65_536):
            pass
        assert stage.server.clients == 1
        client.write_eof()
        while await client.read(65_536):
            pass
        await stage.emptied()


async def test_what_is_sent_behind_a_mistake_is_not_kept(certificate: Certificate) -> None:
    """A client that goes on and on after what was no TLS costs nothing more, and is cut."""
    async with fortified(certificate) as (stage, _), stage.plain() as (_, writer):
        (transport,) = [*stage.server._tls_transports] or [None]
        try:
            async with asyncio.timeout(PATIENCE):
                while True:
                    writer.write(b"\x16\x03\x01\xff\xff" * 20_000)
                    await writer.drain()
                    if transport is None:
                        (transport,) = [*stage.server._tls_transports] or [None]
                    assert transport is None or transport._received.pending < 100_000
        except ConnectionError:
            pass
        await stage.emptied()


async def test_connection_that_is_ended_before_it_begins(certificate: Certificate) -> None:
    """What is to end before asyncio has told of its beginning ends then."""
    limiter = ConnectionLimiter(10, 10)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made: list[TLSTransport] = []

    def make() -> TLSTransport:
        made.append(TLSTransport(limiter, context, lambda: pytest.fail("there is no TLS"), 10.0))
        made[0].abort()
        return made[0]

    ours, theirs = socket.socketpair()
    with theirs:
        theirs.settimeout(PATIENCE)
        await asyncio.get_running_loop().connect_accepted_socket(make, ours)
        assert await asyncio.to_thread(theirs.recv, 10) == b""
    assert made[0].is_closing()
    assert len(limiter) == 0
