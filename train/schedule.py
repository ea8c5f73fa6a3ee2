"""How to fit a network, and what is written down of it."""

from __future__ import annotations

from dataclasses import dataclass

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
    """Epochs without a better one after which to stop; None for all epochs."""
    augmented: bool = True
    """Whether to change and mix up the clips."""
    seed: int = 0
    """Of the weights, the order, the dropout and the augmentation."""


def best_epoch(history: History) -> int:
    """Find the epoch with the highest class average on validation: its number from 1, or 0 before the first."""
    merits = [(entry["validation_class_average"], -entry["validation_loss"]) for entry in history]
    return 1 + merits.index(max(merits)) if merits else 0
