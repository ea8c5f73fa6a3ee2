"""Clips of one predominant instrument, as if cut out of songs, composed of the pack's recordings."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from stream.errors import ConfigError
from train.compose import effects
from train.compose.decoded_recordings import DecodedRecordings
from train.compose.effects import level
from train.compose.pack import read_pack, read_rooms, split_of_source
from train.compose.phrases import excerpt, play_source
from train.compose.recording_chain import RecordingChain
from train.compose.source_selection import ClipPlan, InstrumentSource, SourceSelection
from train.datasets.clips import SPLITS, Split
from train.datasets.labels import INSTRUMENTS, LABELS

Array = npt.NDArray[np.float32]
Rng = np.random.Generator

# On stages, saxophones and trumpets are much louder and brighter than in sample libraries. Shares of their clips.
_BLOWN: Final = {"tenor saxophone": 0.55, "trumpet": 0.65, "clarinet": 0.3, "flute": 0.3}

INGREDIENTS: Final = {
    "phrases": "melodies, chords and riffs, not single notes",
    "renderings": "what sound fonts and other samplers rendered, beside real players",
    "sisters": "alto, soprano and baritone saxophones as tenor saxophone",
    "amplifier": "clean guitars through pedals, valves and loudspeakers",
    "blown": "winds blown harder than in sample libraries",
    "rooms": "measured impulse responses of rooms",
    "halls": "artificial rooms and halls",
    "microphone": "proximity, presence, reflections from the floor",
    "accompaniment": "a band or another soloist behind, or leaking in",
    "desk": "equalizers, filters and compressors",
    "noise": "hiss, hum and rumble",
    "feedback": "a loudspeaker that the microphone hears",
    "codec": "lossy codecs",
}
"""What clips are made with besides recordings; each can be left out, to measure what it brings."""

_ACCOMPANIED: Final = {"distorted electric guitar": 0.8}
"""How often what sounds besides a soloist is a band behind, and no leak; about one in two for the others."""

_ACTIVE: Final = 0.2  # least share of a clip in which the soloist is heard
_TRIES: Final = 50  # phrases of which one must be that; a source that only has short sounds comes near it at last


@dataclass(frozen=True, slots=True)
class Recipe:
    """What determines every clip."""

    data: Path
    """Folder with the manifests."""
    cache: Path
    """Folder for decoded audio; the only part that makes no difference."""
    side: Split
    """Whose sources soloists and accompaniment are taken from."""
    seed: int
    labels: tuple[str, ...] = LABELS
    """Some of `LABELS`. Where `unknown` is one, the instruments that are not are unknown."""
    three_way: bool = False
    """Whether there is a test side, as in `pack.split_by_source`."""
    without: tuple[str, ...] = ()
    """Ingredients to leave out, of `INGREDIENTS`."""
    all_sources: bool = False
    """Whether the training side has the other sides' sources as well: for a model that is shipped after the same recipe
    has been measured without them."""


class Composer:
    """Composes clip after clip; each depends on the recipe and its own number alone.

    Parameters
    ----------
    recipe : Recipe
        What determines every clip.

    Raises
    ------
    SourceError
        If there is no manifest.
    ConfigError
        If the pack holds nothing of one of the instruments, or there is no such ingredient to leave out.
    """

    def __init__(self, recipe: Recipe) -> None:
        if strange := sorted(set(recipe.without) - set(INGREDIENTS)):
            raise ConfigError(f"no ingredient {', '.join(strange)}; there are {', '.join(INGREDIENTS)}")
        self.recipe = recipe
        pack = read_pack(recipe.data)
        rooms = read_rooms(recipe.data)
        self._decoded = DecodedRecordings(recipe.data, pack + rooms, recipe.cache)
        sides = [split_of_source(row.instrument, row.source, three_way=recipe.three_way) for row in pack]
        everybody = recipe.all_sources and recipe.side == "training"
        here = [number for number, side in enumerate(sides) if everybody or side == recipe.side]
        self._with = frozenset(INGREDIENTS) - frozenset(recipe.without)
        self._chain = RecordingChain(self._decoded, range(len(pack), len(pack) + len(rooms)), self._with)
        self._selection = SourceSelection(
            pack,
            here,
            recipe.labels,
            sisters="sisters" in self._with,
            renderings="renderings" in self._with,
            amplifier="amplifier" in self._with,
        )
        if missing := self._selection.missing:
            raise ConfigError(f"{recipe.data}/training.csv has no {recipe.side} recordings of {', '.join(missing)}")

    def plan(self, index: int) -> ClipPlan:
        """Tell what clip number `index` will be, without decoding any audio."""
        return self._selection.plan(self._rng(index))

    def audio(self, index: int) -> Array:
        """Compose clip number `index`.

        Returns
        -------
        np.ndarray [shape=(65536,), dtype=float32]
            Mono audio at 22 050 Hz, within [-1, 1].

        Raises
        ------
        SourceError
            If a recording cannot be read.
        ConfigError
            If the recordings have to be decoded, and the cache cannot be written.
        """
        rng = self._rng(index)
        return self.compose(self._selection.plan(rng), rng)

    def compose(self, plan: ClipPlan, rng: Rng) -> Array:
        """Compose a clip after a plan of one's own; result and errors as for `audio`."""
        solo = self._perform(plan, rng)
        for _ in range(_TRIES):
            if plan.label == "unknown" or effects.activity(solo) >= _ACTIVE:
                break
            solo = self._perform(plan, rng)
        solo = level(self._chain.place(solo, rng), 1.0)
        if "accompaniment" in self._with and rng.random() < 0.55:
            # Behind the soloist; or a stem, with what leaks from the others' microphones and headphones.
            behind = rng.random() < _ACCOMPANIED.get(plan.name, 0.55)
            below = rng.uniform(4, 24) if behind else rng.uniform(24, 50)
            solo = solo + level(self._accompaniment(plan.name, rng), 10 ** (-below / 20))
        return self._chain.record(solo, rng)

    def licences(self, plan: ClipPlan) -> tuple[str, ...]:
        """Licences of what a clip's soloist plays with, by name."""
        numbers = [number for source in plan.sources for number in self._selection.recordings(source)]
        return tuple(sorted({self._decoded.recordings[number].licence for number in numbers}))

    def _rng(self, index: int) -> Rng:
        return np.random.default_rng([self.recipe.seed, SPLITS.index(self.recipe.side), index])

    def _perform(self, plan: ClipPlan, rng: Rng) -> Array:
        """Let those who were chosen play, together if there are several; noise if nobody was."""
        if not plan.sources:
            return effects.noise(rng)
        parts = [self._played(source, rng) for source in plan.sources]
        if len(parts) > 1:
            return np.asarray(np.sum([level(p, 10 ** (rng.uniform(-10, 0) / 20)) for p in parts], axis=0), np.float32)
        if plan.name not in INSTRUMENTS:
            return parts[0]
        return self._staged(plan, parts[0], rng)

    def _played(self, source: InstrumentSource, rng: Rng) -> Array:
        recordings = self._selection.recordings(source)
        if "phrases" in self._with:
            return play_source(self._decoded, recordings, rng)
        return excerpt(self._decoded, recordings[rng.integers(len(recordings))], rng)

    def _staged(self, plan: ClipPlan, sound: Array, rng: Rng) -> Array:
        """Give a soloist the sound of a stage: an amplifier, or lungs."""
        clean = plan.sources[0][0] == "clean electric guitar"
        if clean or (plan.name == "distorted electric guitar" and "amplifier" in self._with and rng.random() < 0.3):
            sound = effects.amplifier(sound, rng)
        if plan.name in _BLOWN and "blown" in self._with and rng.random() < _BLOWN[plan.name]:
            sound = effects.blow_harder(sound, rng)
        return sound

    def _accompaniment(self, name: str, rng: Rng) -> Array:
        return self._chain.place(self._perform(self._selection.accompaniment(name, rng), rng), rng)
