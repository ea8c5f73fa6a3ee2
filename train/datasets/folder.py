"""A folder per class of audio files, as a data set."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import soundfile

from stream.errors import ConfigError
from train.datasets.audio_files import AudioFileDataset, keep_validation, label_order, window_clips
from train.datasets.clips import Clip
from train.datasets.splits import divide_clips

# The second line is audio that libsndfile cannot decode: it is named as unreadable rather than overlooked.
_SUFFIXES: Final = frozenset(
    {f".{name.lower()}" for name in soundfile.available_formats()} - {".raw"}
    | {".aif", ".aifc", ".oga", ".opus", ".snd", ".sph"}
    | {".aac", ".m4a", ".mp4", ".webm", ".wma"}
)

_logger = logging.getLogger(__name__)


def read_folder(root: Path, *, seed: int = 0) -> AudioFileDataset:
    """Read a folder that has a folder of audio per class, cut to clips and split by recording.

    A recording is a file directly in the folder of its class, or all that is in a sub-folder there. Sub-folders of the
    same name in several classes are the same recording, say one evening with several players. Hidden files, files
    whose suffix is not an audio format's, and links to folders within a class are left aside.

    Parameters
    ----------
    root : Path
        Its folders' names are the labels.
    seed : int
        For the division into training, validation and test.

    Returns
    -------
    AudioFileDataset
        Labels by name, ``unknown`` last.

    Raises
    ------
    ConfigError
        If `root` is no folder, or fewer than two of its folders hold audio.
    """
    if not root.is_dir():
        raise ConfigError(f"no folder {root}: expected one with a folder of audio per class")
    clips: list[Clip] = []
    for home in sorted(path for path in root.iterdir() if path.is_dir() and not path.name.startswith(".")):
        found = [clip for path in _audio(home) for clip in window_clips(_clip(home, path))]
        if not found:
            _logger.warning("%s holds no audio and is left aside", home)
        clips += found
    labels = label_order({clip.label for clip in clips})
    if len(labels) < 2:
        held = f"only {labels[0]!r} does" if labels else "none does"
        raise ConfigError(f"expected two or more folders with audio in {root}, one per class, but {held}")
    return AudioFileDataset(root.resolve().name, labels, keep_validation(divide_clips(clips, seed=seed)))


def _audio(home: Path) -> Iterator[Path]:
    for place, folders, names in os.walk(home):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            if not name.startswith(".") and Path(name).suffix.lower() in _SUFFIXES:
                yield Path(place, name)


def _clip(home: Path, path: Path) -> Clip:
    first, *below = path.relative_to(home).parts
    recording = f"folder {first}" if below else f"file {home.name}/{first}"
    return Clip(home.name, recording, "training", home.parent.resolve().name, "", path, 0)
