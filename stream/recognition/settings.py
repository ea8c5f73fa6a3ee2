"""What is to be recognized, and with what."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Final, Literal, TypeAlias

from stream.system.fields import Range, check

# The settings are read before anything heavy is imported: `stream.recognition.mel`, whose 11 frames of 512 samples at
# 22 050 Hz these are, is not imported here.
HOP: Final = 11 * 512 / 22_050
"""Default hop: 11 frames, 0.255 s."""
GATE: Final = -70.0
"""Default level below which it is silent, in dBFS. Quiet solos of real recordings go down to -60."""
MODEL: Final = "lead"
"""Name of the shipped model that is used by default."""

Runtime: TypeAlias = Literal["auto", "litert", "tflite"]


@dataclass(frozen=True, slots=True)
class RecognitionSettings:
    """What is to be recognized, and with what.

    Raises
    ------
    ConfigError
        When a value cannot be used. The text names it and what was expected.
    """

    instruments: tuple[str, ...] | None = None
    """Tonight's line-up: only these are named, or ``all`` that the model knows; without it, its own line-up."""
    hop: Annotated[float, Range(0.02, 2.97)] = HOP
    """From one estimate to the next, in seconds."""
    gate: Annotated[float, Range(-120, 0)] = GATE
    """RMS level below which it is silent, in dBFS."""
    threshold: Annotated[float | None, Range(0, 1)] = None
    """Probability from which an instrument is named, in place of the model's thresholds."""
    model: str = MODEL
    """Name of a shipped model, or the path of a .tflite file."""
    players: str | None = None
    """Folder of taught players, whose names are labels besides the model's; none without it."""
    runtime: Runtime = "auto"
    """TFLite interpreter: auto, litert or tflite."""
    threads: Annotated[int, Range(1, 64)] = 1
    """Threads for one inference."""

    def __post_init__(self) -> None:
        check(self)
