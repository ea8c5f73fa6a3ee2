"""Clients of other makes see what the protocol says: Node's ws, curl, websocat. Browsers have tests of their own."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
from asyncio.subprocess import PIPE
from pathlib import Path
from typing import Any

import pytest

from stream.protocol.messages import Mark
from tests.server.test_network_access import encrypted
from tests.support.certificates import Certificate
from tests.support.serving import PATIENCE, check, staged

SCRIPT = Path(__file__).with_name("foreign.mjs")
KEY = "dGhlIHNhbXBsZSBub25jZQ=="
"""The example of RFC 6455, with the answer to it."""
ACCEPT = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="


def need(program: str, why: str) -> None:
    """Skip where a program is not installed."""
    if shutil.which(program) is None:
        pytest.skip(f"{program} is not installed; {why}")


@pytest.fixture(scope="module")
def ws() -> str:
    """Where Node finds its package ws."""
    need("node", "it runs ws")
    for place in (os.environ.get("WS_FROM"), str(SCRIPT), "/usr/share/nodejs/"):
        probe = "require('node:module').createRequire(process.argv[1]).resolve('ws')"
        if place and subprocess.run(["node", "-e", probe, place], capture_output=True).returncode == 0:
            return place
    pytest.skip("Node's ws is not installed: npm install ws in some folder, and WS_FROM=FOLDER/")


async def run(*command: str, **env: str) -> str:
    """Run a client to its end; return what it wrote."""
    process = await asyncio.create_subprocess_exec(*command, stdout=PIPE, stderr=PIPE, env={**os.environ, **env})
    try:
        async with asyncio.timeout(PATIENCE):
            out, err = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return (out + err).decode()


async def node(ws: str, *arguments: str, **env: str) -> list[Any]:
    """Run the client of Node; return what it saw."""
    out = await run("node", str(SCRIPT), *arguments, WS_FROM=ws, **env)
    return [json.loads(line) for line in out.splitlines()]


async def test_node_subscribes(ws: str) -> None:
    """Node's ws gets every message whole, sends in parts, is answered a ping, and is closed with the proper code."""
    async with staged() as stage:
        for number in range(100):
            stage.server.publish(Mark(float(number), "x" * 200))
        stage.time = 100.0
        seen = await node(ws, stage.url)
        assert seen[0] == ["open", ""], "an extension was agreed on"
        messages = [message for kind, *rest in seen if kind == "message" for binary, message in [rest] if not binary]
        for message in messages:
            check(json.dumps(message))
        assert [it["type"] for it in messages] == ["hello", "status", "label", "label", "history", "error"]
        assert len(messages[4]["marks"]) == 100
        assert messages[5]["code"] == "bad-message"
        assert ["pong", "are you there"] in seen
        assert seen[-1][:2] == ["close", 1009]


async def test_node_without_the_token_is_closed(ws: str) -> None:
    """With a wrong token ws is told unauthorized and closed with code 1008, with the right one it is let in."""
    async with staged(token="secret") as stage:
        seen = await node(ws, stage.url, "wrong")
        assert [it[2]["code"] for it in seen if it[0] == "message"] == ["wrong-token"]
        assert seen[-1] == ["close", 1008, "unauthorized: wrong token"]
        seen = await node(ws, stage.url, "secret")
        assert seen[1][2]["type"] == "hello"


async def test_node_is_refused_from_other_pages(ws: str) -> None:
    """With the Origin of another page ws gets status 403, with that of the server's own a connection."""
    async with staged() as stage:
        assert (await node(ws, stage.url, WS_ORIGIN="http://evil.example"))[0] == ["refused", 403]
        assert (await node(ws, stage.url, WS_ORIGIN=f"http://{stage.address}"))[0][0] == "open"
    async with staged(connections=1) as stage, stage.listener():
        assert (await node(ws, stage.url))[0] == ["refused", 503]


async def test_node_by_tls(ws: str, certificate: Certificate) -> None:
    """Node's ws connects by TLS when it knows the authority."""
    async with encrypted(certificate) as stage:
        url = stage.url.replace("ws:", "wss:")
        assert (await node(ws, url, NODE_EXTRA_CA_CERTS=str(certificate.certificate)))[0] == ["open", ""]
        assert (await node(ws, url))[-1][:2] == ["close", 1006]


