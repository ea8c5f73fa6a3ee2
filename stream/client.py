"""A subscriber in Python: typed messages from a server, whatever happens to the connection."""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import ssl
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass
from http import HTTPStatus
from types import TracebackType
from typing import Any, ClassVar, Final, Self

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidMessage, InvalidStatus, InvalidURI
from websockets.frames import CloseCode

from stream.errors import ConfigError, ConnectionLostError, ProtocolError, RefusedError
from stream.protocol.address import address, failure_text, host_and_port, token_in, told_in, with_other_scheme
from stream.protocol.encoding import decode
from stream.protocol.messages import PROTOCOL, Hello, Label, Message
from stream.protocol.outbox import Outbox
from stream.protocol.subscription import Subscription

FIRST_RETRY: Final = 0.25
"""Seconds before a lost connection is tried again for the first time; each further time it is twice as long."""
LONGEST_RETRY: Final = 8.0
"""Seconds between two tries at the most."""
_SILENCE: Final = 5.0  # seconds without an answer to a ping, after which the connection is given up


@dataclass(frozen=True, slots=True)
class Disconnected:
    """The connection is lost: what was told before holds no longer. It will be tried again."""

    type: ClassVar[str] = "disconnected"
    reason: str
    retry: float
    """Seconds until the next try."""


