"""Hundreds of subscribers in one process: the load generator of `soloist bench`.

It speaks just enough of the protocol to note when each label arrives, and reads what it noted when all is over. A full
client, or asyncio, would spend more time on a message than the server does, and the figure would be the client's.
"""

from __future__ import annotations

import json
import selectors
import socket
import sys
import time
from typing import Final

_HANDSHAKE: Final = (
    b"GET /ws HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)
_LABEL: Final = b'{"type":"label"'
_CLOSE: Final = 0x88
_BYTES: Final = 65_536  # read at once
_POLL_SECONDS: Final = 0.01
"""How long it looks for more without going to sleep: were it woken for each message, the server's write would pay."""

Arrival = tuple[float, bytes]
"""When something arrived, on `time.monotonic`, and what."""


def _subscribe(host: str, port: int) -> socket.socket:
    """Connect, and ask for what every client gets."""
    connection = socket.create_connection((host, port))
    connection.sendall(_HANDSHAKE)
    connection.setblocking(False)
    return connection


def _receive(subscribers: list[socket.socket]) -> list[list[Arrival]]:
    """Read until the server closes; return what each subscriber got, in pieces as they came."""
    arrivals: list[list[Arrival]] = [[] for _ in subscribers]
    with selectors.DefaultSelector() as selector:
        for connection, arrived in zip(subscribers, arrivals, strict=True):
            selector.register(connection, selectors.EVENT_READ, (connection.recv, arrived.append))
        polls_until = 0.0
        while selector.get_map():
            ready = selector.select(0 if time.monotonic() < polls_until else None)
            if ready:
                polls_until = time.monotonic() + _POLL_SECONDS
            for key, _ in ready:
                receive, note = key.data
                try:
                    data = receive(_BYTES)
                except ConnectionError:
                    data = b""
                note((time.monotonic(), data))
                if not data or data[0] == _CLOSE:
                    selector.unregister(key.fileobj)
    return arrivals


def _labels(arrivals: list[Arrival]) -> list[tuple[int, float]]:
    """Return the sequence number of each label, and its age in seconds when it had arrived."""
    labels, buffer, is_open = [], b"", False
    for now, data in arrivals:
        buffer += data
        if not is_open:
            _, end, rest = buffer.partition(b"\r\n\r\n")
            if not end:
                continue
            buffer, is_open = rest, True
        while len(buffer) >= 4:
            # A server's frames are not masked; the length is in the second byte or in the two after it.
            start, length = 2, buffer[1]
            if length == 126:
                start, length = 4, int.from_bytes(buffer[2:4], "big")
            if len(buffer) < start + length:
                break
            if buffer.startswith(_LABEL, start):
                label = json.loads(buffer[start : start + length])
                labels.append((label["seq"], now - label["time"]))
            buffer = buffer[start + length :]
    return labels


def _run(host: str, port: int, count: int) -> None:
    """Subscribe `count` times, and once more without reading, until the server closes.

    Then write a line of JSON for each that read: its labels, as pairs of sequence number and age in seconds.
    Ages need one clock for both processes, so a label's time has to be `time.monotonic()`.
    """
    subscribers = [_subscribe(host, port) for _ in range(count)]
    stalled = _subscribe(host, port)
    arrivals = _receive(subscribers)
    for connection in (*subscribers, stalled):
        connection.close()
    for arrived in arrivals:
        sys.stdout.write(json.dumps(_labels(arrived)) + "\n")


if __name__ == "__main__":
    _run(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
