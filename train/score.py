"""Figures of merit: class averages, confusion matrices, calibration."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from sklearn.metrics import confusion_matrix, recall_score

from train.pack import INSTRUMENTS

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.floating]

_BINS = 15
_CEILING = 0.6  # of the thresholds: where the held-out clips are easy, nine in ten pass one that real ones would not


def confusion(labels: Ints, chosen: Ints, size: int) -> Ints:
    """Count clips by true label (rows) and chosen label (columns) [shape=(size, size)]."""
    return np.asarray(confusion_matrix(labels, chosen, labels=range(size)), np.int64)


def class_average(labels: Ints, chosen: Ints) -> float:
    """Mean over the labels that occur of the share that was chosen right."""
    return float(recall_score(labels, chosen, labels=np.unique(labels), average="macro"))


def softmax(logits: Floats, temperature: float) -> Floats:
    """Probabilities [shape=(n, labels)] of logits divided by a temperature."""
    scaled = logits / temperature
    scaled = np.exp(scaled - scaled.max(axis=1, keepdims=True))
    return np.asarray(scaled / scaled.sum(axis=1, keepdims=True))


def calibration_error(labels: Ints, probabilities: Floats) -> float:
    """Compute the expected calibration error of the best label, in 15 bins of its probability (Guo et al., 2017)."""
    confidence = probabilities.max(axis=1)
    right = probabilities.argmax(axis=1) == labels
    bins = np.minimum((confidence * _BINS).astype(int), _BINS - 1)
    gaps = [abs(float(right[bins == b].mean() - confidence[bins == b].mean())) for b in np.unique(bins)]
    shares = [float(np.mean(bins == b)) for b in np.unique(bins)]
    return float(np.dot(gaps, shares))


@dataclass(frozen=True, slots=True)
class Calibration:
    """How logits become names: softmax(logits / temperature), and a name needs a probability of its threshold."""

    temperature: float
    thresholds: tuple[float, ...]
    """One for each instrument."""

    def names(self, probabilities: Floats) -> Ints:
        """Name clips by their probabilities [shape=(n, 9)]: indices of the labels, that of `unknown` for none."""
        eight = probabilities[:, : len(INSTRUMENTS)]
        passing = np.where(eight >= np.array(self.thresholds), eight, -1.0)
        return np.where(passing.max(axis=1) < 0, len(INSTRUMENTS), passing.argmax(axis=1))


def calibrate(labels: Ints, logits: Floats, accepted: float = 0.9) -> Calibration:
    """Choose temperature and threshold.

    Parameters
    ----------
    labels : np.ndarray [shape=(n,), dtype=int64]
        True labels of held-out clips, `unknown` among them.
    logits : np.ndarray [shape=(n, 9)]
        What the int8 model says.
    accepted : float
        Share of each instrument's rightly recognized clips that its threshold lets pass, at least.

    Returns
    -------
    Calibration
        The temperature with the highest likelihood, and the thresholds.
    """
    temperatures = np.exp(np.linspace(np.log(0.3), np.log(5), 120))
    likelihood = [np.log(softmax(logits, t)[np.arange(len(labels)), labels] + 1e-12).mean() for t in temperatures]
    temperature = float(temperatures[int(np.argmax(likelihood))])
    eight = softmax(logits, temperature)[:, : len(INSTRUMENTS)]
    chosen = eight.argmax(axis=1)
    thresholds = []
    for label in range(len(INSTRUMENTS)):
        right = eight[(labels == label) & (chosen == label), label]
        thresholds.append(round(min(float(np.quantile(right, 1 - accepted)), _CEILING), 3) if len(right) else 0.5)
    return Calibration(round(temperature, 4), tuple(thresholds))
