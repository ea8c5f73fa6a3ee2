"""The recordings that clips are composed of, as typed rows of the manifest, and their split by source."""

from __future__ import annotations

import csv
import hashlib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from stream.errors import ConfigError, SourceError

LABELS: Final = (
    "clarinet",
    "distorted electric guitar",
    "female singer",
    "flute",
    "piano",
    "tenor saxophone",
    "trumpet",
    "violin",
    "unknown",
)
"""The model's outputs in order: the instruments of Medley-solos-DB by name, then everything else."""

INSTRUMENTS: Final = LABELS[:-1]
"""The eight instruments that can be named."""

# At least one source per instrument is never trained on: epoch, temperature and threshold are chosen on clips of these.
# Where an instrument has one real player only, that player trains and what is left is held out.
HELD_OUT: Final = frozenset(
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
"""Sources, as (instrument, source), that only the held-out clips are composed of."""

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
    return [row for row in _read(data / "training.csv", "training/") if row.instrument != _ROOM]


def read_rooms(data: Path) -> list[Recording]:
    """Room impulse responses of a data folder; an empty list where it has none."""
    return [row for row in _read(data / "training.csv", "training/") if row.instrument == _ROOM]


def read_validation(data: Path) -> list[Recording]:
    """Read ``validation.csv`` of a data folder: real clips, never to train on.

    The track that a clip was cut from stands as its source.
    """
    return _read(data / "validation.csv", "validation/")


def split(pack: list[Recording]) -> tuple[list[Recording], list[Recording]]:
    """Split a pack by source into what is trained on and what is held out."""
    held = [row for row in pack if (row.instrument, row.source) in HELD_OUT]
    return [row for row in pack if (row.instrument, row.source) not in HELD_OUT], held


def digest(rows: list[Recording]) -> str:
    """Digest of which recordings these are, for cache names and the model's record."""
    lines = "\n".join(sorted(f"{row.path} {row.instrument} {row.source} {row.midi}" for row in rows))
    return hashlib.sha256(lines.encode()).hexdigest()[:16]


def _read(manifest: Path, folder: str) -> list[Recording]:
    try:
        with manifest.open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
    except OSError as error:
        raise SourceError(f"no manifest {manifest}: {error.strerror}") from error
    recordings = []
    for row in rows:
        room = row["instrument"] == _ROOM
        if not row["path"].startswith("impulse_responses/" if room else folder):
            raise ConfigError(f"{manifest} names {row['path']}, which is outside {folder}")
        recordings.append(
            Recording(
                row["path"],
                row["instrument"],
                row.get("source") or row.get("track_id", ""),
                _midi(row),
                float(row.get("seconds") or 0),
                row.get("licence", ""),
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
