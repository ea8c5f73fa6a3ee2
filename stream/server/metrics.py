"""Figures of the server and its process for Prometheus."""

from __future__ import annotations

import asyncio

from prometheus_client import CollectorRegistry, Counter, Gauge, ProcessCollector, generate_latest


class Metrics:
    """Figures of one server, in a registry of their own that others may add theirs to."""

    def __init__(self) -> None:
        registry = self.registry = CollectorRegistry()
        """Where all figures are told."""
        ProcessCollector(registry=registry)
        self.clients = Gauge("soloist_clients", "WebSocket clients connected.", registry=registry)
        self.sent = Counter("soloist_messages", "Messages handed to clients.", ["type"], registry=registry)
        self.slow_clients = Counter(
            "soloist_slow_clients", "Clients closed because they did not take their messages.", registry=registry
        )
        Gauge("soloist_tasks", "Tasks of the event loop.", registry=registry).set_function(_tasks)
        self.refused = Counter(
            "soloist_refused_connections",
            "Connections turned away.",
            ["reason"],
            registry=registry,
        )

    def text(self) -> bytes:
        """Return all figures in the Prometheus text format."""
        return generate_latest(self.registry)


def _tasks() -> float:
    """Count the tasks of the event loop that asks; 0 outside of one."""
    try:
        return float(len(asyncio.all_tasks()))
    except RuntimeError:
        return 0.0
