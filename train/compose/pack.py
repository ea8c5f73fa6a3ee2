"""The recordings that clips are composed of, as typed rows of the manifest, and their split by source."""

from __future__ import annotations

import csv
import hashlib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from stream.errors import ConfigError, SourceError
from train.datasets.clips import SPLITS, Split

# At least one source per instrument is never trained on: epoch, temperature and threshold are chosen on clips of these.
# Where an instrument has one real player only, that player trains and what is left is held out.
HELD_OUT_SOURCES: Final = frozenset(
    {
        ("clarinet", "generaluser_gs"),
        ("clarinet", "sms_tools"),
        ("clean electric guitar", "nyanshell_strat"),
        ("distorted electric guitar", "freepats"),
        ("female singer", "utau_yuki"),
        ("female singer", "solfege_katy"),
        ("flute", "tonejs_flute"),
        ("piano", "iowa_mis_piano"),
        ("other saxophone", "fluidr3_gm"),
        ("other saxophone", "sms_tools"),
        ("tenor saxophone", "generaluser_gs"),
        ("trumpet", "philharmonia"),
        ("trumpet", "generaluser_gs"),
        ("violin", "bach_violin_minji_kim"),
        ("acoustic guitar", "tonejs_lofi"),
        ("bass", "karoryfer_swagbass"),
        ("cello", "generaluser_gs"),
        ("drums", "sams_sonor"),
        ("male singer", "solfege_samples"),
        ("speech", "spatialaudio"),
        ("string section", "vsco2_via_freesound"),
        ("trombone", "vsco2_via_freesound"),
    }
)
"""Sources, as (instrument, source), that are never trained on."""

# A third side, for who wants a test that chose nothing: taken out of training only then, lest every model lose a tenth
# of what it learns from. What is left to train on keeps a real player of every instrument.
VALIDATION_SOURCES: Final = frozenset(
    {
        ("clarinet", "tonejs_clarinet"),
        ("clean electric guitar", "gulmini"),
        ("distorted electric guitar", "generaluser_gs"),
        ("female singer", "berklee_olpc"),
        ("female singer", "utau_kumi"),
        ("flute", "ixox_flute"),
        ("piano", "splendid_grand"),
        ("other saxophone", "philharmonia"),
        ("tenor saxophone", "freepats"),
        ("trumpet", "tonejs_trumpet"),
        ("violin", "vsco2_via_tonejs"),
        ("acoustic guitar", "berklee_olpc"),
        ("bass", "philharmonia"),
        ("cello", "fluidr3_gm"),
        ("drums", "fluidr3_gm"),
        ("french horn", "fluidr3_gm"),
        ("male singer", "vocobox"),
        ("oboe", "fluidr3_gm"),
        ("trombone", "fluidr3_gm"),
    }
)
"""Sources that validation clips are composed of where the held-out ones are kept for the test."""

_ROOM: Final = "room impulse response"
_SEMITONES: Final = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
_NOTE_NAME: Final = re.compile(r"([A-G])([s#b]?)(-?\d)\.\w+")


@dataclass(frozen=True, slots=True)
class Recording:
    """One row of the manifest."""

    path: str
    """File, relative to the data folder."""
    instrument: str
    source: str
    """Library, mostly one player or one instrument."""
    midi: float | None
    """Sounding pitch; None where unknown or unpitched."""
    seconds: float
    licence: str
    original: str = ""
    """Name of the file it was made of, which often tells what is played; it determines no clip of `ComposedClips`."""


def read_pack(data: Path) -> list[Recording]:
    """Read ``training.csv`` of a data folder, without its room impulse responses.

    Parameters
    ----------
    data : Path
        Folder with `training.csv` and the files it names.

    Returns
    -------
    list of Recording
        In the manifest's order.

    Raises
    ------
    SourceError
        If the manifest cannot be read.
    ConfigError
        If the manifest names anything outside ``training/``: validation files must never be trained on.
    """
    return [row for row in _read_manifest(data / "training.csv") if row.instrument != _ROOM]


def read_rooms(data: Path) -> list[Recording]:
    """Room impulse responses of a data folder; an empty list where it has none."""
    return [row for row in _read_manifest(data / "training.csv") if row.instrument == _ROOM]


def split_by_source(pack: list[Recording], *, three_way: bool = False) -> dict[Split, list[Recording]]:
    """Divide a pack by source.

    Parameters
    ----------
    pack : list of Recording
        All recordings.
    three_way : bool
        Whether there is a test side. If so, the held-out sources are that, and `VALIDATION_SOURCES` the validation
        side; if not, the held-out sources are the validation side.

    Returns
    -------
    dict
        Recordings of each side, in the pack's order; no source is on two sides.
    """
    divided: dict[Split, list[Recording]] = {side: [] for side in SPLITS}
    for row in pack:
        divided[split_of_source(row.instrument, row.source, three_way=three_way)].append(row)
    return divided


def split_of_source(instrument: str, source: str, *, three_way: bool = False) -> Split:
    """Side that a source is on; parameters as for `split_by_source`."""
    if (instrument, source) in HELD_OUT_SOURCES:
        return "test" if three_way else "validation"
    return "validation" if three_way and (instrument, source) in VALIDATION_SOURCES else "training"


def fingerprint(data: Path, rows: list[Recording]) -> str:
    """Digest of what is composed of the recordings in this order: their rows, and their files' sizes.

    Sizes stand for the files' contents, which would take seconds to read: another encoding hardly has the same size.

    Raises
    ------
    SourceError
        If a file is not there.
    """
    state = hashlib.sha256()
    for row in rows:
        try:
            size = (data / row.path).stat().st_size
        except OSError as error:
            raise SourceError(f"{data} names {row.path}, which cannot be read: {error.strerror}") from error
        state.update(f"{row.path}|{row.instrument}|{row.source}|{row.midi}|{row.seconds}|{size}\n".encode())
    return state.hexdigest()[:16]


def _read_manifest(manifest: Path) -> list[Recording]:
    try:
        with manifest.open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
    except OSError as error:
        raise SourceError(f"no manifest {manifest}: {error.strerror}") from error
    recordings = []
    for row in rows:
        room = row["instrument"] == _ROOM
        folder = "impulse_responses/" if room else "training/"
        if not row["path"].startswith(folder):
            raise ConfigError(f"{manifest} names {row['path']}, which is outside {folder}")
        recordings.append(
            Recording(
                row["path"],
                row["instrument"],
                row.get("source", ""),
                _midi(row),
                float(row.get("seconds") or 0),
                row.get("licence", ""),
                row.get("original", ""),
            )
        )
    return recordings


def _midi(row: dict[str, str]) -> float | None:
    if row.get("midi"):
        midi = float(row["midi"])
        return midi if midi > 0 else midi + 48  # the power chords' names count octaves from elsewhere
    name = _NOTE_NAME.fullmatch(row.get("original", ""))
    if not name or not row.get("source", "").startswith("tonejs_"):
        return None
    letter, accidental, octave = name.groups()
    return 12.0 * (int(octave) + 1) + _SEMITONES[letter] + {"": 0, "s": 1, "#": 1, "b": -1}[accidental]
