"""Figures of the running service for Prometheus."""

from __future__ import annotations

import asyncio
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest

_HOP_BUCKETS: Final = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0)


class Metrics:
    """All figures of one service, in a registry of its own."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        registry = self._registry
        self.audio = Counter("soloist_audio_seconds", "Audio heard, gaps included.", registry=registry)
        self.hops = Counter("soloist_hops", "Hops evaluated.", registry=registry)
        self.dropped_hops = Counter(
            "soloist_dropped_hops", "Hops skipped because inference could not keep up.", registry=registry
        )
        self.hop_seconds = Histogram(
            "soloist_hop_seconds",
            "Features, inference and smoothing of a hop.",
            buckets=_HOP_BUCKETS,
            registry=registry,
        )
        self.handover_seconds = Histogram(
            "soloist_handover_seconds",
            "From the audio handed over by the source to the label written to the subscribers.",
            buckets=_HOP_BUCKETS,
            registry=registry,
        )
        self.overflows = Gauge("soloist_overflows", "Times that captured audio was lost so far.", registry=registry)
        self.invalid = Counter("soloist_invalid_samples", "Samples that were not finite numbers.", registry=registry)
        self.source_up = Gauge("soloist_source_up", "Whether the source delivers audio.", registry=registry)
        self.rms = Gauge("soloist_rms_dbfs", "Level of the last hop.", registry=registry)
        self.probability = Gauge(
            "soloist_probability", "Smoothed probability of an instrument.", ["instrument"], registry=registry
        )
        self.clients = Gauge("soloist_clients", "WebSocket clients connected.", registry=registry)
        self.sent = Counter("soloist_messages", "Messages handed to clients.", ["type"], registry=registry)
        self.slow_clients = Counter(
            "soloist_slow_clients", "Clients closed because they did not take their messages.", registry=registry
        )
        Gauge("soloist_tasks", "Tasks of the event loop.", registry=registry).set_function(_tasks)
        self.log_events = Gauge("soloist_log_events", "Events written into the session log.", registry=registry)
        self.log_missed = Gauge(
            "soloist_log_missed", "Events lost because the session log could not be written.", registry=registry
        )
        self.refused = Counter(
            "soloist_refused_connections",
            "Connections turned away.",
            ["reason"],
            registry=registry,
        )

    def text(self) -> bytes:
        """Return all figures in the Prometheus text format."""
        return generate_latest(self._registry)


def _tasks() -> float:
    """Count the tasks of the event loop that asks; 0 outside of one."""
    try:
        return float(len(asyncio.all_tasks()))
    except RuntimeError:
        return 0.0
