"""The study again: every published row trained with several seeds for the tasks of two, three and four instruments."""

from __future__ import annotations

import logging
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final

from tqdm import tqdm
from tqdm.contrib.logging import logging_redirect_tqdm

from stream.errors import ConfigError, SourceError
from stream.recognition.mel import CHANNELS
from train.atomic_file import write_atomically
from train.data_settings import DataSettings
from train.datasets import medley
from train.datasets.clips import Array, Clip, Dataset, Split
from train.datasets.corpus import Corpora, extract
from train.datasets.labels import INSTRUMENTS, TASKS
from train.datasets.training_checks import require_clips, require_trainable
from train.experiments import parallel_training, study_results, study_table
from train.experiments.parallel_training import TrainingJob, TrainingResult
from train.experiments.study_results import Study, TaskClips
from train.fitting.schedule import Schedule
from train.framework_versions import framework_versions
from train.networks.published import VARIANTS, Variant

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class StudyRow:
    """A line of the table."""

    variant: Variant
    channels: tuple[str, ...] = ("mel",)
    """What the network hears, as for `stream.recognition.mel.stack`."""


ROWS: Final = {
    **{name: StudyRow(variant) for name, variant in VARIANTS.items()},
    # Whether another feature beside the mel is worth its cost.
    "2B + delta": StudyRow(VARIANTS["2B"], CHANNELS),
}
"""The lines by name: the published ones, and what is compared with them."""

SCHEDULE: Final = Schedule(
    epochs=8, batch=16, rate=1e-3, decay=1e-4, smoothing=0.0, patience=3, augmented=False, average=0.0
)
"""How each row is trained; `seed` is the first of the seeds. As plain as the study's: nothing but its clips."""

CLIPS_PER_INSTRUMENT: Final[dict[Split, int]] = {**medley.STUDY_CLIPS, "test": medley.STUDY_CLIPS["validation"]}
"""Clips of an instrument on average where clips are composed: the study's numbers, and a test besides."""

# Clips of a smaller task are clips of this one, which spares composing others and puts the tasks on the same ground.
_NESTED: Final = {"2": "4", "3": "4"}


@dataclass(frozen=True)
class _LabelSubset:
    """Clips of some labels of a data set; implements `clips.Dataset`."""

    whole: Dataset
    labels: tuple[str, ...]

    @property
    def name(self) -> str:
        return self.whole.name

    @property
    def clips(self) -> tuple[Clip, ...]:
        return tuple(clip for clip in self.whole.clips if clip.label in self.labels)

    @property
    def digest(self) -> str:
        return self.whole.digest

    def audio(self, clip: Clip) -> Array:
        return self.whole.audio(clip)


def run_study(
    data: DataSettings,
    cache: Path,
    out: Path,
    *,
    tasks: Sequence[str] = ("2", "3", "4"),
    rows: Sequence[str] = tuple(ROWS),
    seeds: int = 3,
    schedule: Schedule = SCHEDULE,
    each: Mapping[Split, int] = CLIPS_PER_INSTRUMENT,
    processes: int = 2,
    progress: bool = True,
) -> Study:
    """Train rows of the table for tasks of the study, and write ``study.json``, ``study.md`` and ``study.csv``.

    Each training is saved when it is done. A study that was stopped goes on with those that are missing; one with more
    tasks, rows or seeds in the same folder adds to it. The int8 model of every row is kept in ``<out>/models``.

    Parameters
    ----------
    data : DataSettings
        Where the clips come from; its instruments are those of the tasks, and there is no label `unknown`.
    cache : Path
        Folder for features.
    out : Path
        Folder for what comes out; made when absent.
    tasks : sequence of str
        Keys of `train.datasets.labels.TASKS`.
    rows : sequence of str
        Keys of `ROWS`.
    seeds : int
        Trainings of each row.
    schedule : Schedule
        How to train; its seed is the first one.
    each : mapping
        Clips of an instrument in every split, on average; only where clips are composed.
    processes : int
        Trainings at a time, which makes no difference to their results.
    progress : bool
        Whether to show progress bars, if standard error is a terminal.

    Returns
    -------
    Study
        Everything that stands in the folder now; `train.experiments.study_table.study_text` shows it in a terminal.

    Raises
    ------
    ConfigError
        When a setting is none that there is, clips are missing or must not be trained with, or the folder holds a study
        with other settings or clips.
    SourceError
        When data, cache or folder cannot be read or written.
    """
    _check(tasks, rows, seeds, processes)
    path = out / "study.json"
    found = study_results.load_study(path, Study(_settings(schedule, rows), "", ""))
    corpora: dict[str, Corpora] = {}
    for task in tasks:
        dataset = require_trainable(_dataset(data, task, cache, each))
        corpora[task] = extract(dataset, cache, processes=processes, progress=progress).corpora
        found.data, found.kind = dataset.name, data.kind
        _admit(found, task, corpora[task], out)
    done = {(training.task, training.row, training.seed) for training in found.trainings}
    jobs = []
    for seed in range(schedule.seed, schedule.seed + seeds):  # outermost, so that a killed study has something of all
        for task in tasks:
            for row in rows:
                compact = seed == schedule.seed and not found.compact(task, row)
                if compact or (task, row, seed) not in done:
                    line = ROWS[row]
                    jobs.append(
                        TrainingJob(task, row, line.variant, line.channels, replace(schedule, seed=seed), compact)
                    )
    shown = progress and sys.stderr.isatty()
    with logging_redirect_tqdm(), tqdm(total=len(jobs), desc="training", unit="run", disable=not shown) as bar:
        for trained in parallel_training.train_in_parallel(jobs, corpora, processes):
            _keep(found, trained, out)
            found.save(path)
            log.info("%s", _log_line(trained))
            bar.update()
    _time(found, corpora, out)
    found.save(path)
    study_table.write_study(found, out)
    return found


