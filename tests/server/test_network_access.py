"""The server's door: names, pages, limits, TLS, and a token that is in no log."""

from __future__ import annotations

import asyncio
import contextlib
import json
import resource
import signal
import socket
import ssl
import struct
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from stream.client import Client, Disconnected
from stream.errors import ConfigError, RefusedError
from stream.protocol.messages import Hello, Mark
from stream.server import connection_limits, open_files, server, subscriber
from stream.server.access import tls_context
from stream.server.connection import REQUEST_BYTES
from tests.service.test_reload import complaint
from tests.support.certificates import Certificate, make
from tests.support.processes import SOLOIST, serving, soloist
from tests.support.serving import PATIENCE, Stage, gone, staged

UPGRADE = ("Upgrade: websocket", "Connection: Upgrade", f"Sec-WebSocket-Key: {'A' * 22}==", "Sec-WebSocket-Version: 13")
PATHS = ("/", "/app.js", "/overlay", "/healthz", "/metrics", "/ws", "/nothing")


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    """A server that has something to tell."""
    async with staged() as stage:
        yield stage


async def ask(stage: Stage, *lines: str, tls: ssl.SSLContext | None = None) -> tuple[int, dict[str, str], str]:
    """Send a request of exactly these lines; return status, header and body, or what came until it was upgraded."""
    reader, writer = await asyncio.open_connection("127.0.0.1", stage.port, ssl=tls)
    try:
        async with asyncio.timeout(PATIENCE):
            writer.write("\r\n".join([*lines, "", ""]).encode("latin-1"))
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            first, *fields = head.strip().split("\r\n")
            header = dict(field.split(": ", 1) for field in fields)
            status = int(first.split()[1])
            return status, header, "" if status == 101 else (await reader.read()).decode()
    finally:
        writer.transport.abort()


async def test_server_goes_by_its_own_names_only() -> None:
    """A request for another name is refused whatever it asks for, with the token, too, and is told what to set."""
    async with staged(token="secret", names=frozenset({"desk"})) as stage:
        bearer = "Authorization: Bearer secret"
        for path in PATHS:
            for fields in ((bearer,), (bearer, *UPGRADE)):
                answer = await ask(stage, f"GET {path} HTTP/1.1", f"Host: evil.example:{stage.port}", *fields)
                assert answer[0] == 421
                assert "its setting hosts can name it so" in answer[2]
                for host in ("desk", f"127.0.0.1:{stage.port}", "[::1]", "localhost:1"):
                    assert (await ask(stage, f"GET {path} HTTP/1.1", f"Host: {host}", bearer))[0] != 421
        for hosts in ([], ["Host: localhost", "Host: localhost"]):
            assert (await ask(stage, "GET / HTTP/1.1", *hosts))[0] == 400
        assert stage.server.clients == 0
        assert b'soloist_refused_connections_total{reason="host"}' in stage.metrics.text()


async def test_no_answer_repeats_what_could_harm(stage: Stage) -> None:
    """A name that is refused is repeated as plain text without control characters."""
    _, header, body = await ask(stage, "GET / HTTP/1.1", "Host: \x9b]0;<script>\xff")
    assert header["Content-Type"] == "text/plain; charset=utf-8"
    assert header["X-Content-Type-Options"] == "nosniff"
    assert body.strip().isprintable()
    assert body.isascii()


