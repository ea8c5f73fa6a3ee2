"""Where a server is: the address of its WebSocket, and what is told when no connection to it comes about."""

from __future__ import annotations

import os
import ssl
from typing import Final
from urllib.parse import urlsplit, urlunsplit

from stream.errors import ConfigError

PORT: Final = 8765
"""Port of an address that names none, that of `soloist run` by default."""


def address(url: str) -> str:
    """Complete an address: ``HOST:PORT``, or ``HOST`` alone, to ``ws://HOST:PORT/ws``.

    Raises
    ------
    ConfigError
        When it cannot be an address of a WebSocket.
    """
    text = url if "://" in url else f"ws://{url}"
    try:
        parts = urlsplit(text)
        scheme = {"http": "ws", "https": "wss"}.get(parts.scheme, parts.scheme)
        if scheme in ("ws", "wss") and parts.hostname and parts.port != 0:
            place = parts.netloc if parts.port or "://" in url else f"{parts.netloc.rstrip(':')}:{PORT}"
            return urlunsplit((scheme, place, parts.path if parts.path not in ("", "/") else "/ws", "", ""))
    except ValueError:
        pass
    raise ConfigError(f"address is {url!r}; expected HOST, HOST:PORT or ws://HOST:PORT/ws")


def host_and_port(url: str) -> tuple[str, int]:
    """Return the host and the port of an address that is complete."""
    parts = urlsplit(url)
    return parts.hostname or "", parts.port or (443 if parts.scheme == "wss" else 80)


def with_other_scheme(url: str) -> str:
    """Return an address with TLS if it is one without, and the other way round."""
    return url.replace("ws:", "wss:", 1) if url.startswith("ws:") else url.replace("wss:", "ws:", 1)


def failure_text(error: Exception, url: str) -> str:
    """Say what was tried when no connection came about, and what was in the way."""
    errno, words = getattr(error, "errno", None), getattr(error, "strerror", None)
    if isinstance(error, ssl.SSLError | ConnectionResetError) and url.startswith("wss:"):
        text = f"TLS does not come about; if the server has none, try {with_other_scheme(url)}"
    elif errno and errno > 0:
        # asyncio's text for a refused connection is longer, and no clearer, than the system's.
        text = os.strerror(errno)
    else:
        text = words or str(error) or type(error).__name__
    host, port = host_and_port(url)
    return f"{f'[{host}]' if ':' in host else host}:{port}: {text}"
