"""Clips as stages sound: a soloist, how they play, and what is heard besides, with the shares of all that sounds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from stream.errors import ConfigError
from stream.recognition.mel import WINDOW
from train.compose import effects
from train.compose.composer import INGREDIENTS
from train.compose.decoded_recordings import DecodedRecordings
from train.compose.disturbances import disturbance
from train.compose.effects import level
from train.compose.held_notes import held_note
from train.compose.notes import Notes
from train.compose.pack import read_pack, read_rooms
from train.compose.phrases import play_source
from train.compose.plain_lines import held_chord, plain_line
from train.compose.players import Player, Players
from train.compose.recording_chain import RecordingChain
from train.compose.songs import read_backing_tracks, read_songs
from train.compose.stage_plans import BAND, SHARES, StagePlan, draw_plan
from train.datasets.clips import SPLITS, Split
from train.datasets.labels import ALL_LABELS, INSTRUMENTS
from train.datasets.soft_targets import Shares, Target, loudness, target

Array = npt.NDArray[np.float32]
Rng = np.random.Generator

_BLOWN: Final = {
    **{"tenor saxophone": 0.5, "other saxophone": 0.5, "trumpet": 0.55, "trombone": 0.4, "french horn": 0.3},
    **{"clarinet": 0.25, "flute": 0.25, "oboe": 0.25, "bassoon": 0.2, "bass clarinet": 0.2, "accordion": 0.2},
}
_EVEN: Final = {"clarinet": 0.3, "bass clarinet": 0.15}  # shares of clips with even partials
_DARK: Final = 0.4  # share of low chords that are dark
_ACTIVE: Final = 0.2  # least share of a clip in which the soloist is heard
_TRIES: Final = 20
_DUO: Final = tuple(label for label in ALL_LABELS if label not in {"band", "crowd", "drums", "noise", "percussion"})
_BAND_ALONE: Final = 0.7  # share of a player in a band that is the band's, without a soloist
_BAND_BEHIND: Final = 0.5
_LOUDER: Final = 3.0  # dB by which who is in front is taken to be louder: it is who people listen to


@dataclass(frozen=True, slots=True)
class StageRecipe:
    """What determines every clip."""

    data: Path
    """Folder with the manifests."""
    cache: Path
    """Folder for decoded audio; the only part that makes no difference."""
    side: Split
    """`training`, or another for sources and songs that are never trained on."""
    seed: int
    all_sources: bool = False
    """Whether training clips are composed of held-out sources and songs, too."""
    guesses: bool = False
    """Whether to cut windows out of songs whose labels are no more than a tagger's guesses."""
    music: Path | None = None
    """Folder of `soloist train music`, whose backing tracks are bands to put soloists before, too."""


@dataclass(frozen=True, slots=True)
class StageClip:
    """A composed clip."""

    audio: Array
    """Mono audio at 22 050 Hz within [-1, 1] [shape=(65536,)]."""
    target: Target


@dataclass(frozen=True, slots=True)
class _Sound:
    audio: Array
    shares: Shares
    doubtful: tuple[str, ...] = ()


