"""The WebSocket server: tells every subscriber what is heard, each at its own pace."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import http
import logging
import os
import resource
import socket
from asyncio.sslproto import SSLProtocol
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from typing import Any, Final, cast
from weakref import WeakSet

from websockets.asyncio.server import ServerConnection, broadcast, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response
from websockets.protocol import State

from stream import __version__
from stream.errors import AddressError
from stream.protocol.messages import Label, Mark, Message, encode
from stream.server.access import Access
from stream.server.connection import UNSENT_BYTES, Connection, remote
from stream.server.connection_limits import HANDSHAKE_SECONDS, Turnstile
from stream.server.history import Event
from stream.server.host_names import is_loopback, name_of
from stream.server.http import Health, Site, field, refusal
from stream.server.metrics import Metrics
from stream.server.rate_limit import Allowance
from stream.server.state import StreamState
from stream.server.subscriber import Subscriber
from stream.server.tls import Handshake

MESSAGE_BYTES: Final = 4096
"""Length of a client's message at the most; a longer one closes its connection with code 1009."""
_PING_SECONDS: Final = 20.0
_MARKS: Final = (5.0, 40.0)
"""Marks a second, for long and at once, that everybody together may set."""
_OTHER_FILES: Final = 200
"""Open files besides connections, amply: some connections have come and are not counted yet."""
_AT_ONCE: Final = 16
"""Connections that are accepted before those that came before them are counted, and others make way."""
_QUEUE: Final = 1024
"""Connections that may wait in the system to be accepted."""
_CLOSE_SECONDS: Final = 2.0
"""Time that a client has to hang up when it was told the end."""
_FAREWELL_SECONDS: Final = 0.5
"""The same when the service ends, which is to be gone within a second."""

_log = logging.getLogger(__name__)


