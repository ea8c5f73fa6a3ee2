"""One client of the server: what it asks, and what it still has to be sent."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from websockets.exceptions import ConnectionClosed
from websockets.frames import CloseCode

from stream.errors import ProtocolError
from stream.protocol.control import ControlRequest
from stream.protocol.encoding import encode
from stream.protocol.filter import Filter
from stream.protocol.messages import Error, Label, Message, Pong
from stream.protocol.outbox import Outbox
from stream.protocol.requests import Auth, GetHistory, Ping, Request, SetMark, Subscribe, parse
from stream.server.connection import Connection
from stream.server.groups import SubscriberGroups
from stream.server.rate_limit import TokenBucket
from stream.server.state import StreamState
from stream.server.token_guard import Verdict

AUTH_SECONDS: Final = 5.0
"""Time that a client has to say its token."""
HISTORIES: Final = (1.0, 4.0)
"""How often a second a client may ask for the history, for long and at once."""
CHANGES: Final = (2.0, 10.0)
"""How many changes of the service a second it may ask for, for long and at once."""
MARKS: Final = (1.0, 20.0)
"""How many marks a second it may set, for long and at once."""

_REFUSALS: Final = {
    Verdict.MISSING: (
        Error("unauthorized", "expected the token in an auth message first"),
        CloseCode.POLICY_VIOLATION,
        "unauthorized",
    ),
    Verdict.WRONG: (
        Error("wrong-token", "this is not the token of this server"),
        CloseCode.POLICY_VIOLATION,
        "unauthorized: wrong token",
    ),
    Verdict.TOO_OFTEN: (
        Error("too-often", "too many wrong tokens came from this address; this one was not looked at"),
        CloseCode.TRY_AGAIN_LATER,
        "too many wrong tokens from this address; come back later",
    ),
}
"""What a client is told that may not come in, and how its connection is closed."""


class Subscriber:
    """A connection, its subscription, and the messages that wait for it.

    Messages for a client that keeps up are written at once by whoever publishes. Only what such a write leaves over
    goes through the outbox and this object's own task, so that waiting for one client is nobody else's business.

    Parameters
    ----------
    connection : Connection
        After its handshake.
    groups : SubscriberGroups
        Where it takes its place when it is told, and whenever its subscription changes.
    state : StreamState
        What requests are answered from.
    set_mark : callable
        Sets a mark with a text to the moment so many seconds ago; returns False when there are too many of them.
    on_overrun : callable
        Called once, when the client has not taken so many messages that it is given up.
    change_service : callable
        Does what the client asks that changes the service, and returns what it is answered.
    """

    def __init__(
        self,
        connection: Connection,
        groups: SubscriberGroups[Subscriber],
        state: StreamState,
        set_mark: Callable[[str, float], bool],
        on_overrun: Callable[[Subscriber], None],
        change_service: Callable[[ControlRequest], Awaitable[Sequence[Message]]],
    ) -> None:
        self.connection = connection
        self.subscription = Subscribe()
        """What it asked for last."""
        self._groups = groups
        self._state = state
        self._set_mark = set_mark
        self._on_overrun = on_overrun
        self._change_service = change_service
        # A history is put together when its turn comes, for it is long, and many may wait for theirs.
        self._outbox = Outbox[str | GetHistory]()
        self._histories = TokenBucket(*HISTORIES)
        self._marks = TokenBucket(*MARKS)
        self._changes = TokenBucket(*CHANGES)
        self._waiting = asyncio.Event()
        self._overrun = asyncio.get_running_loop().create_future()

    @property
    def is_idle(self) -> bool:
        """Whether the client has taken everything so far, so that a frame may be written to it directly."""
        return self.connection.is_idle and not self._waiting.is_set()

    def begin(self) -> None:
        """Tell the client what newcomers are told, and let it have what is published from now on."""
        for message in self._state.greeting:
            self.tell(message)
        self._join()

    def put(self, kind: str, item: str | GetHistory, line: str | None = None) -> None:
        """Let a message, or what asks for one, wait until the client has taken those before it."""
        if self._outbox.put(kind, item, line):
            self._waiting.set()
        elif not self._overrun.done():
            self._overrun.set_result(None)
            self._on_overrun(self)

    def tell(self, message: Message) -> None:
        """Send a message to this client alone, whatever its subscription."""
        self.put(message.type, encode(message), getattr(message, "line", None))

    async def serve(self) -> None:
        """Listen and write until the connection ends."""
        reading = asyncio.create_task(self._read())
        writing = asyncio.create_task(self._write())
        try:
            await asyncio.wait({reading, writing, self._overrun}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (reading, writing):
                task.cancel()
            outcomes = await asyncio.gather(reading, writing, return_exceptions=True)
        for outcome in outcomes:
            if isinstance(outcome, Exception) and not isinstance(outcome, ConnectionClosed):
                raise outcome
        if self._overrun.done():
            await self.connection.close(CloseCode.TRY_AGAIN_LATER, "too slow: events wait and are not taken")

    async def authenticate(self, before: Verdict, judge: Callable[[Connection, bytes | None], Verdict]) -> Verdict:
        """Wait for the client to say the token, and close the connection if it does not.

        Parameters
        ----------
        before : Verdict
            What it has shown so far.
        judge : callable
            Says what a connection knows by what it told.

        Returns
        -------
        Verdict
        """
        try:
            async with asyncio.timeout(AUTH_SECONDS):
                request = parse(await self.connection.recv(), ())
        except (TimeoutError, ProtocolError):
            request = None
        verdict = judge(self.connection, request.token.encode()) if isinstance(request, Auth) else before
        if verdict is not Verdict.RIGHT:
            error, code, reason = _REFUSALS[verdict]
            await self.connection.send(encode(error))
            await self.connection.close(code, reason)
        return verdict

    async def _write(self) -> None:
        while True:
            await self._waiting.wait()
            while self._outbox:
                item = self._outbox.pop()
                await self.connection.send(
                    item if isinstance(item, str) else self._state.history(item.seconds, item.lines)
                )
            self._waiting.clear()

    async def _read(self) -> None:
        async for data in self.connection:
            try:
                await self._answer(parse(data, self._state.instruments, self._state.lines))
            except ProtocolError as error:
                self.tell(Error(error.code, str(error)))

    async def _answer(self, request: Request) -> None:
        match request:
            case Subscribe():
                self.subscription = request
                for answer in self._join():
                    self.tell(answer)
                if self._state.front is not None and "front" in request.types:
                    self.tell(self._state.front)
                if self._state.teaching is not None and "teaching" in request.types:
                    self.tell(self._state.teaching)
            case GetHistory():
                if not self._histories.take():
                    raise ProtocolError("too-often", f"more requests for history than {HISTORIES[0]:g} a second")
                self.put("history", request)
            case SetMark():
                if not self._marks.take() or not self._set_mark(request.text, request.ago):
                    raise ProtocolError("too-often", f"more marks than {MARKS[0]:g} a second; this one is ignored")
            case Ping():
                self.tell(Pong())
            case Auth():
                pass  # a client may say its token where none is required, or twice
            case _:
                if not self._changes.take():
                    raise ProtocolError("too-often", f"more changes than {CHANGES[0]:g} a second; this one is ignored")
                for message in await self._change_service(request):
                    self.tell(message)

    def _join(self) -> list[Label]:
        """Get what the subscription lets through from now on, after the label, which the client is told anyway.

        Returns
        -------
        list of Label
            As this client may be told it; that of each line, where it wants lines.
        """
        if self._overrun.done():
            return []
        new = Filter(self.subscription)
        if self.subscription.lines is not None:
            labels = new.begin_lines(self._state.line_labels)
        else:
            label = new.begin(self._state.label)
            labels = [] if label is None else [label]
        self._groups.join(self, new)
        return labels
