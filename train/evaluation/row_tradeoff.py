"""What each way of smoothing costs on rows of real recordings that a model has heard once."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

from stream.recognition.bundle import Bundle
from stream.recognition.smoothing import Smoother, Smoothing
from train.evaluation.programme_predictions import ProgrammePredictions, smooth_again
from train.evaluation.programme_result import duration, number, per_minute, share
from train.evaluation.row_evaluation import score_rows
from train.evaluation.row_result import SETTLED, RowResult

GRID: Final = tuple(
    itertools.starmap(
        Smoothing,
        itertools.product((0.1, 0.2, 0.35, 0.6, 0.9), (0.05, 0.1, 0.2, 0.3), (0.1, 0.3, 0.5), (0.4, 0.6, 0.8, 1.0)),
    )
)
"""Settings to try."""

WRONG: Final = 0.12
LATE: Final = 4.0
NEVER: Final = 0.04
CHANGES: Final = 3.0
FALSE: Final = 2.0
"""What is aimed at: share of the players' time, from 2 s on, without the right name; delay of 90 % in seconds; share of
players never named; changes of mind a minute; false names a minute on what is none."""

_LATEST: Final = 10.0  # s: later, and never, are no worse, or whoever misses one in ten could not be compared
_SHOWN: Final = 15


@dataclass(frozen=True, slots=True)
class RowChoice:
    """One way of smoothing, and what comes of it on rows of held-out recordings and of those trained on."""

    smoothing: Smoothing
    held_out: RowResult
    trained_on: RowResult

    @property
    def cost(self) -> float:
        """What it costs on the held-out rows: each figure by what is aimed at, summed; 5 where all are just reached."""
        return _cost(self.held_out)

    def figures(self) -> dict[str, Any]:
        """Plain numbers, as json takes them."""
        return {
            "smoothing": asdict(self.smoothing),
            "cost": round(self.cost, 4),
            "held_out": self.held_out.figures(),
            "trained_on": self.trained_on.figures(),
        }


def tune_on_rows(
    bundle: Bundle,
    held_out: Sequence[ProgrammePredictions],
    trained_on: Sequence[ProgrammePredictions],
    grid: Sequence[Smoothing] = GRID,
) -> list[RowChoice]:
    """Smooth what was heard in every way of a grid, and in today's.

    Parameters
    ----------
    bundle : Bundle
        Whose instruments and thresholds they are.
    held_out, trained_on : sequence of ProgrammePredictions
        What `train.evaluation.heard_rows.hear_rows` returned of rows of either side.
    grid : sequence of Smoothing

    Returns
    -------
    list of RowChoice
        The one that costs least on the held-out rows first.
    """
    choices = []
    for smoothing in dict.fromkeys((*grid, _todays(bundle))):
        smoother = Smoother(bundle.thresholds, smoothing)
        results = [
            score_rows(name, [smooth_again(row, bundle.instruments, smoother) for row in rows])
            for name, rows in (("held out", held_out), ("trained on", trained_on))
        ]
        choices.append(RowChoice(smoothing, *results))
    return sorted(choices, key=lambda choice: choice.cost)


def tradeoff_table(bundle: Bundle, choices: Sequence[RowChoice], shown: int = _SHOWN) -> str:
    """Markdown of the choices that cost least, and of today's, with the figures of the other rows in brackets."""
    today = _todays(bundle)
    names = list(asdict(today))
    heads = [
        *(name.replace("_", " ") for name in names),
        *(f"right {SETTLED:g} s on", "90 % of players", "never named", "changes a minute", "false a minute"),
        *("none with a name", "cost"),
    ]
    lines = ["| " + " | ".join(heads) + " |", "|" + " ---: |" * len(heads)]
    for at, choice in enumerate(choices):
        if at < shown or choice.smoothing == today:
            cells = [f"{value:g}" for value in asdict(choice.smoothing).values()]
            cells[0] += " (today)" * (choice.smoothing == today)
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
    )


def _todays(bundle: Bundle) -> Smoothing:
    """Return the smoothing that a bundle has today."""
    return Smoothing()
