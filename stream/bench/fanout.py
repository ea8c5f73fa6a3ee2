"""Hundreds of subscribers in one process: the load generator of `soloist bench`.

It speaks just enough of the protocol to note when each label arrives. A full client would spend more time on a message
than the server does, and the figure would be the client's.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from typing import Final

_HANDSHAKE: Final = (
    b"GET /ws HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)
_LABEL: Final = b'{"type":"label"'
_CLOSE: Final = 0x88


class _Subscriber(asyncio.Protocol):
    """Notes sequence number and arrival of every label until the server closes."""

    def __init__(self) -> None:
        self.seen: list[tuple[bytes, float]] = []
        self.closed = asyncio.get_running_loop().create_future()
        self._buffer = b""
        self._open = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        transport.write(_HANDSHAKE)

    def data_received(self, data: bytes) -> None:
        now = time.monotonic()
        self._buffer += data
        if not self._open:
            _, end, rest = self._buffer.partition(b"\r\n\r\n")
            if not end:
                return
            self._buffer, self._open = rest, True
        while len(self._buffer) >= 4:
            # A server's frames are not masked; the length is in the second byte or in the two after it.
            start, length = 2, self._buffer[1]
            if length == 126:
                start, length = 4, int.from_bytes(self._buffer[2:4], "big")
            if len(self._buffer) < start + length:
                return
            if self._buffer[0] == _CLOSE:
                self.transport.close()
                return
            if self._buffer.startswith(_LABEL, start):
                self.seen.append((self._buffer[start : start + length], now))
            self._buffer = self._buffer[start + length :]

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.closed.done():
            self.closed.set_result(None)


async def _run(host: str, port: int, count: int) -> None:
    loop = asyncio.get_running_loop()
    crowd = []
    for _ in range(count + 1):
        _, subscriber = await loop.create_connection(_Subscriber, host, port)
        crowd.append(subscriber)
    stalled = crowd.pop()
    stalled.transport.pause_reading()
    await asyncio.gather(*(subscriber.closed for subscriber in crowd))
    stalled.transport.abort()
    for subscriber in crowd:
        labels = [(json.loads(text), now) for text, now in subscriber.seen]
        sys.stdout.write(json.dumps([(label["seq"], now - label["time"]) for label, now in labels]) + "\n")


if __name__ == "__main__":
    asyncio.run(_run(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))
