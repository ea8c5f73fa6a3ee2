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
from train.clips import SPLITS, Split
from train.effects import level
from train.pack import INSTRUMENTS, LABELS, read_pack, read_rooms, side_of
from train.phrases import play
from train.tape import Tape

Array = npt.NDArray[np.float32]
Rng = np.random.Generator
Maker = tuple[str, str]  # instrument, source

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

_UNNAMED: Final = 1.5  # the same, for one of the eight that is none of the labels
_SYNTHETIC: Final = ("band", "noise")  # always there

_ACTIVE: Final = 0.35  # least share of a clip in which the soloist is heard
_TRIES: Final = 50  # phrases of which one must be that; a source that only has short sounds comes near it at last

_BACKING: Final = ("drums", "bass", "backing loops", "band", "acoustic guitar", "organ", "string section", "crowd")
_BAND: Final = ("drums", "bass", "acoustic guitar", "organ", "string section")


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
    """Whether there is a test side, as in `pack.sides`."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What a clip will be."""

    label: str
    name: str
    """What plays: an instrument, or what sounds like nothing that can be named."""
    makers: tuple[Maker, ...]
    """(Instrument, source) pairs that play it; several for a band, none for noise."""


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
        If the pack holds nothing of one of the instruments.
    """

    def __init__(self, recipe: Recipe) -> None:
        self.recipe = recipe
        pack = read_pack(recipe.data)
        rooms = read_rooms(recipe.data)
        self._tape = Tape(recipe.data, pack + rooms, recipe.cache)
        self._rooms = range(len(pack), len(pack) + len(rooms))
        self._sources: dict[str, dict[str, list[int]]] = defaultdict(lambda: defaultdict(list))
        for index, row in enumerate(pack):
            here = side_of(row.instrument, row.source, three_way=recipe.three_way) == recipe.side
            in_range = row.midi is None or _SAXOPHONE_RANGE[0] <= row.midi <= _SAXOPHONE_RANGE[1]
            if here and (in_range or row.instrument != "other saxophone"):
                self._sources[row.instrument][row.source].append(index)
        players = {label: self._choices(label) for label in INSTRUMENTS}
        if missing := [label for label in recipe.labels if label in players and not players[label][0]]:
            raise ConfigError(f"{recipe.data}/training.csv has no {recipe.side} recordings of {', '.join(missing)}")
        self._players = {label: choices for label, choices in players.items() if choices[0]}
        shares = np.array([_UNKNOWN_SHARE if label == "unknown" else 1.0 for label in recipe.labels])
        self._shares = shares / shares.sum()
        others = _OTHERS | {name: _UNNAMED for name in self._players if name not in recipe.labels}
        available = [name for name in others if name in {*_SYNTHETIC, *self._players} or self._sources[name]]
        weights = np.array([others[name] for name in available])
        self._others = available, weights / weights.sum()
        self._backing = [name for name in _BACKING if name == "band" or self._sources[name]]

    def plan(self, index: int) -> Plan:
        """Tell what clip number `index` will be, without decoding any audio."""
        return self._plan(self._rng(index))

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
        plan = self._plan(rng)
        solo = self._perform(plan, rng)
        for _ in range(_TRIES):
            if plan.label == "unknown" or effects.activity(solo) >= _ACTIVE:
                break
            solo = self._perform(plan, rng)
        solo = level(self._place(solo, rng), 1.0)
        if rng.random() < 0.25:  # accompanied
            solo = solo + level(self._accompaniment(plan.name, rng), 10 ** (-rng.uniform(4, 22) / 20))
        elif rng.random() < 0.4:  # a stem with what leaks from the others' microphones and headphones
            solo = solo + level(self._accompaniment(plan.name, rng), 10 ** (-rng.uniform(25, 50) / 20))
        sound = effects.desk(solo, rng)
        if rng.random() < 0.85:
            sound = level(sound, 1.0) + effects.noise(rng) * np.float32(10 ** (-rng.triangular(25, 70, 90) / 20))
        if rng.random() < 0.2:
            sound = effects.codec(sound, rng)
        peak = max(float(np.abs(sound).max()), 1e-6)
        sound = sound / np.float32(peak) * np.float32(10 ** (-rng.uniform(0, 30) / 20))
        if rng.random() < 0.05:
            sound = sound.clip(-0.6, 0.6)
        return np.asarray(sound[:WINDOW], np.float32)

    def licences(self, maker: Maker) -> set[str]:
        """Licences of what a source plays an instrument with."""
        instrument, source = maker
        return {self._tape.recordings[index].licence for index in self._sources[instrument][source]}

    def _rng(self, index: int) -> Rng:
        return np.random.default_rng([self.recipe.seed, SPLITS.index(self.recipe.side), index])

    def _plan(self, rng: Rng) -> Plan:
        label = str(rng.choice(self.recipe.labels, p=self._shares))
        if label != "unknown":
            return Plan(label, label, (self._player(label, rng),))
        names, weights = self._others
        name = names[rng.choice(len(names), p=weights)]
        return Plan(label, name, (self._player(name, rng),) if name in self._players else self._makers(name, rng))

    def _perform(self, plan: Plan, rng: Rng) -> Array:
        if plan.name in self._players:
            return self._solo(plan.name, plan.makers[0], rng)
        return self._part(plan.makers, rng)

    def _choices(self, label: str) -> tuple[list[Maker], npt.NDArray[np.float64]]:
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

    def _player(self, label: str, rng: Rng) -> Maker:
        pairs, weights = self._players[label]
        return pairs[rng.choice(len(pairs), p=weights)]

    def _solo(self, label: str, maker: Maker, rng: Rng) -> Array:
        instrument, source = maker
        sound = play(self._tape, self._sources[instrument][source], rng)
        if instrument == "clean electric guitar" or (label == "distorted electric guitar" and rng.random() < 0.3):
            sound = effects.amplifier(sound, rng)
        if label in _LOUD and rng.random() < 0.75:
            sound = effects.blown(sound, rng)
        return sound

    def _makers(self, name: str, rng: Rng) -> tuple[Maker, ...]:
        """Who plays what is not one of the eight: a source of it, some of the band, or nobody for noise."""
        if name == "noise":
            return ()
        if name == "band":
            parts = [part for part in _BAND if self._sources[part]]
            count = min(len(parts), int(rng.integers(2, 4)))
            chosen = rng.choice(parts, size=count, replace=False).tolist() if parts else []
            return tuple(maker for part in chosen for maker in self._makers(part, rng))
        sources = list(self._sources[name])
        weights = np.array([self._weight(name, source) for source in sources])
        return ((name, sources[rng.choice(len(sources), p=weights / weights.sum())]),)

    def _part(self, makers: tuple[Maker, ...], rng: Rng) -> Array:
        """Let some play together; noise if nobody does."""
        if not makers:
            return effects.noise(rng)
        parts = [play(self._tape, self._sources[instrument][source], rng) for instrument, source in makers]
        if len(parts) == 1:
            return parts[0]
        return np.asarray(np.sum([level(p, 10 ** (rng.uniform(-10, 0) / 20)) for p in parts], axis=0), np.float32)

    def _accompaniment(self, name: str, rng: Rng) -> Array:
        """Something behind the soloist: mostly a band, now and then another of the eight."""
        if rng.random() < 0.2:
            others = list(self._players)
            other = others[rng.integers(len(others))]
            if other != name:
                return self._place(self._solo(other, self._player(other, rng), rng), rng)
        makers = self._makers(self._backing[rng.integers(len(self._backing))], rng)
        return self._place(self._part(makers, rng), rng)

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