def sized_as_study(data: DataSettings, each: Mapping[Split, int] = CLIPS_PER_INSTRUMENT) -> DataSettings:
    """Take as many clips of each label as the study, on average, where they are composed; else the same data."""
    if data.kind != "composed":
        return data
    labels = len(data.instruments or INSTRUMENTS) + data.unknown
    return replace(
        data,
        clips=labels * each["training"],
        validation_clips=labels * each["validation"],
        test_clips=labels * each["test"],
    )


def _check(tasks: Sequence[str], rows: Sequence[str], seeds: int, processes: int) -> None:
    for what, given, known in (("task", tasks, TASKS), ("row", rows, ROWS)):
        if not given or set(given) - set(known):
            raise ConfigError(f"{what}s are {', '.join(given) or 'none'}; expected some of {', '.join(known)}")
    if seeds < 1 or processes < 1:
        raise ConfigError(f"seeds are {seeds} and processes {processes}; expected 1 or more of both")


def _settings(schedule: Schedule, rows: Sequence[str]) -> dict[str, Any]:
    """Everything but the clips that a result depends on."""
    lines = {f"row {row}": f"{ROWS[row].variant.described}; {', '.join(ROWS[row].channels)}" for row in rows}
    plain = {key: value for key, value in asdict(schedule).items() if key != "seed"}
    return {**plain, **framework_versions(), **lines}


def _dataset(data: DataSettings, task: str, cache: Path, each: Mapping[Split, int]) -> Dataset:
    labels = TASKS[task]
    if data.kind != "composed":
        return replace(data.of(labels), unknown=False).open(cache)
    whole = TASKS[_NESTED.get(task, task)]
    composed = sized_as_study(replace(data.of(whole), unknown=False), each).open(cache)
    return composed if whole == labels else _LabelSubset(composed, labels)


def _admit(found: Study, task: str, corpora: Corpora, out: Path) -> None:
    """Require that a task has clips, and those that were trained on before."""
    require_clips(corpora["training"].labels, [clip for corpus in corpora.values() for clip in corpus.clips])
    material, before = TaskClips.of(corpora), found.materials.get(task)
    if before and before.digest != material.digest:
        raise ConfigError(
            f"{out} holds a study of other clips for task {task} ({before.digest}, now {material.digest}); "
            "give another folder, or remove it"
        )
    found.materials[task] = material


def _keep(found: Study, trained: TrainingResult, out: Path) -> None:
    one, compact = trained.training, trained.compact
    found.trainings = [t for t in found.trainings if (t.task, t.row, t.seed) != (one.task, one.row, one.seed)] + [one]
    # In the table's order, whichever was done first.
    found.trainings.sort(key=lambda t: (t.task, list(ROWS).index(t.row), t.seed))
    if compact:
        write_atomically(_model(out, compact.task, compact.row), trained.content)
        found.compacts = sorted([*found.compacts, compact], key=lambda c: (c.task, list(ROWS).index(c.row)))


def _time(found: Study, corpora: Mapping[str, Corpora], out: Path) -> None:
    """Measure the models that were not measured yet: now, when no training disturbs."""
    for number, compact in enumerate(found.compacts):
        if compact.milliseconds is None and compact.task in corpora:
            path = _model(out, compact.task, compact.row)
            try:
                content = path.read_bytes()
            except OSError as error:
                raise SourceError(f"cannot read {path}: {error.strerror}; remove {out} and start over") from error
            features = corpora[compact.task]["validation"].features(slice(20))
            milliseconds = parallel_training.inference_milliseconds(content, features, ROWS[compact.row].channels)
            found.compacts[number] = replace(compact, milliseconds=round(milliseconds, 4))


def _model(out: Path, task: str, row: str) -> Path:
    return out / "models" / f"{task}-{row.replace(' + ', '-')}.tflite"


def _log_line(trained: TrainingResult) -> str:
    one = trained.training
    averages = ", ".join(f"{split} {100 * score.class_average:.1f} %" for split, score in one.scores.items())
    return f"task {one.task}, row {one.row}, seed {one.seed}: {averages}; epoch {one.best}, {one.seconds:.0f} s"
