"""Pack and songs as a data set of all labels: clips as stages sound, with soft targets."""

from __future__ import annotations

import functools
import hashlib
import inspect
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from stream.errors import ConfigError
from train.compose import (
    chords,
    decoded_recordings,
    disturbances,
    effects,
    held_notes,
    melodies,
    notes,
    pack,
    phrases,
    plain_lines,
    players,
    playing_techniques,
    recording_chain,
    songs,
    stage_composer,
    stage_plans,
)
from train.compose.composed_clips import PACKAGES, code
from train.compose.pack import fingerprint
from train.compose.stage_composer import StageClip, StageComposer, StageRecipe
from train.compose.stage_plans import SHARES, StagePlan
from train.datasets import labels, soft_targets
from train.datasets.clips import SPLITS, Clip, Split
from train.datasets.labels import ALL_LABELS
from train.datasets.soft_targets import Target

Array = npt.NDArray[np.float32]

# All code that a clip depends on.
_MODULES: Final = (
    *(chords, decoded_recordings, disturbances, effects, held_notes, labels, melodies, notes, pack, phrases),
    *(plain_lines, players, playing_techniques, recording_chain, soft_targets, songs, stage_composer, stage_plans),
)


@dataclass(frozen=True)
class StageClips:
    """Clips composed of the pack's recordings and of songs; implements `clips.Dataset`, and has soft targets besides.

    A clip depends on its number and the seed, so a larger data set begins like a smaller one. Its recording is the
    player in front: instrument and source, or the recording of a song; none is on two sides, and no source or song
    that is held out is trained on, in front or behind. It goes to worker processes with its settings alone.

    Raises
    ------
    SourceError
        If there is no manifest, or a recording is missing.
    ConfigError
        If a number is negative, a share is of no label, or there is nothing to compose one of the eight of.
    """

    data: Path
    """Folder with `training.csv`, `songs.csv` if there are songs, and the files that they name."""
    cache: Path
    """Folder for decoded audio; it makes no difference to the clips."""
    training: int = 30_000
    """Number of clips."""
    validation: int = 2_400
    """Number of clips of sources and songs that are never trained on."""
    seed: int = 0
    all_sources: bool = False
    """Whether training clips are composed of held-out sources and songs, too, so that other clips measure nothing."""
    guesses: bool = False
    """Whether windows whose labels are no more than a tagger's guesses are among them, with little weight."""
    music: Path | None = None
    """Folder of `soloist train music`: with the backing tracks in it, far more real bands are behind."""
    shares: Mapping[str, float] = field(default_factory=lambda: dict(SHARES))
    """How often each label is in front, relative to the others."""

    def __post_init__(self) -> None:
        """Check the settings, and the manifests."""
        if strange := sorted(set(self.shares) - set(ALL_LABELS)):
            raise ConfigError(f"shares are given of {', '.join(strange)}; expected some of {', '.join(ALL_LABELS)}")
        if min(self._counts.values()) < 0:
            raise ConfigError(f"numbers of clips are {self._counts}; expected 0 or more")
        for side, count in self._counts.items():
            if count:
                self._composer(side)

    def __getstate__(self) -> dict[str, Any]:
        """Only the settings go to another process: clips and composers are quickly made again."""
        return {setting.name: getattr(self, setting.name) for setting in fields(self)}

    @property
    def name(self) -> str:
        """What the data set is called in reports."""
        return f"stage clips composed of {self.data.resolve().name}"

    @property
    def labels(self) -> tuple[str, ...]:
        """All labels, in the order of the targets."""
        return ALL_LABELS

    @functools.cached_property
    def clips(self) -> tuple[Clip, ...]:
        """All clips; nothing is composed for that."""
        return tuple(self._clip(side, index) for side, count in self._counts.items() for index in range(count))

    @functools.cached_property
    def digest(self) -> str:
        """Of everything that determines the clips: recordings, settings, the code that composes, and its libraries."""
        settings = self.seed, self.all_sources, self.guesses, sorted(self.shares.items())
        state = hashlib.sha256(json.dumps(settings).encode())
        state.update(fingerprint(self.data, self._any_composer.recordings.recordings).encode())
        state.update("".join(f"{package} {version(package)}\n" for package in PACKAGES).encode())
        for module in _MODULES:
            state.update(code(inspect.getsource(module)).encode())
        return state.hexdigest()[:16]

    def compose(self, clip: Clip) -> StageClip:
        """Compose a clip, one of `clips`: its audio and its target at once.

        Raises
        ------
        SourceError
            If a recording cannot be read.
        ConfigError
            If the recordings have to be decoded, which takes a minute once, and the cache cannot be written.
        """
        return self._composer(clip.split).compose(clip.number // len(SPLITS))

    def audio(self, clip: Clip) -> Array:
        """Compose a clip, and return its audio [shape=(65536,)]: mono at 22 050 Hz, within [-1, 1]."""
        return self.compose(clip).audio

    def target(self, clip: Clip) -> Target:
        """Compose a clip, and return what it teaches; who needs the audio as well calls `compose`."""
        return self.compose(clip).target

    def plan(self, clip: Clip) -> StagePlan:
        """Tell how a clip is made."""
        return self._composer(clip.split).plan(clip.number // len(SPLITS))

    @functools.cached_property
    def identities(self) -> tuple[str, ...]:
        """Names of the players in front, for the embedding; `Clip.recording` is one of them."""
        return tuple(sorted({clip.recording for clip in self.clips}))

    @functools.cached_property
    def _counts(self) -> dict[Split, int]:
        return {"training": self.training, "validation": self.validation}

    @functools.cached_property
    def _composers(self) -> dict[Split, StageComposer]:
        return {}

    @property
    def _any_composer(self) -> StageComposer:
        return self._composer("training")

    def _composer(self, side: Split) -> StageComposer:
        if side not in self._composers:
            recipe = StageRecipe(self.data, self.cache, side, self.seed, self.all_sources, self.guesses, self.music)
            self._composers[side] = StageComposer(recipe, self.shares)
        return self._composers[side]

    def _clip(self, side: Split, index: int) -> Clip:
        plan = self._composer(side).plan(index)
        rows = self._composer(side).recordings.recordings
        player = plan.player
        return Clip(
            label=plan.label,
            # What is made for one clip alone has no likeness.
            recording=player.name if player else f"{plan.label}/{side} {index}",
            split=side,
            source=player.source if player else "synthesised",
            licence="; ".join(sorted({rows[number].licence for number in player.numbers})) if player else "",
            path=None,
            # The same whatever the numbers of clips, and no other side's: it is part of the clip's key in the cache.
            number=index * len(SPLITS) + SPLITS.index(side),
        )
