"""What is listened to, for as long as the service runs: opened, watched, and taken up again when it was lost."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from stream.audio import microphone
from stream.audio.block_queue import Block
from stream.audio.settings import AudioSettings
from stream.audio.source import Source, open_source
from stream.errors import SourceLostError
from stream.system import clock
from stream.system.worker import Worker

PATIENCE: Final = 1.5
"""Seconds without a call from a source that had called, after which it is taken for lost."""
FIRST_PATIENCE: Final = 5.0
"""The same for the first call: an idle virtual source may need two seconds, a player of raw audio a little more."""
RETRY_SECONDS: Final = (0.5, 1.0, *(60 * (2.0,)), 8.0)
"""Pauses between tries to open a device; the last one for ever. A card that is plugged in ends any of them.

Each look of PortAudio for devices costs 25 ms of the processor, and a quarter of a KiB that the libraries below it do
not give back.
"""
ANSWER_SECONDS: Final = 2.0
"""Patience with the sound system before it is told that it does not answer."""
STILL_SECONDS: Final = (10.0, 20.0, 40.0, 80.0, 160.0, 300.0)
"""Only zeros for so long, and the device is opened anew; the last one for ever."""
CARDS: Final = Path("/proc/asound/cards")
"""Changes when ALSA gets or loses a card."""

GRACE_SECONDS: Final = 10.0
"""For so long the default input that was lost is waited for, before the system's new default is taken."""

_TICK: Final = 0.25
_LIVED: Final = 1.0  # s from one audio to the next that we lived through; more is a process that was suspended
_CLOSE_SECONDS: Final = 0.5


class Capture:
    """Hears one source after the other.

    A device is opened and closed in a thread of its own, for a sound server that hangs would stop everything else. Its
    life is judged by its calls, whatever they bring.

    Parameters
    ----------
    settings : AudioSettings
    on_alive : callable
        Called now and then while there is no audio and that is in order; not while the sound system hangs, for from
        that only another start may help.
    """

    def __init__(self, settings: AudioSettings, on_alive: Callable[[], None] = lambda: None) -> None:
        self.source: Source | None = None
        """What is heard now."""
        self._settings = settings
        self._on_alive = on_alive
        self._worker = Worker("capture")
        self._opening: asyncio.Future[Source] | None = None
        self._opened = False  # whether PortAudio knows of the devices there were, not of those there are
        self._last: str | None = None  # name of the device that was heard
        self._lost_at = 0.0
        self._pauses: Iterator[float] = iter(RETRY_SECONDS)
        self._told = False  # whether it was told that the source delivers nothing
        self._past_overflows = 0  # of sources that were closed
        self._stills: Iterator[float] = iter(())
        self._trust: float | None = None  # seconds of zeros after which the device that delivers them is opened anew
        self._judged_at = 0.0

    @property
    def live(self) -> bool:
        """Whether it is a device."""
        return self._settings.input == "mic"

    @property
    def waits(self) -> bool:
        """Whether a device that is not there at the start is waited for."""
        return self.live and (self._settings.wait or self._settings.device is not None)

    @property
    def overflows(self) -> int:
        """Times that captured audio was lost."""
        return self._past_overflows + (0 if self.source is None else self.source.handoff.overflows)

    async def open(self, patience: float = ANSWER_SECONDS) -> None:
        """Open the source.

        Parameters
        ----------
        patience : float
            With the sound system, in seconds. It is not asked again before it has answered.

        Raises
        ------
        SourceLostError
            When a device is not there now, or the sound system does not answer.
        SourceError
            When a file or standard input cannot be read.
        """
        if not self.live:
            self.source = open_source(self._settings)
            return
        if self._opening is None:
            strict = clock.now() - self._lost_at < GRACE_SECONDS
            self._opening = self._worker.submit(self._open, self._last, strict)
        done, _ = await asyncio.wait({self._opening}, timeout=patience)
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
        if self.source is None:
            await self._rest(next(self._pauses, RETRY_SECONDS[-1]))
            await self.open()
        source = self.source
        assert source is not None
        try:
            block = await self._next(source)
        except SourceLostError:
            if self.live:
                self._lost_at = clock.now()
                self._drop(source)
            raise
        self._pauses = iter(RETRY_SECONDS)
        self._told = False
        return block

    def judge(self, still: bool) -> None:
        """Take note of whether the device delivers nothing but zeros: if so, it is opened anew now and then."""
        now = clock.now()
        passed, self._judged_at = now - self._judged_at, now
        if not still or self.source is None:
            self._trust = None
            return
        if self._trust is None:
            self._stills = iter(STILL_SECONDS)
            self._trust = next(self._stills)
            return
        self._trust -= min(passed, _LIVED)
        if self._trust <= 0:
            self._trust = next(self._stills, STILL_SECONDS[-1])
            self._drop(self.source)
            self._pauses = iter((0.0, *RETRY_SECONDS))

    async def close(self) -> None:
        """Give the source back, if the sound system lets us do that soon."""
        if self.source is not None:
            await asyncio.wait({self._drop(self.source)}, timeout=_CLOSE_SECONDS)
        self._worker.close()

    async def _next(self, source: Source) -> Block | None:
        calls = source.handoff.calls
        left = PATIENCE if calls else FIRST_PATIENCE
        while True:
            try:
                async with asyncio.timeout(_TICK):
                    return await source.handoff.get()
            except TimeoutError:
                # Only time that we lived through counts: a process that was suspended finds its audio a moment later.
                left -= _TICK
            if not self.live:
                self._on_alive()  # who feeds standard input may pause
            if source.handoff.calls != calls:
                calls, left = source.handoff.calls, PATIENCE
            elif left <= 0 and not self._told:
                self._told = not self.live
                raise SourceLostError(f"{_described(source, self.live)} delivers nothing")

    def _open(self, last: str | None, strict: bool) -> Source:
        """Open the device; in the worker's thread."""
        if self._opened:
            microphone.refresh()
        self._opened = True
        return open_source(self._settings, last, strict)

    def _drop(self, source: Source) -> asyncio.Future[None]:
        self._past_overflows += source.handoff.overflows
        self.source = None
        source.handoff.close()
        return self._worker.submit(source.close)

    async def _rest(self, seconds: float) -> None:
        """Wait before the next try, at the most until a card is plugged in."""
        cards = _cards()
        while seconds > 0:
            await asyncio.sleep(min(seconds, _TICK))
            seconds -= _TICK
            if self._opening is None:
                self._on_alive()
            if _cards() != cards:
                self._pauses = iter(RETRY_SECONDS)  # the card may need a moment
                return


def _described(source: Source, live: bool) -> str:
    return f"input {source.name!r}" if live else source.name


def _cards() -> bytes:
    try:
        return CARDS.read_bytes()
    except OSError:  # no ALSA
        return b""
