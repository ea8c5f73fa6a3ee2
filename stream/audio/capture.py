"""The source of a running service: opened, watched, and opened again when it was lost."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from stream.audio import portaudio
from stream.audio.block_queue import Block
from stream.audio.settings import AudioSettings
from stream.audio.source import Source, open_source
from stream.audio.successor import Successor
from stream.errors import SourceLostError
from stream.system import clock
from stream.system.worker import Worker

DELIVERY_TIMEOUT: Final = 1.5
"""Seconds without a delivery from a source that had delivered, after which it counts as lost."""
FIRST_DELIVERY_TIMEOUT: Final = 5.0
"""The same for the first delivery: an idle virtual source may need two seconds, a player of raw audio a little more."""
RETRY_SECONDS: Final = (0.5, 1.0, *(60 * (2.0,)), 8.0)
"""Pauses between tries to open a device; the last one for ever. A card that is plugged in ends any of them.

Each scan of PortAudio for devices costs 25 ms of the processor, and a quarter of a KiB that the libraries below it do
not give back.
"""
OPEN_TIMEOUT: Final = 2.0
"""Seconds that the sound system has to open a device, before it counts as hanging."""
ZEROS_REOPEN_SECONDS: Final = (10.0, 20.0, 40.0, 80.0, 160.0, 300.0)
"""Seconds of zeros alone after which the device is opened anew; the last one for ever."""
CARDS: Final = Path("/proc/asound/cards")
"""Changes when ALSA gets or loses a card."""
LAST_DEVICE_GRACE_SECONDS: Final = 10.0
"""For so long the default input that was lost is waited for, before the system's new default is taken."""

ANSWER_SECONDS: Final = 15.0
"""Seconds that the sound system has to open a device that somebody chooses, while another one is heard."""

_TICK: Final = 0.25
_MAX_UPDATE_SECONDS: Final = 1.0  # s from one call of `note_zeros` to the next; more is a process that was suspended
_CLOSE_SECONDS: Final = 0.5


