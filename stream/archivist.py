"""The session log as the settings want it, and what it knows of the time before the service started."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable
from typing import Final

from stream import journal
from stream.archive import Record, before
from stream.config import Settings
from stream.journal import Journal
from stream.metrics import Metrics
from stream.server import Server
from stream.worker import Worker

PAST_SECONDS: Final = 7200.0
"""How much is told of what was heard before the service started."""

_log = logging.getLogger(__name__)


class Archivist:
    """Has a server write down what it publishes, and reads what was written before.

    Parameters
    ----------
    server : Server
    metrics : Metrics
        Gets the figures of the log.
    worker : Worker
        Reads, for a disk may be slow.
    wall : callable
        Returns Unix time, in seconds.
    """

    def __init__(self, server: Server, metrics: Metrics, worker: Worker, wall: Callable[[], float]) -> None:
        self._server = server
        self._metrics = metrics
        self._worker = worker
        self._wall = wall
        self._past: list[Record] = []  # heard before the service started, and not yet in the history
        self._utc: float | None = None

    @property
    def state(self) -> str | None:
        """`written`, or why it is not; None where there is no log."""
        log = self._server.journal
        return None if log is None else log.fault or "written"

    @property
    def fault(self) -> str | None:
        """Why the log is not written now and what to do about it, in one line."""
        log = self._server.journal
        return None if log is None else log.fault

    def open(self, settings: Settings, recall: bool = False) -> None:
        """Write a session log from now on, if there is to be one, and perhaps recall what it holds."""
        self.close()  # two may not write one file
        self._server.journal = None
        if settings.session_log == "off":
            return
        path = settings.session_log or journal.default_path(os.environ)
        is_old = os.path.exists(path)  # one that is being made cannot be read yet
        log = Journal(path, settings.session_log_days, settings.session_log_megabytes * 2**20)
        self._metrics.log_events.set_function(lambda: log.written)
        self._metrics.log_missed.set_function(lambda: log.missed)
        self._server.journal = log
        if recall and is_old:
            self._worker.do(log.recent, PAST_SECONDS, self._wall()).add_done_callback(self._take)

    def place(self, utc: float) -> None:
        """Have what was heard before in the history, now that it is known which Unix time stream time 0 was."""
        self._utc = utc
        for event in before(self._past, utc):
            self._server.remember(event)
        self._past = []

    def close(self) -> None:
        """Write what is left."""
        if self._server.journal is not None:
            self._server.journal.close()

    def _take(self, reading: asyncio.Future[list[Record]]) -> None:
        if (error := reading.exception()) is not None:
            _log.warning("session log: what was heard before cannot be read: %s", error)
            return
        self._past = reading.result()
        if self._utc is not None:
            self.place(self._utc)
