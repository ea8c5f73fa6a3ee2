"""Who can play each label in stage clips: sources of the pack and recordings of songs, of one side of the split."""

from __future__ import annotations

import hashlib
import re
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import numpy.typing as npt

from train.compose.held_notes import holdable
from train.compose.pack import HELD_OUT_SOURCES, Recording
from train.compose.songs import HELD_OUT_SONGS, Song
from train.datasets.labels import ALL_LABELS
from train.datasets.soft_targets import Shares

Rng = np.random.Generator

STAGE_HELD_OUT_SOURCES: Final = HELD_OUT_SOURCES | {
    ("accordion", "timgm6mb_beyond"),
    ("bassoon", "timgm6mb_beyond"),
    ("french horn", "fluidr3_gm"),
    ("oboe", "fluidr3_gm"),
    ("organ", "timgm6mb"),
    ("organ", "timgm6mb_beyond"),
    ("synthesizer", "timgm6mb_beyond"),
    ("viola", "timgm6mb_beyond"),
}
"""Sources, as (instrument, source), that are never trained on where there are labels beyond the eight."""

# One library each, mostly one player: a sixth of its pitches, or of its recordings, is held out instead.
_SPLIT_WITHIN: Final = frozenset(
    {
        *("backing loops", "bass clarinet", "crowd", "everyday noise", "loops and one-shots", "mandolin"),
        *("percussion", "vocal noise"),
    }
)
_HELD_OUT_WITHIN: Final = 6

_RENDERED: Final = {
    "fluidr3_gm": 0.6,
    "fluidr3_more": 0.4,
    "fluidr3_beyond": 0.6,
    "musescore_general": 0.35,
    "musescore_beyond": 0.5,
    "timgm6mb": 0.5,
    "timgm6mb_beyond": 0.5,
    "freepats": 0.25,
    "generaluser_gs": 0.25,
    "karoryfer_weresax": 0.4,
}
"""Weights of renderings, and of a saxophone played for its dirt, beside a real player's 1."""

_TENOR_RANGE: Final = (44, 76)  # MIDI
# A saxophone of another size, in the tenor's range, is a tenor's next of kin: many a stage's "saxophone" is an alto.
_SISTER: Final[Shares] = (("other saxophone", 0.75), ("tenor saxophone", 0.25))
_AS_TENOR: Final[Shares] = (("tenor saxophone", 0.65), ("other saxophone", 0.35))

# What loops are, by their files' names; whatever is none of it is a piece of a band.
_BACKING: Final = (
    (re.compile(r"^(TFS2_T)?Vla"), "viola"),
    (re.compile(r"Bass"), "bass"),
    (re.compile(r"Kick|HH|Beat|Crash|Cym|Snare|Perc"), "drums"),
    (re.compile(r"Synth|TQT|TECH|Arp"), "synthesizer"),
    (re.compile(r"Pno"), "piano"),
    (re.compile(r"Bell"), "percussion"),
)
_LOOPS: Final = (
    (re.compile(r"^(bd|drum|hat|sn|loop|arovane)_"), "drums"),
    (re.compile(r"^(perc|tabla|elec)_"), "percussion"),
    (re.compile(r"^bass_"), "bass"),
    (re.compile(r"^guit_"), "clean electric guitar"),
)
_UNHELD: Final = frozenset({"backing loops", "crowd", "drums", "loops and one-shots", "percussion", "speech"})
_NOISES: Final = frozenset({"amp noise", "everyday noise", "vocal noise"})
_SONG_SHARE: Final = {"distorted electric guitar": 0.45, "synthesizer": 0.45, "female singer": 0.25, "band": 0.5}
"""Most of a label's clips that are cut out of songs and stems; 0.2 for the others, lest songs mean these labels."""
_IN_CONTEXT: Final = 0.5  # weight of windows out of songs, beside stems


@dataclass(frozen=True, slots=True)
class Player:
    """A source of the pack that plays an instrument, or a recording of songs."""

    shares: Shares
    """What its clips teach, the predominant label first."""
    instrument: str
    """As in the table."""
    source: str
    numbers: tuple[int, ...]
    """Which recordings, of pack and songs together."""
    song: bool = False
    """Whether windows are cut out of them, and nothing is played with them."""
    in_context: bool = False
    """Whether there is a band behind already."""
    doubtful: tuple[str, ...] = ()
    """Labels of what may sound as well."""
    certainty: float = 1.0
    notes: int = 0
    """How many single notes of known pitch there are."""
    holdable: int = 0
    """How many recordings are single notes that can be held."""
    part: bool = False
    """Whether they are what is held out of a source that others are trained on of."""

    @property
    def name(self) -> str:
        """For the embedding: what recordings of one player or instrument have in common."""
        part = " (held out)" if self.part else ""
        return self.source if self.song else f"{self.instrument}/{self.source}{part}"


def label_of(row: Recording) -> str:
    """Tell the label of a recording of the pack; for loops and noises, by what they hold."""
    if row.instrument in _NOISES:
        return "noise"
    kinds = {"backing loops": (_BACKING, "band"), "loops and one-shots": (_LOOPS, "noise")}
    if row.instrument not in kinds:
        return row.instrument
    patterns, otherwise = kinds[row.instrument]
    return next((label for pattern, label in patterns if pattern.search(row.original)), otherwise)


def is_held_out(row: Recording) -> bool:
    """Tell whether a recording of the pack is never trained on."""
    if row.instrument in _SPLIT_WITHIN:
        key = f"{row.instrument}/{row.source}/{row.path if row.midi is None else round(row.midi)}"
        return hashlib.sha256(key.encode()).digest()[0] % _HELD_OUT_WITHIN == 0
    return (row.instrument, row.source) in STAGE_HELD_OUT_SOURCES


