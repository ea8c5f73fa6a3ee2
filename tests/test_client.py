"""The Python client and `soloist listen`, against a real server."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import json
import os
import pty
import signal
import socket
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from io import StringIO
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from websockets.asyncio.server import ServerConnection, serve

from stream import client as module
from stream.cli import own_service
from stream.cli.listen_display import Display
from stream.client import Client, Disconnected, address
from stream.errors import ConfigError, ConnectionLostError, RefusedError
from stream.protocol.address import failure_text
from stream.protocol.encoding import encode
from stream.protocol.messages import (
    Change,
    Error,
    Guess,
    Hello,
    History,
    Label,
    Mark,
    Message,
    Outage,
    Pong,
    Segment,
    Status,
)
from stream.protocol.requests import TYPES
from stream.server.access import tls_context
from stream.server.settings import ServerSettings
from stream.server.token_guard import TokenGuard
from tests.support.certificates import Certificate
from tests.support.serving import HELLO, PATIENCE, change, check, label, segment, staged

Told = list[Message | Disconnected]


@pytest.fixture(autouse=True)
def _hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let lost connections be tried again at once."""
    monkeypatch.setattr(module, "FIRST_RETRY", 0.01)
    monkeypatch.setattr(module, "LONGEST_RETRY", 0.05)


async def until(client: Client, wanted: Callable[[Message | Disconnected], bool]) -> Told:
    """Return what the client yields up to something wanted."""
    told: Told = []
    async with asyncio.timeout(PATIENCE):
        async for message in client:
            told.append(message)
            if wanted(message):
                return told
    raise AssertionError("the client ended")


def seq(number: int) -> Callable[[Message | Disconnected], bool]:
    """Return what wants the label of one hop."""
    return lambda message: isinstance(message, Label) and message.seq == number


def kind(wanted: type) -> Callable[[Message | Disconnected], bool]:
    """Return what wants a type."""
    return lambda message: isinstance(message, wanted)


def labels(told: Told) -> list[int]:
    """Return the numbers of the labels."""
    return [message.seq for message in told if isinstance(message, Label)]


async def test_messages_are_typed() -> None:
    """The client yields the server's messages as the dataclasses that they were."""
    async with staged() as stage, Client(stage.address, types=sorted(TYPES)) as client:
        hello, _, first = await until(client, seq(0))
        assert hello == HELLO
        assert first == label(0)
        await client.history(1)  # answered after the subscription
        await until(client, kind(History))
        told: Told = [
            Guess(0.0, 0.5, "flute", 0.2),
            Outage(0.1, None, "a stage", "gone"),
            Outage(0.1, 0.2, "a stage", "gone"),
        ]
        for message in told:
            assert not isinstance(message, Disconnected)
            stage.server.publish(message)
        stage.hop(1, "flute")
        assert await until(client, seq(1)) == [*told, *stage.published]


async def test_subscription_is_made() -> None:
    """What the client was made with is what the server is asked for."""
    async with (
        staged() as stage,
        Client(stage.url, types=["label", "change"], instruments=["flute"], min_confidence=0.5, max_rate=2) as client,
    ):
        await until(client, seq(0))
        (subscriber,) = stage.server._subscribers
        await client.history(1)
        await until(client, kind(History))
        assert subscriber.subscription.types == {"label", "change"}
        assert subscriber.subscription.instruments == {"flute"}
        assert subscriber.subscription.min_confidence == 0.5
        assert subscriber.subscription.max_rate == 2
        stage.hop(1, "violin")
        stage.hop(2, "flute")
        told = await until(client, seq(2))
        stage.hop(3, "flute")
        stage.hop(4, "flute")
        told += await until(client, seq(4))
        stage.hop(5, "piano")
        told += await until(client, kind(Change))
        assert [(message.type, message.label) for message in told if isinstance(message, Label | Change)] == [
            ("change", "flute"),
            ("label", "flute"),
            ("label", "flute"),
            ("change", None),
        ]


