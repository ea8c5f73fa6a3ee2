"""What each way of smoothing costs: delay against flicker, on programmes that a model has heard once."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

from stream.recognition.bundle import Bundle
from stream.recognition.smoothing import Smoother, Smoothing
from train.evaluation.programme_evaluation import score_programmes
from train.evaluation.programme_predictions import ProgrammePredictions, smooth_again
from train.evaluation.programme_result import ProgrammeResult, duration, number, per_minute, share

GRID: Final = tuple(
    itertools.starmap(
        Smoothing, itertools.product((0.2, 0.35, 0.5, 0.6, 0.8), (0.1, 0.2, 0.3), (0.3, 0.5), (0.4, 0.6, 0.8))
    )
)
"""Settings to try."""

MEDIAN: Final = 1.2
NINETY: Final = 2.0
FLICKER: Final = 1.0
"""What is aimed at: median delay and that of 90 %, in seconds; label changes per minute of a steady solo."""

_LATEST: Final = 10.0  # s: later, and never, are no worse, or whatever misses one in ten would be as bad as anything


@dataclass(frozen=True, slots=True)
class SmoothingResult:
    """One way of smoothing, and what comes of it."""

    smoothing: Smoothing
    timing: ProgrammeResult

    @property
    def shortfall(self) -> float:
        """By what share of each target it is missed, summed; 0 where all are met."""
        reached = (
            (self.timing.delay(0.5), MEDIAN),
            (self.timing.delay(0.9), NINETY),
            (self.timing.steady.flicker, FLICKER),
        )
        return sum(max(0.0, min(value, _LATEST) / target - 1) for value, target in reached if value is not None)

    def figures(self) -> dict[str, Any]:
        """Plain numbers, as json takes them."""
        return {**asdict(self.smoothing), "shortfall": round(self.shortfall, 4), **self.timing.figures()}


def compare_smoothings(
    bundle: Bundle,
    programmes: Sequence[ProgrammePredictions],
    solos: Sequence[ProgrammePredictions],
    grid: Sequence[Smoothing] = GRID,
) -> list[SmoothingResult]:
    """Smooth what was heard in every way of a grid.

    Parameters
    ----------
    bundle : Bundle
        Whose instruments and thresholds they are.
    programmes, solos : sequence of ProgrammePredictions
        What `train.evaluation.programme_predictions.predict_programmes` returned.
    grid : sequence of Smoothing

    Returns
    -------
    list of SmoothingResult
        The one nearest to the targets first; of those equally near, the one that is right for longer.
    """
    choices = []
    for smoothing in grid:
        smoother = Smoother(bundle.thresholds, smoothing, bundle.known)
        heard, still = (
            [smooth_again(prediction, bundle.instruments, smoother) for prediction in predictions]
            for predictions in (programmes, solos)
        )
        choices.append(SmoothingResult(smoothing, score_programmes("composed", heard, still)))
    return sorted(choices, key=lambda choice: (round(choice.shortfall, 3), -choice.timing.right))


def smoothing_table(choices: Sequence[SmoothingResult]) -> str:
    """Markdown of choices, a row for each; today's settings are marked."""
    lines = [
        "| time constant | lead | release | floor | median | 90 % | missed | beyond a minute | false a minute "
        "| nobody named | right | calibration error | steady changes a minute | shortfall |",
        "| ---: |" + " ---: |" * 13,
    ]
    for choice in choices:
        smoothing, timing = choice.smoothing, choice.timing
        cells = [
            f"{smoothing.time_constant:g} s" + (" (today)" if smoothing == Smoothing() else ""),
            f"{smoothing.lead:g}",
            f"{smoothing.release:g}",
            f"{smoothing.floor:g}",
            duration(timing.delay(0.5)),
            duration(timing.delay(0.9)),
            share(timing.missed, timing.onsets),
            number(per_minute(timing.beyond, timing.seconds)),
            number(per_minute(timing.false, timing.nobody)),
            share(timing.named, timing.nobody),
            share(timing.right, timing.seconds),
            f"{100 * timing.calibration_error:.1f} %",
            number(timing.steady.flicker),
            number(choice.shortfall),
        ]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)