async def test_pages_of_others_may_not_connect() -> None:
    """A browser may open a socket from the server's own pages and those that were set, and from nowhere else."""
    async with staged(origins=frozenset({"https://desk.example:443"})) as stage:
        host = f"Host: 127.0.0.1:{stage.port}"
        for page, expected in (
            (None, 101),
            (f"http://127.0.0.1:{stage.port}", 101),
            ("https://desk.example", 101),
            (f"http://localhost:{stage.port}", 403),
            ("http://evil.example", 403),
            ("http://127.0.0.1", 403),
            ("null", 403),
            ("", 403),
        ):
            fields = [] if page is None else [f"Origin: {page}"]
            status, _, body = await ask(stage, "GET /ws HTTP/1.1", host, *UPGRADE, *fields)
            assert status == expected, page
            assert (expected == 101) == (body == "")
        own = f"Origin: http://127.0.0.1:{stage.port}"
        assert (await ask(stage, "GET /ws HTTP/1.1", host, *UPGRADE, own, own))[0] == 403
        assert (await ask(stage, "GET /ws HTTP/1.1", host, *UPGRADE, own, "Origin: http://evil.example"))[0] == 403
        # It is the host that is told, not another one before a proxy.
        forged = ("X-Forwarded-Host: evil.example", "Forwarded: host=evil.example")
        assert (await ask(stage, "GET /ws HTTP/1.1", host, *UPGRADE, "Origin: http://evil.example", *forged))[0] == 403


async def test_pages_are_confined(stage: Stage) -> None:
    """Every answer forbids what the pages do not need; only origins that browsers trust get what these alone take."""
    for path in PATHS:
        _, header, _ = await ask(stage, f"GET {path} HTTP/1.1", f"Host: {stage.address}")
        policy = header["Content-Security-Policy"].split("; ")
        assert policy[0] == "default-src 'none'"
        assert {"script-src 'self'", "form-action 'none'", "base-uri 'none'", "frame-ancestors 'none'"} <= {*policy}
        assert not any("unsafe" in rule or "*" in rule for rule in policy)
        assert header["Cross-Origin-Resource-Policy"] == "same-origin"
        assert "camera=()" in header["Permissions-Policy"]
        assert header["Cross-Origin-Opener-Policy"] == "same-origin"
        assert (header.get("Cache-Control") == "no-store") == (path in ("/healthz", "/metrics"))
        _, header, _ = await ask(stage, f"GET {path} HTTP/1.1", "Host: 203.0.113.7")
        assert "Cross-Origin-Opener-Policy" not in header


@pytest.mark.parametrize(
    ("ancestors", "policy", "old"),
    [
        ((), "'none'", "DENY"),
        (("'self'",), "'self'", "SAMEORIGIN"),
        (("'self'", "https://home.example:443"), "'self' https://home.example:443", None),
    ],
)
async def test_frames_are_those_that_are_named(ancestors: tuple[str, ...], policy: str, old: str | None) -> None:
    """Pages say once who may show them in a frame, and old browsers are told as much as they understand of it."""
    async with staged(frame_ancestors=ancestors) as stage:
        for path in ("/", "/overlay", "/index.html"):
            _, header, _ = await ask(stage, f"GET {path} HTTP/1.1", f"Host: {stage.address}")
            assert header["Content-Security-Policy"].split("; ")[-1] == f"frame-ancestors {policy}"
            assert header.get("X-Frame-Options") == old


@pytest.mark.parametrize("host", ["::", "[::]", "0::0"])
async def test_all_addresses_of_ipv6_are_those_of_ipv4_too(host: str) -> None:
    """Whoever listens on :: is reached by either version of IP, and each counts as what it is."""
    if not socket.has_dualstack_ipv6():
        pytest.skip("there is no IPv6 here")
    async with staged(host=host, token="secret") as stage:
        for place in ("127.0.0.1", "::1"):
            async with connect(f"ws://localhost:{stage.port}/ws", host=place) as connection:
                await connection.send('{"type":"auth","token":"secret"}')
                assert json.loads(await connection.recv())["type"] == "hello"
                assert stage.server._limiter._counts == {"loopback": 1}
            await stage.emptied()


