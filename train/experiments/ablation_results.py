"""What the trainings of an ablation came to, kept in ablation.json, and how far two rows are apart."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np

from stream.errors import SourceError
from train.atomic_file import write_atomically
from train.evaluation.clip_metrics import Ints

FULL: Final = "full"
"""Name of the row that the others are compared with."""

_DIGITS: Final = "0123456789abcdef"


@dataclass(frozen=True, slots=True)
class ScoredClips:
    """Clips that every row is scored on."""

    digest: str
    """Of their features."""
    targets: str
    """Label of each, a hexadecimal digit: its place among the instruments, or the first one after them."""


@dataclass(frozen=True, slots=True)
class Answers:
    """What one model said of them."""

    best: str
    """The most probable instrument of each clip, written like the targets."""
    rejected: float | None
    """Share of what is unknown that falls below the confidence that 90 % of the instruments' clips reach."""
    likelihood: float
    """Mean negative log-likelihood of the true label, in nats."""
    error: float
    """Expected calibration error."""


@dataclass(frozen=True, slots=True)
class AblationTrial:
    """One training of a row."""

    row: str
    seed: int
    best: int
    """Epoch that was kept, from 1."""
    epochs: int
    seconds: float
    """Wall time of the training."""
    parameters: int
    size: int
    """Bytes of the int8 model, which is what was scored."""
    temperature: float
    """That its logits are divided by."""
    held: Answers
    """On the composed clips of held-out sources."""
    real: Answers | None = None
    """On the pack's real clips; None where nobody looked."""


@dataclass(slots=True)
class Ablation:
    """All that stands in a folder's ablation.json."""

    settings: dict[str, Any]
    """How every training was done, as json takes it."""
    data: str
    """What the clips are composed of."""
    instruments: tuple[str, ...]
    rows: dict[str, str]
    """What each row is, in words, in the order in which they are declared."""
    held: ScoredClips
    real: ScoredClips | None = None
    looks: list[int] = field(default_factory=list)
    """Which looks at the real clips, of all that were counted, this table took."""
    trials: list[AblationTrial] = field(default_factory=list)

    def of(self, row: str) -> list[AblationTrial]:
        """Trials of a row, by seed."""
        return sorted((trial for trial in self.trials if trial.row == row), key=lambda trial: trial.seed)

    @property
    def trained(self) -> list[str]:
        """Rows that have a trial, in the order in which they are declared."""
        return [row for row in self.rows if self.of(row)]

    def add(self, trial: AblationTrial) -> None:
        """Put a trial where its row and seed belong."""
        order = list(self.rows)
        self.trials = sorted([*self.trials, trial], key=lambda one: (order.index(one.row), one.seed))

    def save(self, path: Path) -> None:
        """Write the file whole or not at all; SourceError where it cannot be."""
        write_atomically(path, (json.dumps(asdict(self), indent=1, ensure_ascii=False) + "\n").encode())


def load_ablation(path: Path) -> Ablation:
    """Read a file of `Ablation.save`; SourceError where it cannot be."""
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        trials = [
            AblationTrial(
                **{
                    **trial,
                    "held": Answers(**trial["held"]),
                    "real": Answers(**trial["real"]) if trial["real"] else None,
                }
            )
            for trial in record["trials"]
        ]
        return Ablation(
            **{
                **record,
                "instruments": tuple(record["instruments"]),
                "held": ScoredClips(**record["held"]),
                "real": ScoredClips(**record["real"]) if record["real"] else None,
                "trials": trials,
            }
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise SourceError(f"cannot read the ablation {path}: {error!r}") from error


@dataclass(frozen=True, slots=True)
class Difference:
    """Between the class averages of two rows on the same clips."""

    mean: float
    error: float | None
    """Standard error; None where it cannot be known."""

    def __str__(self) -> str:
        """In points, with an asterisk beyond two standard errors."""
        if self.error is None:
            return f"{100 * self.mean:+.1f}"
        return f"{100 * self.mean:+.1f} ±{100 * self.error:.1f}" + " *" * (abs(self.mean) > 2 * self.error)


def labels_to_hex(numbers: Ints) -> str:
    """Write numbers below 16 as one hexadecimal digit each."""
    return "".join(_DIGITS[number] for number in numbers)


def labels_from_hex(text: str) -> Ints:
    """Undo `labels_to_hex`."""
    return np.array([int(digit, 16) for digit in text], np.int64)


def paired_difference(targets: Ints, full: Sequence[Ints], other: Sequence[Ints]) -> Difference:
    """Compare the class averages of two rows on the same clips.

    The error has two parts. Every label's clips are a sample of what could be composed of it, which gives the error of
    the mean over the labels of paired differences. And every training is a sample of what its recipe could come to:
    how much the seeds of a row lie apart, pooled over both rows, is known where either has two.

    Parameters
    ----------
    targets : np.ndarray [shape=(n,), dtype=int64]
        Labels of the clips.
    full, other : sequence of np.ndarray [shape=(n,), dtype=int64]
        What each row called them, one array for each seed.

    Returns
    -------
    Difference
        Other minus full.
    """
    labels = np.unique(targets)
    rows = [np.stack([called == targets for called in row]).astype(float) for row in (full, other)]
    averages = [np.mean([right[:, targets == label].mean(axis=1) for label in labels], axis=0) for right in rows]
    mean = float(averages[1].mean() - averages[0].mean())
    paired = rows[1].mean(axis=0) - rows[0].mean(axis=0)
    if min(np.bincount(targets)[labels]) < 2:
        return Difference(mean, None)
    errors = [paired[targets == label].var(ddof=1) / np.sum(targets == label) for label in labels]
    variance = float(np.sum(errors)) / len(labels) ** 2
    if freedom := len(full) + len(other) - 2:
        apart = sum(float(np.sum((row - row.mean()) ** 2)) for row in averages) / freedom
        variance += apart * (1 / len(full) + 1 / len(other))
    return Difference(mean, math.sqrt(variance))
