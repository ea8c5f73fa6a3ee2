"""Fitting the heads of taught names: each against the bank, and all of them against each other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from stream.players.bank import Bank
from stream.players.enrolment import Enrolment
from stream.players.reliability import Reliability
from stream.recognition.bundle import Bundle
from stream.recognition.taught import THRESHOLD, Head, Real

RIDGE: Final = 1e-3
"""What the square of a weight costs, beside a mean logarithmic loss of all windows."""

STRANGERS: Final = 0.02
"""Share of the bank that is let pass: a head's bias is such that as many are above the threshold."""

_MOSTLY: Final = 0.75  # share of the windows from which on it is one of what the model takes it for
_RIVALS: Final = 0.5  # weight of taught names that the model takes for the same, among all that is not the name
_NEAREST: Final = 3
_STEPS: Final = 50
_CLOSE: Final = 1e-6  # step of a weight below which a fit is done
_STEEPEST: Final = 40.0  # of a logit, so that its exponential is a number


@dataclass(frozen=True, eq=False)
class EnrolledName:
    """What is known of a name before its head is fitted."""

    name: str
    like: str | None
    """The label of the model that it is one of, if others of that may be taken for it."""
    enrolment: Enrolment


def likeness(enrolment: Enrolment, bundle: Bundle) -> str | None:
    """Tell of which of the model's labels a name is to be one, unless somebody says it.

    It is what the model takes three quarters of the windows for, if that is none of the labels which it names by
    default. So a cello that is taught to a model which hears cellos and names none may be any cello; but a violin is
    told from other violins, which go on to be called that.
    """
    label, share = next(iter(enrolment.taken_for(bundle.instruments).items()))
    return label if share >= _MOSTLY and label not in (bundle.lineup or bundle.instruments) else None


def fit_all(enrolled: Sequence[EnrolledName], bank: Bank, bundle: Bundle) -> list[tuple[Head, Reliability]]:
    """Fit the heads of all names that are to be told apart, and see how they do.

    Parameters
    ----------
    enrolled : sequence of EnrolledName
    bank : Bank
        Of the bundle's model.
    bundle : Bundle

    Returns
    -------
    list of (Head, Reliability)
        In the order of the names.
    """
    heads, sides, strangers = _heads(enrolled, bank)
    return [
        (head, _judge(number, enrolled, heads, sides[number], strangers[number], bundle))
        for number, head in enumerate(heads)
    ]


def judge_last(enrolled: Sequence[EnrolledName], bank: Bank, bundle: Bundle) -> Reliability:
    """Tell of the last name alone what `fit_all` tells of all: with many names that is a fraction of the work."""
    heads, sides, strangers = _heads(enrolled, bank)
    return _judge(len(heads) - 1, enrolled, heads, sides[-1], strangers[-1], bundle)


def _heads(enrolled: Sequence[EnrolledName], bank: Bank) -> tuple[list[Head], list[_Side], list[Bank]]:
    """Fit all heads; with each goes what it is told from, and what of the bank sets its threshold."""
    points = [each.enrolment.points for each in enrolled]
    kinds = [int(np.bincount(each.enrolment.probabilities.argmax(axis=1)).argmax()) for each in enrolled]
    strangers = [_strangers(each, bank) for each in enrolled]
    sides = []
    for number in range(len(enrolled)):
        others = [at for at in range(len(enrolled)) if at != number]
        rivals = [points[at] for at in others if kinds[at] == kinds[number]]
        rest = [points[at] for at in others if kinds[at] != kinds[number]]
        sides.append(_Side(strangers[number].points, np.concatenate([*rest, strangers[number].points]), rivals))
    heads = [side.head(each.name, own) for each, own, side in zip(enrolled, points, sides, strict=True)]
    return heads, sides, strangers


