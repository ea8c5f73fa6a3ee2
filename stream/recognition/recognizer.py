"""Samples in, results out: ring, features, classifier and smoothing without clocks or I/O."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Sequence
from typing import Final

import numpy as np

from stream.errors import ConfigError
from stream.recognition.classifier import Classifier, Inference
from stream.recognition.guess import GuessTracker
from stream.recognition.level import FULL_SCALE, LOWEST_LEVEL, measure_level
from stream.recognition.lineup import choose_lineup, told_names
from stream.recognition.mel import HOP_LENGTH, N_MELS, SAMPLE_RATE, WINDOW, Array
from stream.recognition.naming import Naming
from stream.recognition.present import PresentStretch
from stream.recognition.results import Estimate, Heard, Result, State, Stretch
from stream.recognition.ring import Ring
from stream.recognition.settings import GATE, HOP
from stream.recognition.smoothing import Probabilities, Smoother
from stream.recognition.taught import Head, TaughtNames, with_names
from stream.recognition.tone import ToneDetector

_RING: Final = 3 * SAMPLE_RATE
_GATE_TIME: Final = SAMPLE_RATE  # a rest shorter than this is part of the music
_NO_FRAMES: Final = np.empty((0, N_MELS), np.float32)
_SHORTEST_HOP, _LONGEST_HOP = HOP_LENGTH / SAMPLE_RATE, WINDOW / SAMPLE_RATE
_LOUDEST: Final = 1e6  # squares of anything much louder do not fit float32


class Recognizer:
    """Hears one stream of audio and says, every hop, which instrument is in front.

    `feed` is all that is needed. Who cannot keep up with the audio takes it in with `take` and decides, whenever a
    window is `due`, between `evaluate` and `skip`. The results do not depend on the blocks in which audio arrives.

    Parameters
    ----------
    classifier : Classifier, optional
        The shipped model that is used by default without it.
    hop : float
        From one estimate to the next in seconds, rounded to whole frames of 512 samples (23 ms).
    lineup : collection of str, optional
        The only instruments to be named; the others count as unknown. ``["all"]`` are all that the model knows;
        without it, those that its bundle names as its line-up.
    gate : float
        RMS level in dBFS below which it is silent.
    threshold : float, optional
        Probability from which an instrument is named, in place of the bundle's thresholds.
    taught : sequence of Head
        Names besides the model's, each a label like those.

    Raises
    ------
    ConfigError
        When the hop is not within a frame and a window, the gate not within -120 and 0 dBFS, the line-up names what
        nobody knows, or what is taught does not go with the model.
    """

    def __init__(
        self,
        classifier: Classifier | None = None,
        *,
        hop: float = HOP,
        lineup: Collection[str] | None = None,
        gate: float = GATE,
        threshold: float | None = None,
        taught: Sequence[Head] = (),
    ) -> None:
        classifier = classifier or Classifier.load()
        self._taught = TaughtNames(taught, classifier) if taught else None
        bundle = classifier.bundle if self._taught is None else with_names(classifier.bundle, self._taught.names)
        frames = round(hop * SAMPLE_RATE / HOP_LENGTH) if math.isfinite(hop) else 0
        if not 1 <= frames <= WINDOW // HOP_LENGTH:
            raise ConfigError(f"hop is {hop} s; expected {_SHORTEST_HOP:.3f} to {_LONGEST_HOP:.3f} s")
        if not LOWEST_LEVEL <= gate <= 0:
            raise ConfigError(f"gate is {gate} dBFS; expected {LOWEST_LEVEL:g} to 0 dBFS")
        self.instruments, self.thresholds, self.known = bundle.instruments, bundle.thresholds, bundle.known
        if threshold is not None:
            self.thresholds = (threshold,) * len(bundle.thresholds)
        self.lineup = choose_lineup(lineup, bundle)
        self.told = told_names(self.lineup, bundle)
        self.hop = frames * HOP_LENGTH / SAMPLE_RATE
        self._hop = frames * HOP_LENGTH
        self._classifier = classifier
        self._gate, self._in_lineup = gate, np.array([name in self.lineup for name in self.instruments])
        self._ring = Ring(_RING)
        self._front_end = bundle.front_end.make()
        self._tones = ToneDetector()
        self._smoother = Smoother(self.thresholds, bundle.smoothing, bundle.known)
        self._guesses = GuessTracker(self.instruments)
        self._position = 0  # samples heard
        self._evaluated = self._judged = 0  # position of the last evaluated hop's end; of the last with a full window
        self._full = WINDOW  # position from which on a window is full
        self._due = self._first_due(0)
        self._seq = self._invalid = 0
        self._present = PresentStretch()
        self.with_frames = True  # for a display, in each result; with some front ends they cost something
        self._padding = 0  # zeros after the last sample
        self._joins = False  # whether frames of the window were told already, made by another front end

    @property
    def position(self) -> int:
        """Samples heard since the start, gaps included."""
        return self._position

    @property
    def time(self) -> float:
        """Stream time, in seconds."""
        return self._position / SAMPLE_RATE

    @property
    def due(self) -> bool:
        """Whether a hop is complete and waits for `evaluate` or `skip`."""
        return self._position == self._due

    def replace(self, other: Recognizer) -> Stretch | None:
        """Go on with the model, taught names, line-up, hop and gate of another recognizer, which has heard nothing.

        Audio, time and sequence go on, and so does the present stretch; the smoothing starts over.

        Returns
        -------
        Stretch or None
            The guess that ends with this.
        """
        guess = self._guesses.close(self._evaluated / SAMPLE_RATE)
        self.instruments, self.thresholds, self.known = other.instruments, other.thresholds, other.known
        self.lineup, self.told = other.lineup, other.told
        if self._classifier.bundle.front_end != other._classifier.bundle.front_end:
            self._front_end = other._front_end
            self._joins = self._evaluated >= self._full
        self.hop, self._hop = other.hop, other._hop  # from the hop on that is due next
        self._classifier, self._gate, self._in_lineup = other._classifier, other._gate, other._in_lineup
        self._smoother, self._guesses, self._taught = other._smoother, other._guesses, other._taught
        return guess

    def naming(self, lineup: Collection[str]) -> Naming:
        """Return what names out of another line-up by the results of this recognizer, until it is replaced.

        Parameters
        ----------
        lineup : collection of str
            Some of `instruments`.
        """
        smoother = Smoother(self.thresholds, self._classifier.bundle.smoothing, self.known)
        return Naming(self.instruments, lineup, smoother, self._taught)

    def feed(self, samples: Array) -> Iterator[Result]:
        """Take in samples and yield the result of every hop that they complete.

        Parameters
        ----------
        samples : np.ndarray [shape=(n,), dtype=float32]
            Mono audio at 22 050 Hz in [-1, 1]. What is not finite is taken as zero, and counted.
        """
        while True:
            samples = self.take(samples)
            if not self.due:
                return
            yield self.evaluate()

    def take(self, samples: Array) -> Array:
        """Take in samples up to the end of the present hop.

        Returns
        -------
        np.ndarray [shape=(m,), dtype=float32]
            The samples that belong to the next hop: to be taken after `evaluate` or `skip`.
        """
        count = min(len(samples), self._due - self._position)
        taken = samples[:count]
        finite = np.isfinite(taken)
        if not finite.all():
            self._invalid += count - int(np.count_nonzero(finite))
            taken = np.where(finite, taken, np.float32(0))
        self._ring.write(np.clip(taken, -_LOUDEST, _LOUDEST))
        self._position += count
        return samples[count:]

    def skip(self) -> None:
        """Pass over the window that is due. Its audio stays part of the next ones."""
        self._due += self._hop
        self._seq += 1

    def evaluate(self) -> Result:
        """Evaluate the window that is due."""
        self._due += self._hop
        return self._evaluate()

    def lose(self, count: int) -> Result:
        """Jump over audio that was lost, and start over with `warming`.

        For more than a window: shorter gaps are to be fed as zeros of the same length.

        Parameters
        ----------
        count : int
            Samples that are missing.
        """
        end = self.time
        self._position += count
        self.forget()
        self._due = self._first_due(self._position)
        levels, zeros = (LOWEST_LEVEL, LOWEST_LEVEL), self._zeros()
        return self._result("warming", None, zeros, zeros, levels, _NO_FRAMES, until=end)

    def forget(self) -> None:
        """Forget the audio heard so far, for another sound is heard from now on; time and the grid of hops go on.

        What follows is `warming` until a window of it is heard.
        """
        self._ring.clear()
        self._front_end.reset()
        self._tones.reset()
        self._smoother.reset()
        self._full, self._joins = self._position + WINDOW, False
        self._evaluated = self._judged = self._position

    def join(self, other: Recognizer) -> None:
        """Begin at the moment at which another recognizer is, on its grid of hops; this one has heard nothing."""
        self._position, self._due, self._seq = other._position, other._due, other._seq
        self.forget()
        self._present = PresentStretch(self.time)

    def finish(self) -> Iterator[Result]:
        """End the stream: evaluate what the grid of hops has left over.

        Audio shorter than a window is followed by zeros; otherwise the last window ends with the last sample.
        """
        if self._position < self._full:
            self._padding = self._full - self._position
            yield from self.feed(np.zeros(self._padding, np.float32))
        elif self._position > self._evaluated:
            yield self._evaluate()

    def close(self) -> Stretch:
        """Close the present stretch with the last sample heard, after `finish`."""
        return self._present.close(self._end)

    def close_guess(self) -> Stretch | None:
        """Close the present guess, if there is one, with the last sample heard, after `finish`."""
        return self._guesses.close(self._end)

    @property
    def _end(self) -> float:
        """Stream time of the last sample heard, in seconds."""
        return (self._position - self._padding) / SAMPLE_RATE

    def _first_due(self, start: int) -> int:
        """First hop after `start` on the grid that has a hop end where the first window is full."""
        return start + (WINDOW % self._hop or self._hop)

    def _evaluate(self) -> Result:
        new = min(self._position - self._evaluated, WINDOW)
        levels = measure_level(self._ring.newest(new))
        elapsed = (self._position - self._evaluated) / SAMPLE_RATE
        raw = smoothed = self._zeros()
        named = inference = None
        window = self._ring.newest(WINDOW)
        state: State = "warming"
        if self._position >= self._full:
            # Judged by all that no window was judged by, so that a short clip with a quiet end is not silent.
            loudness, _ = measure_level(window[-max(self._position - self._judged, _GATE_TIME) :])
            self._judged = self._position
            is_silent = loudness < self._gate
            # Of what is silent nothing is asked but what a display shows: of many lines most rest.
            features = None if is_silent and not self.with_frames else self._front_end.features(window, self._position)
            if is_silent or features is None:
                state = "silence"
                self._smoother.reset()
            elif self._is_tone(window):
                state = "unknown"
                self._smoother.reset()
            else:
                inference = self._classifier.infer(features)
                joined = inference.probabilities if self._taught is None else self._taught.join(inference)
                raw = np.where(self._in_lineup, joined, 0.0)
                smoothed, named = self._smoother.update(raw, elapsed)
                state = "unknown" if named is None else "instrument"
        self._evaluated = self._position
        frames = _NO_FRAMES if state == "warming" or not self.with_frames else self._front_end.newest()
        if self._joins:
            frames, self._joins = frames[-math.ceil(len(frames) * new / WINDOW) :], False
        return self._result(state, named, raw, smoothed, levels, frames, inference)

    def _is_tone(self, window: Array) -> bool:
        """Whether a window is a steady tone."""
        bands = None  # mel frames by which tones are looked for
        if not self._padding:
            has_frames = self._classifier.bundle.front_end.has_frames
            bands = self._front_end.frames() if has_frames else self._tones.sparse_frames(window, self._position)
        return self._tones.update(window[: WINDOW - self._padding], bands, self._position)

    def _result(
        self,
        state: State,
        named: int | None,
        raw: Probabilities,
        smoothed: Probabilities,
        levels: tuple[float, float],
        frames: Array,
        inference: Inference | None = None,
        until: float | None = None,
    ) -> Result:
        confidence = 0.0
        if state == "unknown":
            confidence = 1.0 - float(smoothed.sum())
        elif named is not None:
            confidence = float(smoothed[named])
        heard = Heard(state, None if named is None else self.instruments[named])
        end = self.time if until is None else until  # of what was heard before
        guess = self._guesses.update(end, smoothed, named)
        transition, stretch = self._present.update(heard, confidence, self.time, end)
        rms, peak = levels
        estimate = Estimate(
            seq=self._seq,
            time=self.time,
            state=state,
            label=heard.label,
            since=self._present.since,
            confidence=confidence,
            probabilities=dict(zip(self.instruments, smoothed.tolist(), strict=True)),
            raw=dict(zip(self.instruments, raw.tolist(), strict=True)),
            rms=rms,
            peak=peak,
        )
        clipped = peak > 20 * np.log10(FULL_SCALE)
        result = Result(estimate, transition, stretch, guess, frames, bool(clipped), self._invalid, inference)
        self._seq, self._invalid = self._seq + 1, 0
        return result

    def _zeros(self) -> Probabilities:
        return np.zeros(len(self.instruments))
