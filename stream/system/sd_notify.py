"""Tells systemd how the service is, by the datagrams of sd_notify(3)."""

from __future__ import annotations

import logging
import os
import socket
import time
from collections.abc import Callable, Mapping
from typing import Final

_OFTEN: Final = 4
"""How many signs of life there are at the most in the time that the watchdog waits."""

_log = logging.getLogger(__name__)


class Notifier:
    """The service manager that started us; without one, nobody is told anything.

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
        self._alive_at = float("-inf")
        self.watchdog = _watchdog(variables)
        """Seconds without `alive` after which the manager restarts the service; none where it does not watch."""
        path = variables.get("NOTIFY_SOCKET", "")
        if not path.startswith(("/", "@")):
            return
        self._address = f"\0{path[1:]}" if path.startswith("@") else path
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.setblocking(False)

    def ready(self, status: str) -> None:
        """Say that the service serves, after its start or after `reloading`."""
        self._status = None
        self._send("READY=1", self._told(status))

    def status(self, text: str) -> None:
        """Say in a line what the service does, for `systemctl status`."""
        self._send(self._told(text))

    def reloading(self) -> None:
        """Say that the configuration is being read anew; `ready` ends it."""
        self._send("RELOADING=1", f"MONOTONIC_USEC={round(self._clock() * 1e6)}")

    def stopping(self) -> None:
        """Say that the service ends."""
        self._send("STOPPING=1", self._told("ending"))

    def alive(self) -> None:
        """Say that audio goes through. To be called as often as it does; only some of the calls are passed on."""
        if self.watchdog is None:
            return
        now = self._clock()
        if now - self._alive_at >= self.watchdog / _OFTEN:
            self._alive_at = now
            self._send("WATCHDOG=1")

    def close(self) -> None:
        """Tell no more."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _told(self, status: str) -> str:
        """Return the assignment of a status, nothing if it is the one that was told."""
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
            # A full or missing socket of the manager must not end a show; if it stays so, the watchdog does its work.
            _log.warning("cannot tell systemd: %s", error.strerror)


def _watchdog(variables: Mapping[str, str]) -> float | None:
    """Read what sd_watchdog_enabled(3) reads."""
    if variables.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
        return None
    text = variables.get("WATCHDOG_USEC", "")
    return int(text) / 1e6 if text.isdecimal() and int(text) > 0 else None
