"""The sources of composed clips: which play what, how often, and what is chosen for one clip."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from train.compose.pack import Recording
from train.datasets.labels import INSTRUMENTS

Rng = np.random.Generator
InstrumentSource = tuple[str, str]
"""An instrument, and a source that plays it."""

# A saxophone is a saxophone for whoever watches the stage, and only 66 real notes are a tenor's. Its sisters help out
# in its own range: a soprano's high notes are too much like a clarinet's.
_PLAYED_AS: Final = {
    "other saxophone": "tenor saxophone",
    "clean electric guitar": "distorted electric guitar",
}
_SAXOPHONE_RANGE: Final = (40, 77)  # MIDI
_RENDERED: Final = {
    "fluidr3_gm": 0.6,
    "fluidr3_more": 0.4,
    "musescore_general": 0.35,  # mostly FluidR3's samples again
    "timgm6mb": 0.5,
    "freepats": 0.25,
    "generaluser_gs": 0.25,
    "karoryfer_weresax": 0.4,
}
"""Weights of renderings, and of a saxophone played for its dirt, beside a real player's 1."""
_UNKNOWN_SHARE: Final = 1.7  # clips of `unknown` for one of each instrument

_OTHERS: Final = {
    "drums": 3.0,
    "bass": 2.5,
    "backing loops": 2.5,
    "band": 2.5,
    "male singer": 2.0,
    "speech": 1.5,
    "crowd": 1.5,
    "everyday noise": 1.0,
    "percussion": 0.7,
    "loops and one-shots": 0.7,
    "vocal noise": 0.5,
    "noise": 1.5,
    "acoustic guitar": 1.4,
    "clean electric guitar": 0.8,
    "organ": 0.8,
    "cello": 0.8,
    "trombone": 0.7,
    "french horn": 0.6,
    "oboe": 0.5,
    "bassoon": 0.6,
    "mandolin": 0.5,
    "string section": 0.4,
    "bass clarinet": 0.2,
    "viola": 0.1,
}
"""What `unknown` sounds like, and how often; sisters of the eight rarely, lest they take clips from them."""

_UNNAMED: Final = 1.5  # the same, for one of the eight that is none of the labels
_SYNTHETIC: Final = ("band", "noise")  # always there

_BACKING: Final = (
    *("drums", "bass", "backing loops", "band", "acoustic guitar", "clean electric guitar"),
    *("organ", "string section", "crowd"),
)
_BAND: Final = ("drums", "bass", "acoustic guitar", "clean electric guitar", "organ", "string section")


@dataclass(frozen=True, slots=True)
class ClipPlan:
    """What a clip will be."""

    label: str
    name: str
    """What plays: an instrument, or what sounds like nothing that can be named."""
    sources: tuple[InstrumentSource, ...]
    """(Instrument, source) pairs that play it; several for a band, none for noise."""


