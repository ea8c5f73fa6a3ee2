"""Temperature and thresholds of a network that knows more labels than it names, chosen on held-out windows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from stream.errors import ConfigError
from stream.recognition.smoothing import Smoothing
from train.evaluation.clip_metrics import softmax

Array = npt.NDArray[np.floating]

_PREDOMINANT: Final = 0.6
"""Share of a target from which a window is of one label, for measuring."""
_BELIEVED: Final = 0.5
"""Weight from which its label is."""
_CEILING: Final = 0.4
"""Of thresholds: where held-out windows are easy, nine in ten pass one that real ones would not."""
_UNTRIED: Final = 0.4
"""Threshold of a label that no held-out window was recognized as."""


@dataclass(frozen=True, slots=True)
class Acceptance:
    """How logits become names: softmax(logits / temperature) over all labels."""

    temperature: float
    thresholds: Mapping[str, float]
    """Probability that a name needs, for every label."""
    known: float
    """What the line-up's probabilities must sum to for one of it to be named."""
    smoothing: Smoothing | None = None
    """How much it takes to change the label; None for what is usual."""


def choose_acceptance(
    logits: Array,
    targets: Array,
    weights: Array,
    real: npt.NDArray[np.bool_],
    labels: Sequence[str],
    lineup: Sequence[str],
    *,
    accepted: float = 0.9,
) -> Acceptance:
    """Choose temperature and thresholds on held-out windows, composed ones and real ones counting alike.

    Parameters
    ----------
    logits : np.ndarray [shape=(n, labels)]
        What the model that ships says of them.
    targets : np.ndarray [shape=(n, labels)]
        Shares of the labels.
    weights : np.ndarray [shape=(n,)]
        How far each is to be believed.
    real : np.ndarray [shape=(n,), dtype=bool]
        Whether a window is of a recording, and not composed.
    labels, lineup : sequence of str
        All labels, and those that are named unless the user says otherwise.
    accepted : float
        Share of the windows of the line-up that `known` lets pass, and of each label's rightly recognized windows that
        its threshold lets pass.

    Raises
    ------
    ConfigError
        When there is no window of the line-up.
    """
    used = (targets.max(axis=1, initial=0) >= _PREDOMINANT) & (weights >= _BELIEVED)
    logits, targets, real = logits[used], targets[used], real[used]
    truth = targets.argmax(axis=1)
    named = np.array([labels.index(name) for name in lineup])
    inside = np.isin(truth, named)
    if not inside.any():
        raise ConfigError("no held-out window is of the line-up: thresholds cannot be chosen")
    importance = _alike(truth, real)
    temperatures = np.exp(np.linspace(np.log(0.3), np.log(4), 100))
    rows = np.arange(len(truth))
    likelihoods = [
        np.average(np.log(softmax(logits, t)[rows, truth] + 1e-12), weights=importance) for t in temperatures
    ]
    temperature = float(temperatures[int(np.argmax(likelihoods))])
    probabilities = softmax(logits, temperature)
    together = probabilities[:, named].sum(axis=1)
    known = _quantile(together[inside], importance[inside], 1 - accepted)
    chosen = probabilities.argmax(axis=1)
    thresholds = {}
    for number, label in enumerate(labels):
        right = (truth == number) & (chosen == number)
        lowest = _quantile(probabilities[right, number], importance[right], 1 - accepted) if right.any() else _UNTRIED
        thresholds[label] = round(min(float(lowest), _CEILING), 3)
    return Acceptance(round(temperature, 4), thresholds, round(known, 3))


def _alike(truth: npt.NDArray[np.int64], real: npt.NDArray[np.bool_]) -> Array:
    """Weights by which every label counts as much as another, and real windows as much as composed ones."""
    importance = np.zeros(len(truth))
    for side in (True, False):
        here = real == side
        present = np.unique(truth[here])
        for label in present:
            rows = here & (truth == label)
            importance[rows] = 1 / (rows.sum() * len(present))
    return importance


def _quantile(values: Array, weights: Array, share: float) -> float:
    order = np.argsort(values)
    cumulated = np.cumsum(weights[order])
    return float(values[order][np.searchsorted(cumulated, share * cumulated[-1])])