UPGRADE = ["Connection: Upgrade", "Upgrade: websocket", f"Sec-WebSocket-Key: {KEY}", "Sec-WebSocket-Version: 13"]


def headers(*fields: str) -> list[str]:
    """Return arguments of curl."""
    return [argument for field in fields for argument in ("-H", field)]


async def curl(until: bytes, *arguments: str) -> str:
    """Run curl until it has written something; return all that it wrote."""
    process = await asyncio.create_subprocess_exec("curl", "-isN", *arguments, stdout=PIPE)
    assert process.stdout is not None
    try:
        async with asyncio.timeout(PATIENCE):
            return (await process.stdout.readuntil(until)).decode("latin-1")
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


async def test_curl_shakes_hands() -> None:
    """An upgrade by curl is answered as the standard's own example, and by the first messages."""
    need("curl", "its handshake is tried")
    async with staged() as stage:
        out = await curl(b'{"type":"label"', *headers(*UPGRADE), f"http://{stage.address}/ws")
        head, _, body = out.partition("\r\n\r\n")
        assert head.startswith("HTTP/1.1 101 Switching Protocols\r\n")
        assert f"Sec-WebSocket-Accept: {ACCEPT}" in head.split("\r\n")
        assert body.startswith("\x81\x7e"), "no text frame without a mask"
        assert body.index('{"type":"hello"') < body.index('{"type":"status"')


@pytest.mark.parametrize(
    ("fields", "path", "status"),
    [
        (UPGRADE, "/ws?token=x", 101),
        (UPGRADE, "/", 200),
        (UPGRADE, "/socket", 404),
        ([], "/ws", 426),
        (UPGRADE[:2], "/ws", 400),
        (UPGRADE[1:], "/ws", 426),
        ([*UPGRADE[:3], "Sec-WebSocket-Version: 8"], "/ws", 400),
        ([*UPGRADE[:2], "Sec-WebSocket-Key: short", UPGRADE[3]], "/ws", 400),
        ([*UPGRADE, "Origin: http://evil.example"], "/ws", 403),
        ([*UPGRADE, "Origin: null"], "/ws", 403),
        ([*UPGRADE, "Host: evil.example"], "/ws", 421),
        ([*UPGRADE, "Host: localhost"], "/ws", 101),
    ],
)
async def test_curl_gets_the_proper_status(fields: list[str], path: str, status: int) -> None:
    """Whatever curl asks for, its status says what became of it."""
    need("curl", "its requests are tried")
    async with staged() as stage:
        out = await curl(b"\r\n", *headers(*fields), f"http://{stage.address}{path}")
        assert out.startswith(f"HTTP/1.1 {status} ")


async def test_curl_with_a_body_or_another_version(certificate: Certificate) -> None:
    """A curl that posts, offers HTTP/2 or insists on 1.0 gets a proper answer, by TLS, too."""
    need("curl", "its requests are tried")
    status = ("-s", "-o", os.devnull, "-w", "%{http_code} %{http_version}")
    async with staged() as stage:
        assert await run("curl", *status, "--http2", f"http://{stage.address}/healthz") == "200 1.1"
        assert await run("curl", *status, "--http1.0", f"http://{stage.address}/healthz") == "200 1.1"
        assert await run("curl", *status, "-X", "DELETE", f"http://{stage.address}/") == "405 1.1"
        assert (await run("curl", *status, "-d", "x=1", f"http://{stage.address}/"))[:3] == "000"
        assert await run("curl", *status, "--path-as-is", f"http://{stage.address}/../../etc/passwd") == "404 1.1"
    async with encrypted(certificate) as stage:
        trust = ("--cacert", str(certificate.certificate))
        assert await run("curl", *status, *trust, f"https://{stage.address}/healthz") == "200 1.1"
        assert (await run("curl", *status, f"https://{stage.address}/healthz"))[:3] == "000"


async def test_websocat_subscribes() -> None:
    """To websocat come the first messages, a line each."""
    need("websocat", "Debian 12 has none")
    async with staged() as stage:
        process = await asyncio.create_subprocess_exec("websocat", stage.url, stdin=PIPE, stdout=PIPE)
        assert process.stdout is not None
        try:
            async with asyncio.timeout(PATIENCE):
                lines = [await process.stdout.readline() for _ in range(3)]
        finally:
            process.terminate()
            await process.wait()
        assert [check(line.decode())["type"] for line in lines] == ["hello", "status", "label"]