def fit_logistic(points: Real, targets: Real, shares: Real, ridge: float) -> tuple[Real, float]:
    """Fit a linear logit by Newton's method.

    That is iteratively reweighted least squares: Hastie, Tibshirani and Friedman, The Elements of Statistical Learning,
    4.4.1, with a penalty on the weights.

    Parameters
    ----------
    points : np.ndarray [shape=(n, n_numbers), dtype=float64]
    targets : np.ndarray [shape=(n,), dtype=float64]
        1 for what is to be told from the rest, 0 for the rest.
    shares : np.ndarray [shape=(n,), dtype=float64]
        How much each point counts; their sum is 1.
    ridge : float
        What the square of a weight costs; the bias costs nothing.

    Returns
    -------
    weights : np.ndarray [shape=(n_numbers,), dtype=float64]
    bias : float
    """
    raised = np.column_stack([points, np.ones(len(points))])
    cost = np.full(raised.shape[1], ridge)
    cost[-1] = 1e-9  # lest the matrix be singular
    fitted = np.zeros(raised.shape[1])
    for _ in range(_STEPS):
        probable = 1 / (1 + np.exp(-np.clip(raised @ fitted, -_STEEPEST, _STEEPEST)))
        slope = raised.T @ (shares * (probable - targets)) + cost * fitted
        bend = (raised.T * (shares * probable * (1 - probable))) @ raised + np.diag(cost)
        step = np.linalg.solve(bend, slope)
        fitted -= step
        if np.abs(step).max() < _CLOSE:
            break
    return fitted[:-1], float(fitted[-1])


@dataclass(frozen=True, eq=False)
class _Side:
    """All that a name is to be told from."""

    strangers: Real
    """Of the bank: who sets the threshold."""
    rest: Real
    """These, and the taught names that the model takes for something else."""
    rivals: Sequence[Real]
    """The taught names that it takes for the same."""

    def head(self, name: str, own: Real) -> Head:
        """Fit a head; its own windows count as much as all others together."""
        against = np.concatenate([self.rest, *self.rivals])
        count = len(against) - len(self.rest)
        share = _RIVALS if count else 0.0
        shares = [
            np.full(len(own), 0.5 / len(own)),
            np.full(len(self.rest), 0.5 * (1 - share) / len(self.rest)),
            np.full(count, 0.5 * share / max(1, count)),
        ]
        targets = np.concatenate([np.ones(len(own)), np.zeros(len(against))])
        weights, _ = fit_logistic(np.concatenate([own, against]), targets, np.concatenate(shares), RIDGE)
        bias = -float(np.quantile(self.strangers @ weights, 1 - STRANGERS))
        return Head(name, tuple(weights.tolist()), bias)


def _strangers(name: EnrolledName, bank: Bank) -> Bank:
    return bank if name.like is None else bank.without(bank.where(labels=(name.like,)))


def _judge(
    number: int, enrolled: Sequence[EnrolledName], heads: Sequence[Head], side: _Side, strangers: Bank, bundle: Bundle
) -> Reliability:
    """Hold out one stretch after the other, and let the bank pass before the head that was fitted to all."""
    name, enrolment = enrolled[number].name, enrolled[number].enrolment
    points = enrolment.points
    held_out = recognized = 0
    rivals = np.zeros(len(heads), np.int64)
    for stretch in range(enrolment.stretches):
        tried, used = points[enrolment.within(stretch)], points[enrolment.outside(stretch)]
        if not len(tried) or not len(used):
            continue
        named = _named([*heads[:number], side.head(name, used), *heads[number + 1 :]], tried)
        held_out += len(tried)
        recognized += int((named == number).sum())
        rivals += np.bincount(named[named >= 0], minlength=len(heads))
    rivals[number] = 0
    passing = _named([heads[number]], strangers.points) == 0
    return Reliability(
        held_out,
        recognized,
        len(strangers),
        int(passing.sum()),
        _nearest(strangers.labels, passing),
        {heads[at].name: int(count) for at, count in enumerate(rivals) if count},
        enrolment.taken_for(bundle.instruments),
    )


def _named(heads: Sequence[Head], points: Real) -> npt.NDArray[np.int64]:
    """Tell which name each window has, -1 for none; see `stream.recognition.taught.TaughtNames`."""
    weights = np.array([head.weights for head in heads])
    logits = points @ weights.T + np.array([head.bias for head in heads])
    odds = np.exp(np.clip(logits, -_STEEPEST, _STEEPEST))
    probable = odds / (1 + odds.sum(axis=1, keepdims=True))
    best = probable.argmax(axis=1)
    return np.where(probable.max(axis=1) >= THRESHOLD, best, -1)


def _nearest(labels: Sequence[str], passing: npt.NDArray[np.bool_]) -> Mapping[str, float]:
    """Share of the windows of each label that pass, of the labels of which most do."""
    named = np.array(labels)
    shares = {str(label): float(passing[named == label].mean()) for label in dict.fromkeys(labels)}
    ranked = sorted(((label, share) for label, share in shares.items() if share), key=lambda item: -item[1])
    return dict(ranked[:_NEAREST])
