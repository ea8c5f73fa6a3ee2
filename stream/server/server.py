"""The WebSocket server: tells every subscriber what is heard, each at its own pace."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import logging
import os
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from typing import Any, Final, TypeAlias, cast
from weakref import WeakSet

from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.protocol import State

from stream import __version__
from stream.errors import AddressError, ProtocolError
from stream.protocol.control import ControlRequest
from stream.protocol.encoding import encode
from stream.protocol.messages import Mark, Message, Origin
from stream.server.access import Access
from stream.server.connection import UNSENT_BYTES, Connection, peer_name, text_frame
from stream.server.connection_limits import HANDSHAKE_SECONDS, ConnectionLimiter
from stream.server.groups import SubscriberGroups
from stream.server.history import Event
from stream.server.http import HealthReport, HTTPResponder
from stream.server.listening_socket import dual_stack_socket
from stream.server.metrics import Metrics
from stream.server.opening_handshake import OpeningHandshake
from stream.server.rate_limit import TokenBucket
from stream.server.state import StreamState
from stream.server.subscriber import Subscriber
from stream.server.tls import TLSTransport
from stream.server.token_guard import Verdict

MESSAGE_BYTES: Final = 4096
"""Length of a client's message at the most; a longer one closes its connection with code 1009."""
_PING_SECONDS: Final = 20.0
_MARKS: Final = (5.0, 40.0)
"""Marks a second, for long and at once, that everybody together may set."""
_ACCEPTED_AT_ONCE: Final = 16
"""Connections that are accepted before those that came before them are counted, and others make way."""
_BACKLOG: Final = 1024
"""Connections that may wait in the system to be accepted."""
_CLOSE_SECONDS: Final = 2.0
"""Time that a client has to hang up when it was told the end."""
_SHUTDOWN_SECONDS: Final = 0.5
"""The same when the service ends, which is to be gone within a second."""

Control: TypeAlias = Callable[[ControlRequest], Awaitable[Sequence[Message]]]
"""Does what a client asks that changes the service; raises `ProtocolError` where that cannot be done."""

_log = logging.getLogger(__name__)


async def _no_control(request: ControlRequest) -> Sequence[Message]:
    raise ProtocolError("not-possible", "nothing of this server can be changed")


