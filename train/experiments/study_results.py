"""What the study found: every training with its scores, and the int8 model of every row, kept in study.json."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from stream.errors import ConfigError, SourceError
from train.atomic_file import write_atomically
from train.datasets.clips import SPLITS, Split
from train.datasets.corpus import Corpus
from train.evaluation.clip_metrics import Floats, class_average


@dataclass(frozen=True, slots=True)
class SplitScore:
    """How a model did on the clips of one split."""

    clips: int
    right: int
    class_average: float
    """Mean over the labels of the share that is right."""

    @property
    def accuracy(self) -> float:
        """Share of the clips that is right."""
        return self.right / self.clips

    @classmethod
    def of(cls, corpus: Corpus, logits: Floats) -> SplitScore:
        """Score logits [shape=(n, labels)] of a corpus that is not empty."""
        chosen = logits.argmax(axis=1)
        right = int((chosen == corpus.targets).sum())
        return cls(len(corpus), right, class_average(corpus.targets, chosen))


@dataclass(frozen=True, slots=True)
class Spread:
    """What several seeds came to."""

    mean: float
    deviation: float | None
    """Standard deviation, of the sample; None of a single seed."""
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        """Sum up one value or more."""
        deviation = float(np.std(values, ddof=1)) if len(values) > 1 else None
        return cls(math.fsum(values) / len(values), deviation, min(values), max(values))


@dataclass(frozen=True, slots=True)
class Training:
    """One row of the table, trained for one task with one seed; its scores are those of the float model."""

    task: str
    row: str
    seed: int
    best: int
    """Epoch that was kept, from 1."""
    epochs: int
    """Epochs that were trained."""
    seconds: float
    """Wall time, scores included."""
    scores: dict[Split, SplitScore]
    """Of the splits that have clips."""


@dataclass(frozen=True, slots=True)
class Int8Figures:
    """The int8 model of a row, made of its training with the lowest seed."""

    task: str
    row: str
    seed: int
    parameters: int
    """Weights of the float model, those that are not trained included."""
    size: int
    """Bytes of the .tflite file."""
    test: SplitScore | None
    """None without test clips."""
    milliseconds: float | None = None
    """Median of an inference on one thread; None as long as it was not measured."""


@dataclass(frozen=True, slots=True)
class TaskClips:
    """The clips of a task."""

    labels: tuple[str, ...]
    digest: str
    """Of the features of all splits."""
    clips: dict[Split, tuple[int, ...]]
    """Number of clips of each label."""
    recordings: dict[Split, int]
    """Number of recordings, or of combinations of sources where clips are composed."""

    @classmethod
    def of(cls, corpora: Mapping[Split, Corpus]) -> TaskClips:
        """Count the clips of a task."""
        labels = corpora["training"].labels
        return cls(
            labels,
            " ".join(corpora[split].digest[:16] for split in SPLITS),
            {s: tuple(np.bincount(corpora[s].targets, minlength=len(labels)).tolist()) for s in SPLITS},
            {s: len({clip.recording for clip in corpora[s].clips}) for s in SPLITS},
        )


@dataclass(slots=True)
class Study:
    """All that stands in a folder's study.json."""

    settings: dict[str, Any]
    """How every training was done, as json takes it."""
    data: str
    """What the clips are."""
    kind: str
    """`train.data_settings.DataSettings.kind` of it."""
    materials: dict[str, TaskClips] = field(default_factory=dict)
    """By task."""
    trainings: list[Training] = field(default_factory=list)
    compacts: list[Int8Figures] = field(default_factory=list)

    @property
    def tasks(self) -> list[str]:
        """Tasks that something was trained for, in the order of their names."""
        return sorted({training.task for training in self.trainings})

    def of(self, task: str, row: str) -> list[Training]:
        """Trainings of a row for a task, by seed."""
        found = [training for training in self.trainings if (training.task, training.row) == (task, row)]
        return sorted(found, key=lambda training: training.seed)

    def rows(self, task: str) -> list[str]:
        """Rows that were trained for a task, in the order in which they came."""
        return list(dict.fromkeys(training.row for training in self.trainings if training.task == task))

    def compact(self, task: str, row: str) -> Int8Figures | None:
        """Return the int8 model of a row."""
        return next((model for model in self.compacts if (model.task, model.row) == (task, row)), None)

    def spread(self, task: str, row: str, split: Split, figure: str) -> Spread | None:
        """Sum up `accuracy` or `class_average` over the seeds; None where the split has no clips."""
        scores = [training.scores[split] for training in self.of(task, row) if split in training.scores]
        return Spread.of([getattr(score, figure) for score in scores]) if scores else None

    def save(self, path: Path) -> None:
        """Write the file whole or not at all; SourceError where it cannot be."""
        write_atomically(path, (json.dumps(asdict(self), indent=1, ensure_ascii=False) + "\n").encode())


def load_study(path: Path, fresh: Study) -> Study:
    """Read a study, if there is one, to go on with it.

    Parameters
    ----------
    path : Path
        A file of `Study.save`.
    fresh : Study
        What is returned where there is no such file.

    Raises
    ------
    ConfigError
        When it was done with other settings than the fresh one has; the text says which differ.
    SourceError
        When it cannot be read.
    """
    if not path.exists():
        return fresh
    try:
        found = _from_record(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise SourceError(f"cannot read the study {path}: {error!r}") from error
    wanted = json.loads(json.dumps(fresh.settings))
    changed = [
        f"{key} {found.settings[key]!r}, now {value!r}"
        for key, value in wanted.items()
        if found.settings.get(key, value) != value  # a row that was not in it before is none of the differences
    ]
    if changed:
        raise ConfigError(
            f"{path.parent} holds a study with other settings ({'; '.join(changed)}); give another folder, or remove it"
        )
    found.settings |= wanted
    return found


def _from_record(record: dict[str, Any]) -> Study:
    def score(entry: dict[str, Any] | None) -> SplitScore | None:
        return SplitScore(**entry) if entry else None

    materials = {
        task: TaskClips(
            tuple(entry["labels"]),
            entry["digest"],
            {split: tuple(counts) for split, counts in entry["clips"].items()},
            entry["recordings"],
        )
        for task, entry in record["materials"].items()
    }
    trainings = [
        Training(**{**entry, "scores": {split: SplitScore(**found) for split, found in entry["scores"].items()}})
        for entry in record["trainings"]
    ]
    compacts = [Int8Figures(**{**entry, "test": score(entry["test"])}) for entry in record["compacts"]]
    return Study(record["settings"], record["data"], record["kind"], materials, trainings, compacts)
