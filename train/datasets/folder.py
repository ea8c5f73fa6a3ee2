"""A folder per class of audio files, as a data set."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import soundfile

from stream.errors import ConfigError, SourceError
from train.datasets.audio_files import AudioFileDataset, label_order, window_clips
from train.datasets.clips import Clip
from train.datasets.labels import read_label, require_distinct

# What the last two lines name is read where the extra `formats` is installed, and named as unreadable where it is not.
_SUFFIXES: Final = frozenset(
    {f".{name.lower()}" for name in soundfile.available_formats()} - {".raw"}
    | {".aif", ".aifc", ".oga", ".opus", ".snd", ".sph"}
    | {".3gp", ".aac", ".ac3", ".amr", ".ape", ".avi", ".dts", ".m4a", ".m4b", ".mka", ".mkv", ".mov", ".mp4", ".mpc"}
    | {".ts", ".tta", ".webm", ".wma", ".wv"}
)

_logger = logging.getLogger(__name__)


def read_folder(root: Path, *, seed: int = 0) -> AudioFileDataset:
    """Read a folder that has a folder of audio per class, cut to clips, which are yet to be divided by recording.

    A recording is a file directly in the folder of its class, or all that is in a sub-folder there. Sub-folders of the
    same name in several classes are the same recording, say one evening with several players. Hidden files, files
    whose suffix is not an audio format's, and links to folders within a class are left aside.

    Parameters
    ----------
    root : Path
        Its folders' names are the labels; see `train.datasets.labels.read_label`.
    seed : int
        For the division into training, validation and test.

    Returns
    -------
    AudioFileDataset
        Labels by name, ``unknown`` last.

    Raises
    ------
    ConfigError
        If `root` is no folder, fewer than two of its folders hold audio, or their names cannot be labels.
    SourceError
        If it cannot be read.
    """
    if not root.is_dir():
        raise ConfigError(f"no folder {root}: expected one with a folder of audio per class")
    try:
        entries = sorted(path for path in root.iterdir() if not path.name.startswith("."))
    except OSError as error:
        raise SourceError(f"cannot read {root}: {error.strerror}") from error
    files = {home: list(_audio(home)) for home in entries if home.is_dir()}
    for home in [home for home, found in files.items() if not found]:
        _logger.warning("%s holds no audio and is left aside", home)
        del files[home]
    if loose := [path for path in entries if path.is_file() and path.suffix.lower() in _SUFFIXES]:
        _logger.warning("left aside, for they are in no class's folder: %s", ", ".join(map(str, loose)))
    require_distinct({home.name: str(home) for home in files})
    clips = [clip for home, found in files.items() for path in found for clip in window_clips(_clip(home, path))]
    labels = label_order({clip.label for clip in clips})
    if len(labels) < 2:
        held = f"only {labels[0]!r} does" if labels else "none does"
        raise ConfigError(f"expected two or more folders with audio in {root}, one per class, but {held}")
    return AudioFileDataset(root.resolve().name, labels, tuple(clips), seed)


def _audio(home: Path) -> Iterator[Path]:
    for place, folders, names in os.walk(home):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            if not name.startswith(".") and Path(name).suffix.lower() in _SUFFIXES:
                yield Path(place, name)


def _clip(home: Path, path: Path) -> Clip:
    first, *below = path.relative_to(home).parts
    recording = f"folder {first}" if below else f"file {home.name}/{first}"
    return Clip(read_label(home.name, str(home)), recording, "training", home.parent.resolve().name, "", path, 0)
