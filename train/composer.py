"""Clips of one predominant instrument, as if cut out of songs, composed of the pack's recordings."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from stream.errors import ConfigError
from stream.features import SAMPLE_RATE, WINDOW
from train import effects
from train.effects import level
from train.pack import INSTRUMENTS, LABELS, read_pack, read_rooms, split
from train.phrases import play
from train.tape import Tape

Array = npt.NDArray[np.float32]
Rng = np.random.Generator

# A saxophone is a saxophone for whoever watches the stage, and only 66 real notes are a tenor's. Its sisters help out
# in its own range: a soprano's high notes are too much like a clarinet's.
_PLAYED_AS: Final = {
    "other saxophone": "tenor saxophone",
    "clean electric guitar": "distorted electric guitar",
}
_SAXOPHONE_RANGE: Final = (40, 77)  # MIDI
_RENDERED: Final = {"fluidr3_gm": 0.9, "freepats": 0.25, "generaluser_gs": 0.25, "karoryfer_weresax": 0.6}
"""Weights of renderings, and of a saxophone played for its dirt, beside a real player's 1."""
_LOUD: Final = frozenset({"tenor saxophone", "trumpet"})  # on stages, much louder and brighter than in sample libraries
_UNKNOWN_SHARE: Final = 1.7  # clips of `unknown` for one of each instrument

_OTHERS: Final = {
    "drums": 3.0,
    "bass": 2.5,
    "backing loops": 2.5,
    "band": 2.5,
    "male singer": 2.0,
    "speech": 1.5,
    "crowd": 1.5,
    "everyday noise": 1.0,
    "percussion": 0.7,
    "loops and one-shots": 0.7,
    "vocal noise": 0.5,
    "noise": 1.5,
    "acoustic guitar": 1.4,
    "clean electric guitar": 0.4,
    "organ": 0.8,
    "cello": 0.8,
    "trombone": 0.7,
    "french horn": 0.6,
    "oboe": 0.5,
    "bassoon": 0.6,
    "mandolin": 0.5,
    "string section": 0.4,
    "bass clarinet": 0.2,
    "viola": 0.1,
}
"""What `unknown` sounds like, and how often; sisters of the eight rarely, lest they take clips from them."""

_ACTIVE: Final = 0.35  # least share of a clip in which the soloist is heard

_BACKING: Final = ("drums", "bass", "backing loops", "band", "acoustic guitar", "organ", "string section", "crowd")


@dataclass(frozen=True, slots=True)
class Recipe:
    """What determines every clip."""

    data: Path
    """Folder with the manifests."""
    cache: Path
    """Folder for decoded audio."""
    held_out: bool
    """Whether to compose of the held-out sources instead of the training sources."""
    seed: int


@dataclass(frozen=True, slots=True)
class Clip:
    """A composed clip."""

    audio: Array
    """shape=(65536,), mono at 22 050 Hz, within [-1, 1]"""
    label: int
    """Index into `LABELS`."""
    source: str
    """Instrument and source of the predominant sound."""


