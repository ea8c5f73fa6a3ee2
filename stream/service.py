"""The running service: one source, one recognizer, one server."""

from __future__ import annotations

import asyncio
import itertools
import logging
import statistics
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Final, Literal

import numpy as np

from stream import __version__, bundle, microphone
from stream.classifier import Classifier
from stream.config import Settings
from stream.conversion import Converter
from stream.errors import SourceLostError
from stream.faults import Faults
from stream.features import SAMPLE_RATE, WINDOW, Array
from stream.gate import Access
from stream.handoff import Block
from stream.level import LevelMeter
from stream.messages import PROTOCOL, Hello, Outage, Spectrum, Status
from stream.metrics import Metrics
from stream.recognizer import Recognizer, Result
from stream.server import Server
from stream.site import Health
from stream.source import Source, open_source

PATIENCE: Final = 5.0
"""Seconds without audio after which a live source is taken for lost. An idle virtual one may need two to begin."""
_RETRY_SECONDS: Final = (0.5, 1.0, 2.0, 4.0, 8.0)
_STATUS_SECONDS: Final = 2.0

_log = logging.getLogger(__name__)


class Service:
    """What `soloist run` runs.

    Parameters
    ----------
    settings : Settings

    Raises
    ------
    SoloistError
        When the model cannot be used, or the settings do not fit it.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        classifier = Classifier(bundle.load(settings.model), runtime=settings.runtime, threads=settings.threads)
        self.recognizer = Recognizer(classifier, hop=settings.hop, lineup=settings.instruments, gate=settings.gate)
        self.metrics = Metrics()
        access = Access.of(settings)
        self.server = Server(self.recognizer.instruments, self.metrics, self.health, lambda: self.time, access)
        self.on_handover: Callable[[float], None] = self.metrics.handover_seconds.observe
        self.on_alive: Callable[[], None] = lambda: None
        """Called whenever audio has gone through, or there is none and that is in order."""
        self.on_status: Callable[[str], None] = lambda text: None
        """Called with what the service does, in a line."""
        self._model = classifier.bundle.name
        self._meter = LevelMeter()
        # One thread of its own, so that clients are served while an inference runs.
        self._executor = ThreadPoolExecutor(1, "recognizer")
        self._state: Literal["starting", "running", "waiting", "ended"] = "starting"
        self._message: str | None = None
        self._faults = Faults(settings.gate, self._is_live)
        self._warnings: list[str] = []  # of the source that runs
        self._outage: Outage | None = None  # since when the source is away, if it is
        self._source: Source | None = None
        self._source_name = settings.device or settings.input
        self._past_overflows = 0  # of sources that were closed
        self._dropped_hops = 0
        self._hop_times: deque[float] = deque(maxlen=100)
        self._started = time.monotonic()
        self._heard_at: float | None = None  # when the last audio was delivered, on time.monotonic
        self._utc: float | None = None

    async def run(self, on_listening: Callable[[str], None]) -> None:
        """Serve until the audio ends, or for ever.

        Parameters
        ----------
        on_listening : callable
            Called with the dashboard's address once everything runs.

        Raises
        ------
        SoloistError
            When the source cannot be opened and is not to be waited for, or when one cannot listen on the port.
        """
        settings = self.settings
        source = None if self._may_wait else open_source(settings)
        self._announce()
        try:
            async with self.server.listening(settings.host, settings.port) as address, asyncio.TaskGroup() as tasks:
                if source is None:
                    source = self._open_or_none()
                self._tell_status()
                report = tasks.create_task(self._report())
                on_listening(address)
                await self._listen(source)
                report.cancel()
        except ExceptionGroup as group:
            # The group's one job is to end all tasks; who runs the service wants the error.
            raise group.exceptions[0] from None
        finally:
            self._executor.shutdown(cancel_futures=True)

    @property
    def time(self) -> float:
        """Stream time in seconds; it goes on while the source is away."""
        if self._outage is None or self._heard_at is None:
            return self.recognizer.time
        return self.recognizer.time + time.monotonic() - self._heard_at

    @property
    def _is_live(self) -> bool:
        return self.settings.input == "mic"

    @property
    def _may_wait(self) -> bool:
        return self._is_live and (self.settings.wait or self.settings.device is not None)

    def health(self) -> Health:
        """How the service is, for `/healthz`."""
        age = None if self._heard_at is None else time.monotonic() - self._heard_at
        reason = None
        if self._state in ("waiting", "ended"):
            reason = self._message or f"source is {self._state}"
        elif age is None or age > PATIENCE:
            reason = "no audio yet" if age is None else f"no audio for {age:.1f} s"
        status = self._status()
        return Health(
            reason,
            {
                "version": __version__,
                "model": self._model,
                "source": self._source_name,
                "source_state": self._state,
                "audio_age": None if age is None else round(age, 3),
                "overflows": status.overflows,
                "dropped_hops": status.dropped_hops,
                "clients": status.clients,
                "hop_ms": round(status.hop_ms, 3),
                "uptime": round(status.uptime, 1),
            },
        )

    async def _listen(self, source: Source | None) -> None:
        """Hear one source after the other: a live one that is lost is opened again when it is there."""
        while True:
            if source is None:
                source = await self._wait()
            self._source = source
            try:
                await self._hear(source)
                break
            except SourceLostError as error:
                self.server.latest_label = None  # what was heard last is no longer so
                self._tell_outage(source.name, str(error))
                self._tell_source("waiting", str(error))
            finally:
                self._source = None
                self._past_overflows += source.handoff.overflows
                self.metrics.source_up.set(0)
                source.close()
            source = None
        for result in self.recognizer.finish():
            self._publish(result)
        self.server.publish(self.recognizer.close())
        if (guess := self.recognizer.close_guess()) is not None:
            self.server.publish(guess)
        self._tell_source("ended", None)

    async def _hear(self, source: Source) -> None:
        """Take audio from a source until it ends."""
        converter = Converter(source.rate, source.channels, self.settings.channel)
        if source.name != self._source_name:
            self._source_name = source.name
            self._announce()
        self._faults = Faults(self.settings.gate, self._is_live)
        self._tell_source("running", None)
        self.metrics.source_up.set(1)
        heard_at = self._heard_at
        while True:
            try:
                async with asyncio.timeout(PATIENCE):
                    block = await source.handoff.get()
            except TimeoutError:
                if self._is_live:
                    raise SourceLostError(f"input {source.name!r} delivers nothing") from None
                self.on_alive()  # who feeds standard input may pause
                continue
            if block is None:
                await self._take(converter(np.empty((0, source.channels), np.float32), last=True), 0, None)
                return
            if self._utc is None:
                age = time.monotonic() - block.delivered + len(block.frames) / source.rate
                self._utc = time.time() - age
                self._announce()
            lost = block.lost
            if heard_at is not None:
                # The source was away: time went on without it.
                lost += max(0, round((block.delivered - heard_at) * source.rate) - len(block.frames))
                heard_at = None
            if self._outage is not None:
                end = self.recognizer.time + lost / source.rate
                self.server.publish(replace(self._outage, end=end))
                self._outage = None
            await self._convert(converter, block, lost, source)
            self._heard_at = block.delivered
            self.on_alive()

    async def _convert(self, converter: Converter, block: Block, lost: int, source: Source) -> None:
        to_ours = SAMPLE_RATE / source.rate
        if lost * to_ours > WINDOW:
            converter.clear()
            self._publish(self.recognizer.lose(round(lost * to_ours)))
        elif lost:
            silence = np.zeros((lost, source.channels), np.float32)
            await self._take(converter(silence), round(len(block.frames) * to_ours), None)
        invalid, converter.clipped = converter.invalid, False
        samples = converter(block.frames)
        self.metrics.invalid.inc(converter.invalid - invalid)
        self._faults.hear(samples, converter.clipped, converter.invalid > invalid)
        self._tell_warnings()
        if self.server.wants("level"):
            end = self.recognizer.position + len(samples)
            for level in self._meter.feed(samples, end, converter.clipped):
                self.server.publish(level)
        await self._take(samples, round(block.waiting * to_ours), block.delivered)

    async def _take(self, samples: Array, waiting: int, delivered: float | None) -> None:
        """Let the recognizer hear samples; `waiting` more are known to follow at once."""
        recognizer = self.recognizer
        hop = round(recognizer.hop * SAMPLE_RATE)
        loop = asyncio.get_running_loop()
        self.metrics.audio.inc(len(samples) / SAMPLE_RATE)
        while True:
            samples = recognizer.take(samples)
            if not recognizer.due:
                return
            if len(samples) + waiting >= hop:
                # The next hop is complete already: this one would only make the label older.
                recognizer.skip()
                self._dropped_hops += 1
                self.metrics.dropped_hops.inc()
                continue
            started = time.perf_counter()
            result = await loop.run_in_executor(self._executor, recognizer.evaluate)
            elapsed = time.perf_counter() - started
            self._hop_times.append(elapsed)
            self.metrics.hop_seconds.observe(elapsed)
            self._publish(result)
            if delivered is not None:
                self.on_handover(time.monotonic() - delivered)

    def _publish(self, result: Result) -> None:
        label = result.label
        if result.segment is not None:
            self.server.publish(result.segment)
        if result.guess is not None:
            self.server.publish(result.guess)
        if result.change is not None:
            self.server.publish(result.change, label.confidence)
            _log.info("%.2f s: %s", label.time, label.label or label.state)
            self.on_status(f"hears {label.label or label.state} from {self._source_name}")
        self.server.publish(label)
        if len(result.frames) and self.server.wants("spectrum"):
            self.server.publish(Spectrum(label.time, np.round(result.frames, 1).astype(float).tolist()))
        self.metrics.hops.inc()
        self.metrics.rms.set(label.rms)
        for instrument, probability in label.probabilities.items():
            self.metrics.probability.labels(instrument).set(probability)

    def _open_or_none(self) -> Source | None:
        """Open the source if it is there now; if not, it will be waited for."""
        try:
            return open_source(self.settings)
        except SourceLostError as error:
            self._tell_source("waiting", str(error))
            return None

    async def _wait(self) -> Source:
        """Try to open the source, less and less often, until it is there."""
        for seconds in itertools.chain(_RETRY_SECONDS, itertools.repeat(_RETRY_SECONDS[-1])):
            await asyncio.sleep(seconds)
            self.on_alive()
            microphone.refresh()
            if (source := self._open_or_none()) is not None:
                return source
        raise AssertionError("the retries have no end")

    def _announce(self) -> None:
        recognizer = self.recognizer
        self.server.publish(
            Hello(
                protocol=PROTOCOL,
                server=f"soloist {__version__}",
                model=self._model,
                labels=recognizer.instruments,
                lineup=recognizer.lineup,
                window=WINDOW / SAMPLE_RATE,
                hop=recognizer.hop,
                sample_rate=SAMPLE_RATE,
                source=self._source_name,
                utc=time.time() if self._utc is None else self._utc,
            )
        )

    def _tell_source(self, state: Literal["running", "waiting", "ended"], message: str | None) -> None:
        if (state, message) != (self._state, self._message) and message:
            _log.warning("%s", message)
        self._state, self._message = state, message
        self._warnings = []  # they were the source's before
        self.on_status(message or f"{state}: {self._source_name}")
        self._tell_status()

    def _tell_outage(self, name: str, reason: str) -> None:
        """Tell that the source is away, if there was any audio yet and this is not told already."""
        if self._heard_at is not None and self._outage is None:
            self._outage = Outage(self.recognizer.time, None, name, reason)
            self.server.publish(self._outage)

    def _tell_warnings(self) -> None:
        """Tell everybody, when it changes, what should be mended about the input."""
        told = self._faults.warnings
        if told == self._warnings:
            return
        for text in told:
            if text not in self._warnings:
                _log.warning("%s", text)
        self._warnings = told
        self._tell_status()

    def _status(self) -> Status:
        running = self._source
        return Status(
            source=self._state,
            overflows=self._past_overflows + (0 if running is None else running.handoff.overflows),
            dropped_hops=self._dropped_hops,
            clients=self.server.clients,
            hop_ms=1000 * statistics.median(self._hop_times) if self._hop_times else 0.0,
            uptime=time.monotonic() - self._started,
            message=self._message or next(iter(self._warnings), None),
            warnings=self._warnings,
        )

    def _tell_status(self) -> None:
        status = self._status()
        self.metrics.overflows.set(status.overflows)
        self.server.publish(status)

    async def _report(self) -> None:
        """Tell the status every few seconds."""
        while True:
            await asyncio.sleep(_STATUS_SECONDS)
            self._tell_status()
