"""The ablation: the full recipe, and the same with one ingredient less, trained and scored on the same clips."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Final

import numpy as np
from tqdm import tqdm
from tqdm.contrib.logging import logging_redirect_tqdm

from stream.errors import ConfigError, SourceError
from stream.recognition.bundle import UNKNOWN
from train.atomic_file import write_atomically
from train.compose.composed_clips import ComposedClips
from train.compose.composer import INGREDIENTS
from train.data_settings import DataSettings
from train.datasets.corpus import Corpora, extract
from train.datasets.training_checks import require_trainable
from train.evaluation.clip_metrics import Floats, Ints, calibrate, calibration_error, softmax
from train.evaluation.real_clips import open_real_clips
from train.experiments import ablation_results, ablation_table, parallel_training
from train.experiments.ablation_results import FULL, Ablation, AblationTrial, Answers, ScoredClips, labels_to_hex
from train.experiments.ablation_rows import AblationRow, ablation_rows, choose_rows
from train.experiments.parallel_training import TrainingJob, TrainingResult
from train.export.int8 import Int8Model
from train.fitting.schedule import Schedule, fit_batch_size
from train.framework_versions import framework_versions
from train.networks.architectures import NETWORKS

log = logging.getLogger(__name__)

SCHEDULE: Final = Schedule(epochs=8, handovers=0.25)
"""How each row is trained unless told otherwise; `seed` is the first of the seeds."""

_ACCEPTED: Final = 0.9  # share of the instruments' clips that pass where the rejection of what is unknown is measured


def run_ablation(
    data: DataSettings,
    cache: Path,
    out: Path,
    *,
    network: str = "small",
    only: Sequence[str] = (),
    seeds: int = 1,
    full_seeds: int = 3,
    schedule: Schedule = SCHEDULE,
    look: Callable[[], int] | None = None,
    processes: int = 2,
    progress: bool = True,
) -> Ablation:
    """Train the full recipe and what lacks one ingredient of it, and write ``ablation.json`` and ``ablation.md``.

    Each training is saved when it is done. An ablation that was stopped goes on with those that are missing; one with
    more rows or seeds in the same folder adds to it. The int8 models are kept in ``<out>/models``.

    All rows choose their epoch by, and are scored on, clips that the full recipe composes. Those are of held-out
    sources; where the data have test clips, these are scored, and the others choose.

    Parameters
    ----------
    data : DataSettings
        A pack, and how many clips are composed of it.
    cache : Path
        Folder for features; every row that composes otherwise has clips of its own there.
    out : Path
        Folder for what comes out; made when absent.
    network : str
        Key of `train.networks.architectures.NETWORKS`.
    only : sequence of str
        Rows or groups of rows, as for `choose_rows`.
    seeds : int
        Trainings of each row.
    full_seeds : int
        Trainings of the full recipe, at least: what they differ by tells how far to trust any difference.
    schedule : Schedule
        How to train; its seed is the first one.
    look : callable, optional
        Counts a look at the pack's real clips and returns how many there have been. It is called once if there is
        anything to score on them; without it nobody looks.
    processes : int
        Trainings at a time, which makes no difference to their results.
    progress : bool
        Whether to show progress bars, if standard error is a terminal.

    Returns
    -------
    Ablation
        Everything that stands in the folder now; `ablation_table.ablation_text` shows it in a terminal.

    Raises
    ------
    ConfigError
        When a setting is none that there is, the data are no pack, or the folder holds an ablation with other settings
        or clips.
    SourceError
        When data, cache or folder cannot be read or written.
    """
    if network not in NETWORKS:
        raise ConfigError(f"no network {network!r}; there are {', '.join(NETWORKS)}")
    if min(seeds, full_seeds, processes) < 1:
        raise ConfigError(f"seeds are {seeds} and {full_seeds}, processes {processes}; expected 1 or more of each")
    schedule = fit_batch_size(schedule, data.clips)
    known = ablation_rows(network, schedule)
    names = choose_rows(only, known)
    dataset = data.open(cache)
    if not isinstance(dataset, ComposedClips):
        raise ConfigError(f"{data.path} is no pack: only what clips are composed of has ingredients to leave out")
    path = out / "ablation.json"
    full = extract(require_trainable(dataset), cache, processes=processes, progress=progress).corpora
    found = _continued(path, _new_ablation(dataset, schedule, full, {name: known[name] for name in names}), list(known))
    done = {(trial.row, trial.seed) for trial in found.trials}
    jobs: dict[str, list[TrainingJob]] = {}
    for seed in range(schedule.seed, schedule.seed + max(seeds, full_seeds)):
        for name in names:
            if (name, seed) not in done and (name == FULL or seed < schedule.seed + seeds):
                row = known[name]
                job = TrainingJob(
                    row.without, name, NETWORKS[row.network], ("mel",), replace(row.schedule, seed=seed), True
                )
                jobs.setdefault(row.without, []).append(job)
    shown = progress and sys.stderr.isatty()
    total = sum(map(len, jobs.values()))
    with logging_redirect_tqdm(), tqdm(total=total, desc="training", unit="run", disable=not shown) as bar:
        for batch in _batches(list(jobs), processes):
            corpora = {name: _composed(dataset, name, full, cache, processes, progress) for name in batch}
            todo = [job for name in batch for job in jobs[name]]
            for trained in parallel_training.train_in_parallel(todo, corpora, processes):
                trial = _keep(trained, full, len(found.instruments), out)
                found.add(trial)
                found.save(path)
                bar.update()
                log.info("%s, seed %d: %s", trial.row, trial.seed, ablation_table.trial_summary(found, trial))
    if look:
        _look(found, data, cache, out, look, processes)
        found.save(path)
    write_atomically(out / "ablation.md", ablation_table.ablation_markdown(found).encode())
    return found


def _new_ablation(
    dataset: ComposedClips, schedule: Schedule, full: Corpora, rows: Mapping[str, AblationRow]
) -> Ablation:
    """Start an ablation, which has no results yet."""
    settings = {key: value for key, value in asdict(schedule).items() if key != "seed"}
    settings |= framework_versions()
    settings |= {"training clips": len(full["training"]), "clips": full["training"].digest[:16]}
    settings |= {f"row {name}": row.described for name, row in rows.items()}
    instruments = tuple(label for label in dataset.labels if label != UNKNOWN)
    held = full["test"] if len(full["test"]) else full["validation"]
    described = {name: row.described for name, row in rows.items()}
    return Ablation(
        settings, dataset.name, instruments, described, ScoredClips(held.digest[:16], labels_to_hex(held.targets))
    )


def _continued(path: Path, fresh: Ablation, order: Sequence[str]) -> Ablation:
    """Go on with what the folder holds, if it was begun with the same settings and clips."""
    if not path.exists():
        return fresh
    found = ablation_results.load_ablation(path)
    wanted = json.loads(json.dumps(fresh.settings))
    changed = [
        f"{key} {found.settings[key]!r}, now {value!r}"
        for key, value in wanted.items()
        if found.settings.get(key, value) != value  # a row that was not in it before is none of the differences
    ]
    if found.held != fresh.held:
        changed.append(f"held-out clips {found.held.digest}, now {fresh.held.digest}")
    if changed:
        raise ConfigError(
            f"{path.parent} holds an ablation with other settings ({'; '.join(changed)}); "
            "give another folder, or remove it"
        )
    found.settings |= wanted
    rows = found.rows | fresh.rows
    found.rows = {name: rows[name] for name in order if name in rows}
    return found


def _batches(names: Sequence[str], processes: int) -> list[list[str]]:
    """Divide sets of clips so that results come soon, and no process idles while others train."""
    others = [name for name in names if name]
    batches = [others[start : start + processes] for start in range(0, len(others), processes)]
    # Most rows train on the full recipe's clips, and those are there.
    return [[""], *batches] if "" in names else batches


def _composed(
    dataset: ComposedClips, without: str, full: Corpora, cache: Path, processes: int, progress: bool
) -> Corpora:
    """Training clips that lack an ingredient, beside the full recipe's validation clips."""
    if not without:
        return full
    log.info("composing without %s", INGREDIENTS[without])
    lacking = replace(dataset, without=(*dataset.without, without), validation=0)
    corpora = extract(lacking, cache, processes=processes, splits=("training",), progress=progress).corpora
    return {**full, "training": corpora["training"]}


