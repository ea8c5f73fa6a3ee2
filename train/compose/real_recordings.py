"""Real recordings of a pack, notes and songs, by player: what rows and windows to judge a model by are made of."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from train.compose import effects
from train.compose.decoded_recordings import read_mono
from train.compose.pack import Recording, read_pack
from train.compose.players import is_held_out, label_of
from train.compose.programmes import Rng, crossfade, sample_count
from train.compose.songs import HELD_OUT_SONGS, read_songs
from train.compose.sound_fonts import BEYOND_FONTS, FONTS
from train.datasets.clips import Array

Side = Literal["held out", "trained on"]
"""Sources and songs that no model learns from, or all others."""

RENDERED: Final = frozenset(
    {"fluidr3_gm", "freepats", "generaluser_gs", *(font.source for font in (*FONTS, *BEYOND_FONTS))}
)
"""Sources that sound fonts were rendered to."""

_NEAR: Final = 5  # notes next in pitch that one may be followed by
_LEVEL: Final = 0.1  # RMS of what is played
_IN_FRONT: Final = 0.7  # share of a song that is its label's, at least: what may be either is neither


@dataclass(frozen=True, slots=True)
class Take:
    """One file of a player."""

    path: str
    """Relative to the data folder."""
    seconds: float
    midi: float | None
    """Sounding pitch of a note; None where unknown or unpitched."""


@dataclass(frozen=True, slots=True)
class RealPlayer:
    """One source of one class: a player, an instrument, or a song's recording."""

    label: str
    """What is in front, as one of all labels."""
    source: str
    """Library, or recording where it is of songs."""
    licence: str
    takes: tuple[Take, ...]

    @property
    def seconds(self) -> float:
        """How much there is of it."""
        return sum(take.seconds for take in self.takes)

    def play(self, data: Path, seconds: float, rng: Rng) -> Array:
        """Play an excerpt of one file, or one note after another where all are short.

        Parameters
        ----------
        data : Path
            Folder of the pack.
        seconds : float
            How long at most.
        rng : np.random.Generator
            Where all choices come from.

        Returns
        -------
        np.ndarray [shape=(n,), dtype=float32]
            Mono at 22 050 Hz, faded in and out, at an RMS of 0.1.

        Raises
        ------
        SourceError
            If a file cannot be read.
        """
        length = sample_count(seconds)
        long = [take for take in self.takes if take.seconds >= seconds]
        phrases: Iterable[Array]
        if long:
            sound = read_mono(data / long[int(rng.integers(len(long)))].path)
            start = int(rng.integers(max(1, len(sound) - length + 1)))
            phrases = [sound[start : start + length]]
        else:
            phrases = (effects.level(read_mono(data / take.path), _LEVEL) for take in self._walk(2 * seconds, rng))
        return effects.level(crossfade(iter(phrases), length), _LEVEL)

    def _walk(self, seconds: float, rng: Rng) -> Iterable[Take]:
        """Choose files one after the other, notes from pitch to near pitch, until they last so long."""
        take = self.takes[int(rng.integers(len(self.takes)))]
        played = 0.0
        while played < seconds:
            yield take
            played += take.seconds + 0.1
            others = [other for other in self.takes if other is not take] or [take]
            if (midi := take.midi) is not None:
                others = sorted(others, key=lambda other: _interval(other, midi))[:_NEAR]
            take = others[int(rng.integers(len(others)))]


def real_players(data: Path, side: Side = "held out", least: float = 2.0) -> list[RealPlayer]:
    """List who plays in a pack's real recordings: notes and phrases by source, songs by recording.

    Renderings of sound fonts are left out, and songs whose labels a tagger guessed.

    Parameters
    ----------
    data : Path
        Folder with `training.csv`, and `songs.csv` where it has songs.
    side : str
        Whose recordings.
    least : float
        Seconds that a player must have.

    Returns
    -------
    list of RealPlayer
        By label and source.

    Raises
    ------
    SourceError
        If a table cannot be read.
    """
    takes: dict[tuple[str, str], list[Take]] = defaultdict(list)
    licences: dict[tuple[str, str], set[str]] = defaultdict(set)

    def add(label: str, source: str, row: Recording) -> None:
        takes[label, source].append(Take(row.path, row.seconds, row.midi))
        licences[label, source].add(row.licence)

    for row in read_pack(data):
        if row.source not in RENDERED and is_held_out(row) == (side == "held out"):
            add(label_of(row), row.source, row)
    for song in read_songs(data):
        label, share = song.shares[0]
        if song.certainty and share >= _IN_FRONT and (song.recording in HELD_OUT_SONGS) == (side == "held out"):
            add(label, song.recording, song.row)
    players = [
        RealPlayer(label, source, ", ".join(sorted(licences[label, source])), tuple(found))
        for (label, source), found in sorted(takes.items())
    ]
    return [player for player in players if player.seconds >= least]


def _interval(take: Take, midi: float) -> float:
    return abs(take.midi - midi) if take.midi is not None else 128.0
