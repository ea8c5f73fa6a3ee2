"""What the rows of an ablation said of the same clips, the differences between them, and the table of those."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import Final

import numpy as np

from train.evaluation.clip_metrics import Floats, Ints, class_average
from train.experiments.ablation_results import (
    FULL,
    Ablation,
    AblationTrial,
    ScoredClips,
    labels_from_hex,
    paired_difference,
)

_COLUMNS: Final = 120  # of a terminal
_HEADS: Final = (
    ("", "held-out", "", "difference", "unknown", "", "", "real", "", "difference", "para-", "int8"),
    ("row", "average", "right", "± error", "rejected", "NLL", "ECE", "average", "right", "± error", "meters", "kB"),
)


def ablation_text(found: Ablation) -> str:
    """Lay out the table for a terminal; shares are in per cent, differences in points."""
    lines: list[tuple[str, ...]] = [*_HEADS, *((row, *_cells(found, row)) for row in found.trained)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    lines.insert(len(_HEADS), tuple("-" * width for width in widths))
    told = [
        "  ".join(
            [f"{line[0]:<{widths[0]}}", *(f"{cell:>{width}}" for cell, width in zip(line[1:], widths[1:], strict=True))]
        ).rstrip()
        for line in lines
    ]
    wrapped = [part for note in ablation_notes(found) for part in textwrap.wrap(note, _COLUMNS)]
    return "\n".join([*told, "", *wrapped]) + "\n"


def ablation_markdown(found: Ablation) -> str:
    """Lay out the table for the model card, and the shares of each instrument below it."""
    lines = ["# What each ingredient brings", ""]
    heads = ["row", "what", "held-out class average", "difference in points ± standard error"]
    heads += ["unknown rejected", "NLL", "ECE"]
    heads += ["real class average", "difference in points ± standard error"] * bool(found.looks)
    heads += ["parameters", "int8 kB"]
    lines += [_row(heads), "| --- | --- |" + " ---: |" * (len(heads) - 2)]
    for row in found.trained:
        average, right, gain, rejected, likelihood, error, real, really, gained, *size = _cells(found, row)
        cells = [row, found.rows[row], f"{average} ({right} of {_clips(found, row, found.held)})"]
        cells += [gain, rejected, likelihood, error]
        if found.looks and found.real:
            cells += [f"{real} ({really} of {_clips(found, row, found.real)})" if really != "-" else "-", gained]
        lines.append(_row(cells + size))
    lines += ["", "Right of each instrument's clips of held-out sources, in per cent:", ""]
    lines += [_row(["row", *found.instruments]), "| --- |" + " ---: |" * len(found.instruments)]
    targets = labels_from_hex(found.held.targets)
    for row in found.trained:
        said = np.stack([labels_from_hex(trial.held.best) for trial in found.of(row)])
        shares = [_share((said == targets)[:, targets == label]) for label in range(len(found.instruments))]
        lines.append(_row([row, *shares]))
    counts = [str(np.sum(targets == label)) for label in range(len(found.instruments))]
    lines += [_row(["clips", *counts]), "", *(f"- {note}" for note in ablation_notes(found)), ""]
    settings = ", ".join(f"{key} {value}" for key, value in found.settings.items() if not key.startswith("row "))
    return "\n".join([*lines, f"Settings of every training, on {found.data}: {settings}.", ""])


def trial_summary(found: Ablation, trial: AblationTrial) -> str:
    """Tell in a few words how a trial did on the held-out clips."""
    targets, best = labels_from_hex(found.held.targets), labels_from_hex(trial.held.best)
    solo = targets < len(found.instruments)
    average = class_average(targets[solo], best[solo])
    rejected = "" if trial.held.rejected is None else f", {100 * trial.held.rejected:.1f} % of unknown rejected"
    return f"class average {100 * average:.1f} % of held-out clips{rejected}"


def ablation_notes(found: Ablation) -> list[str]:
    """Tell in words what the figures are, and what they are not."""
    targets = labels_from_hex(found.held.targets)
    solos = int(np.sum(targets < len(found.instruments)))
    seeds = len(found.of(FULL))
    trained = (
        "It tells what other clips of these sources would change, and not what another training would."
        if seeds < 2
        else "It tells what other clips of these sources would change, and what other trainings would, as far as the "
        f"full recipe's {seeds} seeds show. Counts are sums over a row's seeds."
    )
    told = [
        f"Every row is the full recipe but for what it names, trained from scratch, and scored as its int8 model on "
        f"the same {len(targets)} clips of held-out sources, composed by the full recipe: {solos} of the instruments, "
        f"{len(targets) - solos} of what is unknown.",
        "The class average is of the most probable instrument. Unknown rejected: what falls below the confidence that "
        "90 % of the instruments' clips reach. NLL in nats, and expected calibration error (ECE), after one "
        "temperature for each model.",
        "Differences are the row less the full recipe, in points: what is lost without an ingredient is what it "
        f"brings. Each has its standard error, paired over the same clips. {trained} * marks more than two standard "
        "errors; of twenty rows that bring nothing, about one is marked by chance.",
    ]
    if found.looks and found.real:
        looks = ", ".join(map(str, found.looks))
        told.append(
            f"Real: the {len(found.real.targets)} clips of validation.csv, in look {looks} of all that were counted. "
            "They chose nothing here."
        )
    return told


def _cells(found: Ablation, row: str) -> tuple[str, ...]:
    """Everything about a row but its name."""
    trials = found.of(row)
    rejected = [trial.held.rejected for trial in trials if trial.held.rejected is not None]
    return (
        *_compared(found, row, real=False),
        f"{100 * np.mean(rejected):.1f}" if rejected else "-",
        f"{np.mean([trial.held.likelihood for trial in trials]):.3f}",
        f"{100 * np.mean([trial.held.error for trial in trials]):.1f}",
        *_compared(found, row, real=True),
        str(trials[0].parameters),
        f"{trials[0].size / 1000:.1f}",
    )


def _compared(found: Ablation, row: str, *, real: bool) -> tuple[str, str, str]:
    """Class average, clips that are right, and the difference to the full recipe."""
    clips, said = found.real if real else found.held, _said(found, row, real=real)
    if not (clips and said):
        return "-", "-", "-"
    targets = labels_from_hex(clips.targets)
    solo = targets < len(found.instruments)
    targets = targets[solo]
    mine = [best[solo] for best in said]
    average = np.mean([class_average(targets, best) for best in mine])
    right = sum(int(np.sum(best == targets)) for best in mine)
    full = [best[solo] for best in _said(found, FULL, real=real)]
    gain = str(paired_difference(targets, full, mine)) if row != FULL and full else "-"
    return f"{100 * average:.1f}", str(right), gain


def _said(found: Ablation, row: str, *, real: bool) -> list[Ints]:
    """Instruments that a row's models called the clips, a list by seed."""
    heard = [trial.real if real else trial.held for trial in found.of(row)]
    return [labels_from_hex(one.best) for one in heard if one]


def _clips(found: Ablation, row: str, clips: ScoredClips) -> int:
    """Count how often an instrument's clip was judged by a row's models."""
    return len(found.of(row)) * int(np.sum(labels_from_hex(clips.targets) < len(found.instruments)))


def _share(right: Floats) -> str:
    return f"{100 * right.mean():.1f}" if right.size else "-"


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"
