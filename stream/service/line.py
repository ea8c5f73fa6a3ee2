"""From the audio of one source after the other to the messages that tell what is heard in it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from stream.audio.block_queue import Block
from stream.audio.converter import Converter
from stream.audio.meter import LevelMeter
from stream.audio.source import Source
from stream.protocol.messages import Level, Spectrum
from stream.recognition.mel import SAMPLE_RATE, WINDOW, Array
from stream.recognition.recognizer import Recognizer, Result
from stream.server.metrics import Metrics
from stream.server.server import Server
from stream.service.health import Condition
from stream.system import clock


class Hearing:
    """Lets a recognizer hear, and publishes what it finds.

    Inference is in a thread of its own, so that clients are served meanwhile. When it cannot keep up, hops are skipped.

    Parameters
    ----------
    recognizer : Recognizer
    server : Server
        Knows what clients want.
    publish : callable
        Tells everybody, for a change with the confidence of its hop.
    metrics : Metrics
    condition : Condition
    on_handover : callable
        Called with the seconds from audio handed over to its label written.
    """

    def __init__(
        self,
        recognizer: Recognizer,
        server: Server,
        publish: Callable[..., None],
        metrics: Metrics,
        condition: Condition,
        on_handover: Callable[[float], None],
    ) -> None:
        self._recognizer = recognizer
        self._server = server
        self._tell = publish
        self._metrics = metrics
        self._condition = condition
        self._on_handover = on_handover
        self._executor = ThreadPoolExecutor(1, "recognizer")
        self._evaluating = asyncio.Lock()  # held while the recognizer must stay as it is
        self._meter = LevelMeter()
        self._source: Source | None = None
        self._converter: Converter | None = None

    def turn_to(self, source: Source, channel: int | None) -> None:
        """Hear this source from now on; nothing happens when it is heard already.

        Raises
        ------
        ConfigError
            When it has no such channel.
        """
        if source is not self._source:
            self._converter = Converter(source.rate, source.channels, channel)
            self._source = source

    async def hear(self, block: Block, lost: int) -> None:
        """Hear a block of the source, before which some frames are missing."""
        assert self._source is not None
        assert self._converter is not None
        converter, to_ours = self._converter, SAMPLE_RATE / self._source.rate
        if lost * to_ours > WINDOW:
            converter.clear()
            self._publish(self._recognizer.lose(round(lost * to_ours)))
        elif lost:
            silence = np.zeros((lost, self._source.channels), np.float32)
            await self._take(converter(silence), round(len(block.frames) * to_ours), None)
        invalid, converter.clipped = converter.invalid, False
        samples = converter(block.frames)
        self._metrics.invalid.inc(converter.invalid - invalid)
        self._condition.inspect(samples, converter.clipped, converter.invalid > invalid)
        if self._server.wants("level"):
            end = self._recognizer.position + len(samples)
            for reading in self._meter.feed(samples, end, converter.clipped):
                self._tell(Level(reading.time, reading.rms, reading.peak, reading.clipped))
        await self._take(samples, round(block.waiting * to_ours), block.delivered)

    async def finish(self) -> None:
        """Hear the audio to its end, and close what is open."""
        assert self._source is not None
        assert self._converter is not None
        rest = self._converter(np.empty((0, self._source.channels), np.float32), last=True)
        await self._take(rest, 0, None)
        for result in self._recognizer.finish():
            self._publish(result)
        self._tell(self._recognizer.close())
        if (guess := self._recognizer.close_guess()) is not None:
            self._tell(guess)

    async def change(self, other: Recognizer) -> None:
        """Hear with the model, line-up, hop and gate of another recognizer, which has heard nothing."""
        async with self._evaluating:
            if (guess := self._recognizer.replace(other)) is not None:
                self._tell(guess)
        self._server.latest_label = None  # it has the instruments of the model before
        self._metrics.probability.clear()
        self._condition.hop_seconds.clear()

    def close(self) -> None:
        """End the thread."""
        self._executor.shutdown(cancel_futures=True)

    async def _take(self, samples: Array, waiting: int, delivered: float | None) -> None:
        """Let the recognizer hear samples; `waiting` more are known to follow at once."""
        recognizer = self._recognizer
        hop = round(recognizer.hop * SAMPLE_RATE)
        loop = asyncio.get_running_loop()
        self._metrics.audio.inc(len(samples) / SAMPLE_RATE)
        while True:
            samples = recognizer.take(samples)
            if not recognizer.due:
                return
            if len(samples) + waiting >= hop:
                # The next hop is complete already: this one would only make the label older.
                recognizer.skip()
                self._condition.dropped_hops += 1
                self._metrics.dropped_hops.inc()
                continue
            async with self._evaluating:
                started = time.perf_counter()
                result = await loop.run_in_executor(self._executor, recognizer.evaluate)
                elapsed = time.perf_counter() - started
                self._condition.hop_seconds.append(elapsed)
                self._metrics.hop_seconds.observe(elapsed)
                self._publish(result)
            if delivered is not None:
                self._on_handover(clock.now() - delivered)

    def _publish(self, result: Result) -> None:
        server, tell, metrics, label = self._server, self._tell, self._metrics, result.label
        if result.segment is not None:
            tell(result.segment)
        if result.guess is not None:
            tell(result.guess)
        if result.change is not None:
            tell(result.change, label.confidence)
            self._condition.name(label)
        tell(label)
        if len(result.frames) and server.wants("spectrum"):
            tell(Spectrum(label.time, np.round(result.frames, 1).astype(float).tolist()))
        metrics.hops.inc()
        metrics.rms.set(label.rms)
        for instrument, probability in label.probabilities.items():
            metrics.probability.labels(instrument).set(probability)
