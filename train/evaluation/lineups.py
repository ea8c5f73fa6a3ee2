"""The line-up that a bundle names unless others are asked for, and the rule that it names it by."""

from __future__ import annotations

from stream.recognition.bundle import Bundle
from train.evaluation.clip_metrics import Calibration


def lineup_of(bundle: Bundle) -> tuple[str, ...]:
    """Return what a bundle names by default: its line-up, or all its instruments."""
    return bundle.lineup or bundle.instruments


def rule_of(bundle: Bundle) -> Calibration:
    """Return how a bundle names its line-up."""
    thresholds = dict(zip(bundle.instruments, bundle.thresholds, strict=True))
    return Calibration(bundle.temperature, tuple(thresholds[label] for label in lineup_of(bundle)), bundle.known)
