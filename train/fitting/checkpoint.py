"""What a run needs to go on where it was stopped: all variables and the history so far, in one file."""

from __future__ import annotations

import json
import os
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from stream.errors import ConfigError, SourceError

Values = npt.NDArray[Any]


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

    def save(self, path: Path) -> None:
        """Write the file in one step: whatever happens, there is the old one or the new one."""
        arrays = {f"variable{number}": value for number, value in enumerate(self.variables)}
        arrays |= {f"best{number}": value for number, value in enumerate(self.best)}
        about = json.dumps({"settings": self.settings, "history": self.history})
        partial = path.with_name(path.name + ".partial")
        try:
            with partial.open("wb") as file:
                np.savez(file, allow_pickle=False, about=np.array(about), **arrays)
                file.flush()
                os.fsync(file.fileno())
            partial.replace(path)
        except OSError as error:
            raise SourceError(f"cannot write checkpoint {path}: {error.strerror}") from error


def load_checkpoint(path: Path, settings: str | None = None) -> Checkpoint | None:
    """Read a checkpoint.

    Parameters
    ----------
    path : Path
        File of `Checkpoint.save`.
    settings : str, optional
        What the present run is started with, where it is to be continued.

    Returns
    -------
    Checkpoint or None
        None when there is no such file.

    Raises
    ------
    ConfigError
        When it is of a run with other settings; the text says which differ.
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
        changed = ", ".join(f"{key} {old.get(key)!r}, now {new.get(key)!r}" for key in new if old.get(key) != new[key])
        raise ConfigError(
            f"{path.parent} holds a run with other settings ({changed}); give another folder or remove it"
        )
    return Checkpoint(about["settings"], about["history"], variables, best)


def _numbered(file: Any, name: str) -> list[Values]:
    count = sum(key.startswith(name) for key in file.files)
    return [file[f"{name}{number}"] for number in range(count)]


def _flat(settings: dict[str, Any]) -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in settings.items():
        flat |= {f"{key} {inner}": item for inner, item in value.items()} if isinstance(value, dict) else {key: value}
    return flat
