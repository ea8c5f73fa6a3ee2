"""A search by Optuna for a better network in the space of the study's table, and for how to train it."""

from __future__ import annotations

import json
import logging
import shlex
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import optuna
from optuna.trial import FrozenTrial, TrialState
from sqlalchemy.exc import SQLAlchemyError
from tqdm import tqdm
from tqdm.contrib.logging import logging_redirect_tqdm

from stream.errors import ConfigError, SourceError
from train.atomic_file import write_atomically
from train.data_settings import DataSettings
from train.datasets.corpus import Corpora, extract
from train.datasets.training_checks import require_clips, require_trainable
from train.evaluation.network_logits import network_logits
from train.experiments import search_report
from train.experiments.study_results import SplitScore
from train.fitting.fit import FitResult, fit
from train.fitting.schedule import Schedule
from train.framework_versions import framework_versions
from train.networks.published import Variant

log = logging.getLogger(__name__)

_ACTIVATIONS: Final[tuple[Any, ...]] = ("relu", "tanh", "mixed")
_NAME: Final = "search"  # of the only study in the file


@dataclass(frozen=True, slots=True)
class SearchResult:
    """What a search came to."""

    trial: int
    """Number of the best trial, from 0."""
    validation: float
    """Its class average on the validation clips, which chose it."""
    test: SplitScore | None
    """On the test clips, which chose nothing; None without any."""
    variant: Variant
    schedule: Schedule
    channels: tuple[str, ...]


def run_search(
    data: DataSettings,
    cache: Path,
    out: Path,
    *,
    trials: int = 40,
    epochs: int = 8,
    patience: int = 3,
    seed: int = 0,
    channels: Sequence[str] = ("mel",),
    processes: int = 2,
    progress: bool = True,
) -> SearchResult:
    """Try settings, and write ``best.json`` and the report ``search.md`` with ``search.png``.

    Trials are kept in ``search.sqlite`` when they are done: a search that was stopped goes on, and ends as if it had
    not been. The best of all trials has the highest class average on the validation clips. The test clips are scored
    for it alone.

    Parameters
    ----------
    data : DataSettings
        Where the clips come from, and which labels.
    cache : Path
        Folder for features.
    out : Path
        Folder for what comes out; made when absent.
    trials : int
        How many, those of earlier calls included.
    epochs, patience : int
        Of every trial, as in `train.fitting.schedule.Schedule`.
    seed : int
        Of the sampler, and of every training.
    channels : sequence of str
        Input channels, as for `stream.recognition.mel.stack`.
    processes : int
        Processes that compute features. Trials are one after the other: each learns from those before.
    progress : bool
        Whether to show progress bars, if standard error is a terminal.

    Returns
    -------
    SearchResult
        `load_best` reads its settings again.

    Raises
    ------
    ConfigError
        When a number is below 1, clips are missing or must not be trained with, or the folder holds a search with other
        settings or clips.
    SourceError
        When data, cache or folder cannot be read or written.
    """
    if min(trials, epochs, patience) < 1:
        raise ConfigError(f"trials {trials}, epochs {epochs}, patience {patience}: expected 1 or more of each")
    dataset = require_trainable(data.open(cache))
    corpora = extract(dataset, cache, processes=processes, progress=progress).corpora
    training, validation = corpora["training"], corpora["validation"]
    require_clips(training.labels, training.clips + validation.clips)
    settings = {
        "labels": list(training.labels),
        "digest": " ".join(corpus.digest[:16] for corpus in corpora.values()),
        "epochs": epochs,
        "patience": patience,
        "seed": seed,
        "channels": list(channels),
        **framework_versions(),
    }
    bar = tqdm(total=trials, desc="search", unit="trial", disable=not (progress and sys.stderr.isatty()))
    with logging_redirect_tqdm(), bar:
        study = _open_study(out, settings)
        done = _complete(study)
        bar.update(len(done))
        while len(done) < trials:
            # A generator of its own for every trial, lest a search that is continued draws what it drew before.
            study.sampler = optuna.samplers.TPESampler(seed=1000 * seed + len(done))
            trial = study.ask()
            variant, schedule = _drawn(trial, epochs, patience, seed)
            fitted = fit(variant, training, validation, schedule, channels=channels)
            _annotate(trial, fitted)
            study.tell(trial, fitted.entry["validation_class_average"])
            done = _complete(study)
            log.info("trial %d: %.1f %%; %s", trial.number, 100 * done[-1].values[0], variant.described)
            bar.update()
    best = _best(study, corpora, settings)
    record = {**asdict(best), "data": data.record(), "settings": settings}
    write_atomically(out / "best.json", (json.dumps(record, indent=1, ensure_ascii=False) + "\n").encode())
    search_report.write_search_report(out, study, dataset.name, _describe_best(best, fit_command(data, out)), seed)
    return best