async def test_limit_of_connections() -> None:
    """One client too many is told so at once, by its status; pages are served on, and when one leaves, one may come."""
    async with staged(connections=3) as stage, contextlib.AsyncExitStack() as crowd:
        clients = [await crowd.enter_async_context(stage.listener()) for _ in range(3)]
        for client in clients:
            await client.greeting()
        for _ in range(3):
            with pytest.raises(InvalidStatus) as error:
                await connect(stage.url)
            assert error.value.response.status_code == 503
            assert error.value.response.headers["Retry-After"] == "5"
        assert (await ask(stage, "GET /healthz HTTP/1.1", f"Host: {stage.address}"))[0] == 200
        assert b'soloist_refused_connections_total{reason="connections"} 3.0' in stage.metrics.text()
        await clients[0].connection.close()
        async with stage.listener() as late:
            await late.greeting()
            stage.hop(1)
            for client in (*clients[1:], late):
                assert (await client.get())["seq"] == 1


async def test_limit_of_an_address(monkeypatch: pytest.MonkeyPatch) -> None:
    """One client too many of an address is told so by its status, and a patient one gets in when another leaves."""
    monkeypatch.setattr(connection_limits, "network_of", lambda address: address)
    async with staged(per_address=2) as stage, stage.listener(), stage.listener() as other:
        with pytest.raises(InvalidStatus) as error:
            await connect(stage.url)
        assert error.value.response.status_code == 429
        async with Client(stage.address) as client, asyncio.timeout(PATIENCE):
            assert isinstance(await anext(client), Disconnected)
            await other.connection.close()
            while not isinstance(await anext(client), Hello):
                pass


async def test_who_does_not_say_the_token_makes_way() -> None:
    """When all places are taken, of those who have not said the token the oldest has to go; nobody else has to."""
    async with staged(connections=4, token="secret") as stage, contextlib.AsyncExitStack() as crowd:
        clients = [await crowd.enter_async_context(stage.listener()) for _ in range(2)]
        for client in clients:
            assert (await client.ask("auth", token="secret"))["type"] == "hello"
        strangers = [await crowd.enter_async_context(stage.raw()) for _ in range(6)]
        async with asyncio.timeout(PATIENCE):
            for reader, _ in strangers[:4]:
                with contextlib.suppress(ConnectionError):
                    assert await reader.read() == b""
        clients.append(await crowd.enter_async_context(stage.listener()))
        assert (await clients[-1].ask("auth", token="secret"))["type"] == "hello"
        bearer = {"Authorization": "Bearer secret"}
        clients.append(await crowd.enter_async_context(stage.listener(additional_headers=bearer)))
        for client in clients:
            await client.settled()
        for headers in ({}, bearer):
            with pytest.raises(InvalidStatus) as error:
                await connect(stage.url, additional_headers=headers)
            assert error.value.response.status_code == 503
        assert stage.server.clients == 4


async def test_wrong_tokens_are_counted() -> None:
    """A wrong token is counted wherever it is said; whoever says none where none is needed is not."""
    async with staged(token="secret") as stage:
        wrong = "Authorization: Bearer wrong"
        for path in PATHS:
            await ask(stage, f"GET {path} HTTP/1.1", "Host: localhost", wrong)
            await ask(stage, f"GET {path} HTTP/1.1", "Host: localhost")
        assert f'reason="token"}} {len(PATHS)}.0'.encode() in stage.metrics.text()
        before = asyncio.all_tasks()
        async with stage.listener(additional_headers={"Authorization": "Bearer wrong"}) as client:
            assert (await client.ask("auth", token="wrong"))["code"] == "wrong-token"
        await gone(before)
        assert f'reason="token"}} {len(PATHS) + 1}.0'.encode() in stage.metrics.text()


async def test_handshake_that_fails_takes_no_place() -> None:
    """Whoever asks for a socket in a wrong way is not counted."""
    async with staged(connections=1) as stage:
        for fields in (UPGRADE[:2], (*UPGRADE[:2], "Sec-WebSocket-Key: x", UPGRADE[3]), (*UPGRADE[:3], "X: y")):
            status, *_ = await ask(stage, "GET /ws HTTP/1.1", f"Host: {stage.address}", *fields)
            assert status == 400
        async with stage.listener() as client:
            await client.greeting()
        assert not stage.server._limiter._counts


