"""Copies: files with the same sound, whatever their names, formats, levels and tags.

Whoever has the same recording twice would train on one and be tested on the other. Files with the same content are
known by its digest. Of others, long-term spectra and then spectrograms that are alike say which pairs are worth
decoding, and the waveforms decide: those of two recordings never go together for three seconds, not even of one note
of one instrument.
"""

from __future__ import annotations

import logging
import warnings
from collections import defaultdict
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final, Generic, TypeVar

import numpy as np
import numpy.typing as npt

from stream.errors import SourceError
from stream.recognition.mel import SAMPLE_RATE
from train.datasets.clip_features import decibels
from train.datasets.clips import SPLITS, Clip, Dataset
from train.datasets.feature_cache import FeatureCache

Array = npt.NDArray[np.float32]
Item = TypeVar("Item", bound=Hashable)

_FLOOR: Final = -50.0  # dB below the loudest cell: what is softer is what encoders take away
_SPECTRUM: Final = 5.0  # dB, root mean square, that the long-term spectra of copies differ by at most
_SPECTROGRAM: Final = 4.0  # dB, mean, that their spectrograms differ by at most
_SHIFTS: Final = range(-4, 5)  # frames of 23 ms that an encoder may put before the sound
_LAG: Final = 0.12  # s, the same for waveforms
_CORRELATION: Final = 0.9  # of the waveforms of copies, at least
_TOLD: Final = 20  # groups of copies that are told one by one
_ROWS: Final = 256  # files that are compared with all others at a time

_logger = logging.getLogger(__name__)


def find_copies(
    dataset: Dataset,
    clips: Sequence[tuple[Clip, bytes]],
    contents: Mapping[Path, str],
    store: FeatureCache,
    *,
    exact: bool = False,
) -> list[list[Path]]:
    """Find the files that hold the same sound.

    Parameters
    ----------
    dataset : Dataset
        Whose audio decides.
    clips : sequence of (Clip, bytes)
        Clips of files with the keys of their features, a file's in their order. A file is compared by its first one.
    contents : mapping of Path to str
        Digests of the files.
    store : FeatureCache
        Where the features are.
    exact : bool
        Whether to take files of the same content only.

    Returns
    -------
    list of list of Path
        Groups of two files or more, in the order of the clips.
    """
    first: dict[Path, tuple[Clip, bytes]] = {}
    for clip, key in clips:
        if clip.path is not None:
            first.setdefault(clip.path, (clip, key))
    groups = Groups(first)
    different: dict[str, Path] = {}
    for path in first:
        groups.join(different.setdefault(contents[path], path), path)
    paths = [] if exact else list(different.values())
    heard = [first[path] for path in paths]
    for one, other in _alike([key for _, key in heard], store):
        (a, key_a), (b, key_b) = heard[one], heard[other]
        if a.number == b.number and not groups.joined(paths[one], paths[other]):
            spectrograms = decibels(store.features([key_a, key_b]))
            if _difference(*spectrograms) < _SPECTROGRAM and _same_sound(dataset, a, b):
                groups.join(paths[one], paths[other])
    return [group for group in groups.all() if len(group) > 1]


def join_recordings(clips: Sequence[Clip], copies: Sequence[Sequence[Path]]) -> list[Clip]:
    """Make one recording of all recordings that hold copies of one another: clips in the same order."""
    of: dict[Path, str] = {clip.path: clip.recording for clip in clips if clip.path is not None}
    groups = Groups(dict.fromkeys(clip.recording for clip in clips))
    for group in copies:
        for path in group[1:]:
            groups.join(of[group[0]], of[path])
    return [replace(clip, recording=groups.first(clip.recording)) for clip in clips]


