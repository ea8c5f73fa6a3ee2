"""A WebSocket connection that bounds what one client can cost."""

from __future__ import annotations

import asyncio
import contextlib
import http
import logging
import socket
from typing import Any, Final

from websockets.asyncio.server import ServerConnection
from websockets.frames import DATA_OPCODES, CloseCode, Frame, Opcode
from websockets.protocol import Event, State

from stream.server.connection_limits import ConnectionLimiter
from stream.server.rate_limit import TokenBucket
from stream.server.token_guard import Verdict

FRAME_RATE: Final = 20.0
"""Frames a second that a client may send for long: messages, parts of messages, pings and pongs."""
FRAME_BURST: Final = 60.0
"""Frames that it may send at once."""
DRAIN_SECONDS: Final = 40.0
"""Seconds in which a client must take what was written to it, as long as it has to answer a ping."""
UNSENT_BYTES: Final = 4096
"""What may wait below the outbox, where newer states cannot replace it, on this machine."""
FRAGMENTS: Final = 64
"""Frames of one message at the most: each takes memory of its own, even if it holds nothing."""
REQUEST_BYTES: Final = 16_384
"""Length of a request with all its fields at the most."""
_PIECE: Final = 4096  # bytes parsed before the frames in them are counted

_log = logging.getLogger(__name__)


