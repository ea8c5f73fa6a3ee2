"""Rows of real recordings: players of held-out sources and songs in turn, and what is none of them between."""

from __future__ import annotations

import functools
import hashlib
import itertools
import math
from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Final, TypeVar

import numpy as np

from stream.errors import ConfigError
from stream.recognition.bundle import UNKNOWN
from train.compose.composed_programmes import STEADY
from train.compose.programmes import (
    LEAD_IN,
    SILENCE,
    Interval,
    Programme,
    concatenate,
    crossfade,
    rest,
    sample_count,
)
from train.compose.real_recordings import RealPlayer, Side, real_players
from train.datasets.clips import Array
from train.datasets.labels import INSTRUMENTS

ROWS: Final = 24
"""Rows to judge by: with all eight in each, 192 players and 96 others."""

_OTHERS: Final = 4  # stretches of a row in which nobody of the named is in front
_PHRASE: Final = 8.0  # s of a steady solo that are played at once
_REPEATED: Final = 3  # times that a player may play all that there is of it
_GOLDEN: Final = (math.sqrt(5) - 1) / 2  # multiples of it, modulo 1, are spread as evenly as can be
_PAUSED: Final = 0.25  # share of the stretches that a pause follows


T = TypeVar("T")


@dataclass(frozen=True)
class RealRows:
    """Programmes of real recordings in a row; implements `Programmes`.

    In each row every class that is to be named plays once, for 4 to 9 s, and four stretches are of what is none of
    them: other instruments, voices, bands, noise. All classes are heard equally often, and of each more often whoever
    has more. After one stretch in four there is a pause of 0.5 to 2 s.

    Raises
    ------
    SourceError
        If there is no manifest.
    ConfigError
        If the pack has real recordings of fewer than two of the names on that side.
    """

    data: Path
    """Folder with `training.csv`, and `songs.csv` where it has songs."""
    side: Side = "held out"
    named: tuple[str, ...] = INSTRUMENTS
    """Classes that are to be named; all others are `unknown`."""
    seed: int = 0

    def __post_init__(self) -> None:
        """Check the pack."""
        if len(self.players) < 2:
            raise ConfigError(
                f"{self.data} has real recordings, {self.side}, of {', '.join(self.players) or 'none'} of the names; "
                "rows need two or more"
            )

    def __getstate__(self) -> dict[str, Any]:
        """Only the settings go to another process."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    @functools.cached_property
    def players(self) -> dict[str, list[RealPlayer]]:
        """Who can be named, by class in the order of the names."""
        return {label: players for label in self.named if (players := self._by_label.get(label))}

    @functools.cached_property
    def others(self) -> dict[str, list[RealPlayer]]:
        """What is none of the named, by class."""
        return {label: players for label, players in self._by_label.items() if label not in self.named}

    @functools.cached_property
    def digest(self) -> str:
        """Of everything that determines the rows but the code."""
        state = hashlib.sha256(repr((self.side, self.named, self.seed)).encode())
        for player in itertools.chain.from_iterable(self._by_label.values()):
            state.update(repr(player).encode())
            for take in player.takes:
                state.update(str((self.data / take.path).stat().st_size).encode())
        return state.hexdigest()

    def programme(self, number: int) -> Programme:
        """Make a row; parameters and result as for `ComposedProgrammes.programme`.

        Raises
        ------
        SourceError
            If a recording cannot be read.
        """
        rng = np.random.default_rng([self.seed, 4, number])
        turns = [_take_turn(players, number) for players in self.players.values()]
        kinds = self._shuffled(sorted(self.others))
        turns += [
            _take_turn(self.others[kinds[turn % len(kinds)]], turn // len(kinds))
            for turn in range(number * _OTHERS, (number + 1) * _OTHERS if kinds else 0)
        ]
        parts: list[tuple[str, Array]] = [(SILENCE, rest(LEAD_IN))]
        for at in rng.permutation(len(turns)):
            seconds = min(float(rng.uniform(4, 9)), max(4.0, _REPEATED * turns[at].seconds))
            parts.append((turns[at].label, turns[at].play(self.data, seconds, rng)))
            if rng.random() < _PAUSED:
                parts.append((SILENCE, rest(float(rng.uniform(0.5, 2)))))
        programme = concatenate(parts)
        peak = max(1.0, float(np.abs(programme.audio).max()))
        return Programme(programme.audio / np.float32(peak), _named(programme.truth, self.named), programme.truth)

    def solo(self, number: int) -> Programme:
        """Let one player play for a minute: of the first class, the second, and so on."""
        rng = np.random.default_rng([self.seed, 6, number])
        labels = list(self.players)
        player = _take_turn(self.players[labels[number % len(labels)]], number // len(labels))
        phrases = (player.play(self.data, _PHRASE, rng) for _ in itertools.count())
        return concatenate([(player.label, crossfade(phrases, sample_count(STEADY)))])

    @functools.cached_property
    def _by_label(self) -> dict[str, list[RealPlayer]]:
        found: dict[str, list[RealPlayer]] = defaultdict(list)
        for player in real_players(self.data, self.side):
            found[player.label].append(player)
        return dict(found)

    def _shuffled(self, items: Sequence[T]) -> list[T]:
        return [items[at] for at in np.random.default_rng([self.seed, 5]).permutation(len(items))]


def _take_turn(players: Sequence[RealPlayer], turn: int) -> RealPlayer:
    """Choose who plays next, evenly over the turns: whoever has four times as much plays twice as often."""
    shares = np.sqrt([player.seconds for player in players]).cumsum()
    place = (0.5 + turn * _GOLDEN) % 1.0 * shares[-1]
    return players[min(int(np.searchsorted(shares, place, "right")), len(players) - 1)]


def _named(sounds: Sequence[Interval], named: Collection[str]) -> tuple[Interval, ...]:
    """Call what is not to be named unknown, and merge neighbours."""
    truth: list[Interval] = []
    for sound in sounds:
        label = sound.label if sound.label in named or sound.label == SILENCE else UNKNOWN
        start = truth.pop().start if truth and truth[-1].label == label else sound.start
        truth.append(Interval(start, sound.end, label))
    return tuple(truth)
