"""The server, spoken to by real clients over real sockets; every message is held to the schema."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
import re
import socket
import struct
import weakref
from collections.abc import AsyncIterator
from dataclasses import replace
from email.message import Message as HeaderMessage
from email.parser import BytesHeaderParser
from importlib import resources
from pathlib import Path
from types import SimpleNamespace

import pytest
from prometheus_client.parser import text_string_to_metric_families
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus
from websockets.frames import CloseCode
from websockets.protocol import State
from websockets.typing import Origin

from stream.errors import AddressError
from stream.protocol.messages import Guess, Level, Mark, Outage, Spectrum
from stream.protocol.outbox import CAPACITY
from stream.protocol.requests import TYPES
from stream.server import connection, server, subscriber, token_guard
from stream.server.http import HealthReport
from stream.server.metrics import Metrics
from stream.server.server import MESSAGE_BYTES, Server
from tests.support.processes import serving
from tests.support.serving import (
    HELLO,
    INSTRUMENTS,
    PATIENCE,
    STATUS,
    Listener,
    Stage,
    frame,
    gone,
    label,
    staged,
)


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    """A server that has something to tell."""
    async with staged() as stage:
        yield stage


@pytest.fixture
async def guarded() -> AsyncIterator[Stage]:
    """A server that requires a token."""
    async with staged(token="söcret") as stage:
        yield stage


async def request(stage: Stage, line: str, *fields: str) -> tuple[int, HeaderMessage, bytes]:
    """Send a plain HTTP request exactly as it is written; return status, header and body."""
    async with stage.plain() as (reader, writer), asyncio.timeout(PATIENCE):
        writer.write("\r\n".join([f"{line} HTTP/1.1", f"Host: {stage.address}", *fields, "", ""]).encode())
        answer = await reader.read()
    head, _, body = answer.partition(b"\r\n\r\n")
    first, _, header = head.partition(b"\r\n")
    return int(first.split()[1]), BytesHeaderParser().parsebytes(header), body


async def test_new_client_is_told_at_once(stage: Stage) -> None:
    """A new client gets hello, the latest status and the latest label, without asking."""
    stage.hop(7, "flute")
    async with stage.listener() as client:
        hello, status, first = await client.greeting()
    assert (hello["type"], hello["protocol"], hello["labels"]) == ("hello", 1, INSTRUMENTS)
    assert (status["type"], status["source"]) == ("status", "running")
    assert (first["type"], first["seq"], first["label"]) == ("label", 7, "flute")


async def test_nothing_is_compressed(stage: Stage) -> None:
    """No extension is agreed on, even with a client that offers compression."""
    async with stage.listener(compression="deflate") as client:
        assert client.connection.request is not None
        assert client.connection.response is not None
        assert "permessage-deflate" in client.connection.request.headers["Sec-WebSocket-Extensions"]
        assert "Sec-WebSocket-Extensions" not in client.connection.response.headers


async def test_nothing_is_made_up() -> None:
    """What is not known yet is told when it is, and a subscription is answered with the first label."""
    async with staged(greeting=False) as stage:
        stage.server.publish(HELLO)
        async with stage.listener() as client:
            assert (await client.get())["type"] == "hello"
            stage.server.publish(STATUS)
            assert (await client.get())["type"] == "status"
            await client.say("subscribe", types=["label"], instruments=["flute"])
            assert await client.settled() == []
            stage.hop(0, "violin")
            first = await client.get()
            assert (first["state"], first["label"]) == ("unknown", None)
            stage.hop(1, "violin")
            assert await client.settled() == []


async def test_hop_is_told_in_order(stage: Stage) -> None:
    """Of one hop the segment comes first, then the change, then the label; without asking no level and spectrum."""
    async with stage.listener() as client:
        await client.greeting()
        stage.server.publish(Level(0.2, -18.0, -6.0, clipped=False))
        stage.server.publish(Spectrum(0.25, [[-90.0] * 129] * 11))
        stage.hop(1, "flute")
        told = [await client.get() for _ in range(3)]
    assert [message["type"] for message in told] == ["segment", "change", "label"]
    assert told[1]["previous"] == {"state": "instrument", "label": "violin"}
    assert told[2]["label"] == "flute"


async def test_hello_comes_again(stage: Stage) -> None:
    """Everybody gets hello and status when they change, hello whatever the subscription."""
    async with stage.listener() as plain, stage.listener() as picky:
        await plain.greeting()
        await picky.greeting()
        await picky.ask("subscribe", types=["change"])
        stage.server.publish(HELLO)
        stage.server.publish(STATUS)
        assert [(await plain.get())["type"], (await plain.get())["type"]] == ["hello", "status"]
        assert [message["type"] for message in await picky.settled()] == ["hello"]


async def test_subscription_is_answered_with_the_label(stage: Stage) -> None:
    """A subscription is answered with the current label, whatever its types are, as its filters show it."""
    async with stage.listener() as client:
        await client.greeting()
        answer = await client.ask("subscribe", types=["change"], instruments=["violin"], min_confidence=0.9)
        assert (answer["type"], answer["seq"], answer["label"]) == ("label", 0, "violin")
        for filters in ({"instruments": ["flute"]}, {"min_confidence": 1}):
            answer = await client.ask("subscribe", types=["change"], **filters)
            assert (answer["type"], answer["seq"], answer["label"]) == ("label", 0, None)


async def test_subscription_replaces_the_former(stage: Stage) -> None:
    """Filters and types of a former subscription do not linger."""
    async with stage.listener() as client:
        await client.greeting()
        await client.ask("subscribe", types=["label"], instruments=["flute"], min_confidence=0.5)
        stage.hop(1, "violin")
        assert await client.settled() == []
        await client.ask("subscribe")
        stage.hop(2, "violin")
        assert [message["type"] for message in await client.settled()] == ["label"]


async def test_only_what_was_asked_for_arrives(stage: Stage) -> None:
    """Instruments, confidence and rate hold messages back, but for the one that ends what matched."""
    async with stage.listener() as client:
        await client.greeting()
        await client.ask("subscribe", types=["label", "change", "segment"], instruments=["flute"], min_confidence=0.5)
        for seq, (name, confidence) in enumerate(
            [("violin", 0.9), ("flute", 0.9), ("flute", 0.4), ("piano", 0.9), ("piano", 0.9), (None, 0.9)], start=1
        ):
            stage.hop(seq, name, confidence)
        told = await client.settled()
    assert [(message["type"], message["label"]) for message in told] == [
        ("change", "flute"),
        ("label", "flute"),
        ("change", None),  # too uncertain, which ends it
        ("label", None),
        ("segment", "flute"),
    ]


async def test_level_and_spectrum_are_told_when_asked_for(stage: Stage) -> None:
    """The server knows what nobody wants, and tells it who does."""
    async with stage.listener() as client:
        await client.greeting()
        assert not stage.server.wants("level")
        await client.ask("subscribe", types=["level", "spectrum"])
        assert stage.server.wants("level")
        assert stage.server.wants("spectrum")
        stage.server.publish(Level(0.2, -18.0, -6.0, clipped=True))
        stage.server.publish(Spectrum(0.25, [[-90.0] * 129] * 11))
        stage.hop(1)
        assert [message["type"] for message in await client.settled()] == ["level", "spectrum"]


@pytest.mark.parametrize(
    ("data", "code"),
    [
        ("", "bad-message"),
        ("not JSON", "bad-message"),
        ("[]", "bad-message"),
        ("[" * 4000, "bad-message"),
        ('{"type":"mark","text":"\\ud83c"}', "bad-message"),
        ('{"type":"subscribe","types":["everything"]}', "bad-message"),
        ('{"type":"subscribe","instruments":["kazoo"]}', "bad-message"),
        ('{"type":"history","seconds":NaN}', "bad-message"),
        ('{"type":"encore"}', "unknown-type"),
        (b'{"type":"ping"}', "bad-message"),
        (bytes(range(256)), "bad-message"),
    ],
    ids=lambda value: repr(value)[:40],
)
async def test_mistakes_leave_the_connection_open(stage: Stage, data: str | bytes, code: str) -> None:
    """What is not understood is answered with an error, and everything goes on as before."""
    async with stage.listener() as client:
        await client.greeting()
        await client.connection.send(data)
        answer = await client.get()
        assert (answer["type"], answer["code"]) == ("error", code)
        stage.hop(1)
        assert (await client.get())["seq"] == 1
        assert await client.ask("ping") == {"type": "pong"}


async def test_longest_message_is_read(stage: Stage) -> None:
    """A message of exactly the longest length is answered, whole or in parts."""
    async with stage.listener() as client:
        await client.greeting()
        text = '{"type":"ping","more":"' + "x" * (MESSAGE_BYTES - 25) + '"}'
        assert len(text) == MESSAGE_BYTES
        await client.connection.send(text)
        assert await client.get() == {"type": "pong"}
        await client.connection.send([text[:9], text[9:]])
        assert await client.get() == {"type": "pong"}


@pytest.mark.parametrize("parts", [["x" * (MESSAGE_BYTES + 1)], ["x" * 3000, "x" * 3000]], ids=["whole", "in parts"])
async def test_oversized_message_closes(stage: Stage, parts: list[str]) -> None:
    """A longer message closes the connection with code 1009."""
    async with stage.listener() as client:
        await client.greeting()
        await client.connection.send(parts)
        code, _ = await client.closed()
        assert code == CloseCode.MESSAGE_TOO_BIG


async def test_text_that_is_not_utf8_closes(stage: Stage) -> None:
    """A text frame that is not UTF-8 closes the connection with code 1007."""
    async with stage.listener() as client:
        await client.greeting()
        await client.connection.send(b"\xff\xfe", text=True)
        code, _ = await client.closed()
        assert code == CloseCode.INVALID_DATA


FLOODS = {
    "pings": 5000 * frame(b"x" * 125, 9),
    "pongs": 5000 * frame(b"", 10),
    "requests": 5000 * frame(b'{"type":"ping"}'),
    "garbage": 5000 * frame(b"\x00\xff", 2),
    "subscriptions": 5000 * frame(b'{"type":"subscribe","types":["level","spectrum"]}'),
    "histories": 5000 * frame(b'{"type":"history","seconds":1e9}'),
    "parts": frame(b"", 1, fin=False) + 5000 * frame(b"", 0, fin=False),
}


@pytest.mark.parametrize("kind", FLOODS)
async def test_flood_closes(stage: Stage, kind: str) -> None:
    """More frames than a client may send, of whatever kind, close the connection with code 1008 and cost little."""
    async with stage.raw() as (reader, writer), asyncio.timeout(PATIENCE):
        writer.write(FLOODS[kind])
        answer = await reader.read()
    close = answer.rindex(b"\x88")
    assert int.from_bytes(answer[close + 2 : close + 4], "big") == CloseCode.POLICY_VIOLATION
    assert b"more than 20 frames a second" in answer[close:]
    assert len(answer) < 20_000


async def test_flood_ends_with_the_first_frame_too_many(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Frames that come behind the one too many are passed over, also those for which there would be time again."""
    async with stage.raw() as (reader, writer), asyncio.timeout(PATIENCE):
        (connection,) = stage.server._connections
        answers = iter([True, False, *[True] * 100])
        monkeypatch.setattr(connection._bucket, "take", lambda: next(answers))
        writer.write(frame(b'{"type":"ping"}') + 25 * (frame(b"", 1, fin=False) + frame(b"", 0)))
        assert b"more than 20 frames a second" in await reader.read()
        assert len(list(answers)) == 100
    assert not caplog.records


