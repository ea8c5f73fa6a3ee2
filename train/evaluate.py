"""How good an int8 model is: on real clips, on clips of held-out sources, and on the demo recording."""

from __future__ import annotations

import json
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from stream.features import SAMPLE_RATE, WINDOW
from train.corpus import Corpus, window_features
from train.int8 import Int8Model
from train.pack import INSTRUMENTS, LABELS, read_validation
from train.score import Calibration, calibration_error, class_average, confusion, softmax
from train.tape import read_mono

HOP = 5632
"""Samples from one window of the demo to the next: the service's default hop."""


@dataclass(frozen=True, slots=True)
class Result:
    """How a model did on one set of clips."""

    name: str
    clips: int
    average: float
    """Class average of the best of the eight instruments, over the clips that are one of them."""
    per_class: dict[str, tuple[int, int]]
    """Clips called right and all clips, for each instrument."""
    matrix: list[list[int]]
    """True instruments (rows) by the best of the eight (columns); a last row for clips of `unknown`, if any."""
    named: float
    """Share of instrument clips that pass as any instrument."""
    named_right: float
    """Share of instrument clips that pass as themselves."""
    rejected: float | None
    """Share of clips of `unknown` that are called so; None without such clips."""
    calibration_error: float
    """Expected calibration error of the best of the nine outputs."""

    def figures(self) -> dict[str, Any]:
        """Plain numbers for the bundle's metrics."""
        return {
            "clips": self.clips,
            "class_average": round(self.average, 4),
            "per_class": {label: {"right": r, "clips": n} for label, (r, n) in self.per_class.items()},
            "worst_class": min(self.per_class, key=lambda label: self.per_class[label][0] / self.per_class[label][1]),
            "confusion": self.matrix,
            "named": round(self.named, 4),
            "named_right": round(self.named_right, 4),
            "unknown_rejected": None if self.rejected is None else round(self.rejected, 4),
            "calibration_error": round(self.calibration_error, 4),
        }


def score(name: str, labels: npt.NDArray[np.int64], logits: npt.NDArray[np.float32], rule: Calibration) -> Result:
    """Score outputs against labels.

    Parameters
    ----------
    name : str
        What the clips are.
    labels : np.ndarray [shape=(n,), dtype=int64]
        True labels, indices into `LABELS`.
    logits : np.ndarray [shape=(n, 9), dtype=float32]
        The model's outputs.
    rule : Calibration
        How outputs become names.
    """
    probabilities = softmax(logits, rule.temperature)
    eight = probabilities[:, : len(INSTRUMENTS)]
    chosen = eight.argmax(axis=1)
    names = rule.names(probabilities)
    passed = names < len(INSTRUMENTS)
    solo = labels < len(INSTRUMENTS)
    matrix = confusion(labels, chosen, len(LABELS))[:, : len(INSTRUMENTS)]
    rows = range(len(INSTRUMENTS) if solo.all() else len(LABELS))
    return Result(
        name=name,
        clips=len(labels),
        average=class_average(labels[solo], chosen[solo]),
        per_class={
            label: (int(matrix[row, row]), int(matrix[row].sum()))
            for row, label in enumerate(INSTRUMENTS)
            if matrix[row].sum()
        },
        matrix=[matrix[row].tolist() for row in rows],
        named=float(passed[solo].mean()),
        named_right=float((names == labels)[solo].mean()),
        rejected=None if solo.all() else float(1 - passed[~solo].mean()),
        calibration_error=calibration_error(labels, probabilities),
    )


def held_out(model: Int8Model, corpus: Corpus, rule: Calibration) -> Result:
    """Score a model on clips composed of held-out sources."""
    return score("held-out sources", corpus.labels, model.logits(corpus.features), rule)


def validation(model: Int8Model, data: Path, rule: Calibration) -> Result:
    """Score a model on the real clips of ``validation/``. Every call is a look at them: keep them few."""
    rows = read_validation(data)
    features = np.stack([window_features(read_mono(data / row.path)) for row in rows])
    labels = np.array([INSTRUMENTS.index(row.instrument) for row in rows])
    return score("validation", labels, model.logits(features), rule)


def demo(model: Int8Model, rule: Calibration) -> list[tuple[float, float, str, int, dict[str, int]]]:
    """Count what is named in the windows that lie inside one segment of the demo recording.

    Returns
    -------
    list of (start, end, label, windows, names)
        One for each segment long enough to hold a window; times in seconds, and how many windows got which name.
    """
    folder = resources.files("stream")
    segments = json.loads((folder / "demo.json").read_text())["segments"]
    with resources.as_file(folder / "demo.ogg") as path:
        audio = read_mono(path)
    result = []
    for segment in segments:
        first, last = (int(segment[key] * SAMPLE_RATE) for key in ("start", "end"))
        ends = [end for end in range(WINDOW, len(audio), HOP) if end - WINDOW >= first and end <= last]
        if not ends or segment["label"] == "silence":
            continue
        features = np.stack([window_features(audio[end - WINDOW : end]) for end in ends])
        names = rule.names(softmax(model.logits(features), rule.temperature))
        counts = {LABELS[name]: int(np.sum(names == name)) for name in np.unique(names)}
        result.append((segment["start"], segment["end"], segment["label"], len(ends), counts))
    return result


def table(result: Result) -> str:
    """Markdown of a result: averages with counts, and the confusion matrix."""
    right = sum(r for r, _ in result.per_class.values())
    solos = sum(n for _, n in result.per_class.values())
    lines = [
        f"{result.name}: class average {100 * result.average:.1f} % ({right} of {solos} instrument clips right), "
        f"expected calibration error {100 * result.calibration_error:.1f} %",
        f"Named as themselves {100 * result.named_right:.1f} %, named as any instrument {100 * result.named:.1f} %"
        + ("" if result.rejected is None else f"; of what is unknown, {100 * result.rejected:.1f} % is rejected"),
        "",
        "| true \\ best of eight | " + " | ".join(label[:9] for label in INSTRUMENTS) + " | right |",
        "| --- |" + " ---: |" * (len(INSTRUMENTS) + 1),
    ]
    for row, counts in enumerate(result.matrix):
        label = LABELS[row]
        share = "" if label not in result.per_class else "{} of {}".format(*result.per_class[label])
        lines.append(f"| {label} | " + " | ".join(str(count) for count in counts) + f" | {share} |")
    return "\n".join(lines)
