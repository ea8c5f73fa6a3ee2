"""A line: what lies between a source and the messages about it.

Blocks of audio go in, events come out. It holds the converter, the recognizer with its ring, features, model,
smoothing and guesses, the level meter, and what is wrong with the signal. It knows nothing of devices, servers and
logs.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Collection, Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from stream.audio.block_queue import Block
from stream.audio.converter import Converter
from stream.audio.meter import LevelMeter
from stream.audio.signal_monitor import SignalMonitor
from stream.protocol.messages import Guess, Level, Segment
from stream.recognition.mel import SAMPLE_RATE, WINDOW, Array
from stream.recognition.recognizer import Recognizer
from stream.recognition.results import Result
from stream.service import translation
from stream.service.events import AudioTaken, Hop, HopSkipped

LineEvent = AudioTaken | Hop | HopSkipped | Level | Segment | Guess
"""What a line tells."""


class Line:
    """Recognizes the audio of one source after the other.

    Inference is in a thread of its own, so that everything else goes on meanwhile. When it cannot keep up, hops are
    skipped.

    Parameters
    ----------
    recognizer : Recognizer
        Which has heard nothing.
    gate : float
        RMS level in dBFS below which nothing is heard.
    live : bool
        Whether the sources are devices, which are never quite still while they work.
    """

    def __init__(self, recognizer: Recognizer, gate: float, live: bool) -> None:
        self.wanted: Collection[str] = ()
        """Of `level` and `spectrum`, which cost something, those that are to be told."""
        self._recognizer = recognizer
        self._live = live
        self._gate = gate
        self._executor = ThreadPoolExecutor(1, "recognizer")
        self._evaluating = asyncio.Lock()  # held while the recognizer must stay as it is
        self._meter = LevelMeter()
        self._converter: Converter | None = None
        self._rate = SAMPLE_RATE
        self._channels = self._heard_channels = 1
        self.examine()

    @property
    def time(self) -> float:
        """Stream time up to which there was audio, in seconds."""
        return self._recognizer.time

    @property
    def recognizer(self) -> Recognizer:
        """What recognizes; its instruments, line-up and hop are those of the line."""
        return self._recognizer

    @property
    def warnings(self) -> list[str]:
        """What somebody should mend about the signal, most urgent first."""
        return self._monitor.warnings

    @property
    def still(self) -> str | None:
        """What is to be said of a device that works and delivers only zeros; None where it does not."""
        return self._monitor.zeros_warning

    def examine(self, gate: float | None = None) -> None:
        """Look for faults in the signal that comes from now on, whatever was before; with another gate, in dBFS."""
        self._gate = self._gate if gate is None else gate
        self._monitor = SignalMonitor(self._gate, self._live, self._heard_channels)
        if self._converter is not None:
            self._converter.change_gate(self._gate)

    def connect(self, rate: int, channels: int, channel: int | None) -> None:
        """Take the audio of another source from now on.

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
        self._converter = Converter(rate, channels, channel, self._gate)
        self._rate, self._channels = rate, channels
        heard = channels if channel is None else 1
        if heard != self._heard_channels:
            self._heard_channels = heard
            self.examine()

    async def hear(self, block: Block, lost: int, anew: bool = False) -> AsyncIterator[LineEvent]:
        """Hear a block of the connected source, before which some frames are missing.

        Parameters
        ----------
        block : Block
        lost : int
            Frames that are missing.
        anew : bool
            Whether nothing that was heard before is to be part of what is heard now: it was another source.

        Yields
        ------
        LineEvent
            In the order in which they are to be told; each as soon as it is known.
        """
        assert self._converter is not None
        converter, to_ours = self._converter, SAMPLE_RATE / self._rate
        self._recognizer.with_frames = "spectrum" in self.wanted
        if anew or lost * to_ours > WINDOW:
            converter.clear()
            yield self._hop(self._recognizer.lose(round(lost * to_ours)), None, None)
        elif lost:
            async for event in self._recognize(converter.fill(lost), 0, round(len(block.frames) * to_ours), None):
                yield event
        invalid, converter.clipped = converter.invalid, False
        samples = converter(block.frames)
        invalid = converter.invalid - invalid
        self._monitor.update(*converter.take_levels(), converter.alone)
        if "level" in self.wanted:
            for reading in self._meter.feed(samples, self._recognizer.position + len(samples), converter.clipped):
                yield translation.level(reading)
        async for event in self._recognize(samples, invalid, round(block.waiting * to_ours), block.delivered):
            yield event

    async def finish(self) -> AsyncIterator[LineEvent]:
        """Hear the audio to its end, and close what is open."""
        assert self._converter is not None
        rest = self._converter(np.empty((0, self._channels), np.float32), last=True)
        async for event in self._recognize(rest, 0, 0, None):
            yield event
        async with self._evaluating:
            results = await asyncio.get_running_loop().run_in_executor(
                self._executor, lambda: list(self._recognizer.finish())
            )
        for result in results:
            yield self._hop(result, None, None)
        yield translation.segment(self._recognizer.close())
        if (guess := self._recognizer.close_guess()) is not None:
            yield translation.guess(guess)

    async def replace(self, other: Recognizer) -> Iterator[Guess]:
        """Go on with the model, line-up, hop and gate of another recognizer, which has heard nothing.

        Returns
        -------
        iterator of Guess
            What ends with this, if anything does.
        """
        async with self._evaluating:
            guess = self._recognizer.replace(other)
        return iter(() if guess is None else (translation.guess(guess),))

    def close(self) -> None:
        """End the thread."""
        self._executor.shutdown(cancel_futures=True)

    async def _recognize(
        self, samples: Array, invalid: int, waiting: int, delivered: float | None
    ) -> AsyncIterator[AudioTaken | Hop | HopSkipped]:
        """Let the recognizer hear samples; `waiting` more are known to follow at once."""
        recognizer = self._recognizer
        loop = asyncio.get_running_loop()
        yield AudioTaken(len(samples) / SAMPLE_RATE, invalid, delivered)
        hop = round(recognizer.hop * SAMPLE_RATE)
        while True:
            samples = recognizer.take(samples)
            if not recognizer.due:
                return
            if len(samples) + waiting >= hop:
                # The next hop is complete already: this one would only make the label older.
                recognizer.skip()
                yield HopSkipped()
                continue
            async with self._evaluating:
                started = time.perf_counter()
                result = await loop.run_in_executor(self._executor, recognizer.evaluate)
                seconds = time.perf_counter() - started
                event = self._hop(result, seconds, delivered)
            yield event

    def _hop(self, result: Result, seconds: float | None, delivered: float | None) -> Hop:
        """Say what a hop brought."""
        is_wanted = len(result.frames) > 0 and "spectrum" in self.wanted  # as it was not when the hop began, perhaps
        return Hop(
            label=translation.label(result.estimate, self._recognizer.told),
            change=None if result.transition is None else translation.change(result.transition),
            segment=None if result.stretch is None else translation.segment(result.stretch),
            guess=None if result.guess is None else translation.guess(result.guess),
            spectrum=translation.spectrum(result) if is_wanted else None,
            seconds=seconds,
            delivered=delivered,
        )
