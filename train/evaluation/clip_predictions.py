"""What the service's own recognizer says of clips: one window each, through level gate, features and int8 model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import numpy.typing as npt
from tqdm import tqdm

from stream.errors import SourceError
from stream.recognition.bundle import UNKNOWN, Bundle
from stream.recognition.classifier import Classifier
from stream.recognition.mel import SAMPLE_RATE, WINDOW, Array
from stream.recognition.recognizer import Recognizer
from train.datasets.clips import Clip, Dataset
from train.datasets.corpus import Skipped
from train.worker_pool import WorkerPool

Probabilities = npt.NDArray[np.float64]
Prediction = tuple[Probabilities, bool]
Job = tuple[int, Bundle, tuple[Clip, ...]]

_CHUNK: Final = 32


@dataclass(frozen=True, slots=True, eq=False)
class ClipPredictions:
    """Clips that the service heard."""

    labels: tuple[str, ...]
    """All that the bundle can name, in its order, and `unknown` last where it is one of its outputs."""
    clips: tuple[Clip, ...]
    probabilities: Probabilities
    """Calibrated, before smoothing [shape=(n, labels)]; zeros for a silent clip."""
    silent: npt.NDArray[np.bool_]
    """Which clips the recognizer calls silence, so that no model judged them [shape=(n,)]."""
    skipped: tuple[Skipped, ...]
    """Clips that could not be read."""

    def within(self, lineup: Sequence[str]) -> ClipPredictions:
        """Leave the labels of a line-up, and put all others together as `unknown`."""
        if self.labels in (tuple(lineup), (*lineup, UNKNOWN)):
            return self
        probable = self.probabilities[:, [self.labels.index(label) for label in lineup]]
        unknown = np.where(self.silent, 0.0, np.maximum(0.0, 1 - probable.sum(axis=1)))
        return replace(self, labels=(*lineup, UNKNOWN), probabilities=np.column_stack([probable, unknown]))


def predict_clips(
    bundle: Bundle, dataset: Dataset, clips: Sequence[Clip], processes: int = 1, *, progress: bool = True
) -> ClipPredictions:
    """Let the service's recognizer hear clips, each as the first window of a stream of its own.

    Parameters
    ----------
    bundle : Bundle
        The model.
    dataset : Dataset
        Where the audio of the clips comes from. It is sent to the other processes.
    clips : sequence of Clip
        Clips of it, in the order of the result.
    processes : int
        How many share the work; the result does not depend on it.
    progress : bool
        Whether to show a bar where standard error is a terminal.

    Returns
    -------
    ClipPredictions
        Clips that cannot be read are not among its clips, but in its list of skipped ones.

    Raises
    ------
    ConfigError
        If a process dies.
    """
    jobs: list[Job] = [(at, bundle, tuple(clips[at : at + _CHUNK])) for at in range(0, len(clips), _CHUNK)]
    told: dict[int, list[Prediction | str]] = {}
    with (
        WorkerPool(dataset, processes) as pool,
        tqdm(total=len(clips), desc="recognize", unit="clip", disable=None if progress else True) as bar,
    ):
        for start, part in pool.run(_predict, jobs):
            told[start] = part
            bar.update(len(part))
    outcomes = [outcome for start in sorted(told) for outcome in told[start]]
    predictions = [
        (clip, *outcome) for clip, outcome in zip(clips, outcomes, strict=True) if not isinstance(outcome, str)
    ]
    skipped = [Skipped(clip, text) for clip, text in zip(clips, outcomes, strict=True) if isinstance(text, str)]
    labels = (*bundle.instruments, *([UNKNOWN] if UNKNOWN in bundle.labels else []))
    return ClipPredictions(
        labels,
        tuple(clip for clip, _, _ in predictions),
        np.array([row for _, row, _ in predictions], np.float64).reshape(len(predictions), len(labels)),
        np.array([quiet for _, _, quiet in predictions], bool),
        tuple(skipped),
    )


class WindowRecognizer:
    """The service's recognizer, for one window at a time.

    Parameters
    ----------
    bundle : Bundle
    """

    def __init__(self, bundle: Bundle) -> None:
        self._classifier = Classifier(bundle)
        self._unknown = UNKNOWN in bundle.labels

    def __call__(self, audio: Array) -> Prediction:
        """Hear one window.

        Parameters
        ----------
        audio : np.ndarray [shape=(65536,), dtype=float32]
            Mono audio at 22 050 Hz.

        Returns
        -------
        probabilities : np.ndarray [shape=(labels,), dtype=float64]
            Raw ones of the instruments, and what is missing to 1 for `unknown` where the model has it; zeros in
            silence.
        silent : bool
            Whether the recognizer calls the window silence.
        """
        (result,) = Recognizer(self._classifier, hop=WINDOW / SAMPLE_RATE).feed(audio)
        # All that the model tells, whatever its line-up; what no model judged, such as a steady tone, is all zeros.
        raw = (
            list(result.estimate.raw.values()) if result.inference is None else result.inference.probabilities.tolist()
        )
        silent = result.estimate.state == "silence"
        if self._unknown:
            raw.append(0.0 if silent else max(0.0, 1.0 - sum(raw)))
        return np.array(raw), silent


def _predict(dataset: Dataset, job: Job) -> tuple[int, list[Prediction | str]]:
    """Probabilities of the clips of a job, or the reasons why there are none, and where they belong."""
    start, bundle, clips = job
    listener = WindowRecognizer(bundle)
    outcomes: list[Prediction | str] = []
    for clip in clips:
        try:
            audio = dataset.audio(clip)
        except SourceError as error:
            outcomes.append(str(error))
        else:
            outcomes.append(listener(audio))
    return start, outcomes
