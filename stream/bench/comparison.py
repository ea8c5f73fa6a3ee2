"""Whole benches of two installations in turn, and what their figures say pair by pair."""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from stream.bench.figures import FIGURES, GROUPS, Figures, keys
from stream.bench.installation import other_installation, this_installation
from stream.errors import ConfigError

Verdict = Literal["better", "equal", "worse"]

_LEAST_DIFFERENCE: Final = 0.01
"""Of a ratio from 1: what differs by less is called equal, however sure that is."""
_STUDENT_95: Final = (12.71, 4.31, 3.19, 2.78, 2.58, 2.45, 2.37, 2.31, 2.27, 2.23)
"""Two-sided 95 % quantiles of Student's t for 1, 2, ... degrees of freedom, rounded up. The last one does for more."""


@dataclass(frozen=True, slots=True)
class ComparedFigure:
    """One figure of both installations."""

    ours: float | None
    """Median over the rounds; None where it was not measured."""
    theirs: float | None
    ratios: tuple[float, ...]
    """Ours divided by theirs, for each round in which both have it and neither is 0."""
    verdict: Verdict | None
    """Of ours; None where there are no two pairs, which is what it takes to know noise."""

    @property
    def ratio(self) -> float | None:
        """The median of the ratios."""
        return statistics.median(self.ratios) if self.ratios else None


@dataclass(frozen=True, slots=True)
class Comparison:
    """All figures of both installations."""

    ours: str
    """What our installation says that it is, as `soloist 0.2.0`."""
    theirs: str
    against: str
    """The other's command, as it was given."""
    rounds: int
    figures: dict[str, ComparedFigure]
    """In the order of `FIGURES`, then those that only the other has."""


def compare(
    against: str,
    rounds: int,
    groups: tuple[str, ...] | None = None,
    model: str | None = None,
    report: Callable[[str], None] = lambda line: None,
) -> Comparison:
    """Run benches of this installation and another one in turn, and compare their figures.

    Both run the same way: in processes of their own, one after the other, with the same variables and niceness. Each
    round changes who comes first, so that a machine that grows slower or faster meanwhile favours neither.

    Parameters
    ----------
    against : str
        The command of the other one, as for `other_installation`.
    rounds : int
        Pairs of benches.
    groups : tuple of str, optional
        Those out of `figures.GROUPS` that are wanted, all without it. A version that cannot choose measures all.
    model : str, optional
        A path gives both the same model. Of a name, and of none, each takes what it was shipped with.
    report : callable
        Called with a line before each bench.

    Raises
    ------
    ConfigError
        When there are no such rounds, or no such command.
    BenchError
        When a bench of either fails.
    """
    if rounds < 1:
        raise ConfigError(f"--rounds is {rounds}; expected 1 or more")
    here, there = this_installation(), other_installation(against)
    versions = here.version(), there.version()
    wanted = ["--model", _found_anywhere(model)] if model else []
    only = ["--only", ",".join(groups)] if groups else []
    ours: list[Figures] = []
    theirs: list[Figures] = []
    # The other one first, for it is more likely to fail.
    sides = [
        (against, there, wanted + (only if there.can_choose() else []), theirs),
        ("this installation", here, wanted + only, ours),
    ]
    started = time.monotonic()
    for number in range(rounds):
        for name, side, arguments, figures in sides:
            done = len(ours) + len(theirs)
            left = (2 * rounds - done) * (time.monotonic() - started) / done if done else None
            rest = "" if left is None else f" ({_minutes(left)} left)"
            report(f"round {number + 1} of {rounds}: {name}{rest}")
            figures.append(side.bench(arguments))
        sides.reverse()
    return Comparison(*versions, against, rounds, compared(ours, theirs, groups))


def compared(
    ours: Sequence[Figures], theirs: Sequence[Figures], groups: tuple[str, ...] | None = None
) -> dict[str, ComparedFigure]:
    """Compare the figures of as many benches of both, pair by pair.

    Parameters
    ----------
    ours, theirs : sequence of dict
        Figures of one bench each.
    groups : tuple of str, optional
        Whose figures are compared; without it those that either of them has.
    """
    # A bench of version 0.1 lists the figures of a soak too, which it has not measured.
    had = dict.fromkeys(key for figures in (*ours, *theirs) for key in figures)
    shown = keys(groups or GROUPS) + [key for key in had if key not in FIGURES and not groups]
    return {
        key: _compared_figure(key, [bench.get(key) for bench in ours], [bench.get(key) for bench in theirs])
        for key in shown
    }


def _compared_figure(key: str, ours: list[float | None], theirs: list[float | None]) -> ComparedFigure:
    pairs = [(mine, other) for mine, other in zip(ours, theirs, strict=True) if mine is not None and other is not None]
    ratios = tuple(mine / other for mine, other in pairs if mine > 0 and other > 0)
    verdict: Verdict | None = None
    if len(pairs) > 1 and key in FIGURES:
        # What slows the machine slows both of a pair, which a ratio does not show. Where one is 0, as lost messages are
        # meant to be, there is none.
        if len(ratios) == len(pairs):
            sign = _sign([math.log(ratio) for ratio in ratios], math.log1p(_LEAST_DIFFERENCE))
        else:
            sign = _sign([mine - other for mine, other in pairs], 0.0)
        good = -1 if FIGURES[key].better == "lower" else 1
        verdict = "equal" if not sign else "better" if sign == good else "worse"
    return ComparedFigure(_median(ours), _median(theirs), ratios, verdict)


def _sign(differences: list[float], least: float) -> int:
    """Return the sign of the mean of differences, or 0 where it may be noise or is no more than `least`.

    It may be noise where the mean's 95 % confidence interval by Student's t reaches 0.
    """
    mean = statistics.fmean(differences)
    quantile = _STUDENT_95[min(len(differences) - 1, len(_STUDENT_95)) - 1]
    reach = quantile * statistics.stdev(differences) / math.sqrt(len(differences))
    return 0 if abs(mean) <= max(reach, least) else 1 if mean > 0 else -1


def _median(values: list[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return statistics.median(known) if known else None


def _found_anywhere(model: str) -> str:
    """Return the path of a model as it is found from another folder; a name is found anyway."""
    path = Path(model)
    return str(path.absolute()) if path.suffix in (".tflite", ".json") else model


def _minutes(seconds: float) -> str:
    return f"{seconds / 60:.0f} min" if seconds >= 90 else f"{seconds:.0f} s"