async def test_those_who_ask_for_nothing_make_way() -> None:
    """Connections that never finish a request are few at any time, and keep nobody out."""
    async with staged(connections=8) as stage, contextlib.AsyncExitStack() as crowd:
        flood = [await crowd.enter_async_context(stage.plain()) for _ in range(90)]
        for _, writer in flood[::2]:
            writer.write(b"GET / HTTP/1.1\r\nHost: loc")
        async with stage.listener() as client, asyncio.timeout(PATIENCE):
            await client.greeting()
            for reader, _ in flood[:26]:
                with contextlib.suppress(ConnectionError):
                    assert await reader.read() == b""
        assert len(stage.server._limiter) <= 65


async def test_request_that_never_ends_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    """A request that comes by drops is cut off after its time, however steadily it comes."""
    monkeypatch.setattr(server, "HANDSHAKE_SECONDS", 0.3)
    async with staged() as stage, stage.plain() as (reader, writer), asyncio.timeout(PATIENCE):
        writer.write(b"GET / HTTP/1.1\r\n")
        answer = asyncio.create_task(reader.read())
        while not answer.done():
            writer.write(b"A: b\r\n")
            await asyncio.wait({answer}, timeout=0.05)
        with contextlib.suppress(ConnectionError):
            assert await answer == b""


async def test_long_request_is_refused(stage: Stage) -> None:
    """A request with fields of more than 16 KiB gets status 431, long before there are 128 of 8 KiB."""
    fields = [f"X-{number}: {'x' * 4000}" for number in range(10)]
    assert (await ask(stage, "GET / HTTP/1.1", f"Host: {stage.address}", *fields))[0] == 431
    assert (await ask(stage, "GET / HTTP/1.1", f"Host: {stage.address}", *fields[:3]))[0] == 200
    begin = ("GET / HTTP/1.1", "Host: localhost", f"X: {'x' * 7000}", f"Y: {'y' * 7000}", "Z: ")
    rest = REQUEST_BYTES - len("\r\n".join([*begin, "", ""]))
    for more, expected in ((0, 200), (1, 431)):
        assert (await ask(stage, *begin[:-1], f"Z: {'z' * (rest + more)}"))[0] == expected


async def test_histories_are_rationed(stage: Stage) -> None:
    """A client that asks for the history again and again is told so, and stays."""
    most = int(subscriber.HISTORIES[1])
    async with stage.listener() as client:
        await client.greeting()
        answers = [await client.ask("history", seconds=60) for _ in range(most + 1)]
        assert [it["type"] for it in answers] == ["history"] * most + ["error"]
        assert answers[-1]["code"] == "too-often"
        assert await client.ask("ping") == {"type": "pong"}


async def test_long_history_comes_in_pieces(stage: Stage) -> None:
    """The longest history is one message, however little of it is in memory at once."""
    for number in range(300):
        stage.server.publish(Mark(float(number), "\N{SAXOPHONE}" * 200))
    async with stage.listener(max_size=2**21) as client:
        await client.greeting()
        stage.time = 301.0
        history = await client.ask("history", seconds=1e6)
        assert len(json.dumps(history)) > 400_000
        assert history["marks"][-1] == {"type": "mark", "time": 299.0, "text": "\N{SAXOPHONE}" * 200}