class Server:
    """Protocol version 1 and the site around it, on one port.

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
    """

    def __init__(
        self,
        instruments: Sequence[str],
        metrics: Metrics,
        health: Callable[[], Health],
        clock: Callable[[], float],
        set_mark: Callable[[Mark], None],
        access: Access = Access(),  # noqa: B008 - it is frozen
    ) -> None:
        self.access = access
        self.state = StreamState(instruments, clock)
        """What newcomers are told, and what requests are answered from."""
        self._metrics = metrics
        self._set_mark = set_mark
        self._site = Site(health, metrics.text)
        self._marks = Allowance(*_MARKS)
        self._turnstile = Turnstile(access.connections, access.per_address, self._count_refused)
        self._connections: WeakSet[Connection] = WeakSet()
        self._handshakes: WeakSet[Handshake] = WeakSet()
        self._subscribers: dict[ServerConnection, Subscriber] = {}

    @property
    def clients(self) -> int:
        """How many are connected."""
        return len(self._subscribers)

    @property
    def latest_label(self) -> Label | None:
        """What newcomers are told of what is heard; None when there is no label that still holds."""
        return self.state.label

    @latest_label.setter
    def latest_label(self, label: Label | None) -> None:
        self.state.label = label

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
        if self.access.tls is not None:
            # A record of TLS has no more than this, and asyncio has 16 times as much ready for each connection.
            SSLProtocol.max_size = 16_384
        self._doubt()
        self._limit()
        news = logging.getLogger("stream.websockets")
        news.addFilter(_is_told)
        try:
            server = await serve(
                self._handle,
                host,
                port,
                process_request=self._process_request,
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
                backlog=_AT_ONCE,  # which asyncio takes for the length of the queue, too
                logger=news,
            )
        except OSError as error:
            # asyncio puts the address, and more or less of the rest, into the text.
            reason = os.strerror(error.errno) if error.errno and error.errno > 0 else error.strerror
            raise AddressError(f"cannot listen on {host}:{port}: {reason}") from error
        for listener in server.sockets:
            with socket.fromfd(listener.fileno(), listener.family, listener.type) as same:
                same.listen(_QUEUE)
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
                        connection.hang_up()
                for handshake in self._handshakes:
                    handshake.hang_up()
                asyncio.get_running_loop().call_later(_FAREWELL_SECONDS, self._hang_up)
                await asyncio.gather(*(it.task for it in self._handshakes if it.task is not None))

    def wants(self, kind: str) -> bool:
        """Whether anybody subscribes to a type of message, so that it is worth making."""
        return any(kind in subscriber.filter.subscription.types for subscriber in self._subscribers.values())

    def publish(self, message: Message, confidence: float = 0.0) -> None:
        """Tell everybody who subscribes to it.

        Parameters
        ----------
        message : Message
        confidence : float
            For a change: that of its hop.
        """
        self.state.add(message)
        idle: list[ServerConnection] = []
        busy: list[Subscriber] = []
        for subscriber in self._subscribers.values():
            if subscriber.filter.admits(message, confidence):
                if subscriber.idle:
                    idle.append(subscriber.connection)
                else:
                    busy.append(subscriber)
        if not idle and not busy:
            return
        text = encode(message)
        broadcast(idle, text)
        for subscriber in busy:
            subscriber.put(message.type, text)
        self._metrics.sent.labels(message.type).inc(len(idle) + len(busy))

    def admit(self, access: Access, instruments: Sequence[str]) -> None:
        """Change who may come in, and what may be subscribed to; whoever is inside stays."""
        self.access, self.state.instruments = access, instruments
        self._doubt()
        self._limit()

    def recall(self, events: Iterable[Event]) -> None:
        """Have in the history what was heard before the stream, in place of what was recalled so far."""
        self.state.recall(events)

    def _mark(self, text: str, ago: float) -> bool:
        """Have a note set to the moment so many seconds ago; False when there are too many of them."""
        if not self._marks.take():
            return False
        self._set_mark(Mark(max(0.0, self.state.clock() - ago), text))
        return True

    def _give_up(self, connection: ServerConnection) -> None:
        """Publish no more to a client that does not take its messages."""
        self._subscribers.pop(connection, None)
        self._metrics.clients.set(self.clients)
        self._metrics.slow_clients.inc()
        _log.info("client %s closed: too slow", remote(connection))

    def _accept(self, *args: Any, **options: Any) -> Connection | Handshake:
        """Return who is to hear what comes over a connection, which has no TLS yet."""
        connect = functools.partial(self._connect, *args, **options)
        if self.access.tls is None:
            return connect()
        handshake = Handshake(self._turnstile, self.access.tls, connect, HANDSHAKE_SECONDS)
        self._handshakes.add(handshake)
        return handshake

    def _connect(self, *args: Any, **options: Any) -> Connection:
        connection = Connection(self._turnstile, *args, **options)
        self._connections.add(connection)
        return connection

    def _hang_up(self) -> None:
        """End all connections now."""
        for connection in self._connections:
            connection.hang_up()

    def _count_refused(self, reason: str) -> None:
        self._metrics.refused.labels(reason).inc()

    async def _handle(self, connection: ServerConnection) -> None:
        subscriber = Subscriber(connection, self.state, self._mark, functools.partial(self._give_up, connection))
        try:
            access, asked = self.access, connection.request
            known = access.token is None or (asked is not None and access.bears(field(asked, "Authorization")))
            if not known and not await subscriber.authenticate(access):
                self._refuse_token(connection)
                return
            self._turnstile.recognize(cast(Connection, connection))
            subscriber.filter.begin(self.state.label)
            for message in self.state.greeting:
                subscriber.tell(message)
            self._subscribers[connection] = subscriber
            self._metrics.clients.set(self.clients)
            await subscriber.serve()
        except ConnectionClosed:
            pass
        finally:
            self._subscribers.pop(connection, None)
            self._metrics.clients.set(self.clients)

    def _process_request(self, connection: ServerConnection, request: Request) -> Response | None:
        assert isinstance(connection, Connection)
        access = self.access
        hosts = request.headers.get_all("Host")
        if len(hosts) != 1:
            return self._refuse(connection, request, "host", http.HTTPStatus.BAD_REQUEST, "expected one Host field")
        if not access.knows(hosts[0]):
            text = f"this server is not known as {hosts[0][:100]!a}; its setting hosts can name it so"
            return self._refuse(connection, request, "host", http.HTTPStatus.MISDIRECTED_REQUEST, text)
        path = request.path.partition("?")[0]
        said = field(request, "Authorization")
        authorized = access.token is None or access.bears(said)
        if path != "/ws" or "websocket" not in field(request, "Upgrade").lower():
            if said and not authorized:
                self._refuse_token(connection)
            trustworthy = access.tls is not None or is_loopback(name_of(hosts[0]) or "")
            return self._site.respond(request, authorized, trustworthy)
        page = request.headers.get_all("Origin")
        if len(page) > 1 or (page and not access.welcomes(page[0], hosts[0])):
            text = f"pages of {page[0][:100]!a} may not connect; the setting origins can let them"
            return self._refuse(connection, request, "origin", http.HTTPStatus.FORBIDDEN, text)
        if connection.is_hasty:
            return refusal(
                http.HTTPStatus.BAD_REQUEST, "frames came before the answer to the handshake", request.method
            )
        status = self._turnstile.enter(connection, authorized)
        return None if status is None else refusal(status, "too many connections; come back later", request.method)

    def _doubt(self) -> None:
        """Tell what is wrong with the certificate, though it can be used."""
        if self.access.doubt is not None:
            _log.warning("%s", self.access.doubt)

    def _limit(self) -> None:
        """Let in as many as are set, if there are files enough for them."""
        wanted = self.access.connections
        files = _allow_files(2 * wanted + _OTHER_FILES)
        most = max(1, min(wanted, max((files - _OTHER_FILES) // 2, files // 8)))
        if most < wanted:
            _log.warning("the system lets us have %d open files, so that connections is %d instead of %d",
                         files, most, wanted)  # fmt: skip
        self._turnstile.limit(most, self.access.per_address)

    def _refuse_token(self, connection: ServerConnection) -> None:
        self._count_refused("token")
        _log.info("client %s refused: no token, or a wrong one", remote(connection))

    def _refuse(
        self, connection: Connection, request: Request, reason: str, status: http.HTTPStatus, text: str
    ) -> Response:
        self._count_refused(reason)
        _log.info("client %s refused: %s", remote(connection), text)
        return refusal(status, text, request.method)


def _is_told(record: logging.LogRecord) -> bool:
    """Whether a line of websockets is worth telling: of its news, a line or two for each request, only to debug."""
    return record.levelno > logging.INFO or _log.isEnabledFor(logging.DEBUG)


def _allow_files(count: int) -> int:
    """Let the process have so many files open, as far as the system lets it; return how many it may have, or that."""
    least, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    if least == resource.RLIM_INFINITY or least >= count:
        return count
    allowed = count if most == resource.RLIM_INFINITY else min(count, most)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(least, allowed), most))
    return allowed
