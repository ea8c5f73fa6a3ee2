"""How a model did on clips, for any labels: figures with counts, as json and as Markdown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from stream.recognition.bundle import UNKNOWN
from train.evaluation.clip_metrics import (
    Calibration,
    ClassMetrics,
    Floats,
    Ints,
    ReliabilityBin,
    accuracy,
    calibration_error,
    class_average,
    class_metrics,
    confusion_counts,
    reliability,
)


@dataclass(frozen=True, slots=True, eq=False)
class ClipResult:
    """How a model did on one set of clips.

    Clips of labels that the model does not know count as `unknown`. A clip's *best* is the most probable instrument;
    its *name* is what the thresholds let pass, else `unknown`. Shares of nothing are None.
    """

    name: str
    instruments: tuple[str, ...]
    clips: int
    """Clips that were scored."""
    silent: int
    """Clips that the recognizer calls silence, which no model judged: they are in none of the figures."""
    skipped: int
    """Clips that could not be read."""
    accuracy: float | None
    """Share of the instrument clips whose best is right."""
    average: float | None
    """Class average of that, over the instruments that occur."""
    classes: tuple[ClassMetrics, ...]
    """Of each instrument, by the best of the instrument clips."""
    matrix: Ints
    """Labels (rows, `unknown` last) by best (columns) [shape=(instruments + 1, instruments)]."""
    named_classes: tuple[ClassMetrics, ...]
    """Of each instrument and of `unknown`, by the names of all clips."""
    named_matrix: Ints
    """Labels (rows) by names (columns), `unknown` last [shape=(instruments + 1, instruments + 1)]."""
    calibration_error: float | None
    """Expected calibration error of the most probable output."""
    bins: tuple[ReliabilityBin, ...]
    """What that is the mean over."""

    @property
    def right(self) -> int:
        """Instrument clips whose best is right."""
        return int(self.matrix.diagonal().sum())

    @property
    def solos(self) -> int:
        """Clips of instruments that the model knows."""
        return int(self.matrix[:-1].sum())

    @property
    def labels(self) -> tuple[str, ...]:
        """Labels of the rows: `unknown` last, where there are clips of it."""
        return (*self.instruments, UNKNOWN) if self.named_classes[-1].clips else self.instruments

    @property
    def absent(self) -> tuple[str, ...]:
        """Instruments that no clip is of: nothing is known of them, and no average has them."""
        return tuple(label for label, merit in zip(self.instruments, self.classes, strict=True) if not merit.clips)

    @property
    def named(self) -> int:
        """Instrument clips that pass as any instrument."""
        return int(self.named_matrix[:-1, :-1].sum())

    @property
    def named_right(self) -> int:
        """Instrument clips that pass as themselves."""
        return int(self.named_matrix.diagonal()[:-1].sum())

    @property
    def named_average(self) -> float | None:
        """Class average of the share that passes as itself, over the instruments that occur."""
        recalls = [merit.recall for merit in self.named_classes[:-1] if merit.recall is not None]
        return sum(recalls) / len(recalls) if recalls else None

    @property
    def rejected(self) -> float | None:
        """Share of clips of `unknown` that are called so."""
        return self.named_classes[-1].recall

    def _share(self, clips: int) -> float | None:
        return clips / self.solos if self.solos else None

    def figures(self) -> dict[str, Any]:
        """Plain numbers, as json takes them."""
        rows = len(self.labels)
        occurring = {label: merit for label, merit in zip(self.instruments, self.classes, strict=True) if merit.clips}
        return {
            "clips": self.clips,
            "silent": self.silent,
            "skipped": self.skipped,
            "accuracy": _rounded(self.accuracy),
            "class_average": _rounded(self.average),
            "per_class": {label: _plain(merit) for label, merit in occurring.items()},
            "worst_class": min(occurring, key=lambda label: occurring[label].recall or 0.0, default=None),
            "confusion": self.matrix[:rows].tolist(),
            "named": _rounded(self._share(self.named)),
            "named_right": _rounded(self._share(self.named_right)),
            "named_class_average": _rounded(self.named_average),
            "named_per_class": {
                label: _plain(merit)
                for label, merit in zip((*self.instruments, UNKNOWN), self.named_classes, strict=True)
                if merit.clips
            },
            "named_confusion": self.named_matrix[:rows].tolist(),
            "unknown_rejected": _rounded(self.rejected),
            "calibration_error": _rounded(self.calibration_error),
            "reliability": [
                {key: round(value, 4) if isinstance(value, float) else value for key, value in asdict(bin_).items()}
                for bin_ in self.bins
            ],
        }


def score_clips(
    name: str,
    instruments: Sequence[str],
    labels: Sequence[str],
    probabilities: Floats,
    rule: Calibration,
    *,
    silent: int = 0,
    skipped: int = 0,
) -> ClipResult:
    """Score probabilities against what the clips are.

    Parameters
    ----------
    name : str
        What the clips are.
    instruments : sequence of str
        Those that the model names, in the order of its outputs.
    labels : sequence of str
        What each clip is; labels that are no instrument of the model count as `unknown`.
    probabilities : np.ndarray [shape=(len(labels), instruments or instruments + 1)]
        Calibrated probabilities, that of `unknown` last where the model has it.
    rule : Calibration
        How probabilities become names.
    silent, skipped : int
        Clips that are not among these, to be told beside the figures.

    Returns
    -------
    ClipResult
    """
    unknown = len(instruments)
    numbers = {label: number for number, label in enumerate(instruments)}
    targets = np.array([numbers.get(label, unknown) for label in labels], np.int64)
    solo = targets < unknown
    best = probabilities[:, :unknown].argmax(axis=1)
    names = rule.names(probabilities)
    return ClipResult(
        name=name,
        instruments=tuple(instruments),
        clips=len(labels),
        silent=silent,
        skipped=skipped,
        accuracy=accuracy(targets[solo], best[solo]) if solo.any() else None,
        average=class_average(targets[solo], best[solo]) if solo.any() else None,
        classes=class_metrics(targets[solo], best[solo], unknown),
        matrix=confusion_counts(targets, best, unknown + 1)[:, :unknown],
        named_classes=class_metrics(targets, names, unknown + 1),
        named_matrix=confusion_counts(targets, names, unknown + 1),
        calibration_error=calibration_error(targets, probabilities) if len(labels) else None,
        bins=reliability(targets, probabilities),
    )


def clip_table(result: ClipResult) -> str:
    """Markdown of a result: averages with counts, merits of each label, and both confusion matrices."""
    every = (*result.instruments, UNKNOWN)
    aside = ", ".join(
        f"{count} {what}" for count, what in ((result.silent, "silent"), (result.skipped, "unreadable")) if count
    )
    lines = [
        f"{result.name}: accuracy {percent(result.accuracy)} ({result.right} of {result.solos} instrument clips "
        f"right), class average {percent(result.average)}{of_which(result)}, "
        f"expected calibration error {percent(result.calibration_error)}"
        + (f"; not among them: {aside}" if aside else ""),
        f"What is named: class average {percent(result.named_average)} ({result.named_right} of {result.solos} "
        f"instrument clips named right; {result.named} named as any instrument)"
        + ("" if result.rejected is None else f"; of what is unknown, {percent(result.rejected)} is rejected"),
        "",
        *_rows("true \\ best instrument", result.instruments, result.matrix, result.labels, result.classes),
        "",
        *_rows("true \\ name", every, result.named_matrix, result.labels, result.named_classes),
    ]
    return "\n".join(lines)


def of_which(result: ClipResult) -> str:
    """Say in brackets which instruments an average is without, where there are any."""
    return f" (without {', '.join(result.absent)}: no clips)" if result.absent else ""


def percent(share: float | None) -> str:
    """Write a share as per cent; a dash for a share of nothing."""
    return "-" if share is None else f"{100 * share:.1f} %"


def _rows(
    corner: str, columns: Sequence[str], matrix: Ints, labels: Sequence[str], classes: Sequence[ClassMetrics]
) -> list[str]:
    lines = [
        f"| {corner} | " + " | ".join(label[:9] for label in columns) + " | right | precision | recall | F1 |",
        "| --- |" + " ---: |" * (len(columns) + 4),
    ]
    for number, label in enumerate(labels):
        cells = [str(count) for count in matrix[number]]
        if number < len(classes):
            merit = classes[number]
            cells.append(f"{merit.right} of {merit.clips}" if merit.clips else "-")
            cells += [percent(share) for share in (merit.precision, merit.recall, merit.f1)]
        else:
            cells += [""] * 4  # the best of the instruments is never right for what is none of them
        lines.append(f"| {label} | " + " | ".join(cells) + " |")
    return lines


def _plain(merit: ClassMetrics) -> dict[str, float | int | None]:
    return {
        "right": merit.right,
        "clips": merit.clips,
        "chosen": merit.chosen,
        "precision": _rounded(merit.precision),
        "recall": _rounded(merit.recall),
        "f1": _rounded(merit.f1),
    }


def _rounded(share: float | None) -> float | None:
    return None if share is None else round(share, 4)