async def test_nothing_comes_that_was_not_asked_for() -> None:
    """What is in front when the client connects is no news to who asked for another instrument, and has no name."""
    async with staged() as stage:
        stage.hop(1, "piano")
        async with Client(stage.address, types=["label"], instruments=["flute"]) as client:
            told = await until(client, kind(Label))
            stage.hop(2, "violin")
            stage.hop(3, "flute")
            told += await until(client, seq(3))
    assert [(message.state, message.label) for message in told if isinstance(message, Label)] == [
        ("unknown", None),
        ("instrument", "flute"),
    ]
    assert [message.type for message in told] == ["hello", "status", "label", "label"]


async def test_older_servers_are_held_to_the_subscription() -> None:
    """Of a server that names what a match is followed by, and tells others' news first, only what was asked comes."""

    async def older(connection: ServerConnection) -> None:
        assert json.loads(await connection.recv())["type"] == "ping"
        await connection.send(encode(HELLO))
        await connection.send(encode(label(0, "piano")))
        await connection.send(encode(segment(0, 1, "violin")))  # as others get it
        await connection.send(encode(Pong()))
        assert json.loads(await connection.recv())["instruments"] == ["violin"]
        await connection.send(encode(label(1, "piano")))
        assert json.loads(await connection.recv())["type"] == "ping"
        for message in (Pong(), change(2, "violin", "piano"), change(3, "flute", "violin"), Mark(1.0, "end")):
            await connection.send(encode(message))
        await connection.wait_closed()

    async with serve(older, "127.0.0.1", 0) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        async with Client(f"127.0.0.1:{port}", types=["change", "mark"], instruments=["violin"]) as client:
            _, answer, *told = await until(client, kind(Mark))
    assert isinstance(answer, Label)
    assert (answer.seq, answer.state, answer.label) == (1, "unknown", None)
    assert told == [change(2, "violin", None), change(3, None, "violin"), Mark(1.0, "end")]


async def test_marks_and_history_are_asked_for() -> None:
    """A mark comes back to its author, and the history has it."""
    async with staged() as stage, Client(stage.address) as client:
        await until(client, seq(0))
        stage.hop(4, "flute")
        await client.mark("bridge 🎷")
        assert (await until(client, kind(Mark)))[-1] == Mark(1.0, "bridge 🎷")
        await client.mark("tacet", ago=0.25)
        assert (await until(client, kind(Mark)))[-1] == Mark(0.75, "tacet")
        await client.history(60)
        history = (await until(client, kind(History)))[-1]
        assert isinstance(history, History)
        assert history.marks == [Mark(0.75, "tacet"), Mark(1.0, "bridge 🎷")]
        assert history.segments[-1] == next(m for m in stage.published if isinstance(m, Segment))


async def test_server_that_ends_is_waited_for() -> None:
    """When a server ends and comes back as another stream, the client says so and goes on with the new one."""
    async with contextlib.AsyncExitStack() as stack:
        async with staged() as stage:
            client = await stack.enter_async_context(Client(stage.address))
            stage.hop(9)
            await until(client, seq(9))
        lost = (await until(client, kind(Disconnected)))[-1]
        assert isinstance(lost, Disconnected)
        assert lost.reason == "the service has ended"
        await until(client, kind(Disconnected))  # tried in vain
        async with staged(port=stage.port, greeting=False) as again:
            again.server.publish(replace(HELLO, utc=HELLO.utc + 60, run="later"))
            again.hop(0, "flute")
            told = [m for m in await until(client, seq(0)) if not isinstance(m, Disconnected)]
            assert isinstance(told[0], Hello)
            assert labels(told) == [0]


async def test_lost_connection_brings_nothing_old() -> None:
    """When a connection breaks, labels that were told already are not told again, and newer ones are."""
    async with staged() as stage, Client(stage.address) as client:
        stage.hop(5)
        await until(client, seq(5))
        for connection in list(stage.server._connections):
            connection.abort()
        await until(client, kind(Disconnected))
        told = await until(client, kind(Status))
        assert isinstance(told[0], Hello)
        stage.hop(6, "flute")
        told += await until(client, seq(6))
        assert labels(told) == [6]


