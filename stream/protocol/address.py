"""Where a server is: the address of its WebSocket, and what is told when no connection to it comes about."""

from __future__ import annotations

import contextlib
import ipaddress
import os
import ssl
from typing import Final
from urllib.parse import parse_qs, urlsplit, urlunsplit

from stream.errors import ConfigError

PORT: Final = 8765
"""Port of an address that names none, that of `soloist run` by default."""
_PAGES: Final = ("index.html", "overlay", "overlay.html")
_SCHEMES: Final = {"http": "ws", "https": "wss"}


def address(url: str) -> str:
    """Complete the address of a server, or of a page of it, to that of its WebSocket.

    Parameters
    ----------
    url : str
        ``HOST``, ``HOST:PORT``, ``HOST/PATH/`` of a proxy, or what stands in the address line of a browser. An address
        with ``ws://`` or ``wss://`` and a path that ends in no slash is complete.

    Returns
    -------
    str
        Such as ``ws://HOST:PORT/ws``. Without scheme and port, the port is 8765 where the path is ``/ws``, and
        otherwise 80, for below a path it is a proxy that listens.

    Raises
    ------
    ConfigError
        When it cannot be an address of a WebSocket.
    """
    text = url.strip()
    with contextlib.suppress(ValueError):
        text = f"[{text}]" if ipaddress.ip_address(text).version == 6 else text
    try:
        parts = urlsplit(text if "://" in text else f"ws://{text}")
        scheme = _SCHEMES.get(parts.scheme, parts.scheme)
        if scheme in ("ws", "wss") and parts.hostname and parts.port != 0:
            is_complete = "://" in text and parts.scheme == scheme and not parts.path.endswith("/") and parts.path
            path = parts.path if is_complete else _socket_beside(parts.path)
            has_port = parts.port or "://" in text or path != "/ws"
            return urlunsplit(
                (scheme, parts.netloc if has_port else f"{parts.netloc.rstrip(':')}:{PORT}", path, "", "")
            )
    except ValueError:
        pass
    raise ConfigError(f"address is {url!r}; expected HOST, HOST:PORT, ws://HOST:PORT/ws or the address of the page")


def token_in(url: str) -> str | None:
    """Return the token that the address of a page ends in, ``#token=TOKEN``, if it does."""
    try:
        # Not what a form writes, where a plus is a space: tokens of base64 have one.
        found = parse_qs(urlsplit(url).fragment.replace("+", "%2B")).get("token")
    except ValueError:
        return None
    return found[0] if found else None


def _socket_beside(path: str) -> str:
    """Return the path of the socket that a page at another path has."""
    *folders, last = path.split("/")
    if last not in ("", "ws", *_PAGES):
        folders.append(last)
    return "/".join([*folders, "ws"]) if folders else "/ws"


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
        text = f"the TLS handshake fails; if the server has none, try {with_other_scheme(url)}"
    elif errno and errno > 0:
        # asyncio's text for a refused connection is longer, and no clearer, than the system's.
        text = os.strerror(errno)
    else:
        text = words or str(error) or type(error).__name__
    host, port = host_and_port(url)
    return f"{f'[{host}]' if ':' in host else host}:{port}: {text}"


def told_in(body: bytes | bytearray | None) -> str:
    """Return the first line of what a server said when it refused, as the end of a message."""
    line = (body or b"").decode("ascii", "replace").partition("\n")[0][:200]
    return f" ({line})" if line and line.isprintable() else ""
