"""How well names are taught: instruments and players, in recordings that they were not taught from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from stream.players.bank import Bank
from stream.players.enrolment import Enrolment, enrol
from stream.players.fitting import EnrolledName, fit_all, likeness
from stream.recognition.bundle import Bundle
from stream.recognition.classifier import Classifier, Inference
from stream.recognition.mel import SAMPLE_RATE, WINDOW
from stream.recognition.taught import Head, TaughtNames, with_names
from train.compose.real_windows import RealWindows
from train.compose.unheard import Rendering
from train.datasets.clips import Array
from train.evaluation.lineups import lineup_of
from train.evaluation.taught_players import (
    NEW_INSTRUMENTS,
    SAME_INSTRUMENT,
    NewInstrument,
    can_be_taught,
    excerpts,
    halves,
    players_of,
    source_of,
    windows_of,
)

_EACH: Final = 10  # windows of one player, at the most
_INSTRUMENT: Final = 10.0  # s that an instrument is taught from
_PLAYER: Final = 20.0  # s that one of several players is taught from

Named = npt.NDArray[np.str_]


@dataclass
class Count:
    """How many of how many."""

    found: int = 0
    of: int = 0

    def add(self, found: npt.NDArray[np.bool_]) -> None:
        """Count some windows more."""
        self.found += int(found.sum())
        self.of += len(found)

    def __str__(self) -> str:
        return f"{100 * self.found / self.of:.1f} % ({self.found} of {self.of})" if self.of else "none"


@dataclass
class InstrumentResult:
    """One name taught from one source."""

    name: str
    source: str
    same: Count = field(default_factory=Count)
    """Windows of other recordings of that source that have the name."""
    others: Count = field(default_factory=Count)
    """Windows of other sources that have it."""
    strangers: Count = field(default_factory=Count)
    """Windows of held-out recordings of everything else that have it."""
    before: Count = field(default_factory=Count)
    """Windows of held-out recordings of the line-up that are named right without the name."""
    after: Count = field(default_factory=Count)
    """And with it."""


@dataclass
class PlayersResult:
    """Some players of one instrument, taught beside each other."""

    name: str
    players: tuple[str, ...]
    heard_as: npt.NDArray[np.int64]
    """shape=(n + 1, n + 1), windows: row by who plays, column by who is named; the last is others of that instrument,
    and none of the names"""
    strangers: Count


class Listener:
    """Lets a model hear windows, and names them as the service would in a single window.

    Parameters
    ----------
    bundle : Bundle
    bank : Bank
    """

    def __init__(self, bundle: Bundle, bank: Bank) -> None:
        self.bundle, self.bank = bundle, bank
        self.classifier = Classifier(bundle)
        self._front_end = bundle.front_end.make()

    def hear(self, window: Array) -> Inference:
        """Let the model hear one window."""
        self._front_end.reset()
        return self.classifier.infer(self._front_end.features(window, WINDOW))

    def name(self, heard: Sequence[Inference], heads: Sequence[Head]) -> Named:
        """Name windows with the model's line-up and taught names; an empty text where nothing is named."""
        taught = TaughtNames(heads, self.classifier) if heads else None
        bundle = self.bundle if taught is None else with_names(self.bundle, taught.names)
        lineup, thresholds = lineup_of(bundle), np.array(bundle.thresholds)
        named = []
        for inference in heard:
            joined = inference.probabilities if taught is None else taught.join(inference)
            probable = np.where([name in lineup for name in bundle.instruments], joined, 0.0)
            passing = np.where(probable >= thresholds, probable, -1.0)
            best = int(passing.argmax())
            is_named = passing[best] >= 0 and probable.sum() >= bundle.known
            named.append(bundle.instruments[best] if is_named else "")
        return np.array(named)

    def teach(self, enrolled: Sequence[tuple[str, str | None, Enrolment]], bank: Bank) -> list[Head]:
        """Fit heads, as `soloist teach` does."""
        return [head for head, _ in fit_all([EnrolledName(*each) for each in enrolled], bank, self.bundle)]