def load_best(path: Path) -> tuple[Variant, Schedule, tuple[str, ...]]:
    """Read what a search chose: network, schedule and channels, to fit once more.

    Raises
    ------
    ConfigError
        When the file is no ``best.json``.
    """
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        return Variant(**record["variant"]), Schedule(**record["schedule"]), tuple(record["channels"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigError(f"{path} is not what a search chose: expected its best.json ({error!r})") from error


def _drawn(trial: optuna.trial.BaseTrial, epochs: int, patience: int, seed: int) -> tuple[Variant, Schedule]:
    """Draw from the space of the table: its rows lie in it, and what is between them and a little beyond."""
    variant = Variant(
        f"trial-{trial.number}",
        trial.suggest_int("layers", 2, 3),
        trial.suggest_int("filters", 8, 32),
        trial.suggest_categorical("kernel", (3, 5)),
        batch_norm=trial.suggest_categorical("batch_norm", (False, True)),
        dropout=round(trial.suggest_float("dropout", 0.0, 0.5), 2),
        activation=trial.suggest_categorical("activation", _ACTIVATIONS),
    )
    schedule = Schedule(
        epochs=epochs,
        batch=trial.suggest_categorical("batch", (16, 32, 64)),
        rate=float(f"{trial.suggest_float('rate', 2e-4, 5e-3, log=True):.2g}"),
        decay=1e-4,
        smoothing=0.0,
        patience=patience,
        augmented=trial.suggest_categorical("augmented", (False, True)),
        seed=seed,
    )
    return variant, schedule


def _open_study(out: Path, settings: dict[str, Any]) -> optuna.Study:
    """Open the search in a folder, or begin one."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)  # it tells of every trial, and so do we
    path = out / "search.sqlite"
    try:
        out.mkdir(parents=True, exist_ok=True)
        study = optuna.create_study(
            storage=f"sqlite:///{path}", study_name=_NAME, direction="maximize", load_if_exists=True
        )
        before = study.user_attrs.get("settings", settings)
        changed = [
            f"{key} {before.get(key)}, now {value}" for key, value in settings.items() if before.get(key) != value
        ]
        if changed:
            raise ConfigError(
                f"{out} holds a search with other settings ({'; '.join(changed)}); give another folder, or remove it"
            )
        study.set_user_attr("settings", settings)
        for trial in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):  # killed
            study.tell(trial.number, state=TrialState.FAIL)
    except (SQLAlchemyError, OSError) as error:
        raise SourceError(f"cannot keep a search in {path}: {str(error).splitlines()[0]}") from error
    return study


def _complete(study: optuna.Study) -> list[FrozenTrial]:
    return study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))


def _annotate(trial: optuna.Trial, fitted: FitResult) -> None:
    """Keep with a trial what its report tells, and what decides between equals."""
    for key, value in {
        "loss": fitted.entry["validation_loss"],
        "epoch": fitted.best,
        "epochs": len(fitted.history),
        "parameters": fitted.model.count_params(),
        "seconds": round(sum(entry["seconds"] for entry in fitted.history), 1),
    }.items():
        trial.set_user_attr(key, value)


def _best(study: optuna.Study, corpora: Corpora, settings: dict[str, Any]) -> SearchResult:
    """Score the best trial on the test clips, unless it was the best before: then it has been."""
    trial = max(_complete(study), key=search_report.trial_rank)
    drawn = optuna.trial.FixedTrial(trial.params, trial.number)
    variant, schedule = _drawn(drawn, settings["epochs"], settings["patience"], settings["seed"])
    channels, test = tuple(settings["channels"]), corpora["test"]
    known = study.user_attrs.get("test", {})
    if known.get("trial") == trial.number:
        score = SplitScore(**known["score"])
    elif len(test):
        # Fitted again rather than kept: the same seed gives the same weights, and most trials never are the best.
        fitted = fit(variant, corpora["training"], corpora["validation"], schedule, channels=channels)
        score = SplitScore.of(test, network_logits(fitted.model, test, channels))
        study.set_user_attr("test", {"trial": trial.number, "score": asdict(score)})
    else:
        score = None
    return SearchResult(trial.number, trial.values[0], score, variant, schedule, channels)


def fit_command(data: DataSettings, out: Path) -> str:
    """Tell the command that fits what a search in `out` chose to the same data."""
    words = ["soloist", "train", "fit", "--data", str(data.path)]
    if data.instruments:
        words += ["--instruments", ",".join(data.instruments)]
    if data.seed:
        words += ["--seed", str(data.seed)]
    if data.kind == "medley":
        words += ["--division", data.division, *["--balanced"] * data.balanced]
        words += ["--cap", str(data.cap)] if data.cap else []
    if data.kind == "composed":
        words += ["--unknown" if data.unknown else "--no-unknown", "--clips", str(data.clips)]
        words += ["--validation-clips", str(data.validation_clips), "--test-clips", str(data.test_clips)]
    return shlex.join([*words, "--settings", str(out / "best.json"), "--out", "models", "--name", "best"])


def _describe_best(best: SearchResult, command: str) -> list[str]:
    """Tell what was chosen, in Markdown."""
    schedule = ", ".join(f"{key} {value}" for key, value in asdict(best.schedule).items())
    test = best.test
    lines = [
        f"- Trial {best.trial}: {best.variant.described}; channels {', '.join(best.channels)}.",
        f"- {schedule[0].upper()}{schedule[1:]}.",
        f"- Class average on the validation clips, which chose it: {100 * best.validation:.1f} %.",
    ]
    if test:
        lines.append(
            f"- On the test clips, which chose nothing: class average {100 * test.class_average:.1f} %, accuracy "
            f"{100 * test.accuracy:.1f} % ({test.right} of {test.clips}). No other trial was scored on them."
        )
    return [*lines, "", "To fit it once more and make its bundle:", "", f"    {command}"]
