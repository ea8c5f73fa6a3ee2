"""A line: what lies between the channels of a source and the messages about them.

Blocks of audio go in, messages come out. It holds the converter, the recognizer with its ring, features, model,
smoothing and guesses, the level meter, and what is wrong with the signal. It knows nothing of devices, servers and
logs, nor of other lines: `stream.service.lines` has them hear one source together.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator, Sequence

import numpy as np

from stream.audio.converter import Converter
from stream.audio.meter import LevelMeter
from stream.audio.signal_monitor import SignalMonitor
from stream.protocol.messages import Guess, Level, Segment
from stream.recognition.mel import Array
from stream.recognition.recognizer import Recognizer
from stream.recognition.results import Result
from stream.service import translation
from stream.service.events import Hop


class Line:
    """Recognizes some of the channels of one source after the other.

    Parameters
    ----------
    recognizer : Recognizer
        Which has heard nothing.
    gate : float
        RMS level in dBFS below which nothing is heard.
    live : bool
        Whether the sources are devices, which are never quite still while they work.
    name : str, optional
        What its messages call it; without one it is the only line, and they name none.
    channels : sequence of int
        What it hears the average of, counted from 1; without any, what `connect` says.
    gain : float
        By which its audio is made louder, in dB.
    """

    def __init__(
        self,
        recognizer: Recognizer,
        gate: float,
        live: bool,
        *,
        name: str | None = None,
        channels: Sequence[int] = (),
        gain: float = 0.0,
    ) -> None:
        self.name = name
        self.channels = tuple(channels)
        self.recognizer = recognizer
        """What recognizes; its instruments, line-up and hop are those of the line."""
        self.wanted: Collection[str] = ()
        """Of `level` and `spectrum`, which cost something, those that are to be told."""
        self.missing: str | None = None
        """Why it hears nothing of the source that is connected, in one line, if that is so."""
        self.listener: Callable[[Result], None] | None = None
        """Told of every result, while there is one."""
        self._live = live
        self.gate = gate
        """Level in dBFS below which nothing is heard."""
        self._factor = np.float32(10 ** (gain / 20))
        self._meter = LevelMeter()
        self._converter: Converter | None = None
        self._source: tuple[int, int, int | None] | None = None  # what is connected: rate, channels, the one chosen
        self._channels = self._heard_channels = len(self.channels) or 1
        self.examine()

    @property
    def warnings(self) -> list[str]:
        """What somebody should mend about the signal, most urgent first."""
        if self.name is None:
            return self._monitor.warnings
        if self.missing is not None:
            return [self.missing]
        return [f"{self.name}: {warning}" for warning in self._monitor.warnings]

    @property
    def still(self) -> str | None:
        """What is to be said of a device that works and delivers only zeros; None where it does not."""
        return self._monitor.zeros_warning

    def examine(self, gate: float | None = None) -> None:
        """Look for faults in the signal that comes from now on, whatever was before; with another gate, in dBFS."""
        self.gate = self.gate if gate is None else gate
        self._monitor = SignalMonitor(self.gate, self._live, self._heard_channels, self.channels)
        if self._converter is not None:
            self._converter.change_gate(self.gate)

    def connect(self, rate: int, channels: int, channel: int | None) -> None:
        """Take the audio of another source from now on.

        A line with channels of its own that the source lacks hears silence, and says so.

        Parameters
        ----------
        rate : int
            In Hz.
        channels : int
            Of its blocks.
        channel : int, optional
            The one to listen to, counted from 1; the average of all without it, unless that hides them.

        Raises
        ------
        ConfigError
            When it has no such channel.
        """
        self.missing, self._source = None, (rate, channels, channel)
        if lacking := [one for one in self.channels if one > channels]:
            self.missing = f"{self.name}: there is no channel {lacking[0]}; the source has {channels}"
            self._converter = Converter(rate, 1, None, self.gate)
        else:
            self._converter = Converter(rate, channels, self.channels or channel, self.gate)
        self._channels = channels if self.missing is None else 1
        heard = len(self.channels) or (channels if channel is None else 1)
        if heard != self._heard_channels:
            self._heard_channels = heard
            self.examine()

    def change(self, name: str | None, channels: Sequence[int], gain: float, channel: int | None) -> None:
        """Go on with another name, other channels and another gain, for the parameters see `Line` and `connect`.

        No sample is missing or heard twice. Of other channels nothing was heard: it starts over with `warming`.

        Raises
        ------
        ConfigError
            When the source has no such channel.
        """
        self.name, self._factor = name, np.float32(10 ** (gain / 20))
        is_another = tuple(channels) != self.channels
        self.channels = tuple(channels)
        if self._source is None or self._converter is None:
            self._channels = self._heard_channels = len(self.channels) or 1
            self.examine()
            return
        rate, count, chosen = self._source
        if not is_another and (self.channels or channel == chosen):
            return
        before = self._converter
        self.connect(rate, count, channel)
        self._converter.go_on(before)
        self.examine()
        self.recognizer.forget()

    def flush(self) -> Array:
        """Return what the resampler holds [shape=(m,)], and begin with an empty one."""
        samples = self.drain()
        assert self._converter is not None
        self._converter.clear()
        return samples

    def convert(self, frames: Array) -> tuple[Array, int]:
        """Take in a block of the connected source.

        Parameters
        ----------
        frames : np.ndarray [shape=(n, channels), dtype=float32]

        Returns
        -------
        samples : np.ndarray [shape=(m,), dtype=float32]
            Mono audio at 22 050 Hz.
        invalid : int
            Samples that were not finite numbers, and were taken as zeros.
        """
        assert self._converter is not None
        converter = self._converter
        if self.missing is not None:
            frames = np.zeros((len(frames), 1), np.float32)
        invalid, converter.clipped = converter.invalid, False
        samples = converter(frames)
        self._monitor.update(*converter.take_levels(), converter.alone)
        return self._louder(samples), converter.invalid - invalid

    def fill(self, count: int) -> Array:
        """Take in silence in place of so many frames of the source that are missing."""
        assert self._converter is not None
        return self._converter.fill(count)

    def drain(self) -> Array:
        """Return what the resampler holds at the end of the audio [shape=(m,)]."""
        assert self._converter is not None
        return self._louder(self._converter(np.empty((0, self._channels), np.float32), last=True))

    def levels(self, samples: Array) -> Iterator[Level]:
        """Measure samples that the recognizer is about to take, where somebody wants to know."""
        if "level" in self.wanted:
            assert self._converter is not None
            for reading in self._meter.feed(samples, self.recognizer.position + len(samples), self._converter.clipped):
                yield translation.level(reading, self.name)

    def lose(self, count: int) -> Hop:
        """Jump over so many samples that are missing, and start over."""
        assert self._converter is not None
        self._converter.clear()
        return self.told(self.recognizer.lose(count), None, None)

    def evaluate(self) -> tuple[Result, float]:
        """Evaluate the window that is due, and say how many seconds that took. It may be called in another thread."""
        started = time.perf_counter()
        result = self.recognizer.evaluate()
        return result, time.perf_counter() - started

    def finish(self) -> list[Result]:
        """Evaluate what is left at the end."""
        return list(self.recognizer.finish())

    def close_stretches(self) -> Iterator[Segment | Guess]:
        """Close what is open, after `finish`."""
        yield translation.segment(self.recognizer.close(), self.name)
        if (guess := self.recognizer.close_guess()) is not None:
            yield translation.guess(guess, self.name)

    def told(self, result: Result, seconds: float | None, delivered: float | None) -> Hop:
        """Say what a hop brought."""
        if self.listener is not None:
            self.listener(result)
        is_wanted = len(result.frames) > 0 and "spectrum" in self.wanted  # as it was not when the hop began, perhaps
        return Hop(
            label=translation.label(result.estimate, self.recognizer.told, self.name),
            change=None if result.transition is None else translation.change(result.transition, self.name),
            segment=None if result.stretch is None else translation.segment(result.stretch, self.name),
            guess=None if result.guess is None else translation.guess(result.guess, self.name),
            spectrum=translation.spectrum(result, self.name) if is_wanted else None,
            seconds=seconds,
            delivered=delivered,
        )

    def _louder(self, samples: Array) -> Array:
        return samples if self._factor == 1 else samples * self._factor