def _keep(trained: TrainingResult, full: Corpora, instruments: int, out: Path) -> AblationTrial:
    """Keep a model, and score it on the held-out clips."""
    one, compact = trained.training, trained.compact
    assert compact is not None  # every job asks for one
    write_atomically(_model(out, one.row, one.seed), trained.content)
    model = Int8Model(trained.content)
    held = full["validation"]
    logits = model.logits(held.features())
    temperature = calibrate(held.targets, logits, instruments).temperature
    if len(full["test"]):
        held = full["test"]
        logits = model.logits(held.features())
    return AblationTrial(
        one.row,
        one.seed,
        one.best,
        one.epochs,
        one.seconds,
        compact.parameters,
        compact.size,
        temperature,
        _answers(held.targets, logits, instruments, temperature),
    )


def _answers(targets: Ints, logits: Floats, instruments: int, temperature: float) -> Answers:
    """Score logits of some clips; targets beyond the instruments are unknown."""
    probabilities = softmax(logits, temperature)
    confidence = probabilities[:, :instruments].max(axis=1)
    solo = targets < instruments
    rejected = None
    if not solo.all():
        rejected = round(float(np.mean(confidence[~solo] < np.quantile(confidence[solo], 1 - _ACCEPTED))), 5)
    return Answers(
        labels_to_hex(logits[:, :instruments].argmax(axis=1)),
        rejected,
        round(float(-np.log(probabilities[np.arange(len(targets)), targets] + 1e-12).mean()), 5),
        round(calibration_error(targets, probabilities), 5),
    )


