"""One client of the server: what it asks, and what it still has to be sent."""

from __future__ import annotations

import asyncio
import hmac
import logging
import time
from typing import TYPE_CHECKING, Final

from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed
from websockets.frames import CloseCode

from stream import protocol
from stream.errors import ProtocolError
from stream.messages import Error, Message, Pong, encode
from stream.outbox import Outbox

if TYPE_CHECKING:
    from stream.server import Server

RATE: Final = 20.0
"""Messages a second that a client may send for long."""
BURST: Final = 60.0
"""Messages that it may send at once."""
AUTH_SECONDS: Final = 5.0
"""Time that a client has to say its token."""

_log = logging.getLogger(__name__)


class Subscriber:
    """A connection, its subscription, and the messages that wait for it.

    Messages for a client that keeps up are written at once by whoever publishes. Only what such a write leaves over
    goes through the outbox and this object's own task, so that waiting for one client is nobody else's business.

    Parameters
    ----------
    connection : ServerConnection
        After its handshake.
    server : Server
        Answers requests.
    """

    def __init__(self, connection: ServerConnection, server: Server) -> None:
        self.connection = connection
        self.filter = protocol.Filter(protocol.Subscribe())
        self._server = server
        self._outbox = Outbox[str]()
        self._waiting = asyncio.Event()
        self._failure: tuple[CloseCode, str] | None = None
        self._allowance = BURST
        self._asked = time.monotonic()

    @property
    def idle(self) -> bool:
        """Whether the client has taken everything so far, so that a message may be written to it directly."""
        return not self._waiting.is_set() and self.connection.transport.get_write_buffer_size() == 0

    def put(self, kind: str, text: str) -> None:
        """Let a message wait until the client has taken those before it."""
        if not self._outbox.put(kind, text):
            self._fail(CloseCode.TRY_AGAIN_LATER, "too slow: events wait and are not taken")
        self._waiting.set()

    def tell(self, message: Message) -> None:
        """Send a message to this client alone, whatever its subscription."""
        self.put(message.type, encode(message))

    async def serve(self) -> None:
        """Listen and write until the connection ends."""
        reading = asyncio.create_task(self._read())
        writing = asyncio.create_task(self._write())
        try:
            await asyncio.wait({reading, writing}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (reading, writing):
                task.cancel()
            outcomes = await asyncio.gather(reading, writing, return_exceptions=True)
        for outcome in outcomes:
            if isinstance(outcome, Exception) and not isinstance(outcome, ConnectionClosed):
                raise outcome
        if self._failure is not None:
            await self.connection.close(*self._failure)

    async def authenticate(self, token: str) -> bool:
        """Wait for the client to say the token, and close the connection if it does not."""
        try:
            async with asyncio.timeout(AUTH_SECONDS):
                request = protocol.parse(await self.connection.recv(), ())
        except (TimeoutError, ProtocolError):
            request = None
        if isinstance(request, protocol.Auth) and hmac.compare_digest(request.token.encode(), token.encode()):
            return True
        await self.connection.send(encode(Error("unauthorized", "expected the token in an auth message first")))
        await self.connection.close(CloseCode.POLICY_VIOLATION, "unauthorized")
        return False

    async def _write(self) -> None:
        while self._failure is None:
            await self._waiting.wait()
            while self._outbox and self._failure is None:
                await self.connection.send(self._outbox.pop())
            self._waiting.clear()

    async def _read(self) -> None:
        async for data in self.connection:
            now = time.monotonic()
            self._allowance = min(BURST, self._allowance + (now - self._asked) * RATE) - 1
            self._asked = now
            if self._allowance < 0:
                self._fail(CloseCode.POLICY_VIOLATION, f"more than {RATE:g} messages a second")
                return
            try:
                self._answer(protocol.parse(data, self._server.instruments))
            except ProtocolError as error:
                self.tell(Error(error.code, str(error)))

    def _answer(self, request: protocol.Request) -> None:
        match request:
            case protocol.Subscribe():
                self.filter = protocol.Filter(request)
                self.filter.renew()
                label = self._server.latest_label
                if label is not None:
                    self.filter.admits(label)
                    self.tell(label)
            case protocol.GetHistory():
                self.tell(self._server.history(request.seconds))
            case protocol.SetMark():
                self._server.mark(request.text)
            case protocol.Ping():
                self.tell(Pong())
            case protocol.Auth():
                pass  # a client may say its token where none is required, or twice

    def _fail(self, code: CloseCode, reason: str) -> None:
        """Have the connection closed by `serve`."""
        if self._failure is None:
            self._failure = (code, reason)
            self._server.failed(self, code, reason)
