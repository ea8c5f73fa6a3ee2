"""The socket on which all addresses are heard, those of IPv4 and of IPv6."""

from __future__ import annotations

import ipaddress
import socket


def dual_stack_socket(host: str, port: int, backlog: int) -> socket.socket | None:
    """Return a socket that hears IPv4, too, where `host` is all addresses of IPv6; None for any other host.

    asyncio opens such an address for IPv6 alone, whatever the system's default is.

    Raises
    ------
    OSError
        When the port cannot be had.
    """
    try:
        is_everything = ipaddress.IPv6Address(host) == ipaddress.IPv6Address(0)
    except ValueError:
        return None
    if not is_everything or not socket.has_dualstack_ipv6():
        return None
    return socket.create_server((host, port), family=socket.AF_INET6, backlog=backlog, dualstack_ipv6=True)
