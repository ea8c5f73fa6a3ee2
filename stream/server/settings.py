"""Where the server listens, and who may come in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Final

from stream.server.host_names import frame_ancestor, name_and_port, name_of, origin
from stream.system.fields import Example, Range, Secret, check

CONNECTIONS: Final = 600
"""WebSocket connections at the most, by default."""
PER_ADDRESS: Final = 32
"""WebSocket connections of one address other than loopback at the most, by default."""
TOKEN_LENGTH: Final = 1000
"""Characters of a token at the most."""


NO_ORIGIN: Final = (
    "a page opened from a file has none, and any website can make one without: "
    "serve the file by HTTP, for instance with python3 -m http.server, and name that server"
)
"""What to do about a page whose origin is `null`."""


def _host(value: str) -> str | None:
    """Say what was expected of `host`, if it is not that."""
    found = name_and_port(value)
    if found is not None and found[1] is not None:
        return "an address or a name alone; its port is the setting port"
    return None if _can_be_asked_for(value) else 'an address or a name such as "stage.example.org"'


def _can_be_asked_for(host: str) -> bool:
    """Whether the system can be asked for the address of a name, which Python encodes before."""
    try:
        host.encode("idna")
    except UnicodeError:
        return False
    return "\0" not in host


def _token(value: str) -> str | None:
    fits = len(value) <= TOKEN_LENGTH and value.isprintable()
    return None if fits else f"a text of at most {TOKEN_LENGTH} characters that can be printed"


def _hosts(value: tuple[str, ...]) -> str | None:
    return None if all(map(name_of, value)) else 'names such as "stage.example.org"'


def _origins(value: tuple[str, ...]) -> str | None:
    if all(map(origin, value)):
        return None
    expected = 'origins such as "https://stage.example.org:8443"'
    return (
        f"{expected}; {NO_ORIGIN}" if any(it.lower() == "null" or it.startswith("file:") for it in value) else expected
    )


def _frame_ancestors(value: tuple[str, ...]) -> str | None:
    return None if all(map(frame_ancestor, value)) else 'self, or origins such as "https://home.example.org:8123"'


@dataclass(frozen=True, slots=True)
class ServerSettings:
    """Where the server listens, and who may come in.

    Raises
    ------
    ConfigError
        When a value cannot be used. The text names it, unless it is secret, and what was expected.
    """

    host: Annotated[str, _host] = "127.0.0.1"
    """Address to listen on."""
    port: Annotated[int, Range(0, 65_535)] = 8765
    """Port to listen on; 0 lets the system choose."""
    token: Annotated[str | None, Secret(), _token] = None
    """What clients have to know; nothing without it."""
    token_file: str | None = None
    """A file that holds the token."""
    open: bool = False
    """Whether everybody may come in who reaches an address other than loopback, without a token."""
    hosts: Annotated[tuple[str, ...] | None, Example("stage.example.org"), _hosts] = None
    """What the server is called besides its addresses and the machine's name."""
    origins: Annotated[tuple[str, ...] | None, Example("https://desk.example.org"), _origins] = None
    """Other pages than the server's own that may connect, as scheme://host:port."""
    frame_ancestors: Annotated[tuple[str, ...] | None, Example("https://home.example.org"), _frame_ancestors] = None
    """Pages that may show the dashboard and the overlay in a frame, as scheme://host:port, or `self` for its own."""
    certificate: str | None = None
    """PEM file with a certificate, to serve with TLS."""
    key: str | None = None
    """PEM file with its key; it is in the file of the certificate without it."""
    control: bool = False
    """Whether clients may change the service: they have to know a token."""
    connections: Annotated[int, Range(1, 10_000)] = CONNECTIONS
    """WebSocket connections at the most."""
    connections_per_address: Annotated[int, Range(1, 10_000)] = PER_ADDRESS
    """WebSocket connections of one address other than loopback at the most."""

    def __post_init__(self) -> None:
        check(self)
