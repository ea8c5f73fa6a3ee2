"""The figures of the design, with which way is better and what is wanted of each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from stream.errors import ConfigError

Figures = dict[str, float | None]
"""What was measured, under the keys of `FIGURES`; None for what could not be measured here."""


@dataclass(frozen=True, slots=True)
class Figure:
    """What a figure is and what it is to be."""

    group: str
    """Those of one group are measured together."""
    what: str
    unit: str
    better: Literal["lower", "higher"]
    target: float
    """At most this where lower is better, at least this where higher is."""

    def is_met(self, value: float) -> bool:
        """Whether a value is as good as the target."""
        return value <= self.target if self.better == "lower" else value >= self.target


FIGURES: Final = {
    "hop_ms_p50": Figure("hop", "one hop, median", "ms", "lower", 1.2),
    "hop_ms_p99": Figure("hop", "one hop, 99th percentile", "ms", "lower", 5.0),
    "feature_ratio": Figure("features", "librosa's features / ours", "x", "higher", 12.0),
    "librosa_ratio": Figure("features", "hop the usual way / ours", "x", "higher", 3.5),
    "handover_ms_p95": Figure("handover", "audio handed over to label written, 95 %", "ms", "lower", 15.0),
    "rss_mb": Figure("memory", "resident memory with a subscriber", "MB", "lower", 120.0),
    "startup_s": Figure("start", "process start to serving", "s", "lower", 1.0),
    "fanout_p99_ms": Figure("fanout", "500 subscribers, one stalled: label's age, 99 %", "ms", "lower", 50.0),
    "fanout_lost": Figure("fanout", "500 subscribers: messages lost by healthy ones", "", "lower", 0.0),
    "realtime_factor": Figure("files", "classify: audio seconds per second", "x", "higher", 200.0),
    "soak_hours": Figure("soak", "audio through one recognizer", "h", "higher", 24.0),
    "soak_rss_growth_mb": Figure("soak", "memory that it took meanwhile", "MB", "lower", 1.0),
    "lines": Figure("lines", "lines of one service", "", "higher", 8.0),
    "lines_cpu_ratio": Figure("lines", "their processor time / that of as many services", "x", "lower", 0.33),
    "lines_quiet_ratio": Figure(
        "lines", "one in four sounding: processor time / that of one service", "x", "lower", 2.0
    ),
    "lines_memory_mb": Figure("lines", "memory beyond that of one service", "MB", "lower", 25.0),
    "lines_dropped_hops": Figure("lines", "hops that were dropped", "", "lower", 0.0),
}

_ALONE: Final = ("soak", "lines")
GROUPS: Final = tuple(dict.fromkeys(figure.group for figure in FIGURES.values() if figure.group not in _ALONE))
"""What `measurements.measure` can be asked for; what takes hours, or a number, is asked for by itself."""


def checked_groups(groups: tuple[str, ...]) -> tuple[str, ...]:
    """Return groups as they are if there are such.

    Raises
    ------
    ConfigError
        If there are not.
    """
    for group in groups or ("",):
        if group not in GROUPS:
            raise ConfigError(f'--only has "{group}"; expected some of {", ".join(GROUPS)}')
    return groups


def keys(groups: tuple[str, ...]) -> list[str]:
    """Return the keys of the figures of some groups, in the order of `FIGURES`."""
    return [key for key, figure in FIGURES.items() if figure.group in groups]
