"""A table of every class that a model tells: recall and precision, of how many clips, and what it is taken for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from train.evaluation.clip_metrics import ClassMetrics, Ints, class_metrics, confusion_counts
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
    """Labels (rows) by the most probable label (columns); the last column is of clips that no model judged, such as
    steady tones [shape=(labels, labels + 1)]."""
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
                    "taken_for": dict(self.taken_for(number)),
                }
                for number, (label, merit, recordings) in enumerate(
                    zip(self.labels, self.classes, self.recordings, strict=True)
                )
                if merit.clips
            },
            "without_clips": list(self.absent),
        }

    def taken_for(self, number: int) -> list[tuple[str, int]]:
        """List what a class is taken for, with counts, the most frequent first."""
        taken = zip((*self.labels, "nothing"), self.matrix[number].tolist(), strict=True)
        others = [(label, count) for label, count in taken if count and label != self.labels[number]]
        return sorted(others, key=lambda other: -other[1])


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
    probabilities = predictions.probabilities[known]
    size = len(predictions.labels)
    chosen = np.where(probabilities.any(axis=1), probabilities.argmax(axis=1), size).astype(np.int64)
    recordings: list[set[str]] = [set() for _ in predictions.labels]
    for at in known:
        recordings[numbers[predictions.clips[at].label]].add(predictions.clips[at].recording)
    return ClassResult(
        name,
        predictions.labels,
        class_metrics(targets, chosen, size + 1)[:size],
        tuple(map(len, recordings)),
        confusion_counts(targets, chosen, size + 1)[:size],
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
            taken = ", ".join(f"{other} {count}" for other, count in result.taken_for(number)[:_TOLD])
            recall = f"{percent(merit.recall)} ({merit.right})"
            lines.append(
                f"| {label} | {merit.clips} | {result.recordings[number]} | {recall} | {percent(merit.precision)} "
                f"| {taken or '-'} |"
            )
    return "\n".join(lines)


def _mean(values: Sequence[float | None]) -> float | None:
    there = [value for value in values if value is not None]
    return sum(there) / len(there) if there else None
