"""TLS between a TCP connection and the WebSocket that is spoken through it."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import Callable
from typing import Any, Final, cast

from stream.server.connection import Connection
from stream.server.connection_limits import ConnectionLimiter

SHUTDOWN_SECONDS: Final = 2.0
"""Time that a client has to hang up when it was told the end of TLS."""
_RECORD: Final = 16_384
"""Bytes in one record of TLS at the most."""
_PIECE: Final = 4096
"""Bytes that are decrypted or encrypted at once: a memory BIO keeps as much memory as it was ever given."""
_UNSENT_BYTES: Final = 1_048_576
"""What may wait to be sent, amply: more waits only for a client that makes TLS answer, and takes no answers."""


class TLSTransport(asyncio.Transport, asyncio.Protocol):
    """Does the handshake of TLS on a TCP connection, and is the transport of a WebSocket connection then.

    asyncio has this, too, but tells nobody of a connection before it has TLS: one that never gets there could neither
    be counted for its address nor be ended when others come. And it keeps 256 KiB for each connection to read into,
    where a record of TLS has no more than 16.

    Parameters
    ----------
    limiter : ConnectionLimiter
        Counts the connection, as a pending one, until it has TLS.
    context : ssl.SSLContext
    connect : callable
        Makes the WebSocket connection.
    handshake_seconds : float
        Time for the handshake.
    """

    def __init__(
        self,
        limiter: ConnectionLimiter,
        context: ssl.SSLContext,
        connect: Callable[[], Connection],
        handshake_seconds: float,
    ) -> None:
        super().__init__()
        self._limiter = limiter
        self._connect = connect
        self._handshake_seconds = handshake_seconds
        self._received, self._unsent = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._received, self._unsent, server_side=True)
        self._connection: Connection | None = None  # from the end of the handshake
        self._is_closing = False
        self._timer: asyncio.TimerHandle | None = None  # of the handshake, later that of the shutdown

    # What the TCP connection calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Wait for the handshake, but not for ever."""
        self._tcp = cast(asyncio.Transport, transport)
        if self._is_closing:  # since before there was anything to close
            self._tcp.abort()
        peer = transport.get_extra_info("peername")
        self._limiter.add_pending(self, peer[0] if peer else "")
        self._abort_after(self._handshake_seconds)

    def data_received(self, data: bytes) -> None:
        """Decrypt what came."""
        for start in range(0, len(data), _PIECE):
            if self.is_closing():
                return  # whatever comes after the end is of no interest
            self._received.write(data[start : start + _PIECE])
            try:
                self._decrypt()
            except ssl.SSLError:
                self._send()  # the alert that tells the client what was wrong
                self._shut_down()
                return

    def eof_received(self) -> None:
        """End the connection, which the client has ended."""
        if not self.is_closing():
            self._end()

    def pause_writing(self) -> None:
        """Tell the connection that its client does not take what is written."""
        if self._connection is not None:
            self._connection.pause_writing()

    def resume_writing(self) -> None:
        """Tell the connection that its client takes what is written again."""
        if self._connection is not None:
            self._connection.resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        """Let go of what belongs to the connection."""
        self._is_closing = True
        self._limiter.remove(self)
        if self._timer is not None:
            self._timer.cancel()
        connection, self._connection = self._connection, None  # which keep each other in memory
        del self._tls, self._received, self._unsent  # tens of KiB, however long somebody may still hold this object
        if connection is not None:
            connection.connection_lost(exc)

    # What the WebSocket connection calls.

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Encrypt and send, in records so short that little memory is needed for them."""
        if self.is_closing():
            return
        view, records = memoryview(data), []
        try:
            for start in range(0, len(view), _PIECE):
                self._tls.write(view[start : start + _PIECE])
                records.append(self._unsent.read())
        except ssl.SSLError:
            self.abort()
        else:
            self._tcp.write(b"".join(records))

    def close(self) -> None:
        """End the connection once all was sent, or after a moment."""
        if not self._is_closing:
            self._is_closing = True
            with contextlib.suppress(ssl.SSLError):  # most often, that the client's end has yet to come
                self._tls.unwrap()
            self._send()
            self._shut_down()

    def abort(self) -> None:
        """End the connection now."""
        self._is_closing = True
        if hasattr(self, "_tcp"):  # which it gets a moment after it was made
            self._tcp.abort()

    def is_closing(self) -> bool:
        """Whether nothing can be written any more."""
        return self._is_closing or self._tcp.is_closing()

    @property
    def is_open(self) -> bool:
        """Whether there is TLS, and a WebSocket connection that it is for."""
        return self._connection is not None

    def can_write_eof(self) -> bool:
        """Return False: in TLS, who says that it will write no more ends the connection."""
        return False

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """Return what is known of the TCP connection."""
        return self._tcp.get_extra_info(name, default)

    def pause_reading(self) -> None:
        """Let the client wait."""
        self._tcp.pause_reading()

    def resume_reading(self) -> None:
        """Read on."""
        self._tcp.resume_reading()

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """Set from how many bytes on the connection is told to write no more, and when to go on."""
        self._tcp.set_write_buffer_limits(high, low)

    def get_write_buffer_size(self) -> int:
        """Return how many encrypted bytes wait to be sent."""
        return self._tcp.get_write_buffer_size()

    def _decrypt(self) -> None:
        """Go on with the handshake, or pass on what the client sent, as far as it has come.

        Raises
        ------
        ssl.SSLError
            When it is no TLS.
        """
        try:
            if self._connection is None:
                self._tls.do_handshake()
                self._open()
            while not self.is_closing():
                data = self._tls.read(_RECORD)
                if not data:
                    self._end()
                    return
                assert self._connection is not None
                self._connection.data_received(data)
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLZeroReturnError:
            self._end()
            return
        self._send()
        if self._tcp.get_write_buffer_size() > _UNSENT_BYTES:
            self.abort()

    def _open(self) -> None:
        """Have a WebSocket connection from now on, with time of its own for its request."""
        assert self._timer is not None
        self._timer.cancel()
        self._limiter.remove(self)
        self._connection = self._connect()
        self._connection.connection_made(self)

    def _end(self) -> None:
        """Do as the client, which has said that it will send no more."""
        if self._connection is not None:
            self._connection.eof_received()
        self.close()

    def _send(self) -> None:
        """Send what is encrypted."""
        if self._unsent.pending and not self._tcp.is_closing():
            self._tcp.write(self._unsent.read())

    def _shut_down(self) -> None:
        """Say on the TCP connection that nothing comes any more, and wait a moment for the client to say the same."""
        self._is_closing = True
        if not self._tcp.is_closing():
            # A page that is not taken yet has the time of a request; a WebSocket's end is watched by the connection.
            self._abort_after(self._handshake_seconds if self._tcp.get_write_buffer_size() else SHUTDOWN_SECONDS)
            self._tcp.resume_reading()
            if self._tcp.can_write_eof():
                self._tcp.write_eof()

    def _abort_after(self, seconds: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_later(seconds, self._tcp.abort)
