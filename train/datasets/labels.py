"""The labels of Medley-solos-DB, which are those of the shipped models."""

from __future__ import annotations

from typing import Final

LABELS: Final = (
    "clarinet",
    "distorted electric guitar",
    "female singer",
    "flute",
    "piano",
    "tenor saxophone",
    "trumpet",
    "violin",
    "unknown",
)
"""The model's outputs in order: the instruments of Medley-solos-DB by name, then everything else."""

INSTRUMENTS: Final = LABELS[:-1]
"""The eight instruments that can be named."""
