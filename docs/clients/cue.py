"""Waits for one instrument, with the client that Soloist brings: python cue.py violin [HOST:PORT]."""

# ruff: noqa: T201

import asyncio
import sys

from stream.client import Client, Disconnected
from stream.protocol.messages import Change, Label


async def main(instrument: str = "violin", address: str = "127.0.0.1:8765") -> None:
    """Say when the instrument comes to the front, and when it leaves it."""
    async with Client(address, types=["change"], instruments=[instrument]) as client:
        async for message in client:
            match message:
                case Label(label=label) | Change(label=label):  # of labels only the one that answers the subscription
                    print("off" if label is None else "on", flush=True)  # no other instrument is ever named
                case Disconnected(reason=reason):
                    print("off:", reason, flush=True)


asyncio.run(main(*sys.argv[1:]))
