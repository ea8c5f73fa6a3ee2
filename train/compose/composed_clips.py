"""The pack as a data set: as many clips as are asked for, composed of its recordings."""

from __future__ import annotations

import ast
import functools
import hashlib
import inspect
import json
from dataclasses import dataclass, fields
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from stream.errors import ConfigError
from train.compose import (
    chords,
    composer,
    decoded_recordings,
    effects,
    melodies,
    notes,
    pack,
    phrases,
    playing_techniques,
    recording_chain,
    source_selection,
)
from train.compose.composer import Composer, Recipe
from train.compose.pack import fingerprint, read_pack, read_rooms
from train.compose.source_selection import ClipPlan
from train.datasets import labels
from train.datasets.clips import SPLITS, Clip, Split
from train.datasets.labels import INSTRUMENTS, LABELS

Array = npt.NDArray[np.float32]

# All code that a clip depends on.
_MODULES: Final = (
    source_selection,
    chords,
    composer,
    effects,
    labels,
    playing_techniques,
    melodies,
    notes,
    pack,
    phrases,
    recording_chain,
    decoded_recordings,
)
# Their random numbers, filters and codecs are part of every clip. With another version, an extraction that was
# interrupted before would mix two kinds of clips, and one digest would stand for both.
PACKAGES: Final = ("numpy", "pedalboard", "soundfile", "soxr")


@dataclass(frozen=True)
class ComposedClips:
    """Clips composed of the pack's recordings; implements `clips.Dataset`.

    A clip depends on its number and on everything but the numbers of clips, so a larger data set begins like a smaller
    one. Its recording is the instrument and source of the soloist, and no source is on two sides, nor is accompaniment,
    unless all sources are asked for.

    Raises
    ------
    SourceError
        If there is no manifest, or a recording is missing.
    ConfigError
        If a label is none of the pack's, a number is negative, or there is nothing to compose a label of.
    """

    data: Path
    """Folder with `training.csv` and the files it names."""
    cache: Path
    """Folder for decoded audio; it makes no difference to the clips."""
    instruments: tuple[str, ...] = INSTRUMENTS
    """Which of the eight to tell apart."""
    unknown: bool = False
    """Whether everything else is a label, too: `unknown`, the last one."""
    training: int = 30_000
    """Number of clips."""
    validation: int = 2_400
    test: int = 0
    """Number of clips; if there are any, they are composed of the held-out sources and validation clips of others."""
    seed: int = 0
    without: tuple[str, ...] = ()
    """Ingredients to leave out, of `composer.INGREDIENTS`."""
    all_sources: bool = False
    """Whether training clips are composed of held-out sources, too, so that the other clips measure nothing."""

    def __post_init__(self) -> None:
        """Check the settings, and the manifest."""
        strange = sorted(set(self.instruments) - set(INSTRUMENTS))
        if strange or len(set(self.instruments)) + self.unknown < 2:
            known = ", ".join(INSTRUMENTS)
            got = ", ".join(self.instruments) or "none"
            raise ConfigError(f"instruments are {got}; expected two or more labels of {known}")
        if min(self._counts.values()) < 0:
            raise ConfigError(f"numbers of clips are {self._counts}; expected 0 or more")
        for side, count in self._counts.items():
            if count:
                self._composer(side)

    def __getstate__(self) -> dict[str, Any]:
        """Only the settings go to another process: clips and composers are quickly made again."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    @property
    def name(self) -> str:
        """What the data set is called in reports."""
        return f"clips composed of {self.data.resolve().name}"

    @functools.cached_property
    def labels(self) -> tuple[str, ...]:
        """The instruments in the order of `pack.LABELS`, then `unknown` if it is one."""
        return tuple(label for label in LABELS if label in self.instruments or (self.unknown and label == "unknown"))

    @functools.cached_property
    def clips(self) -> tuple[Clip, ...]:
        """All clips; nothing is composed for that."""
        return tuple(self._clip(side, index) for side, count in self._counts.items() for index in range(count))

    @functools.cached_property
    def digest(self) -> str:
        """Of everything that determines the clips: recordings, settings, the code that composes, and its libraries."""
        settings = self.labels, bool(self.test), self.seed, sorted(self.without), self.all_sources
        state = hashlib.sha256(json.dumps(settings).encode())
        state.update(fingerprint(self.data, read_pack(self.data) + read_rooms(self.data)).encode())
        state.update("".join(f"{package} {version(package)}\n" for package in PACKAGES).encode())
        for module in _MODULES:
            state.update(code(inspect.getsource(module)).encode())
        return state.hexdigest()[:16]

    def audio(self, clip: Clip) -> Array:
        """Compose a clip.

        Parameters
        ----------
        clip : Clip
            One of `clips`.

        Returns
        -------
        np.ndarray [shape=(65536,), dtype=float32]
            Mono audio at 22 050 Hz, within [-1, 1].

        Raises
        ------
        SourceError
            If a recording cannot be read.
        ConfigError
            If the recordings have to be decoded, which takes a minute once, and the cache cannot be written.
        """
        return self._composer(clip.split).audio(clip.number // len(SPLITS))

    @functools.cached_property
    def _counts(self) -> dict[Split, int]:
        return {"training": self.training, "validation": self.validation, "test": self.test}

    @functools.cached_property
    def _composers(self) -> dict[Split, Composer]:
        return {}

    def _composer(self, side: Split) -> Composer:
        if side not in self._composers:
            choice = bool(self.test), self.without, self.all_sources
            recipe = Recipe(self.data, self.cache, side, self.seed, self.labels, *choice)
            self._composers[side] = Composer(recipe)
        return self._composers[side]

    def _clip(self, side: Split, index: int) -> Clip:
        composer = self._composer(side)
        plan = composer.plan(index)
        return Clip(
            label=plan.label,
            recording=_recording(plan, f"{side} {index}"),
            split=side,
            source=" + ".join(dict.fromkeys(source for _, source in plan.sources)) or "synthesised",
            licence="; ".join(composer.licences(plan)),
            path=None,
            # The same whatever the numbers of clips, and no other side's: it is part of the clip's key in the cache.
            number=index * len(SPLITS) + SPLITS.index(side),
        )


def _recording(plan: ClipPlan, noise: str) -> str:
    """Name what a clip is composed of; noise is made for each clip anew."""
    return " + ".join(f"{instrument}/{source}" for instrument, source in sorted(plan.sources)) or f"noise/{noise}"


def code(source: str) -> str:
    """Code without comments and docstrings, so that these do not cost an hour of composing."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
            node.body = [
                line for line in node.body if not (isinstance(line, ast.Expr) and isinstance(line.value, ast.Constant))
            ]
    return ast.unparse(tree)
