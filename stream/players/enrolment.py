"""Listening to somebody who is to be taught: what a model says of some seconds of their playing."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from stream.errors import TeachError
from stream.recognition.classifier import Classifier
from stream.recognition.mel import SAMPLE_RATE, WINDOW, Array
from stream.recognition.recognizer import Recognizer
from stream.recognition.results import Result
from stream.recognition.settings import GATE
from stream.recognition.smoothing import Probabilities
from stream.recognition.taught import Real, describe, embedding_length

LEAST: Final = 10.0
"""Seconds that must sound."""

MOST: Final = 60.0
"""Seconds that are listened to; what comes later is left out."""

STRETCH: Final = 5.0
"""Seconds that are held out at once, to see whether the rest is enough to recognize them."""

WINDOW_SECONDS: Final = WINDOW / SAMPLE_RATE

_HOP: Final = 0.5  # s between the windows that are kept
_CLOSE: Final = 0.05  # s that two times may differ by and be the same: hops are of whole frames


@dataclass(frozen=True, eq=False)
class Enrolment:
    """What is kept of somebody's playing: no audio, and little enough for a small file."""

    embeddings: Array
    """shape=(n, n_numbers), dtype=float32; of unit length"""
    probabilities: Probabilities
    """shape=(n, n_instruments), dtype=float64; the model's own"""
    ends: npt.NDArray[np.float32]
    """Where each window ends, in seconds."""
    seconds: float
    """How much sounded."""

    @property
    def points(self) -> Real:
        """What heads weigh, see `stream.recognition.taught.describe`."""
        return describe(self.embeddings, self.probabilities)

    @property
    def stretches(self) -> int:
        """In how many stretches of about `STRETCH` it is, of which each can be held out; two at the least."""
        return max(2, round(float(self.ends.max() - self.ends.min() + WINDOW_SECONDS) / STRETCH))

    def within(self, stretch: int) -> npt.NDArray[np.bool_]:
        """Tell which windows lie within a stretch, counted from 0."""
        first, last = self._bounds(stretch)
        return (self.ends - WINDOW_SECONDS >= first - _CLOSE) & (self.ends <= last + _CLOSE)

    def outside(self, stretch: int) -> npt.NDArray[np.bool_]:
        """Tell which windows share nothing with a stretch."""
        first, last = self._bounds(stretch)
        return (self.ends <= first + _CLOSE) | (self.ends - WINDOW_SECONDS >= last - _CLOSE)

    def taken_for(self, instruments: tuple[str, ...]) -> Mapping[str, float]:
        """Share of the windows in which each of the model's instruments is the most probable, the largest first."""
        counts = np.bincount(self.probabilities.argmax(axis=1), minlength=len(instruments))
        ranked = np.argsort(-counts, kind="stable").tolist()
        return {instruments[at]: float(counts[at]) / len(self.ends) for at in ranked if counts[at]}

    def _bounds(self, stretch: int) -> tuple[float, float]:
        start = float(self.ends.min()) - WINDOW_SECONDS
        length = (float(self.ends.max()) - start) / self.stretches
        return start + stretch * length, start + (stretch + 1) * length


class Enroller:
    """Gathers results of a recognizer while somebody plays alone, in a file or live.

    Parameters
    ----------
    classifier : Classifier
        The recognizer's own.
    begin : float
        Stream time in seconds from which on it is them who play.

    Raises
    ------
    ConfigError
        When the model has no embedding.
    """

    def __init__(self, classifier: Classifier, begin: float = 0.0) -> None:
        embedding_length(classifier)
        self.instruments = classifier.bundle.instruments
        self._embeddings: list[Array] = []
        self._probabilities: list[Probabilities] = []
        self._ends: list[float] = []
        self._begin = begin
        self._heard = begin  # stream time up to which sounding seconds are counted
        self.seconds = 0.0
        """How much has sounded so far."""

    @property
    def is_full(self) -> bool:
        """Whether nothing more is needed."""
        return self.seconds >= MOST

    @property
    def taken_for(self) -> str | None:
        """What the model takes it for so far, most of the time."""
        if not self._ends:
            return None
        best = np.bincount(np.argmax(self._probabilities, axis=1), minlength=len(self.instruments))
        return self.instruments[int(best.argmax())]

    def take(self, result: Result) -> None:
        """Take in what one hop brought; silence and steady tones count for nothing."""
        end = result.estimate.time
        if result.inference is None or self.is_full or end - WINDOW_SECONDS < self._begin - _CLOSE:
            return
        self.seconds += min(end - self._heard, WINDOW_SECONDS)
        self._heard = end
        embedding = result.inference.embedding
        if embedding is not None and (not self._ends or end - self._ends[-1] >= _HOP - _CLOSE):
            self._embeddings.append(embedding)
            self._probabilities.append(result.inference.probabilities)
            self._ends.append(end)

    def enrolment(self) -> Enrolment:
        """Return what was gathered.

        Raises
        ------
        TeachError
            When too little has sounded.
        """
        if self.seconds < LEAST or not self._ends:
            raise TeachError(
                f"only {self.seconds:.1f} s of this sound; at least {LEAST:g} s are needed to teach a name"
            )
        return Enrolment(
            np.stack(self._embeddings),
            np.stack(self._probabilities),
            np.array(self._ends, np.float32),
            self.seconds,
        )


def enrol(blocks: Iterable[Array], classifier: Classifier, gate: float = GATE) -> Enrolment:
    """Listen to somebody in audio, for as long as `MOST` says.

    Parameters
    ----------
    blocks : iterable of np.ndarray [shape=(n,), dtype=float32]
        Mono at 22 050 Hz in [-1, 1]; several recordings one after the other.
    classifier : Classifier
    gate : float
        RMS level in dBFS below which it is silent.

    Raises
    ------
    ConfigError
        When the model has no embedding.
    TeachError
        When too little sounds.
    """
    enroller = Enroller(classifier)
    recognizer = Recognizer(classifier, hop=_HOP, gate=gate)
    recognizer.with_frames = False
    heard = (result for block in blocks for result in recognizer.feed(block))
    for result in itertools.chain(heard, recognizer.finish()):
        enroller.take(result)
        if enroller.is_full:
            break
    return enroller.enrolment()
