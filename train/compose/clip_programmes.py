"""Programmes made of clips in a row: of the real validation clips, or of any data set's."""

from __future__ import annotations

import itertools
from collections import defaultdict
from dataclasses import dataclass

import numpy as np

from stream.recognition.mel import WINDOW
from train.compose import effects
from train.compose.composed_programmes import STEADY
from train.compose.programmes import (
    LEAD_IN,
    NOBODY,
    SILENCE,
    Programme,
    Rng,
    concatenate,
    crossfade,
    rest,
    sample_count,
)
from train.datasets.clips import Array, Clip, Dataset


@dataclass(frozen=True)
class ClipProgrammes:
    """Programmes made of the clips of a data set in a row; implements `Programmes`.

    Two to four clips of one recording are a stretch; recordings of one clip share stretches with others of their
    instrument. Each programme is another order of all clips. After one stretch in four there is a pause of 0.5 to 2 s.

    Parameters
    ----------
    dataset : Dataset
        Where the audio comes from.
    clips : tuple of Clip
        Of two labels or more.
    seed : int
    """

    dataset: Dataset
    clips: tuple[Clip, ...]
    seed: int = 0

    def programme(self, number: int) -> Programme:
        """Chain all clips to a programme; parameters and result as for `ComposedProgrammes.programme`.

        Raises
        ------
        SourceError
            If a clip cannot be read.
        """
        rng = np.random.default_rng([self.seed, 2, number])
        parts = [(SILENCE, rest(LEAD_IN))]
        for stretch in self._order(self._stretches(rng), rng):
            parts.append((stretch[0].label, crossfade(map(self._sound, stretch), len(stretch) * WINDOW)))
            if rng.random() < 0.25:
                parts.append((SILENCE, rest(rng.uniform(0.5, 2))))
        programme = concatenate(parts)
        peak = max(1.0, float(np.abs(programme.audio).max()))
        return Programme(programme.audio / np.float32(peak), programme.truth)

    def solo(self, number: int) -> Programme:
        """Chain all clips of one label, again and again, to a minute: of the first label, the second, and so on."""
        rng = np.random.default_rng([self.seed, 3, number])
        labels = sorted({clip.label for clip in self.clips} - NOBODY)
        label = labels[number % len(labels)]
        clips = [clip for clip in self.clips if clip.label == label]
        order = (clips[at] for _ in itertools.count() for at in rng.permutation(len(clips)))
        return concatenate([(label, crossfade(map(self._sound, order), sample_count(STEADY)))])

    def _sound(self, clip: Clip) -> Array:
        return effects.level(self.dataset.audio(clip), 0.1)

    def _stretches(self, rng: Rng) -> list[list[Clip]]:
        recordings: dict[tuple[str, str], list[Clip]] = defaultdict(list)
        for at in rng.permutation(len(self.clips)):
            recordings[self.clips[at].label, self.clips[at].recording].append(self.clips[at])
        alone: dict[str, list[Clip]] = defaultdict(list)
        stretches = []
        for (label, _), clips in sorted(recordings.items()):
            if len(clips) == 1:
                alone[label] += clips
            else:
                stretches += _cut(clips, rng)
        for clips in alone.values():
            stretches += _cut(clips, rng)
        return stretches

    def _order(self, stretches: list[list[Clip]], rng: Rng) -> list[list[Clip]]:
        """Shuffle stretches so that no label follows itself, as far as they allow."""
        left = [stretches[at] for at in rng.permutation(len(stretches))]
        ordered: list[list[Clip]] = []
        while left:
            counts = {label: sum(other[0].label == label for other in left) for label in {s[0].label for s in left}}
            last = ordered[-1][0].label if ordered else ""
            others = [stretch for stretch in left if stretch[0].label != last] or left
            # Whoever has more than half of the places that are left must take one now.
            urgent = [stretch for stretch in others if 2 * counts[stretch[0].label] > len(left)]
            chosen = (urgent or others)[0]
            left.remove(chosen)
            ordered.append(chosen)
        return ordered


def _cut(clips: list[Clip], rng: Rng) -> list[list[Clip]]:
    """Cut a list into pieces of two to four; one that is left over stays with the last piece."""
    pieces: list[list[Clip]] = []
    while clips:
        size = int(rng.integers(2, 5))
        if len(clips) - size == 1:
            size += 1 if size < 4 else -1
        pieces.append(clips[:size])
        clips = clips[size:]
    return pieces
