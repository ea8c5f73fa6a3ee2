"""What passes as an instrument, by one threshold for the most probable one, by one for the line-up, by the bundle's."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("tqdm", reason="needs the train extra")

from stream.recognition import bundle as bundles
from train.datasets.clips import Clip
from train.evaluation.clip_metrics import Calibration
from train.evaluation.clip_predictions import ClipPredictions
from train.evaluation.rejection import LINEUP, MOST_PROBABLE, Rejection, acceptance_thresholds, count_rejections


def predictions(bundle: bundles.Bundle, best: list[float], second: list[float], solos: int) -> ClipPredictions:
    """Return clips with two probabilities above zero, the first ones of instruments, the last one silent."""
    count = len(bundle.instruments)
    rows = np.zeros((len(best), count + 1))
    for at, (one, other) in enumerate(zip(best, second, strict=True)):
        rows[at, [at % count, (at + 1) % count]] = one, other
    rows[:, count] = 1 - rows.sum(axis=1)
    labels = [bundle.instruments[at % count] if at < solos else "unknown" for at in range(len(best))]
    clips = tuple(Clip(label, label, "validation", "", "", None, at) for at, label in enumerate(labels))
    silent = np.arange(len(best)) == len(best) - 1
    return ClipPredictions((*bundle.instruments, "unknown"), clips, rows, silent, ())


def test_thresholds_accept_nine_in_ten() -> None:
    """They are the highest that 9 of 10 clips of instruments reach; counts are as by hand, silence aside."""
    bundle = bundles.load("residual")
    best = [0.9, 0.8, 0.7, 0.6, 0.5, 0.55, 0.85, 0.75, 0.45, 0.3, 0.5, 0.2, 0.0]
    second = [0.1, 0.1, 0.1, 0.3, 0.4, 0.4, 0.1, 0.2, 0.45, 0.3, 0.05, 0.2, 0.0]
    heard = predictions(bundle, best, second, 10)
    thresholds = acceptance_thresholds(bundle, heard)
    assert thresholds == {MOST_PROBABLE: 0.45, LINEUP: pytest.approx(0.8)}
    one, together, own = count_rejections("twelve", bundle, heard, thresholds)
    # A clip of nothing has one name with 0.5, and what is left goes elsewhere: the sum rejects it, the best does not.
    assert one == Rejection("twelve", "one threshold for the most probable instrument, 0.450", 10, 9, 2, 1, 1)
    assert together == Rejection("twelve", "one threshold for all of the line-up together, 0.800", 10, 9, 2, 2, 2)
    names = Calibration(bundle.temperature, bundle.thresholds).names(heard.probabilities[:12])
    accepted, rejected = np.sum(names[:10] < len(bundle.instruments)), np.sum(names[10:] == len(bundle.instruments))
    assert (own.accepted, own.rejected, own.rejected_at_accepted) == (accepted, rejected, None)


def test_threshold_of_other_clips_is_told_apart_from_that_of_these() -> None:
    """With a threshold from elsewhere, the last count is still that of a threshold chosen on these clips."""
    bundle = bundles.load("residual")
    heard = predictions(bundle, [0.9, 0.8, 0.7, 0.1], [0.0] * 4, 2)
    one, together, _ = count_rejections("three", bundle, heard, {MOST_PROBABLE: 0.5, LINEUP: 0.95})
    assert (one.accepted, one.rejected, one.rejected_at_accepted) == (2, 0, 1)
    assert (together.accepted, together.rejected, together.rejected_at_accepted) == (0, 1, 1)


def test_no_threshold_without_instruments() -> None:
    """Where no clip is of an instrument there is nothing to accept."""
    bundle = bundles.load("residual")
    assert acceptance_thresholds(bundle, predictions(bundle, [0.5, 0.2, 0.0], [0.0] * 3, 0)) is None
