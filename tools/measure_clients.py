"""What clients cost the server's memory: python -m tools.measure_clients [--tls CERTIFICATE KEY].

Clients in another process subscribe to everything, ask for the history, and stall; meanwhile the server has more to
tell than fits. All that is done twice: what the first ones held is there for the second.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import socket
import ssl
import sys
from asyncio.subprocess import PIPE
from collections.abc import Callable
from pathlib import Path

from stream.protocol.messages import Mark, Spectrum
from stream.protocol.outbox import CAPACITY
from stream.protocol.requests import TYPES
from stream.server.access import Access, tls_context
from stream.server.http import HealthReport
from stream.server.metrics import Metrics
from stream.server.server import Server
from tests.support.serving import HELLO, INSTRUMENTS, STATUS, change, frame, label, segment

CLIENTS = 200
SPECTRUM = Spectrum(0.25, [[-90.1] * 129] * 125)
SUBSCRIBE = frame(json.dumps({"type": "subscribe", "types": sorted(TYPES)}).encode())
HISTORY = frame(b'{"type":"history","seconds":1e9}')


def resident() -> float:
    """Return this process's memory in KiB."""
    gc.collect()
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return float(next(line for line in status.splitlines() if line.startswith("VmRSS")).split()[1])


def stall(port: int, tls: bool) -> None:
    """Connect many clients that ask for everything and read nothing; hold them until standard input ends."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    held = []
    shake = "GET /ws HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    for _ in range(CLIENTS):
        connection = socket.create_connection(("127.0.0.1", port))
        if tls:
            connection = context.wrap_socket(connection)
        connection.sendall(f"{shake}Sec-WebSocket-Key: {'A' * 22}==\r\nSec-WebSocket-Version: 13\r\n\r\n".encode())
        while b"\r\n\r\n" not in connection.recv(4096):
            pass
        connection.sendall(SUBSCRIBE)
        held.append(connection)
    sys.stdout.write("here\n")
    sys.stdout.flush()
    sys.stdin.readline()
    for connection in held:
        connection.sendall(HISTORY)
    sys.stdout.write("asked\n")
    sys.stdout.flush()
    sys.stdin.read()


async def measure(certificate: str | None, key: str | None) -> None:
    """Serve them, and tell what they cost."""
    access = Access(tls=tls_context(certificate, key))
    time = 0.0
    server = Server(
        INSTRUMENTS, Metrics(), lambda: HealthReport(None, {}), lambda: time, lambda mark: server.publish(mark), access
    )
    async with server.listening("127.0.0.1", 0) as address:
        for message in (HELLO, STATUS, label(0)):
            server.publish(message)
        for number in range(4000):  # a history as long as it gets
            server.publish(segment(number, number + 1, "distorted electric guitar"))
            server.publish(Mark(float(number), "\N{SAXOPHONE}" * 200))
        time = 4000.0
        server.publish(SPECTRUM)
        before = resident()

        def tell(when: str, more: str = "") -> None:
            print(f"{when:<10}{(resident() - before) / CLIENTS:6.1f} KiB a client{more}")  # noqa: T201

        port = address.rstrip("/").rpartition(":")[2]
        for _ in range(2):
            await crowd(server, ["--stall", port, *(["--tls", "x", "x"] if certificate else [])], tell)


async def crowd(server: Server, arguments: list[str], tell: Callable[..., None]) -> None:
    """Let clients come, stall and go."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tools.measure_clients", *arguments, stdin=PIPE, stdout=PIPE
    )
    assert process.stdin is not None
    assert process.stdout is not None
    await process.stdout.readline()
    await until(lambda: all(it.subscription.types == TYPES for it in server._subscribers))
    tell("connected")
    process.stdin.write(b"\n")
    await process.stdout.readline()
    await asyncio.sleep(1)
    for seq in range(1, 201):  # megabytes of states, and then as many events as may wait
        server.publish(SPECTRUM)
        server.publish(label(seq))
        await asyncio.sleep(0.01)
    for number in range(CAPACITY // 2):
        server.publish(Mark(4000.0, "\N{SAXOPHONE}" * 200))
        server.publish(change(number, "flute", "violin"))
        await asyncio.sleep(0)
    await asyncio.sleep(1)
    waiting = [len(it._outbox) for it in server._subscribers]
    below = [it.connection.transport.get_write_buffer_size() for it in server._subscribers]
    tell("stalled", f"; {server.clients} clients, {min(waiting)} messages wait or more, {max(below)} bytes below them")
    process.terminate()
    await process.communicate()
    await until(lambda: not server.clients)
    await asyncio.sleep(0.5)
    tell("gone")


async def until(true: Callable[[], bool]) -> None:
    """Wait until something is so."""
    while not true():  # noqa: ASYNC110 - nobody tells
        await asyncio.sleep(0.1)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--tls", nargs=2, default=[None, None])
    parser.add_argument("--stall", type=int)
    options = parser.parse_args()
    if options.stall is not None:
        stall(options.stall, options.tls[0] is not None)
    else:
        asyncio.run(measure(*options.tls))