def log_copies(copies: Sequence[Sequence[Path]], clips: Sequence[tuple[Clip, bytes]]) -> None:
    """Say in a line for each group which files are copies, and where labels or given splits contradict each other."""
    labels: defaultdict[Path | None, set[str]] = defaultdict(set)
    splits: defaultdict[Path | None, set[str]] = defaultdict(set)
    for clip, _ in clips:
        labels[clip.path].add(clip.label)
        splits[clip.path].add(clip.split)
    for first, *others in copies[:_TOLD]:
        line = f"{first} is there again as {', '.join(map(str, others))}"
        given = sorted(set().union(*(labels[path] for path in (first, *others))))
        sides = [split for split in SPLITS if any(split in splits[path] for path in (first, *others))]
        if len(given) > 1:
            line += f", and the labels contradict each other ({', '.join(given)}): take away what is wrong"
        if len(sides) > 1:
            line += f", in {' and '.join(sides)}: figures will be better than they should be"
        _logger.warning("%s", line)
    if len(copies) > _TOLD:
        _logger.warning("and %d more recordings are there more than once", len(copies) - _TOLD)


class Groups(Generic[Item]):
    """Items that are joined to groups.

    Parameters
    ----------
    items : iterable
        Each a group of its own at first.
    """

    def __init__(self, items: Iterable[Item]) -> None:
        self._items = list(items)
        self._above = {item: item for item in self._items}
        self._place = {item: place for place, item in enumerate(self._items)}

    def first(self, item: Item) -> Item:
        """Find the first item of a group."""
        while self._above[item] != item:
            item = self._above[item]
        return item

    def join(self, one: Item, other: Item) -> None:
        """Make one group of two."""
        first, second = sorted((self.first(one), self.first(other)), key=self._place.__getitem__)
        self._above[second] = first

    def joined(self, one: Item, other: Item) -> bool:
        """Whether two items are of one group."""
        return self.first(one) == self.first(other)

    def all(self) -> list[list[Item]]:
        """List the groups, and in each its items, in their order."""
        groups: defaultdict[Item, list[Item]] = defaultdict(list)
        for item in self._items:
            groups[self.first(item)].append(item)
        return list(groups.values())


def _alike(keys: Sequence[bytes], store: FeatureCache) -> Iterator[tuple[int, int]]:
    """Yield the pairs whose long-term spectra are alike."""
    parts = [
        np.maximum(decibels(store.features(keys[start : start + _ROWS])), np.float32(_FLOOR)).mean(axis=2)
        for start in range(0, len(keys), _ROWS)
    ]
    if not parts:
        return
    spectra = np.concatenate(parts)
    squares = np.square(spectra).sum(axis=1)
    for start in range(0, len(keys), _ROWS):
        rows = slice(start, start + _ROWS)
        distances = squares[rows, None] + squares - 2 * spectra[rows] @ spectra.T
        for one, other in np.argwhere(distances < spectra.shape[1] * _SPECTRUM**2):
            if start + one < other:
                yield int(start + one), int(other)


def _difference(one: Array, other: Array) -> float:
    """Mean difference of two spectrograms in dB, where either sounds, with the shift that makes them most alike."""
    one, other = (np.maximum(values, np.float32(_FLOOR)) for values in (one, other))
    found = []
    for shift in _SHIFTS:
        late, early = (one, other) if shift >= 0 else (other, one)
        a, b = late[:, abs(shift) :], early[:, : early.shape[1] - abs(shift)]
        sounding = np.maximum(a, b) > _FLOOR
        found.append(float(np.abs(a - b)[sounding].mean()) if sounding.any() else np.inf)
    return min(found)


def _same_sound(dataset: Dataset, one: Clip, other: Clip) -> bool:
    """Whether two waveforms are the same but for level, sign and a small delay."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of channels: it was told when the features were computed
            a, b = dataset.audio(one), dataset.audio(other)
    except SourceError:
        return False  # it went away meanwhile, which is told elsewhere
    size = 2 * len(a)
    products = np.fft.irfft(np.fft.rfft(a, size) * np.conj(np.fft.rfft(b, size)), size)
    lag = round(_LAG * SAMPLE_RATE)
    most = np.abs(np.concatenate([products[: lag + 1], products[-lag:]])).max()
    energy = float(np.linalg.norm(a.astype(np.float64)) * np.linalg.norm(b.astype(np.float64)))
    return bool(most >= _CORRELATION * energy)
