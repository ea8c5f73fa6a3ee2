"""The address of the page as its users open it, shown to who starts the service in a terminal."""

from __future__ import annotations

import contextlib
import ipaddress
import shutil
import socket
from collections.abc import Sequence
from typing import TextIO
from urllib.parse import quote, urlsplit

from stream.server.host_names import is_loopback
from stream.system.extras import advise_install

_QUIET = 2  # modules about a code in a terminal: the standard asks for four, and every reader takes two


def page_link(listening: str, token: str | None, hosts: Sequence[str] = ()) -> str:
    """Return the address that others open.

    Parameters
    ----------
    listening : str
        Where the server listens, as `Server.listening` yields it.
    token : str, optional
        What the page has to know, which is put behind the address: no browser sends that.
    hosts : sequence of str
        Names of the server, of which the first is taken where it listens on all addresses.
    """
    parts = urlsplit(listening)
    host = parts.hostname or ""
    with contextlib.suppress(ValueError):
        if ipaddress.ip_address(host).is_unspecified:
            host = next(iter(hosts), "") or _own_address() or socket.gethostname()
    place = f"[{host}]" if ":" in host else host
    fragment = "" if token is None else f"#token={quote(token, safe='')}"
    return f"{parts.scheme}://{place}:{parts.port}/{fragment}"


def show_page_link(out: TextIO, link: str) -> None:
    """Write the link to a terminal; and, where others can open it, as a code that phones read.

    It goes to no file and no log, for a token may be in it.
    """
    if not out.isatty():
        return
    out.write(f"open {link}\n")
    if not is_loopback(urlsplit(link).hostname or ""):
        out.write(_qr_code(link, out.encoding))
    out.flush()


def _qr_code(text: str, encoding: str) -> str:
    """Return a QR code of half blocks; a line that says what is missing, or nothing where there is no room."""
    try:
        import qrcode  # takes 2 MB
    except ImportError:
        return f"to have it as a QR code: {advise_install('qr')}\n"
    code = qrcode.QRCode(border=_QUIET)
    code.add_data(text)
    rows: list[list[bool]] = code.get_matrix()
    size = shutil.get_terminal_size()
    if len(rows[0]) > size.columns or len(rows) // 2 >= size.lines or encoding.lower().replace("-", "") != "utf8":
        return ""
    rows.append([False] * len(rows[0]))  # what is dark is True
    blocks = {(False, False): "█", (False, True): "▀", (True, False): "▄", (True, True): " "}
    lines = ["".join(blocks[pair] for pair in zip(*rows[i : i + 2], strict=True)) for i in range(0, len(rows) - 1, 2)]
    # Light on dark whatever the terminal's own colours are.
    return "".join(f"\x1b[97;40m{line}\x1b[0m\n" for line in lines)


def _own_address() -> str | None:
    """Return the address of this machine in the network that leads elsewhere, if there is one; nothing is sent."""
    for family, elsewhere in ((socket.AF_INET, "192.0.2.1"), (socket.AF_INET6, "2001:db8::1")):
        with contextlib.suppress(OSError), socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect((elsewhere, 9))
            return str(probe.getsockname()[0])
    return None
