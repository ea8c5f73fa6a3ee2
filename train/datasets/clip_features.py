"""What worker processes do with files and clips: digest the ones, compute the features and levels of the others."""

from __future__ import annotations

import functools
import hashlib
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from stream.errors import SourceError
from stream.recognition.level import measure_level
from stream.recognition.mel import TOP_DB, WINDOW, StreamingMel
from train.datasets.audio_files import ChannelWarning
from train.datasets.clips import Clip, Dataset
from train.datasets.feature_cache import Features

Array = npt.NDArray[np.float32]

STEPS: Final = 255
"""Steps of the stored features: 0 is -80 dB, 255 is 0 dB, as in the int8 model's input."""


@dataclass(frozen=True, slots=True)
class FileContent:
    """Which content a file has."""

    size: int
    """bytes"""
    modified: int
    """Time of the last change, in ns."""
    digest: str


@dataclass(frozen=True, slots=True)
class FeatureTask:
    """Clips with the same content; one of them is to be computed."""

    key: bytes
    clips: tuple[tuple[int, Clip], ...]
    """With their numbers in the data set."""


@dataclass(frozen=True, slots=True)
class FeatureResult:
    """What came of a task."""

    key: bytes
    features: Features | None
    """None where no clip of the task could be read."""
    level: float
    """RMS of the window, in dBFS."""
    errors: dict[int, str]
    """Why clips could not be read, by number, where none could."""
    notes: tuple[str, ...] = ()
    """What else is to be known of its file."""


def digest_files(_: Dataset, paths: list[Path]) -> list[tuple[Path, FileContent | str]]:
    """Digest files: each with its content, or with one line that says why it cannot be read."""
    return [(path, _content(path)) for path in paths]


def compute_features(dataset: Dataset, tasks: list[FeatureTask]) -> list[FeatureResult]:
    """Compute the features of clips."""
    return [_outcome(dataset, task) for task in tasks]


def size_and_time(path: Path) -> tuple[int, int] | None:
    """Size of a file in bytes and time of its last change in ns, which nobody can set; None where there is none."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_size, status.st_ctime_ns


def quantise(db: Array) -> Features:
    """Bring features in dB, -80 to 0, to steps of 80/255 dB."""
    return np.round((db + np.float32(TOP_DB)) * np.float32(STEPS / TOP_DB)).astype(np.uint8)


def decibels(features: Features) -> Array:
    """Undo `quantise`."""
    return features.astype(np.float32) * np.float32(TOP_DB / STEPS) - np.float32(TOP_DB)


def window_features(audio: Array) -> Features:
    """Features of one clip by the service's own front end, its end cut or filled with zeros.

    Parameters
    ----------
    audio : np.ndarray [shape=(n,), dtype=float32]
        Mono audio at 22 050 Hz. What is not finite is taken as zero, as the service does.

    Returns
    -------
    np.ndarray [shape=(129, 129), dtype=uint8]
        Mel bands by frames, quantised.
    """
    mel = _front_end()
    mel.reset()
    return quantise(mel.features(_window(audio), WINDOW))


def _content(path: Path) -> FileContent | str:
    before = size_and_time(path)
    try:
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        return f"cannot read {path}: {error.strerror}"
    if before is None or size_and_time(path) != before:
        return f"cannot read {path}: it changes meanwhile"
    return FileContent(*before, digest)


def _outcome(dataset: Dataset, task: FeatureTask) -> FeatureResult:
    errors = {}
    for number, clip in task.clips:
        try:
            with warnings.catch_warnings(record=True, category=ChannelWarning) as told:
                warnings.simplefilter("always", ChannelWarning)
                audio = _window(dataset.audio(clip))
        except SourceError as error:
            errors[number] = str(error)
        else:
            notes = tuple(str(it.message) for it in told if issubclass(it.category, ChannelWarning))
            return FeatureResult(task.key, window_features(audio), measure_level(audio)[0], {}, notes)
    return FeatureResult(task.key, None, 0.0, errors)


def _window(audio: Array) -> Array:
    window = np.zeros(WINDOW, np.float32)
    window[: len(audio)] = audio[:WINDOW]
    return np.nan_to_num(window, copy=False, nan=0.0, posinf=0.0, neginf=0.0)


@functools.lru_cache(maxsize=1)
def _front_end() -> StreamingMel:
    return StreamingMel()
