"""The check of a running service's lines: from the request to the messages about it, and to its end."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Final, Literal

from stream.errors import ProtocolError
from stream.protocol.check import Check
from stream.recognition.level import LOWEST_LEVEL
from stream.recognition.lineup import ALL
from stream.service.check_words import checked_channels, checked_lines, lines_to_come
from stream.service.controlled import Controlled
from stream.service.line_check import CheckReport
from stream.service.shared_check import SharedCheck
from stream.settings.lines_plan import LinePlan
from stream.system import clock
from stream.system.worker import Worker

PATIENCE: Final = 60.0
"""Seconds without anybody who subscribes to it, after which it ends."""
_PAUSE: Final = 0.1
"""Seconds from one look at what has come to the next."""
_TELL_SECONDS: Final = 1.0

_log = logging.getLogger(__name__)


class LineChecking:
    """Checks the lines of a service whenever somebody asks for it, while everything else goes on.

    The plan is what the settings say of the lines. A check goes on when all is green, for a cable may be moved; it
    ends when it is stopped, and a minute after the last one who looked at it has gone.

    Parameters
    ----------
    service : Controlled
    tell : callable
        Told how it is.
    """

    def __init__(self, service: Controlled, tell: Callable[[Check], None]) -> None:
        self._service, self._tell = service, tell
        self._worker = Worker("line check")
        self._task: asyncio.Task[None] | None = None
        self._plan: Sequence[LinePlan] = ()
        self._heard_with: object = None
        self._report: CheckReport | None = None
        self._missed = 0.0

    def begin(self) -> None:
        """Check from now on, whatever was found before.

        Raises
        ------
        ProtocolError
            With code `not-possible`, when there are no lines, or not yet.
        """
        service = self._service
        if not service.settings.lines:
            told = "this service hears one sound; give it lines, with their instruments, and it can check them"
            raise ProtocolError("not-possible", told)
        if not service.line_settings:
            told = "the lines are those of the source, which is not there yet; start the check when it is heard"
            raise ProtocolError("not-possible", told)
        if [it.name for it in service.lines] != [it.name for it in service.line_settings]:
            raise ProtocolError("not-possible", "the lines are just being changed; try again")
        self._forget()
        self._report, self._missed = None, 0.0
        self._plan, self._heard_with = _plan(service), _heard_with(service)
        check = self._make_check()
        service.tell_all(check)
        self._task = asyncio.create_task(self._run(check))
        self._task.add_done_callback(self._done)

    def stop(self) -> None:
        """Check no more.

        Raises
        ------
        ProtocolError
            With code `not-possible`, when no check runs.
        """
        if self._task is None:
            raise ProtocolError("not-possible", "no check of lines is running")
        self._forget()
        self._tell(self._message("ended"))

    def change_model(self) -> None:
        """Begin anew where a check runs and the lines are others, or heard with something else than before."""
        if self._task is None or self._heard_with == _heard_with(self._service):
            return
        try:
            self.begin()
        except ProtocolError as error:
            self._forget()
            self._tell(self._message("ended", str(error)))

    def close(self) -> None:
        """End the check, and the thread."""
        self._forget()
        self._worker.close()

    def _make_check(self) -> SharedCheck:
        service = self._service
        names = [name for line in self._plan for name in line.instruments]
        if not names:  # then it is told what is heard where, and what is wrong with the channels
            names = [name for line in service.lines for name in line.recognizer.lineup]
        gate, lineup = service.settings.recognition.gate, tuple(dict.fromkeys(names))
        return SharedCheck(self._plan, service.lines, service.classifier, gate, lineup, service.taught)

    async def _run(self, check: SharedCheck) -> None:
        """Check until nobody looks any more."""
        watched = clock.now()
        told_at, told = -_TELL_SECONDS, None
        while True:
            self._report = await self._worker.submit(check.work, check.collect())
            self._missed = check.missed
            now, message = clock.now(), self._message("running")
            # Not what the warnings say, which may be another number each time.
            kinds = [[warning.kind for warning in it.warnings] for it in message.channels]
            news = [(it.colour, it.text) for it in message.lines], kinds
            if now - told_at >= _TELL_SECONDS or news != told:
                told_at, told = now, news
                self._tell(message)
            if self._service.is_wanted("check"):
                watched = now
            elif now - watched > PATIENCE:
                return
            await asyncio.sleep(_PAUSE)

    def _message(self, state: Literal["running", "ended"], reason: str | None = None) -> Check:
        report = self._report
        return Check(
            time=self._service.time,
            state=state,
            seconds=0.0 if report is None else report.time,
            missed=self._missed,
            green=report is not None and report.is_all_green,
            lines=lines_to_come(self._plan) if report is None else checked_lines(report),
            channels=[] if report is None else checked_channels(report),
            message=reason,
        )

    def _forget(self) -> None:
        """End the check without a word."""
        if self._task is not None:
            self._task.cancel()
            self._task = None
            self._service.tell_all(None)

    def _done(self, task: asyncio.Task[None]) -> None:
        """Tell that a check has ended by itself."""
        if task.cancelled() or task is not self._task:
            return
        reason = f"nobody looked at it for {PATIENCE:g} s"
        if (error := task.exception()) is not None:
            _log.error("the check of lines failed", exc_info=error)
            reason = "it failed; the log of the service says more"
        self._forget()
        self._tell(self._message("ended", reason))


def _plan(service: Controlled) -> list[LinePlan]:
    """Make a plan of the settings of all lines; one without instruments of its own may have any."""
    plan = []
    for line, it in zip(service.lines, service.line_settings, strict=True):
        has_own = it.instruments is not None and ALL not in it.instruments
        # What is compared with it is as it comes from the source, not yet made louder.
        gate = service.settings.recognition.gate if it.gate is None else it.gate
        plan.append(
            LinePlan(it.name, it.channels, line.recognizer.lineup if has_own else (), max(gate - it.gain, LOWEST_LEVEL))
        )
    return plan


def _heard_with(service: Controlled) -> object:
    """Return what a check stands on: with another one it begins anew."""
    recognizers, lines = [line.recognizer for line in service.lines], tuple(service.line_settings)
    heard = [(it.instruments, it.lineup, it.thresholds, it.hop) for it in recognizers]
    return service.settings.recognition.gate, service.classifier.bundle, tuple(service.taught), lines, heard
