"""How the service and its source are: what is told of it in `status`, in `/healthz` and in the log."""

from __future__ import annotations

import logging
import statistics
import time
from collections import deque
from collections.abc import Callable
from typing import Final, Literal, TypeAlias

from stream import __version__
from stream.audio.capture import Capture
from stream.audio.signal_faults import Faults
from stream.protocol.messages import Label, Message, Outage, Status
from stream.recognition.mel import Array
from stream.server.http import Health
from stream.server.metrics import Metrics
from stream.server.server import Server
from stream.service.recall import Archivist
from stream.settings.settings import Settings
from stream.system import clock

STALE_SECONDS: Final = 2.0
"""Age of the newest audio from which on the service does not count as healthy."""
_HOPS: Final = 100  # of which the median time is told

SourceState: TypeAlias = Literal["starting", "running", "waiting", "ended"]

_log = logging.getLogger("stream.service")  # whose lines these are for those who filter them


class Condition:
    """Takes note of all that concerns the well-being of the service, and tells it when it changes.

    Parameters
    ----------
    settings : Settings
    server : Server
        Knows the clients.
    publish : callable
        Tells everybody.
    metrics : Metrics
    capture : Capture
    archivist : Archivist
    on_status : callable
        Called with what the service does, in a line.
    """

    def __init__(
        self,
        settings: Settings,
        server: Server,
        publish: Callable[[Message], None],
        metrics: Metrics,
        capture: Capture,
        archivist: Archivist,
        on_status: Callable[[str], None],
    ) -> None:
        self.source = settings.audio.device or settings.audio.input
        """Name of what is heard, or waited for."""
        self.state: SourceState = "starting"
        """How the source is."""
        self.heard_at: float | None = None
        """When the last audio was delivered, on `stream.system.clock`, in seconds."""
        self.dropped_hops = 0
        """Hops that were skipped because inference could not keep up."""
        self.hop_seconds: deque[float] = deque(maxlen=_HOPS)
        """What the last hops took."""
        self._server = server
        self._publish = publish
        self._metrics = metrics
        self._capture = capture
        self._archivist = archivist
        self._on_status = on_status
        self._message: str | None = None
        self._hindrance: str | None = None  # of inference
        self._missed = False  # whether the log says that the source is away
        self._warnings: list[str] = []  # of the source that runs
        self._started = time.monotonic()
        self.examine(settings.recognition.gate)

    @property
    def still(self) -> bool:
        """Whether the device works, and delivers nothing but zeros."""
        return self._faults.still is not None

    def slow_down(self, hindrance: str | None) -> None:
        """Say what makes inference slower than it could be from now on, in one line, or that nothing does."""
        if hindrance is not None and hindrance != self._hindrance:
            _log.warning("%s", hindrance)
        self._hindrance = hindrance

    def examine(self, gate: float) -> None:
        """Look for faults in the audio that comes from now on, whatever was before; `gate` in dBFS."""
        self._faults = Faults(gate, self._capture.live)

    def inspect(self, samples: Array, clipped: bool, invalid: bool) -> None:
        """Look at audio, and tell everybody what should be mended when it changes.

        For the parameters see `stream.audio.signal_faults.Faults.hear`.
        """
        self._faults.hear(samples, clipped, invalid)
        told = self._faults.warnings
        if told == self._warnings:
            return
        for text in self._warnings:
            if text not in told:
                _log.warning("over: %s", text.partition(":")[0])
        for text in told:
            if text not in self._warnings:
                _log.warning("%s", text)
        self._warnings = told
        self.tell()

    def turn(self, state: SourceState, message: str | None = None) -> None:
        """Tell how the source is from now on, and what should be done about that, if anything."""
        if (state, message) != (self.state, self._message) and message:
            _log.warning("%s", message)
        self._missed |= state == "waiting"
        self.state, self._message = state, message
        self._warnings = []  # they were the source's before
        self._metrics.source_up.set(state == "running")
        self._on_status(message or f"{state}: {self.source}")
        self.tell()

    def go_on(self, missing: float, outage: Outage | None) -> None:
        """Tell the operator that there is audio: also what is well again, and not only what is wrong, is in the log.

        Parameters
        ----------
        missing : float
            Seconds of audio that are missing before it.
        outage : Outage, optional
            What clients were told of that.
        """
        if self._missed:
            name = f"input {self.source!r}" if self._capture.live else self.source
            again = "" if outage is None or outage.end is None else f" again after {outage.end - outage.start:.1f} s"
            _log.warning("%s is heard%s", name, again)
        elif outage is not None:
            _log.warning("%s", outage.reason)
        elif missing > 0:
            _log.info("%.2f s of audio are missing", missing)
        self._missed = False

    def name(self, label: Label) -> None:
        """Say what is in front from now on, for the operator; clients have been told."""
        _log.info("%.2f s: %s", label.time, label.label or label.state)
        self._on_status(f"hears {label.label or label.state} from {self.source}")

    def tell(self) -> None:
        """Tell everybody how the service is."""
        status = self._status()
        self._metrics.overflows.set(status.overflows)
        self._publish(status)

    def health(self, model: str) -> Health:
        """How the service is, for `/healthz`; it hears with this model."""
        age = None if self.heard_at is None else clock.now() - self.heard_at
        reason = self._faults.still
        if self.state in ("waiting", "ended"):
            reason = self._message or f"source is {self.state}"
        elif age is None or age > STALE_SECONDS:
            reason = "no audio yet" if age is None else f"no audio for {age:.1f} s"
        status = self._status()
        return Health(
            reason,
            {
                "version": __version__,
                "model": model,
                "source": self.source,
                "source_state": self.state,
                "audio_age": None if age is None else round(age, 3),
                "overflows": status.overflows,
                "dropped_hops": status.dropped_hops,
                "session_log": self._archivist.state,
                "clients": status.clients,
                "hop_ms": round(status.hop_ms, 3),
                "uptime": round(status.uptime, 1),
            },
        )

    def _status(self) -> Status:
        fault = self._archivist.fault
        warnings = [*self._warnings, *(it for it in (self._hindrance, fault) if it is not None)]
        return Status(
            source=self.state,
            overflows=self._capture.overflows,
            dropped_hops=self.dropped_hops,
            clients=self._server.clients,
            hop_ms=1000 * statistics.median(self.hop_seconds) if self.hop_seconds else 0.0,
            uptime=time.monotonic() - self._started,
            message=self._message or next(iter(warnings), None),
            warnings=warnings,
        )
