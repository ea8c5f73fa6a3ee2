"""What each way of smoothing costs on rows of real recordings that a model has heard once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Final

from stream.recognition.bundle import Bundle
from stream.recognition.smoothing import Smoother, Smoothing
from train.evaluation.programme_predictions import ProgrammePredictions, smooth_again
from train.evaluation.programme_result import duration, number, per_minute, share
from train.evaluation.row_evaluation import score_rows
from train.evaluation.row_result import SETTLED, RowResult

GRID: Final[dict[str, tuple[float, ...]]] = {
    "time_constant": (0.1, 0.2, 0.35, 0.6, 0.9, 1.3),
    "lead": (0.05, 0.1, 0.15, 0.2, 0.3),
    "release": (0.0, 0.1, 0.3, 0.5, 0.7),
    "floor": (0.6, 0.8, 1.0),  # less would show a name that next to nothing speaks for
    "known": (0.0, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8),
    "known_floor": (0.5, 0.7, 0.85, 1.0),
}
"""Values to try: of the smoothing, and of what the line-up must sum to."""

_ROUNDS: Final = 3  # times that every setting is tried in turn, from the best of all before

WRONG: Final = 0.12
LATE: Final = 4.0
NEVER: Final = 0.04
CHANGES: Final = 3.0
FALSE: Final = 2.0
NAMED: Final = 0.25
"""What is aimed at: share of the players' time, from 2 s on, without the right name; delay of 90 % in seconds; share of
players never named; changes of mind a minute; false names a minute on what is none, and the share of it with a name."""

_LATEST: Final = 10.0  # s: later, and never, are no worse, or whoever misses one in ten could not be compared
_SHOWN: Final = 15


@dataclass(frozen=True, slots=True)
class RowChoice:
    """One way of smoothing, and what comes of it on rows of held-out recordings and of those trained on."""

    smoothing: Smoothing
    known: float
    """What the line-up must sum to for one of it to be named."""
    held_out: RowResult
    trained_on: RowResult

    @property
    def cost(self) -> float:
        """What it costs on the held-out rows: each figure by what is aimed at, summed; 6 where all are just reached."""
        return _cost(self.held_out)

    def figures(self) -> dict[str, Any]:
        """Plain numbers, as json takes them."""
        return {
            "smoothing": asdict(self.smoothing),
            "known": self.known,
            "cost": round(self.cost, 4),
            "held_out": self.held_out.figures(),
            "trained_on": self.trained_on.figures(),
        }


def tune_on_rows(
    bundle: Bundle,
    held_out: Sequence[ProgrammePredictions],
    trained_on: Sequence[ProgrammePredictions],
    grid: Mapping[str, Sequence[float]] = GRID,
) -> list[RowChoice]:
    """Try one setting after the other, from today's on, each from what has cost least so far.

    Parameters
    ----------
    bundle : Bundle
        Whose instruments and thresholds they are, and whose smoothing is today's.
    held_out, trained_on : sequence of ProgrammePredictions
        What `train.evaluation.heard_rows.hear_rows` returned of rows of either side.
    grid : mapping of str to sequence of float
        Values to try, by the settings' names.

    Returns
    -------
    list of RowChoice
        All that were tried, the one that costs least on the held-out rows first.
    """
    tried: dict[tuple[Smoothing, float], RowChoice] = {}

    def cost(smoothing: Smoothing, known: float) -> float:
        if (smoothing, known) not in tried:
            smoother = Smoother(bundle.thresholds, smoothing, known)
            results = [
                score_rows(name, [smooth_again(row, bundle.instruments, smoother) for row in rows])
                for name, rows in (("held out", held_out), ("trained on", trained_on))
            ]
            tried[smoothing, known] = RowChoice(smoothing, known, *results)
        return tried[smoothing, known].cost

    best = bundle.smoothing, bundle.known
    for _ in range(_ROUNDS):
        before = best
        for name, values in grid.items():
            changed = [
                (best[0], value) if name == "known" else (replace(best[0], **{name: value}), best[1])
                for value in values
            ]
            best = min((best, *changed), key=lambda choice: cost(*choice))
        if best == before:
            break
    return sorted(tried.values(), key=lambda choice: choice.cost)


def tradeoff_table(bundle: Bundle, choices: Sequence[RowChoice], shown: int = _SHOWN) -> str:
    """Markdown of the choices that cost least, and of today's, with the figures of the other rows in brackets."""
    today = bundle.smoothing, bundle.known
    heads = [
        *(name.replace("_", " ") for name in (*asdict(bundle.smoothing), "known")),
        *(f"right {SETTLED:g} s on", "90 % of players", "never named", "changes a minute", "false a minute"),
        *("none with a name", "cost"),
    ]
    lines = ["| " + " | ".join(heads) + " |", "|" + " ---: |" * len(heads)]
    told: set[tuple[RowResult, RowResult]] = set()
    for choice in choices:
        now = (choice.smoothing, choice.known) == today
        alike = choice.held_out, choice.trained_on
        if now or (len(told) < shown and alike not in told):
            told.add(alike)
            cells = [f"{value:g}" for value in (*asdict(choice.smoothing).values(), choice.known)]
            cells[0] += " (today)" * now
            held_out, trained_on = _cells(choice.held_out), _cells(choice.trained_on)
            cells += [f"{one} ({other})" for one, other in zip(held_out, trained_on, strict=True)]
            lines.append("| " + " | ".join([*cells, f"{choice.cost:.2f}"]) + " |")
    return "\n".join(lines)


def _cells(result: RowResult) -> list[str]:
    return [
        share(result.right, result.settled),
        duration(result.delay(0.9)),
        str(result.never),
        number(per_minute(result.changes, result.seconds)),
        number(per_minute(result.false, result.none)),
        share(result.none_named, result.none),
    ]


def _cost(result: RowResult) -> float:
    late = result.delay(0.9)
    return (
        (1 - result.right / result.settled if result.settled else 1.0) / WRONG
        + min(_LATEST if late is None else late, _LATEST) / LATE
        + result.never / max(1, result.players) / NEVER
        + (per_minute(result.changes, result.seconds) or 0.0) / CHANGES
        + (per_minute(result.false, result.none) or 0.0) / FALSE
        + (result.none_named / result.none if result.none else 0.0) / NAMED
    )
