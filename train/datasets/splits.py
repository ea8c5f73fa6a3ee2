"""Sides: which recordings train, which validate and which test, so that none is heard on two sides."""

from __future__ import annotations

import hashlib
import logging
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Final

from train.datasets.clips import SPLITS, Clip, Split

SHARES: Final = (0.7, 0.15, 0.15)
"""Shares of each label's clips that are for training, validation and test."""

_SWAPPED: Final = (
    32  # recordings of a label up to which pairs are tried: with more of them, single moves come near enough
)
_UNTRAINED: Final = 100  # other duties that go unmet before a label does without training
_GAIN: Final = 1e-6  # of squared shares: what is not worth another round

_logger = logging.getLogger(__name__)


def seeded_order(names: Iterable[str], seed: int) -> list[str]:
    """Order names by chance, whatever order they come in.

    Parameters
    ----------
    names : iterable of str
        Each once.
    seed : int
        The same seed gives the same order; a name that is added or left out leaves the order of the others.

    Returns
    -------
    list of str
        The same names.
    """
    return sorted(names, key=lambda name: hashlib.blake2b(f"{seed} {name}".encode(), digest_size=16).digest())


def divide_recordings(
    recordings: Mapping[str, Mapping[str, int]], *, seed: int = 0, shares: tuple[float, float, float] = SHARES
) -> dict[str, Split]:
    """Divide recordings among training, validation and test, each as a whole.

    Every label has a recording in each split where it has three or more, in training and validation where it has two,
    in training where it has one; a warning in the log names the label and the splits it is missing from. Within that,
    the shares of every label's clips come as near to `shares` as moving and exchanging recordings brings them.
    Recordings that carry several labels may leave no way to give each of these its due; then few lack one, rather
    validation or test than training, and the warning names them.

    Parameters
    ----------
    recordings : mapping of str to mapping of str to int
        For each recording the number of its clips, one or more, by label.
    seed : int
        Shuffles the recordings; the result does not depend on their order in `recordings`.
    shares : tuple of float
        Shares of the clips for training, validation and test.

    Returns
    -------
    dict of str to Split
        The split of each recording.
    """
    sides = _Sides(recordings, shares)
    order = seeded_order(recordings, seed)
    for recording in order:
        sides.place(recording, min(range(len(SPLITS)), key=lambda side: sides.gain({recording: side})))
    neighbours = _neighbours(recordings, order)
    while sum(_improve(sides, recording, neighbours[recording]) for recording in order):
        pass
    for label, lacking in sides.lacking():
        _logger.warning("%s has too few recordings (%d): none for %s", label, sides.count(label), " and ".join(lacking))
    return {recording: SPLITS[sides.of[recording]] for recording in sorted(recordings)}


def divide_clips(clips: Sequence[Clip], *, seed: int = 0) -> tuple[Clip, ...]:
    """Put each clip in the split that `divide_recordings` gives its recording."""
    recordings: defaultdict[str, defaultdict[str, int]] = defaultdict(lambda: defaultdict(int))
    for clip in clips:
        recordings[clip.recording][clip.label] += 1
    sides = divide_recordings(recordings, seed=seed)
    return tuple(replace(clip, split=sides[clip.recording]) for clip in clips)


class _Sides:
    """A division that is being made, and how far every label is from its due."""

    def __init__(self, recordings: Mapping[str, Mapping[str, int]], shares: Sequence[float]) -> None:
        self.of: dict[str, int] = {}
        """Position in `SPLITS` of each recording that has been placed."""
        self._recordings = recordings
        self._shares = shares
        self._carriers: defaultdict[str, int] = defaultdict(int)
        self._totals: defaultdict[str, int] = defaultdict(int)
        self._clips: defaultdict[str, list[int]] = defaultdict(lambda: [0] * len(SPLITS))
        self._placed: defaultdict[str, list[int]] = defaultdict(lambda: [0] * len(SPLITS))
        for carried in recordings.values():
            for label, clips in carried.items():
                self._carriers[label] += 1
                self._totals[label] += clips

    def count(self, label: str) -> int:
        """Count the recordings of a label."""
        return self._carriers[label]

    def lacking(self) -> list[tuple[str, list[Split]]]:
        """List the labels that are missing from a split, with these splits."""
        empty = [
            (label, [split for split, n in zip(SPLITS, self._placed[label], strict=True) if not n])
            for label in sorted(self._carriers)
        ]
        return [(label, splits) for label, splits in empty if splits]

    def place(self, recording: str, side: int) -> None:
        """Put a recording on a side, away from where it was."""
        before = self.of.get(recording)
        for label, clips in self._recordings[recording].items():
            if before is not None:
                self._clips[label][before] -= clips
                self._placed[label][before] -= 1
            self._clips[label][side] += clips
            self._placed[label][side] += 1
        self.of[recording] = side

    def gain(self, places: Mapping[str, int]) -> tuple[int, float]:
        """Tell what placing recordings so would add: duties unmet, then squared distances from the shares."""
        labels = sorted({label for recording in places for label in self._recordings[recording]})
        before = {recording: self.of.get(recording) for recording in places}
        was = self._distance(labels)
        for recording, side in places.items():
            self.place(recording, side)
        now = self._distance(labels)
        for recording, back in before.items():
            if back is None:
                self._withdraw(recording)
            else:
                self.place(recording, back)
        return now[0] - was[0], now[1] - was[1]

    def _withdraw(self, recording: str) -> None:
        side = self.of.pop(recording)
        for label, clips in self._recordings[recording].items():
            self._clips[label][side] -= clips
            self._placed[label][side] -= 1

    def _distance(self, labels: Sequence[str]) -> tuple[int, float]:
        unmet, distance = 0, 0.0
        for label in labels:
            due = min(self._carriers[label], len(SPLITS))  # training first, then validation, then test
            empty = [not recordings for recordings in self._placed[label][:due]]
            unmet += sum(empty) + empty[0] * _UNTRAINED
            total = self._totals[label]
            distance += sum(
                (clips / total - share) ** 2 for clips, share in zip(self._clips[label], self._shares, strict=True)
            )
        return unmet, distance


def _neighbours(recordings: Mapping[str, Mapping[str, int]], order: Sequence[str]) -> dict[str, list[str]]:
    """For each recording those that it may change places with: of a label it has, where these are few."""
    carriers: defaultdict[str, list[str]] = defaultdict(list)
    for recording in order:
        for label in sorted(recordings[recording]):
            carriers[label].append(recording)
    return {
        recording: [
            other
            for label in sorted(recordings[recording])
            if len(carriers[label]) <= _SWAPPED
            for other in carriers[label]
            if other != recording
        ]
        for recording in order
    }


def _improve(sides: _Sides, recording: str, others: Sequence[str]) -> bool:
    """Make the best change that starts with this recording; False where none is worth it."""
    here = sides.of[recording]
    changes = [{recording: side} for side in range(len(SPLITS)) if side != here]
    changes += [{recording: sides.of[other], other: here} for other in others if sides.of[other] != here]
    unmet, distance, change = min(((*sides.gain(change), change) for change in changes), key=lambda found: found[:2])
    if unmet > 0 or (unmet == 0 and distance > -_GAIN):
        return False
    for name, side in change.items():
        sides.place(name, side)
    return True
