"""Random attacks over the network, the same every time; `python -m tools.assault` goes on for as long as one likes."""

from __future__ import annotations

import asyncio
import logging
import random

import pytest

from tests.support.certificates import Certificate
from tests.support.serving import PATIENCE, frame, staged
from tools.assault import SHAKE, Tunnel, assault, fortified, settled


@pytest.mark.parametrize("seed", [1, 2])
async def test_server_stands_attacks(seed: int, caplog: pytest.LogCaptureFixture) -> None:
    """Whatever is sent, the answers are proper, a healthy client misses nothing, and nothing is left of it."""
    async with staged() as stage:
        before = asyncio.all_tasks()
        with caplog.at_level(logging.WARNING):
            seen = await assault(stage, random.Random(seed), 400)
            await settled(stage)
        assert seen.total() == 400
        assert {"frames", "400", "101", "200"} <= seen.keys()
        assert asyncio.all_tasks() <= before
        assert not caplog.records
        assert stage.server.clients == 0


@pytest.mark.parametrize("seed", [3])
async def test_server_stands_attacks_with_tls(
    seed: int, certificate: Certificate, caplog: pytest.LogCaptureFixture
) -> None:
    """The same through TLS, and on TLS itself."""
    async with fortified(certificate) as (stage, trust):
        before = asyncio.all_tasks()
        with caplog.at_level(logging.WARNING):
            seen = await assault(stage, random.Random(seed), 320, trust)
            await settled(stage)
        assert seen.total() == 320
        assert {"frames", "400", "101", "200", "torn"} <= seen.keys()
        assert asyncio.all_tasks() <= before
        assert not caplog.records


REQUEST = b"GET / HTTP/1.1\r\n" + b"".join(b"X: %s\r\n" % (size * b"y") for size in (7000, 7000, 2500))


@pytest.mark.parametrize(
    ("shaken", "said"),
    [(True, b"\xff" * 10_000), (False, b"G" * 30_000), (False, REQUEST + b"no colon\r\n"), (False, 3 * REQUEST)],
    ids=["frames", "method", "no colon", "long"],
)
async def test_end_of_tls_behind_a_mistake(
    shaken: bool, said: bytes, certificate: Certificate, caplog: pytest.LogCaptureFixture
) -> None:
    """Who makes a mistake, goes on for long and ends TLS, all at once, is no fault of the server."""
    async with fortified(certificate) as (stage, trust), stage.plain() as raw, asyncio.timeout(PATIENCE):
        tunnel = Tunnel(raw, trust)
        await tunnel.shake()
        if shaken:
            tunnel.write("\r\n".join(["GET /ws HTTP/1.1", f"Host: {stage.address}", *SHAKE, "", ""]).encode())
            while b'"label"' not in await tunnel.read(65_536):
                pass
        raw[1].write(tunnel.records(said) + tunnel.farewell())
        while await raw[0].read(65_536):
            pass
        await settled(stage)
    assert not caplog.records


@pytest.mark.parametrize("cut", [1, 7, 40, 4096])
async def test_request_comes_in_any_pieces(cut: int) -> None:
    """A request is understood wherever it was cut apart."""
    async with staged() as stage:
        text = f"GET /healthz HTTP/1.1\r\nHost: {stage.address}\r\nX: {'y' * 5000 * (cut > 1)}\r\n\r\n".encode()
        async with stage.plain() as (reader, writer):
            for start in range(0, len(text), cut):
                writer.write(text[start : start + cut])
                await writer.drain()
                await asyncio.sleep(0)
            assert (await reader.read()).startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize(("upgrade", "status"), [(True, 400), (False, 200)])
async def test_frames_before_the_answer_are_not_read(upgrade: bool, status: int) -> None:
    """Frames that come with the handshake end it; another request behind the first is passed over."""
    async with staged() as stage, stage.plain() as (reader, writer):
        shake = f"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: {'A' * 22}==\r\n" if upgrade else ""
        request = f"GET /{'ws' * upgrade} HTTP/1.1\r\nHost: {stage.address}\r\n{shake}Sec-WebSocket-Version: 13\r\n\r\n"
        writer.write(request.encode() + frame(b"x", 9) + frame(b"", 8) + request.encode())
        answer = await reader.read()
        assert answer.startswith(f"HTTP/1.1 {status} ".encode())
        assert answer.count(b"HTTP/1.1") == 1