class Server:
    """Protocol version 1, and HTTP beside it, on one port.

    Parameters
    ----------
    instruments : sequence of str
        Those that may be subscribed to.
    metrics : Metrics
    health : callable
        Returns the service's health.
    clock : callable
        Returns the stream time, in seconds.
    set_mark : callable
        Publishes a mark that a client sets: whoever made the server tells everybody, the server too.
    access : Access
        Who may come in.
    control : callable
        Does what a client asks that changes the service, where `access` allows that, and returns what it is answered.
    """

    def __init__(
        self,
        instruments: Sequence[str],
        metrics: Metrics,
        health: Callable[[], HealthReport],
        clock: Callable[[], float],
        set_mark: Callable[[Mark], None],
        access: Access = Access(),  # noqa: B008 - it is frozen
        control: Control = _no_control,
    ) -> None:
        self.state = StreamState(instruments, clock)
        """What newcomers are told, and what requests are answered from."""
        self._metrics = metrics
        self._set_mark = set_mark
        self._control = control
        self._marks = TokenBucket(*_MARKS)
        self._limiter = ConnectionLimiter(
            access.connections, access.per_address, lambda reason: metrics.refused.labels(reason).inc()
        )
        self._handshake = OpeningHandshake(access, self._limiter, HTTPResponder(health, metrics.text), metrics)
        self._connections: WeakSet[Connection] = WeakSet()
        self._tls_transports: WeakSet[TLSTransport] = WeakSet()
        self._subscribers = SubscriberGroups[Subscriber]()

    @property
    def access(self) -> Access:
        """Who may come in."""
        return self._handshake.access

    @property
    def clients(self) -> int:
        """How many are connected."""
        return len(self._subscribers)

    @contextlib.asynccontextmanager
    async def listening(self, host: str, port: int) -> AsyncIterator[str]:
        """Serve while the context lasts; leaving it closes all connections with code 1001.

        Parameters
        ----------
        host : str
            Address or name to listen on.
        port : int
            0 lets the system choose.

        Yields
        ------
        str
            The address of the dashboard.

        Raises
        ------
        AddressError
            When one cannot listen there.
        """
        self._handshake.apply(self.access)
        logger = logging.getLogger("stream.websockets")
        logger.addFilter(_is_worth_logging)
        host = host.strip("[]")
        try:
            everywhere = dual_stack_socket(host, port, _BACKLOG)
            server = await serve(
                self._handle,
                *((host, port) if everywhere is None else ()),
                sock=everywhere,
                process_request=self._handshake.answer,
                create_connection=cast(type[ServerConnection], self._accept),  # is only ever called
                server_header=f"soloist/{__version__}",
                # Messages of half a kilobyte, four a second: deflating them costs more memory and time than the
                # bytes are worth on any network that a stage has. docs/protocol.md has the figures.
                compression=None,
                max_size=MESSAGE_BYTES,
                max_queue=16,
                write_limit=UNSENT_BYTES,
                ping_interval=_PING_SECONDS,
                ping_timeout=_PING_SECONDS,
                open_timeout=HANDSHAKE_SECONDS,
                close_timeout=_CLOSE_SECONDS,
                backlog=_ACCEPTED_AT_ONCE,  # which asyncio takes for the length of the queue, too
                logger=logger,
            )
        except OSError as error:
            # asyncio puts the address, and more or less of the rest, into the text.
            reason = os.strerror(error.errno) if error.errno and error.errno > 0 else error.strerror
            place = f"[{host}]" if ":" in host else host
            raise AddressError(f"cannot listen on {place}:{port}: {reason}") from error
        for listener in server.sockets:
            with socket.fromfd(listener.fileno(), listener.family, listener.type) as same:
                same.listen(_BACKLOG)
        async with server:
            address = next(iter(server.sockets)).getsockname()
            shown = f"[{address[0]}]" if ":" in address[0] else address[0]
            try:
                yield f"{'http' if self.access.tls is None else 'https'}://{shown}:{address[1]}/"
            finally:
                server.close()
                # A browser may hold connections in reserve and never ask for anything: they need not be waited for.
                for connection in self._connections:
                    if connection.state is State.CONNECTING:
                        connection.abort()
                for transport in self._tls_transports:
                    if not transport.is_open:
                        transport.abort()
                asyncio.get_running_loop().call_later(_SHUTDOWN_SECONDS, self._abort)

    def wants(self, kind: str) -> bool:
        """Whether anybody subscribes to a type of message, so that it is worth making."""
        return self._subscribers.wants(kind)

    def wanted_of(self, kind: str) -> frozenset[str | None]:
        """Return the lines of which somebody subscribes to a type of message; None is the one in front."""
        return self._subscribers.wanted_of(kind)

    def publish(self, message: Message, line: str | None = None) -> None:
        """Tell everybody who subscribes to it, each as far as it was asked for.

        Parameters
        ----------
        message : Message
        line : str, optional
            The line that it is told of, to those who ask for lines. Without one it is told to all others: of the line
            in front, or of all of the service.
        """
        if line is None:
            self.state.add(message)
        else:
            self.state.add_of_line(line, message)
        for seen, receivers in self._subscribers.receivers(message, line):
            text = encode(seen)
            frame = text_frame(text)  # the same bytes for everybody
            for subscriber in receivers:
                if subscriber.is_idle:
                    subscriber.connection.write_frame(frame)
                else:
                    subscriber.put(seen.type, text, line)
            self._metrics.sent.labels(seen.type).inc(len(receivers))

    def change_access(self, access: Access, instruments: Sequence[str]) -> None:
        """Change who may come in, and what may be subscribed to; whoever is connected stays."""
        self.state.instruments = instruments
        self._handshake.apply(access)

    def recall(self, events: Iterable[Event], origins: Iterable[Origin]) -> None:
        """Have in the history what was heard before the stream, in place of what was recalled so far."""
        self.state.recall(events, origins)

    def _mark(self, text: str, ago: float) -> bool:
        """Have a note set to the moment so many seconds ago; False when there are too many of them."""
        if not self._marks.take():
            return False
        self._set_mark(Mark(max(0.0, self.state.clock() - ago), text))
        return True

    async def _change_service(self, request: ControlRequest) -> Sequence[Message]:
        """Have done what a client asks that changes the service, if it may."""
        if not self.access.control:
            raise ProtocolError(
                "not-allowed", "clients may not change this service; the setting control lets those that know the token"
            )
        return await self._control(request)

    def _give_up(self, subscriber: Subscriber) -> None:
        """Publish no more to a client that does not take its messages."""
        self._leave(subscriber)
        self._metrics.slow_clients.inc()
        _log.info("client %s closed: too slow", peer_name(subscriber.connection))

    def _leave(self, subscriber: Subscriber) -> None:
        self._subscribers.leave(subscriber)
        self._metrics.clients.set(self.clients)

    def _accept(self, *args: Any, **options: Any) -> Connection | TLSTransport:
        """Return who is to hear what comes over a connection, which has no TLS yet."""
        connect = functools.partial(self._connect, *args, **options)
        if self.access.tls is None:
            return connect()
        transport = TLSTransport(self._limiter, self.access.tls, connect, HANDSHAKE_SECONDS)
        self._tls_transports.add(transport)
        return transport

    def _connect(self, *args: Any, **options: Any) -> Connection:
        connection = Connection(self._limiter, *args, **options)
        self._connections.add(connection)
        return connection

    def _abort(self) -> None:
        """End all connections now."""
        for connection in self._connections:
            connection.abort()

    async def _handle(self, connection: ServerConnection) -> None:
        assert isinstance(connection, Connection)
        subscriber = Subscriber(
            connection, self._subscribers, self.state, self._mark, self._give_up, self._change_service
        )
        try:
            verdict = connection.verdict
            if verdict is not Verdict.RIGHT:
                verdict = await subscriber.authenticate(verdict, self._handshake.judge)
            if verdict is not Verdict.RIGHT:
                self._handshake.refuse_token(connection, verdict)
                return
            self._limiter.set_authenticated(connection)
            subscriber.begin()
            self._metrics.clients.set(self.clients)
            await subscriber.serve()
        except ConnectionClosed:
            pass
        finally:
            self._leave(subscriber)


def _is_worth_logging(record: logging.LogRecord) -> bool:
    """Whether a line of websockets is worth logging: of its news, a line or two for each request, only to debug."""
    return record.levelno > logging.INFO or _log.isEnabledFor(logging.DEBUG)
