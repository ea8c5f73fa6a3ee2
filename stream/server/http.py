"""The pages and reports that are served over plain HTTP, on the socket's port."""

from __future__ import annotations

import hashlib
import http
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import resources
from importlib.resources.abc import Traversable
from typing import Final

from websockets.datastructures import Headers
from websockets.http11 import Request, Response

_TYPES: Final = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".webmanifest": "application/manifest+json",
    ".json": "application/json",
}

_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "manifest-src 'self'; form-action 'none'; base-uri 'none'; frame-ancestors "
)
_SECURITY: Final = {
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), display-capture=(), geolocation=(), microphone=(), midi=(), payment=(), usb=(), "
    "fullscreen=(self), screen-wake-lock=(self)",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
_ISOLATION: Final = {"Cross-Origin-Opener-Policy": "same-origin"}
"""Only for origins that browsers trust: with others they complain of it."""
_FRESH: Final = {"Cache-Control": "no-store"}


@dataclass(frozen=True, slots=True)
class Page:
    """A file of the dashboard, in memory."""

    content: bytes
    type: str
    """Media type."""
    etag: str


@dataclass(frozen=True, slots=True)
class HealthReport:
    """How the service is, for whoever restarts it."""

    reason: str | None
    """What is wrong, None when nothing is."""
    details: dict[str, object]


class HTTPResponder:
    """Answers everything but the WebSocket.

    Only the files that lay in `web/` when it was made are served, each under its own name: no path is ever looked up
    on disk.

    Parameters
    ----------
    health : callable
        Returns the service's health.
    metrics : callable
        Returns the Prometheus text.
    """

    def __init__(self, health: Callable[[], HealthReport], metrics: Callable[[], bytes]) -> None:
        self._health = health
        self._metrics = metrics
        self._pages = {f"/{path}": page for path, page in _pages(resources.files("stream") / "web", "")}
        for path, file in (("/", "/index.html"), ("/overlay", "/overlay.html")):
            if file in self._pages:
                self._pages[path] = self._pages[file]

    def respond(
        self, request: Request, authorized: bool, trustworthy: bool = False, frame_ancestors: Sequence[str] = ()
    ) -> Response:
        """Answer a request.

        Parameters
        ----------
        request : Request
        authorized : bool
            Whether it may see metrics and the details of the health.
        trustworthy : bool
            Whether it came by TLS or from this machine.
        frame_ancestors : sequence of str
            Who may show it in a frame, as a Content-Security-Policy writes it.
        """
        response = self._respond(request, authorized)
        if trustworthy:
            response.headers.update(_ISOLATION)
        if frame_ancestors:
            for name in ("Content-Security-Policy", "X-Frame-Options"):
                del response.headers[name]
            response.headers.update(_framed(frame_ancestors))
        return response

    def _respond(self, request: Request, authorized: bool) -> Response:
        method = request.method
        path = path_of(request)
        if method not in ("GET", "HEAD"):
            return _response(http.HTTPStatus.METHOD_NOT_ALLOWED, "text/plain", b"use GET\n", method, Allow="GET, HEAD")
        if path == "/healthz":
            return self._tell_health(method, authorized)
        if path == "/metrics":
            if not authorized:
                return _response(http.HTTPStatus.UNAUTHORIZED, "text/plain", b"token required\n", method,
                                 **{"WWW-Authenticate": "Bearer"})  # fmt: skip
            media_type = "text/plain; version=0.0.4; charset=utf-8"
            return _response(http.HTTPStatus.OK, media_type, self._metrics(), method, **_FRESH)
        if path == "/ws":
            return _response(
                http.HTTPStatus.UPGRADE_REQUIRED, "text/plain", b"this is a WebSocket\n", method, Upgrade="websocket"
            )
        page = self._pages.get(path)
        if page is None:
            return _response(http.HTTPStatus.NOT_FOUND, "text/plain", b"not found\n", method)
        if page.etag in field(request, "If-None-Match"):
            return _response(http.HTTPStatus.NOT_MODIFIED, page.type, b"", method, ETag=page.etag)
        return _response(
            http.HTTPStatus.OK, page.type, page.content, method, ETag=page.etag, **{"Cache-Control": "no-cache"}
        )

    def _tell_health(self, method: str, authorized: bool) -> Response:
        health = self._health()
        status = http.HTTPStatus.OK if health.reason is None else http.HTTPStatus.SERVICE_UNAVAILABLE
        told: dict[str, object] = {"status": "ok" if health.reason is None else "failing"}
        if authorized:
            told |= {"reason": health.reason, **health.details}
        return _response(status, "application/json", json.dumps(told).encode() + b"\n", method, **_FRESH)


def refusal(status: http.HTTPStatus, text: str, method: str) -> Response:
    """Answer somebody who may not come in, at least not now."""
    later = status in (http.HTTPStatus.TOO_MANY_REQUESTS, http.HTTPStatus.SERVICE_UNAVAILABLE)
    headers = {"Retry-After": "5"} if later else {}
    return _response(status, "text/plain; charset=utf-8", f"{text}\n".encode(), method, **headers)


def path_of(request: Request) -> str:
    """Return what a request asks for, as it is below a path where a proxy leaves out that but for its last slash."""
    return "/" + request.path.partition("?")[0].lstrip("/")


def field(request: Request, name: str) -> str:
    """Return a header field, put together if it was sent more than once, empty if it was not."""
    return ", ".join(request.headers.get_all(name))


def _framed(ancestors: Sequence[str]) -> dict[str, str]:
    """Return the fields that say who may show an answer in a frame, for browsers of all ages."""
    fields = {"Content-Security-Policy": _POLICY + " ".join(ancestors or ("'none'",))}
    if not ancestors:
        fields["X-Frame-Options"] = "DENY"
    elif tuple(ancestors) == ("'self'",):
        fields["X-Frame-Options"] = "SAMEORIGIN"
    return fields  # X-Frame-Options can name no other page


def _response(status: http.HTTPStatus, media_type: str, content: bytes, method: str, **headers: str) -> Response:
    fields = Headers({"Content-Type": media_type, "Connection": "close", **_framed(()), **_SECURITY, **headers})
    if status is not http.HTTPStatus.NOT_MODIFIED:  # where it would be the length of what was not modified
        fields["Content-Length"] = str(len(content))
    return Response(status.value, status.phrase, fields, b"" if method == "HEAD" else content)


def _pages(folder: Traversable, prefix: str) -> list[tuple[str, Page]]:
    found = []
    for entry in folder.iterdir():
        if entry.is_dir():
            found += _pages(entry, f"{prefix}{entry.name}/")
        else:
            media_type = _TYPES.get("." + entry.name.rpartition(".")[2])
            if media_type is not None:
                content = entry.read_bytes()
                etag = f'"{hashlib.sha256(content).hexdigest()[:16]}"'
                found.append((prefix + entry.name, Page(content, media_type, etag)))
    return found
