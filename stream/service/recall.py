"""The session log as the settings want it, and what it knows of the time before the service started."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import Final

from stream.protocol.messages import Message
from stream.server.metrics import Metrics
from stream.server.server import Server
from stream.service.timeline import Timeline
from stream.session_log.reader import LogReader, Record, messages_before
from stream.session_log.session_log import SessionLog
from stream.session_log.settings import SessionLogSettings
from stream.system.worker import Worker

PAST_SECONDS: Final = 7200.0
"""How much is told of what was heard before the stream."""

_log = logging.getLogger(__name__)


class Archivist:
    """Writes down what is published, and reads what was written before.

    Parameters
    ----------
    server : Server
        Tells what was heard before.
    metrics : Metrics
        Gets the figures of the log.
    worker : Worker
        Reads, for a disk may be slow.
    timeline : Timeline
        Knows the Unix time of stream time 0, as it is known at the moment.
    wall : callable
        Returns Unix time, in seconds.
    """

    def __init__(
        self, server: Server, metrics: Metrics, worker: Worker, timeline: Timeline, wall: Callable[[], float]
    ) -> None:
        self._server = server
        self._log: SessionLog | None = None
        self._metrics = metrics
        self._worker = worker
        self._timeline = timeline
        self._wall = wall
        self._started = wall()
        self._past: list[Record] = []  # heard before the service started

    @property
    def state(self) -> str | None:
        """`written`, or why it is not; None where there is no log."""
        return None if self._log is None else self._log.fault or "written"

    @property
    def fault(self) -> str | None:
        """Why the log is not written now and what to do about it, in one line."""
        return None if self._log is None else self._log.fault

    def add(self, message: Message) -> None:
        """Write down what is published, if there is a log."""
        if self._log is not None:
            self._log.add(message)

    def open(self, settings: SessionLogSettings, recall: bool = False) -> None:
        """Write a session log from now on, if there is to be one, and perhaps recall what it holds."""
        self.close()  # two may not write one file
        self._log = None
        if settings.is_off:
            return
        path = settings.path(os.environ)
        is_old = recall and os.path.exists(path)  # one that is being made cannot be read yet
        log = SessionLog(path, settings.days, settings.megabytes * 2**20)
        self._metrics.log_events.set_function(lambda: log.written)
        self._metrics.log_missed.set_function(lambda: log.missed)
        self._log = log
        if is_old:
            self._worker.submit(_read, path, self._started).add_done_callback(self._take)

    def place(self) -> None:
        """Have what was heard before in the history, at its own Unix time, whenever that of stream time 0 is another.

        What is too old then is left out, and so is what seems to be later than the stream, as it does after a start
        with a clock that is slow; both are there when the clock is right.
        """
        utc = self._timeline.utc
        lately = [it for it in self._past if it.end is None or it.end > utc - PAST_SECONDS]
        self._server.recall(messages_before(lately, utc))

    def close(self) -> None:
        """Write what is left."""
        if self._log is not None:
            self._log.close()

    def _take(self, reading: asyncio.Future[list[Record]]) -> None:
        if (error := reading.exception()) is not None:
            _log.warning("session log: what was heard before cannot be read: %s", error)
            return
        now = self._wall()
        # What this run has written while the log was read is in the history anyway.
        self._past = [it for it in reading.result() if not self._started <= it.start <= now]
        self.place()


def _read(path: Path, now: float) -> list[Record]:
    """Read from a log all that may turn out to be of the last hours.

    Parameters
    ----------
    path : Path
    now : float
        Unix time, by a clock that may be wrong: the last that was heard may be the last hours, too.
    """
    with LogReader(path) as reader:
        newest = max((session.end for session in reader.sessions()), default=now)
        by_clock = reader.records(since=now - PAST_SECONDS, until=now)
        return list(dict.fromkeys((*by_clock, *reader.records(since=newest - PAST_SECONDS))))
