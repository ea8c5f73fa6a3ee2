"""The running service: one source, one recognizer, one server."""

from __future__ import annotations

import asyncio
import logging
import math
import os
import secrets
import statistics
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Final, Literal

import numpy as np

from stream import __version__, bundle, clock, journal
from stream.archive import Record, before
from stream.capture import ANSWER_SECONDS, Capture
from stream.classifier import Classifier
from stream.config import Settings
from stream.conversion import Converter
from stream.errors import SourceLostError
from stream.faults import Faults
from stream.features import SAMPLE_RATE, WINDOW, Array
from stream.gate import Access
from stream.handoff import Block
from stream.journal import Journal
from stream.level import LevelMeter
from stream.messages import PROTOCOL, Hello, Outage, Spectrum, Status
from stream.metrics import Metrics
from stream.recognizer import Recognizer, Result
from stream.server import Server
from stream.site import Health
from stream.source import Source
from stream.worker import Worker

STALE_SECONDS: Final = 2.0
"""Age of the newest audio from which on the service does not count as healthy."""
_GAP_SECONDS: Final = 1.0  # of audio missing from a source that is there: from there on it is told as an outage
_WRONG_SECONDS: Final = 1.0  # by which the Unix time of the stream may be off
_STATUS_SECONDS: Final = 2.0
_PAST_SECONDS: Final = 7200.0  # that are told of what was heard before the service started
_START_SECONDS: Final = 30.0  # patience with a sound system without which there is nothing to do
_FIXED: Final = ("input", "device", "wait", "channel", "pcm", "loop", "host", "port")  # as long as the service runs
_HEARING: Final = ("hop", "gate", "instruments", "runtime", "threads")  # beside the model
_LOG: Final = ("session_log", "session_log_days", "session_log_megabytes")

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
        classifier = _classifier(settings)
        self.recognizer = _recognizer(settings, classifier)
        self.metrics = Metrics()
        access = Access.of(settings)
        self.server = Server(self.recognizer.instruments, self.metrics, self.health, lambda: self.time, access)
        self.on_handover: Callable[[float], None] = self.metrics.handover_seconds.observe
        self.on_alive: Callable[[], None] = lambda: None
        """Called whenever audio has gone through, or there is none and that is in order."""
        self.on_status: Callable[[str], None] = lambda text: None
        """Called with what the service does, in a line."""
        self._bundle = classifier.bundle
        self._evaluating = asyncio.Lock()  # held while the recognizer must stay as it is
        self._meter = LevelMeter()
        # One thread of its own, so that clients are served while an inference runs.
        self._executor = ThreadPoolExecutor(1, "recognizer")
        self._state: Literal["starting", "running", "waiting", "ended"] = "starting"
        self._message: str | None = None
        self._capture = Capture(settings, lambda: self.on_alive())
        self._faults = Faults(settings.gate, self._capture.live)
        self._warnings: list[str] = []  # of the source that runs
        self._outage: Outage | None = None  # since when the source is away, if it is
        self._heard: Source | None = None  # that of the newest audio
        self._source_name = settings.device or settings.input
        self._dropped_hops = 0
        self._hop_times: deque[float] = deque(maxlen=100)
        self._started = time.monotonic()
        self._worker = Worker("files")
        self._past: list[Record] = []  # heard before the service started, and not yet in the history
        self._heard_at: float | None = None  # when the last audio was delivered, on `stream.clock`
        self._origin: float | None = None  # stream time 0, on `stream.clock`
        self._utc: float | None = None
        self._run = secrets.token_hex(8)
        self._wrong = math.inf  # least seconds by which that was too early lately

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
        settings, capture = self.settings, self._capture
        self._write_log(settings, recall=True)
        try:
            if not capture.waits:
                await self._open(_START_SECONDS)
            self._announce()
            async with self.server.listening(settings.host, settings.port) as address, asyncio.TaskGroup() as tasks:
                if capture.waits:
                    await self._try()
                self._tell_status()
                report = tasks.create_task(self._report())
                on_listening(address)
                await self._listen()
                report.cancel()
        except ExceptionGroup as group:
            # The group's one job is to end all tasks; who runs the service wants the error.
            raise group.exceptions[0] from None
        finally:
            self._executor.shutdown(cancel_futures=True)
            self._worker.close()
            await capture.close()
            if self._journal is not None:
                self._journal.close()

    async def reload(self, settings: Settings) -> list[str]:
        """Go on with other settings, without losing a sample or a client.

        Returns
        -------
        list of str
            Names of those that change with the next start only.

        Raises
        ------
        SoloistError
            When they cannot be used; then all is as it was.
        """
        old = self.settings
        later = [name for name in _FIXED if getattr(settings, name) != getattr(old, name)]
        if (settings.certificate is None) != (old.certificate is None):
            later += ["certificate"]
            settings = replace(settings, certificate=old.certificate, key=old.key)
        settings = replace(settings, **{name: getattr(old, name) for name in later})
        access = Access.of(settings)
        classifier = await self._worker.do(_classifier, settings)  # also when the name is the same: the file may not be
        other = _recognizer(settings, classifier)
        async with self._evaluating:
            if classifier.bundle != self._bundle or any(getattr(settings, it) != getattr(old, it) for it in _HEARING):
                self._change_recognizer(other)
            self._bundle = classifier.bundle
        if settings.gate != old.gate:
            self._faults = Faults(settings.gate, self._capture.live)
        if (tls := self.server.access.tls) is not None:
            # Those who come from now on see the new certificate.
            assert settings.certificate is not None
            tls.load_cert_chain(settings.certificate, settings.key)
        self.server.admit(replace(access, tls=tls), self.recognizer.instruments)
        self.settings = settings
        if any(getattr(settings, name) != getattr(old, name) for name in _LOG):
            if self._journal is not None:
                self._journal.close()  # two may not write one file
            self._write_log(settings)
        self._announce()
        return later

    def _change_recognizer(self, other: Recognizer) -> None:
        """Hear with another model, line-up, hop or gate."""
        if (guess := self.recognizer.replace(other)) is not None:
            self.server.publish(guess)
        self.server.latest_label = None  # it has the instruments of the model before
        self.metrics.probability.clear()
        self._hop_times.clear()

    @property
    def time(self) -> float:
        """Stream time in seconds; it goes on while the source is away."""
        if self._outage is None or self._origin is None:
            return self.recognizer.time
        return max(self.recognizer.time, clock.now() - self._origin)

    def health(self) -> Health:
        """How the service is, for `/healthz`."""
        age = None if self._heard_at is None else clock.now() - self._heard_at
        reason = self._faults.still
        if self._state in ("waiting", "ended"):
            reason = self._message or f"source is {self._state}"
        elif age is None or age > STALE_SECONDS:
            reason = "no audio yet" if age is None else f"no audio for {age:.1f} s"
        status = self._status()
        return Health(
            reason,
            {
                "version": __version__,
                "model": self._bundle.name,
                "source": self._source_name,
                "source_state": self._state,
                "audio_age": None if age is None else round(age, 3),
                "overflows": status.overflows,
                "dropped_hops": status.dropped_hops,
                "session_log": None if self._journal is None else self._journal.fault or "written",
                "clients": status.clients,
                "hop_ms": round(status.hop_ms, 3),
                "uptime": round(status.uptime, 1),
            },
        )

    @property
    def _journal(self) -> Journal | None:
        return self.server.journal

    def _write_log(self, settings: Settings, recall: bool = False) -> None:
        """Write a session log from now on, if there is to be one, and perhaps recall what it holds."""
        self.server.journal = None
        if settings.session_log == "off":
            return
        path = settings.session_log or journal.default_path(os.environ)
        is_old = os.path.exists(path)  # one that is being made cannot be read yet
        log = Journal(path, settings.session_log_days, settings.session_log_megabytes * 2**20)
        self.metrics.log_events.set_function(lambda: log.written)
        self.metrics.log_missed.set_function(lambda: log.missed)
        self.server.journal = log
        if recall and is_old:
            self._recall(log)

    def _recall(self, log: Journal) -> None:
        """Read what was heard before the service started, while it starts."""

        def take(reading: asyncio.Future[list[Record]]) -> None:
            if (error := reading.exception()) is not None:
                _log.warning("session log: what was heard before cannot be read: %s", error)
            else:
                self._past = reading.result()
                self._remember()

        self._worker.do(log.recent, _PAST_SECONDS, time.time()).add_done_callback(take)

    def _remember(self) -> None:
        """Put what was heard before into the history, once it is known when this stream began."""
        if self._utc is not None:
            for event in before(self._past, self._utc):
                self.server.remember(event)
            self._past = []

    async def _open(self, patience: float) -> None:
        """Open the source, and learn its name."""
        await self._capture.open(patience)
        assert self._capture.source is not None
        self._source_name = self._capture.source.name

    async def _try(self) -> None:
        """Open a device if it is there now; if not, it will be waited for."""
        try:
            await self._open(ANSWER_SECONDS)
            self._announce()
        except SourceLostError as error:
            self._tell_source("waiting", str(error))

    async def _listen(self) -> None:
        """Hear one source after the other: a live one that is lost is opened again when it is there."""
        capture = self._capture
        converter: Converter | None = None
        while True:
            try:
                block = await capture.get()
            except SourceLostError as error:
                self._lose(str(error))
                continue
            source = capture.source
            assert source is not None
            if converter is None or source is not self._heard:
                converter = Converter(source.rate, source.channels, self.settings.channel)
            if block is None:
                break
            await self._hear(converter, block, source)
        await self._take(converter(np.empty((0, source.channels), np.float32), last=True), 0, None)
        for result in self.recognizer.finish():
            self._publish(result)
        self.server.publish(self.recognizer.close())
        if (guess := self.recognizer.close_guess()) is not None:
            self.server.publish(guess)
        self.metrics.source_up.set(0)
        self._tell_source("ended", None)

    def _lose(self, reason: str) -> None:
        """Tell that the source is away, and that what was heard last is no longer so."""
        self.server.latest_label = None
        self.metrics.source_up.set(0)
        if self._heard is not None and self._outage is None:  # of a source that was never heard nothing is missing
            self._outage = Outage(self.recognizer.time, None, self._source_name, reason)
            self.server.publish(self._outage)
        self._tell_source("waiting", reason)

    async def _hear(self, converter: Converter, block: Block, source: Source) -> None:
        """Take audio from a source that is there."""
        lost, start = block.lost, block.delivered - len(block.frames) / source.rate
        if self._origin is None:
            self._origin = start
            self._utc = time.time() - (clock.now() - start)
            self._remember()
        elif source is not self._heard:
            # Another source, or the same opened again: time went on without it.
            lost = max(0, round((start - self._origin - self.recognizer.time) * source.rate))
        self._heard_at = block.delivered
        anew = self._heard is not None and source is not self._heard
        if source is not self._heard or self._state != "running":
            self._begin(source)
        self._bridge(lost / source.rate, anew)
        await self._convert(converter, block, lost, source)
        self.on_alive()
        self._capture.judge(self._faults.still is not None)
        assert self._utc is not None
        wrong = time.time() - (clock.now() - block.delivered) - self.recognizer.time - self._utc
        self._wrong = min(self._wrong, wrong)  # audio that waited for us says less than audio that did not

    def _begin(self, source: Source) -> None:
        """Tell that a source is heard from now on."""
        if self._heard is None or source.name != self._source_name:
            self._source_name = source.name
            self._announce()
        if self._outage is not None or self._heard is None:
            self._faults = Faults(self.settings.gate, self._capture.live)
        self._heard = source
        self.metrics.source_up.set(1)
        if self._state != "running":
            self._tell_source("running", None)

    def _bridge(self, seconds: float, anew: bool) -> None:
        """Tell of the audio that is missing now, if that is an outage."""
        outage, self._outage = self._outage, None
        if outage is None and seconds >= (WINDOW / SAMPLE_RATE if anew else _GAP_SECONDS):
            reason = f"{seconds:.1f} s of audio are missing: "
            reason += "the input was opened anew" if anew else "the machine stood still, or was too busy"
            outage = Outage(self.recognizer.time, None, self._source_name, reason)
        if outage is not None:
            self.server.publish(replace(outage, end=self.recognizer.time + seconds))

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
            async with self._evaluating:
                started = time.perf_counter()
                result = await loop.run_in_executor(self._executor, recognizer.evaluate)
                elapsed = time.perf_counter() - started
                self._hop_times.append(elapsed)
                self.metrics.hop_seconds.observe(elapsed)
                self._publish(result)
            if delivered is not None:
                self.on_handover(clock.now() - delivered)

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

    def _announce(self) -> None:
        recognizer = self.recognizer
        self.server.publish(
            Hello(
                protocol=PROTOCOL,
                server=f"soloist {__version__}",
                model=self._bundle.name,
                labels=recognizer.instruments,
                lineup=recognizer.lineup,
                window=WINDOW / SAMPLE_RATE,
                hop=recognizer.hop,
                sample_rate=SAMPLE_RATE,
                source=self._source_name,
                utc=time.time() if self._utc is None else self._utc,
                run=self._run,
            )
        )

    def _tell_source(self, state: Literal["running", "waiting", "ended"], message: str | None) -> None:
        if (state, message) != (self._state, self._message) and message:
            _log.warning("%s", message)
        self._state, self._message = state, message
        self._warnings = []  # they were the source's before
        self.on_status(message or f"{state}: {self._source_name}")
        self._tell_status()

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
        fault = None if self._journal is None else self._journal.fault
        warnings = self._warnings if fault is None else [*self._warnings, fault]
        return Status(
            source=self._state,
            overflows=self._capture.overflows,
            dropped_hops=self._dropped_hops,
            clients=self.server.clients,
            hop_ms=1000 * statistics.median(self._hop_times) if self._hop_times else 0.0,
            uptime=time.monotonic() - self._started,
            message=self._message or next(iter(warnings), None),
            warnings=warnings,
        )

    def _tell_status(self) -> None:
        status = self._status()
        self.metrics.overflows.set(status.overflows)
        self.server.publish(status)

    async def _report(self) -> None:
        """Tell the status every few seconds."""
        while True:
            await asyncio.sleep(_STATUS_SECONDS)
            self._set_clock()
            self._tell_status()

    def _set_clock(self) -> None:
        """Announce another time of the beginning when the wall clock was set, or the device's runs otherwise."""
        wrong, self._wrong = self._wrong, math.inf
        if self._utc is not None and math.isfinite(wrong) and abs(wrong) > _WRONG_SECONDS:
            self._utc += wrong
            self._announce()


def _classifier(settings: Settings) -> Classifier:
    return Classifier(bundle.load(settings.model), runtime=settings.runtime, threads=settings.threads)


def _recognizer(settings: Settings, classifier: Classifier) -> Recognizer:
    return Recognizer(classifier, hop=settings.hop, lineup=settings.instruments, gate=settings.gate)