class Capture:
    """Delivers the audio of one source after the other.

    A device is opened and closed in a thread of its own, for a sound server that hangs would stop everything else. It
    counts as working while it delivers, whatever that is.

    Parameters
    ----------
    settings : AudioSettings
    on_idle : callable
        Called now and then while there is no audio and that is in order; not while the sound system hangs, for from
        that only another start may help.
    channels : int
        How many are to be heard, where a device has as many.
    """

    def __init__(self, settings: AudioSettings, on_idle: Callable[[], None] = lambda: None, channels: int = 1) -> None:
        self.source: Source | None = None
        """The open source, if any."""
        self._settings = settings
        self._channels = channels
        self._on_idle = on_idle
        self._worker = Worker("capture")
        self._opening: asyncio.Future[Source] | None = None
        self._has_opened = False  # whether PortAudio knows of the devices there were, not of those there are
        self._last: str | None = None  # name of the device that was heard
        self._lost_at = 0.0
        self._pauses: Iterator[float] = iter(RETRY_SECONDS)
        self._reported_idle = False  # whether it was raised that the source delivers nothing
        self._past_overflows = 0  # of sources that were closed
        self._zeros_pauses: Iterator[float] = iter(())
        self._zeros_left: float | None = None  # seconds of zeros before the device is opened anew
        self._noted_at = 0.0
        self._successor = Successor(self._worker)
        self._other: Source | None = None  # that was chosen, and is heard from the next block on
        self._reopening: _Reopening | None = None
        self._is_awaited = False  # whether the pause before the next try is over

    @property
    def is_live(self) -> bool:
        """Whether it is a device."""
        return self._settings.input == "mic"

    @property
    def waits_for_device(self) -> bool:
        """Whether a device that is not there at the start is waited for."""
        return self.is_live and (self._settings.wait or self._settings.device is not None)

    @property
    def overflows(self) -> int:
        """Times that captured audio was lost."""
        return self._past_overflows + (0 if self.source is None else self.source.queue.overflows)

    async def open(self, timeout: float = OPEN_TIMEOUT) -> None:
        """Open the source.

        Parameters
        ----------
        timeout : float
            Seconds that the sound system has to answer. It is not asked again before it has.

        Raises
        ------
        SourceLostError
            When a device is not there now, or the sound system does not answer.
        SourceError
            When a file or standard input cannot be read.
        """
        if not self.is_live:
            self.source = open_source(self._settings)
            return
        if self._opening is None:
            strict = clock.now() - self._lost_at < LAST_DEVICE_GRACE_SECONDS
            self._opening = self._worker.submit(self._open, self._last, strict)
        done, _ = await asyncio.wait({self._opening}, timeout=timeout)
        if not done:
            raise SourceLostError("the sound system does not answer")
        opened, self._opening = self._opening, None
        self.source = opened.result()
        self._last = self.source.name

    async def get(self) -> Block | None:
        """Take the next audio, of whatever source is there; None when a file has ended.

        Raises
        ------
        SourceLostError
            When the source is lost, and then with each vain try to open it again. To be called again.
        """
        if (other := self._other) is not None:
            if self.source is not None:
                self._release(self.source)
            self.source, self._last, self._other = other, other.name, None
        elif self._reopening is not None:
            await self._reopen(self._reopening)
        elif self.source is None:
            await self._pause(next(self._pauses, RETRY_SECONDS[-1]))
            await self.open()
        elif (successor := self._successor.take()) is not None:
            self._release(self.source)
            self.source = successor
        source = self.source
        assert source is not None
        try:
            block = await self._next(source)
        except SourceLostError:
            if self.is_live:
                self._lost_at = clock.now()
                self._release(source)
            raise
        self._pauses = iter(RETRY_SECONDS)
        self._reported_idle = False
        return block

    def is_another(self, settings: AudioSettings, channels: int) -> bool:
        """Whether these settings ask for another device, or for more channels than the open one was asked for."""
        if not self.is_live:
            return False
        if settings.device != self._settings.device or self.source is None:
            return True
        asked, before = max(settings.channel or 1, channels), max(self._settings.channel or 1, self._channels)
        return self.source.shared and asked > max(before, self.source.channels)

    async def change(self, settings: AudioSettings, channels: int) -> bool:
        """Deliver the audio of another device from now on.

        The one that is open is heard until the other one is. It is closed before where it must be: where the other one
        is open to one program alone, which we are, or where PortAudio does not know of it yet.

        Parameters
        ----------
        settings : AudioSettings
        channels : int
            As for the class.

        Returns
        -------
        bool
            Whether it is open; False where none was, so that the other one is waited for, too.

        Raises
        ------
        SourceLostError
            When it cannot be opened; then the one before is heard as before.
        """
        if self.source is None:
            self._settings, self._channels, self._last = settings, channels, None
            if self._opening is not None:  # of the one before
                self._opening.add_done_callback(self._close_late)
                self._opening = None
            self._is_awaited = True
            return False
        if self._other is not None or self._reopening is not None:
            raise SourceLostError("another input is being opened")
        opening = self._worker.submit(self._open_beside, settings, channels)
        done, _ = await asyncio.wait({opening}, timeout=ANSWER_SECONDS)
        if not done:
            opening.add_done_callback(self._close_late)
            raise SourceLostError("the sound system does not answer")
        other = opening.result()
        if other is not None:
            self._settings, self._channels, self._other = settings, channels, other
            return True
        self._reopening = _Reopening(settings, channels, asyncio.get_running_loop().create_future())
        return await self._reopening.done

    def note_zeros(self, delivers_zeros: bool) -> None:
        """Take in whether the device delivers nothing but zeros: if so, it is opened anew now and then."""
        now = clock.now()
        passed, self._noted_at = now - self._noted_at, now
        if not delivers_zeros or self.source is None:
            self._zeros_left = None
            self._successor.drop()
            return
        if self._zeros_left is None:
            self._zeros_pauses = iter(ZEROS_REOPEN_SECONDS)
            self._zeros_left = next(self._zeros_pauses)
            return
        self._zeros_left -= min(passed, _MAX_UPDATE_SECONDS)
        if self._zeros_left <= 0:
            self._zeros_left = next(self._zeros_pauses, ZEROS_REOPEN_SECONDS[-1])
            if self.source.shared:
                self._successor.open(lambda: open_source(self._settings, self._last, False, self._channels))
                return
            self._release(self.source)
            self._pauses = iter((0.0, *RETRY_SECONDS))

    async def close(self) -> None:
        """Give the source back, if the sound system lets us do that soon.

        One that is just being opened, too: PortAudio crashes where the process ends while it looks for devices.
        """
        if self._opening is not None:
            done, _ = await asyncio.wait({self._opening}, timeout=_CLOSE_SECONDS)
            if done and self._opening.exception() is None:
                self.source = self._opening.result()
        for source in (self.source, self._other):
            if source is not None:
                await asyncio.wait({self._release(source)}, timeout=_CLOSE_SECONDS)
        self._worker.close()

    async def _next(self, source: Source) -> Block | None:
        deliveries = source.queue.deliveries
        left = DELIVERY_TIMEOUT if deliveries else FIRST_DELIVERY_TIMEOUT
        while True:
            try:
                async with asyncio.timeout(_TICK):
                    return await source.queue.get()
            except TimeoutError:
                # Only time in which we ran counts: a process that was suspended finds its audio a moment later.
                left -= _TICK
            if not self.is_live:
                self._on_idle()  # who feeds standard input may pause
            if source.queue.deliveries != deliveries:
                deliveries, left = source.queue.deliveries, DELIVERY_TIMEOUT
            elif left <= 0 and not self._reported_idle:
                self._reported_idle = not self.is_live
                raise SourceLostError(f"{_describe(source, self.is_live)} delivers nothing")

    def _open(self, last: str | None, strict: bool) -> Source:
        """Open the device; in the worker's thread."""
        if self._has_opened:
            portaudio.restart()
        self._has_opened = True
        return open_source(self._settings, last, strict, self._channels)

    def _open_beside(self, settings: AudioSettings, channels: int) -> Source | None:
        """Open another device beside the open one, or return None where that has to be closed first; in the worker."""
        from stream.audio.devices import find_device  # with PortAudio, which files need not have
        from stream.audio.offered import is_offered

        try:
            find_device(settings.device)
        except SourceLostError:  # there was none when PortAudio looked last
            if not is_offered(settings.device):
                raise
            return None
        try:
            return open_source(settings, None, False, channels)
        except SourceLostError as error:
            if error.__cause__ is None:  # it has no such channel
                raise
            return None  # we may be the program that uses it

    async def _reopen(self, asked: _Reopening) -> None:
        """Close what is open, and open another device; if that cannot be, the one before."""
        self._reopening = None
        if self.source is not None:
            self._release(self.source)
        self._opening = self._worker.submit(self._open_or_return, asked)
        try:
            await self.open(2 * OPEN_TIMEOUT)
        finally:
            if asked.error is None and self.source is None:
                asked.error = SourceLostError("the sound system does not answer")
            if not asked.done.done():
                if asked.error is None:
                    asked.done.set_result(True)
                else:
                    asked.done.set_exception(asked.error)

    def _open_or_return(self, asked: _Reopening) -> Source:
        """Open what was asked for, or what was open before; in the worker's thread."""
        portaudio.restart()
        try:
            source = open_source(asked.settings, None, False, asked.channels)
        except SourceLostError as error:
            asked.error = error
            return open_source(self._settings, self._last, False, self._channels)
        self._settings, self._channels = asked.settings, asked.channels
        return source

    def _close_late(self, opened: asyncio.Future[Any]) -> None:
        """Close a source that nobody waits for any more."""
        if not opened.cancelled() and opened.exception() is None and opened.result() is not None:
            self._worker.submit(opened.result().close)

    def _release(self, source: Source) -> asyncio.Future[None]:
        self._past_overflows += source.queue.overflows
        self.source = None
        self._successor.drop()
        source.queue.close()
        return self._worker.submit(source.close)

    async def _pause(self, seconds: float) -> None:
        """Wait before the next try, at the most until a card is plugged in."""
        cards = _cards()
        while seconds > 0:
            await asyncio.sleep(min(seconds, _TICK))
            seconds -= _TICK
            if self._opening is None:
                self._on_idle()
            if self._is_awaited:
                self._is_awaited = False
                self._pauses = iter(RETRY_SECONDS)
                return
            if _cards() != cards:
                self._pauses = iter(RETRY_SECONDS)  # the card may need a moment
                return


@dataclass(slots=True)
class _Reopening:
    """Another device, for which that which is heard has to be closed."""

    settings: AudioSettings
    channels: int
    done: asyncio.Future[bool]
    error: SourceLostError | None = None
    """Why it could not be opened."""


def _describe(source: Source, live: bool) -> str:
    return f"input {source.name!r}" if live else source.name


def _cards() -> bytes:
    try:
        return CARDS.read_bytes()
    except OSError:  # no ALSA
        return b""