async def test_marks_are_rationed(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither one client nor all together flood the others with marks; what is refused is told to who set it."""
    async with stage.listener() as calm, stage.listener() as busy:
        await calm.greeting()
        await busy.greeting()
        for number in range(50):
            await busy.say("mark", text=f"{number}")
        told = await busy.settled()
        heard = await calm.settled()
        assert [it["text"] for it in heard] == [f"{number}" for number in range(int(subscriber.MARKS[1]))]
        assert [it["code"] for it in told if it["type"] == "error"] == ["too-often"] * 30
        assert (await calm.ask("mark", text="bridge"))["text"] == "bridge"
        monkeypatch.setattr(stage.server._marks, "_left", 0.0)
        monkeypatch.setattr(stage.server._marks, "_rate", 0.0)
        assert (await calm.ask("mark", text="coda"))["code"] == "too-often"


@pytest.mark.parametrize("said", [b"", b"\x16\x03\x01\x02", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"])
async def test_flood_of_handshakes_of_tls(certificate: Certificate, said: bytes) -> None:
    """Connections that never finish TLS are few at any time, keep nobody out, and do not keep the server open."""
    trust = ssl.create_default_context(cafile=certificate.certificate)
    async with contextlib.AsyncExitStack() as crowd:
        async with (
            encrypted(certificate, connections=8) as stage,
            connect(f"wss://{stage.address}/ws", ssl=trust) as inside,
        ):
            before = asyncio.all_tasks()
            await inside.recv()
            flood = [await crowd.enter_async_context(stage.plain()) for _ in range(90)]
            for _, writer in flood:
                writer.write(said)
            async with asyncio.timeout(PATIENCE):
                assert (await ask(stage, "GET / HTTP/1.1", "Host: localhost", tls=trust))[0] == 200
                async with connect(f"wss://{stage.address}/ws", ssl=trust) as client:
                    await client.recv()
                for reader, _ in flood[:26]:
                    with contextlib.suppress(ConnectionError):
                        assert await reader.read() == b""
            stage.hop(1)
            while json.loads(await inside.recv()).get("seq") != 1:
                pass
            assert len(stage.server._limiter) <= 65
            assert b'soloist_refused_connections_total{reason="waiting"}' in stage.metrics.text()
        assert asyncio.all_tasks() <= before
        assert len(stage.server._limiter) == 0


async def test_tls_that_never_ends_is_cut(certificate: Certificate, monkeypatch: pytest.MonkeyPatch) -> None:
    """TLS that is not complete in its time is cut off, and nothing is left of it."""
    monkeypatch.setattr(server, "HANDSHAKE_SECONDS", 0.2)
    async with encrypted(certificate) as stage, asyncio.timeout(PATIENCE):
        before = asyncio.all_tasks()
        for said in (b"", b"\x16\x03\x01\x02\x00\x01"):
            async with stage.plain() as (reader, writer):
                writer.write(said)
                with contextlib.suppress(ConnectionError):
                    assert await reader.read() == b""
        await gone(before)
        await stage.emptied()
        assert len(stage.server._limiter) == 0
        assert not list(stage.server._tls_transports)


async def test_client_that_sleeps_in_tls_does_not_keep_the_service_from_ending(
    certificate: Certificate, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither the end of the WebSocket nor that of TLS is waited for longer than a moment when the service ends."""
    monkeypatch.setattr(server, "_CLOSE_SECONDS", 1e6)
    trust = ssl.create_default_context(cafile=certificate.certificate)
    async with contextlib.AsyncExitStack() as clients, asyncio.timeout(PATIENCE):
        async with encrypted(certificate) as stage:
            before = asyncio.all_tasks()
            reader, writer = await asyncio.open_connection("localhost", stage.port, ssl=trust)
            clients.callback(writer.transport.abort)
            writer.write("\r\n".join(["GET /ws HTTP/1.1", "Host: localhost", *UPGRADE, "", ""]).encode())
            await reader.readuntil(b'"label"')
            writer.transport.pause_reading()
        assert asyncio.all_tasks() <= before


async def test_client_that_resets_the_connection_is_no_fault_with_tls(
    certificate: Certificate, caplog: pytest.LogCaptureFixture
) -> None:
    """What is told to a client that is lost, before anybody knows, is not logged."""
    trust = ssl.create_default_context(cafile=certificate.certificate)

    def come(port: int) -> ssl.SSLSocket:
        client = trust.wrap_socket(socket.create_connection(("127.0.0.1", port)), server_hostname="localhost")
        client.sendall("\r\n".join(["GET /ws HTTP/1.1", "Host: localhost", *UPGRADE, "", ""]).encode())
        while b'"label"' not in client.recv(65_536):
            pass
        return client

    async with encrypted(certificate) as stage, asyncio.timeout(PATIENCE):
        before = asyncio.all_tasks()
        client = await asyncio.to_thread(come, stage.port)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        client.close()
        for number in range(1, 21):
            stage.hop(number)
        await gone(before)
    assert not caplog.records


@pytest.mark.slow
@pytest.mark.parametrize("end", ["close", "abort", "tell", "stay"])
async def test_request_that_comes_with_the_end_of_tls(certificate: Certificate, end: str) -> None:
    """A request in one packet with the last of TLS is answered, and nothing stays of a sender who leaves with it."""
    trust = ssl.create_default_context(cafile=certificate.certificate)
    async with encrypted(certificate) as stage, asyncio.timeout(PATIENCE):
        before = asyncio.all_tasks()
        async with stage.plain() as (reader, writer):
            received, sent = ssl.MemoryBIO(), ssl.MemoryBIO()
            client = trust.wrap_bio(received, sent, server_hostname="localhost")
            while True:
                try:
                    client.do_handshake()
                    break
                except ssl.SSLWantReadError:
                    writer.write(sent.read())
                    received.write(await reader.read(65_536))
            client.write(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
            if end == "tell":
                with contextlib.suppress(ssl.SSLWantReadError):
                    client.unwrap()
            writer.write(sent.read())
            if end == "close":
                writer.write_eof()
            elif end == "abort":
                await writer.drain()
                writer.transport.abort()
            elif end == "stay":
                answer = b""
                while not answer.endswith(b"}\n"):
                    received.write(await reader.read(65_536))
                    with contextlib.suppress(ssl.SSLWantReadError):
                        answer += client.read(65_536)
                assert answer.startswith(b"HTTP/1.1 200 ")
            await gone(before)
            await stage.emptied()
        assert len(stage.server._limiter) == 0


@contextlib.asynccontextmanager
async def encrypted(certificate: Certificate, **access: Any) -> AsyncIterator[Stage]:
    """Serve a stage with TLS."""
    context = tls_context(str(certificate.certificate), str(certificate.key))
    async with staged(tls=context, **access) as stage:
        yield stage


async def test_tls_is_spoken(certificate: Certificate) -> None:
    """With a certificate pages and socket come by TLS, to those who trust it."""
    async with encrypted(certificate, token="secret") as stage:
        trust = ssl.create_default_context(cafile=certificate.certificate)
        status, header, body = await ask(stage, "GET / HTTP/1.1", f"Host: 127.0.0.1:{stage.port}", tls=trust)
        assert (status, header["Cross-Origin-Opener-Policy"]) == (200, "same-origin")
        assert body.startswith("<!doctype html>")
        url = f"wss://127.0.0.1:{stage.port}/ws"
        async with Client(url, token="secret", ca=str(certificate.certificate)) as client:
            assert isinstance(await anext(client), Hello)
        with pytest.raises(RefusedError, match=r"its certificate is not trusted: self-signed certificate; --ca names"):
            async with Client(url, token="secret") as client:
                await anext(client)
        old = ssl.create_default_context(cafile=certificate.certificate)
        with pytest.warns(DeprecationWarning, match="TLSv1_1"):
            old.maximum_version = ssl.TLSVersion.TLSv1_1
        with pytest.raises((ssl.SSLError, ConnectionError)):
            await ask(stage, "GET / HTTP/1.1", "Host: localhost", tls=old)


async def test_without_tls_there_is_nothing_where_tls_is(certificate: Certificate) -> None:
    """A plain request to a port with TLS, and garbage, get no answer and leave nothing behind."""
    async with encrypted(certificate) as stage:
        before = asyncio.all_tasks()
        for data in (b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", bytes(range(256)) * 20, b"\x16\x03\x01", b""):
            async with stage.plain() as (reader, writer), asyncio.timeout(PATIENCE):
                writer.write(data)
                writer.write_eof()
                with contextlib.suppress(ConnectionError):
                    assert b"HTTP" not in await reader.read()
        await gone(before)
        await stage.emptied()
        assert len(stage.server._limiter) == 0


@pytest.mark.parametrize(
    ("limits", "asked", "fewer"),
    [
        ((256, 512), [(512, 512)], 156),
        ((256, 256), [(256, 256)], 32),
        ((256, 4096), [(1400, 4096)], None),
        ((256, resource.RLIM_INFINITY), [(1400, resource.RLIM_INFINITY)], None),
        ((4096, 8192), [], None),
        ((resource.RLIM_INFINITY, resource.RLIM_INFINITY), [], None),
    ],
)
async def test_there_are_files_enough_for_all(
    limits: tuple[int, int],
    asked: list[tuple[int, int]],
    fewer: int | None,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The limit of open files is raised as far as clients need it and the system lets it; or fewer clients may come."""
    changed: list[tuple[int, int]] = []
    monkeypatch.setattr(open_files.resource, "getrlimit", lambda what: limits)
    monkeypatch.setattr(open_files.resource, "setrlimit", lambda what, to: changed.append(to))
    async with staged() as stage:
        assert changed == asked
        assert stage.server._limiter._most == (fewer or 600)
    assert [record.getMessage() for record in caplog.records] == (fewer is not None) * [
        f"the system lets us have {limits[1]} open files, so that connections is {fewer} instead of 600"
    ]


@pytest.mark.slow
async def test_connections_do_not_use_up_the_files(tmp_path: Path) -> None:
    """Where only few files can be open, a flood of connections keeps nobody out, and the service hears on."""
    command = (*SOLOIST, "run", "--input", "demo", "--port", "0", "--session-log", str(tmp_path / "log.db"))
    process = await asyncio.create_subprocess_exec(
        *("sh", "-c", 'ulimit -n 300; exec "$@"', "sh", *command), stderr=asyncio.subprocess.PIPE
    )
    assert process.stderr is not None
    try:
        async with asyncio.timeout(PATIENCE), contextlib.AsyncExitStack() as crowd:
            while b"listening on" not in (line := await process.stderr.readline()):
                assert b"300 open files" in line
            port = int(line.strip().rstrip(b"/").rpartition(b":")[2])
            for _ in range(500):
                crowd.enter_context(socket.create_connection(("127.0.0.1", port)))
            async with connect(f"ws://127.0.0.1:{port}/ws") as client:
                while json.loads(await client.recv()).get("seq") != 8:
                    pass
    finally:
        if process.returncode is None:
            process.terminate()
        _, err = await process.communicate()
    assert process.returncode == 0
    assert {line.partition(b" more than ")[0] for line in err.splitlines()} <= {b"soloist: connection refused:"}


def test_authority_that_is_none_is_named(certificate: Certificate) -> None:
    """A file that holds no authority, or is not there, is an error that names it."""
    for file, said in ((certificate.key, "no PEM with a certificate"), ("/none.pem", "No such file or directory")):
        with pytest.raises(ConfigError) as error:
            Client("wss://localhost/ws", ca=str(file))
        assert str(error.value) == f'ca is "{file}": {said}'


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--host", "0.0.0.0"], '--host is "0.0.0.0", where others can come in: require a token (token_file or token)'),
        (["--host", "0.0.0.0", "--token-file", "/none"], '--token-file is "/none": No such file or directory'),
        (["--certificate", "/none"], 'certificate is "/none": No such file or directory'),
        (["--key", "/none"], 'key is "/none", and there is no certificate'),
        (["--origins", "null"], '--origins is ["null"]; expected origins such as'),
    ],
)
async def test_what_would_let_in_others_is_refused(arguments: list[str], said: str) -> None:
    """What was forgotten about access is one line and exit status 2, before anything is heard or served."""
    for command in (["run", "--input", "demo", "--port", "0"], ["config", "check"]):
        status, _, err = await soloist(*command, *arguments)
        assert status == 2
        assert said in err
        assert err.count("\n") == 1


async def test_token_is_in_no_log(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Whatever is logged, at the lowest level and with asyncio's own, the token is not in it, nor any wrong one."""
    file = tmp_path_factory.mktemp("secret") / "token"
    file.write_text("s3cret-t0ken\n")
    arguments = ["--input", "demo", "--log-level", "debug"]
    env = {"SOLOIST_TOKEN_FILE": str(file), "PYTHONASYNCIODEBUG": "1", "WEBSOCKETS_MAX_LOG_SIZE": "10000"}
    async with serving(*arguments, env=env) as service:
        url = f"ws://{service.address}/ws"
        for token, header, expected in (
            ("s3cret-t0ken", None, "hello"),
            ("s3cret-t0ken", "s3cret-t0ken", "hello"),
            ("wr0ng-t0ken", "wr0ng-t0ken", "error"),
        ):
            fields = None if header is None else {"Authorization": f"Bearer {header}"}
            async with connect(f"{url}?token={token}", additional_headers=fields) as client:
                await client.send(json.dumps({"type": "auth", "token": token}))
                assert json.loads(await client.recv())["type"] == expected
        reader, writer = await asyncio.open_connection(*service.address.split(":"))
        writer.write(b"GET /s3cret-t0ken HTTP/9\r\nAuthorization: Bearer s3cret-t0ken\r\n\r\n")
        await reader.read()
        writer.close()
    assert len(service.complaints) > 3
    assert not [line for line in service.complaints if "t0ken" in line]


async def test_certificate_that_ends_soon_is_told(tmp_path: Path) -> None:
    """It is told once at the start, once when the settings are read again, and by `soloist config check`."""
    brief = make(tmp_path, days=3)
    files = ["--certificate", str(brief.certificate), "--key", str(brief.key)]
    said = f'certificate is "{brief.certificate}": it expires in 2 days, on '
    async with serving("--input", "demo", *files) as service, asyncio.timeout(PATIENCE):
        assert [line.startswith(f"soloist: {said}") for line in service.complaints] == [True]
        status, _, err = await soloist("config", "check", *files)
        assert (status, err.count("\n")) == (0, 1)
        assert err.startswith(f"soloist: note: --{said}")
        make(tmp_path, days=2)
        service.process.send_signal(signal.SIGHUP)
        await complaint(service, "the settings were read again")
        assert len([line for line in service.complaints if "it expires in 1 day, on " in line]) == 1


async def test_service_with_tls_says_so(certificate: Certificate) -> None:
    """`soloist run` with a certificate prints an https address, and `soloist listen` takes its authority."""
    files = ["--certificate", str(certificate.certificate), "--key", str(certificate.key)]
    process = await asyncio.create_subprocess_exec(
        *(*SOLOIST, "run", "--input", "demo", "--port", "0", *files), stderr=asyncio.subprocess.PIPE
    )
    try:
        assert process.stderr is not None
        async with asyncio.timeout(PATIENCE):
            line = (await process.stderr.readline()).decode().strip()
        assert line.startswith("soloist: listening on https://127.0.0.1:")
        address = line.rpartition(" ")[2]
        async with Client(address, ca=str(certificate.certificate)) as client:
            assert isinstance(await anext(client), Hello)
    finally:
        process.terminate()
        await process.wait()
