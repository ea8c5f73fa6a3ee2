"""Reports the state of the service to systemd, by the datagrams of sd_notify(3)."""

from __future__ import annotations

import logging
import os
import socket
import time
from collections.abc import Callable, Mapping
from typing import Final

_KEEP_ALIVES: Final = 4
"""Keep-alive messages that are sent at the most in the time that the watchdog waits."""

_log = logging.getLogger(__name__)


class SystemdNotifier:
    """Sends messages to the service manager that started us; without one, none.

    Parameters
    ----------
    variables : mapping
        The environment: NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID.
    clock : callable
        Returns seconds of CLOCK_MONOTONIC.
    """

    def __init__(self, variables: Mapping[str, str] = os.environ, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._socket: socket.socket | None = None
        self._status: str | None = None
        self._kept_alive_at = float("-inf")
        self.watchdog_seconds = _watchdog(variables)
        """Seconds without `keep_alive` after which the manager restarts the service; None where it does not watch."""
        path = variables.get("NOTIFY_SOCKET", "")
        if not path.startswith(("/", "@")):
            return
        self._address = f"\0{path[1:]}" if path.startswith("@") else path
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.setblocking(False)

    def ready(self, status: str) -> None:
        """Say that the service serves, after its start or after `reloading`."""
        self._status = None
        self._send("READY=1", self._status_line(status))

    def status(self, text: str) -> None:
        """Say in a line what the service does, for `systemctl status`."""
        self._send(self._status_line(text))

    def reloading(self) -> None:
        """Say that the configuration is being read anew; `ready` ends it."""
        self._send("RELOADING=1", f"MONOTONIC_USEC={round(self._clock() * 1e6)}")

    def stopping(self) -> None:
        """Say that the service ends."""
        self._send("STOPPING=1", self._status_line("ending"))

    def keep_alive(self) -> None:
        """Say that audio goes through. To be called with every block; only some of the calls are sent."""
        if self.watchdog_seconds is None:
            return
        now = self._clock()
        if now - self._kept_alive_at >= self.watchdog_seconds / _KEEP_ALIVES:
            self._kept_alive_at = now
            self._send("WATCHDOG=1")

    def close(self) -> None:
        """Send no more."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _status_line(self, status: str) -> str:
        """Return the assignment of a status, nothing if it is the one that was sent last."""
        line = " ".join(status.split())
        if line == self._status:
            return ""
        self._status = line
        return f"STATUS={line}"

    def _send(self, *assignments: str) -> None:
        text = "\n".join(filter(None, assignments))
        if self._socket is None or not text:
            return
        try:
            self._socket.sendto(text.encode(), self._address)
        except OSError as error:
            # A full or missing socket of the manager must not end the service; the watchdog restarts it if need be.
            _log.warning("cannot tell systemd: %s", error.strerror)


def _watchdog(variables: Mapping[str, str]) -> float | None:
    """Read what sd_watchdog_enabled(3) reads."""
    if variables.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
        return None
    text = variables.get("WATCHDOG_USEC", "")
    return int(text) / 1e6 if text.isdecimal() and int(text) > 0 else None
