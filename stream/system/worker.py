"""A thread for what may take long or hang, such as a sound server that does not answer."""

from __future__ import annotations

import asyncio
import contextlib
import queue
import threading
from collections.abc import Callable
from typing import Any, TypeVar

T = TypeVar("T")


class Worker:
    """Runs one function after the other in a thread of its own, which never keeps the process from ending.

    Python waits for the threads of `ThreadPoolExecutor` and `asyncio.to_thread` when it ends, however long they hang.

    Parameters
    ----------
    name : str
        Of the thread.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._jobs: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None

    def submit(self, function: Callable[..., T], *arguments: Any) -> asyncio.Future[T]:
        """Run a function after all that were submitted before.

        Returns
        -------
        Future
            What the function returns or raises. To cancel it does not stop the function.
        """
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()
        future.add_done_callback(lambda it: it.cancelled() or it.exception())  # which nobody may wait for any more

        def settle(set_outcome: Callable[[Any], None], value: object) -> None:
            if not future.done():
                set_outcome(value)

        def job() -> None:
            outcome: tuple[Callable[[Any], None], object]
            try:
                outcome = (future.set_result, function(*arguments))
            except Exception as error:
                outcome = (future.set_exception, error)
            with contextlib.suppress(RuntimeError):  # the loop may be gone by now
                loop.call_soon_threadsafe(settle, *outcome)

        self._jobs.put(job)
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name=self._name, daemon=True)
            self._thread.start()
        return future

    def close(self) -> None:
        """Let the thread end when all that was submitted is done."""
        self._jobs.put(None)

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            job()
