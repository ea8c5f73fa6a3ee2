"""What a run needs to go on where it was stopped: all variables and the history so far, in one file."""

from __future__ import annotations

import json
import os
import zipfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from stream.errors import ConfigError, SourceError
from train.fitting.data_files import Files, describe_changes

Values = npt.NDArray[Any]

_DATA: Final = ("training ", "validation ")  # digests, of which nobody learns what differs


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A run after a whole number of epochs."""

    settings: str
    """What the run was started with; another run's checkpoint must not be continued."""
    history: list[dict[str, float]]
    """One entry for each epoch."""
    variables: list[Values]
    """Of network and optimizer, seeds included, and the averages of the network's."""
    best: list[Values]
    """Of the network, averaged, after the best epoch."""
    files: Files = field(default_factory=dict)
    """What is learned from, as `train.fitting.data_files.data_files` lists it."""

    def save(self, path: Path) -> None:
        """Write the file in one step: whatever happens, there is the old one or the new one."""
        arrays = {f"variable{number}": value for number, value in enumerate(self.variables)}
        arrays |= {f"best{number}": value for number, value in enumerate(self.best)}
        about = json.dumps({"settings": self.settings, "history": self.history, "files": dict(self.files)})
        partial = path.with_name(path.name + ".partial")
        try:
            with partial.open("wb") as file:
                np.savez(file, allow_pickle=False, about=np.array(about), **arrays)
                file.flush()
                os.fsync(file.fileno())
            partial.replace(path)
        except OSError as error:
            raise SourceError(f"cannot write checkpoint {path}: {error.strerror}") from error


def load_checkpoint(path: Path, settings: str | None = None, files: Files | None = None) -> Checkpoint | None:
    """Read a checkpoint.

    Parameters
    ----------
    path : Path
        File of `Checkpoint.save`.
    settings : str, optional
        What the present run is started with, where it is to be continued.
    files : mapping, optional
        What it learns from, as `train.fitting.data_files.data_files` lists it.

    Returns
    -------
    Checkpoint or None
        None when there is no such file.

    Raises
    ------
    ConfigError
        When it is of a run with other settings or data; the text says which differ.
    SourceError
        When it cannot be read.
    """
    if not path.exists():
        return None
    try:
        with path.open("rb") as opened, np.load(opened, allow_pickle=False) as file:
            about = json.loads(str(file["about"]))
            variables, best = _numbered(file, "variable"), _numbered(file, "best")
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise SourceError(f"cannot read checkpoint {path}: {error}") from error
    if settings is not None and about["settings"] != settings:
        old, new = _flat(json.loads(about["settings"])), _flat(json.loads(settings))
        changed = [f"{key} {old.get(key)!r}, now {new.get(key)!r}" for key in new if old.get(key) != new[key]]
        described = describe_changes(about.get("files", {}), files or {})
        if described and about.get("files"):
            changed = [told for told in changed if not told.startswith(_DATA)]
            data = f"other data than before: {described}"
            raise ConfigError(
                f"{path.parent} holds a run with {data}{'; and ' if changed else ''}{', '.join(changed)}; "
                "give another folder, or remove it to begin anew"
            )
        raise ConfigError(
            f"{path.parent} holds a run with other settings ({', '.join(changed)}); give another folder or remove it"
        )
    return Checkpoint(about["settings"], about["history"], variables, best, about.get("files", {}))


def _numbered(file: Any, name: str) -> list[Values]:
    count = sum(key.startswith(name) for key in file.files)
    return [file[f"{name}{number}"] for number in range(count)]


def _flat(settings: dict[str, Any]) -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in settings.items():
        flat |= {f"{key} {inner}": item for inner, item in value.items()} if isinstance(value, dict) else {key: value}
    return flat
