"""Networks of others on the same clips: YAMNet, and the pretrained network by its own tags, neither trained here."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from stream.recognition.mel_128 import window_features
from train.datasets.clips import Array, Clip, Dataset
from train.datasets.labels import ALL_LABELS, INSTRUMENTS
from train.evaluation.clip_metrics import class_average
from train.evaluation.clip_predictions import ClipPredictions
from train.evaluation.clip_result import percent
from train.evaluation.rejection import LINEUP, MOST_PROBABLE, score_threshold
from train.evaluation.zero_shot import Yamnet, zero_shot_probabilities

Scores = npt.NDArray[np.float64]
Peer = Callable[[Array], Scores]
"""From a window [shape=(65536,), dtype=float32] to a share of each of all labels."""


@dataclass(frozen=True, slots=True)
class PeerResult:
    """How a network does on clips of the eight and of what is none of them."""

    name: str
    right: int
    solos: int
    average: float | None
    """Class average over those of the eight that occur."""
    worst: str
    """The class with the least recall, with it and its count."""
    rejected: dict[str, int]
    """Clips of none that a threshold rejects that lets 9 in 10 of the others pass, by what the threshold is for."""
    unknown: int
    """Clips of none."""

    def figures(self) -> dict[str, Any]:
        """Plain numbers, as json takes them."""
        return {
            "clips": self.solos,
            "right": self.right,
            "class_average": None if self.average is None else round(self.average, 4),
            "worst_class": self.worst,
            "unknown_clips": self.unknown,
            "rejected_at_90_accepted": dict(self.rejected),
        }


def yamnet(path: Path) -> Peer:
    """Load YAMNet's .tflite as a peer; see `train.evaluation.zero_shot.Yamnet`."""
    network = Yamnet(path)
    return lambda window: np.asarray(network.probabilities(window), np.float64)


def pretrained(path: Path) -> Peer:
    """Load the pretrained network with its own classes.

    Parameters
    ----------
    path : Path
        The .npz file, with `audioset_labels.txt` beside it.

    Raises
    ------
    ConfigError
        When it cannot be read.
    """
    from train.networks.efficient_weights import CLASS_FILE, build_pretrained, read_classes

    model = build_pretrained(path)
    classes = read_classes(path.with_name(CLASS_FILE))

    def scores(window: Array) -> Scores:
        logits = model.predict_on_batch(window_features(window)[None, ..., None])["logits"]
        return np.asarray(zero_shot_probabilities(logits, classes)[0], np.float64)

    return scores


def hear_with(peer: Peer, dataset: Dataset, clips: Sequence[Clip]) -> ClipPredictions:
    """Let a peer hear clips; its shares of all labels stand for probabilities."""
    rows = np.array([peer(dataset.audio(clip)) for clip in clips], np.float64).reshape(len(clips), len(ALL_LABELS))
    return ClipPredictions(ALL_LABELS, tuple(clips), rows, np.zeros(len(clips), bool), ())


def score_peer(name: str, predictions: ClipPredictions, lineup: Sequence[str] = INSTRUMENTS) -> PeerResult:
    """Score what a peer, or a bundle, says of clips.

    Parameters
    ----------
    name : str
        Who it is.
    predictions : ClipPredictions
        Of `hear_with`, or of a bundle.
    lineup : sequence of str
        Who can be named; all other clips are of none.
    """
    judged = np.flatnonzero(~predictions.silent)
    scores = predictions.within(lineup).probabilities[judged, : len(lineup)]
    labels = [predictions.clips[at].label for at in judged]
    solo = np.array([label in lineup for label in labels], bool)
    targets = np.array([lineup.index(label) for label in labels if label in lineup], np.int64)
    chosen = scores[solo].argmax(axis=1)
    rejected = {}
    if solo.any():
        for what, score in ((MOST_PROBABLE, scores.max(axis=1)), (LINEUP, scores.sum(axis=1))):
            rejected[what] = int((score[~solo] < score_threshold(score[solo])).sum())
    recalls = [(float((chosen[targets == at] == at).mean()), at) for at in np.unique(targets).tolist()]
    worst = ""
    if recalls:
        recall, at = min(recalls)
        worst = f"{lineup[at]}, {percent(recall)} of {int((targets == at).sum())}"
    average = class_average(targets, chosen) if len(targets) else None
    right = int((chosen == targets).sum())
    return PeerResult(name, right, int(solo.sum()), average, worst, rejected, int((~solo).sum()))


def peer_table(what: str, results: Sequence[PeerResult]) -> str:
    """Markdown: networks on the same clips, a row for each."""
    lines = [
        f"| {what} | class average | worst class | none of them rejected at 90 % accepted, by {MOST_PROBABLE} "
        f"| by {LINEUP} |",
        "| --- | ---: | ---: | ---: | ---: |",
    ]
    for result in results:
        shares = [
            f"{percent(count / result.unknown)} ({count} of {result.unknown})" if result.unknown else "-"
            for count in (result.rejected.get(MOST_PROBABLE, 0), result.rejected.get(LINEUP, 0))
        ]
        average = f"{percent(result.average)} ({result.right} of {result.solos})"
        lines.append(f"| {result.name} | {average} | {result.worst or '-'} | {shares[0]} | {shares[1]} |")
    return "\n".join(lines)
