"""Names of hosts and origins of pages, each in one spelling."""

from __future__ import annotations

import ipaddress
import re
from typing import Final

_PORTS: Final = {"http": 80, "https": 443}
_PLACE: Final = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::([0-9]{1,5}))?")
_ORIGIN: Final = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://(.+)")


def name_of(host: str) -> str | None:
    """Return the name or address in a Host field, in one spelling; None if there is none."""
    found = name_and_port(host)
    return None if found is None else found[0]


def name_and_port(host: str) -> tuple[str, int | None] | None:
    """Take a Host field apart: a name or address in one spelling, and the port if there is one."""
    found = _PLACE.fullmatch(host)
    if found is None:
        return None
    port = None if found[2] is None else int(found[2])
    name = found[1].lower().removesuffix(".")
    if not name or (port is not None and not 0 < port < 65_536):
        return None
    try:
        return ipaddress.ip_address(name.strip("[]")).compressed, port
    except ValueError:
        return None if name.startswith("[") else (name, port)


def origin(text: str) -> str | None:
    """Write an origin in one spelling, with its port; None if it is none.

    `null`, which browsers say for pages that have no origin or hide it, is none.
    """
    found = _ORIGIN.fullmatch(text)
    place = None if found is None else name_and_port(found[2])
    if found is None or place is None:
        return None
    scheme = found[1].lower()
    port = place[1] or _PORTS.get(scheme)
    return f"{scheme}://{place[0]}" + ("" if port is None else f":{port}")


def frame_ancestor(text: str) -> str | None:
    """Write who may show a page in a frame as the directive of a Content-Security-Policy does; None if it is none.

    It is `self`, or an origin. A policy knows no addresses of IPv6.
    """
    if text.strip("'").lower() == "self":
        return "'self'"
    its_origin = origin(text)
    if its_origin is None or "[" in text or not its_origin.startswith(("http://", "https://")):
        return None
    return its_origin


def first_label(machine: str) -> str:
    """Return the part of a machine's host name that it has in any network, empty if it has none of its own.

    What every machine may be called, and what is a number, tells no machine from another.
    """
    first = machine.lower().partition(".")[0]
    return "" if first == "localhost" or first.isdigit() else first


def own_names(machine: str) -> frozenset[str]:
    """Return what a machine is called in its network, from its host name."""
    whole = machine.lower().rstrip(".")
    first = whole.partition(".")[0]
    return frozenset({whole, first, f"{first}.local"} if first else ())


def is_loopback(host: str) -> bool:
    """Whether one can only be reached by this machine, listening there."""
    if host.lower().rstrip(".") == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def is_address(name: str) -> bool:
    """Whether it is an IP address rather than a name."""
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
