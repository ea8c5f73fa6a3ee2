"""The running service: a source, a line that recognizes it, and all who take from that."""

from __future__ import annotations

import asyncio
import functools
import logging
import secrets
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from stream import __version__
from stream.audio.capture import OPEN_TIMEOUT
from stream.errors import ConfigError
from stream.protocol.messages import PROTOCOL, Hello, LineInfo, Outage, Status
from stream.recognition.classifier import Classifier
from stream.recognition.mel import SAMPLE_RATE, WINDOW
from stream.recognition.recognizer import Recognizer
from stream.recognition.taught import Head
from stream.server.access import Access
from stream.server.http import HealthReport
from stream.server.metrics import Metrics
from stream.server.server import Server
from stream.service import reload, setting_files, translation
from stream.service.arrangement import Arrangement
from stream.service.control import ServiceControl
from stream.service.events import (
    Event,
    Events,
    OfLine,
    RecognizerReplaced,
    SignalWarned,
    SourceFound,
    SourceTurned,
    StreamBegun,
)
from stream.service.health import Health
from stream.service.line import Line
from stream.service.lines import Lines, Listener
from stream.service.listening import Listening
from stream.service.metrics import ServiceMetrics
from stream.service.session_logging import SessionLogging
from stream.settings.lines import MOST, LineSettings, LinesSettings
from stream.settings.reading import Reading
from stream.settings.settings import Settings
from stream.system import memory
from stream.system.worker import Worker

