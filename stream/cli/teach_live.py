"""`soloist teach` without files: a running service listens to a line, and what comes of it is shown."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import signal
import sys
from typing import TYPE_CHECKING, Final

from stream.cli.own_service import certificate_authority, client_token, own_server
from stream.client import Client, Disconnected
from stream.errors import ConnectionLostError, RefusedError, TeachError
from stream.protocol.messages import Error, Hello, Teaching
from stream.system.terminal import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import TextIO

_BAR: Final = 30
_STEP: Final = 5.0  # seconds between two lines where the output is no terminal


def execute(options: argparse.Namespace) -> int:
    """Teach a running service a name, and tell how well it is told apart."""
    given = vars(options)
    url = given.get("url") or own_server()
    client = Client(url, types=["teaching"], token=client_token(options, url), ca=certificate_authority(options))
    signal.signal(signal.SIGINT, signal.default_int_handler)  # for which asyncio has a better one
    asyncio.run(teach(client, options.name, given.get("line"), given.get("like"), Display(sys.stdout)))
    return 0


async def teach(client: Client, name: str, line: str | None, like: str | None, display: Display) -> None:
    """Have a service taught a name, until that has ended. An interruption discards what was played.

    Parameters
    ----------
    client : Client
        Which subscribes to `teaching` alone.
    name : str
    line, like : str, optional
        As for `Client.teach`.
    display : Display

    Raises
    ------
    TeachError
        When it cannot be taught.
    RefusedError
        When the service does not let its clients change it.
    """
    lesson = _Lesson(client, display)
    async with client:
        with _on_enter(lesson.stop):
            try:
                await lesson.run(name, line, like)
            except asyncio.CancelledError:
                await lesson.discard()
                raise
            finally:
                display.close()


class _Lesson:
    """A name while it is taught."""

    def __init__(self, client: Client, display: Display) -> None:
        self._client, self._display = client, display
        self._heard: Teaching | None = None
        self._tasks: set[asyncio.Task[None]] = set()  # which nobody else keeps

    async def run(self, name: str, line: str | None, like: str | None) -> None:
        """Begin when there is a connection, and follow to the end."""
        async for message in self._client:
            match message:
                case Hello(control=False):
                    url = self._client.url
                    raise RefusedError(f"{url} does not let its clients teach it: it needs --control and a token")
                case Hello() if self._heard is None:
                    await self._client.teach(name, line, like)
                case Error():
                    raise TeachError(message.message)
                case Teaching() if self._heard is None and message.state != "listening":
                    pass  # how the last one ended, which every newcomer is told
                case Teaching():
                    self._heard = message
                    self._display.show(message)
                    if message.state in ("failed", "discarded"):
                        raise TeachError(f"{message.name} was not taught: {message.message or message.state}")
                    if message.state == "done":
                        return
                case Disconnected():
                    self._display.say(f"{message.reason}; connecting again")
                case _:
                    pass

    def stop(self) -> None:
        """Be content with what was played, if that is enough."""
        heard = self._heard
        if heard is not None and heard.state == "listening" and heard.seconds >= heard.least:
            self._tasks.add(asyncio.get_running_loop().create_task(self._client.stop_teaching()))

    async def discard(self) -> None:
        """Have nothing of it kept."""
        if self._heard is not None:
            with contextlib.suppress(ConnectionLostError):
                await self._client.stop_teaching(discard=True)
                self._display.say("nothing of it is kept")


class Display:
    """How far it is: in a terminal one line that stays in place, elsewhere a line every few seconds.

    Parameters
    ----------
    out : text file
    """

    def __init__(self, out: TextIO) -> None:
        self._out, self._in_place = out, out.isatty()
        self._told = -_STEP  # seconds that had sounded at the last line
        self._is_open = False

    def show(self, message: Teaching) -> None:
        """Tell how far it is, and at the end what came of it."""
        match message.state:
            case "listening" if self._in_place:
                self._out.write(f"\r\x1b[K{self._bar(message)}")
                self._out.flush()
                self._is_open = True
            case "listening":
                if message.seconds >= self._told + _STEP:
                    self._told = message.seconds
                    self.say(_progress(message))
            case "done":
                self.close()
                for line in _outcome(message):
                    self.say(line)
            case _:
                pass

    def say(self, line: str) -> None:
        """Write a line."""
        self.close()
        self._out.write(f"{printable(line)}\n")
        self._out.flush()

    def close(self) -> None:
        """End the line that stays in place."""
        if self._is_open:
            self._out.write("\n")
            self._is_open = False

    def _bar(self, message: Teaching) -> str:
        full = message.least if message.seconds < message.least else message.most
        filled = round(_BAR * min(1.0, message.seconds / full))
        hint = " (Enter: enough)" if message.seconds >= message.least else ""
        return f"{'█' * filled}{'░' * (_BAR - filled)} {printable(_progress(message))}{hint}"


def _progress(message: Teaching) -> str:
    heard = f"{message.name}: {message.seconds:.1f} s of {message.least:g} to {message.most:g} s"
    if message.taken_for is None:
        return f"{heard}; play alone"
    apart = {None: "", True: "; told apart", False: "; not told apart yet"}[message.reliable]
    return f"{heard}; the model takes it for {message.taken_for}{apart}"


def _outcome(message: Teaching) -> Iterator[str]:
    yield f"{message.name}: {message.seconds:.1f} s heard; the model takes it for {message.taken_for}"
    yield "  told apart reliably" if message.reliable else "  not told apart reliably"
    if message.message is not None:
        for reason in message.message.split("; "):
            yield f"  {reason}"


@contextlib.contextmanager
def _on_enter(act: Callable[[], None]) -> Iterator[None]:
    """Have something done whenever Enter is pressed, where somebody can press it."""
    loop = asyncio.get_running_loop()
    if sys.stdin is None or not sys.stdin.isatty():
        yield
        return

    def read() -> None:
        if not sys.stdin.readline():  # the terminal is gone
            loop.remove_reader(sys.stdin)
        else:
            act()

    loop.add_reader(sys.stdin, read)
    try:
        yield
    finally:
        loop.remove_reader(sys.stdin)
