"""Worker processes for what they share, mostly a data set: started when there is enough to do, gone with the parent."""

from __future__ import annotations

import importlib
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from itertools import islice
from types import TracebackType
from typing import Any, Final, Generic, TypeVar

from threadpoolctl import threadpool_limits

from stream.errors import ConfigError
from stream.system.stderr import quiet_stderr

Shared = TypeVar("Shared")
Job = TypeVar("Job")
Result = TypeVar("Result")

_QUEUED_PER_PROCESS: Final = (
    3  # jobs handed out per process: enough that none waits, few enough that results do not pile up
)

_shared: Any  # of this worker process


class WorkerPool(Generic[Shared]):
    """Runs jobs on something shared, mostly a data set, in this process or in several; use it in a `with` statement.

    Parameters
    ----------
    shared : object
        Handed to every process once.
    processes : int
        Worker processes; 1 runs everything in this process.
    """

    def __init__(self, shared: Shared, processes: int) -> None:
        self._shared = shared
        self._processes = processes
        self._pool: ProcessPoolExecutor | None = None

    def __enter__(self) -> WorkerPool[Shared]:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._pool:
            self._pool.shutdown(cancel_futures=True)

    def run(self, work: Callable[[Shared, Job], Result], jobs: Sequence[Job]) -> Iterator[Result]:
        """Run jobs.

        Parameters
        ----------
        work : callable
            A module's function of what is shared and one job.
        jobs : sequence
            What to do.

        Yields
        ------
        result
            Whatever `work` returns, in the order in which jobs are done.

        Raises
        ------
        ConfigError
            If a process dies.
        """
        # The first job is done here: what a data set prepares on first use (composed clips: the decoded recordings)
        # is then there for all workers, and a single job is not worth starting any.
        alone = jobs if self._processes < 2 or len(jobs) < 3 else jobs[:1]
        for job in alone:
            yield _run_job(work, self._shared, job)
        rest = iter(jobs[len(alone) :])
        running: set[Future[Result]] = set()
        try:
            while True:
                for job in islice(rest, _QUEUED_PER_PROCESS * self._processes - len(running)):
                    running.add(self._workers().submit(_run_on_shared, work, job))
                if not running:
                    return
                done, running = wait(running, return_when=FIRST_COMPLETED)
                for future in done:
                    yield future.result()
        except BrokenProcessPool as error:
            raise ConfigError(
                f"one of {self._processes} worker processes died, most likely for want of memory: "
                "run the command again with fewer processes"
            ) from error

    def _workers(self) -> ProcessPoolExecutor:
        if not self._pool:
            # Spawned, not forked: the parent may have TensorFlow's threads.
            context = multiprocessing.get_context("spawn")
            self._pool = ProcessPoolExecutor(self._processes, context, _start, (self._shared,))
        return self._pool


def _start(shared: object) -> None:
    """Begin a worker process."""
    global _shared
    _shared = shared
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, which ends its workers
    threading.Thread(target=end_with_parent, daemon=True).start()


def end_with_parent() -> None:
    """End with the parent, also when it is killed: nobody else would tell a worker that waits for jobs."""
    if parent := multiprocessing.parent_process():
        parent.join()
        os._exit(1)


def _run_on_shared(work: Callable[[Any, Any], Result], job: Any) -> Result:
    return _run_job(work, _shared, job)


def _run_job(work: Callable[[Shared, Job], Result], shared: Shared, job: Job) -> Result:
    """Do a job with one BLAS thread.

    Another number rounds otherwise, which moves one value in millions by a step, and threads that wait for the next of
    these small matrices spin: five times the work.
    """
    with threadpool_limits(1, "blas"):
        return work(shared, job)


def import_and_call(module: str, function: str, *arguments: Any) -> None:
    """Import a module without what its libraries say about themselves, and call a function of it.

    For the start of a process that TensorFlow is to run in, which would tell of every library that it does not find.
    """
    with quiet_stderr():
        imported = importlib.import_module(module)
    getattr(imported, function)(*arguments)
