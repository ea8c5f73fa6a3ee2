"""What is answered to the request that every connection begins with: that it may be a WebSocket, a page, or why not."""

from __future__ import annotations

import http
import logging
from typing import Final

from websockets.asyncio.server import ServerConnection
from websockets.http11 import Request, Response

from stream.server import open_files
from stream.server.access import Access, bearer_token
from stream.server.connection import Connection, peer_name
from stream.server.connection_limits import ConnectionLimiter, network_of
from stream.server.host_names import is_loopback, name_of
from stream.server.http import HTTPResponder, field, path_of, refusal
from stream.server.metrics import Metrics
from stream.server.settings import NO_ORIGIN
from stream.server.token_guard import TokenGuard, Verdict

_OTHER_FILES: Final = 200
"""Open files besides connections, amply: some connections have come and are not counted yet."""

_REFUSALS: Final = {
    Verdict.MISSING: "no token",
    Verdict.WRONG: "a wrong token",
    Verdict.TOO_OFTEN: "too many wrong tokens from its address",
}

_log = logging.getLogger(__name__)


class OpeningHandshake:
    """Holds requests to the rules of access and to the limits of connections.

    Parameters
    ----------
    access : Access
        Who may come in.
    limiter : ConnectionLimiter
        Counts connections; gets its limits from the access.
    responder : HTTPResponder
        Answers all that asks for no WebSocket.
    metrics : Metrics
        Counts who was refused.
    """

    def __init__(self, access: Access, limiter: ConnectionLimiter, responder: HTTPResponder, metrics: Metrics) -> None:
        self.access = access
        self._limiter = limiter
        self._responder = responder
        self._metrics = metrics
        self._guard = TokenGuard()

    def apply(self, access: Access) -> None:
        """Let others come in from now on, as many as there are files for; say what is wrong with the certificate."""
        self.access = access
        if access.certificate_warning is not None:
            _log.warning("%s", access.certificate_warning)
        wanted = access.connections
        files = open_files.allow(2 * wanted + _OTHER_FILES)
        most = max(1, min(wanted, max((files - _OTHER_FILES) // 2, files // 8)))
        if most < wanted:
            _log.warning("the system lets us have %d open files, so that connections is %d instead of %d",
                         files, most, wanted)  # fmt: skip
        self._limiter.set_limits(most, access.per_address)

    def answer(self, connection: ServerConnection, request: Request) -> Response | None:
        """Answer a request; None when it asks for a WebSocket and may have one."""
        assert isinstance(connection, Connection)
        access = self.access
        hosts = request.headers.get_all("Host")
        if len(hosts) != 1:
            return self._refuse(connection, request, "host", http.HTTPStatus.BAD_REQUEST, "expected one Host field")
        if not access.allows_host(hosts[0]):
            text = f"this server is not known as {hosts[0][:100]!a}; its setting hosts can name it so"
            return self._refuse(connection, request, "host", http.HTTPStatus.MISDIRECTED_REQUEST, text)
        told = bearer_token(field(request, "Authorization"))
        connection.verdict = self.judge(connection, told)
        is_authorized = connection.verdict is Verdict.RIGHT
        if path_of(request) != "/ws" or "websocket" not in field(request, "Upgrade").lower():
            if told is not None and not is_authorized:
                self.refuse_token(connection, connection.verdict)
            if connection.verdict is Verdict.TOO_OFTEN and path_of(request) == "/metrics":
                text = "too many wrong tokens from this address; come back later"
                return refusal(http.HTTPStatus.TOO_MANY_REQUESTS, text, request.method)
            trustworthy = access.tls is not None or is_loopback(name_of(hosts[0]) or "")
            return self._responder.respond(request, is_authorized, trustworthy, access.frame_ancestors)
        origins = request.headers.get_all("Origin")
        if len(origins) > 1 or (origins and not access.allows_origin(origins[0], hosts[0])):
            advice = NO_ORIGIN if origins[0] == "null" else "the setting origins can let them"
            text = f"pages of {origins[0][:100]!a} may not connect to {hosts[0][:100]!a}; {advice}"
            return self._refuse(connection, request, "origin", http.HTTPStatus.FORBIDDEN, text)
        if connection.sent_early:
            return refusal(
                http.HTTPStatus.BAD_REQUEST, "frames came before the answer to the handshake", request.method
            )
        status = self._limiter.open(connection, is_authorized)
        return None if status is None else refusal(status, "too many connections; come back later", request.method)

    def judge(self, connection: ServerConnection, told: bytes | None) -> Verdict:
        """Say what a client knows by what it told as its token, None for nothing."""
        return self._guard.judge(self.access, _address(connection), told)

    def refuse_token(self, connection: ServerConnection, verdict: Verdict) -> None:
        """Take note that a client said no token, or a wrong one, or too many."""
        self._metrics.refused.labels("token").inc()
        _log.info("client %s refused: %s", peer_name(connection), _REFUSALS[verdict])
        if verdict is Verdict.TOO_OFTEN:
            _log.warning("too many wrong tokens come from %s", network_of(_address(connection)))

    def _refuse(
        self, connection: Connection, request: Request, reason: str, status: http.HTTPStatus, text: str
    ) -> Response:
        self._metrics.refused.labels(reason).inc()
        _log.info("client %s refused: %s", peer_name(connection), text)
        return refusal(status, text, request.method)


def _address(connection: ServerConnection) -> str:
    """Return where a client comes from, empty when it was lost at once."""
    return str(connection.remote_address[0]) if connection.remote_address else ""
