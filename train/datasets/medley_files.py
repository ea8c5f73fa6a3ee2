"""Medley-solos-DB on disk as mirdata lays it out: its download, its validation and its clips."""

from __future__ import annotations

import csv
import logging
import shutil
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from stream.errors import SourceError
from train.datasets.clips import SPLITS, Clip
from train.datasets.labels import INSTRUMENTS

_TABLE: Final = Path("annotation", "Medley-solos-DB_metadata.csv")
_LICENCE: Final = "CC BY 4.0"


@dataclass(frozen=True, slots=True)
class ChecksumResult:
    """What mirdata's validation found in a home of the data set."""

    files: int
    """Audio files that the index lists."""
    missing: tuple[Path, ...]
    corrupt: tuple[Path, ...]
    """Files whose MD5 checksum is not the published one's."""

    def __str__(self) -> str:
        sound = self.files - len(self.missing) - len(self.corrupt)
        return f"{sound} of {self.files} files are sound, {len(self.missing)} missing, {len(self.corrupt)} corrupt"


def download_medley(home: Path) -> None:
    """Download Medley-solos-DB with mirdata: some gigabytes, checked against the published checksums.

    What is there already stays. mirdata keeps its index within its own package; a copy in `home` makes the folder
    complete on other machines too.

    Parameters
    ----------
    home : Path
        Folder that gets ``annotation/``, ``audio/`` and the index.

    Raises
    ------
    SourceError
        If the server cannot be reached, a checksum differs, or there is no room or no permission. The text says which.
        A file whose checksum differs stays: delete it to download it again.
    """
    dataset = _dataset(home)
    try:
        with _quiet():
            dataset.download()
        index = home / Path(dataset.index_path).name
        if not index.exists():
            shutil.copyfile(dataset.index_path, index)
    except (OSError, EOFError, tarfile.TarError) as error:
        raise SourceError(f"cannot download Medley-solos-DB to {home}: {' '.join(str(error).split())}") from error


def verify_checksums(home: Path) -> ChecksumResult:
    """Compare every file of a home with the published checksums, by mirdata; a progress bar goes to the standard error.

    Parameters
    ----------
    home : Path
        Folder with ``audio/``.

    Returns
    -------
    ChecksumResult
        Which files are missing, and which are not the published ones.

    Raises
    ------
    SourceError
        If mirdata's index is not there, or no audio at all.
    """
    dataset = _dataset(home)
    files = len(_track_ids(dataset, home))
    with _quiet():  # it would log every path
        missing, corrupt = (_paths(found) for found in dataset.validate(verbose=True))
    if len(missing) == files:
        raise SourceError(_no_audio(home))
    return ChecksumResult(files, missing, corrupt)


def read_official_clips(home: Path) -> list[Clip]:
    """Read all clips of a home, in their official splits; a recording is a track.

    Parameters
    ----------
    home : Path
        Folder with ``annotation/`` and ``audio/``, and mirdata's index where that is not in mirdata itself.

    Returns
    -------
    list of Clip
        What the index lists, in its order. Single files may be missing; `verify_checksums` finds them.

    Raises
    ------
    SourceError
        If index, table or all audio are not there, or do not belong together.
    """
    with tempfile.TemporaryDirectory() as adapted:
        annotations = _dataset(Path(adapted))
        annotations.index_path = _dataset(home).index_path
        track_ids = _track_ids(annotations, home)
        _copy_table(home / _TABLE, Path(adapted) / _TABLE)
        try:
            tracks = [annotations.track(track_id) for track_id in track_ids]
            clips = [_clip(track, home / Path(track.audio_path).relative_to(adapted)) for track in tracks]
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise SourceError(f"{home / _TABLE} is not the table of Medley-solos-DB: {error!r}") from error
    if not any(clip.path is not None and clip.path.is_file() for clip in clips):
        raise SourceError(_no_audio(home))
    return clips


def _paths(found: dict[str, dict[str, list[str]]]) -> tuple[Path, ...]:
    return tuple(Path(path) for group in found.values() for paths in group.values() for path in paths)


def _dataset(home: Path) -> Any:
    import mirdata  # not before: it comes with an extra of its own, and other data sets need none

    # Importing its loader, mirdata configures the root logger to show everything from INFO on.
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    try:
        dataset = mirdata.initialize("medley_solos_db", data_home=str(home))
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)
    index = home / Path(dataset.index_path).name
    if index.is_file():
        dataset.index_path = str(index)
    return dataset


@contextmanager
def _quiet() -> Iterator[None]:
    """Without mirdata's log: its progress bars remain, and what fails is raised."""
    before = logging.root.manager.disable
    logging.disable(logging.ERROR)
    try:
        yield
    finally:
        logging.disable(before)


def _track_ids(dataset: Any, home: Path) -> list[str]:
    try:
        return list(dataset.track_ids)
    except (OSError, AttributeError, ValueError) as error:
        place = Path(dataset.index_path)
        if place.exists():
            raise SourceError(f"{place} is not mirdata's index of Medley-solos-DB: {error}") from error
        raise SourceError(
            f"no index of Medley-solos-DB, {place.name}, in {home} or {place.parent}: download it"
        ) from error


def _copy_table(table: Path, copy: Path) -> None:
    """Copy the table for mirdata, which reads a column ``song_id`` where some editions say ``track_id``."""
    try:
        with table.open(newline="", encoding="utf-8-sig") as file:
            header, *rows = csv.reader(file)
    except OSError as error:
        raise SourceError(f"no table {table}: download Medley-solos-DB first") from error
    except ValueError as error:
        raise SourceError(f"{table} is not the table of Medley-solos-DB: {error}") from error
    copy.parent.mkdir()
    with copy.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([["song_id" if name == "track_id" else name for name in header], *rows])


def _clip(track: Any, path: Path) -> Clip:
    # mirdata gives None for a clip that its table lacks
    if track.instrument not in INSTRUMENTS or track.subset not in SPLITS:
        raise ValueError(f"clip {track.track_id} has instrument {track.instrument} and subset {track.subset}")
    return Clip(track.instrument, f"track {track.song_id}", track.subset, "Medley-solos-DB", _LICENCE, path, 0)


def _no_audio(home: Path) -> str:
    return f"no audio of Medley-solos-DB in {home / 'audio'}: download it first"