class Connection(ServerConnection):
    """A connection whose client may neither flood it nor stall it for ever.

    websockets answers pings by itself, whether or not the answers are read, and it waits without a limit of time for
    a client to take what was written, even when it is to close the connection: a client that only writes could fill
    the memory, and one that only sleeps could keep the service from ending.

    Parameters
    ----------
    limiter : ConnectionLimiter
        Counts it as long as it lasts.
    """

    def __init__(self, limiter: ConnectionLimiter, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._limiter = limiter
        self.sent_early = False
        """Whether the client sent more than its request before that was answered; it was not read."""
        self.verdict = Verdict.MISSING
        """What its request has shown that it knows of the token."""
        self._request = b""  # as far as it has come
        self._bucket = TokenBucket(FRAME_RATE, FRAME_BURST, self.loop.time)
        self._parts = 0  # of the message that comes
        self._is_refused = False
        self._abort_timer: asyncio.TimerHandle | None = None  # set when it is to end

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the kernel from storing megabytes for a client that sleeps: minutes of labels long out of date."""
        super().connection_made(transport)
        option = getattr(socket, "TCP_NOTSENT_LOWAT", None)
        raw = transport.get_extra_info("socket")
        if option is not None and raw is not None:
            raw.setsockopt(socket.IPPROTO_TCP, option, UNSENT_BYTES)
        peer = transport.get_extra_info("peername")
        self._limiter.add_pending(self, peer[0] if peer else "")

    def connection_lost(self, exc: Exception | None) -> None:
        """Let go of what belongs to the connection."""
        super().connection_lost(exc)
        _forget_frames(self.protocol.parser_exc)
        self._limiter.remove(self)
        if self._abort_timer is not None:
            self._abort_timer.cancel()

    def set_connection_exc(self, exc: BaseException | None) -> None:
        """Keep why the connection was lost, as websockets does, but not where: those frames keep the connection."""
        super().set_connection_exc(exc)
        _forget_frames(exc)

    def data_received(self, data: bytes) -> None:
        """Read what the client sent, in pieces so small that a flood ends before all of it was answered."""
        for start in range(0, len(data), _PIECE):
            if self.transport.is_closing():
                # With TLS, the end may come with the answer to a piece; then it is an error to read another.
                return
            piece = data[start : start + _PIECE]
            if self.state is State.CONNECTING:
                self._read_request(piece)
            else:
                super().data_received(piece)
        if self.state is State.CLOSING or (self.request is None and self.protocol.close_expected()):
            self._abort_soon()

    def process_event(self, event: Event) -> None:
        """Process one frame, and close the connection when it is one too many."""
        if isinstance(event, Frame):
            if self._is_refused:
                return  # the end of a message of which a part was passed over is none
            if event.opcode in DATA_OPCODES:
                self._parts = self._parts + 1 if event.opcode is Opcode.CONT else 1
            if not self._bucket.take():
                self._refuse(CloseCode.POLICY_VIOLATION, f"more than {FRAME_RATE:g} frames a second")
                return
            if self._parts > FRAGMENTS:
                self._refuse(CloseCode.MESSAGE_TOO_BIG, f"more than {FRAGMENTS} parts of a message")
                return
        super().process_event(event)

    def send_data(self) -> None:
        """Write what waits in one piece, and nothing to a connection that is lost, for asyncio logs each such write."""
        writes = self.protocol.data_to_send()
        if not writes or self.transport.is_closing():
            return
        self.transport.write(b"".join(writes))
        if not writes[-1]:  # which says that nothing comes after it
            with contextlib.suppress(OSError):  # the client was faster
                self.transport.write_eof() if self.transport.can_write_eof() else self.transport.close()

    async def drain(self) -> None:
        """Wait until the client has taken most of what was written to it.

        Raises
        ------
        TimeoutError
            When it does not; the caller, in websockets, ends the connection then.
        """
        async with asyncio.timeout(self.close_timeout if self.state is State.CLOSING else DRAIN_SECONDS):
            await super().drain()

    @property
    def is_idle(self) -> bool:
        """Whether the client has taken all that was written to it."""
        return self.transport.get_write_buffer_size() == 0

    def write_frame(self, frame: bytes) -> None:
        """Write a frame that was made once for all clients, unless the end of this connection has begun."""
        if self.protocol.state is State.OPEN and not self.transport.is_closing():
            self.transport.write(frame)

    def abort(self) -> None:
        """End the connection now, whatever its state."""
        if hasattr(self, "transport"):  # which it gets a moment after it was made
            self.transport.abort()

    def _read_request(self, data: bytes) -> None:
        """Read to the end of the request and no further, for websockets would answer frames before the request."""
        if self.request is None and not self.protocol.close_expected():
            before = len(self._request)
            self._request += data
            end = self._request.find(b"\r\n\r\n", max(0, before - 3))
            read = data if end < 0 else data[: end + 4 - before]
            data = data[len(read) :]
            if before + len(read) > REQUEST_BYTES:
                status = http.HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE
                self.protocol.send_response(self.protocol.reject(status, f"more than {REQUEST_BYTES} bytes\n"))
                self.send_data()
            else:
                super().data_received(read)
            if self.request is not None or self.protocol.close_expected():
                self._request = b""
        self.sent_early = self.sent_early or (self.request is not None and bool(data))

    def _refuse(self, code: CloseCode, reason: str) -> None:
        _log.info("client %s closed: %s", peer_name(self), reason)
        self._is_refused = True
        self.protocol.fail(code, reason)
        self.send_data()
        self._abort_soon()

    def _abort_soon(self) -> None:
        """Give the client a moment to hang up, for which nobody else waits."""
        if self._abort_timer is None:
            self._abort_timer = self.loop.call_later(self.close_timeout or 0, self.abort)


def _forget_frames(error: BaseException | None) -> None:
    """Take from an error the frames in which it was raised.

    A connection that keeps an error whose frames keep the connection is garbage that only a full collection finds.
    Those are minutes apart, for the collector counts objects and knows nothing of the buffers that hang on them.
    """
    while error is not None:
        error.__traceback__ = None
        error = error.__cause__ or error.__context__


def text_frame(text: str) -> bytes:
    """Make the frame of a text, the same for all clients: servers do not mask, and ours agrees on no extensions."""
    return Frame(Opcode.TEXT, text.encode()).serialize(mask=False)


def peer_name(connection: ServerConnection) -> str:
    """Return whence a connection comes, as people write it: its address and port."""
    host, port, *_ = connection.remote_address or ("nowhere", 0)  # which it is when it was lost at once
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