class Players:
    """Who can play each label.

    Parameters
    ----------
    pack : sequence of Recording
    songs : sequence of Song
        Numbered after the pack.
    held_out : bool or None
        Which side: True for what is never trained on, None for both.
    guesses : bool
        Whether to cut windows whose labels are no more than a tagger's guesses, too.
    """

    def __init__(
        self, pack: Sequence[Recording], songs: Sequence[Song], held_out: bool | None, *, guesses: bool = False
    ) -> None:
        self._seconds = [row.seconds for row in pack] + [song.row.seconds for song in songs]
        groups: dict[tuple[str, str, str], list[int]] = defaultdict(list)
        for number, row in enumerate(pack):
            if held_out in (None, is_held_out(row)) and (label := label_of(row)) in ALL_LABELS:
                groups[label, row.instrument, row.source].append(number)
        by_label: dict[str, list[Player]] = defaultdict(list)
        for (label, instrument, source), numbers in groups.items():
            part = bool(held_out) and instrument in _SPLIT_WITHIN
            for player in _pack_players(label, instrument, source, tuple(numbers), pack):
                rows = [pack[number] for number in player.numbers]
                notes = sum(row.midi is not None for row in rows)
                held = sum(holdable(row.seconds) for row in rows) if instrument not in _UNHELD else 0
                by_label[player.shares[0][0]].append(replace(player, notes=notes, holdable=held, part=part))
        cut: dict[Song, list[int]] = defaultdict(list)
        for number, song in enumerate(songs, len(pack)):
            here = held_out in (None, song.recording in HELD_OUT_SONGS) and (song.certainty > 0 or guesses)
            if here:
                cut[_kind(song)].append(number)
        self._beds = [_song_player(song, numbers) for song, numbers in cut.items() if song.accompaniment]
        for song, numbers in cut.items():
            by_label[song.shares[0][0]].append(_song_player(song, numbers))
        self._players = {label: self._weighted(label, players) for label, players in by_label.items()}
        bed_weights = np.array([self._length(bed) ** 0.5 for bed in self._beds])
        self._bed_weights = bed_weights / bed_weights.sum() if len(bed_weights) else bed_weights

    @property
    def labels(self) -> frozenset[str]:
        """What can be played."""
        return frozenset(self._players)

    def draw(self, label: str, rng: Rng, able: Callable[[Player], bool] | None = None) -> Player | None:
        """Choose who plays a label, of those who are `able` to; None if nobody is."""
        players, weights = self._players.get(label, ([], np.zeros(0)))
        if able is not None:
            weights = np.where([able(player) for player in players], weights, 0.0)
        if not len(players) or weights.sum() <= 0:
            return None
        return players[rng.choice(len(players), p=weights / weights.sum())]

    def draw_bed(self, rng: Rng) -> Player | None:
        """Choose a real band or orchestra without a soloist of the eight; None if there is none."""
        return self._beds[rng.choice(len(self._beds), p=self._bed_weights)] if self._beds else None

    def _weighted(self, label: str, players: list[Player]) -> tuple[list[Player], npt.NDArray[np.float64]]:
        """Weights: more for a longer source, but far less than in proportion, and so much for songs in all."""
        songs = np.array([player.song for player in players])
        weights = np.array([_worth(player) * self._length(player) ** 0.45 for player in players])
        most = _SONG_SHARE.get(label, 0.2)
        if songs.any() and not songs.all():
            total = weights[songs].sum()
            share = min(most, total / weights.sum())
            weights[songs] *= share / total
            weights[~songs] *= (1 - share) / weights[~songs].sum()
        return players, weights / weights.sum()

    def _length(self, player: Player) -> float:
        return sum(self._seconds[number] for number in player.numbers)


def _worth(player: Player) -> float:
    sister = 0.5 if player.shares == _AS_TENOR else 1.0
    context = _IN_CONTEXT if player.in_context else 1.0
    return sister * context * max(0.1, player.certainty) * _RENDERED.get(player.source, 1.0)


def _pack_players(
    label: str, instrument: str, source: str, numbers: tuple[int, ...], pack: Sequence[Recording]
) -> list[Player]:
    """Make the players of a source: two or three, where it may be heard as something else."""
    alone = Player(((label, 1.0),), instrument, source, numbers)
    if instrument == "clean electric guitar":
        return [alone, Player((("distorted electric guitar", 1.0),), instrument, source, numbers)]
    if label != "other saxophone":
        return [alone]
    low, high = _TENOR_RANGE
    inside = tuple(n for n in numbers if low <= (pack[n].midi or low) <= high)
    outside = tuple(n for n in numbers if n not in set(inside))
    shares: tuple[tuple[Shares, tuple[int, ...]], ...] = (
        (((label, 1.0),), outside),
        (_SISTER, inside),
        (_AS_TENOR, inside),
    )
    return [Player(share, instrument, source, some) for share, some in shares if some]


def _kind(song: Song) -> Song:
    """Make equal what is of one recording and teaches the same."""
    row = Recording("", song.row.instrument, song.row.source, None, 0.0, song.row.licence)
    return Song(row, song.recording, song.context, song.shares, song.doubtful, song.certainty)


def _song_player(song: Song, numbers: list[int]) -> Player:
    return Player(
        song.shares,
        song.row.instrument,
        song.recording,
        tuple(numbers),
        song=True,
        in_context=song.context == "song",
        doubtful=song.doubtful,
        certainty=song.certainty or 0.25,
    )
