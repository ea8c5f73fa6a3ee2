"""The service as a process: its settings, its signals, and whoever started it."""

from __future__ import annotations

import asyncio
import faulthandler
import logging
import signal
from collections.abc import Callable
from typing import TYPE_CHECKING

from stream import config, gate, logs, quiet
from stream.config import Reading
from stream.errors import ConfigError, ModelError, SoloistError, SourceLostError
from stream.notify import Notifier

if TYPE_CHECKING:
    from stream.service import Service


def run(read: Callable[[], Reading]) -> int:
    """Run the service until it is told to end, or its audio has ended.

    Parameters
    ----------
    read : callable
        Reads the settings, at the start and whenever they are to be read again.

    Returns
    -------
    int
        Exit status: 0, 1 for what went wrong, 2 for settings that cannot be used.
    """
    quiet.part_stderr()
    faulthandler.enable()  # says where every thread is when the watchdog of systemd has to end us
    reading = read()
    settings = reading.settings
    try:
        config.refuse(reading.problems)
        token = gate.token(settings)
    except ConfigError as error:
        logs.configure("warning", settings.log_format)
        logs.announce(reading.placed(error), logging.ERROR)
        return 2
    logs.configure(settings.log_level, settings.log_format, token)
    try:
        asyncio.run(_Process(read).serve(reading))
    except asyncio.CancelledError:
        pass  # the user's signal, the one thing that stops the service
    except SoloistError as error:
        lost = isinstance(error, SourceLostError)
        hint = "; connect one and name it with --device, or hear --input demo" if lost else ""
        logs.announce(f"{error}{hint}", logging.ERROR)
        return 2 if isinstance(error, ConfigError) else 1
    return 0


class _Process:
    """Serves within an event loop, and obeys signals.

    Parameters
    ----------
    read : callable
        Reads the settings.
    """

    def __init__(self, read: Callable[[], Reading]) -> None:
        self._read = read
        self._notifier = Notifier()
        self._listening: str | None = None  # what the manager is told, once we are
        self._one_by_one = asyncio.Lock()
        self._reloading: set[asyncio.Task[None]] = set()  # which nobody else keeps

    async def serve(self, reading: Reading) -> None:
        """Run the service with these settings."""
        service = _service(reading)
        service.on_alive, service.on_status = self._notifier.alive, self._notifier.status
        running = asyncio.current_task()
        assert running is not None

        def end() -> None:
            self._notifier.stopping()
            running.cancel()

        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, end)
        loop.add_signal_handler(signal.SIGHUP, self._begin_reload, service)
        await service.run(self._tell)

    def _tell(self, address: str) -> None:
        self._listening = f"listening on {address}"
        logs.announce(self._listening, address=address)
        self._notifier.ready(self._listening)

    def _begin_reload(self, service: Service) -> None:
        if self._listening is not None:  # or the settings were read just now
            task = asyncio.get_running_loop().create_task(self._reload(service, self._listening))
            self._reloading.add(task)
            task.add_done_callback(self._reloading.discard)

    async def _reload(self, service: Service, listening: str) -> None:
        async with self._one_by_one:
            self._notifier.reloading()
            try:
                await _reload(service, self._read())
            finally:
                self._notifier.ready(listening)


def _service(reading: Reading) -> Service:
    """Make the service, or say which setting is at fault, and where it stands."""
    from stream.service import Service  # takes longer to import than all before it: faults in settings are told sooner

    try:
        return Service(reading.settings)
    except (ConfigError, ModelError) as error:
        from stream import checkup

        problems = checkup.problems(reading)  # takes time
        raise type(error)(config.in_short(problems or [reading.placed(error)])) from error


async def _reload(service: Service, reading: Reading) -> None:
    """Go on with other settings, or with the old ones if they cannot be used."""
    from stream import checkup

    try:
        config.refuse(reading.problems)
        settings = reading.settings
        token = gate.token(settings)
        later = await service.reload(settings)
    except SoloistError as error:
        problems = reading.problems or await asyncio.to_thread(checkup.problems, reading)
        reason = config.in_short(problems or [reading.placed(error)])
        logs.announce(f"the settings stay as they were: {reason}", logging.ERROR)
        return
    logs.configure(settings.log_level, settings.log_format, token)
    for name in later:
        logs.announce(f"{reading.called(name)} changes with the next start", logging.WARNING)
    logs.announce("the settings were read again")
