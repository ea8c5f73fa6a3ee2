"""What a running service takes: time to start, memory, and time from audio to a subscriber's socket."""

from __future__ import annotations

import asyncio
import contextlib
import statistics
import time
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import numpy as np

from stream.audio.settings import AudioSettings
from stream.bench.figures import Figures
from stream.bench.processes import command, environment, resident_mb
from stream.client import Client
from stream.errors import BenchError
from stream.protocol.messages import Label
from stream.recognition.settings import RecognitionSettings
from stream.server.settings import ServerSettings
from stream.service.events import Event, LabelDelivered
from stream.service.service import Service
from stream.session_log.settings import SessionLogSettings
from stream.settings.settings import Settings

_HANDOVERS: Final = 60
_STARTS: Final = 5
_HEARD_SECONDS: Final = 10.0
_LISTENING: Final = "listening on http"


async def handover_delay(model: str) -> Figures:
    """Measure the delay inside a service whose subscriber is another process."""
    service = Service(
        Settings(
            audio=AudioSettings(input="demo"),
            recognition=RecognitionSettings(model=model),
            server=ServerSettings(port=0),
            session_log=SessionLogSettings(file="off"),
        )
    )
    delays: list[float] = []
    enough = asyncio.Event()

    def note(event: Event) -> None:
        if isinstance(event, LabelDelivered) and service.server.clients and service.recognizer.time > 3:
            delays.append(1000 * event.seconds)
        if len(delays) >= _HANDOVERS:
            enough.set()

    service.events.add(note)
    listening = asyncio.get_running_loop().create_future()
    running = asyncio.create_task(service.run(listening.set_result))
    address = (await listening).removeprefix("http://").rstrip("/")
    subscriber = await asyncio.create_subprocess_exec(
        *command("stream", "listen", "--json", address), stdout=DEVNULL, env=environment()
    )
    await enough.wait()
    subscriber.terminate()
    await subscriber.wait()
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    return {"handover_ms_p95": float(np.percentile(delays, 95))}


async def start_time(model: str) -> Figures:
    """Measure the time from the start of a process to its serving, the median of five."""
    times = []
    for _ in range(_STARTS):
        async with serving(model) as (_, _, seconds):
            times.append(seconds)
    return {"startup_s": statistics.median(times)}


async def memory(model: str) -> Figures:
    """Measure the memory of a service that has heard ten seconds for a subscriber."""
    async with serving(model) as (process, address, _), Client(address) as client:
        async for message in client:
            if isinstance(message, Label) and message.time > _HEARD_SECONDS:
                break
        return {"rss_mb": resident_mb(process.pid)}


@contextlib.asynccontextmanager
async def serving(model: str, *arguments: str) -> AsyncIterator[tuple[Process, str, float]]:
    """Run `soloist run` with the demo, or these arguments: the process, its address, and the seconds until it served.

    What it hears is no session of the user's, so it is written to a log of its own.
    """
    with TemporaryDirectory(prefix="soloist-bench-", ignore_cleanup_errors=True) as folder:
        log = str(Path(folder) / "sessions.db")
        heard = arguments or ("--input", "demo")
        run = command("stream", "run", *heard, "--port", "0", "--model", model, "--session-log", log)
        variables = environment()
        started = time.perf_counter()
        process = await asyncio.create_subprocess_exec(*run, stderr=PIPE, env=variables)
        assert process.stderr is not None
        try:
            # It may complain of something first, a slow interpreter say.
            line = "it ends without a word"
            while _LISTENING not in line and (said := await process.stderr.readline()):
                line = said.decode(errors="replace").strip().removeprefix("soloist: ")
            seconds = time.perf_counter() - started
            if _LISTENING not in line:
                raise BenchError(f"the service does not start: {line}")
            yield process, line.split()[-1], seconds
        finally:
            with contextlib.suppress(ProcessLookupError):
                process.terminate()
            await process.wait()
