"""Taught names: heads on what a model puts out, and what they make of its probabilities."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt

from stream.errors import ConfigError
from stream.recognition.bundle import Bundle
from stream.recognition.classifier import Classifier, Inference
from stream.recognition.settings import MODEL
from stream.recognition.smoothing import Probabilities

Real: TypeAlias = npt.NDArray[np.floating]

THRESHOLD: Final = 0.5
"""Probability from which a taught name is named: its bias is fitted to that."""

MAX_TAUGHT: Final = 64
"""Names at the most."""

_LEAST: Final = 0.1
"""Probability below which all are alike: of what a model hardly hears, how little says more about the recording than
about who plays."""

_STEEPEST: Final = 60.0  # of a logit, so that its exponential is a number


@dataclass(frozen=True, slots=True)
class Head:
    """What tells one taught name from everything else."""

    name: str
    weights: tuple[float, ...]
    """One for each number of `describe`."""
    bias: float


def describe(embeddings: Real, probabilities: Probabilities) -> Real:
    """Put what a model says of windows into the numbers that heads weigh.

    An embedding tells players apart, and is another one in another room; which labels a model finds probable is much
    the same there. Heads on both recognize an instrument in other recordings more often than on either alone, see
    ``docs/teach.md``.

    Parameters
    ----------
    embeddings : np.ndarray [shape=(..., n_numbers), dtype=float32]
        Of unit length.
    probabilities : np.ndarray [shape=(..., n_instruments), dtype=float64]

    Returns
    -------
    np.ndarray [shape=(..., n_numbers + n_instruments), dtype=float64]
        The embedding, and the direction of the logarithms of the probabilities about their mean; zeros where no label
        is probable.
    """
    logarithms = np.log(np.maximum(probabilities, _LEAST))
    centred = logarithms - logarithms.mean(axis=-1, keepdims=True)
    lengths = np.linalg.norm(centred, axis=-1, keepdims=True)
    return np.concatenate([embeddings, centred / np.where(lengths > 0, lengths, 1)], axis=-1)


class TaughtNames:
    """The taught names of one recognizer.

    The logit of a name is what its head makes of a window, its odds against everything else the exponential of
    that. Against each other the names compete by these odds: of several names with odds ``o`` one has the probability
    ``o[i] / (1 + sum(o))``, and the model's labels share what is left, ``1 / (1 + sum(o))``, as they did before. So
    all of them and `unknown` still sum to 1, a single name has the logistic function of its logit, and it does not
    matter in which order the names were taught.

    Parameters
    ----------
    heads : sequence of Head
    classifier : Classifier
        With the model that they are fitted to.

    Raises
    ------
    ConfigError
        When the model has no embedding, or one of another length; when a name stands twice or is one of the model's
        labels; or when there are more than `MAX_TAUGHT`.
    """

    def __init__(self, heads: Sequence[Head], classifier: Classifier) -> None:
        bundle = classifier.bundle
        names = tuple(head.name for head in heads)
        length = embedding_length(classifier) + len(bundle.instruments)
        if len(names) > MAX_TAUGHT:
            raise ConfigError(f"{len(names)} names are taught; expected {MAX_TAUGHT} at the most")
        for number, head in enumerate(heads):
            if head.name in (*bundle.labels, *names[:number]):
                raise ConfigError(f"{head.name!r} is taught, and there is that name already; give it another one")
            if len(head.weights) != length:
                raise ConfigError(f"{head.name!r} has {len(head.weights)} weights; model {bundle.name} needs {length}")
        self.names = names
        self._weights = np.array([head.weights for head in heads], np.float64)
        self._biases = np.array([head.bias for head in heads], np.float64)

    def join(self, inference: Inference) -> Probabilities:
        """Let the taught names take their share of the probabilities of one window.

        Returns
        -------
        np.ndarray [shape=(n_instruments + n_names,), dtype=float64]
            Without an embedding, which is where it has no direction, no taught name is heard.
        """
        embedding = inference.embedding
        if embedding is None:
            return np.append(inference.probabilities, np.zeros(len(self.names)))
        described = describe(embedding, inference.probabilities)
        odds = np.exp(np.clip(self._weights @ described + self._biases, -_STEEPEST, _STEEPEST))
        rest = 1 / (1 + odds.sum())
        return np.concatenate([inference.probabilities * rest, odds * rest])


def with_names(bundle: Bundle, names: Sequence[str]) -> Bundle:
    """Return a bundle as if taught names were labels of its own, in its line-up as well."""
    return replace(
        bundle,
        labels=(*bundle.labels, *names),
        thresholds=(*bundle.thresholds, *[THRESHOLD] * len(names)),
        lineup=(*bundle.lineup, *names) if bundle.lineup else (),
    )


def embedding_length(classifier: Classifier) -> int:
    """Return how many numbers a model's embedding has.

    Raises
    ------
    ConfigError
        When it has none.
    """
    tensor = classifier.tensors.get("embedding")
    if tensor is None:
        name = classifier.bundle.name
        raise ConfigError(f"model {name} has no embedding, so that no name can be taught with it; {MODEL} has one")
    return int(tensor.shape[-1])