class Client:
    """An asynchronous iterator over what a server tells.

    It connects, subscribes, and connects again when the connection is lost, which it tells by `Disconnected`. Labels
    are never out of date: when the reader is slow it gets the newest, when the connection was lost it does not get
    again what it had. ::

        async with Client("stage.local:8765", instruments=["violin"]) as client:
            async for message in client:
                match message:
                    case Label(state="instrument"):
                        ...

    Parameters
    ----------
    url : str
        ``ws://HOST:PORT/ws``, or just ``HOST:PORT``, or ``HOST``; or the address of the page, also below a path, of
        which ``#token=TOKEN`` is taken, too.
    types : iterable of str, optional
        Types of messages to get; label, change, segment, status, outage and mark by default.
    instruments : iterable of str, optional
        Only these; all by default.
    min_confidence : float
        Only labels, changes, segments and guesses at least this sure, 0 to 1.
    max_rate : float, optional
        Labels a second at the most, of each line.
    lines : iterable of str, or "all", optional
        These lines of a service that has several, each for itself; by default what the one in front hears.
    token : str, optional
        What the server requires.
    ca : str, optional
        PEM file with the authority of a `wss` server's certificate; those that the system trusts by default.

    Raises
    ------
    ConfigError
        When the URL or the file is none, or nothing could be subscribed to like this; while iterating: when the server
        does not know one of the instruments or lines.
    RefusedError
        While iterating: when the server does not take the token, is no Soloist, has a certificate that nobody trusts,
        or has TLS where the address is one without.
    """

    def __init__(
        self,
        url: str,
        *,
        types: Iterable[str] | None = None,
        instruments: Iterable[str] | None = None,
        min_confidence: float = 0.0,
        max_rate: float | None = None,
        lines: Iterable[str] | None = None,
        token: str | None = None,
        ca: str | None = None,
    ) -> None:
        self.url = address(url)
        self._tls = _trust(ca) if self.url.startswith("wss:") else None
        wanted: dict[str, Any] = {
            "types": None if types is None else list(types),
            "instruments": None if instruments is None else list(instruments),
            "min_confidence": min_confidence or None,
            "max_rate": max_rate,
            "lines": lines if lines is None or isinstance(lines, str) else list(lines),
        }
        self._subscription = Subscription({key: value for key, value in wanted.items() if value is not None})
        self._token = token_in(url) if token is None else token
        self._connection: ClientConnection | None = None
        self._inbox = Outbox[Message | Disconnected]()
        self._changed = asyncio.Condition()
        self._task: asyncio.Task[None] | None = None
        self._stream: tuple[float, str] | None = None  # which stream the server last told of
        self._seqs: dict[str | None, int] = {}  # of the last label of that stream

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._run())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        assert self._task is not None
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    def __aiter__(self) -> AsyncIterator[Message | Disconnected]:
        return self

    async def __anext__(self) -> Message | Disconnected:
        if self._task is None:
            raise RuntimeError("a Client is used within 'async with'")
        async with self._changed:
            await self._changed.wait_for(lambda: self._inbox or (self._task is not None and self._task.done()))
            if self._inbox:
                message = self._inbox.pop()
                self._changed.notify_all()
                return message
        self._task.result()  # raises what ended it
        raise StopAsyncIteration

    async def mark(self, text: str, ago: float = 0.0) -> None:
        """Set a note to this moment, or to one just passed, for all clients to see.

        Parameters
        ----------
        text : str
            1 to 200 characters.
        ago : float
            How many seconds ago the moment was, 0 to 600.

        Raises
        ------
        ConnectionLostError
            When there is no connection now.
        """
        await self._say({"type": "mark", "text": text, "ago": ago})

    async def history(self, seconds: float) -> None:
        """Ask for what was heard in the last seconds; the answer is a message of type `history`.

        Raises
        ------
        ConnectionLostError
            When there is no connection now.
        """
        await self._say({"type": "history", "seconds": seconds})

    async def teach(self, name: str, line: str | None = None, like: str | None = None) -> None:
        """Have the service listen to somebody who plays alone, and keep that under a name.

        How far it is comes as messages of type `teaching`, to be subscribed to; why it cannot be, as an `error`.

        Parameters
        ----------
        name : str
        line : str, optional
            The line on which they play; needed where the service has lines.
        like : str, optional
            The model's label that it is one of, or `none` for none; the service decides without it.

        Raises
        ------
        ConnectionLostError
            When there is no connection now.
        """
        told = {"name": name, "line": line, "like": like}
        await self._say({"type": "teach", **{key: value for key, value in told.items() if value is not None}})

    async def stop_teaching(self, discard: bool = False) -> None:
        """Have the service be content with what was played so far, or keep nothing of it.

        Raises
        ------
        ConnectionLostError
            When there is no connection now.
        """
        await self._say({"type": "stop-teaching", "discard": discard})

    async def check_lines(self) -> None:
        """Have the service check its lines, anew where it does already.

        How it is comes as messages of type `check`, to be subscribed to; why it cannot be, as an `error`. It ends by
        itself when nobody subscribes to them for a minute.

        Raises
        ------
        ConnectionLostError
            When there is no connection now.
        """
        await self._say({"type": "check-lines"})

    async def stop_checking(self) -> None:
        """Have the service check its lines no more.

        Raises
        ------
        ConnectionLostError
            When there is no connection now.
        """
        await self._say({"type": "stop-checking"})

    async def _say(self, request: dict[str, Any]) -> None:
        if self._connection is None:
            raise ConnectionLostError(f"no connection to {self.url}")
        try:
            await self._connection.send(json.dumps(request))
        except ConnectionClosed as error:
            raise ConnectionLostError(f"connection to {self.url} was lost") from error

    async def _run(self) -> None:
        """Keep a connection, for ever; or end with what makes that impossible."""
        try:
            retry = FIRST_RETRY
            while True:
                try:
                    async with connect(
                        self.url,
                        ssl=self._tls,
                        open_timeout=_SILENCE,
                        ping_interval=_SILENCE,
                        ping_timeout=_SILENCE,
                        close_timeout=1,
                    ) as connection:
                        with contextlib.suppress(ConnectionClosed):
                            await self._greet(connection)
                            self._connection = connection
                            async for data in connection:
                                retry = FIRST_RETRY
                                await self._receive(connection, data)
                    reason = _reason(connection, self.url, self._token is not None)
                except InvalidURI as error:
                    raise ConfigError(str(error)) from error
                except InvalidStatus as error:
                    status = error.response.status_code
                    if status < 500 and status != HTTPStatus.TOO_MANY_REQUESTS:
                        raise RefusedError(f"{self.url}: HTTP status {status}{told_in(error.response.body)}") from error
                    reason = str(error)
                except ssl.SSLCertVerificationError as error:
                    raise RefusedError(
                        f"{self.url}: its certificate is not trusted: {error.verify_message}; --ca names its authority"
                    ) from error
                except (OSError, TimeoutError, InvalidHandshake) as error:
                    if isinstance(error, InvalidMessage) and self._tls is None and await _has_tls(self.url):
                        other = with_other_scheme(self.url)
                        raise RefusedError(f"{self.url}: the server has TLS; try {other}") from error
                    reason = failure_text(error, self.url)
                finally:
                    self._connection = None
                wait = retry * random.uniform(0.8, 1.2)  # so that not all clients come back at once
                retry = min(2 * retry, LONGEST_RETRY)
                async with self._changed:
                    self._inbox.drop_states()
                await self._deliver(Disconnected(reason, wait))
                await asyncio.sleep(wait)
        finally:
            # Without this the reader would wait for ever for a message that nobody brings.
            async with self._changed:
                self._changed.notify_all()

    async def _greet(self, connection: ClientConnection) -> None:
        if self._token is not None:
            await connection.send(json.dumps({"type": "auth", "token": self._token}))
        for request in self._subscription.begin():
            await connection.send(request)

    async def _receive(self, connection: ClientConnection, data: str | bytes) -> None:
        try:
            message = decode(data)
        except ProtocolError:
            return  # a server that errs is not helped by our ending
        if message is None:
            return
        if isinstance(message, Hello):
            if message.protocol != PROTOCOL:
                raise RefusedError(f"{self.url} speaks protocol {message.protocol}; this client speaks {PROTOCOL}")
            requests = self._subscription.fit(message.labels, [line.name for line in message.lines])
            stream = (message.utc, message.server)
            if stream != self._stream:
                self._stream, self._seqs = stream, {}
            for request in requests:
                await connection.send(request)
        told = self._subscription.take(message)
        if isinstance(told, Label):
            line = told.line if self._subscription.request.lines is not None else None
            if told.seq <= self._seqs.get(line, -1):
                return
            self._seqs[line] = told.seq
        if told is not None:
            await self._deliver(told)

    async def _deliver(self, message: Message | Disconnected) -> None:
        """Put a message before the reader; when too many events wait, the server has to wait, too."""
        async with self._changed:
            await self._changed.wait_for(lambda: self._inbox.put(message.type, message, getattr(message, "line", None)))
            self._changed.notify_all()


