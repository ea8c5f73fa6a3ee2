"""The running service: a source, a line that recognizes it, and all who take from that."""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from stream import __version__
from stream.audio.block_queue import Block
from stream.audio.capture import OPEN_TIMEOUT, Capture
from stream.audio.converter import check_channel
from stream.audio.source import Source
from stream.errors import SourceLostError
from stream.protocol.messages import PROTOCOL, Hello, Outage, Status
from stream.recognition import bundle
from stream.recognition.classifier import Classifier
from stream.recognition.mel import SAMPLE_RATE, WINDOW
from stream.recognition.recognizer import Recognizer
from stream.recognition.settings import RecognitionSettings
from stream.server.access import Access
from stream.server.http import Health as HealthReport
from stream.server.metrics import Metrics
from stream.server.server import Server
from stream.service import recall, reload, translation
from stream.service.events import Activity, Alive, Event, Events, Hop, LabelDelivered, RecognizerReplaced
from stream.service.health import Health, SourceState
from stream.service.line import Line
from stream.service.metrics import ServiceMetrics
from stream.service.session_logging import SessionLogging
from stream.service.timeline import Timeline
from stream.session_log.reader import Record
from stream.settings.settings import Settings
from stream.system import clock
from stream.system.worker import Worker

_STATUS_SECONDS: Final = 2.0
_START_SECONDS: Final = 30.0  # patience with a sound system without which there is nothing to do

_log = logging.getLogger(__name__)