async def test_parts_of_a_message_are_few(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """A message in parts that never ends, however little is in them and however slowly they come, closes with 1009."""
    async with stage.raw() as (reader, writer), asyncio.timeout(PATIENCE):
        await reader.readuntil(b'"label"')
        (its,) = stage.server._connections
        monkeypatch.setattr(its._bucket, "take", lambda: True)
        writer.write(frame(b'{"type":', 1, fin=False) + (connection.FRAGMENTS - 2) * frame(b"", 0, fin=False))
        writer.write(frame(b"", 9) + frame(b'"ping"}', 0))
        await reader.readuntil(b'{"type":"pong"}')
        writer.write(frame(b"", 1, fin=False) + (connection.FRAGMENTS + 9) * frame(b"", 0, fin=False))
        answer = await reader.read()
    assert int.from_bytes(answer[2:4], "big") == CloseCode.MESSAGE_TOO_BIG
    assert b"more than 64 parts" in answer


@pytest.mark.slow
@pytest.mark.parametrize("sent", [frame(b"", 8), frame(b"x" * 5000), b"\xff" * 9, 500 * frame(b"", 9)])
async def test_client_that_does_not_hang_up_is_hung_up(sent: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the end was told, by either side, the connection ends soon, without waiting for the next ping."""
    monkeypatch.setattr(server, "_PING_SECONDS", 1e6)
    async with staged() as stage:
        before = asyncio.all_tasks()
        async with stage.raw() as (_, writer):
            writer.write(sent)
            await gone(before)
        assert len(stage.server._limiter) == 0


async def test_client_that_does_not_hang_up_does_not_keep_the_service_from_ending(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Nor does the server wait for it when it ends."""
    monkeypatch.setattr(server, "_PING_SECONDS", 1e6)
    async with contextlib.AsyncExitStack() as clients, asyncio.timeout(PATIENCE):
        async with staged() as stage:
            before = asyncio.all_tasks()
            reader, writer = await clients.enter_async_context(stage.raw())
            writer.write(b"\xff" * 9)
            await reader.read()
        assert asyncio.all_tasks() <= before


@pytest.mark.parametrize("sent", [b"", b"\xff" * 9], ids=["told at the end", "told before"])
async def test_end_of_the_service_waits_less_than_others(sent: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the service ends, clients that do not hang up have less time than any other time."""
    monkeypatch.setattr(server, "_CLOSE_SECONDS", 1e6)
    async with contextlib.AsyncExitStack() as clients, asyncio.timeout(PATIENCE):
        async with staged() as stage:
            before = asyncio.all_tasks()
            reader, writer = await clients.enter_async_context(stage.raw())
            await reader.readuntil(b'"label"')
            writer.write(sent)
            if sent:
                await reader.readuntil(b"\x88")
        assert asyncio.all_tasks() <= before


async def test_news_are_of_those_who_were_turned_away(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    """At level info nothing is told of what went well, and of who was turned away whence it came, and why."""
    with caplog.at_level("INFO"):
        async with stage.listener() as client:
            await client.greeting()
        await request(stage, "GET /healthz")
        assert not [record for record in caplog.records if record.name.startswith("stream")]
        with pytest.raises(InvalidStatus):
            await connect(stage.url, origin=Origin("http://evil.example.org"))
        async with stage.raw() as (reader, writer):
            host, port = writer.get_extra_info("sockname")
            writer.write(FLOODS["pings"])
            await reader.read()
    told = [record.getMessage() for record in caplog.records if record.name.startswith("stream")]
    assert re.fullmatch(r"client 127\.0\.0\.1:\d+ refused: pages of .*", told[0])
    assert told[1:] == [f"client {host}:{port} closed: more than 20 frames a second"]


async def test_debugging_tells_of_every_request(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    """What websockets says of requests that went well is told at level debug."""
    with caplog.at_level("DEBUG"):
        await request(stage, "GET /healthz")
    assert "HTTP response sent (200 OK)" in [record.getMessage() for record in caplog.records]


@pytest.mark.parametrize("sent", [50 * frame(b"x", 9), 50 * frame(b'{"type":"ping"}'), 50 * frame(b"[")])
async def test_client_that_resets_the_connection_is_no_fault(
    stage: Stage, sent: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    """What cannot be answered any more is not logged."""
    before = asyncio.all_tasks()
    for _ in range(5):
        async with stage.raw() as (_, writer):
            writer.write(sent)
            option = writer.get_extra_info("socket").setsockopt
            option(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    await gone(before)
    assert not caplog.records


@pytest.mark.slow
async def test_flood_that_is_not_read_is_not_kept(stage: Stage) -> None:
    """A client that sends pings, reads nothing and does not hang up is cut off, and leaves nothing behind."""
    before = asyncio.all_tasks()
    async with stage.stalled() as (_, writer):
        (connection,) = list(stage.server._connections)
        with contextlib.suppress(ConnectionError):
            for _ in range(20):
                writer.write(FLOODS["pings"])
                await writer.drain()
        assert connection.transport.get_write_buffer_size() < 100_000
        await gone(before)
    assert stage.server.clients == 0


async def test_allowance_is_enough(stage: Stage) -> None:
    """A burst within the allowance is answered in full."""
    async with stage.listener() as client:
        await client.greeting()
        for _ in range(int(connection.FRAME_BURST) - 2):
            await client.say("ping")
        assert [await client.get() for _ in range(int(connection.FRAME_BURST) - 2)] == [{"type": "pong"}] * 58


async def test_history_and_marks_reach_everybody(stage: Stage) -> None:
    """A mark is told to all who subscribe to it, and the history has it, with the segments, for who comes later."""
    stage.hop(8, "flute")
    stage.hop(20, "piano")
    async with stage.listener() as one, stage.listener() as two:
        await one.greeting()
        await two.greeting()
        await one.say("mark", text="bridge 🎷")
        for client in (one, two):
            assert await client.get() == {"type": "mark", "time": 5.0, "text": "bridge 🎷"}
    async with stage.listener() as late:
        await late.greeting()
        history = await late.ask("history", seconds=600)
        assert [part["label"] for part in history["segments"]] == [None, "violin", "flute"]
        assert [mark["text"] for mark in history["marks"]] == ["bridge 🎷"]
        assert (await late.ask("history", seconds=1))["segments"] == history["segments"][-1:]
        stage.time = 60.0
        origins = [{"start": 0.0, "run": "", "source": "a stage", "model": "toy"}]
        nothing = {"type": "history", "segments": [], "guesses": [], "marks": [], "outages": [], "origins": origins}
        assert await late.ask("history", seconds=1) == nothing


async def test_mark_is_set_to_the_moment_before_it_was_written(stage: Stage) -> None:
    """A mark that says how long ago its moment was is set to that moment, and to the beginning at the earliest."""
    stage.hop(40)
    async with stage.listener() as client:
        await client.greeting()
        for ago, time in ((4.25, 5.75), (600, 0.0)):
            assert await client.ask("mark", text="bridge", ago=ago) == {"type": "mark", "time": time, "text": "bridge"}


async def test_outages_reach_everybody_and_guesses_who_asks(stage: Stage) -> None:
    """An outage is told without asking, twice; a guess when asked for; the history has either once."""
    away, guess = Outage(4.0, None, "a stage", "gone"), Guess(1.0, 2.0, "flute", 0.2)
    back = replace(away, end=9.5)
    async with stage.listener() as plain, stage.listener() as curious:
        await plain.greeting()
        await curious.greeting()
        await curious.ask("subscribe", types=["guess"], instruments=["flute"])
        for message in (away, guess, Guess(2.0, 3.0, "piano", 0.2)):
            stage.server.publish(message)
        assert [(message["start"], message["end"]) for message in await plain.settled()] == [(4.0, None)]
        assert [(message["type"], message["label"]) for message in await curious.settled()] == [("guess", "flute")]
        stage.time = 100.0
        history = await plain.ask("history", seconds=1)
        assert [(outage["start"], outage["end"]) for outage in history["outages"]] == [(4.0, None)]
        stage.server.publish(back)
        assert [(message["start"], message["end"]) for message in await plain.settled()] == [(4.0, 9.5)]
        history = await plain.ask("history", seconds=100)
    assert [(outage["start"], outage["end"]) for outage in history["outages"]] == [(4.0, 9.5)]
    assert [(told["start"], told["label"]) for told in history["guesses"]] == [(1.0, "flute"), (2.0, "piano")]


BULK = Spectrum(0.25, [[-90.123] * 129] * 125)
"""More than a hundred kilobytes."""


@pytest.mark.slow
async def test_stalled_client_is_closed_when_its_events_are_full(stage: Stage) -> None:
    """A client that reads nothing is told no more and closed when its events are full, even if it never wakes up."""
    before = asyncio.all_tasks()
    async with stage.stalled("spectrum", "mark"), stage.listener() as other:
        await other.greeting()
        for seq in range(1, 101):  # many megabytes, of which the network takes a part
            stage.server.publish(BULK)
            stage.hop(seq)
            assert (await other.get())["seq"] == seq
        for count in range(CAPACITY + 1):
            assert stage.server.clients == 2
            stage.server.publish(Mark(0.0, f"{count}"))
            assert (await other.get())["text"] == f"{count}"
        assert stage.server.clients == 1
        assert b"soloist_slow_clients_total 1.0" in stage.metrics.text()
        await other.connection.close()
        await gone(before)


@pytest.mark.slow
async def test_stalled_clients_do_not_keep_the_service_from_ending() -> None:
    """The server ends although one client reads nothing and another one does not even ask for anything."""
    async with contextlib.AsyncExitStack() as clients:
        async with staged() as stage:
            before = asyncio.all_tasks()
            await clients.enter_async_context(stage.stalled("spectrum"))
            await clients.enter_async_context(stage.plain())
            for _ in range(100):
                stage.server.publish(BULK)
        assert asyncio.all_tasks() <= before


@pytest.mark.slow
async def test_client_that_takes_nothing_is_given_up(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """A client that stays stalled is cut off after a while, although its events are not full."""
    monkeypatch.setattr(connection, "DRAIN_SECONDS", 0.2)
    before = asyncio.all_tasks()
    async with stage.stalled("spectrum"):
        for _ in range(100):
            stage.server.publish(BULK)
        assert stage.server.clients == 1
        await gone(before)
    assert stage.server.clients == 0


async def test_nothing_remains_of_those_who_left(stage: Stage) -> None:
    """However clients leave, no task, subscriber or connection of theirs stays."""
    before = asyncio.all_tasks()
    async with stage.listener() as client:
        await client.greeting()
        subscriber = weakref.ref(next(iter(stage.server._subscribers)))
    async with stage.listener() as client:
        client.connection.transport.abort()
    for data in (b"", frame(b"", 8), frame(b"x" * 5000), b"\xff\xff\xff", frame(b"{}")[:-1]):
        async with stage.raw() as (_, writer):
            writer.write(data)
    async with stage.plain() as (_, writer):
        writer.write(b"GET /ws HTTP/1.1\r\nHost:")
    await gone(before)
    del client
    gc.collect()
    assert subscriber() is None
    assert stage.server.clients == 0
    assert not stage.server._connections
    assert b"soloist_clients 0.0" in stage.metrics.text()


async def test_end_is_told(stage: Stage) -> None:
    """When the service ends, clients are closed with code 1001."""
    async with staged() as ending:
        client = Listener(await connect(ending.url))
        await client.greeting()
    assert (await client.closed())[0] == CloseCode.GOING_AWAY


async def test_port_in_use_is_told(stage: Stage) -> None:
    """A port that somebody else listens on is named in the error."""
    other = Server(INSTRUMENTS, Metrics(), lambda: HealthReport(None, {}), lambda: 0.0, lambda mark: None)
    with pytest.raises(AddressError, match=f"cannot listen on 127.0.0.1:{stage.port}: Address already in use"):
        async with other.listening("127.0.0.1", stage.port):
            pass


async def test_an_address_of_ipv6_is_told_with_its_brackets() -> None:
    """Its colons are told from that of the port."""
    server = Server(INSTRUMENTS, Metrics(), lambda: HealthReport(None, {}), lambda: 0.0, lambda mark: None)
    with pytest.raises(AddressError, match=r"cannot listen on \[2001:db8::1\]:8765: "):
        async with server.listening("2001:db8::1", 8765):
            pass


async def test_token_is_taken_as_a_message(guarded: Stage) -> None:
    """With the token in its first message a client is told everything."""
    async with guarded.listener() as client:
        assert (await client.ask("auth", token="söcret"))["type"] == "hello"
        assert [message["type"] for message in await client.settled()] == ["status", "label"]
        await client.say("auth", token="söcret")  # once more does no harm
        assert await client.settled() == []


async def test_token_is_taken_as_a_header(guarded: Stage) -> None:
    """With the token in the Authorization header a client is told everything, and may say it again."""
    header = {"Authorization": "bearer " + "söcret".encode().decode("latin-1")}
    async with guarded.listener(additional_headers=header) as client:
        assert [message["type"] for message in await client.greeting()] == ["hello", "status", "label"]
        await client.say("auth", token="söcret")
        assert await client.ask("ping") == {"type": "pong"}


@pytest.mark.parametrize(
    "first",
    ['{"type":"subscribe"}', '{"type":"auth"}', '{"type":"ping"}', "not JSON", b"s\xc3\xb6cret", ""],
    ids=repr,
)
async def test_no_token_is_refused(guarded: Stage, first: str | bytes) -> None:
    """Anything else than a token is answered with an error and closed with code 1008, and nothing is told before."""
    async with guarded.listener() as client:
        guarded.hop(1)
        assert guarded.server.clients == 0
        await client.connection.send(first)
        answer = await client.get()
        assert (answer["type"], answer["code"]) == ("error", "unauthorized")
        assert await client.closed() == (CloseCode.POLICY_VIOLATION, "unauthorized")


async def test_wrong_token_is_told_from_none(guarded: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """A wrong token has an error code and a reason of its own, whether it comes as a message or in the header."""
    async with guarded.listener() as client:
        assert (await client.ask("auth", token="wrong"))["code"] == "wrong-token"
        assert await client.closed() == (CloseCode.POLICY_VIOLATION, "unauthorized: wrong token")
    monkeypatch.setattr(subscriber, "AUTH_SECONDS", 0.05)
    for header, code in (("Bearer wrong", "wrong-token"), ("Basic c8O2Y3JldA==", "unauthorized"), ("", "unauthorized")):
        async with guarded.listener(additional_headers={"Authorization": header}) as client:
            assert (await client.get())["code"] == code


async def test_wrong_header_is_no_token(guarded: Stage) -> None:
    """With a wrong header the token may still come as a message."""
    for header in ("Bearer wrong", "Basic c8O2Y3JldA==", "söcret", "", "Bearer", "Bearer söcret"):
        async with guarded.listener(additional_headers={"Authorization": header}) as client:
            assert (await client.ask("auth", token="wrong"))["code"] == "wrong-token"
    async with guarded.listener(additional_headers={"Authorization": "Bearer wrong"}) as client:
        assert (await client.ask("auth", token="söcret"))["type"] == "hello"


async def test_guesses_are_slowed_down(guarded: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a number of different wrong tokens none is looked at for a while, by message or header; then all are."""
    guard = guarded.server._handshake._guard
    now = 0.0
    monkeypatch.setattr(guard, "_clock", lambda: now)
    for number in range(int(token_guard.GUESSES[1])):
        async with guarded.listener() as client:
            assert (await client.ask("auth", token=f"wrong {number}"))["code"] == "wrong-token"
    for token in ("wrong", "söcret"):
        async with guarded.listener() as client:
            assert (await client.ask("auth", token=token))["code"] == "too-often"
            code, reason = await client.closed()
            assert code == CloseCode.TRY_AGAIN_LATER
            assert reason == "too many wrong tokens from this address; come back later"
    bearer = "Authorization: Bearer söcret"
    status, header, _ = await request(guarded, "GET /metrics", bearer)
    assert (status, header["Retry-After"]) == (429, "5")
    status, _, body = await request(guarded, "GET /healthz", bearer)
    assert (status, json.loads(body)) == (200, {"status": "ok"})
    now = 1.0
    assert (await request(guarded, "GET /metrics", bearer))[0] == 200
    async with guarded.listener() as client:
        assert (await client.ask("auth", token="söcret"))["type"] == "hello"


async def test_silence_is_no_token(guarded: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """A client that does not say the token in time is told nothing and closed."""
    monkeypatch.setattr(subscriber, "AUTH_SECONDS", 0.05)
    async with guarded.listener() as client:
        assert (await client.get())["code"] == "unauthorized"
        assert (await client.closed())[0] == CloseCode.POLICY_VIOLATION


async def test_health_is_told(stage: Stage) -> None:
    """/healthz has status 200 with all details, or 503 with the reason."""
    status, header, body = await request(stage, "GET /healthz")
    assert (status, header["Content-Type"]) == (200, "application/json")
    assert json.loads(body) == {"status": "ok", "reason": None, "model": "toy"}
    stage.health = HealthReport("no audio for 7.0 s", {"model": "toy"})
    status, _, body = await request(stage, "GET /healthz")
    assert status == 503
    assert json.loads(body) == {"status": "failing", "reason": "no audio for 7.0 s", "model": "toy"}


async def test_metrics_are_told(stage: Stage) -> None:
    """/metrics is what Prometheus reads, and counts clients and messages."""
    async with stage.listener() as client:
        await client.greeting()
        stage.hop(1)
        await client.get()
        status, header, body = await request(stage, "GET /metrics")
    assert status == 200
    assert header["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    samples = {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(body.decode())
        for sample in family.samples
    }
    assert samples["soloist_clients",] == 1
    assert samples["soloist_messages_total", "label"] == 1
    assert samples["soloist_slow_clients_total",] == 0
    assert samples["process_resident_memory_bytes",] > 0


async def test_page_is_served(stage: Stage) -> None:
    """/ is the dashboard, which browsers keep until it changes."""
    page = (resources.files("stream") / "web" / "index.html").read_bytes()
    status, header, body = await request(stage, "GET /?theme=dark")
    assert (status, body) == (200, page)
    assert header["Content-Type"] == "text/html; charset=utf-8"
    assert int(header["Content-Length"]) == len(page)
    assert header["X-Content-Type-Options"] == "nosniff"
    assert "default-src 'none'; script-src 'self';" in header["Content-Security-Policy"]
    assert (await request(stage, "GET /index.html"))[2] == page
    for fields in (
        [f"If-None-Match: {header['ETag']}"],
        ['If-None-Match: "old"', f"If-None-Match: W/{header['ETag']}"],
    ):
        status, again, body = await request(stage, "GET /", *fields)
        assert (status, body, again["ETag"], again["Content-Length"]) == (304, b"", header["ETag"], None)
    assert (await request(stage, "GET /", 'If-None-Match: "old"'))[0] == 200


async def test_pages_have_short_names(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """/ and /overlay are two of the files, whatever their parameters say, and nothing where there is no such file."""
    monkeypatch.setattr("stream.server.http.resources", SimpleNamespace(files=lambda package: tmp_path))
    web = tmp_path / "web"
    web.mkdir()
    for names in ((), ("index.html", "overlay.html")):
        for name in names:
            (web / name).write_text(f"<title>{name}</title>", encoding="utf-8")
        async with staged() as stage:
            answers = [await request(stage, f"GET {path}") for path in ("/", "/overlay?size=40", "/overlay")]
        if not names:
            assert [status for status, _, _ in answers] == [404, 404, 404]
    assert [(status, header["Content-Type"]) for status, header, _ in answers] == [
        (200, "text/html; charset=utf-8")
    ] * 3
    titles = ["index.html", "overlay.html", "overlay.html"]
    assert [body.decode() for _, _, body in answers] == [f"<title>{title}</title>" for title in titles]


@pytest.mark.parametrize("path", ["/", "/healthz", "/metrics", "/nothing"])
async def test_head_is_get_without_the_body(stage: Stage, path: str) -> None:
    """HEAD tells what GET would, without its content."""
    status, header, body = await request(stage, f"HEAD {path}")
    expected, other, content = await request(stage, f"GET {path}")
    assert (status, body) == (expected, b"")
    assert header["Content-Type"] == other["Content-Type"]
    assert path == "/metrics" or int(header["Content-Length"]) == len(content)


@pytest.mark.parametrize(
    "path",
    [
        "/nothing",
        "/..",
        "/../pyproject.toml",
        "/web/../../pyproject.toml",
        "/%2e%2e/pyproject.toml",
        "/..%2fpyproject.toml",
        "/....//pyproject.toml",
        "/\\..\\pyproject.toml",
        "//etc/passwd",
        "/etc/passwd",
        "/index.html/",
        "/INDEX.HTML",
        "/index.html%00",
        "file:///etc/passwd",
        "*",
    ],
)
async def test_only_the_page_is_served(stage: Stage, path: str) -> None:
    """Whatever else is asked for is not found."""
    status, _, body = await request(stage, f"GET {path}")
    assert (status, body) == (404, b"not found\n")


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "get", "X"])
async def test_other_methods_are_refused(stage: Stage, method: str) -> None:
    """Only GET and HEAD are allowed."""
    for path in ("/", "/healthz", "/metrics", "/ws", "/nothing"):
        status, header, _ = await request(stage, f"{method} {path}")
        assert (status, header["Allow"]) == (405, "GET, HEAD")


async def test_strange_requests_end(stage: Stage) -> None:
    """What is no HTTP request, or one with a body, gets no answer but the end of the connection."""
    for data in (
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"nonsense\r\n\r\n",
        b"GET / HTTP/3\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello",
        b"GET /" + b"x" * 20_000 + b" HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 500 + b"\r\n",
    ):
        async with stage.plain() as (reader, writer), asyncio.timeout(PATIENCE):
            writer.write(data)
            writer.write_eof()
            with contextlib.suppress(ConnectionError):
                assert (await reader.read())[:12] in (
                    b"",
                    b"HTTP/1.1 400",
                    b"HTTP/1.1 413",
                    b"HTTP/1.1 414",
                    b"HTTP/1.1 431",
                )
    assert (await request(stage, "GET /healthz"))[0] == 200


async def test_socket_is_at_its_own_path(stage: Stage) -> None:
    """/ws asks a browser to upgrade, and no other path is a WebSocket."""
    status, header, _ = await request(stage, "GET /ws")
    assert (status, header["Upgrade"]) == (426, "websocket")
    for path, expected in (("/", 200), ("/socket", 404), ("/ws/", 404)):
        with pytest.raises(InvalidStatus) as error:
            await connect(f"ws://{stage.address}{path}")
        assert error.value.response.status_code == expected


async def test_repeated_fields_are_no_fault(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    """Header fields that are sent twice are answered like others, and not logged as an error of the server."""
    twice = ("Upgrade: x", "Upgrade: y", "Authorization: a", "Authorization: b")
    assert (await request(stage, "GET /healthz", *twice))[0] == 200
    assert (await request(stage, "GET /ws", *twice))[0] == 426
    assert not caplog.records


async def test_token_protects_what_is_not_the_page(guarded: Stage) -> None:
    """Without the token there is the page and a bare health; with it there are metrics and details."""
    bearer = "Authorization: Bearer söcret"
    assert (await request(guarded, "GET /"))[0] == 200
    status, _, body = await request(guarded, "GET /healthz")
    assert (status, json.loads(body)) == (200, {"status": "ok"})
    guarded.health = HealthReport("no audio yet", {"model": "toy"})
    status, _, body = await request(guarded, "GET /healthz")
    assert (status, json.loads(body)) == (503, {"status": "failing"})
    assert json.loads((await request(guarded, "GET /healthz", bearer))[2])["reason"] == "no audio yet"
    for fields in ([], ["Authorization: Bearer wrong"], ["Authorization: Basic c8O2Y3JldA=="], [bearer + "x"]):
        status, header, body = await request(guarded, "GET /metrics", *fields)
        assert (status, header["WWW-Authenticate"], body) == (401, "Bearer", b"token required\n")
    assert (await request(guarded, "GET /metrics", bearer))[0] == 200


async def test_idle_clients_are_written_to_directly(stage: Stage) -> None:
    """A client that keeps up has its messages written by whoever publishes, without a turn of the event loop."""
    async with stage.listener() as client:
        await client.greeting()
        (told,) = stage.server._subscribers
        await client.settled()
        assert told.is_idle
        stage.server.publish(label(1))
        assert not told._outbox
        assert (await client.get())["seq"] == 1


async def test_nothing_is_told_behind_the_end(stage: Stage) -> None:
    """Whoever said that it will close, or was told so, gets no message behind that, though its connection lasts."""
    for end in (frame(b"\x03\xe8bye", 8), frame(b"x" * 5000)):
        async with stage.raw() as (reader, writer), asyncio.timeout(PATIENCE):
            await reader.readuntil(b'"label"')
            (connection_,) = [it for it in stage.server._connections if it.protocol.state is State.OPEN]
            writer.write(end)
            while connection_.protocol.state is State.OPEN:  # noqa: ASYNC110 - nobody tells
                await asyncio.sleep(0)
            stage.hop(1)
            stage.server.publish(Mark(0.0, "too late"))
            writer.write_eof()
            answer = await reader.read()
        assert b"too late" not in answer
        close = answer[answer.index(b"\x88") :]
        assert len(close) == 2 + close[1]


@pytest.mark.slow
async def test_service_speaks_the_protocol() -> None:
    """The whole service, hearing the demo, sends messages of every kind just as the schema describes them."""
    async with serving("--input", "demo") as service, connect(f"ws://{service.address}/ws") as socket:
        client = Listener(socket)
        told = [await client.get()]
        assert told[0]["type"] == "hello"
        await client.say("subscribe", types=sorted(TYPES))
        await client.say("mark", text="start")
        kinds = {"hello", "status", "label", "change", "segment", "level", "spectrum", "mark"}
        while {message["type"] for message in told} < kinds:
            told.append(await client.get())
        told.append(await client.ask("history", seconds=60))
        told += await client.until("history") if told[-1]["type"] != "history" else []
        seqs = [message["seq"] for message in told if message["type"] == "label"]
        assert seqs == sorted(seqs)
