"""A table of audio files with their labels, as a data set."""

from __future__ import annotations

import csv
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Final, cast

from stream.errors import ConfigError, SourceError
from train.datasets.audio_files import AudioFileDataset, keep_validation, label_order, window_clips
from train.datasets.clips import SPLITS, Clip, Split
from train.datasets.labels import read_label, require_distinct

Row = dict[str, str]

_LABEL: Final = ("instrument", "label")
_SPLIT: Final = ("split", "subset")
_RECORDING: Final = {"recording": "recording", "track_id": "track", "source": "source"}  # the first that a row has
_ROOM: Final = "room impulse response"


def read_manifest(table: Path, *, instruments: Sequence[str] | None = None, seed: int = 0) -> AudioFileDataset:
    """Read a manifest: a CSV table with a row for each audio file, such as the pack's.

    Columns are ``path``, relative to the table's folder; ``instrument`` or ``label``; what the file is a part of:
    ``recording``, else ``track_id``, else ``source`` (one player: nobody is heard on two sides), else the file is a
    recording of its own; and optionally ``split`` or ``subset``, ``source`` and ``licence``. Other columns do not
    matter. Files are cut to clips. Without a split in the table, recordings are yet to be divided. Rows
    of room impulse responses are left aside, and files that are for validation only are in that split whatever the
    table says.

    Parameters
    ----------
    table : Path
        The manifest.
    instruments : sequence of str, optional
        The labels to take; all by default.
    seed : int
        For the division into training, validation and test.

    Returns
    -------
    AudioFileDataset
        Labels by name, ``unknown`` last.

    Raises
    ------
    SourceError
        If the table cannot be read.
    ConfigError
        If columns are missing; if a row lacks a path or a label, names a file outside the table's folder or one that
        another row names, or a split that is none of training, validation and test, with its line; if a recording is
        in two splits; if an instrument is not in the table; if there are fewer than two labels.
    """
    wanted = None if instruments is None else frozenset(read_label(name, "instruments") for name in instruments)
    rows = [(line, row) for line, row in _rows(table) if row["label"] != _ROOM]
    places: dict[str, str] = {}
    for line, row in rows:
        places.setdefault(row["label"], f"{table}, line {line}")
    require_distinct(places)
    names = {text: read_label(text, where) for text, where in places.items()}
    listed = [(line, row | {"label": names[row["label"]]}) for line, row in rows]
    listed = [(line, row) for line, row in listed if wanted is None or row["label"] in wanted]
    labels = label_order({row["label"] for _, row in listed})
    if wanted is not None and (absent := sorted(wanted.difference(labels))):
        raise ConfigError(f"{table} has no rows of {', '.join(absent)}")
    if len(labels) < 2:
        raise ConfigError(f"expected two or more labels in {table}, got {' '.join(labels) or 'none'}")
    splits = _splits(table, listed)
    clips = [clip for _, row in listed for clip in window_clips(_clip(table, row))]
    if splits:
        return AudioFileDataset(table.stem, labels, keep_validation(clips))
    return AudioFileDataset(table.stem, labels, tuple(clips), seed)


def _rows(table: Path) -> Iterator[tuple[int, Row]]:
    """Rows with the line each ends in; `label` and `split` hold what was found under either name."""
    try:
        with table.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file, restval="")
            columns = frozenset(reader.fieldnames or ())
            label, split = _column(columns, _LABEL), _column(columns, _SPLIT)
            missing = [
                name for name, is_there in (("path", "path" in columns), (" or ".join(_LABEL), label)) if not is_there
            ]
            if missing:
                got = ", ".join(reader.fieldnames or ()) or "nothing"
                raise ConfigError(f"{table} lacks the column {' and '.join(missing)}: its columns are {got}")
            for row in reader:
                if None in row:
                    raise ConfigError(f"{table}, line {reader.line_num}: more fields than columns")
                cells = {name: cell.strip() for name, cell in row.items()}
                found = cells | {"label": cells[label], "split": cells.get(split, "")}
                if empty := [name for name in ("path", "label") if not found[name]]:
                    raise ConfigError(f"{table}, line {reader.line_num}: no {' and no '.join(empty)}")
                yield reader.line_num, found
    except OSError as error:
        raise SourceError(f"cannot read {table}: {error.strerror}") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise SourceError(f"{table} is not a CSV table in UTF-8: {error}") from error


def _column(columns: Collection[str], names: Sequence[str]) -> str:
    return next((name for name in names if name in columns), "")


def _splits(table: Path, listed: Sequence[tuple[int, Row]]) -> bool:
    """Check files and splits of all rows; whether the table gives splits."""
    home = table.parent.resolve()
    lines: dict[Path, int] = {}
    sides: dict[str, str] = {}
    given = any(row["split"] for _, row in listed)
    for line, row in listed:
        path = (home / row["path"]).resolve()
        if not path.is_relative_to(home):
            raise ConfigError(f"{table}, line {line}: {row['path']} is outside {table.parent}")
        if path in lines:
            raise ConfigError(f"{table}, line {line}: {row['path']} stands in line {lines[path]} already")
        lines[path] = line
        if not given:
            continue
        if row["split"] not in SPLITS:
            raise ConfigError(f"{table}, line {line}: split {row['split']!r}, expected one of {', '.join(SPLITS)}")
        side = sides.setdefault(_recording(row), row["split"])
        if side != row["split"]:
            raise ConfigError(f"{table}, line {line}: {_recording(row)} is in {row['split']} and in {side}")
    return given


def _recording(row: Row) -> str:
    # The column's name keeps a track apart from a source of the same name.
    return next(
        (f"{name} {row[column]}" for column, name in _RECORDING.items() if row.get(column)), f"file {row['path']}"
    )


def _clip(table: Path, row: Row) -> Clip:
    split = cast(Split, row["split"] or SPLITS[0])
    source = row.get("source") or table.stem
    return Clip(row["label"], _recording(row), split, source, row.get("licence", ""), table.parent / row["path"], 0)
