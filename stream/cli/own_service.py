"""The running service that a command is a client of: where it is, and the token that it requires."""

from __future__ import annotations

import argparse
import contextlib
import os

from stream.errors import ConfigError


def add_client_flags(parser: argparse._ActionsContainer) -> None:
    """Add what lets a client in."""
    add = parser.add_argument
    add("--token", metavar="TEXT", help="what the server requires (or SOLOIST_TOKEN)")
    add("--token-file", metavar="FILE", help="a file that holds it (or SOLOIST_TOKEN_FILE)")
    add("--ca", metavar="FILE", help="PEM file with the authority of a wss server's certificate (or SOLOIST_CA)")


def certificate_authority(options: argparse.Namespace) -> str | None:
    """Return the PEM file with the authority that is trusted, if one is named."""
    return vars(options).get("ca") or os.environ.get("SOLOIST_CA") or None


def own_server() -> str:
    """Return the address of the service that the environment describes, as the service itself reads it."""
    import ipaddress

    from stream.settings.reading import load

    names = ("SOLOIST_HOST", "SOLOIST_PORT", "SOLOIST_CERTIFICATE")
    server = load({}, {name: os.environ.get(name, "") for name in names}).server
    host = server.host.strip("[]")
    with contextlib.suppress(ValueError):
        ip = ipaddress.ip_address(host)
        if ip.is_unspecified:  # where one listens, and nobody is
            ip = ipaddress.ip_address("127.0.0.1" if ip.version == 4 else "::1")
        host = f"[{ip}]" if ip.version == 6 else str(ip)
    return f"{'ws' if server.certificate is None else 'wss'}://{host}:{server.port}/ws"


def client_token(options: argparse.Namespace, url: str) -> str | None:
    """Return the token that a client is told, as the service reads it.

    Where a flag says it no variable does; nor where the address does, which the client reads itself.
    """
    from stream.protocol.address import token_in
    from stream.server import access
    from stream.settings.reading import read, refuse

    flags = {name: value for name, value in vars(options).items() if name in ("token", "token_file")}
    variables = {name: os.environ.get(name, "") for name in ("SOLOIST_TOKEN", "SOLOIST_TOKEN_FILE")}
    reading = read(flags, {} if flags or token_in(url) is not None else variables)
    refuse(reading.problems)
    try:
        return access.read_token(reading.settings.server)
    except ConfigError as error:
        raise ConfigError(reading.placed(error)) from error
