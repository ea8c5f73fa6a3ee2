"""The program as its users run it: in processes of its own."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import signal
import sys
import tempfile
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from tests.support.waiting import PATIENCE

SOLOIST = (sys.executable, "-m", "stream")
RUN: Final = "PYTEST_STARTED_BY"
"""Variable that every process which a test starts inherits: the process of pytest, and so whose it is."""


def left_over() -> dict[int, str]:
    """Find the processes that the tests of this process of pytest started and that still run: number and command."""
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # ended meanwhile, or somebody else's
            command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
            variables = (folder / "environ").read_bytes().split(b"\0")
            if f"{RUN}={os.getpid()}".encode() in variables and int(folder.name) != os.getpid():
                found[int(folder.name)] = command
    # Python keeps these for all that a process will start.
    helpers = ("multiprocessing.resource_tracker", "multiprocessing.forkserver")
    return {number: told for number, told in found.items() if told and not any(name in told for name in helpers)}


def kill(numbers: Iterable[int]) -> None:
    """End processes at once."""
    for number in numbers:
        with contextlib.suppress(ProcessLookupError):
            os.kill(number, signal.SIGKILL)


@contextlib.asynccontextmanager
async def program(*command: str | Path, **options: Any) -> AsyncIterator[Process]:
    """Run a command, and kill it in the end if it still runs: a test that fails leaves nothing behind."""
    process = await asyncio.create_subprocess_exec(*command, **options)
    try:
        yield process
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()


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
        async with asyncio.timeout(PATIENCE):
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
        try:
            async with asyncio.timeout(10):
                await process.wait()
        finally:
            if process.returncode is None:
                process.kill()
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
    env = {**os.environ, **found, **(env or {})}
    async with (
        asyncio.timeout(PATIENCE),
        program(*SOLOIST, *arguments, stdin=PIPE, stdout=PIPE, stderr=PIPE, env=env, cwd=cwd) as process,
    ):
        out, err = await process.communicate(stdin)
    assert process.returncode is not None
    return process.returncode, out.decode(), err.decode()
