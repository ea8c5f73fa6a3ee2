"""Scores of what was heard of programmes, against who really played when."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Final

import mir_eval
import numpy as np
import numpy.typing as npt

from stream.recognition.bundle import Bundle
from train.compose.programmes import NOBODY, Interval, Programmes
from train.evaluation.programme_predictions import NO_INSTRUMENT, ProgrammePredictions, predict_programmes
from train.evaluation.programme_result import TOLERANCES, ProgrammeResult, SteadySolos

_FRAME: Final = 0.1  # s, of the pairs that segments are compared by
_BINS: Final = 10  # of the confidence


def evaluate_programmes(
    name: str, bundle: Bundle, programmes: Programmes, count: int, solos: int, processes: int = 1, *, first: int = 0
) -> ProgrammeResult:
    """Let the service's recognizer hear programmes, and score what it tells.

    Parameters
    ----------
    name : str
        What the programmes are.
    bundle, programmes, count, solos, processes, first
        As for `train.evaluation.programme_predictions.predict_programmes`.
    """
    return score_programmes(name, *predict_programmes(bundle, programmes, count, solos, processes, first=first))


def score_programmes(
    name: str, programmes: Sequence[ProgrammePredictions], solos: Sequence[ProgrammePredictions] = ()
) -> ProgrammeResult:
    """Score what was heard.

    Parameters
    ----------
    name : str
        What the programmes are.
    programmes : sequence of ProgrammePredictions
        At least one.
    solos : sequence of ProgrammePredictions
        Of one player each.

    Returns
    -------
    ProgrammeResult
    """
    pairs = [(true_stretches(prediction), told_stretches(prediction)) for prediction in programmes]
    overlaps = list(itertools.chain.from_iterable(_overlaps(*pair) for pair in pairs))
    return ProgrammeResult(
        name=name,
        programmes=len(programmes),
        seconds=sum(seconds for _, _, seconds in overlaps),
        delays=tuple(sorted(itertools.chain.from_iterable(naming_delays(*pair) for pair in pairs))),
        told=sum(len(told) - 1 for _, told in pairs),
        beyond=sum(changes_beyond(*pair) for pair in pairs),
        nobody=sum(seconds for true, _, seconds in overlaps if true == NO_INSTRUMENT),
        false=sum(_false(*pair) for pair in pairs),
        named=sum(seconds for true, label, seconds in overlaps if true == NO_INSTRUMENT != label),
        right=sum(seconds for true, label, seconds in overlaps if true == label),
        boundaries=sum(len(truth) - 1 for truth, _ in pairs),
        hits=tuple(sum(_hits(*pair, tolerance) for pair in pairs) for tolerance in TOLERANCES),
        pairwise=float(np.mean([_pairwise(*pair) for pair in pairs])),
        calibration_error=_calibration_error(programmes),
        steady=_steady(solos),
    )


def true_stretches(prediction: ProgrammePredictions) -> list[Interval]:
    """Merge what is true from the first hop on."""
    start = float(prediction.times[0])
    stretches = [
        Interval(max(true.start, start), true.end, NO_INSTRUMENT if true.label in NOBODY else true.label)
        for true in prediction.truth
        if true.end > start
    ]
    return _merged(stretches)


def told_stretches(prediction: ProgrammePredictions) -> list[Interval]:
    """Stretches that were told: a label holds from the hop that tells it to the next one."""
    ends = [*prediction.times[1:].tolist(), prediction.truth[-1].end]
    hops = zip(prediction.times.tolist(), ends, prediction.names, strict=True)
    return _merged([Interval(*hop) for hop in hops if hop[0] < hop[1]])


def _merged(stretches: list[Interval]) -> list[Interval]:
    runs = [list(run) for _, run in itertools.groupby(stretches, key=lambda stretch: stretch.label)]
    return [Interval(run[0].start, run[-1].end, run[0].label) for run in runs]


def naming_delays(truth: list[Interval], told: list[Interval]) -> list[float]:
    """How late each instrument but one that plays from the beginning is named; infinity where it is missed."""
    delays = []
    for true in truth[1:]:
        if true.label != NO_INSTRUMENT:
            hits = (s for s in told if s.label == true.label and s.end > true.start and s.start < true.end)
            first = next(hits, None)
            delays.append(math.inf if first is None else max(0.0, first.start - true.start))
    return delays


def changes_beyond(truth: list[Interval], told: list[Interval]) -> int:
    """Count changes that are not the first to the true label of a stretch."""
    arrived: set[int] = set()
    beyond = 0
    for stretch in told[1:]:
        at = stretch_at(truth, stretch.start)
        if truth[at].label == stretch.label and at not in arrived:
            arrived.add(at)
        else:
            beyond += 1
    return beyond


def _false(truth: list[Interval], told: list[Interval]) -> int:
    """Count changes to an instrument while nobody is in front, but for the one that just was: that is late."""
    false = 0
    for stretch in told[1:]:
        at = stretch_at(truth, stretch.start)
        late = at > 0 and truth[at - 1].label == stretch.label
        false += stretch.label != NO_INSTRUMENT == truth[at].label and not late
    return false


def stretch_at(truth: list[Interval], time: float) -> int:
    """Which stretch a time is in."""
    return next(number for number, true in enumerate(truth) if time < true.end)


def _overlaps(truth: list[Interval], told: list[Interval]) -> list[tuple[str, str, float]]:
    """List true label, told label and seconds of every stretch in which neither changes."""
    intervals, true, labels = mir_eval.util.merge_labeled_intervals(*_labelled(truth), *_labelled(told))
    return list(zip(true, labels, np.diff(intervals, axis=1)[:, 0].tolist(), strict=True))


def _hits(truth: list[Interval], told: list[Interval], tolerance: float) -> int:
    """Boundaries that can be matched one to one."""
    boundaries = [np.array([stretch.start for stretch in stretches[1:]]) for stretches in (truth, told)]
    return len(mir_eval.util.match_events(*boundaries, tolerance))


def _pairwise(truth: list[Interval], told: list[Interval]) -> float:
    """F-measure over pairs of frames: whether they are in one label."""
    start = truth[0].start
    reference, estimate = ((intervals - start, labels) for intervals, labels in (_labelled(truth), _labelled(told)))
    return float(mir_eval.segment.pairwise(*reference, *estimate, frame_size=_FRAME)[2])


def _labelled(stretches: list[Interval]) -> tuple[npt.NDArray[np.float64], list[str]]:
    return np.array([[s.start, s.end] for s in stretches]), [s.label for s in stretches]


def _steady(solos: Sequence[ProgrammePredictions]) -> SteadySolos:
    changes = 0
    seconds = right = 0.0
    for prediction in solos:
        told = told_stretches(prediction)
        while told and told[0].label == NO_INSTRUMENT:  # to wait for the first name is no flicker
            del told[0]
        changes += max(0, len(told) - 1)
        seconds += sum(stretch.end - stretch.start for stretch in told)
        right += sum(stretch.end - stretch.start for stretch in told if stretch.label == prediction.truth[0].label)
    return SteadySolos(len(solos), seconds, changes, right)


def _calibration_error(programmes: Sequence[ProgrammePredictions]) -> float:
    """Compute the expected calibration error of the confidences, hop by hop."""
    confidence = np.concatenate([prediction.confidences for prediction in programmes])
    right = np.array(
        [
            truth[stretch_at(truth, min(time, truth[-1].end - 1e-9))].label == name
            for prediction in programmes
            for truth in [true_stretches(prediction)]
            for time, name in zip(prediction.times.tolist(), prediction.names, strict=True)
        ]
    )
    bins = np.minimum((confidence * _BINS).astype(int), _BINS - 1)
    gaps = [abs(float(np.sum(confidence[bins == b] - right[bins == b]))) for b in np.unique(bins)]
    return sum(gaps) / len(confidence)
