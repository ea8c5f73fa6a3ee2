"""How the service and its source are: what is told of it in `status`, in `/healthz` and in the log."""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Sequence
from typing import Final

import numpy as np

from stream import __version__
from stream.protocol.messages import Outage, Status
from stream.server.http import HealthReport
from stream.service.events import (
    AudioResumed,
    AudioTaken,
    Event,
    Hop,
    HopSkipped,
    RecognizerReplaced,
    SignalWarned,
    SourceFound,
    SourceState,
    SourceTurned,
)
from stream.system import clock

STALE_SECONDS: Final = 2.0
"""Age of the newest audio from which on the service does not count as healthy."""
_HOPS: Final = 100  # of which the median time is told

_log = logging.getLogger("stream.service")  # whose lines these are for those who filter them


class Health:
    """Takes note of all that concerns the well-being of the service.

    It takes events, and is asked for a status or a report; it publishes nothing by itself.

    Parameters
    ----------
    source : str
        Name of what is heard, or waited for.
    live : bool
        Whether that is a device.
    """

    def __init__(self, source: str, live: bool) -> None:
        self._source = source
        self._state: SourceState = "starting"
        self._heard_at: float | None = None  # on `stream.system.clock`
        self._live = live
        self._message: str | None = None
        self._slowness: str | None = None  # what makes inference slower than it could be
        self._missed = False  # whether the log says that the source is away
        self._warnings: Sequence[str] = ()  # of the source that runs
        self._skipped_hops = 0
        self._hop_seconds: deque[float] = deque(maxlen=_HOPS)
        self._started = time.monotonic()

    def take(self, event: Event) -> None:
        """Take note of what happened."""
        match event:
            case SourceFound():
                self._source = event.name
            case SourceTurned():
                self._turn(event.state, event.message)
            case SignalWarned():
                self._warn(event.warnings)
            case AudioResumed():
                self._resume(event.missing, event.outage)
            case AudioTaken():
                self._heard_at = event.delivered or self._heard_at
            case Hop():
                if event.seconds is not None:
                    self._hop_seconds.append(event.seconds)
                if event.change is not None:
                    _log.info("%.2f s: %s", event.label.time, event.label.label or event.label.state)
            case HopSkipped():
                self._skipped_hops += 1
            case RecognizerReplaced():
                self._hop_seconds.clear()
            case _:
                pass

    def slow_down(self, reason: str | None) -> None:
        """Say what makes inference slower than it could be from now on, in one line, or that nothing does."""
        if reason is not None and reason != self._slowness:
            _log.warning("%s", reason)
        self._slowness = reason

    def status(self, *, overflows: int, clients: int, log_fault: str | None) -> Status:
        """How the service is, for its clients.

        Parameters
        ----------
        overflows : int
            Times that captured audio was lost.
        clients : int
            WebSocket clients that are connected.
        log_fault : str, optional
            Why the session log is not written, in one line.
        """
        warnings = [*self._warnings, *(it for it in (self._slowness, log_fault) if it is not None)]
        return Status(
            source=self._state,
            overflows=overflows,
            dropped_hops=self._skipped_hops,
            clients=clients,
            hop_ms=1000 * float(np.median(self._hop_seconds)) if self._hop_seconds else 0.0,
            uptime=time.monotonic() - self._started,
            message=self._message or next(iter(warnings), None),
            warnings=warnings,
        )

    def report(self, status: Status, *, model: str, still: str | None, session_log: str | None) -> HealthReport:
        """How the service is, for `/healthz`.

        Parameters
        ----------
        status : Status
            As it is now.
        model : str
            Name of what is heard with.
        still : str, optional
            What is to be said of a device that delivers only zeros.
        session_log : str, optional
            `written`, or why it is not; None where there is none.
        """
        age = None if self._heard_at is None else clock.now() - self._heard_at
        reason = still
        if self._state in ("waiting", "ended"):
            reason = self._message or f"source is {self._state}"
        elif age is None or age > STALE_SECONDS:
            reason = "no audio yet" if age is None else f"no audio for {age:.1f} s"
        return HealthReport(
            reason,
            {
                "version": __version__,
                "model": model,
                "source": self._source,
                "source_state": self._state,
                "audio_age": None if age is None else round(age, 3),
                "overflows": status.overflows,
                "dropped_hops": status.dropped_hops,
                "session_log": session_log,
                "clients": status.clients,
                "hop_ms": round(status.hop_ms, 3),
                "uptime": round(status.uptime, 1),
            },
        )

    def _warn(self, warnings: Sequence[str]) -> None:
        for text in self._warnings:
            if text not in warnings:
                _log.warning("over: %s", text.partition(":")[0])
        for text in warnings:
            if text not in self._warnings:
                _log.warning("%s", text)
        self._warnings = warnings

    def _turn(self, state: SourceState, message: str | None) -> None:
        if (state, message) != (self._state, self._message) and message:
            _log.warning("%s", message)
        self._missed |= state == "waiting"
        self._state, self._message = state, message
        self._warnings = ()  # they were the source's before

    def _resume(self, missing: float, outage: Outage | None) -> None:
        """Tell the operator that there is audio: also what is well again, and not only what is wrong, is in the log."""
        if self._missed:
            name = f"input {self._source!r}" if self._live else self._source
            again = "" if outage is None or outage.end is None else f" again after {outage.end - outage.start:.1f} s"
            _log.warning("%s is heard%s", name, again)
        elif outage is not None:
            _log.warning("%s", outage.reason)
        elif missing > 0:
            _log.info("%.2f s of audio are missing", missing)
        self._missed = False
