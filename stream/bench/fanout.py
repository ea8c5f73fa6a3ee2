"""How old labels are when they arrive at 500 subscribers, one of which reads nothing."""

from __future__ import annotations

import asyncio
import json
import time
from asyncio.subprocess import PIPE
from typing import Final

import numpy as np

from stream.bench.figures import Figures
from stream.bench.processes import command, environment
from stream.protocol.messages import Change, Heard, Label
from stream.server.http import HealthReport
from stream.server.metrics import Metrics
from stream.server.server import Server

_SUBSCRIBERS: Final = 500
_SECONDS: Final = 15.0
_INTERVAL: Final = 0.25  # s, about a hop
_LABELS_PER_CHANGE: Final = 8


async def fanout() -> Figures:
    """Publish labels to the load generator: their age when they arrive, and how many never do."""
    server = Server((), Metrics(), lambda: HealthReport(None, {}), time.monotonic, lambda mark: None)
    async with server.listening("127.0.0.1", 0) as address:
        host, _, port = address.removeprefix("http://").rstrip("/").rpartition(":")
        generator = await asyncio.create_subprocess_exec(
            *command("stream.bench.load_generator", host, port, str(_SUBSCRIBERS)), stdout=PIPE, env=environment()
        )
        while server.clients < _SUBSCRIBERS + 1:  # noqa: ASYNC110 - nobody tells when all are there
            await asyncio.sleep(0.1)
        sent = await _publish(server)
    out, _ = await generator.communicate()
    arrived = [json.loads(line) for line in out.splitlines()]
    ages = [1000 * age for labels in arrived for _, age in labels]
    lost = sum(sent - len({seq for seq, _ in labels}) for labels in arrived)
    return {"fanout_p99_ms": float(np.percentile(ages, 99)), "fanout_lost": float(lost)}


async def _publish(server: Server) -> int:
    """Publish labels, and a change now and then, for a while. Return how many labels."""
    names = tuple(f"instrument {number}" for number in range(8))
    probabilities = dict.fromkeys(names, 0.1234)
    sent = 0
    started = time.monotonic()
    while time.monotonic() - started < _SECONDS:
        if sent % _LABELS_PER_CHANGE == 0:
            server.publish(Change(time.monotonic(), "instrument", names[0], Heard("unknown", None)))
        now = time.monotonic()
        label = Label(sent, now, "instrument", names[0], started, 0.5, probabilities, probabilities, -20.0, -10.0)
        server.publish(label)
        sent += 1
        await asyncio.sleep(_INTERVAL)
    return sent