class Composer:
    """Composes clip after clip; each depends on the recipe and its own number alone.

    Parameters
    ----------
    recipe : Recipe
        What determines every clip.

    Raises
    ------
    ConfigError
        If the pack holds nothing of one of the instruments.
    """

    def __init__(self, recipe: Recipe) -> None:
        self.recipe = recipe
        pack = read_pack(recipe.data)
        rooms = read_rooms(recipe.data)
        self._tape = Tape(recipe.data, pack + rooms, recipe.cache)
        self._rooms = range(len(pack), len(pack) + len(rooms))
        chosen = set(split(pack)[recipe.held_out])
        self._sources: dict[str, dict[str, list[int]]] = defaultdict(lambda: defaultdict(list))
        for index, row in enumerate(pack):
            in_range = row.midi is None or _SAXOPHONE_RANGE[0] <= row.midi <= _SAXOPHONE_RANGE[1]
            if row in chosen and (in_range or row.instrument != "other saxophone"):
                self._sources[row.instrument][row.source].append(index)
        self._players = {label: self._choices(label) for label in INSTRUMENTS}
        if missing := [label for label in INSTRUMENTS if not self._players[label][0]]:
            kind = "held-out" if recipe.held_out else "training"
            raise ConfigError(f"{recipe.data}/training.csv has no {kind} recordings of {', '.join(missing)}")
        available = [name for name in _OTHERS if name in {"band", "noise"} or self._sources[name]]
        weights = np.array([_OTHERS[name] for name in available])
        self._others = available, weights / weights.sum()
        self._backing = [name for name in _BACKING if name == "band" or self._sources[name]]

    def clip(self, index: int) -> Clip:
        """Compose clip number `index`."""
        rng = np.random.default_rng([self.recipe.seed, self.recipe.held_out, index])
        shares = np.array([1.0] * len(INSTRUMENTS) + [_UNKNOWN_SHARE])
        label = int(rng.choice(len(LABELS), p=shares / shares.sum()))
        solo, source = self._other(rng) if LABELS[label] == "unknown" else self._solo(LABELS[label], rng)
        while effects.activity(solo) < _ACTIVE and LABELS[label] != "unknown":
            solo, source = self._solo(LABELS[label], rng)
        solo = level(self._place(solo, rng), 1.0)
        if rng.random() < 0.25:  # accompanied
            solo = solo + level(self._accompaniment(LABELS[label], rng), 10 ** (-rng.uniform(4, 22) / 20))
        elif rng.random() < 0.4:  # a stem with what leaks from the others' microphones and headphones
            solo = solo + level(self._accompaniment(LABELS[label], rng), 10 ** (-rng.uniform(25, 50) / 20))
        sound = effects.desk(solo, rng)
        if rng.random() < 0.85:
            sound = level(sound, 1.0) + effects.noise(rng) * np.float32(10 ** (-rng.triangular(25, 70, 90) / 20))
        if rng.random() < 0.2:
            sound = effects.codec(sound, rng)
        peak = max(float(np.abs(sound).max()), 1e-6)
        sound = sound / np.float32(peak) * np.float32(10 ** (-rng.uniform(0, 30) / 20))
        if rng.random() < 0.05:
            sound = sound.clip(-0.6, 0.6)
        return Clip(sound[:WINDOW], label, source)

    def _choices(self, label: str) -> tuple[list[tuple[str, str]], npt.NDArray[np.float64]]:
        """(Instrument, source) pairs that play a label, and their probabilities."""
        names = [label] + [name for name, plays in _PLAYED_AS.items() if plays == label]
        pairs = [(name, source) for name in names for source in self._sources[name]]
        weights = np.array([self._weight(name, source) for name, source in pairs])
        return pairs, weights / weights.sum() if len(pairs) else weights

    def _weight(self, instrument: str, source: str) -> float:
        """Weight of a source: more for a longer one, but far less than in proportion, and less for a rendering."""
        seconds = sum(self._tape.recordings[i].seconds for i in self._sources[instrument][source])
        sister = 0.5 if instrument == "other saxophone" else 1.0
        return float(sister * _RENDERED.get(source, 1.0) * seconds**0.45)

    def _solo(self, label: str, rng: Rng) -> tuple[Array, str]:
        pairs, weights = self._players[label]
        instrument, source = pairs[rng.choice(len(pairs), p=weights)]
        sound = play(self._tape, self._sources[instrument][source], rng)
        if instrument == "clean electric guitar" or (label == "distorted electric guitar" and rng.random() < 0.3):
            sound = effects.amplifier(sound, rng)
        if label in _LOUD and rng.random() < 0.75:
            sound = effects.blown(sound, rng)
        return sound, f"{instrument}/{source}"

    def _other(self, rng: Rng) -> tuple[Array, str]:
        names, weights = self._others
        name = names[rng.choice(len(names), p=weights)]
        return self._backing_part(name, rng), name

    def _backing_part(self, name: str, rng: Rng) -> Array:
        if name == "noise":
            return effects.noise(rng)
        if name == "band":
            parts = [p for p in ("drums", "bass", "acoustic guitar", "organ", "string section") if self._sources[p]]
            chosen = rng.choice(parts, size=min(len(parts), int(rng.integers(2, 4))), replace=False)
            mix = [level(self._backing_part(str(p), rng), 10 ** (rng.uniform(-10, 0) / 20)) for p in chosen]
            return np.asarray(np.sum(mix, axis=0), np.float32) if mix else effects.noise(rng)
        sources = list(self._sources[name])
        weights = np.array([self._weight(name, source) for source in sources])
        return play(self._tape, self._sources[name][sources[rng.choice(len(sources), p=weights / weights.sum())]], rng)

    def _accompaniment(self, label: str, rng: Rng) -> Array:
        """Something behind the soloist: mostly a band, now and then another of the eight."""
        if rng.random() < 0.2:
            other = INSTRUMENTS[rng.integers(len(INSTRUMENTS))]
            if other != label:
                return self._place(self._solo(other, rng)[0], rng)
        return self._place(self._backing_part(self._backing[rng.integers(len(self._backing))], rng), rng)

    def _place(self, sound: Array, rng: Rng) -> Array:
        """Put a player into a room, or keep them dry; they may come in late or stop early."""
        draw = rng.random()
        if draw < 0.45 and len(self._rooms):
            sound = effects.room(sound, self._tape.audio(self._rooms[rng.integers(len(self._rooms))]), rng)
        elif draw < 0.65:
            sound = effects.room(sound, None, rng)
        if rng.random() < 0.1:
            cut = int(rng.uniform(0.1, 0.5) * WINDOW)
            fade = np.linspace(0, 1, int(0.05 * SAMPLE_RATE), dtype=np.float32)
            gate = np.concatenate([np.zeros(cut, np.float32), fade, np.ones(WINDOW - cut - len(fade), np.float32)])
            sound = sound * (gate if rng.random() < 0.5 else gate[::-1])
        return sound
