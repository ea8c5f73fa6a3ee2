"""Who is taught in a trial: instruments from one source, players of one instrument, and instruments nobody knows."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np

from stream.recognition.mel import SAMPLE_RATE, WINDOW
from train.compose.pack import Recording, read_pack
from train.compose.players import label_of
from train.compose.programmes import Rng
from train.compose.real_recordings import RENDERED, RealPlayer, Take, real_players
from train.datasets.clips import Array

_LEAST: Final = 20.0  # s of a source that is taught from, so that half of it is enough


@dataclass(frozen=True, slots=True)
class NewInstrument:
    """An instrument that is taught though the model knows it, as if it did not."""

    name: str
    label: str
    """The model's, whose windows are left out of the bank."""
    keys: tuple[int, int]
    """Its range in MIDI; what sound fonts play outside is left aside."""
    originals: tuple[tuple[str, str], ...] = ()
    """With which the original file names of a source begin, where only some of its files are of the instrument."""
    sources: tuple[str, ...] = ()
    """Those that play it; all of the label where it is empty."""

    def has(self, row: Recording) -> bool:
        """Tell whether a recording of the pack is of it."""
        if label_of(row) != self.label or (self.sources and row.source not in self.sources):
            return False
        if any(source == row.source and not row.original.startswith(start) for source, start in self.originals):
            return False
        return row.source not in RENDERED or (row.midi is not None and self.keys[0] <= row.midi <= self.keys[1])


NEW_INSTRUMENTS: Final = (
    NewInstrument("cello", "cello", (36, 76)),
    NewInstrument(
        "alto saxophone",
        "other saxophone",
        (49, 80),
        originals=(("mtg_solosax", "alt_"),),
        sources=("mtg_solosax", "philharmonia", "sms_tools"),
    ),
    NewInstrument("acoustic guitar", "acoustic guitar", (40, 83)),
    NewInstrument("oboe", "oboe", (58, 88)),
)

SAME_INSTRUMENT: Final = {
    "violinists": ("violin", ("bach_violin_john_garner", "bach_violin_minji_kim", "urmp")),
    "singers": ("female singer", ("utau_alys", "utau_kumi", "utau_yuki")),
}
"""Players of one instrument: their label, and the sources."""


def players_of(data: Path, instrument: NewInstrument) -> list[RealPlayer]:
    """List who plays an instrument in the pack and its songs: real players, and sound fonts in its range."""
    takes: dict[str, list[Take]] = {}
    for row in read_pack(data):
        if instrument.has(row):
            takes.setdefault(row.source, []).append(Take(row.path, row.seconds, row.midi))
    found = [RealPlayer(instrument.label, source, "", tuple(them)) for source, them in sorted(takes.items())]
    if not instrument.sources:
        songs = (*real_players(data, "held out"), *real_players(data, "trained on"))
        found += [it for it in songs if it.label == instrument.label and it.source not in takes]
    return found


def source_of(data: Path, label: str, source: str) -> RealPlayer:
    """Return one player of a label."""
    players = (*real_players(data, "held out"), *real_players(data, "trained on"))
    return next(it for it in players if it.label == label and it.source == source)


def halves(player: RealPlayer) -> tuple[RealPlayer, RealPlayer]:
    """Divide what there is of a player: every second file is taught from, the others are other recordings."""
    return replace(player, takes=player.takes[::2]), replace(player, takes=player.takes[1::2])


def can_be_taught(player: RealPlayer) -> bool:
    """Tell whether there is enough of a player for both halves."""
    return player.seconds >= _LEAST and len(player.takes) > 1


def excerpts(player: RealPlayer, data: Path, seconds: float, rng: Rng) -> Array:
    """Play for so long: of two files or more, where there are."""
    return np.concatenate([player.play(data, seconds / 2, rng) for _ in range(2)])


def windows_of(player: RealPlayer, data: Path, rng: Rng, most: int) -> list[Array]:
    """Play windows, as many as there is audio for."""
    count = min(most, max(1, int(player.seconds * SAMPLE_RATE / WINDOW))) if player.takes else 0
    played = (player.play(data, WINDOW / SAMPLE_RATE, rng) for _ in range(count))
    return [np.pad(window, (0, WINDOW - len(window))) for window in played]
