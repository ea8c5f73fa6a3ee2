"""Clips: three seconds of one predominant instrument each, whatever data set they come from."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, Protocol

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float32]
Split = Literal["training", "validation", "test"]

SPLITS: Final[tuple[Split, ...]] = ("training", "validation", "test")


@dataclass(frozen=True, slots=True)
class Clip:
    """One window of a recording, or one that is composed of several, and what is known of it."""

    label: str
    recording: str
    """What it was cut from: all clips of one recording are on one side of the split."""
    split: Split
    source: str
    """Library, collection or player."""
    licence: str
    """Empty where it is not known."""
    path: Path | None
    """Audio file; None for a composed clip."""
    number: int
    """Which window of the file, or which composed clip, from 0."""

    def __str__(self) -> str:
        return f"composed clip {self.number}" if self.path is None else f"{self.path}, window {self.number}"


class Dataset(Protocol):
    """A collection of clips, with their audio."""

    @property
    def name(self) -> str:
        """What the data set is called in reports."""

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels in the order of the model's outputs, `unknown` last where there is one."""

    @property
    def clips(self) -> tuple[Clip, ...]:
        """All clips, of all splits."""

    @property
    def digest(self) -> str:
        """Of what determines composed clips; empty where files do."""

    def audio(self, clip: Clip) -> Array:
        """Audio of a clip.

        Parameters
        ----------
        clip : Clip
            One of `clips`.

        Returns
        -------
        np.ndarray [shape=(65536,), dtype=float32]
            Mono audio at 22 050 Hz; zeros follow where the recording ends earlier.

        Raises
        ------
        SourceError
            If its file cannot be read, or holds no audio there. The text names the file.
        """
