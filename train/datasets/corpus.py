"""Features of a data set's clips, computed once by several processes and read from disk as they are needed."""

from __future__ import annotations

import hashlib
import json
import logging
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeVar

import numpy as np
import numpy.typing as npt
from tqdm import tqdm
from tqdm.contrib.logging import logging_redirect_tqdm

from stream.errors import ConfigError
from stream.recognition.mel import PARAMETERS
from stream.recognition.settings import GATE
from train.datasets import clip_features
from train.datasets.audio_files import AudioFileDataset
from train.datasets.clip_features import FeatureTask
from train.datasets.clips import SPLITS, Clip, Dataset, Split
from train.datasets.copies import find_copies, join_recordings, log_copies
from train.datasets.feature_cache import FeatureCache, Features
from train.worker_pool import WorkerPool

log = logging.getLogger(__name__)

Item = TypeVar("Item")

_FORMAT: Final = 2  # part of every key: to be raised when the same audio gets other features
_CHUNK: Final = 16  # clips in a job and a transaction
_FILES: Final = 64  # files in a job that digests them


@dataclass(frozen=True, slots=True)
class Skipped:
    """A clip without features, and why."""

    clip: Clip
    reason: str
    """One line that names the file."""


@dataclass(frozen=True, slots=True, eq=False)
class Corpus:
    """Clips of one split as a network sees them; their features stay on disk until they are asked for."""

    labels: tuple[str, ...]
    """The data set's labels, in the order of the model's outputs."""
    clips: tuple[Clip, ...]
    targets: npt.NDArray[np.int64]
    """shape=(n,), indices into `labels`"""
    digest: str
    """Of the labels, and of every clip's content and label, in order."""
    keys: tuple[bytes, ...]
    """Where the cache has the clips."""
    cache: FeatureCache

    def __len__(self) -> int:
        return len(self.clips)

    def features(self, rows: slice | npt.ArrayLike | None = None) -> Features:
        """Read features from the cache; any thread may.

        Parameters
        ----------
        rows : slice, sequence of int, or mask, optional
            Which clips, in which order. All by default, which takes 16.6 kB of memory each.

        Returns
        -------
        np.ndarray [shape=(k, 129, 129), dtype=uint8]
            Mel bands by frames, in steps of 80/255 dB above -80 dB.

        Raises
        ------
        SourceError
            If the cache is damaged, or was deleted meanwhile.
        """
        numbers = np.arange(len(self.keys))
        if rows is not None:
            chosen = rows if isinstance(rows, slice) else np.asarray(rows)
            numbers = numbers[chosen if isinstance(chosen, slice) or chosen.size else []]
        return self.cache.features([self.keys[number] for number in numbers])


Corpora = Mapping[Split, Corpus]
"""The clips of a data set by split."""


@dataclass(frozen=True, slots=True)
class Extraction:
    """What came of a data set."""

    dataset: Dataset
    """The same data set with the splits of the clips that can be used, where these had none."""
    corpora: dict[Split, Corpus]
    """One for each split that was asked for, also where it has no clips."""
    skipped: tuple[Skipped, ...]
    """Clips that cannot be read or are silent, in the data set's order."""
    computed: int
    """Clips whose features were not in the cache before."""


def extract(
    dataset: Dataset, cache: Path, *, processes: int, splits: Sequence[Split] = SPLITS, progress: bool = True
) -> Extraction:
    """Compute the features of a data set's clips, except those that are in the cache.

    Results are kept as they come, so that a killed run loses a second of work. They depend neither on the number of
    processes nor on interruptions. Unchanged files are not opened again; others are known by their content.

    Where recordings are yet to be divided, that is done with those that can be used. Copies of a recording are that
    recording, so that they are on one side; the log names them.

    Parameters
    ----------
    dataset : Dataset
        Where the clips come from; it is pickled for worker processes.
    cache : Path
        Folder for `features.sqlite`; made when absent.
    processes : int
        Worker processes; 1 computes in this process.
    splits : sequence of Split
        Which clips.
    progress : bool
        Whether to show a progress bar, if standard error is a terminal.

    Returns
    -------
    Extraction
        Without the clips that cannot be read, or are below the service's silence gate; the log names them.

    Raises
    ------
    ConfigError
        If the cache cannot be written, `processes` is below 1, or one of them dies.
    SourceError
        If the cache is damaged.
    """
    if processes < 1:
        raise ConfigError(f"processes is {processes}; expected 1 or more")
    store = FeatureCache(cache)
    undivided = isinstance(dataset, AudioFileDataset) and dataset.seed is not None
    clips = [clip for clip in dataset.clips if undivided or clip.split in splits]
    with logging_redirect_tqdm(), WorkerPool(dataset, processes) as pool:
        bars = _ProgressBars(progress)
        contents, reasons = _digest_files(clips, store, pool, bars)
        keys = {
            number: _key(contents[clip.path] if clip.path else dataset.digest, clip.number)
            for number, clip in enumerate(clips)
            if number not in reasons
        }
        computed = _compute_missing(clips, keys, reasons, store, pool, bars)
    levels = store.levels(keys.values())
    for number, key in keys.items():
        if number not in reasons and levels[key] < GATE:
            reasons[number] = f"{clips[number]} is silent: {levels[key]:.0f} dBFS"
            log.warning("skipped: %s", reasons[number])
    if reasons:
        log.warning("skipped %d of %d clips", len(reasons), len(clips))
    used = [(clip, keys[number]) for number, clip in enumerate(clips) if number not in reasons]
    if isinstance(dataset, AudioFileDataset):
        copies = find_copies(dataset, used, contents, store, exact=not undivided)
        log_copies(copies, used)
        if undivided:
            dataset = dataset.divided(join_recordings([clip for clip, _ in used], copies))
            used = [(clip, key) for clip, (_, key) in zip(dataset.clips, used, strict=True)]
    corpora = {
        split: _corpus(dataset.labels, [(clip, key) for clip, key in used if clip.split == split], store)
        for split in splits
    }
    skipped = tuple(Skipped(clips[number], reasons[number]) for number in sorted(reasons))
    return Extraction(dataset, corpora, skipped, computed)


