"""Figures of what is heard for Prometheus, beside those of the server."""

from __future__ import annotations

from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from stream.protocol.messages import Label, Status
from stream.service.events import AudioTaken, Event, Hop, HopSkipped, LabelDelivered, OfLine, RecognizerReplaced
from stream.service.session_logging import SessionLogging

_SECONDS: Final = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0)


class ServiceMetrics:
    """Counts and measures the events of one service.

    Parameters
    ----------
    registry : CollectorRegistry
        Where the figures are told.
    log : SessionLogging
        Asked for its figures whenever somebody reads them.
    """

    def __init__(self, registry: CollectorRegistry, log: SessionLogging) -> None:
        self._audio = Counter("soloist_audio_seconds", "Audio heard, gaps included.", registry=registry)
        self._hops = Counter("soloist_hops", "Hops evaluated.", registry=registry)
        self._skipped = Counter(
            "soloist_dropped_hops", "Hops skipped because inference could not keep up.", registry=registry
        )
        self._hop_seconds = Histogram(
            "soloist_hop_seconds", "Features, inference and smoothing of a hop.", buckets=_SECONDS, registry=registry
        )
        self._handover_seconds = Histogram(
            "soloist_handover_seconds",
            "From the audio handed over by the source to the label written to the subscribers.",
            buckets=_SECONDS,
            registry=registry,
        )
        self._overflows = Gauge("soloist_overflows", "Times that captured audio was lost so far.", registry=registry)
        self._invalid = Counter("soloist_invalid_samples", "Samples that were not finite numbers.", registry=registry)
        self._source_up = Gauge("soloist_source_up", "Whether the source delivers audio.", registry=registry)
        self._rms = Gauge("soloist_rms_dbfs", "Level of the last hop.", registry=registry)
        self._line_rms = Gauge("soloist_line_rms_dbfs", "Level of a line's last hop.", ["line"], registry=registry)
        self._probability = Gauge(
            "soloist_probability", "Smoothed probability of an instrument.", ["instrument"], registry=registry
        )
        Gauge("soloist_log_events", "Events written into the session log.", registry=registry).set_function(
            lambda: log.written
        )
        Gauge(
            "soloist_log_missed", "Events lost because the session log could not be written.", registry=registry
        ).set_function(lambda: log.missed)

    def take(self, event: Event) -> None:
        """Take note of what happened."""
        match event:
            case AudioTaken():
                self._audio.inc(event.seconds)
                self._invalid.inc(event.invalid)
            case Hop():
                self._hops.inc()
                if event.seconds is not None:
                    self._hop_seconds.observe(event.seconds)
                self._show(event.label)
            case OfLine(line, Hop() as hop):
                self._line_rms.labels(line).set(hop.label.rms)
            case HopSkipped():
                self._skipped.inc()
            case LabelDelivered():
                self._handover_seconds.observe(event.seconds)
            case RecognizerReplaced():
                self._probability.clear()
            case Status():
                self._overflows.set(event.overflows)
                self._source_up.set(event.source == "running")
            case _:
                pass

    def _show(self, label: Label) -> None:
        self._rms.set(label.rms)
        for instrument, probability in label.probabilities.items():
            self._probability.labels(instrument).set(probability)
