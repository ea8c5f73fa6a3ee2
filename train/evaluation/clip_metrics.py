"""Figures of merit of any labels: accuracy, class averages, precision and recall, confusion, calibration."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from stream.errors import ConfigError
from stream.recognition.smoothing import Smoothing

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.floating]

BINS: Final = 15
"""Bins of the probability that calibration is measured in."""

_CEILING: Final = 0.4  # of thresholds: where held-out clips are easy, nine in ten pass one that real ones would not
_UNTRIED: Final = 0.5  # threshold of an instrument that no clip was recognized as


@dataclass(frozen=True, slots=True)
class ClassMetrics:
    """How well clips of one label are told from all others."""

    clips: int
    """Clips that are of the label."""
    chosen: int
    """Clips that were called so."""
    right: int
    """Clips that are both."""
    precision: float | None
    """Share of those called so that are; None where none is called so."""
    recall: float | None
    """Share of those that are so that are called so; None without any."""
    f1: float | None
    """Harmonic mean of the two; None without clips that are of the label."""


@dataclass(frozen=True, slots=True)
class ReliabilityBin:
    """Clips whose best probability lies in one stretch."""

    low: float
    high: float
    clips: int
    confidence: float
    """Mean of their best probabilities."""
    accuracy: float
    """Share of them for which the best label is right."""


@dataclass(frozen=True, slots=True)
class Calibration:
    """How logits become names: softmax(logits / temperature), and a name needs a probability of its threshold.

    As the service names the first window of a stream: nobody is named whom another instrument leads clearly.
    """

    temperature: float
    thresholds: tuple[float, ...]
    """One for each instrument."""
    known: float = 0.0
    """What the probabilities of the instruments must sum to for one of them to be named."""

    def names(self, probabilities: Floats) -> Ints:
        """Name clips by their probabilities.

        Parameters
        ----------
        probabilities : np.ndarray [shape=(n, instruments or instruments + 1)]
            Those of the instruments come first; one of `unknown` may follow.

        Returns
        -------
        np.ndarray [shape=(n,), dtype=int64]
            The most probable of the instruments that pass; the number of instruments, which is the position of
            `unknown`, where none does.
        """
        instruments = probabilities[:, : len(self.thresholds)]
        in_front = instruments.max(axis=1, keepdims=True) - instruments <= Smoothing().lead
        enough = instruments.sum(axis=1, keepdims=True) >= self.known - 1e-9
        passing = np.where(enough & in_front & (instruments >= np.array(self.thresholds)), instruments, -1.0)
        return np.where(passing.max(axis=1) < 0, len(self.thresholds), passing.argmax(axis=1))


def confusion_counts(targets: Ints, chosen: Ints, size: int) -> Ints:
    """Count clips by true label (rows) and chosen label (columns) [shape=(size, size)]."""
    return np.bincount(targets * size + chosen, minlength=size * size).reshape(size, size)


def accuracy(targets: Ints, chosen: Ints) -> float:
    """Share of the clips that was chosen right."""
    return float(np.mean(targets == chosen))


def class_average(targets: Ints, chosen: Ints) -> float:
    """Mean over the labels that occur of the share that was chosen right."""
    return float(np.mean([np.mean(chosen[targets == label] == label) for label in np.unique(targets)]))


def class_metrics(targets: Ints, chosen: Ints, size: int) -> tuple[ClassMetrics, ...]:
    """Precision, recall and F1 of each of `size` labels, with the counts they are shares of.

    Parameters
    ----------
    targets, chosen : np.ndarray [shape=(n,), dtype=int64]
        Which label each clip is of, and which one it was called.
    size : int
        Number of labels.
    """
    matrix = confusion_counts(targets, chosen, size)
    return tuple(
        ClassMetrics(
            *(clips, called, right),
            precision=right / called if called else None,
            recall=right / clips if clips else None,
            f1=2 * right / (clips + called) if clips else None,
        )
        for clips, called, right in zip(
            matrix.sum(axis=1).tolist(), matrix.sum(axis=0).tolist(), matrix.diagonal().tolist(), strict=True
        )
    )


def softmax(logits: Floats, temperature: float) -> Floats:
    """Probabilities [shape=(n, labels)] of logits divided by a temperature."""
    scaled = logits / temperature
    weights = np.exp(scaled - scaled.max(axis=1, keepdims=True))
    return np.asarray(weights / weights.sum(axis=1, keepdims=True))


def reliability(targets: Ints, probabilities: Floats) -> tuple[ReliabilityBin, ...]:
    """Sort clips by the probability of their best label into 15 bins of equal width; empty bins are left out."""
    confidence = probabilities.max(axis=1)
    right = probabilities.argmax(axis=1) == targets
    bins = np.minimum((confidence * BINS).astype(int), BINS - 1)
    return tuple(
        ReliabilityBin(
            b / BINS, (b + 1) / BINS, int(inside.sum()), float(confidence[inside].mean()), float(right[inside].mean())
        )
        for b, inside in ((int(b), bins == b) for b in np.unique(bins))
    )


def calibration_error(targets: Ints, probabilities: Floats) -> float:
    """Compute the expected calibration error of the best label, in 15 bins of its probability (Guo et al., 2017)."""
    bins = reliability(targets, probabilities)
    return float(sum(b.clips * abs(b.accuracy - b.confidence) for b in bins) / len(targets))


def calibrate(targets: Ints, logits: Floats, instruments: int, accepted: float = 0.9) -> Calibration:
    """Choose temperature and thresholds.

    Parameters
    ----------
    targets : np.ndarray [shape=(n,), dtype=int64]
        True labels of held-out clips, `unknown` among them where the model has it.
    logits : np.ndarray [shape=(n, labels)]
        What the int8 model says.
    instruments : int
        How many labels can be named: the first ones. At most one, `unknown`, follows.
    accepted : float
        Share of each instrument's rightly recognized clips that its threshold lets pass, at least.

    Returns
    -------
    Calibration
        The temperature with the highest likelihood, and the thresholds.

    Raises
    ------
    ConfigError
        When there are no clips, or the outputs are not those of that many instruments.
    """
    if not len(targets) or logits.shape[1] - instruments not in (0, 1):
        raise ConfigError(
            f"calibration got {len(targets)} clips and {logits.shape[1]} outputs for {instruments} instruments; "
            "expected at least one clip, and an output for each instrument and at most one more"
        )
    temperatures = np.exp(np.linspace(np.log(0.3), np.log(5), 120))
    likelihood = [np.log(softmax(logits, t)[np.arange(len(targets)), targets] + 1e-12).mean() for t in temperatures]
    temperature = float(temperatures[int(np.argmax(likelihood))])
    probabilities = softmax(logits, temperature)[:, :instruments]
    chosen = probabilities.argmax(axis=1)
    thresholds = []
    for label in range(instruments):
        right = probabilities[(targets == label) & (chosen == label), label]
        thresholds.append(round(min(float(np.quantile(right, 1 - accepted)), _CEILING), 3) if len(right) else _UNTRIED)
    return Calibration(round(temperature, 4), tuple(thresholds))
