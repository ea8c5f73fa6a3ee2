"""How fast and how steadily a model names who plays: figures of continuous programmes, as json and as Markdown."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

TOLERANCES: Final = (0.5, 3.0)
"""Of boundaries between segments, in seconds, as MIREX has them."""

DELAY_EXPLAINED: Final = (
    "The delay is from a player's beginning to the first hop that names the instrument; one that is not named before "
    "it ends is missed, and counts as infinitely late."
)
"""What a reader of the figures has to know, for card and report."""


@dataclass(frozen=True, slots=True)
class SteadySolos:
    """How still the label holds while one player plays."""

    solos: int
    seconds: float
    """Of hops, from the first that named anybody."""
    changes: int
    """Of the label."""
    right: float
    """Seconds with the right label."""

    @property
    def flicker(self) -> float | None:
        """Changes per minute."""
        return per_minute(self.changes, self.seconds)

    def figures(self) -> dict[str, Any]:
        """Plain numbers, as json takes them."""
        return {
            "solos": self.solos,
            "seconds": round(self.seconds, 1),
            "changes": self.changes,
            "changes_per_minute": _rounded(self.flicker),
            "right": _ratio(self.right, self.seconds),
        }


@dataclass(frozen=True, slots=True)
class ProgrammeResult:
    """How a model follows programmes.

    `unknown` and `silence` count as one label, nobody. All is counted from the first full window on, and times are
    those of the audio: computing and transport, some milliseconds, come on top.
    """

    name: str
    programmes: int
    seconds: float
    delays: tuple[float, ...]
    """From each true onset of an instrument to the first hop that names it, in seconds, ascending; infinity where it
    is not named before it ends, 0 where it is named already, from before or by mistake."""
    told: int
    """Changes of the label that were told."""
    beyond: int
    """Those that were not the first to the true label in its stretch."""
    nobody: float
    """Seconds in which nobody is in front."""
    false: int
    """Changes to an instrument in them, but for the one that just was in front: that is late, and counted as beyond."""
    named: float
    """Seconds of them in which the label, false or held, is an instrument."""
    right: float
    """Seconds in which the label is the true one."""
    boundaries: int
    """True changes, to nobody included."""
    hits: tuple[int, ...]
    """How many true and told changes match one to one within each of `TOLERANCES` (mir_eval.util.match_events)."""
    pairwise: float
    """F-measure of frame pairs in one label, mean over programmes (mir_eval.segment.pairwise)."""
    calibration_error: float
    """Expected calibration error of the confidence, in 10 bins, over hops."""
    steady: SteadySolos

    @property
    def onsets(self) -> int:
        """How often an instrument begins."""
        return len(self.delays)

    @property
    def missed(self) -> int:
        """Onsets whose instrument was not named before it ended."""
        return sum(math.isinf(delay) for delay in self.delays)

    def delay(self, portion: float, *, missed: bool = True) -> float | None:
        """Within how many seconds a portion of the onsets is named.

        Parameters
        ----------
        portion : float
            0.5 for the median.
        missed : bool
            Whether missed onsets count, as infinitely late.

        Returns
        -------
        float or None
            The smallest delay that so many do not exceed; infinity when too many are missed, None without any onset.
        """
        delays = self.delays if missed else self.delays[: self.onsets - self.missed]
        return delays[max(0, math.ceil(portion * len(delays) - 1e-9) - 1)] if delays else None

    def figures(self) -> dict[str, Any]:
        """Plain numbers, as json takes them; an infinite delay is None."""
        return {
            "programmes": self.programmes,
            "seconds": round(self.seconds, 1),
            "onsets": self.onsets,
            "missed": self.missed,
            "median_delay": _rounded(self.delay(0.5)),
            "p90_delay": _rounded(self.delay(0.9)),
            "median_delay_of_caught": _rounded(self.delay(0.5, missed=False)),
            "p90_delay_of_caught": _rounded(self.delay(0.9, missed=False)),
            "changes_told": self.told,
            "changes_beyond": self.beyond,
            "changes_beyond_per_minute": _rounded(per_minute(self.beyond, self.seconds)),
            "nobody_seconds": round(self.nobody, 1),
            "false_labels": self.false,
            "false_labels_per_minute": _rounded(per_minute(self.false, self.nobody)),
            "nobody_named": _ratio(self.named, self.nobody),
            "right": _ratio(self.right, self.seconds),
            "boundaries": self.boundaries,
            "boundary_f": {
                f"{tolerance:g} s": _ratio(2 * hits, self.boundaries + self.told)
                for tolerance, hits in zip(TOLERANCES, self.hits, strict=True)
            },
            "pairwise_f": _rounded(self.pairwise),
            "calibration_error": _rounded(self.calibration_error),
            "steady": self.steady.figures(),
        }


def programme_table(programme_results: Sequence[ProgrammeResult]) -> str:
    """Markdown of some timings, a column for each."""
    columns = [_rows(timing) for timing in programme_results]
    return _markdown(programme_results, [(what, [column[what] for column in columns]) for what in columns[0]])


def programme_summary(programme_results: Sequence[ProgrammeResult]) -> str:
    """Markdown of what decides, a column for each of some timings."""
    return _markdown(programme_results, main_figures(programme_results))


def main_figures(programme_results: Sequence[ProgrammeResult]) -> list[tuple[str, list[str]]]:
    """Tell what decides, with counts, a cell for each of some timings: how late, how still, and how often false."""
    rows = [
        ("onsets of an instrument", [f"{timing.onsets} in {_minutes(timing.seconds)}" for timing in programme_results]),
        ("delay of its label, median", [duration(timing.delay(0.5)) for timing in programme_results]),
        ("delay of its label, 90 % of onsets", [duration(timing.delay(0.9)) for timing in programme_results]),
        ("missed", [f"{timing.missed} of {timing.onsets}" for timing in programme_results]),
        ("label changes per minute of steady solos", [_still(timing.steady) for timing in programme_results]),
        (
            "false labels per minute with nobody in front",
            [_rate(timing.false, timing.nobody) for timing in programme_results],
        ),
        (
            "label changes per minute beyond the true ones",
            [_rate(timing.beyond, timing.seconds) for timing in programme_results],
        ),
        ("time with the right label", [share(timing.right, timing.seconds) for timing in programme_results]),
    ]
    rows += [
        (
            f"boundaries within {tolerance:g} s, F-measure (mir_eval)",
            [
                f"{share(2 * timing.hits[number], timing.boundaries + timing.told)} "
                f"({timing.hits[number]} matched of {timing.boundaries} true, {timing.told} told)"
                for timing in programme_results
            ],
        )
        for number, tolerance in enumerate(TOLERANCES)
    ]
    rows.append(
        ("frame pairs, F-measure (mir_eval)", [f"{100 * timing.pairwise:.1f} %" for timing in programme_results])
    )
    return rows


def _markdown(programme_results: Sequence[ProgrammeResult], rows: Sequence[tuple[str, list[str]]]) -> str:
    lines = [
        ("figure", [timing.name for timing in programme_results]),
        ("---", ["---:"] * len(programme_results)),
        *rows,
    ]
    return "\n".join("| " + " | ".join([what, *cells]) + " |" for what, cells in lines)


def _still(steady: SteadySolos) -> str:
    return f"{_rate(steady.changes, steady.seconds)} of {steady.solos} solos" if steady.solos else "-"


def _rate(count: int, seconds: float) -> str:
    return f"{number(per_minute(count, seconds))} ({count} in {_minutes(seconds)})"


def _minutes(seconds: float) -> str:
    return f"{seconds / 60:.1f} min"


def _rows(timing: ProgrammeResult) -> dict[str, str]:
    steady = timing.steady
    found = ", ".join(
        f"{share(2 * hits, timing.boundaries + timing.told)} within {tolerance:g} s"
        for tolerance, hits in zip(TOLERANCES, timing.hits, strict=True)
    )
    return {
        "programmes, minutes": f"{timing.programmes}, {timing.seconds / 60:.1f}",
        "onsets of an instrument": str(timing.onsets),
        "delay of its label, median": duration(timing.delay(0.5)),
        "90 % of onsets": duration(timing.delay(0.9)),
        "missed": f"{timing.missed} ({share(timing.missed, timing.onsets)})",
        "median and 90 % of those not missed": (
            f"{duration(timing.delay(0.5, missed=False))}, {duration(timing.delay(0.9, missed=False))}"
        ),
        "label changes, beyond the true ones": f"{timing.told}, {timing.beyond}",
        "of these per minute": number(per_minute(timing.beyond, timing.seconds)),
        "minutes with nobody in front": f"{timing.nobody / 60:.1f}",
        "false labels there, per minute": f"{timing.false}, {number(per_minute(timing.false, timing.nobody))}",
        "share of them with a label": share(timing.named, timing.nobody),
        "time with the right label": share(timing.right, timing.seconds),
        "boundaries found, F-measure": found,
        "frame pairs, F-measure": f"{100 * timing.pairwise:.1f} %",
        "calibration error of the confidence": f"{100 * timing.calibration_error:.1f} %",
        "steady solos, minutes": f"{steady.solos}, {steady.seconds / 60:.1f}",
        "label changes in them, per minute": f"{steady.changes}, {number(steady.flicker)}",
        "time with the right label in them": share(steady.right, steady.seconds),
    }


def per_minute(count: float, seconds: float) -> float | None:
    """Rate of events; None in no time at all."""
    return 60 * count / seconds if seconds else None


def share(part: float, whole: float) -> str:
    """Write a part as per cent of the whole; a dash for a share of nothing."""
    return f"{100 * part / whole:.1f} %" if whole else "-"


def duration(value: float | None) -> str:
    """Write a delay in seconds; "missed" for one that never ends, a dash for None."""
    if value is None:
        return "-"
    return f"{value:.2f} s" if math.isfinite(value) else "missed"


def number(value: float | None) -> str:
    """Write a rate; a dash for None."""
    return "-" if value is None else f"{value:.2f}"


def _ratio(part: float, whole: float) -> float | None:
    return round(part / whole, 4) if whole else None


def _rounded(value: float | None) -> float | None:
    return round(value, 4) if value is not None and math.isfinite(value) else None
