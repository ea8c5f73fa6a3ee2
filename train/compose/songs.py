"""Stems and songs beside the pack: typed rows of ``songs.csv``, what is believed of them, and their split."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from stream.errors import ConfigError, SourceError
from train.compose.pack import Recording
from train.datasets.game_music import read_music
from train.datasets.soft_targets import Shares

HELD_OUT_SONGS: Final = frozenset(
    {
        "0ad:Celtica",
        "0ad:Midwinter",
        "0ad:Taiko_2",
        "0ad:Tavern_in_the_Mist",
        "ev3:3.Sodium",
        "ev3:7.Francium",
        "fof_muldjord:mutilated_mime",
        "fof_sectoid:War_of_freedom",
        "gcompris:accordion",
        "gcompris:timpani",
        "gcompris:trombone",
        "gcompris:violin",
        "iowa:iowa_bassoon_C3",
        "iowa:iowa_cello_C3",
        "iowa:iowa_clarinet_G4",
        "iowa:iowa_doublebass_E2",
        "iowa:iowa_flute_A5",
        "iowa:iowa_horn_C3",
        "iowa:iowa_oboe_A4",
        "iowa:iowa_trumpet_C5",
        "iowa:iowa_viola_C4",
        "lmms:bassslap02",
        "lmms:church_organ03",
        "lmms:e_piano_accord02",
        "lmms:piano02",
        "lmms:steel_guitar_heavy_distorted01",
        "lmms:trumpet01",
        "obsidian_shell:03_fear",
        "obsidian_shell:07_-_Vermocsar",
        "obsidian_shell:10_farewell",
        "plee:bonus",
        "redeclipse:track_02",
        "scratch14:DrumSet2",
        "scratch14:GuitarChords2",
        "scratch14:Techno",
        "scratch14:Trumpet2",
        "usaf:eagle_eyes",
        "wesnoth:knolls",
        "wesnoth:sad",
    }
)
"""Recordings that are never trained on: at least one for each instrument that has two or more."""

_CERTAINTY: Final = {"sure": 1.0, "fair": 0.8, "unsure": 0.4}
_GUESSED: Final = ("0ad", "unknown_horizons")  # labelled by a music tagger alone; with them, half of its labels fail

# Names of the table for what is told apart, where they differ. Tuba, banjo, harp and harmonica are nothing of it.
_ONE: Final = {
    "big band": "band",
    "chamber orchestra": "band",
    "double bass": "bass",
    "none": "band",
    "string orchestra": "string section",
    "synth": "synthesizer",
}
_SEVERAL: Final[dict[str, Shares]] = {
    "electric guitar": (("distorted electric guitar", 0.5), ("clean electric guitar", 0.5)),
    "electric piano": (("piano", 0.6), ("synthesizer", 0.4)),
    "saxophone": (("other saxophone", 0.5), ("tenor saxophone", 0.5)),
    "synth bass": (("bass", 0.5), ("synthesizer", 0.5)),
}
_FRETS_ON_FIRE: Final = "fretsonfire-songs-"
_NOTHING: Final = frozenset({"banjo", "harmonica", "harp", "tuba"})

# What may sound in a song without being told of.
_BAND: Final = (
    *("acoustic guitar", "bass", "cello", "clean electric guitar", "drums", "french horn", "male singer", "organ"),
    *("percussion", "piano", "string section", "synthesizer", "trombone", "viola"),
)
_ORCHESTRA: Final = (*_BAND, "clarinet", "flute", "other saxophone", "tenor saxophone", "trumpet", "violin")
_IN_FRONT: Final = 0.75  # share of what is in front of a band; the other quarter is the band's


@dataclass(frozen=True, slots=True)
class Song:
    """One row of the table: up to 20 s of a stem, a solo or a song."""

    row: Recording
    """Its instrument is the table's, `none` for music without any soloist of ours."""
    recording: str
    """All rows of one are on one side of the split."""
    context: str
    """`alone`, or `song` where it is in front of a band or an orchestra."""
    shares: Shares
    """What it teaches."""
    doubtful: tuple[str, ...]
    """Labels of what may sound as well."""
    certainty: float
    """How far its label is to be believed: 1 is sure, 0 is no more than a guess."""

    @property
    def accompaniment(self) -> bool:
        """Whether it is a band or an orchestra without a soloist of the eight, to put soloists before."""
        return self.row.instrument in {"none", "string orchestra"}


def read_songs(data: Path) -> list[Song]:
    """Read ``songs.csv`` of a data folder.

    Parameters
    ----------
    data : Path
        Folder with `songs.csv` and the files it names.

    Returns
    -------
    list of Song
        In the table's order, without what no label fits; nothing where there is no table.

    Raises
    ------
    SourceError
        If the table cannot be read.
    ConfigError
        If it names anything outside ``songs/``: validation files must never be trained on.
    """
    table = data / "songs.csv"
    if not table.exists():
        return []
    try:
        with table.open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
    except OSError as error:
        raise SourceError(f"no table {table}: {error.strerror}") from error
    if strange := next((row["path"] for row in rows if not row["path"].startswith("songs/")), None):
        raise ConfigError(f"{table} names {strange}, which is outside songs/")
    return [_song(row) for row in rows if row["instrument"] not in _NOTHING]


def read_backing_tracks(music: Path) -> list[Song]:
    """Read the songs of Frets on Fire, without their guitars, of a folder that `soloist train music` has filled.

    Each is a real band for some minutes; `songs.csv` has short pieces of the same songs with their guitars.

    Raises
    ------
    ConfigError
        If there is no manifest.
    """
    tracks = []
    for file in read_music(music):
        band, _, name = file.package.removeprefix(_FRETS_ON_FIRE).partition("-")
        title = Path(file.path).stem.removeprefix(f"{band}_").removesuffix("_song").replace(" ", "_")
        if file.package.startswith(_FRETS_ON_FIRE) and not name and Path(file.path).stem.endswith("_song"):
            path = str(music.resolve() / file.path)
            row = Recording(path, "none", file.package, None, file.seconds, file.licence)
            doubtful = (*_BAND, "distorted electric guitar")
            tracks.append(Song(row, f"fof_{band}:{title}", "song", (("band", 1.0),), doubtful, 0.6))
    return tracks


def _song(row: dict[str, str]) -> Song:
    name, context = row["instrument"], row["context"]
    shares = _SEVERAL.get(name) or ((_ONE.get(name, name), 1.0),)
    doubtful: tuple[str, ...] = ()
    if context == "song":
        doubtful = _ORCHESTRA if name in {"big band", "chamber orchestra"} or row["source"] in _GUESSED else _BAND
        if shares[0][0] not in {"band", "string section"}:
            shares = (*((label, share * _IN_FRONT) for label, share in shares), ("band", 1 - _IN_FRONT))
    named = {label for label, _ in shares}
    return Song(
        Recording(row["path"], name, row["source"], None, float(row["seconds"]), row["licence"], row["original"]),
        row["recording"],
        context,
        shares,
        tuple(label for label in doubtful if label not in named),
        0.0 if context == "song" and row["source"] in _GUESSED else _CERTAINTY[row["sure"]],
    )