class Service:
    """What `soloist run` runs.

    It leads audio from the source through the line, and publishes what that tells. Everybody else - server, session
    log, metrics, health, systemd - takes events and knows nothing of the others.

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
        self.events = Events()
        """What happens, for whoever takes it."""
        classifier = _classifier(settings.recognition)
        self._bundle = classifier.bundle
        self._run = secrets.token_hex(8)
        self._started = time.time()
        self._worker = Worker("files")
        self._capture = Capture(settings.audio, lambda: self.events.publish(Alive()))
        self._timeline = Timeline(clock.now(), _epoch())
        recognizer = _recognizer(settings.recognition, classifier)
        self._line = Line(recognizer, settings.recognition.gate, self._capture.is_live)
        self._health = Health(settings.audio.device or settings.audio.input, self._capture.is_live)
        self._health.slow_down(classifier.interpreter.hindrance)
        self._session_logging = SessionLogging()
        metrics = Metrics()
        self._metrics = ServiceMetrics(metrics.registry, self._session_logging)
        self.server = Server(
            self.recognizer.instruments,
            metrics,
            self.health,
            lambda: self.time,
            self.events.publish,  # the marks that clients set
            Access.of(settings.server),
        )
        self._past: list[Record] = []  # heard before the service started
        self._heard: Source | None = None  # that of the newest audio
        # The server first, for its clients wait; the others can.
        for take in (self._serve, self._session_logging.take, self._health.take, self._metrics.take):
            self.events.add(take)

    async def run(self, on_listening: Callable[[str], None]) -> None:
        """Serve until the audio ends, or for ever.

        Parameters
        ----------
        on_listening : callable
            Called with the dashboard's address once everything runs.

        Raises
        ------
        SoloistError
            When the source cannot be opened and is not to be waited for, or lacks the channel, or when one cannot
            listen on the port.
        """
        settings, capture = self.settings, self._capture
        try:
            if not capture.waits_for_device:
                await self._open(_START_SECONDS)
            async with (
                self.server.listening(settings.server.host, settings.server.port) as address,
                asyncio.TaskGroup() as tasks,
            ):
                # Not before: if another Soloist has the port, the log is its own, and that the port is taken says all.
                beside = [tasks.create_task(self._report())]
                if (log := self._session_logging.open(settings.session_log)) is not None:
                    beside.append(tasks.create_task(self._recall(log)))
                self._announce()
                if capture.waits_for_device:
                    await self._try()
                self._tell_status()
                on_listening(address)
                await self._listen()
                for task in beside:
                    task.cancel()
        except ExceptionGroup as group:
            # The group's one job is to end all tasks; who runs the service wants the error.
            raise group.exceptions[0] from None
        finally:
            self._line.close()
            self._worker.close()
            await capture.close()
            self._session_logging.close()

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
        settings, later = reload.possible(old, settings)
        # Not here, for a disk may not answer; the model also when its name is the same, for the file may not be.
        access, classifier = await self._worker.submit(_read, settings)
        other = _recognizer(settings.recognition, classifier)
        if classifier.bundle != self._bundle or reload.changes_hearing(old.recognition, settings.recognition):
            for guess in await self._line.replace(other):
                self.events.publish(guess)
            self.events.publish(RecognizerReplaced())
        self._bundle = classifier.bundle
        self._health.slow_down(classifier.interpreter.hindrance)
        if settings.recognition.gate != old.recognition.gate:
            self._line.examine(settings.recognition.gate)
        self.server.admit(access, self.recognizer.instruments)  # who comes from now on sees the new certificate
        self.settings = settings
        if settings.session_log != old.session_log:
            self._session_logging.open(settings.session_log)
        self._announce()
        return later

    @property
    def recognizer(self) -> Recognizer:
        """What recognizes the line."""
        return self._line.recognizer

    @property
    def time(self) -> float:
        """Stream time in seconds; it goes on while the source is away."""
        return self._timeline.at(clock.now(), self._line.time)

    @property
    def warnings(self) -> list[str]:
        """What somebody should mend, as the status tells it now."""
        return list(self._status().warnings)

    def health(self) -> HealthReport:
        """How the service is, for `/healthz`."""
        return self._health.report(
            self._status(), model=self._bundle.name, still=self._line.still, session_log=self._session_logging.state
        )

    async def _open(self, patience: float) -> None:
        """Open the source, see whether it has our channel, and learn its name."""
        await self._capture.open(patience)
        source = self._capture.source
        assert source is not None
        check_channel(self.settings.audio.channel, source.channels)
        self._health.source = source.name

    async def _try(self) -> None:
        """Open a device if it is there now; if not, it will be waited for."""
        try:
            await self._open(OPEN_TIMEOUT)
            self._announce()
        except SourceLostError as error:
            self._turn("waiting", str(error))

    async def _listen(self) -> None:
        """Hear one source after the other: a live one that is lost is opened again when it is there."""
        connected: Source | None = None
        while True:
            try:
                block = await self._capture.get()
            except SourceLostError as error:
                self._lose(str(error))
                continue
            source = self._capture.source
            assert source is not None
            if source is not connected:
                self._line.connect(source.rate, source.channels, self.settings.audio.channel)
                connected = source
            if block is None:
                break
            await self._hear(block, source)
        async for event in self._line.finish():
            self._publish(event)
        self._turn("ended", f"{self._health.source} has ended after {self._line.time:.1f} s")

    def _lose(self, reason: str) -> None:
        """Tell that the source is away, and that what was heard last is no longer so."""
        if (outage := self._timeline.lose(self._line.time, self._health.source, reason)) is not None:
            self.events.publish(outage)
        self._turn("waiting", reason)

    async def _hear(self, block: Block, source: Source) -> None:
        """Take audio from a source that is there."""
        timeline, health, line, lost = self._timeline, self._health, self._line, block.lost
        start = block.delivered - len(block.frames) / source.rate
        anew = self._heard is not None and source is not self._heard
        if not timeline.begun:
            timeline.begin(start, _epoch())
            self._place_past()
        elif anew:
            # Time went on without it.
            lost = round(timeline.missing(start, line.time) * source.rate)
        health.heard_at = block.delivered
        if source is not self._heard or health.state != "running":
            self._begin(source)
        outage = timeline.bridge(line.time, lost / source.rate, health.source, anew)
        if outage is not None:
            self.events.publish(outage)
        health.resume(lost / source.rate, outage)
        line.wanted = [kind for kind in ("level", "spectrum") if self.server.wants(kind)]
        async for event in line.hear(block, lost):
            self._publish(event)
        if health.warn(line.warnings):
            self._tell_status()
        self.events.publish(Alive())
        self._capture.note_zeros(line.still is not None)
        timeline.compare(block.delivered, line.time, _epoch())

    def _begin(self, source: Source) -> None:
        """Tell that a source is heard from now on."""
        if self._heard is None or source.name != self._health.source:
            self._health.source = source.name
            self._announce()
        if self._heard is None or self._timeline.outage is not None:
            self._line.examine(self.settings.recognition.gate)
        self._heard = source
        if self._health.state != "running":
            self._turn("running")

    def _publish(self, event: Event) -> None:
        """Publish what the line tells, and how long its audio was on the way."""
        self.events.publish(event)
        if isinstance(event, Hop):
            if event.change is not None:
                label = event.label
                self.events.publish(Activity(f"hears {label.label or label.state} from {self._health.source}"))
            if event.delivered is not None:
                self.events.publish(LabelDelivered(clock.now() - event.delivered))

    def _serve(self, event: Event) -> None:
        """Have the server tell its clients of an event, if it is one for them."""
        if isinstance(event, RecognizerReplaced) or (isinstance(event, Outage) and event.end is None):
            self.server.latest_label = None  # it says nothing about what is heard now
        for message, confidence in translation.messages(event):
            self.server.publish(message, confidence)

    def _turn(self, state: SourceState, message: str | None = None) -> None:
        """Tell how the source is from now on, and what should be done about that, if anything."""
        self._health.turn(state, message)
        self.events.publish(Activity(message or f"{state}: {self._health.source}"))
        self._tell_status()

    def _tell_status(self) -> None:
        self.events.publish(self._status())

    def _status(self) -> Status:
        return self._health.status(
            overflows=self._capture.overflows, clients=self.server.clients, log_fault=self._session_logging.fault
        )

    def _announce(self) -> None:
        """Tell who speaks."""
        recognizer = self.recognizer
        self.events.publish(
            Hello(
                protocol=PROTOCOL,
                server=f"soloist {__version__}",
                model=self._bundle.name,
                labels=recognizer.instruments,
                lineup=recognizer.lineup,
                window=WINDOW / SAMPLE_RATE,
                hop=recognizer.hop,
                sample_rate=SAMPLE_RATE,
                source=self._health.source,
                utc=self._timeline.utc,
                run=self._run,
            )
        )

    async def _report(self) -> None:
        """Tell the status every few seconds."""
        while True:
            await asyncio.sleep(_STATUS_SECONDS)
            if self._timeline.correct(_epoch()):
                self._place_past()
                self._announce()
            self._tell_status()

    async def _recall(self, log: Path) -> None:
        """Read from the session log what was heard before, while everything else goes on."""
        try:
            records = await self._worker.submit(recall.read, log, self._started)
        except Exception as error:  # whatever is in the file: it is about the past
            _log.warning("session log: what was heard before cannot be read: %s", error)
            return
        now = time.time()
        # What this run has written while the log was read is in the history anyway.
        self._past = [it for it in records if not self._started <= it.start <= now]
        self._place_past()

    def _place_past(self) -> None:
        """Have what was heard before in the history, by the Unix time of stream time 0 as it is known now."""
        self.server.recall(recall.lately(self._past, self._timeline.utc))


def _read(settings: Settings) -> tuple[Access, Classifier]:
    """Read the files that settings name."""
    return Access.of(settings.server), _classifier(settings.recognition)


def _classifier(settings: RecognitionSettings) -> Classifier:
    return Classifier(bundle.load(settings.model), runtime=settings.runtime, threads=settings.threads)


def _recognizer(settings: RecognitionSettings, classifier: Classifier) -> Recognizer:
    return Recognizer(classifier, hop=settings.hop, lineup=settings.instruments, gate=settings.gate)


def _epoch() -> float:
    """Unix time at which `stream.system.clock` was 0, by the wall clock as it is now."""
    return time.time() - clock.now()
