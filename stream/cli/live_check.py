"""The check of lines while audio comes: from a device, which may be unplugged meanwhile, or a pipe."""

from __future__ import annotations

import asyncio
import signal
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from stream.audio.capture import Capture
from stream.audio.settings import AudioSettings
from stream.audio.source import Source
from stream.errors import SourceLostError
from stream.system import clock

if TYPE_CHECKING:
    from stream.cli.check_lines_display import Display, JsonDisplay
    from stream.service.line_check import LineCheck


async def listen(
    settings: AudioSettings, check: LineCheck, display: Display | JsonDisplay, seconds: float | None
) -> None:
    """Check until the audio ends, a signal comes, the time is over, or, with a time, all lines are green.

    Parameters
    ----------
    settings : AudioSettings
    check : LineCheck
    display : Display or JsonDisplay
    seconds : float, optional
        For how long at the most.

    Raises
    ------
    SourceLostError
        When there is no device, and none is waited for.
    SourceError
        When the source cannot be read.
    """
    loop = asyncio.get_running_loop()
    is_over = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, is_over.set)
    capture = Capture(settings, channels=check.channels)
    listening = asyncio.create_task(_listen(capture, check, display, until_green=seconds is not None))
    ending = asyncio.create_task(is_over.wait())
    try:
        await asyncio.wait({listening, ending}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        if listening.done():
            listening.result()  # raises what went wrong
    finally:
        for task in (listening, ending):
            task.cancel()
        await asyncio.wait({listening, ending})
        await capture.close()


async def _listen(capture: Capture, check: LineCheck, display: Display | JsonDisplay, until_green: bool) -> None:
    loop = asyncio.get_running_loop()
    connected: Source | None = None
    heard_until = 0.0  # on `stream.system.clock`
    try:
        await capture.open()
    except SourceLostError as error:
        if not capture.waits_for_device:
            raise
        display.tell(f"waiting: {error}")
    with ThreadPoolExecutor(1, "recognizer") as executor:  # so that audio is taken while a model runs
        while True:
            try:
                block = await capture.get()
            except SourceLostError as error:
                display.tell(f"waiting: {error}")
                continue
            source = capture.source
            assert source is not None
            if block is None:
                await loop.run_in_executor(executor, check.finish)
                if (report := check.report) is not None:
                    display.show(report)
                return
            if source is not connected:
                connected = source
                check.connect(source.rate, block.frames.shape[1])
                display.tell(f"listening to {source.name}: {block.frames.shape[1]} channels at {source.rate} Hz")
            await loop.run_in_executor(executor, check.hear, block.frames, block.lost, block.waiting)
            report = check.report
            assert report is not None
            if clock.now() - heard_until >= _PAUSE or report.is_all_green:
                heard_until = clock.now()
                display.show(report)
            if until_green and report.is_all_green:
                return


_PAUSE = 0.2
"""Seconds from one time to the next that something is shown."""
