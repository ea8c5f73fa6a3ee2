"""Windows of held-out real recordings as a data set: clips of every class that a model may tell, to judge it by."""

from __future__ import annotations

import functools
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Final

import numpy as np

from stream.recognition.mel import SAMPLE_RATE, WINDOW
from train.compose.real_recordings import RealPlayer, real_players
from train.datasets.clips import Array, Clip
from train.datasets.labels import ALL_LABELS

_LEAST: Final = 1.0  # s of recordings that a window is made of
_MOST: Final = 16  # windows of one player


@dataclass(frozen=True)
class RealWindows:
    """Windows of real recordings that no model learns from; implements `clips.Dataset`.

    Of each source and each song's recording there are as many windows as there is audio for, 16 at most, each an
    excerpt of one file, or of notes one after another where these are shorter.

    Raises
    ------
    SourceError
        If there is no manifest.
    """

    data: Path
    """Folder with `training.csv`, and `songs.csv` where it has songs."""
    seed: int = 0

    def __getstate__(self) -> dict[str, Any]:
        """Only the settings go to another process."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    @property
    def name(self) -> str:
        """What the data set is called in reports."""
        return "held-out recordings"

    @functools.cached_property
    def labels(self) -> tuple[str, ...]:
        """Labels that there are windows of, in the order of all labels."""
        there = {clip.label for clip in self.clips}
        return tuple(label for label in ALL_LABELS if label in there)

    @functools.cached_property
    def clips(self) -> tuple[Clip, ...]:
        """All windows, as test clips; nothing is read for that."""
        return tuple(
            Clip(player.label, f"{player.label}: {player.source}", "test", player.source, player.licence, None, at)
            for player in self._players.values()
            for at in range(min(_MOST, max(1, int(player.seconds * SAMPLE_RATE / WINDOW))))
        )

    @property
    def digest(self) -> str:
        """Empty: nothing is trained on them."""
        return ""

    def audio(self, clip: Clip) -> Array:
        """Audio of a window; parameters, result and errors as for `clips.Dataset`."""
        rng = np.random.default_rng([self.seed, 7, list(self._players).index(clip.recording), clip.number])
        sound = self._players[clip.recording].play(self.data, WINDOW / SAMPLE_RATE, rng)
        return np.pad(sound, (0, WINDOW - len(sound)))

    @functools.cached_property
    def _players(self) -> dict[str, RealPlayer]:
        return {f"{player.label}: {player.source}": player for player in real_players(self.data, least=_LEAST)}
