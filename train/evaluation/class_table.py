"""A table of every class that a model tells: recall and precision, of how many clips, and what it is taken for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from train.evaluation.clip_metrics import ClassMetrics, Floats, Ints, class_metrics, confusion_counts
from train.evaluation.clip_predictions import ClipPredictions
from train.evaluation.clip_result import percent

_TOLD: Final = 3  # classes that one is taken for


@dataclass(frozen=True, slots=True, eq=False)
class ClassResult:
    """How a model tells all its classes apart, by the most probable one; classes without clips are in no average."""

    name: str
    labels: tuple[str, ...]
    classes: tuple[ClassMetrics, ...]
    recordings: tuple[int, ...]
    """Of each class: sources, or songs' recordings, that its clips are of."""
    matrix: Ints
    """Labels (rows) by the most probable label (columns)."""
    strange: int
    """Clips of what is none of the labels; they are in no figure."""

    @property
    def average(self) -> float | None:
        """Mean recall of the classes that there are clips of."""
        return _mean([merit.recall for merit in self.classes])

    def average_of(self, labels: Sequence[str]) -> float | None:
        """Mean recall of some of them."""
        return _mean([merit.recall for label, merit in zip(self.labels, self.classes, strict=True) if label in labels])

    @property
    def absent(self) -> tuple[str, ...]:
        """Classes without clips."""
        return tuple(label for label, merit in zip(self.labels, self.classes, strict=True) if not merit.clips)

    def figures(self) -> dict[str, Any]:
        """Plain numbers, as json takes them."""
        average = self.average
        return {
            "clips": int(self.matrix.sum()),
            "class_average": None if average is None else round(average, 4),
            "classes": {
                label: {
                    "clips": merit.clips,
                    "recordings": recordings,
                    "right": merit.right,
                    "chosen": merit.chosen,
                    "taken_for": {self.labels[other]: count for count, other in self.taken_for(number)},
                }
                for number, (label, merit, recordings) in enumerate(
                    zip(self.labels, self.classes, self.recordings, strict=True)
                )
                if merit.clips
            },
            "without_clips": list(self.absent),
        }

    def taken_for(self, number: int) -> list[tuple[int, int]]:
        """List what a class is taken for: counts and labels' numbers, the most frequent first."""
        row = self.matrix[number]
        order = sorted(range(len(row)), key=lambda other: (-row[other], other))
        return [(int(row[other]), other) for other in order if other != number and row[other]]


def score_classes(name: str, predictions: ClipPredictions) -> ClassResult:
    """Score what a model says of clips of all its labels.

    Parameters
    ----------
    name : str
        What the clips are.
    predictions : ClipPredictions
        Silent ones, which no model judged, are left out.

    Returns
    -------
    ClassResult
    """
    numbers = {label: number for number, label in enumerate(predictions.labels)}
    judged = np.flatnonzero(~predictions.silent).tolist()
    known = [at for at in judged if predictions.clips[at].label in numbers]
    targets = np.array([numbers[predictions.clips[at].label] for at in known], np.int64)
    chosen = _chosen(predictions.probabilities[known])
    recordings: list[set[str]] = [set() for _ in predictions.labels]
    for at in known:
        recordings[numbers[predictions.clips[at].label]].add(predictions.clips[at].recording)
    size = len(predictions.labels)
    return ClassResult(
        name,
        predictions.labels,
        class_metrics(targets, chosen, size),
        tuple(map(len, recordings)),
        confusion_counts(targets, chosen, size),
        len(judged) - len(known),
    )


def class_table(result: ClassResult, lineup: Sequence[str] = ()) -> str:
    """Markdown: averages with counts, and a row for each class that there are clips of.

    Parameters
    ----------
    result : ClassResult
    lineup : sequence of str
        Classes whose average is told besides.
    """
    clips = int(result.matrix.sum())
    shown = sum(1 for merit in result.classes if merit.clips)
    head = f"{result.name}: class average {percent(result.average)} over {shown} classes, {clips} clips"
    if lineup:
        others = [label for label in result.labels if label not in lineup]
        head += (
            f"; of the line-up {percent(result.average_of(lineup))}, of the others {percent(result.average_of(others))}"
        )
    if result.absent:
        head += f"; no clips of {', '.join(result.absent)}"
    lines = [
        head,
        "",
        "| class | clips | recordings | recall | precision | taken for |",
        "| --- |" + " ---: |" * 4 + " --- |",
    ]
    for number, (label, merit) in enumerate(zip(result.labels, result.classes, strict=True)):
        if merit.clips:
            taken = ", ".join(f"{result.labels[other]} {count}" for count, other in result.taken_for(number)[:_TOLD])
            recall = f"{percent(merit.recall)} ({merit.right})"
            lines.append(
                f"| {label} | {merit.clips} | {result.recordings[number]} | {recall} | {percent(merit.precision)} "
                f"| {taken or '-'} |"
            )
    return "\n".join(lines)


def _chosen(probabilities: Floats) -> Ints:
    return np.asarray(probabilities.argmax(axis=1), np.int64)


def _mean(values: Sequence[float | None]) -> float | None:
    there = [value for value in values if value is not None]
    return sum(there) / len(there) if there else None
