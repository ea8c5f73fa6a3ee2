"""What clients ask that changes the running service, and whom it concerns."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from stream.errors import ProtocolError
from stream.protocol.control import (
    CheckLines,
    ControlRequest,
    DiscardSettings,
    GetSettings,
    KeepSettings,
    StopChecking,
    StopTeaching,
    Teach,
    TrySettings,
)
from stream.protocol.messages import Message

if TYPE_CHECKING:
    from stream.service.checking import LineChecking
    from stream.service.controlled import Controlled
    from stream.service.teaching import NameTeaching
    from stream.service.tried_settings import TriedSettings
    from stream.settings.reading import Reading


T = TypeVar("T")


class ServiceControl:
    """Does what clients ask, one thing after the other.

    Parameters
    ----------
    service : Controlled
    read : callable, optional
        Reads what flags, variables and the file of the settings say now.
    """

    def __init__(self, service: Controlled, read: Callable[[], Reading] | None = None) -> None:
        self._service = service
        self._read = read
        self._settings: TriedSettings | None = None
        self._telling: set[asyncio.Task[Any]] = set()  # which nobody else keeps, and so those that change something
        self._changing: set[asyncio.Task[Any]] = set()
        self._teaching: NameTeaching | None = None
        self._checking: LineChecking | None = None

    async def take(self, request: ControlRequest) -> Sequence[Message]:
        """Do what a client asks, and return what it alone is answered.

        Raises
        ------
        ProtocolError
            With code `not-possible`, and why.
        """
        match request:
            case Teach():
                await self._teach(request)
            case StopTeaching():
                if self._teaching is None:
                    raise ProtocolError("not-possible", "no name is being taught")
                self._teaching.stop(request.discard)
            case GetSettings():
                return [await self._tried.look()]
            case TrySettings():
                return [await self._whole(self._tried.attempt(request))]
            case KeepSettings():
                kept = await self._whole(self._tried.keep())
                self.change_settings()
                return [kept]
            case DiscardSettings():
                return [await self._whole(self._tried.discard())]
            case CheckLines():
                self._check_lines().begin()
            case StopChecking():
                self._check_lines().stop()
        return []

    def change_model(self) -> None:
        """Take note that the service may have another model."""
        if self._teaching is not None:
            self._teaching.change(self._service.classifier.bundle, self._service.lines)
        if self._checking is not None:
            self._checking.change_model()

    def change_settings(self) -> None:
        """Tell those who subscribe to it that settings may be others now, once anybody has asked for them."""
        if self._settings is not None and not self._telling:
            self._begin(self._tell_settings(self._settings), self._telling)

    def close(self) -> None:
        """End what was begun."""
        for task in self._telling | self._changing:
            task.cancel()
        if self._settings is not None:
            self._settings.close()
        if self._teaching is not None:
            self._teaching.close()
        if self._checking is not None:
            self._checking.close()

    @property
    def _tried(self) -> TriedSettings:
        from stream.service.tried_settings import TriedSettings  # most services are never asked

        if self._settings is None:
            self._settings = TriedSettings(self._service, self._read)
        return self._settings

    async def _whole(self, change: Coroutine[Any, Any, T]) -> T:
        """Do something to its end, though the client that asks for it may leave meanwhile."""
        return await asyncio.shield(self._begin(change, self._changing))

    def _begin(self, work: Coroutine[Any, Any, T], tasks: set[asyncio.Task[Any]]) -> asyncio.Task[T]:
        task = asyncio.get_running_loop().create_task(work)
        tasks.add(task)
        task.add_done_callback(tasks.discard)
        task.add_done_callback(lambda done: done.cancelled() or done.exception())  # for which nobody may wait any more
        return task

    async def _tell_settings(self, tried: TriedSettings) -> None:
        self._service.events.publish(await tried.now())

    async def _teach(self, request: Teach) -> None:
        from stream.service.teaching import NameTeaching  # most services are never taught

        service = self._service
        if self._teaching is None:
            self._teaching = NameTeaching(service.events.publish, self._use_names)
        line = next((it for it in service.lines if it.name == request.line), None)
        if line is None:
            raise ProtocolError("not-possible", f"there is no line {request.line}")
        await self._teaching.begin(request, line, service.classifier, service.settings.recognition.players)

    def _check_lines(self) -> LineChecking:
        from stream.service.checking import LineChecking  # most services are never checked

        if self._checking is None:
            self._checking = LineChecking(self._service, self._service.events.publish)
        return self._checking

    async def _use_names(self) -> None:
        """Have all lines name what is in the folder by now."""
        await self._service.reload()
