"""From the source through the line to events: what is listened to, in the time of the stream."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Collection, Mapping

from stream.audio.block_queue import Block
from stream.audio.capture import Capture
from stream.audio.converter import check_channel
from stream.audio.settings import AudioSettings
from stream.audio.source import Source
from stream.errors import SourceLostError
from stream.service.events import (
    Activity,
    Alive,
    AudioResumed,
    Event,
    Events,
    Hop,
    LabelDelivered,
    SignalWarned,
    SourceFound,
    SourceState,
    SourceTurned,
    StreamBegun,
)
from stream.service.lines import Lines
from stream.service.timeline import Timeline
from stream.system import clock
from stream.system.files import is_pipe
from stream.system.names import in_one_form


class Listening:
    """Hears one source after the other, for as long as the service runs, and publishes what happens.

    Parameters
    ----------
    settings : AudioSettings
    lines : Lines
        They recognize.
    events : Events
        Where everything is told.
    wanted : callable
        Returns of which lines somebody wants `level` and `spectrum` now, as for `Lines.want`.
    """

    def __init__(
        self,
        settings: AudioSettings,
        lines: Lines,
        events: Events,
        wanted: Callable[[], Mapping[str, Collection[str | None]]],
    ) -> None:
        self._channel = settings.channel
        self.between_blocks = asyncio.Lock()
        """Held while a block is heard: who holds it may change the lines."""
        self._knows_channels = not is_pipe(settings.input)  # what comes through one may be a file with others
        self._lines = lines
        self._events = events
        self._wanted = wanted
        self._capture = Capture(settings, lambda: events.publish(Alive()), lines.channels)
        self._timeline = Timeline(clock.now(), _epoch())
        self._name = settings.device or settings.input
        self._found = False
        self._state: SourceState = "starting"
        self._heard: Source | None = None  # that of the newest audio
        self._is_missed = False  # whether the source was told to be away, and not yet that it is back
        self._warnings: tuple[str, ...] = ()  # of the source that runs
        self._is_chosen = False  # whether the next source was chosen by somebody: nothing of the one before is in it

    @property
    def source(self) -> str:
        """Name of what is heard, or waited for."""
        return self._name

    @property
    def found(self) -> bool:
        """Whether the source was there, so that its name is known."""
        return self._found

    @property
    def waits(self) -> bool:
        """Whether a device that is not there at the start is waited for."""
        return self._capture.waits_for_device

    @property
    def overflows(self) -> int:
        """Times that captured audio was lost."""
        return self._capture.overflows

    @property
    def time(self) -> float:
        """Stream time in seconds; it goes on while the source is away."""
        return self._timeline.at(clock.now(), self._lines.time)

    @property
    def utc(self) -> float:
        """Unix time of stream time 0, in seconds, as it is known now."""
        return self._timeline.utc

    def correct(self) -> bool:
        """Take another Unix time for stream time 0 when the wall clock was set; return whether that is so."""
        return self._timeline.correct(_epoch())

    async def open(self, patience: float) -> None:
        """Open the source, see whether it has our channel, and learn its name.

        Parameters
        ----------
        patience : float
            With the sound system, in seconds.

        Raises
        ------
        SourceLostError
            When a device is not there now, or the sound system does not answer.
        SourceError
            When a file or standard input cannot be read.
        ConfigError
            When the source has no such channel.
        """
        await self._capture.open(patience)
        source = self._capture.source
        assert source is not None
        if self._knows_channels:
            check_channel(self._channel, source.channels)
        self._find(in_one_form(source.name))

    @property
    def channels(self) -> int | None:
        """How many channels the source has; None while there is none."""
        return None if self._capture.source is None else self._capture.source.channels

    async def change(self, settings: AudioSettings, channels: int) -> None:
        """Hear another device, or another channel of the source, from now on.

        The lines have to be told of another channel of the same source by who calls this.

        Parameters
        ----------
        settings : AudioSettings
            With another `device` or `channel`.
        channels : int
            How many are to be heard, where a device has as many.

        Raises
        ------
        SourceLostError
            When the device cannot be opened; what was heard before goes on.
        ConfigError
            When the source has no such channel.
        """
        if self._capture.is_another(settings, channels):
            self._is_chosen = await self._capture.change(settings, channels) or self._is_chosen
        elif self.channels is not None and self._knows_channels:
            check_channel(settings.channel, self.channels)
        self._channel = settings.channel

    async def try_open(self, patience: float) -> None:
        """Open a device if it is there now; if not, it will be waited for."""
        try:
            await self.open(patience)
        except SourceLostError as error:
            self._turn("waiting", str(error))

    async def run(self) -> None:
        """Hear until the audio ends: a device that is lost is opened again when it is there."""
        connected: Source | None = None
        while True:
            try:
                block = await self._capture.get()
            except SourceLostError as error:
                self._lose(str(error))
                continue
            source = self._capture.source
            assert source is not None
            async with self.between_blocks:
                if source is not connected:
                    self._lines.connect(source.rate, source.channels, self._channel)
                    connected = source
                if block is None:
                    break
                await self._hear(block, source)
        async with self.between_blocks:
            async for event in self._lines.finish():
                self._publish(event)
        self._turn("ended", f"{self._name} has ended after {self._lines.time:.1f} s")

    async def close(self) -> None:
        """Give the source back, if the sound system lets us do that soon."""
        await self._capture.close()

    async def _hear(self, block: Block, source: Source) -> None:
        """Take audio from a source that is there."""
        timeline, lines, lost = self._timeline, self._lines, block.lost
        start = block.delivered - len(block.frames) / source.rate
        is_another = self._heard is not None and source is not self._heard
        is_renamed = is_another and (self._is_chosen or in_one_form(source.name) != self._name)
        if is_another:
            self._is_chosen = False
        if not timeline.begun:
            timeline.begin(start, _epoch())
            self._events.publish(StreamBegun())
        elif is_another:
            # Time went on without it.
            lost = round(timeline.missing(start, lines.time) * source.rate)
        if source is not self._heard or self._state != "running":
            self._begin(source)
        missing = lost / source.rate
        outage = timeline.bridge(lines.time, missing, self._name, is_another)
        if outage is not None:
            self._events.publish(outage)
        if self._is_missed or outage is not None or missing > 0:
            self._is_missed = False
            self._events.publish(AudioResumed(missing, outage))
        lines.want(self._wanted())
        async for event in lines.hear(block, lost, is_renamed):
            self._publish(event)
        if (warnings := tuple(lines.warnings)) != self._warnings:
            self._warnings = warnings
            self._events.publish(SignalWarned(warnings))
        self._events.publish(Alive())
        self._capture.note_zeros(lines.still is not None)
        timeline.compare(block.delivered, lines.time, _epoch())

    def _begin(self, source: Source) -> None:
        """Tell that a source is heard from now on."""
        if self._heard is None or in_one_form(source.name) != self._name:
            self._find(in_one_form(source.name))
        if self._heard is None or self._timeline.outage is not None:
            self._lines.examine()
        self._heard = source
        if self._state != "running":
            self._turn("running")

    def _lose(self, reason: str) -> None:
        """Tell that the source is away, and that what was heard last is no longer so."""
        if (outage := self._timeline.lose(self._lines.time, self._name, reason)) is not None:
            self._events.publish(outage)
        self._turn("waiting", reason)

    def _find(self, name: str) -> None:
        self._name, self._found = name, True
        self._events.publish(SourceFound(name))

    def _turn(self, state: SourceState, message: str | None = None) -> None:
        self._state, self._warnings = state, ()
        self._is_missed |= state == "waiting"
        self._events.publish(Activity(message or f"{state}: {self._name}"))
        self._events.publish(SourceTurned(state, message))

    def _publish(self, event: Event) -> None:
        """Publish what the line tells, and how long its audio was on the way."""
        self._events.publish(event)
        if isinstance(event, Hop):
            if event.change is not None:
                self._events.publish(Activity(f"hears {event.label.label or event.label.state} from {self._name}"))
            if event.delivered is not None:
                self._events.publish(LabelDelivered(clock.now() - event.delivered))


def _epoch() -> float:
    """Unix time at which `stream.system.clock` was 0, by the wall clock as it is now."""
    return time.time() - clock.now()