class StageComposer:
    """Composes clip after clip; each depends on the recipe and its own number alone.

    Parameters
    ----------
    recipe : StageRecipe
        What determines every clip.
    shares : mapping of str to float
        How often each label is in front.

    Raises
    ------
    SourceError
        If there is no manifest.
    ConfigError
        If the pack holds nothing of one of the eight instruments.
    """

    def __init__(self, recipe: StageRecipe, shares: Mapping[str, float] = SHARES) -> None:
        self.recipe = recipe
        pack, rooms, songs = read_pack(recipe.data), read_rooms(recipe.data), read_songs(recipe.data)
        songs += read_backing_tracks(recipe.music) if recipe.music else []
        played = pack + [song.row for song in songs]
        self._decoded = DecodedRecordings(recipe.data, played + rooms, recipe.cache)
        self._chain = RecordingChain(
            self._decoded, range(len(played), len(played) + len(rooms)), frozenset(INGREDIENTS)
        )
        held_out = None if recipe.all_sources and recipe.side == "training" else recipe.side != "training"
        self._players = Players(pack, songs, held_out, guesses=recipe.guesses)
        self._shares = shares
        if missing := sorted(set(INSTRUMENTS) - self._players.labels):
            raise ConfigError(f"{recipe.data}/training.csv has no {recipe.side} recordings of {', '.join(missing)}")

    @property
    def recordings(self) -> DecodedRecordings:
        """All recordings: the pack's, the songs', the rooms'."""
        return self._decoded

    def plan(self, index: int) -> StagePlan:
        """Tell what clip number `index` will be, without decoding any audio."""
        return draw_plan(self._players, self._shares, self._rng(index))

    def compose(self, index: int) -> StageClip:
        """Compose clip number `index`.

        Raises
        ------
        SourceError
            If a recording cannot be read.
        ConfigError
            If the recordings have to be decoded, and the cache cannot be written.
        """
        rng = self._rng(index)
        return self.stage(draw_plan(self._players, self._shares, rng), rng)

    def stage(self, plan: StagePlan, rng: Rng) -> StageClip:
        """Compose a clip after a plan of one's own; result and errors as for `compose`."""
        front = self._front(plan, rng)
        sounds = [front, *self._besides(plan, rng)] if plan.manner != "band" else self._band(rng, plan.label)
        mix = _mixed(sounds)
        loud = [loudness(sound.audio) + _LOUDER * (place == 0) for place, sound in enumerate(sounds)]
        solo = plan.scene != "duo" and plan.manner != "band"
        parts = [(sound.shares, decibels) for sound, decibels in zip(sounds, loud, strict=True)]
        doubtful = {label for sound in sounds for label in sound.doubtful}
        certainty = plan.player.certainty if plan.player else 1.0
        clip = target(parts, solo, doubtful, certainty)
        return StageClip(self._recorded(plan, mix, rng), clip)

    def _rng(self, index: int) -> Rng:
        return np.random.default_rng([self.recipe.seed, 15, SPLITS.index(self.recipe.side), index])

    def _front(self, plan: StagePlan, rng: Rng) -> _Sound:
        """Play who is in front, at an RMS of 1, in a room or not."""
        if plan.player is None:
            return _Sound(
                disturbance(rng) if plan.manner == "disturbance" else np.zeros(WINDOW, np.float32), ((plan.label, 1.0),)
            )
        sound = self._perform(plan, plan.player, rng)
        for _ in range(_TRIES):
            if plan.label not in INSTRUMENTS or effects.activity(sound) >= _ACTIVE:
                break
            sound = self._perform(plan, plan.player, rng)
        hall = plan.line.hall if plan.line else 0.35
        if plan.manner in {"held", "line", "chord"}:
            draw = rng.random()
            if draw < hall:
                sound = effects.room(sound, effects.hall(rng), rng)
            elif draw < hall + (1 - hall) / 2:
                sound = self._chain.place(sound, rng)
        elif not (plan.player.song and plan.player.in_context):
            sound = self._chain.place(sound, rng)
        return _Sound(level(sound, 1.0), plan.player.shares, plan.player.doubtful)

    def _perform(self, plan: StagePlan, player: Player, rng: Rng) -> Array:
        numbers = list(player.numbers)
        driven = player.instrument == "clean electric guitar" and plan.label == "distorted electric guitar"
        if plan.manner == "song":
            return self._cut(player, rng)
        if plan.manner == "held":
            even_out = driven and rng.random() < 0.7
            sound = held_note(self._decoded, numbers, rng, even_out=even_out)
        elif plan.manner in {"line", "chord"}:
            pitched = [number for number in numbers if self._decoded.recordings[number].midi is not None]
            notes = Notes(self._decoded, pitched)
            sound = plain_line(notes, rng, plan.line) if plan.line else held_chord(notes, rng)
        else:
            sound = play_source(self._decoded, numbers, rng)
        if driven or (plan.label == "distorted electric guitar" and rng.random() < 0.3):
            sound = effects.amplifier(sound, rng)
        if plan.manner == "chord" and rng.random() < _DARK:
            sound = effects.darken(sound, rng)
        if rng.random() < _BLOWN.get(plan.label, 0.0) and plan.manner != "held":
            sound = effects.blow_harder(sound, rng)
        if rng.random() < _EVEN.get(plan.label, 0.0):
            sound = effects.even_partials(sound, rng)
        return sound

    def _cut(self, player: Player, rng: Rng) -> Array:
        """Cut a window out of a song or a stem, as it is but for a little speed."""
        rows = self._decoded.recordings
        seconds = np.array([rows[number].seconds for number in player.numbers])
        sound = self._decoded.audio(int(rng.choice(player.numbers, p=seconds / seconds.sum())))
        out = np.zeros(WINDOW, np.float32)
        spare = len(sound) - WINDOW
        if spare > 0:
            start = int(rng.integers(spare))
            return sound[start : start + WINDOW].copy()
        start = int(rng.integers(-spare + 1))
        out[start : start + len(sound)] = sound
        return out

    def _besides(self, plan: StagePlan, rng: Rng) -> list[_Sound]:
        """Play what is heard besides who is in front, at its level relative to their RMS of 1."""
        if plan.scene == "alone":
            return []
        if plan.scene == "duo":
            others = [label for label in _DUO if label != plan.label and label in self._players.labels]
            other = others[rng.integers(len(others))]
            return self._below([self._accompanist(other, rng)], rng.uniform(0, 12))
        below = {"leak": (24, 50), "band": (4, 24), "deep": (-1, 6), "bed": (0, 18)}[plan.scene]
        bed = self._players.draw_bed(rng) if plan.scene == "bed" or rng.random() < 0.4 else None
        if bed is not None:
            sounds = [_Sound(self._cut(bed, rng), bed.shares, bed.doubtful)]
        else:
            sounds = self._band(rng, plan.label)
        return self._below(sounds, rng.uniform(*below))

    def _below(self, sounds: list[_Sound], decibels: float) -> list[_Sound]:
        """Scale sounds so that together they are so many dB softer than RMS 1."""
        mix = _mixed(sounds)
        gain = np.float32(10 ** (-decibels / 20) / max(float(np.sqrt(np.mean(mix * mix))), 1e-6))
        return [_Sound(sound.audio * gain, sound.shares, sound.doubtful) for sound in sounds]

    def _band(self, rng: Rng, front: str) -> list[_Sound]:
        """Two to four players of a band, without the instrument that is in front."""
        parts = [part for part in dict.fromkeys(BAND) if part != front and part in self._players.labels]
        weights = np.array([BAND.count(part) for part in parts])
        count = min(len(parts), int(rng.integers(2, 5)))
        chosen = rng.choice(len(parts), count, replace=False, p=weights / weights.sum())
        share = _BAND_ALONE if front == "band" else _BAND_BEHIND
        return [self._accompanist(parts[part], rng, rng.uniform(-10, 0), share) for part in chosen]

    def _accompanist(self, label: str, rng: Rng, decibels: float = 0.0, band: float = 0.0) -> _Sound:
        player = self._players.draw(label, rng, lambda one: not one.in_context)
        assert player is not None, label
        plan = StagePlan(label, player, "song" if player.song else "phrase", "alone")
        sound = level(self._chain.place(self._perform(plan, player, rng), rng), 10 ** (decibels / 20))
        shares: Shares = player.shares
        if band:
            shares = (*((name, share * (1 - band)) for name, share in shares), ("band", band))
        return _Sound(sound, shares, player.doubtful)

    def _recorded(self, plan: StagePlan, sound: Array, rng: Rng) -> Array:
        """Record the mix; half of the held notes and plain lines very cleanly."""
        clean = plan.manner in {"held", "line", "chord"} and plan.scene == "alone" and rng.random() < 0.5
        if not clean:
            return self._chain.record(sound, rng)
        if rng.random() < 0.3:
            sound = level(sound, 1.0) + effects.noise(rng) * np.float32(10 ** (-rng.uniform(50, 90) / 20))
        peak = max(float(np.abs(sound).max()), 1e-6)
        return np.asarray(sound / np.float32(peak) * np.float32(10 ** (-rng.uniform(0, 30) / 20)), np.float32)


def _mixed(sounds: list[_Sound]) -> Array:
    return np.asarray(np.sum([sound.audio for sound in sounds], axis=0), np.float32)
