"""Prints every change of what is heard, with nothing but ``pip install websockets``: python changes.py [URL]."""

# ruff: noqa: T201

import asyncio
import json
import sys

from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed


async def main(url: str) -> None:
    """Subscribe to changes, and connect again when the connection is lost."""
    async for socket in connect(url):
        try:
            await socket.send(json.dumps({"type": "subscribe", "types": ["change"]}))
            async for text in socket:
                message = json.loads(text)
                if message["type"] == "change":
                    print(f"{message['time']:8.2f} s  {message['label'] or message['state']}", flush=True)
        except ConnectionClosed:
            continue


asyncio.run(main(sys.argv[1] if len(sys.argv) > 1 else "ws://127.0.0.1:8765/ws"))
