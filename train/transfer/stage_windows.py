"""Stage clips of one side of the split, as windows to learn from or to choose with."""

from __future__ import annotations

import functools
from dataclasses import dataclass, fields
from typing import Any, Literal

from train.compose.stage_clips import StageClips
from train.datasets.clips import Clip
from train.transfer.window_store import Window

_NOBODY = frozenset({"band", "crowd", "noise"})  # labels that no player is behind


@dataclass(frozen=True)
class StageWindows:
    """Implements `window_store.Windows`; it goes to worker processes with its settings alone."""

    clips: StageClips
    side: Literal["training", "validation"]

    def __getstate__(self) -> dict[str, Any]:
        """Only the settings go to another process."""
        return {setting.name: getattr(self, setting.name) for setting in fields(self)}

    @property
    def labels(self) -> tuple[str, ...]:
        """All labels, in the order of the targets."""
        return self.clips.labels

    @property
    def digest(self) -> str:
        """Of all that determines the windows."""
        return f"{self.clips.digest} {self.side}"

    @functools.cached_property
    def players(self) -> tuple[str, ...]:
        """Who is in front of each window; empty where that is nobody in particular."""
        return tuple("" if clip.label in _NOBODY else clip.recording for clip in self._side)

    def __len__(self) -> int:
        return len(self._side)

    def window(self, number: int) -> Window:
        """Compose one window."""
        made = self.clips.compose(self._side[number])
        return Window(made.audio, made.target.shares, made.target.weight, made.target.certain)

    @functools.cached_property
    def real(self) -> tuple[bool, ...]:
        """Whether a window is a cut of a recording, with nothing composed."""
        return tuple(self.clips.plan(clip).manner == "song" for clip in self._side)

    @functools.cached_property
    def _side(self) -> tuple[Clip, ...]:
        return tuple(clip for clip in self.clips.clips if clip.split == self.side)