def _reason(connection: ClientConnection, url: str, has_token: bool) -> str:
    """Say why the server closed, or raise when coming back would not help."""
    code, reason = connection.close_code, connection.close_reason
    if code == CloseCode.POLICY_VIOLATION and (reason or "").startswith("unauthorized"):
        if has_token:  # which servers before version 0.3 do not tell from none
            raise RefusedError(f"{url} does not take this token, it is wrong (unauthorized)", "wrong-token")
        raise RefusedError(f"{url} requires a token, and none was given (unauthorized)", "unauthorized")
    if code == CloseCode.POLICY_VIOLATION:
        raise RefusedError(f"the server closed the connection: {reason or 'policy violation'}")
    if code == CloseCode.ABNORMAL_CLOSURE:
        return "the connection broke"
    if code == CloseCode.GOING_AWAY and not reason:
        return "the service has ended"
    return reason or f"the server closed the connection with code {code}"


async def _has_tls(url: str) -> bool:
    """Find out whether a server speaks TLS. It is told nothing, so that it need not be trusted."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    try:
        async with asyncio.timeout(_SILENCE):
            _, writer = await asyncio.open_connection(*host_and_port(url), ssl=context)
    except OSError:
        return False
    writer.transport.abort()
    return True


def _trust(ca: str | None) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=ca)
    except OSError as error:
        reason = "no PEM with a certificate" if isinstance(error, ssl.SSLError) else error.strerror
        raise ConfigError(f'ca is "{ca}": {reason}') from error
