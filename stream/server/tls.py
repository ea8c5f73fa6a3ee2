"""A connection before it has TLS."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from typing import cast

from stream.server.connection import Connection
from stream.server.connection_limits import Turnstile


class Handshake(asyncio.Protocol):
    """Waits for TLS on a connection that was accepted, and makes a WebSocket connection of it then.

    asyncio would do so by itself, but tells nobody of a connection before it has TLS: one that never gets there could
    neither be counted for its address nor be hung up when others come.

    Parameters
    ----------
    turnstile : Turnstile
        Counts it, as one who waits, until it has TLS.
    tls : ssl.SSLContext
    connect : callable
        Makes the connection that takes over.
    seconds : float
        Time for TLS.
    """

    def __init__(
        self, turnstile: Turnstile, tls: ssl.SSLContext, connect: Callable[[], Connection], seconds: float
    ) -> None:
        self._turnstile = turnstile
        self._tls = tls
        self._connect = connect
        self._seconds = seconds
        self._connection: Connection | None = None
        self._early = b""  # what was sent right behind the handshake
        self._is_lost = False
        self.task: asyncio.Task[None] | None = None
        """What waits, from when there is a transport."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin, as soon as the event loop has done with the transport."""
        self._transport = cast(asyncio.Transport, transport)
        self._transport.pause_reading()  # all that comes is for TLS
        peer = transport.get_extra_info("peername")
        self._turnstile.arrive(self, peer[0] if peer else "")
        self.task = asyncio.get_running_loop().create_task(self._wait())

    def data_received(self, data: bytes) -> None:
        """Keep what comes between the end of the handshake and the moment in which we are told of it."""
        self._early += data

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell who has taken over: the loss may have been on its way to us."""
        self._is_lost = True
        if self._connection is not None:
            self._connection.connection_lost(exc)

    def hang_up(self) -> None:
        """End the connection now."""
        self._transport.abort()

    async def _wait(self) -> None:
        try:
            encrypted = await self._encrypt()
        finally:
            self._turnstile.leave(self)
        if encrypted is None or self._is_lost:
            return
        if encrypted.is_closing():
            encrypted.abort()
            return
        self._connection = self._connect()
        self._connection.wire = self._transport
        encrypted.set_protocol(self._connection)
        self._connection.connection_made(encrypted)
        if self._early:
            self._connection.data_received(self._early)

    async def _encrypt(self) -> asyncio.Transport | None:
        """Return the transport with TLS, None if there is none."""
        if self._transport.is_closing():
            return None
        try:
            return await asyncio.get_running_loop().start_tls(
                self._transport,
                self,
                self._tls,
                server_side=True,
                ssl_handshake_timeout=self._seconds,
                ssl_shutdown_timeout=2.0,
            )
        except OSError as error:  # as all errors of TLS are
            # The error and the frames that it came through would keep each other, and the buffers of TLS, in memory.
            error.__traceback__ = None
            return None
