"""A second opening of an input, which takes the place of the first without a moment in which nothing is heard."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from stream.audio.source import Source
from stream.system.worker import Worker


class Successor:
    """Opens an input once more beside the source that is heard, and keeps it until it delivers.

    A sound server lets an input be recorded any number of times. Some of its inputs deliver their first audio two
    seconds after they were opened: so long the other one is heard.

    Parameters
    ----------
    worker : Worker
        In whose thread inputs are opened and closed.
    """

    def __init__(self, worker: Worker) -> None:
        self._worker = worker
        self._opening: asyncio.Future[Source] | None = None

    def open(self, open_source: Callable[[], Source]) -> None:
        """Begin to open it, in place of one that has not delivered yet."""
        self.drop()
        self._opening = self._worker.submit(open_source)

    def take(self) -> Source | None:
        """Return it when it delivers, which ends its time here; what it has delivered until now is left out."""
        opening = self._opening
        if opening is None or not opening.done():
            return None
        if opening.exception() is not None:  # that will be told when the source itself is lost
            self._opening = None
            return None
        if not opening.result().queue.deliveries:
            return None
        self._opening = None
        opening.result().queue.clear()  # the one before has delivered that, too
        return opening.result()

    def drop(self) -> None:
        """Give it back, as soon as it is open."""
        if self._opening is not None:
            self._opening.add_done_callback(self._release)
            self._opening = None

    def _release(self, opened: asyncio.Future[Source]) -> None:
        if not opened.cancelled() and opened.exception() is None:
            self._worker.submit(opened.result().close)
