"""The program as its users run it: in processes of its own."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import sys
import tempfile
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

SOLOIST = (sys.executable, "-m", "stream")


@dataclass
class Service:
    """A running `soloist run`."""

    process: Process
    address: str
    """HOST:PORT."""
    complaints: list[str] = field(default_factory=list)
    """Lines on standard error besides the address."""

    @property
    def url(self) -> str:
        """Where the dashboard is."""
        return f"http://{self.address}/"

    @property
    def port(self) -> str:
        """The port that it listens on."""
        return self.address.rpartition(":")[2]

    async def kill(self) -> None:
        """End it without giving it time for a farewell."""
        self.process.kill()
        await self.process.wait()


@contextlib.asynccontextmanager
async def serving(
    *arguments: str, env: Mapping[str, str] | None = None, stdin: int | None = asyncio.subprocess.DEVNULL
) -> AsyncIterator[Service]:
    """Run the service on a free port until the context ends, and see that it stops when it is told to."""
    # A session log of its own; those of services at the same time would be in each other's way.
    state = tempfile.TemporaryDirectory(prefix="soloist-state-", ignore_cleanup_errors=True)
    env = {**os.environ, "XDG_STATE_HOME": state.name, **(env or {})}
    process = await asyncio.create_subprocess_exec(
        *SOLOIST, "run", "--port", "0", *arguments, stderr=PIPE, stdin=stdin, env=env
    )
    assert process.stderr is not None
    complaints: list[str] = []
    reading = None
    try:
        async with asyncio.timeout(30):
            while True:
                line = (await process.stderr.readline()).decode()
                if found := re.search(r"listening on https?://(\S+)/", line):
                    break
                if not line:
                    raise AssertionError(f"the service ended: {complaints}")
                complaints.append(line.strip())
        service = Service(process, found[1], complaints)
        reading = asyncio.create_task(_collect(process.stderr, complaints))
        yield service
    finally:
        if process.returncode is None:
            process.terminate()
        async with asyncio.timeout(10):
            await process.wait()
        if reading is not None:
            await reading
        state.cleanup()


async def _collect(stderr: asyncio.StreamReader, lines: list[str]) -> None:
    async for line in stderr:
        lines.append(line.decode().strip())


async def soloist(
    *arguments: str, stdin: bytes = b"", env: Mapping[str, str] | None = None, cwd: Path | None = None
) -> tuple[int, str, str]:
    """Run a command to its end: exit status, standard output, standard error."""
    found = {"PYTHONPATH": os.getcwd()} if cwd is not None else {}  # where nothing is installed
    process = await asyncio.create_subprocess_exec(
        *SOLOIST, *arguments, stdin=PIPE, stdout=PIPE, stderr=PIPE, env={**os.environ, **found, **(env or {})}, cwd=cwd
    )
    async with asyncio.timeout(60):
        out, err = await process.communicate(stdin)
    assert process.returncode is not None
    return process.returncode, out.decode(), err.decode()
