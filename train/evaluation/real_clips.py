"""The real clips that a pack keeps to judge models by, and the log of how often somebody looked at them."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from train.compose.pack import read_pack
from train.datasets.clips import Dataset
from train.datasets.manifest import read_manifest

_LOOKS: Final = "validation-looks.log"  # in the cache: a line for each time that the real clips of a pack were scored


def open_real_clips(data: Path) -> Dataset:
    """Open the real clips of a pack's ``validation.csv``: to be measured on, never to train on.

    Every look at what a model does with them is to be logged by the caller, by `log_look`: keep them few.

    Parameters
    ----------
    data : Path
        The pack, or one that was made of it with rendered notes, or any folder with such a table.

    Raises
    ------
    SourceError
        If there is no table, or it cannot be read.
    ConfigError
        If it is none of clips; see `train.datasets.manifest.read_manifest`.
    """
    return read_manifest(original_pack(data) / "validation.csv")


def original_pack(data: Path) -> Path:
    """Find the pack that one with rendered notes was made of, by its links; anything else is returned as it is."""
    if (data / "training.csv").is_file() and (rows := read_pack(data)):
        path = Path(rows[0].path)  # the rows of the original come first
        found = (data / path.parent).resolve().parents[len(path.parent.parts) - 1]
        if found != data.resolve() and (found / "training.csv").is_file():
            return found
    return data


def log_look(cache: Path, name: str) -> int:
    """Record in the cache that somebody looks at the real clips, and return how often that has been.

    Parameters
    ----------
    cache : Path
        Where the log is.
    name : str
        Of the model.
    """
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / _LOOKS).open("a+", encoding="utf-8") as log:
        log.write(f"{name}\n")
        log.seek(0)
        return len(log.readlines())


def describe_looks(looks: int) -> str:
    """Say what the pack's real validation clips are, and how often they were looked at."""
    times = "once" if looks == 1 else f"{looks} times"
    return (
        "The clips of `validation` are real ones of Medley-solos-DB's training split (Lostanlen, Cella, Bittner, "
        f"Essid; CC BY 4.0) and were never trained on. They were looked at {times} while this model was made"
        + (", so expect a little less of other recordings." if looks > 1 else ".")
    )
