"""Who may come in: under which names, from which pages, with which token; without any I/O of the network."""

from __future__ import annotations

import hmac
import socket
import ssl
import time
from dataclasses import dataclass
from pathlib import Path

from stream.errors import ConfigError
from stream.server.certificate import validity_warning
from stream.server.host_names import first_label, frame_ancestor, is_address, is_loopback, name_of, origin, own_names
from stream.server.settings import CONNECTIONS, PER_ADDRESS, TOKEN_LENGTH, ServerSettings
from stream.system.files import read_regular_file


@dataclass(frozen=True, slots=True)
class Access:
    """What clients have to know and to say."""

    token: str | None = None
    """What they have to know; nothing without it."""
    names: frozenset[str] = frozenset()
    """What the server is called, besides its addresses and localhost."""
    machine: str = ""
    """First part of the machine's name, which is its own with whatever a network puts after it; empty for none."""
    origins: frozenset[str] = frozenset()
    """Other pages than the server's own that may open a WebSocket, as `origin` writes them."""
    frame_ancestors: tuple[str, ...] = ()
    """Who may show the pages in a frame, as a Content-Security-Policy writes it; nobody without."""
    connections: int = CONNECTIONS
    """WebSocket connections at the most."""
    per_address: int = PER_ADDRESS
    """WebSocket connections of one address other than loopback at the most."""
    control: bool = False
    """Whether those who come in may change the service."""
    tls: ssl.SSLContext | None = None
    """What encrypts; nothing without it."""
    certificate_warning: str | None = None
    """What is wrong with the time of the certificate, if anything is."""

    @classmethod
    def of(cls, settings: ServerSettings) -> Access:
        """Take from the settings what is about access.

        Raises
        ------
        ConfigError
            When a file that they name cannot be used, or when others could come in without a token and nobody said
            that they may.
        """
        secret = read_token(settings)
        if secret is None and not settings.open and not is_loopback(settings.host):
            raise ConfigError(
                f'host is "{settings.host}", where others can come in: require a token (token_file or token), '
                "or let in everybody (open = true or --open)"
            )
        if settings.control and secret is None:
            raise ConfigError("control is true, and no token is required of clients: set token_file or token, too")
        tls = tls_context(settings.certificate, settings.key)
        return cls(
            token=secret,
            names=own_names(socket.gethostname())
            | {name for name in map(name_of, (settings.host, *(settings.hosts or ()))) if name is not None},
            machine=first_label(socket.gethostname()),
            frame_ancestors=tuple(it for it in map(frame_ancestor, settings.frame_ancestors or ()) if it is not None),
            origins=frozenset(it for it in map(origin, settings.origins or ()) if it is not None),
            connections=settings.connections,
            per_address=settings.connections_per_address,
            control=settings.control,
            tls=tls,
            certificate_warning=None if tls is None else validity_warning(tls, str(settings.certificate), time.time()),
        )

    def allows_host(self, host: str) -> bool:
        """Whether a request meant this server, by its Host field.

        A page of another site whose name was made to lead here (DNS rebinding) says that name.
        """
        name = name_of(host)
        if name is None:
            return False
        if is_address(name) or name == "localhost" or name.endswith(".localhost") or name in self.names:
            return True
        # Routers put their own domain after the name that a machine tells them: stage.fritz.box, stage.home.arpa.
        first, *domain = name.split(".")
        return first == self.machine != "" and bool(domain) and all(domain)

    def allows_origin(self, page: str, host: str) -> bool:
        """Whether a page may open a WebSocket.

        Parameters
        ----------
        page : str
            The Origin field.
        host : str
            The Host field, of which the page must be unless it is named by `origins`.
        """
        its_origin = origin(page)
        if its_origin is None:
            return False
        if its_origin in self.origins:
            return True
        scheme = its_origin.partition("://")[0]
        # Without TLS of our own, a proxy in front may have it.
        schemes = ("https",) if self.tls is not None else ("http", "https")
        return scheme in schemes and its_origin == origin(f"{scheme}://{host}")

    def is_token(self, told: bytes) -> bool:
        """Whether this is the token; never so without one. The time it takes tells nothing of how much is right."""
        return self.token is not None and hmac.compare_digest(told, self.token.encode())


def bearer_token(authorization: str) -> bytes | None:
    """Return the token that an Authorization field has; None if it has none, but what a proxy wanted perhaps."""
    scheme, _, given = authorization.partition(" ")
    # The bytes as they came: websockets reads headers as Latin-1.
    told = given.strip().encode("latin-1", "replace")
    return told if told and scheme.lower() == "bearer" else None


def read_token(settings: ServerSettings) -> str | None:
    """Return the token, from wherever it stands.

    Raises
    ------
    ConfigError
        When its file cannot be used, or when it stands in two places.
    """
    if settings.token is not None and settings.token_file is not None:
        raise ConfigError("token and token_file are both set; one of them is enough")
    secret = settings.token
    if settings.token_file is not None:
        file = Path(settings.token_file)
        try:
            secret = read_regular_file(file, 5 * TOKEN_LENGTH).decode().strip()
        except OSError as error:
            raise ConfigError(f'token_file is "{file}": {error.strerror}') from error
        except UnicodeDecodeError:
            raise ConfigError(f'token_file is "{file}": it is not UTF-8') from None
        if not 1 <= len(secret) <= TOKEN_LENGTH or not secret.isprintable():
            raise ConfigError(f'token_file is "{file}": expected one line of 1 to {TOKEN_LENGTH} characters')
    return secret


def tls_context(certificate: str | None, key: str | None) -> ssl.SSLContext | None:
    """Make what encrypts connections with a certificate of the user's.

    Parameters
    ----------
    certificate : str, optional
        PEM file with the certificate and those between it and its authority.
    key : str, optional
        PEM file with its key; without it the key is in the file of the certificate.

    Raises
    ------
    ConfigError
        When they cannot be used.
    """
    if certificate is None:
        if key is not None:
            raise ConfigError(f'key is "{key}", and there is no certificate')
        return None
    for setting, file in (("certificate", certificate), ("key", key)):
        if file is not None:
            try:
                read_regular_file(file, 1)
            except OSError as error:
                raise ConfigError(f'{setting} is "{file}": {error.strerror}') from error

    def passphrase() -> bytes:
        raise ConfigError(f'key is "{key or certificate}": it has a passphrase, which a service cannot enter')

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(certificate, key, passphrase)
    except ssl.SSLError as error:
        mismatch = error.reason == "KEY_VALUES_MISMATCH"
        reason = f"it does not belong to the key in {key}" if mismatch else f"no PEM with it and its key ({error})"
        raise ConfigError(f'certificate is "{certificate}": {reason}') from error
    return context
