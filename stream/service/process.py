"""The service as a process: its settings, its signals, and whoever started it."""

from __future__ import annotations

import asyncio
import errno
import faulthandler
import logging
import signal
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from stream.errors import AddressError, ConfigError, ModelError, SoloistError, SourceLostError
from stream.server.access import read_token
from stream.server.host_names import is_loopback
from stream.settings.exposure import exposures
from stream.settings.reading import Reading, in_short, refuse
from stream.system import logs
from stream.system.sd_notify import SystemdNotifier
from stream.system.stderr import reserve_stderr
from stream.system.worker import Worker

if TYPE_CHECKING:
    from stream.service.events import Event
    from stream.service.service import Service

_PATIENCE_SECONDS: Final = 10.0
"""For reading settings again, before it is told that this takes long."""
_HINTS: Final = {
    errno.EADDRINUSE: "; does another Soloist run? Choose another port with --port",
    errno.EACCES: "; the system keeps ports below 1024 for its administrator: choose another one with --port",
}


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
    reserve_stderr()
    faulthandler.enable()  # says where every thread is when the watchdog of systemd has to end us
    reading = read()
    settings = reading.settings
    try:
        refuse(reading.problems)
        token = read_token(settings.server)
    except ConfigError as error:
        logs.configure(logs.LoggingSettings(format=settings.logging.format))
        logs.log_always(reading.placed(error), logging.ERROR)
        return 2
    logs.configure(settings.logging, token)
    if reading.outdated is not None:
        logs.log_always(reading.outdated, logging.WARNING)
    for warning in exposures(reading):
        logs.log_always(warning, logging.WARNING)
    signal.signal(signal.SIGINT, signal.default_int_handler)  # for which asyncio has a better one
    try:
        asyncio.run(_Process(read).serve(reading))
    except asyncio.CancelledError:
        pass  # the user's signal, the one thing that stops the service
    except SoloistError as error:
        logs.log_always(f"{reading.placed(error)}{_hint(error)}", logging.ERROR)
        return 2 if isinstance(error, ConfigError) else 1
    return 0


def _hint(error: SoloistError) -> str:
    """Say what to do about an error, where that is known."""
    if isinstance(error, SourceLostError):
        return "; connect one and name it with --device, or hear --input demo"
    if isinstance(error, AddressError) and isinstance(error.__cause__, OSError):
        return _HINTS.get(error.__cause__.errno or 0, "")
    return ""


class _Process:
    """Serves within an event loop, and obeys signals.

    Parameters
    ----------
    read : callable
        Reads the settings.
    """

    def __init__(self, read: Callable[[], Reading]) -> None:
        self._read = read
        self._notifier = SystemdNotifier()
        self._listening: str | None = None  # what the manager is told, once we are
        self._one_by_one = asyncio.Lock()
        self._worker = Worker("settings")  # for a disk that does not answer must not keep us from anything else
        self._reloading: set[asyncio.Task[None]] = set()  # which nobody else keeps: one at work, and one that waits

    async def serve(self, reading: Reading) -> None:
        """Run the service with these settings."""
        service = _service(reading, self._read)
        service.events.add(_for_systemd(self._notifier))
        running = asyncio.current_task()
        assert running is not None

        def end() -> None:
            self._listening = None
            self._notifier.stopping()
            running.cancel()

        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, end)
        loop.add_signal_handler(signal.SIGHUP, self._begin_reload, service)
        await service.run(lambda address: self._tell(address, service))

    def _tell(self, address: str, service: Service) -> None:
        self._listening = f"listening on {address}"
        logs.log_always(self._listening, address=address)
        self._show_link(address, service)
        self._notifier.ready(self._listening)
        # A signal that came too early was kept back until now.
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGHUP})

    def _show_link(self, address: str, service: Service) -> None:
        """Show who started us in a terminal what to open, where that is not the address itself."""
        server, token = service.settings.server, service.server.access.token
        is_known = token is None and is_loopback(server.host)
        if is_known or service.settings.logging.format == "json" or not sys.stderr.isatty():
            return
        from stream.service.page_link import page_link, show_page_link

        show_page_link(sys.stderr, page_link(address, token, server.hosts or ()))

    def _begin_reload(self, service: Service) -> None:
        if self._listening is not None and len(self._reloading) < 2:  # or one is about to read what there is then
            task = asyncio.get_running_loop().create_task(self._reload(service))
            self._reloading.add(task)
            task.add_done_callback(self._reloading.discard)

    async def _reload(self, service: Service) -> None:
        async with self._one_by_one:
            self._notifier.reloading()
            slow = asyncio.get_running_loop().call_later(
                _PATIENCE_SECONDS,
                logs.log_always,
                "the settings are still being read: does the disk answer that holds their files?",
                logging.WARNING,
            )
            try:
                await self._change(service, await self._worker.submit(self._read))
            finally:
                slow.cancel()
                if self._listening is not None:
                    self._notifier.ready(self._listening)

    async def _change(self, service: Service, reading: Reading) -> None:
        """Go on with other settings, or with the old ones if these cannot be used, now or at the next start."""
        from stream.service import reload
        from stream.settings import check

        settings, later, problems = reading.settings, list[str](), reading.problems
        if not problems:
            later = reload.changeable(service.settings, settings)[1]
            problems = await self._worker.submit(check.next_problems, reading, later)
        if not problems:
            try:
                await service.reload(settings)
            except SoloistError as error:
                problems = await self._worker.submit(check.problems, reading) or [reading.placed(error)]
        if problems:
            logs.log_always(f"the settings stay as they were: {in_short(problems)}", logging.ERROR)
            return
        logs.configure(settings.logging, service.server.access.token)
        for warning in await self._worker.submit(exposures, reading):
            logs.log_always(warning, logging.WARNING)
        for name in later:
            logs.log_always(f"{reading.called(name)} takes effect at the next start", logging.WARNING)
        logs.log_always("the settings were read again")


def _for_systemd(notifier: SystemdNotifier) -> Callable[[Event], None]:
    """Return what takes events and has systemd know that the service lives, and what it does."""
    from stream.service.events import Activity, Alive  # with the service, which takes long to import

    def take(event: Event) -> None:
        match event:
            case Alive():
                notifier.keep_alive()
            case Activity():
                notifier.status(event.text)
            case _:
                pass

    return take


def _service(reading: Reading, read: Callable[[], Reading]) -> Service:
    """Make the service, or say which setting is at fault, and where it stands."""
    from stream.service.service import (
        Service,  # takes longer to import than all before it: faults in settings are told sooner
    )

    try:
        return Service(reading.settings, read)
    except (ConfigError, ModelError) as error:
        from stream.settings import check

        problems = check.problems(reading)  # takes time
        raise type(error)(in_short(problems or [reading.placed(error)])) from error
