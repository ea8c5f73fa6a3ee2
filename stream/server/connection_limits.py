"""How many connections there may be at once: in all, of one address, and before they have said who they are."""

from __future__ import annotations

import http
import ipaddress
import logging
from collections import Counter
from collections.abc import Callable
from typing import Final, Protocol

PENDING: Final = 64
"""Connections that are not WebSockets, for which there is always room: a page is loaded over several at once."""
HANDSHAKE_SECONDS: Final = 10.0
"""Time for a request, and for TLS before it."""

_log = logging.getLogger(__name__)


class LimitedConnection(Protocol):
    """A connection, as the limiter sees it."""

    def abort(self) -> None:
        """End it now."""


class ConnectionLimiter:
    """Counts connections, by address, and says which one is too many.

    Every connection is pending at first, until there is TLS and a request. If too many are, the oldest one has to go,
    of the address that has most of them: whoever opens connections and asks for nothing is in nobody else's way. In
    the same way, of the open WebSockets that have not said the token yet, one makes room for the next.

    Parameters
    ----------
    most : int
        WebSocket connections in all, and as many pending ones, for all clients may come at once after a restart: TLS
        and requests that are not complete, and answers on their way.
    per_address : int
        WebSocket connections of one address, loopback excepted.
    on_refused : callable
        Called with the reason whenever a connection is refused.
    """

    def __init__(
        self,
        most: int,
        per_address: int,
        on_refused: Callable[[str], None] = lambda reason: None,
    ) -> None:
        self._most = most
        self._per_address = per_address
        self._on_refused = on_refused
        # Each with what `network_of` returns for its address; oldest first.
        self._pending: dict[LimitedConnection, str] = {}
        self._open: dict[LimitedConnection, str] = {}
        self._unauthenticated: dict[LimitedConnection, str] = {}  # those of the open ones without the token
        self._counts: Counter[str] = Counter()  # of the open ones, by network

    def set_limits(self, most: int, per_address: int) -> None:
        """Take other limits from now on. No open connection has to go."""
        self._most, self._per_address = most, per_address

    def __len__(self) -> int:
        return len(self._pending) + len(self._open)

    def add_pending(self, connection: LimitedConnection, address: str) -> None:
        """Count a new connection, which is no WebSocket yet."""
        self._pending[connection] = network_of(address)
        most = max(PENDING, self._most)
        if len(self._pending) > most:
            self._evict(self._pending, "waiting", f"more than {most} did not finish a request")

    def open(self, connection: LimitedConnection, is_authenticated: bool = True) -> http.HTTPStatus | None:
        """Count a pending connection as an open WebSocket, or say why it may not be one.

        Parameters
        ----------
        connection : LimitedConnection
        is_authenticated : bool
            Whether it has said the token, where there is one.
        """
        network = self._pending.get(connection)
        if network is None:
            return http.HTTPStatus.SERVICE_UNAVAILABLE  # it had to go meanwhile
        if network != "loopback" and self._counts[network] >= self._per_address:
            reason = f"{self._per_address} of its address are open (setting connections_per_address)"
            neighbours = {it: its for it, its in self._unauthenticated.items() if its == network}
            if not neighbours:
                self._refuse("address", reason, network)
                return http.HTTPStatus.TOO_MANY_REQUESTS
            self._evict(neighbours, "address", reason)
        if len(self._open) >= self._most:
            reason = f"{self._most} are open (setting connections)"
            if not self._unauthenticated:
                self._refuse("connections", reason, network)
                return http.HTTPStatus.SERVICE_UNAVAILABLE
            self._evict(self._unauthenticated, "connections", reason)
        self._open[connection] = self._pending.pop(connection)
        self._counts[network] += 1
        if not is_authenticated:
            self._unauthenticated[connection] = network
        return None

    def set_authenticated(self, connection: LimitedConnection) -> None:
        """Take note that an open connection has said the token: it need not make room any more."""
        self._unauthenticated.pop(connection, None)

    def remove(self, connection: LimitedConnection) -> None:
        """Forget a connection that has ended."""
        self._pending.pop(connection, None)
        self._unauthenticated.pop(connection, None)
        network = self._open.pop(connection, None)
        if network is not None:
            self._counts[network] -= 1
            if not self._counts[network]:
                del self._counts[network]

    def _evict(self, connections: dict[LimitedConnection, str], kind: str, reason: str) -> None:
        """End the oldest connection of the network that has most of these."""
        ((network, _),) = Counter(connections.values()).most_common(1)
        oldest = next(it for it, its in connections.items() if its == network)
        self.remove(oldest)
        self._refuse(kind, reason, network)
        oldest.abort()

    def _refuse(self, kind: str, reason: str, network: str) -> None:
        self._on_refused(kind)
        # Always the same text, whoever it is: such lines are counted, not repeated.
        _log.warning("connection refused: %s", reason, extra={"client": network})
        _log.info("client %s refused: %s", network, reason)


def network_of(address: str) -> str:
    """Return what an address is counted as: itself, the network of an IPv6 address, or `loopback`."""
    try:
        ip = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(ip, ipaddress.IPv6Address):
        if ip.ipv4_mapped is None:
            # One machine has as many addresses of its network as it likes.
            return "loopback" if ip.is_loopback else str(ipaddress.ip_network((int(ip), 64), strict=False))
        ip = ip.ipv4_mapped
    return "loopback" if ip.is_loopback else str(ip)
