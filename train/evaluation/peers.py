"""Networks of others on the same clips: YAMNet, and the pretrained network by its own tags, neither trained here."""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import soxr

from stream.errors import ConfigError
from stream.recognition.mel import SAMPLE_RATE
from stream.recognition.mel_128 import window_features
from train.datasets.clips import Array, Clip, Dataset
from train.datasets.labels import INSTRUMENTS
from train.evaluation.clip_metrics import class_average
from train.evaluation.clip_predictions import ClipPredictions
from train.evaluation.clip_result import percent
from train.evaluation.rejection import LINEUP, MOST_PROBABLE, score_threshold

Scores = npt.NDArray[np.float64]
Peer = Callable[[Array], Scores]
"""From a window [shape=(65536,), dtype=float32] to a score of each of the eight."""

AUDIOSET: Final = {
    "clarinet": ("Clarinet",),
    "distorted electric guitar": ("Electric guitar", "Distortion"),
    "female singer": ("Female singing",),
    "flute": ("Flute",),
    "piano": ("Piano", "Electric piano"),
    "tenor saxophone": ("Saxophone",),
    "trumpet": ("Trumpet",),
    "violin": ("Violin, fiddle",),
}
"""Classes of AudioSet that stand for each of the eight: the largest score counts."""

_YAMNET_RATE: Final = 16_000
_YAMNET_HOP: Final = 7_800  # samples, half of its window


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
    """Load YAMNet in its TFLite form, with the names of its classes inside or beside it.

    Parameters
    ----------
    path : Path
        The .tflite file: of waveforms at 16 kHz, to scores of 521 classes. Their names are read from a file that is
        packed into it, or from `yamnet_class_map.csv` or `yamnet_label_list.txt` beside it.

    Raises
    ------
    ConfigError
        When names are missing, or the file is no such network.
    """
    from ai_edge_litert.interpreter import Interpreter  # not before: only who has the file needs it

    try:
        interpreter = Interpreter(str(path))
        interpreter.allocate_tensors()
    except (ValueError, RuntimeError, OSError) as error:
        raise ConfigError(f"{path} is no TFLite model: {error}") from error
    names = _yamnet_names(path)
    taken, given = interpreter.get_input_details()[0], interpreter.get_output_details()[0]
    length = int(taken["shape"][-1])
    if int(given["shape"][-1]) != len(names) or length < _YAMNET_RATE // 4:
        raise ConfigError(
            f"{path} takes {taken['shape'].tolist()} and gives {given['shape'].tolist()} for {len(names)} names; "
            "expected YAMNet: 15600 samples to 521 scores"
        )
    rows = _rows(names, str(path))

    def scores(window: Array) -> Scores:
        sound = np.asarray(soxr.resample(window, SAMPLE_RATE, _YAMNET_RATE, "HQ"), np.float32)
        found = []
        for start in range(0, len(sound) - length + 1, _YAMNET_HOP):
            interpreter.set_tensor(taken["index"], sound[start : start + length].reshape(taken["shape"]))
            interpreter.invoke()
            found.append(interpreter.get_tensor(given["index"]).reshape(-1, len(names)).mean(axis=0))
        return _best(np.mean(found, axis=0), rows)

    return scores


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
    rows = _rows(read_classes(path.with_name(CLASS_FILE)), str(path))

    def scores(window: Array) -> Scores:
        logits = np.asarray(model.predict_on_batch(window_features(window)[None, ..., None])["logits"], np.float64)[0]
        return _best(1 / (1 + np.exp(-logits)), rows)

    return scores


def hear_with(peer: Peer, dataset: Dataset, clips: Sequence[Clip]) -> ClipPredictions:
    """Let a peer hear clips; its scores stand for probabilities, though they sum to nothing in particular."""
    rows = np.array([peer(dataset.audio(clip)) for clip in clips], np.float64).reshape(len(clips), len(INSTRUMENTS))
    return ClipPredictions(INSTRUMENTS, tuple(clips), rows, np.zeros(len(clips), bool), ())


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


def _rows(names: Sequence[str], where: str) -> list[list[int]]:
    """Find the classes of each of the eight; names of AudioSet that a network lacks are passed over."""
    rows = [[names.index(name) for name in AUDIOSET[label] if name in names] for label in INSTRUMENTS]
    if missing := [label for label, found in zip(INSTRUMENTS, rows, strict=True) if not found]:
        raise ConfigError(f"{where} has no class of AudioSet for {', '.join(missing)}")
    return rows


def _best(scores: npt.NDArray[np.floating], rows: Sequence[Sequence[int]]) -> Scores:
    return np.array([max(float(scores[at]) for at in found) for found in rows])


def _yamnet_names(path: Path) -> list[str]:
    """Read the names of YAMNet's classes."""
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as packed:
            for entry in packed.namelist():
                if entry.endswith(".txt"):
                    return packed.read(entry).decode("utf-8").splitlines()
    beside = path.with_name("yamnet_label_list.txt")
    if beside.exists():
        return beside.read_text("utf-8").splitlines()
    table = path.with_name("yamnet_class_map.csv")
    if table.exists():
        import csv

        with table.open(newline="", encoding="utf-8") as file:
            return [row["display_name"] for row in csv.DictReader(file)]
    raise ConfigError(
        f"{path} has no names of its classes inside; put yamnet_class_map.csv or yamnet_label_list.txt beside it"
    )
