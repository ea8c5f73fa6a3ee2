"""Several files through the live recognizer at once, each in a thread with an interpreter of its own."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from threading import Event, local
from typing import Any, Final

from stream.errors import SoloistError
from stream.recognition.classifier import Classifier
from stream.service.offline import FileTimeline, classify

_AHEAD: Final = 4  # files for each thread that may be done, or at work, before the first of them is taken


def classify_all(
    paths: Sequence[str | Path], make: Callable[[], Classifier], jobs: int, **options: Any
) -> Generator[FileTimeline | SoloistError]:
    """Recognize what is in files.

    Parameters
    ----------
    paths : sequence of str or path
    make : callable
        Makes a classifier, for each thread one.
    jobs : int
        Threads at the most.
    **options
        As for `stream.service.offline.classify`.

    Yields
    ------
    FileTimeline or SoloistError
        Of each file what was heard, or why nothing could be, in the order of the files. What is heard does not depend
        on the number of threads.
    """
    own, is_over = local(), Event()

    def hear(path: str | Path) -> FileTimeline | SoloistError:
        try:
            if not hasattr(own, "classifier"):
                own.classifier = make()
            return classify(path, own.classifier, is_over=is_over.is_set, **options)
        except SoloistError as error:
            return error

    rest = iter(paths)
    threads = min(jobs, len(paths))
    with ThreadPoolExecutor(max(1, threads), "classify") as executor:
        try:
            waiting: deque[Future[FileTimeline | SoloistError]] = deque(
                executor.submit(hear, path) for path in islice(rest, _AHEAD * threads)
            )
            while waiting:
                yield waiting.popleft().result()
                waiting.extend(executor.submit(hear, path) for path in islice(rest, 1))
        finally:
            is_over.set()  # whoever does not want the rest need not wait for it
            executor.shutdown(wait=False, cancel_futures=True)