def _digest_files(
    clips: list[Clip], store: FeatureCache, pool: WorkerPool[Dataset], bars: _ProgressBars
) -> tuple[dict[Path, str], dict[int, str]]:
    """Digests of the files' contents, and why clips have none, by number. Only new and changed files are read."""
    numbers: dict[Path, list[int]] = defaultdict(list)
    for number, clip in enumerate(clips):
        if clip.path:
            numbers[clip.path].append(number)
    digests: dict[Path, str] = {}
    for path in numbers:
        stamp = clip_features.size_and_time(path)
        if stamp and (known := store.content(path, *stamp)):
            digests[path] = known
    reasons: dict[int, str] = {}
    unread = [path for path in numbers if path not in digests]
    for contents in bars.follow(
        pool.run(clip_features.digest_files, _chunks(unread, _FILES)), len(unread), "reading", "file"
    ):
        fresh = {path: content for path, content in contents if isinstance(content, clip_features.FileContent)}
        store.remember((path, content.size, content.modified, content.digest) for path, content in fresh.items())
        digests.update((path, content.digest) for path, content in fresh.items())
        for path, content in contents:
            if isinstance(content, str):
                log.warning("skipped: %s", content)
                reasons.update(dict.fromkeys(numbers[path], content))
    return digests, reasons


def _compute_missing(
    clips: list[Clip],
    keys: dict[int, bytes],
    reasons: dict[int, str],
    store: FeatureCache,
    pool: WorkerPool[Dataset],
    bars: _ProgressBars,
) -> int:
    """Compute what the cache lacks, add to `reasons` what cannot be read, and return how many clips that were."""
    numbers: dict[bytes, list[int]] = defaultdict(list)
    for number, key in keys.items():
        numbers[key].append(number)
    cached = store.levels(numbers)
    tasks = [FeatureTask(key, tuple((n, clips[n]) for n in numbers[key])) for key in numbers if key not in cached]
    log.info("features of %d clips are in the cache, those of %d are not", len(cached), len(tasks))
    computed = 0
    said: set[str] = set()
    for outcomes in bars.follow(
        pool.run(clip_features.compute_features, _chunks(tasks, _CHUNK)), len(tasks), "computing", "clip"
    ):
        good = [(o.key, o.level, o.features) for o in outcomes if o.features is not None]
        store.add(good)
        computed += len(good)
        for outcome in outcomes:
            reasons.update(outcome.errors)
            for text in (*(f"skipped: {reason}" for reason in outcome.errors.values()), *outcome.notes):
                if text not in said:  # once for all clips of a file
                    log.warning("%s", text)
                said.add(text)
    return computed


def _corpus(labels: tuple[str, ...], entries: list[tuple[Clip, bytes]], store: FeatureCache) -> Corpus:
    targets = np.array([labels.index(clip.label) for clip, _ in entries], np.int64)
    clips, keys = tuple(clip for clip, _ in entries), tuple(key for _, key in entries)
    digest = hashlib.sha256(json.dumps(labels).encode() + targets.tobytes() + b"".join(keys)).hexdigest()
    return Corpus(labels, clips, targets, digest, keys, store)


def _key(content: str, number: int) -> bytes:
    """Name of a clip's features: equal only if they are."""
    return hashlib.sha256(json.dumps([_FORMAT, content, number, PARAMETERS], sort_keys=True).encode()).digest()


def _chunks(items: list[Item], size: int) -> list[list[Item]]:
    return [items[start : start + size] for start in range(0, len(items), size)]


class _ProgressBars:
    """Progress bars, where somebody sees them."""

    def __init__(self, shown: bool) -> None:
        self._shown = shown and sys.stderr.isatty()

    def follow(self, chunks: Iterable[list[Item]], total: int, what: str, unit: str) -> Iterator[list[Item]]:
        """Pass on chunks of results, and count what they hold."""
        with tqdm(total=total, desc=what, unit=unit, disable=not (self._shown and total)) as bar:
            for chunk in chunks:
                yield chunk
                bar.update(len(chunk))
