"""Several spots of one source, each heard by a recognizer of its own, all of them at the same moments."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import Final, NamedTuple, TypeAlias

import numpy as np
import soxr

from stream.recognition.classifier import Classifier
from stream.recognition.lockstep import take_hops
from stream.recognition.mel import SAMPLE_RATE, WINDOW, Array
from stream.recognition.recognizer import Recognizer
from stream.recognition.results import Result
from stream.recognition.taught import Head

Channels: TypeAlias = tuple[int, ...]
"""Counted from 1. Of several, the mean is heard."""

_LONGEST_HOP: Final = 1.0  # s; what is skipped beyond it was not heard


class Heard(NamedTuple):
    """What one spot shows."""

    shown: str
    """An instrument, or `warming`, `silence` or `unknown`."""
    label: str | None
    """The instrument; None where none is named."""
    level: float
    """RMS in dBFS."""


class Moment(NamedTuple):
    """What all spots show at the end of a hop."""

    time: float
    """In seconds of audio."""
    seconds: float
    """For so long it counts."""
    heard: tuple[Heard, ...]
    """One for each spot."""


class SpotHearing:
    """Hears every spot. Inference is one spot after the other; one that is silent costs none.

    Parameters
    ----------
    rate : int
        Of the source, in Hz.
    spots : sequence of tuple of int
        At least one.
    gates : sequence of float
        RMS level of each spot in dBFS below which it is silent.
    classifier : Classifier
    lineup : collection of str
        What may be named.
    hop : float
        In seconds.
    taught : sequence of Head
        Names besides the model's.
    """

    def __init__(
        self,
        rate: int,
        spots: Sequence[Channels],
        gates: Sequence[float],
        classifier: Classifier,
        lineup: Collection[str],
        hop: float,
        taught: Sequence[Head] = (),
    ) -> None:
        self._places = [[channel - 1 for channel in spot] for spot in spots]
        self._rate = rate
        self._recognizers = [Recognizer(classifier, hop=hop, lineup=lineup, gate=it, taught=taught) for it in gates]
        for recognizer in self._recognizers:
            recognizer.with_frames = False
        self._resampler: soxr.ResampleStream | None = None
        self._counted = 0.0  # seconds of audio up to which it was told what is heard
        self._is_warm = False
        self._clear()

    @property
    def time(self) -> float:
        """Seconds of audio so far, with what is missing."""
        return self._recognizers[0].time

    def hear(self, frames: Array, lost: int = 0, waiting: int | None = None) -> Iterator[Moment]:
        """Hear a block.

        Parameters
        ----------
        frames : np.ndarray [shape=(n, channels), dtype=float32]
            Finite.
        lost : int
            Frames that are missing before it.
        waiting : int, optional
            Frames that are there already and follow: a hop that they complete, too, is skipped. None for a file, of
            which no hop is skipped.
        """
        to_ours = SAMPLE_RATE / self._rate
        if lost * to_ours > WINDOW:
            self.lose(lost / self._rate)
        elif lost:
            yield from self._recognize(self._resample(np.zeros((lost, len(self._places)), np.float32)), waiting)
        yield from self._recognize(self._resample(self._mix(frames)), waiting)

    def lose(self, seconds: float) -> None:
        """Pass over audio that is missing: what comes then does not follow on what was before."""
        self._clear()
        for recognizer in self._recognizers:
            recognizer.lose(round(seconds * SAMPLE_RATE))
        self._counted = self.time
        self._is_warm = False

    def finish(self) -> Iterator[Moment]:
        """Hear the end."""
        yield from self._recognize(self._resample(np.empty((0, len(self._places)), np.float32), last=True), None)
        if self._is_warm:  # or there is less than a window
            for results in zip(*(it.finish() for it in self._recognizers), strict=True):
                yield self._moment(results)

    def _mix(self, frames: Array) -> Array:
        """Bring a block from channels to spots [shape=(n, spots)]."""
        mixed = np.empty((len(frames), len(self._places)), np.float32)
        for number, places in enumerate(self._places):
            first, *others = places
            mixed[:, number] = frames[:, places].mean(axis=1, dtype=np.float32) if others else frames[:, first]
        return mixed

    def _clear(self) -> None:
        if self._rate != SAMPLE_RATE:
            self._resampler = soxr.ResampleStream(self._rate, SAMPLE_RATE, len(self._places), dtype="float32")

    def _resample(self, mixed: Array, last: bool = False) -> Array:
        """Bring spots to 22 050 Hz [shape=(spots, m)]."""
        if self._resampler is not None:
            mixed = self._resampler.resample_chunk(mixed, last=last).reshape(-1, len(self._places))
        return np.ascontiguousarray(mixed.T)

    def _recognize(self, samples: Array, waiting: int | None) -> Iterator[Moment]:
        ahead = None if waiting is None else round(waiting * SAMPLE_RATE / self._rate)
        for is_due in take_hops(self._recognizers, [*samples], ahead):
            if is_due:
                yield self._moment([it.evaluate() for it in self._recognizers])

    def _moment(self, results: Sequence[Result]) -> Moment:
        estimates = [result.estimate for result in results]
        time = estimates[0].time
        seconds, self._counted = min(time - self._counted, _LONGEST_HOP), time
        self._is_warm = estimates[0].state != "warming"
        return Moment(time, seconds, tuple(Heard(it.label or it.state, it.label, it.rms) for it in estimates))
