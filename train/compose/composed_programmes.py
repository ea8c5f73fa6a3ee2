"""Continuous programmes composed of the pack's held-out sources, one player after another."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Collection
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Final

import numpy as np

from stream.errors import ConfigError
from stream.recognition.bundle import UNKNOWN
from train.compose import effects
from train.compose.composer import INGREDIENTS, Composer, Recipe
from train.compose.programmes import LEAD_IN, SILENCE, Programme, Rng, concatenate, crossfade, rest, sample_count
from train.compose.source_selection import ClipPlan
from train.datasets.clips import Array
from train.datasets.labels import INSTRUMENTS

STEADY: Final = 63.0
"""Seconds of a steady solo: a minute after the first window."""

_STRETCHES: Final = 9  # of a composed programme, pauses aside

_DRAWS: Final = 20_000  # plans among which one of every kind must be

_BACKING: Final = frozenset({"drums", "bass", "band", "backing loops"})

# A stage has one room and a microphone for each player. So phrases are taken dry, and what a clip draws for itself is
# drawn once for a stretch or a programme: a steady solo whose room changed every three seconds would not be one.
_PLAYED: Final = frozenset({"phrases", "renderings", "sisters", "amplifier", "blown"})


@dataclass(frozen=True)
class ComposedProgrammes:
    """Programmes composed of the pack's held-out sources; implements `Programmes`.

    Players play for 4 to 12 s each, in half of the programmes over a band 12 to 24 dB below, and one stretch in four
    is drums, speech, a crowd or whatever else is `unknown`, or a rest. After two in five there is a pause of 0.5 to
    2 s. Where a band plays on, nobody in front is `unknown`, elsewhere `silence`, with a noise floor that may be above
    the recognizer's gate.

    Raises
    ------
    SourceError
        If there is no manifest.
    ConfigError
        If the pack holds nothing held out of one of the instruments.
    """

    data: Path
    """Folder with `training.csv`."""
    cache: Path
    """Folder for decoded audio; it makes no difference to the programmes."""
    seed: int = 0

    def __post_init__(self) -> None:
        """Check the pack."""
        _ = self._composer

    def __getstate__(self) -> dict[str, Any]:
        """Only the settings go to another process."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    def programme(self, number: int) -> Programme:
        """Compose a programme.

        Parameters
        ----------
        number : int
            Which one; it depends on the settings and this number alone.

        Returns
        -------
        Programme
            Of about 70 s.
        """
        rng = np.random.default_rng([self.seed, 0, number])
        backed = rng.random() < 0.5
        empty = UNKNOWN if backed else SILENCE
        parts = [(empty, rest(LEAD_IN))]
        last, player = empty, ""  # nobody plays twice running, even with a rest between: it would be no change
        for _ in range(_STRETCHES):
            draw = rng.random()
            if draw < 0.1:
                parts.append((empty, rest(rng.uniform(3, 6))))
                last = empty
                continue
            label = UNKNOWN
            if draw < 0.75 or last == UNKNOWN:
                label = str(rng.choice([name for name in INSTRUMENTS if name != player]))
            parts.append((label, self._play(self._plan({label}, rng), sample_count(rng.uniform(4, 12)), rng)))
            last = label
            player = player if label == UNKNOWN else label
            if rng.random() < 0.4:
                parts.append((empty, rest(rng.uniform(0.5, 2))))
        return self._recorded(concatenate(parts), backed, rng)

    def solo(self, number: int) -> Programme:
        """Compose a minute of one player: of clarinet, guitar and so on in turn."""
        rng = np.random.default_rng([self.seed, 1, number])
        label = INSTRUMENTS[number % len(INSTRUMENTS)]
        played = self._play(self._plan({label}, rng), sample_count(STEADY), rng)
        return self._recorded(concatenate([(label, played)]), rng.random() < 0.5, rng)

    @functools.cached_property
    def _composer(self) -> Composer:
        dry = tuple(name for name in INGREDIENTS if name not in _PLAYED)
        return Composer(Recipe(self.data, self.cache, "validation", self.seed, without=dry))

    def _plan(self, wanted: Collection[str], rng: Rng) -> ClipPlan:
        """Draw plans until one has a label, or a name for what plays, that is wanted."""
        for _ in range(_DRAWS):
            plan = self._composer.plan(int(rng.integers(2**31)))
            if plan.label in wanted or plan.name in wanted:
                return plan
        raise ConfigError(f"{self.data} has nothing held out to compose {' or '.join(sorted(wanted))} of")

    def _play(self, plan: ClipPlan, length: int, rng: Rng) -> Array:
        """Let one player play phrase after phrase, from the first moment on, through a desk [RMS about 1]."""
        sound = crossfade((self._phrase(plan, rng) for _ in itertools.count()), length)
        return effects.level(effects.mixing_desk(sound, rng), float(10 ** (rng.uniform(-6, 0) / 20)))

    def _phrase(self, plan: ClipPlan, rng: Rng) -> Array:
        return effects.level(self._composer.compose(plan, rng), float(10 ** (rng.normal(0, 1.5) / 20)))

    def _recorded(self, programme: Programme, backed: bool, rng: Rng) -> Programme:
        """Put a programme over a band if it is `backed`, into a room, and on a noise floor."""
        sound = programme.audio
        if backed:
            band = self._play(self._plan(_BACKING, rng), len(sound), rng)
            below = np.float32(10 ** (-rng.uniform(12, 24) / 20))
            sound = sound + band * below
        if rng.random() < 0.5:
            sound = effects.room(sound, None, rng)
        sound = sound / np.float32(np.abs(sound).max()) * np.float32(10 ** (-rng.uniform(0, 20) / 20))
        floor = np.float32(10 ** (-rng.uniform(60, 85) / 20))
        noise = effects.noise(rng)
        sound = sound + floor * np.resize(noise, len(sound))
        return Programme(np.asarray(sound.clip(-1, 1), np.float32), programme.truth)
