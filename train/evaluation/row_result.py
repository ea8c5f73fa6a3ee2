"""How a model follows rows of real recordings: when it is right, how late, how often it names what is none of them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from train.evaluation.programme_result import duration, number, per_minute, share

SETTLED: Final = 2.0
"""Seconds after a change from which on the name should be right."""

_TOLD: Final = 3  # names that one kind of sound is taken for

ROWS_EXPLAINED: Final = (
    f"Right is the share of the players' time, from {SETTLED:g} s after each beginning on, with the right name. The "
    "delay is from a player's beginning to the first hop that names the instrument; one that is never named counts as "
    "infinitely late. A change of mind is any change of what is told but the first to the truth. A name is false that "
    "is told while what sounds is none of them, but for that of the player just before, which is late."
)


@dataclass(frozen=True, slots=True)
class OfPlayers:
    """What is told of the players of one instrument."""

    players: int
    never: int
    """Players that are never named."""
    settled: float
    """Seconds, from 2 s after each beginning on."""
    right: float
    """Seconds of them with the right name."""


@dataclass(frozen=True, slots=True)
class OfNone:
    """What is told of one kind of sound that is none of the names."""

    seconds: float
    named: float
    """Seconds of them with any name."""
    names: tuple[tuple[str, float], ...]
    """Which, with their seconds, the most frequent first."""


@dataclass(frozen=True, slots=True)
class RowResult:
    """Figures of rows; all is counted from the first full window on."""

    name: str
    rows: int
    seconds: float
    delays: tuple[float, ...]
    """Of every player, ascending; infinity where it is never named."""
    changes: int
    """Changes of what is told that are not the first to the truth of a stretch."""
    false: int
    """Changes to a name while what sounds is none of the names; silence is no sound."""
    by_player: tuple[tuple[str, OfPlayers], ...]
    """By instrument, in alphabetical order."""
    by_none: tuple[tuple[str, OfNone], ...]
    """By what sounds, in alphabetical order."""

    @property
    def settled(self) -> float:
        """Seconds of players, from 2 s after each beginning on."""
        return sum(found.settled for _, found in self.by_player)

    @property
    def right(self) -> float:
        """Seconds of these with the right name."""
        return sum(found.right for _, found in self.by_player)

    @property
    def none(self) -> float:
        """Seconds of what is none of the names."""
        return sum(found.seconds for _, found in self.by_none)

    @property
    def none_named(self) -> float:
        """Seconds of these with a name, false or held."""
        return sum(found.named for _, found in self.by_none)

    @property
    def players(self) -> int:
        """How many play."""
        return len(self.delays)

    @property
    def never(self) -> int:
        """How many of them are never named."""
        return sum(math.isinf(delay) for delay in self.delays)

    def delay(self, portion: float) -> float | None:
        """Within how many seconds a portion of the players is named; infinity where too many never are."""
        at = max(0, math.ceil(portion * len(self.delays) - 1e-9) - 1)
        return self.delays[at] if self.delays else None

    def figures(self) -> dict[str, Any]:
        """Plain numbers, as json takes them; an infinite delay is None."""
        late = self.delay(0.9)
        return {
            "rows": self.rows,
            "seconds": round(self.seconds, 1),
            "players": self.players,
            "right_after_2_s": _ratio(self.right, self.settled),
            "p90_delay": round(late, 3) if late is not None and math.isfinite(late) else None,
            "never_named": self.never,
            "changes": self.changes,
            "changes_per_minute": _rounded(per_minute(self.changes, self.seconds)),
            "none_seconds": round(self.none, 1),
            "false_names": self.false,
            "false_names_per_minute": _rounded(per_minute(self.false, self.none)),
            "none_named": _ratio(self.none_named, self.none),
            "by_none": {
                kind: {
                    "seconds": round(found.seconds, 1),
                    "named": _ratio(found.named, found.seconds),
                    "names": {name: round(seconds, 1) for name, seconds in found.names},
                }
                for kind, found in self.by_none
            },
            "by_player": {
                label: {
                    "players": found.players,
                    "never_named": found.never,
                    "seconds": round(found.settled, 1),
                    "right_after_2_s": _ratio(found.right, found.settled),
                }
                for label, found in self.by_player
            },
        }


def row_table(results: Sequence[RowResult]) -> str:
    """Markdown of what decides, a column for each of some results."""
    rows = row_figures(results)
    lines = [("figure", [result.name for result in results]), ("---", ["---:"] * len(results)), *rows]
    return "\n".join("| " + " | ".join([what, *cells]) + " |" for what, cells in lines)


def row_figures(results: Sequence[RowResult]) -> list[tuple[str, list[str]]]:
    """Tell what decides, with counts, a cell for each of some results."""
    return [
        (
            "players, minutes",
            [f"{each.players} in {each.rows} rows, {each.seconds / 60:.1f}" for each in results],
        ),
        (f"right {SETTLED:g} s after a change on", [share(result.right, result.settled) for result in results]),
        ("delay of 90 % of the players", [duration(result.delay(0.9)) for result in results]),
        ("never named", [f"{result.never} of {result.players}" for result in results]),
        ("changes of mind a minute", [_rate(result.changes, result.seconds) for result in results]),
        ("false names a minute on what is none", [_rate(result.false, result.none) for result in results]),
        ("time with a name on what is none", [share(result.none_named, result.none) for result in results]),
    ]


def detail_table(result: RowResult) -> str:
    """Markdown of one result by what plays: who is named when, and what else is taken for whom."""
    lines = [
        "| who plays | players | never named | right |",
        "| --- | ---: | ---: | ---: |",
        *(
            f"| {label} | {found.players} | {found.never} | {share(found.right, found.settled)} |"
            for label, found in result.by_player
        ),
        "",
        "| none of them | seconds | with a name | taken for |",
        "| --- | ---: | ---: | --- |",
    ]
    for kind, found in result.by_none:
        names = ", ".join(f"{name} {share(seconds, found.seconds)}" for name, seconds in found.names[:_TOLD])
        lines.append(f"| {kind} | {found.seconds:.0f} | {share(found.named, found.seconds)} | {names or '-'} |")
    return "\n".join(lines)


def _rate(count: int, seconds: float) -> str:
    return f"{number(per_minute(count, seconds))} ({count} in {seconds / 60:.1f} min)"


def _ratio(part: float, whole: float) -> float | None:
    return round(part / whole, 4) if whole else None


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 3)
