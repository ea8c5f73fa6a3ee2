"""How many are inside, and how many stand at the door."""

from __future__ import annotations

import http
import ipaddress
import logging
from collections import Counter
from collections.abc import Callable
from typing import Final, Protocol

WAITING: Final = 64
"""Connections that are not WebSockets, for which there is always room: a page is loaded over several at once."""
HANDSHAKE_SECONDS: Final = 10.0
"""Time for a request, and for TLS before it."""

_log = logging.getLogger(__name__)


class Guest(Protocol):
    """A connection, as the turnstile sees it."""

    def hang_up(self) -> None:
        """End it now."""


class Turnstile:
    """Counts connections, by address, and says who is too many.

    Whoever comes waits at first, until there is TLS and a request. If too many wait, the one that has waited longest
    has to go, of the address that has most of them: whoever opens connections and asks for nothing is in nobody else's
    way. In the same way, of those inside who have not said the token yet, one makes room for the next.

    Parameters
    ----------
    most : int
        WebSocket connections in all, and as many others, for all clients may come at once after a restart: TLS and
        requests that are not complete, and answers on their way.
    per_address : int
        WebSocket connections of one address, loopback excepted.
    refused : callable
        Told the reason whenever somebody is turned away.
    """

    def __init__(
        self,
        most: int,
        per_address: int,
        refused: Callable[[str], None] = lambda reason: None,
    ) -> None:
        self._most = most
        self._per_address = per_address
        self._refused = refused
        self._waiting: dict[Guest, str] = {}  # oldest first
        self._inside: dict[Guest, str] = {}
        self._strangers: dict[Guest, str] = {}  # those inside without the token, oldest first
        self._places: Counter[str] = Counter()  # of those inside

    def limit(self, most: int, per_address: int) -> None:
        """Let in so many from now on. Nobody who is inside has to go."""
        self._most, self._per_address = most, per_address

    def __len__(self) -> int:
        return len(self._waiting) + len(self._inside)

    def arrive(self, guest: Guest, address: str) -> None:
        """Let somebody wait at the door."""
        self._waiting[guest] = place_of(address)
        most = max(WAITING, self._most)
        if len(self._waiting) > most:
            self._send_away(self._waiting, "waiting", f"more than {most} did not finish a request")

    def enter(self, guest: Guest, is_known: bool = True) -> http.HTTPStatus | None:
        """Let somebody in who waits, or say why not.

        Parameters
        ----------
        guest : Guest
        is_known : bool
            Whether it has said the token, where there is one.
        """
        place = self._waiting.get(guest)
        if place is None:
            return http.HTTPStatus.SERVICE_UNAVAILABLE  # it had to go meanwhile
        if place != "loopback" and self._places[place] >= self._per_address:
            reason = f"{self._per_address} of its address are open (setting connections_per_address)"
            neighbours = {it: its for it, its in self._strangers.items() if its == place}
            if not neighbours:
                self._turn_away("address", reason, place)
                return http.HTTPStatus.TOO_MANY_REQUESTS
            self._send_away(neighbours, "address", reason)
        if len(self._inside) >= self._most:
            reason = f"{self._most} are open (setting connections)"
            if not self._strangers:
                self._turn_away("connections", reason, place)
                return http.HTTPStatus.SERVICE_UNAVAILABLE
            self._send_away(self._strangers, "connections", reason)
        self._inside[guest] = self._waiting.pop(guest)
        self._places[place] += 1
        if not is_known:
            self._strangers[guest] = place
        return None

    def recognize(self, guest: Guest) -> None:
        """Take note that somebody inside has said the token: it need not make room any more."""
        self._strangers.pop(guest, None)

    def leave(self, guest: Guest) -> None:
        """Forget somebody who has gone."""
        self._waiting.pop(guest, None)
        self._strangers.pop(guest, None)
        place = self._inside.pop(guest, None)
        if place is not None:
            self._places[place] -= 1
            if not self._places[place]:
                del self._places[place]

    def _send_away(self, guests: dict[Guest, str], kind: str, reason: str) -> None:
        """Hang up the oldest of the place that has most of these guests."""
        ((place, _),) = Counter(guests.values()).most_common(1)
        oldest = next(it for it, its in guests.items() if its == place)
        self.leave(oldest)
        self._turn_away(kind, reason, place)
        oldest.hang_up()

    def _turn_away(self, kind: str, reason: str, place: str) -> None:
        self._refused(kind)
        # Always the same text, whoever it is: such lines are counted, not repeated.
        _log.warning("connection refused: %s", reason, extra={"client": place})
        _log.info("client %s refused: %s", place, reason)


def place_of(address: str) -> str:
    """Return whom an address belongs to: itself, the network of an IPv6 address, or `loopback`."""
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
