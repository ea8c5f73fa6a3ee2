"""What stage clips are: which label is in front, who plays it and how, and what is heard besides."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np

from train.compose.plain_lines import PLAIN_LINES, PlainLine
from train.compose.players import Player, Players
from train.datasets.labels import ALL_LABELS, INSTRUMENTS

Rng = np.random.Generator
Manner = Literal["phrase", "held", "line", "chord", "song", "band", "disturbance"]
Scene = Literal["alone", "leak", "band", "deep", "bed", "duo"]

SHARES: Final[Mapping[str, float]] = dict.fromkeys(INSTRUMENTS, 6.2) | {
    "accordion": 2.2,
    "acoustic guitar": 2.6,
    "bass": 2.2,
    "bass clarinet": 1.4,
    "bassoon": 1.7,
    "cello": 3.0,
    "clean electric guitar": 2.8,
    "drums": 2.4,
    "french horn": 1.9,
    "male singer": 3.4,
    "mandolin": 1.5,
    "oboe": 1.9,
    "organ": 2.0,
    "other saxophone": 2.6,
    "percussion": 1.6,
    "string section": 2.0,
    "synthesizer": 2.2,
    "trombone": 2.2,
    "viola": 2.0,
    "speech": 1.8,
    "crowd": 1.4,
    "band": 2.8,
    "noise": 3.2,
}
"""How often each label is in front; the eight are half of the clips."""

HELD: Final[Mapping[str, float]] = {
    "clarinet": 0.3,
    "distorted electric guitar": 0.28,
    "female singer": 0.15,
    "flute": 0.25,
    "piano": 0.08,
    "tenor saxophone": 0.3,
    "trumpet": 0.3,
    "violin": 0.3,
    "accordion": 0.25,
    "acoustic guitar": 0.12,
    "bass": 0.1,
    "bass clarinet": 0.25,
    "bassoon": 0.25,
    "cello": 0.28,
    "clean electric guitar": 0.2,
    "french horn": 0.25,
    "male singer": 0.15,
    "mandolin": 0.1,
    "oboe": 0.28,
    "organ": 0.25,
    "other saxophone": 0.3,
    "string section": 0.2,
    "synthesizer": 0.2,
    "trombone": 0.28,
    "viola": 0.28,
}
"""Shares of each label's clips that are one held note."""

_CHORDS: Final = {"distorted electric guitar": 0.12, "clean electric guitar": 0.08, "acoustic guitar": 0.05}
_SCENES: Final = {"alone": 0.34, "leak": 0.09, "band": 0.21, "deep": 0.07, "bed": 0.21, "duo": 0.08}
_DEEP: Final = 0.16  # the same for what loud bands have in front of them
_LOUD: Final = frozenset({"clarinet", "female singer", "male singer", "other saxophone", "tenor saxophone", "trombone"})
_ALONE: Final = frozenset({"band", "crowd", "noise"})
_COMPOSED_BAND: Final = 0.5  # of bands; the others are real
_DISTURBANCE: Final = 0.6  # of noises; the others are recorded

BAND: Final = (
    *("drums", "drums", "bass", "bass", "acoustic guitar", "clean electric guitar", "organ", "string section"),
    *("piano", "synthesizer", "percussion"),
)
"""What a band is composed of."""


@dataclass(frozen=True, slots=True)
class StagePlan:
    """What a clip will be."""

    label: str
    player: Player | None
    """Who is in front; None for a band that is composed, and for what is made and not played."""
    manner: Manner
    scene: Scene
    line: PlainLine | None = None


def draw_plan(players: Players, shares: Mapping[str, float], rng: Rng) -> StagePlan:
    """Choose what a clip will be, of the labels that somebody can play."""
    possible = [label for label in ALL_LABELS if label in players.labels or label in {"band", "noise"}]
    weights = np.array([shares.get(label, 0.0) for label in possible])
    label = possible[rng.choice(len(possible), p=weights / weights.sum())]
    draw = rng.random()
    if label == "noise" and (draw < _DISTURBANCE or label not in players.labels):
        return StagePlan(label, None, "disturbance", "alone")
    if label == "band" and (draw < _COMPOSED_BAND or label not in players.labels):
        return StagePlan(label, None, "band", "alone")
    player, manner, line = _manner(label, players, draw, rng)
    return StagePlan(label, player, manner, _scene(label, player, manner, rng), line)


def _manner(label: str, players: Players, draw: float, rng: Rng) -> tuple[Player, Manner, PlainLine | None]:
    """Choose how a label is played, and by whom who can."""
    draw -= HELD.get(label, 0.0)
    if draw < 0 and (player := players.draw(label, rng, lambda one: one.holdable > 0)):
        return player, "held", None
    for share, line in PLAIN_LINES.get(label, ()):
        draw -= share
        if -share <= draw < 0 and (player := players.draw(label, rng, lambda one: one.notes > 2)):
            return player, "line", line
    chords = _CHORDS.get(label, 0.0)
    draw -= chords
    if -chords <= draw < 0 and (player := players.draw(label, rng, lambda one: one.notes > 2)):
        return player, "chord", None
    player = players.draw(label, rng)
    assert player is not None, label  # one of `players.labels`
    return player, "song" if player.song else "phrase", None


def _scene(label: str, player: Player, manner: Manner, rng: Rng) -> Scene:
    if label in _ALONE or player.in_context:
        return "alone"
    if manner in {"held", "chord"}:
        return "leak" if rng.random() < 0.2 else "alone"
    scenes = _SCENES | ({"deep": _DEEP} if label in _LOUD or label == "trumpet" else {})
    names = list(scenes)
    weights = np.array(list(scenes.values()))
    scene: Scene = names[rng.choice(len(names), p=weights / weights.sum())]  # type: ignore[assignment]
    return scene
