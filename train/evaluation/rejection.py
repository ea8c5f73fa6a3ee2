"""Which clips pass as an instrument, and which are rejected as unknown, by one threshold or by the bundle's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from stream.recognition.bundle import Bundle
from train.evaluation.clip_metrics import Floats
from train.evaluation.clip_predictions import ClipPredictions
from train.evaluation.clip_result import percent
from train.evaluation.lineups import lineup_of, rule_of

ACCEPTED: Final = 0.9
"""Share of the instruments' clips that a threshold for all of them is to accept, at least."""

MOST_PROBABLE: Final = "the most probable instrument"
LINEUP: Final = "all of the line-up together"
"""What one threshold can be for: the largest probability of the line-up, or its sum, which is 1 - p(none of them)."""

_OWN: Final = "the thresholds of the bundle"


@dataclass(frozen=True, slots=True)
class Rejection:
    """What a rule lets pass as any instrument."""

    clips: str
    """What was judged."""
    rule: str
    solos: int
    """Clips of the bundle's instruments."""
    accepted: int
    """Those of them that pass as any."""
    unknown: int
    """Clips of everything else."""
    rejected: int
    """Those of them that do not pass."""
    rejected_at_accepted: int | None = None
    """Those of them that would not pass if the rule's threshold were chosen on these very clips, so that 9 in 10 of the
    instruments' pass; None for a rule without one threshold, or without such clips."""

    def figures(self) -> dict[str, Any]:
        """Plain numbers, as json takes them."""
        return {
            "clips": self.clips,
            "rule": self.rule,
            "instrument_clips": self.solos,
            "accepted": self.accepted,
            "unknown_clips": self.unknown,
            "rejected": self.rejected,
            "rejected_at_90_accepted": self.rejected_at_accepted,
        }


def acceptance_thresholds(
    bundle: Bundle, predictions: ClipPredictions, share: float = ACCEPTED
) -> dict[str, float] | None:
    """Choose one threshold for the most probable instrument, and one for the line-up's sum.

    Parameters
    ----------
    bundle : Bundle
    predictions : ClipPredictions
        Clips to choose them on.
    share : float
        Of the instruments' clips, to be accepted at least.

    Returns
    -------
    dict or None
        The highest ones, by `MOST_PROBABLE` and `LINEUP`; None without any clip of an instrument.
    """
    scores, solo = _scores(bundle, predictions)
    if not solo.any():
        return None
    return {rule: score_threshold(score[solo], share) for rule, score in scores.items()}


def count_rejections(
    name: str, bundle: Bundle, predictions: ClipPredictions, thresholds: Mapping[str, float]
) -> list[Rejection]:
    """Count what passes one threshold for all, and what passes the bundle's own, one for each instrument.

    Parameters
    ----------
    name : str
        What the clips are.
    bundle : Bundle
    predictions : ClipPredictions
        The clips; silent ones are left out.
    thresholds : mapping of str to float
        Those of `acceptance_thresholds`.

    Returns
    -------
    list of Rejection
        One for each threshold, and last the bundle's own rule.
    """
    scores, solo = _scores(bundle, predictions)
    solos, unknown = int(solo.sum()), int((~solo).sum())
    counted = []
    for what, threshold in thresholds.items():
        passing = scores[what] >= threshold
        here = scores[what] < score_threshold(scores[what][solo]) if solos else None
        counted.append(
            Rejection(
                name,
                f"one threshold for {what}, {threshold:.3f}",
                solos,
                int(passing[solo].sum()),
                unknown,
                int((~passing[~solo]).sum()),
                None if here is None else int(here[~solo].sum()),
            )
        )
    rule = rule_of(bundle)
    names = rule.names(predictions.within(lineup_of(bundle)).probabilities[~predictions.silent])
    passing = names < len(rule.thresholds)
    return [*counted, Rejection(name, _OWN, solos, int(passing[solo].sum()), unknown, int((~passing[~solo]).sum()))]


def score_threshold(scores: Floats, share: float = ACCEPTED) -> float:
    """Find the highest threshold that a share of scores [shape=(n,)], of one at least, reaches."""
    ascending = np.sort(scores)
    return float(ascending[int((1 - share) * len(ascending) + 1e-9)])


def rejection_table(rejections: Sequence[Rejection]) -> str:
    """Markdown, a row for each rule and set of clips."""
    lines = [
        "| clips | rule | instruments accepted | unknown rejected | rejected, by a threshold of these clips |",
        "| --- | --- | ---: | ---: | ---: |",
    ]
    for row in rejections:
        here = "" if row.rejected_at_accepted is None else share_of(row.rejected_at_accepted, row.unknown)
        accepted, rejected = share_of(row.accepted, row.solos), share_of(row.rejected, row.unknown)
        lines.append(f"| {row.clips} | {row.rule} | {accepted} | {rejected} | {here} |")
    return "\n".join(lines)


def share_of(part: int, whole: int) -> str:
    """Write a share as per cent, with its counts; a dash for a share of nothing."""
    return f"{percent(part / whole)} ({part} of {whole})" if whole else "-"


def _scores(bundle: Bundle, predictions: ClipPredictions) -> tuple[dict[str, Floats], npt.NDArray[np.bool_]]:
    """Scores of the clips that were judged, and which are of an instrument."""
    judged = np.flatnonzero(~predictions.silent)
    names = lineup_of(bundle)
    probable = predictions.within(names).probabilities[judged, : len(names)]
    solo = np.array([predictions.clips[at].label in names for at in judged], bool)
    return {MOST_PROBABLE: probable.max(axis=1), LINEUP: probable.sum(axis=1)}, solo
