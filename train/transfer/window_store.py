"""Features of windows, computed once by several processes, and mapped into memory from disk."""

from __future__ import annotations

import functools
import hashlib
import json
import logging
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, Protocol

import numpy as np
import numpy.typing as npt
from tqdm import tqdm

from stream.errors import SourceError
from stream.recognition import mel_128
from stream.recognition.mel import WINDOW
from train.worker_pool import WorkerPool

log = logging.getLogger(__name__)

Features = npt.NDArray[np.uint8]
Array = npt.NDArray[np.float32]

LOWEST: Final = (np.log(1e-5) + 4.5) / 5
"""What the front end gives where nothing sounds."""
STEP: Final = 0.0185
"""Of the stored features: 255 of them reach from the lowest to what a full band can be. One is 0.4 dB."""

_FORMAT: Final = 1  # part of a store's name: to be raised when the same audio gets other features
_CHUNK: Final = 16  # windows in a job
_SAVED: Final = 1024  # windows from one note of what is done to the next


class Windows(Protocol):
    """A collection of windows, each with what sounds in it."""

    @property
    def labels(self) -> tuple[str, ...]:
        """All labels, in the order of the targets."""

    @property
    def digest(self) -> str:
        """Of all that determines the windows."""

    @property
    def players(self) -> tuple[str, ...]:
        """Who plays in each window: an instrument and its source, or a recording; empty where nobody is in front."""

    def __len__(self) -> int:
        """Return the number of windows."""

    def window(self, number: int) -> Window:
        """Make or read one window; any process may."""


@dataclass(frozen=True, slots=True)
class Window:
    """Three seconds, and what is known of them."""

    audio: Array
    """shape=(65536,), mono at 22 050 Hz"""
    target: Array
    """shape=(labels,): the share of each label in what is heard. The sum is 1, or 0 where nothing is known."""
    weight: float
    """How far the target is to be believed, 0 to 1."""
    certain: npt.NDArray[np.bool_]
    """shape=(labels,): which labels the target tells of. Of the others nobody knows whether they sound."""


@dataclass(frozen=True, slots=True, eq=False)
class WindowStore:
    """Windows as a network sees them."""

    labels: tuple[str, ...]
    features: Features | _Rows
    """shape=(n, 128, 292), maps of files: see `stored` and `restored`."""
    targets: Array
    """shape=(n, labels)"""
    weights: Array
    """shape=(n,)"""
    certain: npt.NDArray[np.bool_]
    """shape=(n, labels)"""
    players: tuple[str, ...]
    """Who plays in each; empty where nobody is in front."""
    digest: str

    def __len__(self) -> int:
        return len(self.features)

    def read(self, rows: npt.ArrayLike) -> Array:
        """Features of some windows [shape=(k, 128, 292), dtype=float32]."""
        return restored(self.features[np.asarray(rows)])


def joined(*stores: WindowStore) -> WindowStore:
    """Put stores of the same labels one after the other; nothing is copied from disk."""
    first = stores[0]
    return WindowStore(
        first.labels,
        _Rows([store.features for store in stores]),
        np.concatenate([store.targets for store in stores]),
        np.concatenate([store.weights for store in stores]),
        np.concatenate([store.certain for store in stores]),
        tuple(player for store in stores for player in store.players),
        " + ".join(store.digest for store in stores),
    )


class _Rows:
    """Rows of several arrays, as if they were one."""

    def __init__(self, arrays: Sequence[Features | _Rows]) -> None:
        self._arrays = arrays
        self._starts = np.concatenate([[0], np.cumsum([len(array) for array in arrays])])

    def __len__(self) -> int:
        return int(self._starts[-1])

    def __getitem__(self, rows: npt.NDArray[np.integer[Any]]) -> Features:
        found = np.empty((len(rows), mel_128.N_MELS, mel_128.FRAMES), np.uint8)
        for number, array in enumerate(self._arrays):
            here = (rows >= self._starts[number]) & (rows < self._starts[number + 1])
            found[here] = array[rows[here] - self._starts[number]]
        return found


def stored(features: Array) -> Features:
    """Bring features to steps of `STEP` above `LOWEST`."""
    return np.clip(np.round((features - np.float32(LOWEST)) / np.float32(STEP)), 0, 255).astype(np.uint8)


