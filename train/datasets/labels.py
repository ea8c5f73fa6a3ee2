"""The labels of Medley-solos-DB, which are those of the shipped models, and the study's choices of them."""

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

TASKS: Final[dict[str, tuple[str, ...]]] = {
    "2": ("distorted electric guitar", "female singer"),
    "3": ("clarinet", "distorted electric guitar", "female singer"),
    "4": ("clarinet", "distorted electric guitar", "female singer", "piano"),
    "8": INSTRUMENTS,
}
"""The study's tasks, by the number of instruments to tell apart."""