async def test_what_waited_is_dropped_with_the_connection() -> None:
    """States that were not read before the connection broke are not told after it, events are."""
    async with staged() as stage, Client(stage.address) as client:
        await until(client, seq(0))
        stage.hop(1, "flute")
        await _arrived(client, seq(1))
        for connection in list(stage.server._connections):
            connection.abort()
        await _arrived(client, kind(Disconnected))
        told = await until(client, kind(Disconnected))
        assert [message.type for message in told] == ["segment", "change", "disconnected"]


async def _arrived(client: Client, wanted: Callable[[Message | Disconnected], bool]) -> None:
    """Wait until something waits for the reader."""
    async with asyncio.timeout(PATIENCE), client._changed:
        await client._changed.wait_for(lambda: any(map(wanted, client._inbox._items.values())))


async def test_slow_reader_gets_the_newest_label_and_every_event() -> None:
    """A reader that takes its time finds all events in order and the newest label only."""
    async with staged() as stage, Client(stage.address) as client, stage.listener() as pace:
        await pace.greeting()
        await until(client, seq(0))
        for number in range(1, 101):
            stage.hop(number, "violin" if number % 2 else "flute")
            while (await pace.get())["type"] != "label":
                pass
        # The server reads this after the client has taken all but the last frames from its socket.
        await client.history(1)
        await _arrived(client, kind(History))
        told = await until(client, seq(100))
        assert [m for m in told if isinstance(m, Change | Segment)] == [
            m for m in stage.published if isinstance(m, Change | Segment)
        ]
        assert labels(told) == [100]


async def test_slow_reader_holds_the_server_back() -> None:
    """When too many events wait for the reader, the rest waits with the server, and none is lost."""
    async with staged() as stage, Client(stage.address, types=["change"]) as client, stage.listener() as pace:
        await pace.greeting()
        await until(client, seq(0))
        await client.history(1)
        await until(client, kind(History))
        expected = [change(number, "violin" if number % 2 else "flute", None) for number in range(400)]
        for message in expected:
            stage.server.publish(message)
            await pace.get()
        told = await until(client, lambda message: message == expected[-1])
        assert told == expected


async def test_token_is_said() -> None:
    """With the token the client is let in."""
    async with staged(token="söcret") as stage, Client(stage.address, token="söcret", max_rate=5) as client:
        await until(client, seq(0))
        assert stage.server.clients == 1


