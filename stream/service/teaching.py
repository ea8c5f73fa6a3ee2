"""A name that a running service is taught: from what a line hears to a file, and to what every line names."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass
from pathlib import Path
from types import EllipsisType
from typing import Final

from stream.errors import ProtocolError, SoloistError
from stream.players.bank import Bank, load_bank
from stream.players.enrolment import LEAST, MOST, Enroller, Enrolment
from stream.players.folder import PlayerFolder
from stream.players.player import TaughtPlayer
from stream.protocol.control import Teach
from stream.protocol.messages import Teaching, TeachingState
from stream.recognition.bundle import Bundle
from stream.recognition.classifier import Classifier
from stream.recognition.results import Result
from stream.service.line import Line
from stream.system.worker import Worker

ENOUGH: Final = 20.0
"""Sounding seconds with which it ends by itself, if the name is told apart reliably."""
_TRIAL: Final = 5.0
"""Sounding seconds from one trial to the next."""
_PATIENCE: Final = 120.0
"""Seconds without a sound after which nobody seems to come."""

_log = logging.getLogger(__name__)


@dataclass(eq=False)
class _Lesson:
    """What is known of the name that is being taught."""

    request: Teach
    name: str
    line: Line
    bundle: Bundle
    folder: PlayerFolder
    bank: Bank
    enroller: Enroller
    tried: float = 0.0
    """Sounding seconds at the last trial."""
    reliable: bool | None = None
    message: str | None = None
    is_trying: bool = False
    sounded: float = 0.0
    """Stream time of the last sound, in seconds."""
    is_over: bool = False

    @property
    def like(self) -> str | EllipsisType | None:
        """As `PlayerFolder.teach` takes it."""
        return None if self.request.apart else self.request.like or ...

    def told(self, state: TeachingState) -> Teaching:
        """Say how far it is."""
        enroller = self.enroller
        return Teaching(
            *(self.name, state, enroller.seconds, LEAST, MOST),
            *(enroller.taken_for, self.reliable, self.message),
            self.line.name,
        )


class NameTeaching:
    """Teaches a service one name after the other, while it goes on with everything else.

    Fitting takes seconds; it is done in a thread of its own. At ten sounding seconds, and every five later, it is tried
    how well the name is told apart. The first trial from `ENOUGH` seconds on that finds it reliable ends it, and what
    was tried is kept, so that it is as reliable as was told. At 60 seconds it ends in any case.

    Parameters
    ----------
    tell : callable
        Told how far it is.
    taught : callable
        Called when there is another file in the folder, so that it is used.
    """

    def __init__(self, tell: Callable[[Teaching], None], taught: Callable[[], Awaitable[None]]) -> None:
        self._tell, self._taught = tell, taught
        self._worker = Worker("teaching")
        self._lesson: _Lesson | None = None
        self._fitted: _Lesson | None = None  # what is not heard any more, until it is done
        self._is_beginning = False
        self._tasks: set[asyncio.Task[None]] = set()  # which nobody else keeps

    async def begin(self, request: Teach, line: Line, classifier: Classifier, folder: str | None) -> None:
        """Listen to a line from now on.

        Parameters
        ----------
        request : Teach
        line : Line
        classifier : Classifier
            That of the line's recognizer.
        folder : str or None
            Where names are kept.

        Raises
        ------
        ProtocolError
            When that cannot be.
        """
        if self._lesson is not None or self._is_beginning:
            of = "another name" if self._lesson is None else self._lesson.name
            raise _impossible(f"{of} is being taught now; let that end, or stop it")
        if self._fitted is not None:
            raise _impossible(f"{self._fitted.name} is being fitted now; try it again in a few seconds")
        if folder is None:
            raise _impossible("the setting players names no folder, in which the name would be kept")
        self._is_beginning = True
        try:
            enroller = Enroller(classifier, line.recognizer.time)
            bundle = classifier.bundle
            found, bank = await self._worker.submit(_open, folder, bundle)
            lesson = _Lesson(request, "", line, bundle, found, bank, enroller, sounded=line.recognizer.time)
            lesson.name = found.check(request.name, lesson.like)
        except SoloistError as error:
            raise _impossible(str(error)) from error
        finally:
            self._is_beginning = False
        self._lesson, line.listener = lesson, self._hear
        self._tell(lesson.told("listening"))

    def stop(self, discard: bool = False) -> None:
        """Be content with what was played so far, or keep nothing of it.

        Raises
        ------
        ProtocolError
            When nothing is being taught, or too little sounded.
        """
        lesson = self._lesson
        if lesson is None:
            raise _impossible("no name is being taught")
        if discard:
            self._end(lesson, "discarded", None)
        elif lesson.enroller.seconds < LEAST:
            raise _impossible(
                f"only {lesson.enroller.seconds:.1f} s of {lesson.name} have sounded; at least {LEAST:g} s are needed"
            )
        else:
            self._keep(lesson)

    def change(self, bundle: Bundle, lines: Collection[Line]) -> None:
        """Take note of the model and the lines that there are from now on; without its own, what was begun ends."""
        lesson = self._lesson
        if lesson is not None and bundle != lesson.bundle:
            self._end(lesson, "failed", "the model was changed meanwhile; teach it again")
        elif lesson is not None and lesson.line not in lines:
            self._end(lesson, "failed", "its line is gone; teach it again on another one")

    def close(self) -> None:
        """End the thread."""
        self._worker.close()
        for task in self._tasks:
            task.cancel()

    def _hear(self, result: Result) -> None:
        """Take in what a hop of the line brought."""
        lesson = self._lesson
        if lesson is None:
            return
        before = lesson.enroller.seconds
        lesson.enroller.take(result)
        seconds, time = lesson.enroller.seconds, result.estimate.time
        if result.estimate.state != "silence" or seconds > before:
            lesson.sounded = time
        if seconds > before:
            self._tell(lesson.told("listening"))
            if lesson.enroller.is_full:
                self._keep(lesson)
            elif seconds >= LEAST and seconds - lesson.tried >= _TRIAL and not lesson.is_trying:
                lesson.tried = seconds
                self._start(self._try(lesson, lesson.enroller.enrolment()))
        elif time - lesson.sounded > _PATIENCE:
            self._end(lesson, "failed", f"nothing sounded for {_PATIENCE:g} s")

    async def _try(self, lesson: _Lesson, enrolment: Enrolment) -> None:
        """See how well the name would be told apart."""
        lesson.is_trying = True
        try:
            judge = lesson.folder.judge
            found = await self._worker.submit(judge, lesson.name, enrolment, lesson.bank, lesson.like)
        finally:
            lesson.is_trying = False
        if not lesson.is_over:
            lesson.reliable, lesson.message = found.is_reliable, "; ".join(found.doubts()) or None
            self._tell(lesson.told("listening"))
            if found.is_reliable and enrolment.seconds >= ENOUGH:
                self._keep(lesson, enrolment)

    def _keep(self, lesson: _Lesson, enrolment: Enrolment | None = None) -> None:
        """Hear no more, and make the name of what was heard, or of what was tried of it."""
        lesson.is_over, self._lesson, lesson.line.listener = True, None, None
        self._fitted = lesson
        self._tell(lesson.told("fitting"))
        self._start(self._fit(lesson, enrolment or lesson.enroller.enrolment()))

    async def _fit(self, lesson: _Lesson, enrolment: Enrolment) -> None:
        try:
            player = await self._worker.submit(_teach, lesson, enrolment)
            await self._taught()
        except Exception as error:
            # Whatever it was: those who wait for the end are told that it is one.
            known = isinstance(error, SoloistError)
            lesson.reliable, lesson.message = None, str(error) if known else f"a fault of the service: {error!r}"
            self._tell(lesson.told("failed"))
            _log.warning("%s was not taught: %s", lesson.name, error, exc_info=not known)
            return
        finally:
            self._fitted = None
        found = player.reliability
        lesson.reliable, lesson.message = found.is_reliable, "; ".join(found.doubts()) or found.mistaken
        if lesson.name not in lesson.line.recognizer.lineup:
            hint = f"it is not in the line-up: add {lesson.name} to instruments, so that it is named"
            lesson.message = hint if lesson.message is None else f"{lesson.message}; {hint}"
        self._tell(lesson.told("done"))

    def _end(self, lesson: _Lesson, state: TeachingState, message: str | None) -> None:
        lesson.is_over, self._lesson, lesson.line.listener = True, None, None
        lesson.message = message
        self._tell(lesson.told(state))

    def _start(self, work: Awaitable[None]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            _log.error("teaching failed", exc_info=error)


def _open(folder: str, bundle: Bundle) -> tuple[PlayerFolder, Bank]:
    return PlayerFolder.read(Path(folder).expanduser(), bundle), load_bank(bundle)


def _teach(lesson: _Lesson, enrolment: Enrolment) -> TaughtPlayer:
    folder = PlayerFolder.read(lesson.folder.path, lesson.bundle)  # as it is by now
    return folder.teach(lesson.name, enrolment, lesson.bank, lesson.like)


def _impossible(message: str) -> ProtocolError:
    return ProtocolError("not-possible", message)
