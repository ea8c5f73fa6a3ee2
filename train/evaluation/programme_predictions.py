"""What the service's recognizer tells of programmes, hop by hop, and what other smoothing would make of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import numpy.typing as npt

from stream.recognition.bundle import Bundle
from stream.recognition.classifier import Classifier
from stream.recognition.recognizer import Recognizer
from stream.recognition.smoothing import Probabilities, Smoother
from train.compose.programmes import Interval, Programme, Programmes
from train.worker_pool import WorkerPool

NO_INSTRUMENT: Final = "nobody"
"""What stands for `unknown` and `silence` in scores: a change from one to the other is none of the label."""

_SOLO: Final = "solo"

Job = tuple[Bundle, str, int]


@dataclass(frozen=True, slots=True, eq=False)
class ProgrammePredictions:
    """What the recognizer told of a programme, hop by hop from the first full window on."""

    truth: tuple[Interval, ...]
    times: npt.NDArray[np.float64]
    """When it told, in seconds: the window's end [shape=(n,)]."""
    raw: Probabilities
    """Before smoothing; zeros in silence [shape=(n, instruments)]."""
    silent: npt.NDArray[np.bool_]
    """Where the level gate called it silence [shape=(n,)]."""
    names: tuple[str, ...]
    """What was told: an instrument, or `NO_INSTRUMENT`."""
    confidences: npt.NDArray[np.float64]
    """Of that; 1 in silence [shape=(n,)]."""
    sounds: tuple[Interval, ...] = ()
    """What really sounds, where the programme tells it more closely than its truth."""


def predict_programmes(
    bundle: Bundle, programmes: Programmes, count: int, solos: int, processes: int = 1, *, first: int = 0
) -> tuple[list[ProgrammePredictions], list[ProgrammePredictions]]:
    """Let the service's recognizer hear programmes and solos.

    Parameters
    ----------
    bundle : Bundle
        The model.
    programmes : Programmes
        What makes them. It is sent to the other processes.
    count, solos : int
        How many programmes, and how many minutes of one player.
    processes : int
        How many share the work; the result does not depend on it.
    first : int
        Number of the first programme, and of the first solo.

    Returns
    -------
    programmes, solos : list of ProgrammePredictions

    Raises
    ------
    SourceError
        If a recording or a clip cannot be read.
    ConfigError
        If a process dies.
    """
    jobs: list[Job] = [(bundle, "programme", first + number) for number in range(count)]
    jobs += [(bundle, _SOLO, first + number) for number in range(solos)]
    heard: dict[tuple[str, int], ProgrammePredictions] = {}
    with WorkerPool(programmes, processes) as pool:
        heard.update(pool.run(_predict, jobs))
    ordered = [heard[job[1:]] for job in jobs]
    return ordered[:count], ordered[count:]


def predict_rows(
    bundle: Bundle, programmes: Programmes, numbers: Sequence[int], processes: int = 1, *, solos: bool = False
) -> Iterator[tuple[int, ProgrammePredictions]]:
    """Let the service's recognizer hear some programmes, or minutes of one player, and yield each when it has.

    Parameters
    ----------
    numbers : sequence of int
        Which.
    solos : bool
        Whether to hear one player a minute long.
    bundle, programmes, processes
        As for `predict_programmes`, and so are the errors.
    """
    jobs: list[Job] = [(bundle, _SOLO if solos else "programme", number) for number in numbers]
    with WorkerPool(programmes, processes) as pool:
        for (_, number), heard in pool.run(_predict, jobs):
            yield number, heard


def predict_programme(bundle: Bundle, programme: Programme) -> ProgrammePredictions:
    """Let the service's recognizer hear a programme.

    Parameters
    ----------
    bundle : Bundle
    programme : Programme
        At least a window long.
    """
    told = [result.estimate for result in Recognizer(Classifier(bundle)).feed(programme.audio)]
    told = [label for label in told if label.state != "warming"]
    silent = np.array([label.state == "silence" for label in told])
    confidences = np.array([label.confidence for label in told])
    return ProgrammePredictions(
        programme.truth,
        np.array([label.time for label in told]),
        np.array([list(label.raw.values()) for label in told]),
        silent,
        tuple(label.label or NO_INSTRUMENT for label in told),
        np.where(silent, 1.0, confidences),
        programme.sounds,
    )


def smooth_again(
    prediction: ProgrammePredictions, instruments: Sequence[str], smoother: Smoother
) -> ProgrammePredictions:
    """Smooth what was heard once more, by other rules.

    Parameters
    ----------
    prediction : ProgrammePredictions
    instruments : sequence of str
        Names of the probabilities.
    smoother : Smoother
        What decides; it is reset first.

    Returns
    -------
    ProgrammePredictions
        As if the recognizer had had that smoother.
    """
    smoother.reset()
    names, confidences = [], []
    hops = np.diff(prediction.times, prepend=2 * prediction.times[0] - prediction.times[1])
    for raw, silent, elapsed in zip(prediction.raw, prediction.silent, hops, strict=True):
        if silent or not raw.any():  # a steady tone, which no model judges
            smoother.reset()
            names.append(NO_INSTRUMENT)
            confidences.append(1.0)
            continue
        average, named = smoother.update(raw, float(elapsed))
        names.append(NO_INSTRUMENT if named is None else instruments[named])
        confidences.append(1 - float(average.sum()) if named is None else float(average[named]))
    return replace(prediction, names=tuple(names), confidences=np.array(confidences))


def _predict(programmes: Programmes, job: Job) -> tuple[tuple[str, int], ProgrammePredictions]:
    bundle, kind, number = job
    programme = programmes.solo(number) if kind == _SOLO else programmes.programme(number)
    return (kind, number), predict_programme(bundle, programme)
