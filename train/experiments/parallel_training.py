"""Worker processes that train one network each, on one thread each, so that their number changes no result."""

from __future__ import annotations

import logging
import multiprocessing
import signal
import statistics
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from typing import Final

import numpy as np
import tensorflow as tf
from threadpoolctl import threadpool_limits

from stream.errors import ConfigError
from stream.recognition.interpreter import Interpreter
from stream.recognition.mel import stack
from train.datasets.clip_features import decibels
from train.datasets.corpus import Corpora
from train.evaluation.network_logits import network_logits
from train.experiments.study_results import Int8Figures, SplitScore, Training
from train.export.int8 import Features, Int8Model, convert_to_int8
from train.fitting.fit import fit
from train.fitting.schedule import Schedule
from train.networks.architectures import Network
from train.worker_pool import end_with_parent, import_and_call

_REPRESENTATIVE: Final = 200  # training clips that the ranges of the int8 model are measured on
_WARM_UP: Final = 20  # inferences that are not counted
_INFERENCES: Final = 300


_corpora: Mapping[str, Corpora]  # of this worker process, by task


@dataclass(frozen=True, slots=True)
class TrainingJob:
    """A network to train."""

    task: str
    row: str
    """Its name in the table."""
    variant: Network
    channels: tuple[str, ...]
    schedule: Schedule
    """How, with the seed."""
    compact: bool
    """Whether to make an int8 model of it, too."""


@dataclass(frozen=True, slots=True)
class TrainingResult:
    """What came of it."""

    training: Training
    compact: Int8Figures | None
    content: bytes
    """The .tflite file; empty if there is none."""


def train_in_parallel(
    jobs: Sequence[TrainingJob], corpora: Mapping[str, Corpora], processes: int
) -> Iterator[TrainingResult]:
    """Train networks.

    Every training runs on one thread of a process that does nothing else. Two of them finish sooner than one after the
    other on two threads, and a sum on one thread is always done in the same order.

    Parameters
    ----------
    jobs : sequence of TrainingJob
        What to train.
    corpora : mapping
        Clips of each task and split.
    processes : int
        How many at a time.

    Yields
    ------
    TrainingResult
        In the order in which they are done, whatever that is.

    Raises
    ------
    ConfigError
        If a process dies.
    """
    if not jobs:
        return
    # Spawned, not forked: this process may have TensorFlow's threads.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(
        min(processes, len(jobs)), context, import_and_call, (__name__, "_start", dict(corpora))
    ) as pool:
        try:
            for future in as_completed([pool.submit(_run, job) for job in jobs]):
                yield future.result()
        except BrokenProcessPool as error:
            raise ConfigError(
                f"one of {processes} training processes died, most likely for want of memory; "
                "what is done is kept: run the command again with fewer processes"
            ) from error
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def inference_milliseconds(content: bytes, features: Features, channels: Sequence[str]) -> float:
    """Measure an int8 model in the service's interpreter.

    Parameters
    ----------
    content : bytes
        The .tflite file.
    features : np.ndarray [shape=(n, 129, 129), dtype=uint8]
        Some clips.
    channels : sequence of str
        The model's input channels.

    Returns
    -------
    float
        Median of an inference on one thread, in milliseconds; features are not part of it.
    """
    interpreter = Interpreter(content)
    inputs = [interpreter.input.quantize(stack(decibels(clip), channels)) for clip in features]
    times = []
    for number in range(_WARM_UP + _INFERENCES):
        started = time.perf_counter()
        interpreter(inputs[number % len(inputs)])
        times.append(time.perf_counter() - started)
    return 1000 * statistics.median(times[_WARM_UP:])


def _start(corpora: Mapping[str, Corpora]) -> None:
    """Begin a worker process, before TensorFlow has made its threads."""
    global _corpora
    _corpora = corpora
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C in the terminal ends it in the middle of an epoch
    threading.Thread(target=end_with_parent, daemon=True).start()
    threadpool_limits(1, "blas")  # for the int8 model, whose rounding takes four times the work where threads wait
    tf.get_logger().setLevel(logging.ERROR)  # every new network is another function to it, which it warns of
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    for device in tf.config.list_physical_devices("GPU"):
        tf.config.experimental.set_memory_growth(device, True)  # or the first process would take all of it


def _run(job: TrainingJob) -> TrainingResult:
    started = time.perf_counter()
    corpora = _corpora[job.task]
    training = corpora["training"]
    fitted = fit(job.variant, training, corpora["validation"], job.schedule, channels=job.channels)
    scores = {
        split: SplitScore.of(corpus, network_logits(fitted.model, corpus, job.channels))
        for split, corpus in corpora.items()
        if len(corpus)
    }
    content, compact = b"", None
    if job.compact:
        rows = np.linspace(0, len(training) - 1, min(len(training), _REPRESENTATIVE)).astype(int)
        content = convert_to_int8(fitted.model, training.features(rows), job.channels)
        test = corpora["test"]
        compact = Int8Figures(
            job.task,
            job.row,
            job.schedule.seed,
            fitted.model.count_params(),
            len(content),
            SplitScore.of(test, Int8Model(content, job.channels).logits(test.features())) if len(test) else None,
        )
    seconds = round(time.perf_counter() - started, 2)
    done = Training(job.task, job.row, job.schedule.seed, fitted.best, len(fitted.history), seconds, scores)
    return TrainingResult(done, compact, content)