@pytest.mark.parametrize(
    ("token", "said", "code"),
    [
        (None, "requires a token, and none was given", "unauthorized"),
        ("wrong", "does not take this token, it is wrong", "wrong-token"),
    ],
)
async def test_wrong_token_ends_the_client(
    token: str | None, said: str, code: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the token the client ends with the reason, rather than trying again for ever; a wrong one is another."""
    monkeypatch.setattr("stream.server.subscriber.AUTH_SECONDS", 0.05)
    async with staged(token="secret") as stage, Client(stage.address, token=token) as client:
        with pytest.raises(RefusedError, match=rf"{said} \(unauthorized\)") as error:
            await until(client, seq(0))
        assert error.value.code == code
        with pytest.raises(ConnectionLostError):
            await client.mark("bridge")


async def test_token_is_taken_from_the_address_of_the_page() -> None:
    """The link that the service prints is an address, token and all; one that is given goes before it."""
    token = "a+b/c= &söcret%20"
    async with staged(token=token) as stage:
        link = f"http://{stage.address}/#token={quote(token, safe='')}"
        for url, given in (
            (link, None),
            (f"http://{stage.address}/#token=a+b/c= %26söcret%2520", None),
            (link[:-1], token),
        ):
            async with Client(url, token=given) as client:
                await until(client, seq(0))


async def test_too_many_guesses_are_waited_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """A client whose address has guessed too often is told so, and gets in with the right token a little later."""
    now = 0.0
    monkeypatch.setattr("stream.server.token_guard.GUESSES", (1.0, 1.0))
    monkeypatch.setattr("stream.server.opening_handshake.TokenGuard", lambda: TokenGuard(lambda: now))
    async with staged(token="secret") as stage, stage.listener() as guesser:
        await guesser.ask("auth", token="wrong")
        async with Client(stage.address, token="secret") as client:
            told = await until(client, kind(Disconnected))
            now = 1.0
            let_in = await until(client, seq(0))
    assert isinstance(told[-1], Disconnected)
    assert told[-1].reason.startswith("too many wrong tokens")
    assert all(isinstance(it, Error | Disconnected) for it in [*told, *let_in[:-3]])


async def test_other_protocol_ends_the_client() -> None:
    """A server of another protocol version is refused by name."""

    async def later(connection: ServerConnection) -> None:
        await connection.send(encode(replace(HELLO, protocol=2)))
        await connection.wait_closed()

    async with serve(later, "127.0.0.1", 0) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        async with Client(f"127.0.0.1:{port}") as client:
            with pytest.raises(RefusedError, match=r"speaks protocol 2; this client speaks 1"):
                await until(client, seq(0))


async def test_page_that_is_no_socket_ends_the_client() -> None:
    """An address where no WebSocket is ends the client with the HTTP status."""
    async with staged() as stage, Client(f"ws://{stage.address}/nothing") as client:
        with pytest.raises(RefusedError, match="HTTP status 404"):
            await until(client, seq(0))


async def test_place_that_was_tried_is_named() -> None:
    """Who cannot be reached is named with address and port, also with a port that nobody typed."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
    async with Client(f"127.0.0.1:{port}") as client:
        (lost,) = await until(client, kind(Disconnected))
    assert isinstance(lost, Disconnected)
    assert lost.reason == f"127.0.0.1:{port}: Connection refused"
    refused = ConnectionRefusedError(errno.ECONNREFUSED, "Connect call failed")
    nameless = socket.gaierror(socket.EAI_NONAME, "Name or service not known")
    assert failure_text(refused, address("localhost")) == "localhost:8765: Connection refused"
    assert failure_text(refused, address("wss://[::1]")) == "[::1]:443: Connection refused"
    assert failure_text(nameless, address("stage:1")) == "stage:1: Name or service not known"


async def test_tls_where_none_was_expected_ends_the_client(certificate: Certificate) -> None:
    """A server with TLS is told from one that answers nothing, and its address with TLS is named."""
    tls = tls_context(str(certificate.certificate), str(certificate.key))
    async with staged(tls=tls) as stage:
        with pytest.raises(RefusedError, match=f"^{stage.url}: the server has TLS; try wss://{stage.address}/ws$"):
            async with Client(stage.address) as client:
                await anext(client)


async def test_garbage_is_tried_again() -> None:
    """A server that answers in no HTTP, and has no TLS either, may be starting."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"?")
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as other:
        port = other.sockets[0].getsockname()[1]
        async with Client(f"127.0.0.1:{port}") as client:
            (lost,) = await until(client, kind(Disconnected))
            assert isinstance(lost, Disconnected)
            assert lost.reason == f"127.0.0.1:{port}: did not receive a valid HTTP response"
            await until(client, kind(Disconnected))


async def test_missing_tls_is_told() -> None:
    """Where TLS was expected and there is none, the address without is named; the client goes on trying."""
    async with staged() as stage, Client(f"wss://{stage.address}") as client:
        (lost,) = await until(client, kind(Disconnected))
        assert isinstance(lost, Disconnected)
        assert lost.reason.startswith(f"{stage.address}: the TLS handshake fails")
        assert lost.reason.endswith(f"try {stage.url}")


async def test_unknown_instrument_ends_the_client() -> None:
    """An instrument that the server does not know ends the client with those that it does."""
    async with staged() as stage, Client(stage.address, instruments=["kazoo", "flute"]) as client:
        with pytest.raises(ConfigError, match=r"instruments name kazoo; .* knows clarinet, .*, violin"):
            await until(client, seq(0))


@pytest.mark.parametrize(
    "wanted",
    [{"types": ["everything"]}, {"min_confidence": 2}, {"max_rate": -1}, {"types": [1]}],
    ids=str,
)
def test_impossible_subscription_is_refused(wanted: dict[str, Any]) -> None:
    """What no server could take is refused before anything is sent."""
    with pytest.raises(ConfigError, match=next(iter(wanted))):
        Client("127.0.0.1:1", **wanted)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("stage.local:8765", "ws://stage.local:8765/ws"),
        ("stage.local", f"ws://stage.local:{ServerSettings().port}/ws"),
        ("[::1]", "ws://[::1]:8765/ws"),
        ("ws://stage.local", "ws://stage.local/ws"),
        ("[::1]:8765", "ws://[::1]:8765/ws"),
        ("http://stage.local:8765/", "ws://stage.local:8765/ws"),
        ("https://stage.local", "wss://stage.local/ws"),
        ("ws://stage.local:1/ws", "ws://stage.local:1/ws"),
        ("wss://proxy/soloist/ws", "wss://proxy/soloist/ws"),
        ("::1", "ws://[::1]:8765/ws"),
        ("2001:DB8::7", "ws://[2001:DB8::7]:8765/ws"),
        ("127.0.0.1", "ws://127.0.0.1:8765/ws"),
        ("stage", "ws://stage:8765/ws"),
        (" stage.local ", "ws://stage.local:8765/ws"),
        ("stage.local/ws", "ws://stage.local:8765/ws"),
        ("proxy/soloist/ws", "ws://proxy/soloist/ws"),
        ("proxy/soloist", "ws://proxy/soloist/ws"),
        ("proxy:8080/soloist/", "ws://proxy:8080/soloist/ws"),
        ("[::1]:80/soloist/ws", "ws://[::1]:80/soloist/ws"),
        ("https://proxy/soloist/", "wss://proxy/soloist/ws"),
        ("https://proxy/soloist/#token=a+b%2Fc", "wss://proxy/soloist/ws"),
        ("http://stage.local:8765/overlay?min=0.5#token=x", "ws://stage.local:8765/ws"),
        ("http://proxy/soloist/index.html", "ws://proxy/soloist/ws"),
        ("ws://proxy/soloist/", "ws://proxy/soloist/ws"),
        ("ws://proxy/live", "ws://proxy/live"),
    ],
)
def test_address_is_completed(text: str, expected: str) -> None:
    """Host and port are enough; the dashboard's address does, too."""
    assert address(text) == expected


@pytest.mark.parametrize(
    "text", ["", ":8765", "ftp://stage.local", "stage.local:x", "stage.local:99999", "ws://", "[::1"]
)
def test_bad_address_is_refused(text: str) -> None:
    """What cannot be an address is named."""
    with pytest.raises(ConfigError, match="expected HOST, HOST:PORT"):
        Client(text)


async def test_server_that_errs_is_endured() -> None:
    """Frames that are no messages, or of a later protocol, are passed over."""

    async def err(connection: ServerConnection) -> None:
        for text in ("{", b"\x00", '{"type":"applause"}', '{"type":"mark"}', encode(HELLO), encode(label(1))):
            await connection.send(text)
        await connection.wait_closed()

    async with serve(err, "127.0.0.1", 0) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        async with Client(f"127.0.0.1:{port}") as client:
            assert await until(client, seq(1)) == [HELLO, label(1)]


async def test_client_needs_its_context() -> None:
    """Iterating without `async with` is told, rather than waiting for ever."""
    with pytest.raises(RuntimeError, match="async with"):
        await anext(Client("127.0.0.1:1"))


async def test_leaving_leaves_nothing() -> None:
    """A client that is left has no task, connected or not."""
    async with staged() as stage:
        before = asyncio.all_tasks()
        async with Client(stage.address) as client:
            await until(client, seq(0))
        async with Client("127.0.0.1:1") as client:
            await until(client, kind(Disconnected))
        assert {task for task in asyncio.all_tasks() - before if "Client" in repr(task.get_coro())} == set()


@contextlib.asynccontextmanager
async def listening(*arguments: str, **options: Any) -> AsyncIterator[Process]:
    """Run `soloist listen`."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "stream", "listen", *arguments), **{"stdout": PIPE, "stderr": PIPE, **options}
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def interrupt(process: Process) -> str:
    """Press Ctrl-C and return what is left on standard error, once the process has ended as it should."""
    process.send_signal(signal.SIGINT)
    async with asyncio.timeout(PATIENCE):
        _, complaints = await process.communicate()
    assert process.returncode == 130
    return (complaints or b"").decode()


async def line(process: Process) -> str:
    """Return the next line of standard output."""
    assert process.stdout is not None
    async with asyncio.timeout(PATIENCE):
        return (await process.stdout.readline()).decode().rstrip("\n")


async def test_listen_prints_json() -> None:
    """`soloist listen --json` prints every message as a line that the schema knows, and ends at Ctrl-C."""
    async with staged() as stage, listening(stage.address, "--json", "--types", "label,change") as process:
        told = []
        while not told or told[-1]["type"] != "label":
            told.append(check(await line(process)))
        assert {message["type"] for message in told} == {"hello", "status", "label"}
        await stage.subscribed("label", "change")
        stage.hop(1, "flute")
        assert [check(await line(process))["type"] for _ in range(2)] == ["change", "label"]
        for connection in list(stage.server._connections):
            connection.abort()
        lost = json.loads(await line(process))
        assert lost.keys() == {"type", "reason", "retry"}
        assert lost["type"] == "disconnected"
        assert check(await line(process))["type"] == "hello"
        assert await interrupt(process) == ""


async def test_listen_prints_what_happens() -> None:
    """Where standard output is no terminal there is a line for every change, and none for every label."""
    async with staged() as stage, listening(stage.address) as process:
        assert await line(process) == "          connected to soloist 0, hearing a stage"
        assert await line(process) == "00:00:00  violin"
        for number, name in enumerate(["violin", "violin", "flute", "flute", None], start=1):
            stage.hop(60 * number, name)
        stage.time = 3725.0
        stage.server.publish(Mark(stage.time, "the \x1b[2Jbridge\n"))
        assert [await line(process) for _ in range(3)] == [
            "00:00:45  flute",
            "00:01:15  unknown",
            "01:02:05  * the \N{REPLACEMENT CHARACTER}[2Jbridge\N{REPLACEMENT CHARACTER}",
        ]
        assert await interrupt(process) == ""


async def test_listen_tells_at_once_who_is_in_front() -> None:
    """Before anything changes, and again after a lost connection, it says what is heard, of what was asked for."""
    async with staged() as stage, listening(stage.address, "--instruments", "violin", "--types", "change") as process:
        stage.hop(5)
        assert await line(process) == "          connected to soloist 0, hearing a stage"
        assert (await line(process)).endswith("  violin")
        await stage.subscribed("change")
        stage.hop(6, "piano")
        assert await line(process) == "00:00:01  unknown"
        for connection in list(stage.server._connections):
            connection.abort()
        assert "no connection" in await line(process)
        stage.hop(7, "violin")
        assert "connected" in await line(process)
        assert (await line(process)).endswith("  violin")


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({}, "ws://127.0.0.1:8765/ws"),
        ({"SOLOIST_HOST": "0.0.0.0", "SOLOIST_PORT": "9000"}, "ws://127.0.0.1:9000/ws"),
        ({"SOLOIST_HOST": "::"}, "ws://[::1]:8765/ws"),
        ({"SOLOIST_HOST": "::1", "SOLOIST_PORT": "1"}, "ws://[::1]:1/ws"),
        ({"SOLOIST_HOST": "[2001:db8::7]"}, "ws://[2001:db8::7]:8765/ws"),
        ({"SOLOIST_HOST": "stage.local", "SOLOIST_CERTIFICATE": "x.pem"}, "wss://stage.local:8765/ws"),
    ],
)
def test_listen_finds_the_service_that_the_environment_describes(
    variables: dict[str, str], expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without an address it is that of the service's own variables; all addresses are this machine's."""
    for name in ("SOLOIST_HOST", "SOLOIST_PORT", "SOLOIST_CERTIFICATE"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert own_service.own_server() == address(expected) == expected


async def test_listen_reads_the_environment(certificate: Certificate) -> None:
    """Address, token, TLS and its authority come from variables alone; an address that is given goes before."""
    tls = tls_context(str(certificate.certificate), str(certificate.key))
    async with staged(token="söcret", tls=tls) as safe, staged() as stage:
        own = {"SOLOIST_HOST": "localhost", "SOLOIST_PORT": str(safe.port), "SOLOIST_TOKEN": "söcret",
               "SOLOIST_CERTIFICATE": "x.pem", "SOLOIST_CA": str(certificate.certificate)}  # fmt: skip
        async with listening("--json", env={**os.environ, **own}) as process:
            assert json.loads(await line(process))["type"] == "hello"
        async with listening(stage.address, "--json", env={**os.environ, **own}) as process:
            assert json.loads(await line(process))["type"] == "hello"
        wrong = {**os.environ, **own, "SOLOIST_TOKEN": "wrong"}
        async with listening(f"https://{safe.address}/#token=s%C3%B6cret", "--json", env=wrong) as process:
            assert json.loads(await line(process))["type"] == "hello"
        bad = {**os.environ, "SOLOIST_PORT": "x"}
        async with listening(env=bad) as process:
            _, said = await process.communicate()
            assert process.returncode == 2
            assert said.decode().startswith("soloist: SOLOIST_PORT is ")


@pytest.mark.parametrize("told", ["guitar, distorted,Flo\u0308te", '"guitar, distorted",Flöte'])
async def test_listen_takes_names_with_commas_and_accents(told: str) -> None:
    """Names are those of the server in either Unicode form, and need no quotes for their commas."""
    names = ["guitar, distorted", "Fl\u00f6te", "violin"]
    async with staged() as stage:
        stage.server.state.instruments = names
        stage.server.publish(replace(HELLO, labels=names, lineup=names))
        async with listening(stage.address, "--types", "change", "--instruments", told) as process:
            assert "connected" in await line(process)
            assert (await line(process)).endswith("  unknown")
            await stage.subscribed("change")
            for number, name in enumerate([names[0], "violin", names[1]], start=1):
                stage.hop(40 * number, name)
            assert [await line(process) for _ in range(3)] == [
                "00:00:10  guitar, distorted",
                "00:00:20  unknown",
                "00:00:30  Fl\u00f6te",
            ]


async def test_listen_stays_in_place() -> None:
    """In a terminal the present label is one line that stays in place, and Ctrl-C leaves it clean."""
    leader, follower = pty.openpty()
    terminal = asyncio.StreamReader()
    async with staged() as stage:
        transport, _ = await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(terminal), os.fdopen(leader, "rb", buffering=0)
        )
        try:
            async with listening(stage.address, stdout=follower) as process, asyncio.timeout(PATIENCE):
                os.close(follower)
                shown = await terminal.readuntil(b"90%")
                for number in range(1, 4):
                    stage.hop(40 * number, "flute", 0.5)
                    shown += await terminal.readuntil(f"00:00:{10 * number}  flute ".encode())
                    shown += await terminal.readuntil(b" 50%")
                process.send_signal(signal.SIGINT)
                assert await process.wait() == 130
                with contextlib.suppress(asyncio.IncompleteReadError, OSError):
                    shown += await terminal.readuntil(b"dBFS\r\x1b[K")
        finally:
            transport.close()
    text = shown.decode()
    assert text.count("\n") == 2  # connected, and the change to flute
    assert all("\r\x1b[K" in part for part in text.split("dBFS")[:-1])
    assert text.count("█") >= 22 + 3 * 12


def test_display_repeats_nothing() -> None:
    """A status that says the same again, or a try that failed like the one before, is told once."""
    out = StringIO()
    display = Display(out)
    trouble = Status("waiting", 0, 0, 1, 0.0, 1.0, "no microphone", [])
    for message in (trouble, replace(trouble, uptime=6.0), Disconnected("refused", 0.2), Disconnected("refused", 0.4)):
        display.show(message)
    display.show(Error("bad-message", "not JSON"))
    display.close()
    assert [part.strip() for part in out.getvalue().splitlines()] == [
        "no microphone",
        "no connection: refused",
        "not JSON",
    ]


def test_display_tells_troubles_and_their_end() -> None:
    """Every warning is told when it comes, an outage with its times, and what a status repeats is not told again."""
    out = StringIO()
    display = Display(out)
    fine = Status("running", 0, 0, 1, 0.0, 1.0, None, [])
    loud = replace(fine, message="turn the gain down", warnings=["turn the gain down"])
    away = Outage(65.0, None, "stage", "input 'stage' was lost")
    for message in (
        fine,
        loud,
        replace(loud, warnings=[*loud.warnings, "check the cable"]),
        loud,
        fine,
        loud,
        away,
        replace(fine, source="waiting", message=away.reason),
        replace(fine, source="waiting", message="no input device named 'stage'"),
        fine,
        replace(away, end=77.4),
        Guess(60.0, 64.0, "flute", 0.234),
    ):
        display.show(message)
    display.close()
    assert out.getvalue().splitlines() == [
        "          turn the gain down",
        "          check the cable",
        "          turn the gain down",
        "00:01:05  input 'stage' was lost",
        "          no input device named 'stage'",
        "00:01:17  stage is back after 12 s",
        "00:01:04  guess: flute (23%)",
    ]


async def test_listen_tells_mistakes_in_a_line() -> None:
    """Wrong usage exits 2 and a refusal 1, with one line and no traceback."""
    async with staged(token="secret") as stage:
        for arguments, status, reason in (
            (["ftp://stage"], 2, "address is 'ftp://stage'"),
            ([stage.address, "--max-rate", "0"], 2, "max_rate is 0"),
            ([stage.address], 1, "none was given (unauthorized); --token-file or SOLOIST_TOKEN gives it"),
            ([stage.address, "--token", "wrong"], 1, "does not take this token, it is wrong"),
            ([stage.address, "--token-file", "/none"], 2, '--token-file is "/none": No such file or directory'),
            ([stage.address, "--token-file", "/none", "--token", "x"], 2, "token and token_file are both set"),
        ):
            async with listening(*arguments) as process, asyncio.timeout(PATIENCE):
                _, complaints = await process.communicate()
                assert process.returncode == status
                assert complaints.decode().startswith("soloist: ")
                assert reason in complaints.decode()
                assert complaints.count(b"\n") == 1


async def test_listen_says_the_token_of_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The token may stand in a file, as the service's may, named by a flag or a variable; flags go before variables."""
    file = tmp_path / "token"
    file.write_text(" söcret\n")
    async with staged(token="söcret") as stage:
        for arguments, variables in (
            (["--token-file", str(file)], {"SOLOIST_TOKEN": "wrong"}),
            (["--token", "söcret"], {"SOLOIST_TOKEN_FILE": "/none"}),
            ([], {"SOLOIST_TOKEN_FILE": str(file)}),
            ([], {"SOLOIST_TOKEN": "söcret"}),
        ):
            async with listening(stage.address, "--json", *arguments, env={**os.environ, **variables}) as process:
                assert json.loads(await line(process))["type"] == "hello"


async def test_listen_ends_with_its_reader() -> None:
    """When nobody reads its output any more, `soloist listen` ends without a complaint."""
    read, write = os.pipe()
    async with staged() as stage, listening(stage.address, "--json", stdout=write) as process:
        os.close(write)
        os.close(read)
        number = 0
        async with asyncio.timeout(PATIENCE), stage.listener() as pace:
            while process.returncode is None:
                number += 1
                stage.hop(number)
                await pace.get()
        assert process.returncode == 0
        assert process.stderr is not None
        assert await process.stderr.read() == b""
