"""Windows of music without labels, for the tags alone: what the untouched network says of real music is kept."""

from __future__ import annotations

import functools
import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from train.datasets.game_music import MANIFEST
from train.datasets.labels import ALL_LABELS
from train.datasets.music_windows import MusicWindows
from train.transfer.window_store import Window

CUT_INTO_SONGS: Final = (
    *("0ad", "fretsonfire", "gcompris", "lmms", "marsshooter", "plee", "redeclipse", "torcs", "unknown-horizons"),
    "wesnoth",
)
"""What packages begin with whose recordings the table of songs has, some of them held out: none of it is heard here."""


@dataclass(frozen=True)
class UnlabelledMusic:
    """Implements `window_store.Windows`: no target, and no player."""

    folder: Path
    """Of `soloist train music`."""
    count: int
    seed: int = 0

    @property
    def labels(self) -> tuple[str, ...]:
        """All labels, of which nothing is known here."""
        return ALL_LABELS

    @functools.cached_property
    def digest(self) -> str:
        """Of the folder's table and the seed."""
        table = hashlib.sha256((self.folder / MANIFEST).read_bytes()).hexdigest()
        return f"music {table} {self.seed}"

    @property
    def players(self) -> tuple[str, ...]:
        """Nobody."""
        return ("",) * self.count

    def __len__(self) -> int:
        return self.count

    def window(self, number: int) -> Window:
        """Cut one window out of a file that is not among the songs."""
        music = self._music
        draw = number
        while music.file(draw).package.startswith(CUT_INTO_SONGS):
            draw += 1_000_003  # far from the numbers of other windows
        empty = np.zeros(len(ALL_LABELS), np.float32)
        return Window(music.audio(draw), empty, 0.0, np.zeros(len(ALL_LABELS), np.bool_))

    @functools.cached_property
    def _music(self) -> MusicWindows:
        return MusicWindows(self.folder, self.seed)