class PlayerTrial:
    """A trial with a pack's recordings, and the model and bank of one listener.

    Parameters
    ----------
    listener : Listener
    data : Path
        Folder of the pack.
    """

    def __init__(self, listener: Listener, data: Path) -> None:
        self._listener, self._data = listener, data
        windows = RealWindows(data)
        self._held_out = [listener.hear(windows.audio(clip)) for clip in windows.clips]
        self._labels = np.array([clip.label for clip in windows.clips])
        self._alone = listener.name(self._held_out, ())

    def try_instruments(self) -> list[InstrumentResult]:
        """Teach each new instrument from ten seconds of each of its sources in turn."""
        return [result for instrument in NEW_INSTRUMENTS for result in self._try_instrument(instrument)]

    def _try_instrument(self, instrument: NewInstrument) -> list[InstrumentResult]:
        players = players_of(self._data, instrument)
        heard = {}
        for number, player in enumerate(players):
            for part, half in enumerate(halves(player)):
                rng = np.random.default_rng([41, number, part])
                heard[player.source, part] = [
                    self._listener.hear(window) for window in windows_of(half, self._data, rng, _EACH)
                ]
        bank = self._listener.bank.without(self._listener.bank.where(labels=(instrument.label,)))
        results = []
        for number, player in enumerate(players):
            if not can_be_taught(player):
                continue
            audio = excerpts(halves(player)[0], self._data, _INSTRUMENT, np.random.default_rng([42, number]))
            enrolment = enrol([audio], self._listener.classifier)
            name = f"taught {instrument.name}"
            heads = self._listener.teach([(name, None, enrolment)], bank)
            result = self._result(instrument.name, player.source, heads, instrument.label)
            others = [it for (source, _), them in heard.items() if source != player.source for it in them]
            result.same.add(self._listener.name(heard[player.source, 1], heads) == name)
            result.others.add(self._listener.name(others, heads) == name)
            results.append(result)
        return results

    def _result(self, name: str, source: str, heads: Sequence[Head], label: str | None) -> InstrumentResult:
        """Name the held-out windows with a head and without."""
        result = InstrumentResult(name, source)
        named = self._listener.name(self._held_out, heads)
        result.strangers.add(named[self._labels != label] == heads[0].name)
        eight = np.isin(self._labels, lineup_of(self._listener.bundle))
        result.before.add(self._alone[eight] == self._labels[eight])
        result.after.add(named[eight] == self._labels[eight])
        return result

    def try_unheard(self, renderings: Sequence[Rendering]) -> list[InstrumentResult]:
        """Teach instruments that are none of the labels from ten seconds of one font, and find them in the other."""
        results = []
        for rendering in renderings:
            enrolment = enrol([rendering.audio[: round(_INSTRUMENT * SAMPLE_RATE)]], self._listener.classifier)
            name = f"taught {rendering.instrument}"
            like = likeness(enrolment, self._listener.bundle)
            heads = self._listener.teach([(name, like, enrolment)], self._listener.bank)
            result = self._result(rendering.instrument, rendering.font, heads, None)
            for other in renderings:
                if other.instrument != rendering.instrument:
                    continue
                same = other.font == rendering.font
                first = round(_INSTRUMENT * SAMPLE_RATE) if same else 0
                starts = range(first, len(other.audio) - WINDOW + 1, WINDOW)
                heard = [self._listener.hear(other.audio[at : at + WINDOW]) for at in starts]
                (result.same if same else result.others).add(self._listener.name(heard, heads) == name)
            results.append(result)
        return results

    def try_players(self) -> list[PlayersResult]:
        """Teach players of one instrument from twenty seconds each, and find them in other recordings."""
        return [self._try_players(name, *who) for name, who in SAME_INSTRUMENT.items()]

    def _try_players(self, name: str, label: str, sources: tuple[str, ...]) -> PlayersResult:
        players = [source_of(self._data, label, source) for source in sources]
        names = tuple(f"taught {source}" for source in sources)
        own = self._listener.bank.where(sources=[*sources, *(f"{label}/{source}" for source in sources)])
        enrolled = []
        for number, player in enumerate(players):
            audio = excerpts(halves(player)[0], self._data, _PLAYER, np.random.default_rng([43, number]))
            enrolled.append((names[number], None, enrol([audio], self._listener.classifier)))
        heads = self._listener.teach(enrolled, self._listener.bank.without(own))
        heard_as = np.zeros((len(names) + 1, len(names) + 1), np.int64)
        rows = [
            [
                self._listener.hear(window)
                for window in windows_of(halves(player)[1], self._data, np.random.default_rng([44, number]), 2 * _EACH)
            ]
            for number, player in enumerate(players)
        ]
        windows = RealWindows(self._data)
        others = [
            heard
            for heard, clip in zip(self._held_out, windows.clips, strict=True)
            if clip.label == label and clip.source not in sources
        ]
        for row, heard in enumerate([*rows, others]):
            for named in self._listener.name(heard, heads):
                heard_as[row, names.index(named) if named in names else -1] += 1
        strangers = Count()
        strangers.add(np.isin(self._listener.name(self._held_out, heads)[self._labels != label], names))
        return PlayersResult(name, sources, heard_as, strangers)
