"""The report of a search: its trials sorted, how it went on, and which settings mattered."""

from __future__ import annotations

import io
from collections.abc import Sequence
from itertools import accumulate
from pathlib import Path

import optuna
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter
from optuna.importance import FanovaImportanceEvaluator, get_param_importances
from optuna.trial import FrozenTrial, TrialState

from train.atomic_file import write_atomically


def trial_rank(trial: FrozenTrial) -> tuple[float, float, int]:
    """Rank a trial: by its class average, then by its loss on the validation clips, then the earlier one."""
    return trial.values[0], -trial.user_attrs["loss"], -trial.number


def write_search_report(out: Path, study: optuna.Study, data: str, best: Sequence[str], seed: int) -> None:
    """Write ``search.md`` and ``search.png``.

    Parameters
    ----------
    out : Path
        Folder.
    study : optuna.Study
        One complete trial or more.
    data : str
        What the clips are.
    best : sequence of str
        What is told of the best trial, as lines of Markdown.
    seed : int
        For estimating importances.

    Raises
    ------
    SourceError
        When they cannot be written.
    """
    trials = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    weights = importances(study, seed)
    write_atomically(out / "search.png", _picture(trials, weights))
    names = list(trials[0].params)
    heads = ["trial", "class average", "loss", *names, "epoch", "parameters", "s"]
    lines = ["# Search", "", f"{len(trials)} trials of Optuna's TPE sampler on {data}.", "", "## Best settings", ""]
    lines += [*best, "", "## How it went, and what mattered", "", "![history and importances](search.png)", ""]
    if weights:
        lines += ["| setting | importance |", "| --- | ---: |"]
        lines += [f"| {name} | {weight:.2f} |" for name, weight in weights.items()]
        lines += ["", f"Importances are fANOVA's, of {len(trials)} trials: with few, they are a hint."]
    else:
        lines.append("Importances take two trials or more that differ.")
    lines += ["", "## Trials", "", "Class average and loss are those of the best epoch on the validation clips.", ""]
    lines += ["| " + " | ".join(heads) + " |", "|" + " ---: |" * len(heads)]
    for trial in sorted(trials, key=trial_rank, reverse=True):
        attributes = trial.user_attrs
        cells = [str(trial.number), f"{100 * trial.values[0]:.1f} %", f"{attributes['loss']:.3f}"]
        cells += [_shown(trial.params[name]) for name in names]
        cells += [f"{attributes['epoch']} of {attributes['epochs']}", str(attributes["parameters"])]
        lines.append("| " + " | ".join([*cells, f"{attributes['seconds']:.0f}"]) + " |")
    write_atomically(out / "search.md", ("\n".join(lines) + "\n").encode())


def importances(study: optuna.Study, seed: int) -> dict[str, float]:
    """Estimate how much each setting mattered, the most first; empty where there is nothing to tell it by."""
    values = {trial.values[0] for trial in study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))}
    if len(values) < 2:
        return {}
    return get_param_importances(study, evaluator=FanovaImportanceEvaluator(seed=seed))


def _picture(trials: Sequence[FrozenTrial], weights: dict[str, float]) -> bytes:
    figure = Figure((10, 4), layout="constrained", dpi=120)
    left, right = figure.subplots(1, 2, width_ratios=(3, 2))
    values = [trial.values[0] for trial in trials]
    left.plot(values, "o", color="#7a8599", markersize=4, label="trial")
    left.step(range(len(values)), list(accumulate(values, max)), where="post", color="#b5481d", label="best so far")
    left.set(xlabel="trial", ylabel="class average on validation")
    left.xaxis.set_major_locator(MaxNLocator("auto", integer=True))
    left.yaxis.set_major_formatter(PercentFormatter(1, decimals=1))
    left.legend(loc="lower right", frameon=False)
    names = list(weights)[::-1]
    right.barh(names, [weights[name] for name in names], color="#b5481d")
    right.set(xlabel="importance")
    for axes in (left, right):
        axes.spines[["top", "right"]].set_visible(False)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", metadata={"Software": None})  # its version would change the bytes
    return buffer.getvalue()


def _shown(value: object) -> str:
    return (
        {True: "yes", False: "no"}[value]
        if isinstance(value, bool)
        else f"{value:.3g}"
        if isinstance(value, float)
        else str(value)
    )
