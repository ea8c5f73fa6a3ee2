"""Measuring a bundle as it is served: on the clips of a data set, on the real validation clips, on the demo."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from stream.recognition.bundle import UNKNOWN, Bundle
from train.datasets.clips import Clip, Dataset
from train.evaluation.clip_predictions import ClipPredictions, predict_clips
from train.evaluation.clip_result import ClipResult, score_clips
from train.evaluation.lineups import lineup_of, rule_of


def evaluate_clips(
    name: str, bundle: Bundle, dataset: Dataset, clips: Sequence[Clip], processes: int = 1
) -> tuple[ClipResult, ClipPredictions]:
    """Let the service's recognizer hear clips, and score what it says.

    Parameters
    ----------
    name : str
        What the clips are.
    bundle, dataset, clips, processes
        As for `train.evaluation.clip_predictions.predict_clips`.

    Returns
    -------
    result : ClipResult
        The figures; silent and unreadable clips are counted, but in none of them.
    predictions : ClipPredictions
        What the figures are of.
    """
    predictions = predict_clips(bundle, dataset, clips, processes)
    return score_predictions(name, bundle, predictions), predictions


def score_predictions(name: str, bundle: Bundle, predictions: ClipPredictions) -> ClipResult:
    """Score what the service said of clips, its silent and unreadable ones aside, as the names of its line-up."""
    judged = np.flatnonzero(~predictions.silent)
    lineup = lineup_of(bundle)
    return score_clips(
        name,
        lineup,
        [predictions.clips[at].label for at in judged],
        predictions.within(lineup).probabilities[judged],
        rule_of(bundle),
        silent=int(predictions.silent.sum()),
        skipped=len(predictions.skipped),
    )


@dataclass(frozen=True, slots=True)
class Mistake:
    """A clip that the model is wrong about."""

    clip: Clip
    guess: str
    """The most probable label."""
    probability: float


def find_mistakes(predictions: ClipPredictions) -> list[Mistake]:
    """Clips whose most probable label is wrong, the surest first.

    A label that the model does not know is right when it is taken for `unknown`, and wrong as any instrument.
    """
    found = []
    for clip, row, silent in zip(predictions.clips, predictions.probabilities, predictions.silent, strict=True):
        guess = predictions.labels[int(row.argmax())]
        truth = clip.label if clip.label in predictions.labels else UNKNOWN
        if guess != truth and not silent:
            found.append(Mistake(clip, guess, float(row.max())))
    return sorted(found, key=lambda mistake: -mistake.probability)