def _look(found: Ablation, data: DataSettings, cache: Path, out: Path, look: Callable[[], int], processes: int) -> None:
    """Score the models that were not yet scored on the real clips: all of them, so that it is one look."""
    waiting = [number for number, trial in enumerate(found.trials) if not trial.real]
    if not waiting:
        return
    real = open_real_clips(data.path)  # none of it is trained on, or chooses anything
    corpus = extract(real, cache, processes=processes, splits=("validation",), progress=False).corpora["validation"]
    rows = [number for number, clip in enumerate(corpus.clips) if clip.label in found.instruments]
    if not rows:
        raise ConfigError(f"{data.path}/validation.csv has no clips of {', '.join(found.instruments)}")
    targets = np.array([found.instruments.index(corpus.clips[number].label) for number in rows], np.int64)
    clips = ScoredClips(corpus.digest[:16], labels_to_hex(targets))
    if found.real not in (None, clips):
        raise ConfigError(f"{out} holds an ablation scored on other real clips; give another folder, or remove it")
    found.real = clips
    found.looks.append(look())
    features = corpus.features(rows)
    for number in waiting:
        trial = found.trials[number]
        path = _model(out, trial.row, trial.seed)
        try:
            model = Int8Model(path.read_bytes())
        except OSError as error:
            raise SourceError(f"cannot read {path}: {error.strerror}; remove {out} and start over") from error
        heard = _answers(targets, model.logits(features), len(found.instruments), trial.temperature)
        found.trials[number] = replace(trial, real=heard)


def _model(out: Path, row: str, seed: int) -> Path:
    return out / "models" / f"{row.replace('/', '-')}-{seed}.tflite"
