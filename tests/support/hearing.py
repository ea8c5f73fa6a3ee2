"""A service that hears a sound server, and a subscriber of it: each in a process of its own."""

from __future__ import annotations

import asyncio
import contextlib
import json
from asyncio.subprocess import DEVNULL, PIPE
from collections.abc import AsyncIterator, Mapping
from importlib import resources
from pathlib import Path
from typing import Any

from tests.support.processes import SOLOIST, Service, program, serving
from tests.support.serving import check
from tests.support.sound_server import SoundServer, running_sound_server

DEMO = Path(str(resources.files("stream") / "demo.ogg"))
SECONDS = 400
"""Bounds a test: several times what the longest one takes on a machine with nothing else to do."""


class Subscriber:
    """`soloist listen --json` in a process of its own."""

    def __init__(self, lines: asyncio.StreamReader) -> None:
        self._lines = lines

    async def messages(self) -> AsyncIterator[dict[str, Any]]:
        """Yield what it prints, which is what the server sent, but for news of the connection."""
        async for line in self._lines:
            news = json.loads(line)["type"] == "disconnected"
            yield json.loads(line) if news else check(line.decode())

    async def until(self, **wanted: object) -> dict[str, Any]:
        """Wait for a message with these fields."""
        async for message in self.messages():
            if all(message.get(key) == value for key, value in wanted.items()):
                return message
        raise AssertionError(f"the subscriber ended before {wanted}")


@contextlib.asynccontextmanager
async def listening(address: str, *arguments: str) -> AsyncIterator[Subscriber]:
    """Subscribe from another process, with these arguments of `soloist listen`."""
    async with program(*SOLOIST, "listen", "--json", address, *arguments, stdout=PIPE, stderr=DEVNULL) as process:
        assert process.stdout is not None
        yield Subscriber(process.stdout)
        with contextlib.suppress(ProcessLookupError):  # it may have given up
            process.terminate()
        await process.wait()


@contextlib.asynccontextmanager
async def hearing(
    *arguments: str, microphones: tuple[str, ...] = (), env: Mapping[str, str] | None = None
) -> AsyncIterator[tuple[SoundServer, Service, Subscriber]]:
    """Run `soloist run` with these arguments beside a sound server, and subscribe.

    Parameters
    ----------
    microphones : tuple of str
        Names under which PortAudio lists what the sound server has, in this order; by default it lists `pulse`.
    env : mapping, optional
        Variables of the service.
    """
    async with asyncio.timeout(SECONDS), running_sound_server() as sound_server:
        sound_server.list_as(*microphones)
        async with (
            serving(*arguments, env={**sound_server.env, **(env or {})}) as service,
            listening(service.address) as subscriber,
        ):
            yield sound_server, service, subscriber
