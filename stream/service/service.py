"""The running service: one source, one recognizer, one server."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Callable
from typing import Final

from stream import __version__
from stream.audio.block_queue import Block
from stream.audio.capture import ANSWER_SECONDS, Capture
from stream.audio.converter import check_channel
from stream.audio.source import Source
from stream.errors import SourceLostError
from stream.protocol.messages import PROTOCOL, Hello, Message
from stream.recognition import bundle
from stream.recognition.classifier import Classifier
from stream.recognition.mel import SAMPLE_RATE, WINDOW
from stream.recognition.recognizer import Recognizer
from stream.recognition.settings import RecognitionSettings
from stream.server.access import Access
from stream.server.http import Health
from stream.server.metrics import Metrics
from stream.server.server import Server
from stream.service import reload as renewal
from stream.service.health import Condition
from stream.service.line import Hearing
from stream.service.recall import Archivist
from stream.service.timeline import Timeline
from stream.settings.settings import Settings
from stream.system import clock
from stream.system.worker import Worker

_STATUS_SECONDS: Final = 2.0
_START_SECONDS: Final = 30.0  # patience with a sound system without which there is nothing to do


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
        classifier = _classifier(settings.recognition)
        self.recognizer = _recognizer(settings.recognition, classifier)
        self.metrics = Metrics()
        access = Access.of(settings.server)
        self.server = Server(
            self.recognizer.instruments, self.metrics, self.health, lambda: self.time, self._publish, access
        )
        self.on_handover: Callable[[float], None] = self.metrics.handover_seconds.observe
        self.on_alive: Callable[[], None] = lambda: None
        """Called whenever audio has gone through, or there is none and that is in order."""
        self.on_status: Callable[[str], None] = lambda text: None
        """Called with what the service does, in a line."""
        self._bundle = classifier.bundle
        self._run = secrets.token_hex(8)
        self._worker = Worker("files")
        self._capture = Capture(settings.audio, lambda: self.on_alive())
        self._timeline = Timeline(clock.now(), _epoch())
        self._archivist = Archivist(self.server, self.metrics, self._worker, self._timeline, time.time)
        self._condition = Condition(
            settings,
            self.server,
            self._publish,
            self.metrics,
            self._capture,
            self._archivist,
            lambda text: self.on_status(text),
        )
        self._condition.slow_down(classifier.interpreter.hindrance)
        self._hearing = Hearing(
            self.recognizer,
            self.server,
            self._publish,
            self.metrics,
            self._condition,
            lambda seconds: self.on_handover(seconds),
        )
        self._heard: Source | None = None  # that of the newest audio

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
            if not capture.waits:
                await self._open(_START_SECONDS)
            async with (
                self.server.listening(settings.server.host, settings.server.port) as address,
                asyncio.TaskGroup() as tasks,
            ):
                # Not before: if another Soloist has the port, the log is its own, and that the port is taken says all.
                self._archivist.open(settings.session_log, recall=True)
                self._announce()
                if capture.waits:
                    await self._try()
                self._condition.tell()
                report = tasks.create_task(self._report())
                on_listening(address)
                await self._listen()
                report.cancel()
        except ExceptionGroup as group:
            # The group's one job is to end all tasks; who runs the service wants the error.
            raise group.exceptions[0] from None
        finally:
            self._hearing.close()
            self._worker.close()
            await capture.close()
            self._archivist.close()

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
        settings, later = renewal.possible(old, settings)
        # Not here, for a disk may not answer; the model also when its name is the same, for the file may not be.
        access, classifier = await self._worker.submit(_read, settings)
        other = _recognizer(settings.recognition, classifier)
        if classifier.bundle != self._bundle or renewal.changes_hearing(old.recognition, settings.recognition):
            await self._hearing.change(other)
        self._bundle = classifier.bundle
        self._condition.slow_down(classifier.interpreter.hindrance)
        if settings.recognition.gate != old.recognition.gate:
            self._condition.examine(settings.recognition.gate)
        self.server.admit(access, self.recognizer.instruments)  # who comes from now on sees the new certificate
        self.settings = settings
        if settings.session_log != old.session_log:
            self._archivist.open(settings.session_log)
        self._announce()
        return later

    @property
    def time(self) -> float:
        """Stream time in seconds; it goes on while the source is away."""
        return self._timeline.at(clock.now(), self.recognizer.time)

    def health(self) -> Health:
        """How the service is, for `/healthz`."""
        return self._condition.health(self._bundle.name)

    def _publish(self, message: Message, confidence: float = 0.0) -> None:
        """Tell everybody; for a change with the confidence of its hop."""
        self._archivist.add(message)
        self.server.publish(message, confidence)

    async def _open(self, patience: float) -> None:
        """Open the source, see whether it has our channel, and learn its name."""
        await self._capture.open(patience)
        source = self._capture.source
        assert source is not None
        check_channel(self.settings.audio.channel, source.channels)
        self._condition.source = source.name

    async def _try(self) -> None:
        """Open a device if it is there now; if not, it will be waited for."""
        try:
            await self._open(ANSWER_SECONDS)
            self._announce()
        except SourceLostError as error:
            self._condition.turn("waiting", str(error))

    async def _listen(self) -> None:
        """Hear one source after the other: a live one that is lost is opened again when it is there."""
        while True:
            try:
                block = await self._capture.get()
            except SourceLostError as error:
                self._lose(str(error))
                continue
            source = self._capture.source
            assert source is not None
            self._hearing.turn_to(source, self.settings.audio.channel)
            if block is None:
                break
            await self._hear(block, source)
        await self._hearing.finish()
        self._condition.turn("ended", f"{self._condition.source} has ended after {self.recognizer.time:.1f} s")

    def _lose(self, reason: str) -> None:
        """Tell that the source is away, and that what was heard last is no longer so."""
        self.server.latest_label = None
        if (outage := self._timeline.lose(self.recognizer.time, self._condition.source, reason)) is not None:
            self._publish(outage)
        self._condition.turn("waiting", reason)

    async def _hear(self, block: Block, source: Source) -> None:
        """Take audio from a source that is there."""
        timeline, condition, lost = self._timeline, self._condition, block.lost
        start = block.delivered - len(block.frames) / source.rate
        anew = self._heard is not None and source is not self._heard
        if not timeline.begun:
            timeline.begin(start, _epoch())
            self._archivist.place()
        elif anew:
            # Time went on without it.
            lost = round(timeline.missing(start, self.recognizer.time) * source.rate)
        condition.heard_at = block.delivered
        if source is not self._heard or condition.state != "running":
            self._begin(source)
        outage = timeline.bridge(self.recognizer.time, lost / source.rate, condition.source, anew)
        if outage is not None:
            self._publish(outage)
        condition.go_on(lost / source.rate, outage)
        await self._hearing.hear(block, lost)
        self.on_alive()
        self._capture.judge(condition.still)
        timeline.compare(block.delivered, self.recognizer.time, _epoch())

    def _begin(self, source: Source) -> None:
        """Tell that a source is heard from now on."""
        if self._heard is None or source.name != self._condition.source:
            self._condition.source = source.name
            self._announce()
        if self._heard is None or self._timeline.outage is not None:
            self._condition.examine(self.settings.recognition.gate)
        self._heard = source
        if self._condition.state != "running":
            self._condition.turn("running")

    def _announce(self) -> None:
        """Tell who speaks."""
        recognizer = self.recognizer
        self._publish(
            Hello(
                protocol=PROTOCOL,
                server=f"soloist {__version__}",
                model=self._bundle.name,
                labels=recognizer.instruments,
                lineup=recognizer.lineup,
                window=WINDOW / SAMPLE_RATE,
                hop=recognizer.hop,
                sample_rate=SAMPLE_RATE,
                source=self._condition.source,
                utc=self._timeline.utc,
                run=self._run,
            )
        )

    async def _report(self) -> None:
        """Tell the status every few seconds."""
        while True:
            await asyncio.sleep(_STATUS_SECONDS)
            if self._timeline.correct(_epoch()):
                self._archivist.place()
                self._announce()
            self._condition.tell()


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