if TYPE_CHECKING:
    from stream.service.recall import Past

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
    read : callable, optional
        Reads what flags, variables and the file say now; without it, they say what the settings are.

    Raises
    ------
    SoloistError
        When the model cannot be used, or the settings do not fit it.
    """

    def __init__(self, settings: Settings, read: Callable[[], Reading] | None = None) -> None:
        self.settings = settings
        self.events = Events()
        """What happens, for whoever takes it."""
        classifier = setting_files.load_classifier(settings.recognition)
        self._bundle = classifier.bundle
        self._line_settings: tuple[LineSettings, ...] = ()
        self._run = secrets.token_hex(8)
        self._started = time.time()
        self._since = 0.0  # stream time from which on it is this source, heard with this model
        self._worker = Worker("files")
        self._reloading = asyncio.Lock()
        self._taught = setting_files.load_taught(settings.recognition, classifier)
        live = settings.audio.input == "mic"
        self._recognizer = setting_files.make_recognizer(settings.recognition, classifier, self._taught)
        self._classifier = classifier
        self._lines = Lines(
            self._make_lines(settings.lines.lines) if settings.lines else [self._line(self._recognizer)],
            lambda channels: self._make_lines(_each(channels)),
        )
        self._listening = Listening(settings.audio, self._lines, self.events, self._wanted)
        self._health = Health(self._listening.source, live)
        self._health.slow_down(classifier.interpreter.slowdown_reason)
        self._session_logging = SessionLogging()
        self._control = ServiceControl(self, read)
        metrics = Metrics()
        self._metrics = ServiceMetrics(metrics.registry, self._session_logging)
        self.server = Server(
            self.recognizer.instruments,
            metrics,
            self.health,
            lambda: self.time,
            self.events.publish,  # the marks that clients set
            Access.of(settings.server),
            self._control.take,
        )
        self._past: Past | None = None
        # The server first, for its clients wait; the others can.
        for take in (self._serve, self._session_logging.take, self._health.take, self._metrics.take, self._follow):
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
        settings, listening = self.settings, self._listening
        try:
            if not listening.waits:
                await listening.open(_START_SECONDS)
            async with (
                self.server.listening(settings.server.host, settings.server.port) as address,
                asyncio.TaskGroup() as tasks,
            ):
                # Not before: if another Soloist has the port, the log is its own, and that the port is taken says all.
                beside = [tasks.create_task(self._report())]
                port = urlsplit(address).port
                if (log := self._session_logging.open(settings.session_log, settings.audio, port)) is not None:
                    beside.append(tasks.create_task(self._recall(log, port)))
                self._announce()
                if listening.waits:
                    await listening.try_open(OPEN_TIMEOUT)
                self._tell_status()
                on_listening(address)
                await listening.run()
                for task in beside:
                    task.cancel()
        except ExceptionGroup as group:
            # The group's one job is to end all tasks; who runs the service wants the error.
            raise group.exceptions[0] from None
        finally:
            self._control.close()
            self._lines.close()
            self._worker.close()
            await listening.close()
            self._session_logging.close()

    async def reload(self, settings: Settings | None = None) -> list[str]:
        """Go on with other settings, without losing a sample or a client.

        Parameters
        ----------
        settings : Settings, optional
            Without them the files that the present ones name are read anew.

        Returns
        -------
        list of str
            Names of those that change with the next start only.

        Raises
        ------
        SoloistError
            When they cannot be used; then all is as it was.
        """
        async with self._reloading:
            return await self._reload(settings or self.settings)

    async def _reload(self, settings: Settings) -> list[str]:
        old = self.settings
        settings, later = reload.changeable(old, settings)
        # Not here, for a disk may not answer; the model also when its name is the same, for the file may not be.
        access, classifier, taught = await self._worker.submit(setting_files.read, settings)
        make = functools.partial(setting_files.make_recognizer, settings.recognition, classifier, taught)
        other = make()
        lines = self._wanted_lines(settings.lines)
        others = [make(it) for it in lines] if settings.lines else [other]
        channels = max((one for line in lines for one in line.channels), default=1)
        arrangement = Arrangement(self._lines, self._line_settings, lines, others)
        if settings.audio != old.audio or lines != self._line_settings:
            await self._listening.change(settings.audio, channels)
        # From here on nothing can fail.
        is_other = classifier.bundle != self._bundle or taught != self._taught
        is_other |= reload.changes_labels(old.recognition, settings.recognition)
        self.settings, self._line_settings = settings, lines
        self._classifier, self._taught = classifier, taught
        async with self._listening.between_blocks:
            gate, channel = settings.recognition.gate, settings.audio.channel
            async for event in arrangement.carry_out(self._line, is_other, gate, channel):
                self.events.publish(event)
        # Of one sound it is that of the one line, which goes on with the other one's model.
        self._recognizer = other if settings.lines else self._lines.lines[0].recognizer
        if classifier.bundle.name != self._bundle.name:
            self._since = self._lines.time
        self._bundle = classifier.bundle
        self._control.change_model()
        self._health.slow_down(classifier.interpreter.slowdown_reason)
        self.server.change_access(access, self.recognizer.instruments)  # who comes from now on sees the new certificate
        if settings.session_log != old.session_log or settings.audio.channel != old.audio.channel:
            self._session_logging.open(settings.session_log, settings.audio)
        self._announce()
        self._control.change_settings()
        return later

    @property
    def recognizer(self) -> Recognizer:
        """What recognizes; where there are lines, one that hears nothing and has what all of them have in common."""
        return self._recognizer

    @property
    def classifier(self) -> Classifier:
        """The model that is used now."""
        return self._classifier

    @property
    def lines(self) -> Sequence[Line]:
        """What is heard one by one; one without a name where it is one sound."""
        return self._lines.lines

    @property
    def line_settings(self) -> Sequence[LineSettings]:
        """What the lines are, with those of every channel; empty where it is one sound."""
        return self._line_settings

    @property
    def source(self) -> tuple[str, int | None]:
        """Name and number of channels of what is heard; None for those where nothing is."""
        return self._listening.source, self._listening.channels

    @property
    def taught(self) -> Sequence[Head]:
        """Names that are recognized besides the model's."""
        return self._taught

    def tell_all(self, listener: Listener | None) -> None:
        """Let somebody hear all that the lines hear from now on; nobody with None."""
        self._lines.tell(listener)

    def is_wanted(self, kind: str) -> bool:
        """Whether any client subscribes to a type of message."""
        return self.server.wants(kind)

    @property
    def time(self) -> float:
        """Stream time in seconds; it goes on while the source is away."""
        return self._listening.time

    @property
    def warnings(self) -> list[str]:
        """What somebody should mend, as the status tells it now."""
        return list(self._status().warnings)

    def health(self) -> HealthReport:
        """How the service is, for `/healthz`."""
        return self._health.report(
            self._status(), model=self._bundle.name, still=self._lines.still, session_log=self._session_logging.state
        )

    def _wanted(self) -> dict[str, frozenset[str | None]]:
        """Return of which lines somebody wants the messages that cost something; None is the one in front."""
        return {kind: self.server.wanted_of(kind) for kind in ("level", "spectrum")}

    def _serve(self, event: Event) -> None:
        """Have the server tell its clients of an event, if it is one for them."""
        if isinstance(event, RecognizerReplaced) or (isinstance(event, Outage) and event.end is None):
            self.server.state.forget_labels()
        line = event.line if isinstance(event, OfLine) else None
        for message in translation.messages(event.event if isinstance(event, OfLine) else event):
            self.server.publish(message, line)

    def _follow(self, event: Event) -> None:
        """Tell what follows from an event, when everybody else has taken it."""
        match event:
            case StreamBegun():
                self._place_past()
            case SourceFound():
                self._since = self._lines.time
                self._place_past()
                self._announce()
            case SourceTurned() | SignalWarned():
                self._tell_status()
            case _:
                pass

    def _tell_status(self) -> None:
        self.events.publish(self._status())

    def _status(self) -> Status:
        return self._health.status(
            overflows=self._listening.overflows, clients=self.server.clients, log_fault=self._session_logging.fault
        )

    def _wanted_lines(self, lines: LinesSettings) -> tuple[LineSettings, ...]:
        """Return the lines that there are to be; none of one sound, nor of every channel before there is a source."""
        if not lines.each:
            return lines.lines
        if self.settings.lines.each:
            return self._line_settings
        if self._listening.channels is None:
            raise ConfigError("a line for every channel needs a source: there is none now")
        return _each(self._listening.channels)

    def _make_lines(self, lines: Sequence[LineSettings]) -> list[Line]:
        """Make lines, each with what is its own."""
        self._line_settings = tuple(lines)
        make = functools.partial(
            setting_files.make_recognizer, self.settings.recognition, self._classifier, self._taught
        )
        return [self._line(make(it), it) for it in lines]

    def _line(self, recognizer: Recognizer, line: LineSettings | None = None) -> Line:
        gate, live = self.settings.recognition.gate, self.settings.audio.input == "mic"
        if line is None:
            return Line(recognizer, gate, live)
        gate = gate if line.gate is None else line.gate
        return Line(recognizer, gate, live, name=line.name, channels=line.channels, gain=line.gain)

    def _announce(self) -> None:
        """Tell who speaks."""
        recognizer = self.recognizer
        lines = [
            LineInfo(it.name, it.channels, it.recognizer.lineup) for it in self._lines.lines if it.name is not None
        ]
        self.server.state.have_lines([it.name for it in lines])
        self.events.publish(
            Hello(
                protocol=PROTOCOL,
                server=f"soloist {__version__}",
                model=self._bundle.name,
                labels=recognizer.instruments,
                lineup=_in_any(recognizer.instruments, lines) if lines else recognizer.lineup,
                window=WINDOW / SAMPLE_RATE,
                hop=recognizer.hop,
                sample_rate=SAMPLE_RATE,
                source=self._listening.source,
                utc=self._listening.utc,
                run=self._run,
                since=self._since,
                lines=lines,
                control=self.server.access.control,
                taught=[head.name for head in self._taught],
            )
        )

    async def _report(self) -> None:
        """Tell the status every few seconds."""
        while True:
            await asyncio.sleep(_STATUS_SECONDS)
            if self._listening.correct():
                self._place_past()
                self._announce()
            self._tell_status()
            memory.release()  # of clients that have left

    async def _recall(self, log: Path, port: int | None) -> None:
        """Read from the session log what was heard before, while everything else goes on."""
        from stream.service import recall  # takes time to import, and the first start has nothing to read

        listener = recall.Listener(self._run, self.settings.audio.channel, port)
        try:
            self._past = await self._worker.submit(recall.read, log, self._started, listener)
        except Exception as error:  # whatever is in the file: it is about the past
            _log.warning("session log: what was heard before cannot be read: %s", error)
            return
        self._place_past()

    def _place_past(self) -> None:
        """Have in the history what was heard of this source before, by the Unix time of stream time 0 as it is now."""
        if self._past is None:
            return
        listening, device = self._listening, self.settings.audio.device
        if listening.found:
            self.server.recall(*self._past.messages(listening.utc, listening.source))
        elif device is not None:
            self.server.recall(*self._past.messages(listening.utc, device, part=True))


def _each(channels: int) -> tuple[LineSettings, ...]:
    """Return a line for each of so many channels, as far as there may be lines."""
    return tuple(LineSettings(str(it), (it,)) for it in range(1, channels + 1))[:MOST]


def _in_any(instruments: Sequence[str], lines: Sequence[LineInfo]) -> list[str]:
    """Return the instruments that may be named on some line."""
    return [name for name in instruments if any(name in line.lineup for line in lines)]
