"""Networks of others on the same clips, and how they are scored."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("pedalboard", reason="needs the train extra")

from train.datasets.clips import Clip
from train.datasets.labels import INSTRUMENTS
from train.evaluation.clip_predictions import ClipPredictions
from train.evaluation.peers import peer_table, score_peer
from train.evaluation.rejection import LINEUP, MOST_PROBABLE


def test_peers_are_scored_alike() -> None:
    """Class average and worst class of the eight, and what a threshold rejects that 9 in 10 of them pass."""
    rows = np.full((5, len(INSTRUMENTS)), 0.01)
    labels = ("flute", "flute", "violin", "cello", "crowd")
    for at, (name, score) in enumerate(
        (("flute", 0.9), ("violin", 0.5), ("violin", 0.6), ("violin", 0.55), ("flute", 0.2))
    ):
        rows[at, INSTRUMENTS.index(name)] = score
    clips = tuple(Clip(label, label, "test", "", "", None, at) for at, label in enumerate(labels))
    result = score_peer("somebody", ClipPredictions(INSTRUMENTS, clips, rows, np.zeros(5, bool), ()))
    assert (result.right, result.solos, result.unknown) == (2, 3, 2)
    assert result.average == 0.75
    assert result.worst == "flute, 50.0 % of 2"
    assert result.rejected == {MOST_PROBABLE: 1, LINEUP: 1}
    assert "| somebody | 75.0 % (2 of 3) | flute, 50.0 % of 2 | 50.0 % (1 of 2) |" in peer_table("clips", [result])
