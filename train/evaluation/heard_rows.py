"""What the recognizer told of rows of real recordings, kept on disk: smoothing is tuned on it without hearing again."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Sequence
from dataclasses import astuple
from importlib import resources
from pathlib import Path
from typing import Final

import numpy as np

from stream.errors import ConfigError
from stream.recognition.bundle import Bundle
from train.compose.programmes import Interval
from train.compose.real_rows import RealRows
from train.evaluation.programme_predictions import ProgrammePredictions, predict_rows

log = logging.getLogger(__name__)

_FOLDER: Final = "heard"  # in the cache
_CODE: Final = (
    ("stream.recognition", ("",)),
    ("train.compose", ("programmes", "real_recordings", "real_rows", "effects")),
)
"""Packages and modules on which it depends what is heard; all modules for an empty name."""


def hear_rows(
    bundle: Bundle,
    rows: RealRows,
    count: int,
    processes: int,
    cache: Path,
    *,
    solos: bool = False,
) -> list[ProgrammePredictions]:
    """Let the service's recognizer hear rows, or read what it told of them before.

    What is kept is found again only for the same model and calibration, recordings and code.

    Parameters
    ----------
    bundle : Bundle
    rows : RealRows
    count : int
        How many rows, or minutes of one player.
    processes : int
        How many listen.
    cache : Path
        Where it is kept.
    solos : bool
        Whether to hear one player a minute long.

    Raises
    ------
    SourceError
        If a recording cannot be read.
    ConfigError
        If the cache cannot be written, or a process dies.
    """
    base = hashlib.sha256(json.dumps(bundle.info, sort_keys=True).encode())
    base.update(bundle.model + rows.digest.encode() + _code())
    paths = []
    for number in range(count):
        state = base.copy()
        state.update(f"{'solo' if solos else 'programme'} {number}".encode())
        paths.append(cache / _FOLDER / f"{state.hexdigest()[:32]}.npz")
    missing = [number for number, path in enumerate(paths) if not path.exists()]
    if missing:
        log.info("listening to %d %s of %s recordings", len(missing), "solos" if solos else "rows", rows.side)
        try:
            (cache / _FOLDER).mkdir(parents=True, exist_ok=True)
            for number, heard in predict_rows(bundle, rows, missing, processes, solos=solos):
                _write(paths[number], heard)
        except OSError as error:
            raise ConfigError(f"cannot use the cache {cache}: {error.strerror}") from error
    return [_read(path) for path in paths]


def _code() -> bytes:
    """Digest of the modules that hear and play."""
    state = hashlib.sha256()
    for package, names in _CODE:
        for entry in sorted(resources.files(package).iterdir(), key=lambda entry: entry.name):
            if entry.name.endswith(".py") and (names == ("",) or entry.name.removesuffix(".py") in names):
                state.update(entry.read_bytes())
    return state.digest()


def _write(path: Path, heard: ProgrammePredictions) -> None:
    unfinished = path.with_suffix(".part")
    with unfinished.open("wb") as file:
        np.savez_compressed(
            file,
            times=heard.times,
            raw=heard.raw,
            silent=heard.silent,
            names=np.array(heard.names),
            confidences=heard.confidences,
            stretches=json.dumps([[astuple(stretch) for stretch in side] for side in (heard.truth, heard.sounds)]),
        )
    unfinished.replace(path)


def _read(path: Path) -> ProgrammePredictions:
    with np.load(path) as kept:
        truth, sounds = json.loads(str(kept["stretches"]))
        return ProgrammePredictions(
            _stretches(truth),
            kept["times"],
            kept["raw"],
            kept["silent"],
            tuple(kept["names"].tolist()),
            kept["confidences"],
            _stretches(sounds),
        )


def _stretches(rows: Sequence[Sequence[float | str]]) -> tuple[Interval, ...]:
    return tuple(Interval(float(start), float(end), str(label)) for start, end, label in rows)