class SourceSelection:
    """Who can play in clips of one side of the split.

    Parameters
    ----------
    recordings : list of Recording
        All recordings, of any side.
    numbers : iterable of int
        Which of them are on this side.
    labels : tuple of str
        What clips are labelled with: some instruments of the eight, and `unknown` or not.
    sisters, renderings, amplifier : bool
        Whether other saxophones play tenor saxophone, whether renderings play where a real player can, and whether
        clean guitars play distorted ones.
    """

    def __init__(
        self,
        recordings: Sequence[Recording],
        numbers: Iterable[int],
        labels: tuple[str, ...],
        *,
        sisters: bool = True,
        renderings: bool = True,
        amplifier: bool = True,
    ) -> None:
        self._recordings = recordings
        left_out = {"other saxophone": not sisters, "clean electric guitar": not amplifier}
        self._played_as = {name: label for name, label in _PLAYED_AS.items() if not left_out[name]}
        self._renderings = renderings
        self._sources: dict[str, dict[str, list[int]]] = defaultdict(lambda: defaultdict(list))
        for number in numbers:
            row = recordings[number]
            in_range = row.midi is None or _SAXOPHONE_RANGE[0] <= row.midi <= _SAXOPHONE_RANGE[1]
            if in_range or row.instrument != "other saxophone":
                self._sources[row.instrument][row.source].append(number)
        self._players = {label: choices for label in INSTRUMENTS if (choices := self._choices(label))[0]}
        self.missing = tuple(label for label in INSTRUMENTS if label in labels and label not in self._players)
        """Labels that nobody can play."""
        self._labels = labels
        shares = np.array([_UNKNOWN_SHARE if label == "unknown" else 1.0 for label in labels])
        self._shares = shares / shares.sum()
        others = _OTHERS | {name: _UNNAMED for name in self._players if name not in labels}
        available = [name for name in others if name in {*_SYNTHETIC, *self._players} or self._sources[name]]
        weights = np.array([others[name] for name in available])
        self._others = available, weights / weights.sum()
        self._backing = [name for name in _BACKING if name == "band" or self._sources[name]]

    def plan(self, rng: Rng) -> ClipPlan:
        """Choose a label, and who plays it."""
        label = str(rng.choice(self._labels, p=self._shares))
        if label != "unknown":
            return ClipPlan(label, label, (self._player(label, rng),))
        names, weights = self._others
        name = names[rng.choice(len(names), p=weights)]
        return ClipPlan(
            label, name, (self._player(name, rng),) if name in self._players else self._draw_sources(name, rng)
        )

    def accompaniment(self, name: str, rng: Rng) -> ClipPlan:
        """Choose who plays behind `name`: mostly a band, now and then another of the eight."""
        if rng.random() < 0.2:
            others = list(self._players)
            other = others[rng.integers(len(others))]
            if other != name:
                return ClipPlan("unknown", other, (self._player(other, rng),))
        backing = self._backing[rng.integers(len(self._backing))]
        return ClipPlan("unknown", backing, self._draw_sources(backing, rng))

    def recordings(self, chosen: InstrumentSource) -> list[int]:
        """Numbers of the recordings that a source plays an instrument with."""
        instrument, source = chosen
        return self._sources[instrument][source]

    def _choices(self, label: str) -> tuple[list[InstrumentSource], npt.NDArray[np.float64]]:
        """(Instrument, source) pairs that play a label, and their probabilities."""
        names = [label] + [name for name, plays in self._played_as.items() if plays == label]
        pairs = [(name, source) for name in names for source in self._sources[name]]
        if not self._renderings:
            pairs = [(name, source) for name, source in pairs if source not in _RENDERED] or pairs
        weights = np.array([self._weight(name, source) for name, source in pairs])
        return pairs, weights / weights.sum() if len(pairs) else weights

    def _weight(self, instrument: str, source: str) -> float:
        """Weight of a source: more for a longer one, but far less than in proportion, and less for a rendering."""
        seconds = sum(self._recordings[i].seconds for i in self._sources[instrument][source])
        sister = 0.5 if instrument == "other saxophone" else 1.0
        return float(sister * _RENDERED.get(source, 1.0) * seconds**0.45)

    def _player(self, label: str, rng: Rng) -> InstrumentSource:
        pairs, weights = self._players[label]
        return pairs[rng.choice(len(pairs), p=weights)]

    def _draw_sources(self, name: str, rng: Rng) -> tuple[InstrumentSource, ...]:
        """Who plays what is not one of the eight: a source of it, some of the band, or nobody for noise."""
        if name == "noise":
            return ()
        if name == "band":
            parts = [part for part in _BAND if self._sources[part]]
            count = min(len(parts), int(rng.integers(2, 4)))
            chosen = rng.choice(parts, size=count, replace=False).tolist() if parts else []
            return tuple(source for part in chosen for source in self._draw_sources(part, rng))
        sources = list(self._sources[name])
        weights = np.array([self._weight(name, source) for source in sources])
        return ((name, sources[rng.choice(len(sources), p=weights / weights.sum())]),)
