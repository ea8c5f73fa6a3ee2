"""How to fit a network, and what is written down of it."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

History = list[dict[str, float]]
"""An entry for each epoch; keys are those of `history.json`."""


@dataclass(frozen=True, slots=True)
class Schedule:
    """How to fit."""

    epochs: int = 40
    """At most."""
    batch: int = 64
    """Clips for each step, of all workers together."""
    rate: float = 2e-3
    """Learning rate after the warm-up, falling to 0 along a cosine."""
    decay: float = 1e-3
    """Weight decay of AdamW."""
    smoothing: float = 0.05
    """Share of each target that is spread over all labels."""
    patience: int | None = None
    """Epochs after which to stop when neither class average nor loss on validation gets better; None for never."""
    augmented: bool = True
    """Whether to change and mix up the clips."""
    without: tuple[str, ...] = ()
    """Which of `train.fitting.augmentation.AUGMENTATIONS` to leave out."""
    handovers: float = 0.0
    """Share of the clips that begin with another player, who hands over to the one that is to be named."""
    average: float = 0.995
    """Decay of the moving average of the weights, step by step, which is what is scored and kept; 0 for none."""
    seed: int = 0
    """Of the weights, the order, the dropout and the augmentation."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "without", tuple(self.without))  # json knows lists only


def best_epoch(history: History) -> int:
    """Find the epoch to keep: its number from 1, or 0 before the first.

    It is a sure one of those whose class average on validation is within a standard error of the highest (after
    Breiman's rule). Of a dozen clips a lucky early epoch may have all right, and be sure of nothing.

    An epoch takes the place of the one kept so far when that is no longer within the error of the highest, or when it
    is within it itself and has a lower loss. So the epoch to keep is always the newest or the one kept before: who
    learns has the weights of no other.
    """
    best, highest = 0, 0.0
    for number, entry in enumerate(history, 1):
        highest = max(highest, entry["validation_class_average"])
        clips = entry["validation_clips"]
        share = (highest * clips + 1) / (clips + 2)  # Laplace's estimate: all right of a few is not all right of many
        least = highest - math.sqrt(share * (1 - share) / clips)
        kept = history[best - 1]
        worn = not best or kept["validation_class_average"] < least
        surer = entry["validation_class_average"] >= least and entry["validation_loss"] < kept["validation_loss"]
        if worn or surer:
            best = number
    return best


def epochs_since_best(history: History) -> int:
    """Count the epochs since class average or loss on validation were last at their best."""
    if not history:
        return 0
    losses = [entry["validation_loss"] for entry in history]
    averages = [entry["validation_class_average"] for entry in history]
    return len(history) - 1 - max(losses.index(min(losses)), averages.index(max(averages)))


def fit_batch_size(schedule: Schedule, clips: int) -> Schedule:
    """Make the batches of a schedule smaller where an epoch of `clips` would have less than 32 steps; 8 at least."""
    return replace(schedule, batch=max(min(schedule.batch, clips // 32), 8))
