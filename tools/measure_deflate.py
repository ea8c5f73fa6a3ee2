"""Measure whether permessage-deflate pays: ``python -m tools.measure_deflate`` prints the table of docs/protocol.md.

The labels are those of the demo, heard by the shipped model. They go from one process to many clients in another one,
over loopback, by the same calls that the server makes.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import soxr
from websockets.asyncio.client import ClientConnection, connect
from websockets.asyncio.server import ServerConnection, broadcast, serve
from websockets.extensions.permessage_deflate import ServerPerMessageDeflateFactory

from stream.protocol.encoding import encode
from stream.recognition import bundle
from stream.recognition.classifier import Classifier
from stream.recognition.mel import SAMPLE_RATE
from stream.recognition.recognizer import Recognizer
from stream.service import translation

CLIENTS = 100
MESSAGES = 200
VARIANTS: dict[str, ServerPerMessageDeflateFactory | None] = {
    "off": None,
    "websockets' default: window 4 KiB, memLevel 5": ServerPerMessageDeflateFactory(
        server_max_window_bits=12, client_max_window_bits=12, compress_settings={"memLevel": 5}
    ),
    "small: window 1 KiB, memLevel 1": ServerPerMessageDeflateFactory(
        server_max_window_bits=10, client_max_window_bits=10, compress_settings={"memLevel": 1}
    ),
    "default without context": ServerPerMessageDeflateFactory(
        server_no_context_takeover=True, server_max_window_bits=12, compress_settings={"memLevel": 5}
    ),
}


@dataclass(frozen=True, slots=True)
class Figures:
    """What one variant costs."""

    bytes: float
    """On the wire for one message, WebSocket header included."""
    seconds: float
    """Of the server's processor for 1000 messages."""
    kib: float
    """Of the server's memory for each client."""


def labels() -> list[str]:
    """Hear the demo."""
    with resources.as_file(resources.files("stream") / "demo.ogg") as path:
        audio, rate = soundfile.read(path, dtype="float32")
    recognizer = Recognizer(Classifier(bundle.load()))
    results = recognizer.feed(soxr.resample(audio, rate, SAMPLE_RATE).astype(np.float32))
    return [encode(translation.label(next(results).estimate)) for _ in range(MESSAGES)]


def resident() -> int:
    """Return this process's resident memory, in bytes."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


async def server(variant: str) -> None:
    """Serve what standard input tells, and print what it cost."""
    texts = json.loads(sys.stdin.readline())
    connections: set[ServerConnection] = set()
    complete = asyncio.Event()

    async def handle(connection: ServerConnection) -> None:
        connections.add(connection)
        if len(connections) == CLIENTS:
            complete.set()
        await connection.wait_closed()

    factory = VARIANTS[variant]
    async with serve(
        handle, "127.0.0.1", 0, compression=None, extensions=None if factory is None else [factory], write_limit=4096
    ) as listening:
        before = resident()
        print(listening.sockets[0].getsockname()[1], flush=True)  # noqa: T201
        await complete.wait()
        started = time.process_time()
        for text in texts:
            broadcast(connections, text)
            await asyncio.sleep(0.01)
        spent = time.process_time() - started
        sent = CLIENTS * len(texts)
        print(json.dumps([1000 * spent / sent, (resident() - before) / CLIENTS / 1024]), flush=True)  # noqa: T201
        sys.stdin.readline()


class Counting(ClientConnection):
    """A client that counts what arrives."""

    received = 0

    def data_received(self, data: bytes) -> None:
        """Count the bytes."""
        self.received += len(data)
        super().data_received(data)


async def measure(variant: str, texts: list[str]) -> Figures:
    """Run one variant in a process of its own."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, __file__, "--serve", variant, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(json.dumps(texts).encode() + b"\n")
    port = int(await process.stdout.readline())
    async with AsyncExitStack() as stack:
        options: dict[str, Any] = {"compression": "deflate", "create_connection": Counting}
        clients = [
            await stack.enter_async_context(connect(f"ws://127.0.0.1:{port}", **options)) for _ in range(CLIENTS)
        ]
        handshakes = [client.received for client in clients]
        async with asyncio.TaskGroup() as tasks:
            for client in clients:
                tasks.create_task(_take(client, texts))
        seconds, kib = json.loads(await process.stdout.readline())
        received = sum(client.received for client in clients) - sum(handshakes)
        process.stdin.write(b"\n")
    await process.wait()
    return Figures(received / CLIENTS / len(texts), seconds, kib)


async def _take(client: ClientConnection, texts: list[str]) -> None:
    """Read all messages, and see that they arrive as they were."""
    for text in texts:
        assert await client.recv() == text


async def table() -> AsyncIterator[str]:
    """Measure all variants, line by line of a Markdown table."""
    texts = labels()
    yield "| permessage-deflate | bytes per label | server CPU per 1000 messages | server memory per client |"
    yield "| --- | ---: | ---: | ---: |"
    for variant in VARIANTS:
        figures = await measure(variant, texts)
        yield f"| {variant} | {figures.bytes:.0f} | {1000 * figures.seconds:.0f} ms | {figures.kib:.0f} KiB |"


async def main() -> None:
    """Print the table."""
    async for line in table():
        print(line, flush=True)  # noqa: T201


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Measure whether permessage-deflate pays, as a Markdown table.")
    parser.add_argument("--serve", choices=VARIANTS, metavar="VARIANT", help=argparse.SUPPRESS)  # the other process
    variant = parser.parse_args().serve
    asyncio.run(main() if variant is None else server(variant))
