"""Which clips pass as an instrument, and which are rejected as unknown, by one threshold or by the bundle's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from stream.recognition.bundle import Bundle
from train.evaluation.clip_metrics import Calibration, Floats
from train.evaluation.clip_predictions import ClipPredictions

ACCEPTED: Final = 0.9
"""Share of the instruments' clips that a threshold for all of them is to accept, at least."""


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

    def figures(self) -> dict[str, Any]:
        """Plain numbers, as json takes them."""
        return {
            "clips": self.clips,
            "rule": self.rule,
            "instrument_clips": self.solos,
            "accepted": self.accepted,
            "unknown_clips": self.unknown,
            "rejected": self.rejected,
        }


def acceptance_threshold(bundle: Bundle, predictions: ClipPredictions, share: float = ACCEPTED) -> float | None:
    """Choose one threshold for the most probable instrument, whichever it is.

    Parameters
    ----------
    bundle : Bundle
    predictions : ClipPredictions
        Clips to choose it on.
    share : float
        Of the instruments' clips, to be accepted at least.

    Returns
    -------
    float or None
        The highest one; None without any clip of an instrument.
    """
    best, solo = _bests(bundle, predictions)
    ascending = np.sort(best[solo])
    return float(ascending[int((1 - share) * len(ascending) + 1e-9)]) if len(ascending) else None


def count_rejections(
    name: str, bundle: Bundle, predictions: ClipPredictions, threshold: float
) -> tuple[Rejection, Rejection]:
    """Count what passes one threshold for all, and what passes the bundle's own, one for each instrument.

    Parameters
    ----------
    name : str
        What the clips are.
    bundle : Bundle
    predictions : ClipPredictions
        The clips; silent ones are left out.
    threshold : float
        That of `acceptance_threshold`.
    """
    best, solo = _bests(bundle, predictions)
    names = Calibration(bundle.temperature, bundle.thresholds).names(predictions.probabilities[~predictions.silent])
    rules = {
        f"one threshold, {threshold:.3f}": best >= threshold,
        "the thresholds of the bundle": names < len(bundle.instruments),
    }
    solos, unknown = int(solo.sum()), int((~solo).sum())
    one, own = (
        Rejection(name, rule, solos, int(passing[solo].sum()), unknown, int((~passing[~solo]).sum()))
        for rule, passing in rules.items()
    )
    return one, own


def _bests(bundle: Bundle, predictions: ClipPredictions) -> tuple[Floats, npt.NDArray[np.bool_]]:
    """Probability of the most probable instrument of the clips that were judged, and which are of an instrument."""
    judged = np.flatnonzero(~predictions.silent)
    best = predictions.probabilities[judged, : len(bundle.instruments)].max(axis=1)
    return best, np.array([predictions.clips[at].label in bundle.instruments for at in judged], bool)