def restored(features: Features) -> Array:
    """Undo `stored`."""
    return np.asarray(features, np.float32) * np.float32(STEP) + np.float32(LOWEST)


def window_features(audio: Array) -> Features:
    """Features of one window by the service's own front end.

    Parameters
    ----------
    audio : np.ndarray [shape=(65536,), dtype=float32]
        Mono audio at 22 050 Hz.

    Returns
    -------
    np.ndarray [shape=(128, 292), dtype=uint8]
        As `stored` gives them.
    """
    front_end = _front_end()
    front_end.reset()
    return stored(front_end.features(np.nan_to_num(audio), WINDOW))


def open_store(windows: Windows, cache: Path, *, processes: int) -> WindowStore:
    """Compute the features of windows, except those that a run before has computed.

    Parameters
    ----------
    windows : Windows
        Pickled for worker processes.
    cache : Path
        Folder for the store, about 37 kB a window; made when absent.
    processes : int
        Worker processes; 1 computes in this process.

    Raises
    ------
    SourceError
        If the cache cannot be written.
    """
    count, labels = len(windows), windows.labels
    # Without the number of windows: a larger collection begins like a smaller one.
    key = json.dumps([_FORMAT, windows.digest, mel_128.PARAMETERS], sort_keys=True)
    digest = hashlib.sha256(key.encode()).hexdigest()
    folder = cache / f"windows-{digest[:16]}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        features = _map(folder / "features.npy", np.uint8, (count, mel_128.N_MELS, mel_128.FRAMES))
        targets = _map(folder / "targets.npy", np.float32, (count, len(labels)))
        weights = _map(folder / "weights.npy", np.float32, (count,))
        certain = _map(folder / "certain.npy", np.bool_, (count, len(labels)))
        done = _map(folder / "done.npy", np.bool_, (count,))
    except OSError as error:
        raise SourceError(f"cannot write {folder}: {error.strerror}") from error
    missing = np.flatnonzero(~done)
    log.info("features of %d windows are in %s, those of %d are not", count - len(missing), folder, len(missing))
    jobs = [missing[start : start + _CHUNK].tolist() for start in range(0, len(missing), _CHUNK)]
    since = 0
    with (
        WorkerPool(windows, processes) as pool,
        tqdm(total=len(missing), desc="computing", unit="window", disable=not sys.stderr.isatty()) as bar,
    ):
        for rows, found in pool.run(_compute, jobs):
            for row, (one, window) in zip(rows, found, strict=True):
                features[row] = one
                targets[row], weights[row], certain[row] = window.target, window.weight, window.certain
            done[rows] = True
            bar.update(len(rows))
            since += len(rows)
            if since >= _SAVED:
                _note_done(features, targets, weights, certain, done)
                since = 0
    _note_done(features, targets, weights, certain, done)
    return WindowStore(
        labels, features, np.array(targets), np.array(weights), np.array(certain), windows.players, digest
    )


def _compute(windows: Windows, rows: list[int]) -> tuple[list[int], list[tuple[Features, Window]]]:
    found = []
    for row in rows:
        window = windows.window(row)
        found.append((window_features(window.audio), replace(window, audio=window.audio[:0])))
    return rows, found


def _map(path: Path, dtype: npt.DTypeLike, shape: tuple[int, ...]) -> npt.NDArray[Any]:
    """Map a file of an array, made longer where it was made for fewer windows."""
    before = np.load(path, mmap_mode="r") if path.exists() else None
    if before is not None and len(before) >= shape[0]:
        return np.load(path, mmap_mode="r+")[: shape[0]]  # type: ignore[no-any-return]
    part = path.with_suffix(".part")
    array = np.lib.format.open_memmap(part, mode="w+", dtype=np.dtype(dtype), shape=shape)
    if before is not None:
        array[: len(before)] = before
        array.flush()
    part.replace(path)
    return array


def _note_done(*maps: npt.NDArray[Any]) -> None:
    for array in maps:
        if isinstance(array, np.memmap):
            array.flush()


@functools.cache
def _front_end() -> mel_128.StreamingMel128:
    return mel_128.StreamingMel128()
