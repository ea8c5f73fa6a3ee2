"""The study's table: the published figures beside ours, for a terminal, as Markdown and as CSV."""

from __future__ import annotations

import csv
import io
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from train.atomic_file import write_atomically
from train.datasets.clips import SPLITS
from train.datasets.labels import TASKS
from train.experiments.study_results import Int8Figures, Spread, Study
from train.networks.published import VARIANTS

# The project's brief is the only source of these: the publication itself could not be found when this was written. The
# brief names neither the row nor the clips of a figure, so a figure stands once for its task.
PUBLISHED: Final = {"2": (0.98, 1.0), "3": (0.988, 0.988), "4": (0.945, 0.945)}
"""Published accuracy of each task, lowest and highest."""

_FIGURES: Final = {"accuracy": "accuracy", "class_average": "class average"}
_SPREAD: Final = ("mean", "deviation", "min", "max")
_COLUMNS: Final = 120  # of a terminal
_WIDTHS: Final = (10, 9, 9, 9, 9, 9, 9, 10, 5, 6, 5, 5)
_HEADS: Final = (
    ("", "", "accuracy", "", "", "class", "average", "of test", "int8", "para-", "int8", "int8"),
    ("row", "train", "valid", "test", "train", "valid", "test", "min-max", "test", "meters", "bytes", "ms"),
)


def study_text(study: Study) -> str:
    """Lay out the table for a terminal of 120 columns; shares are in per cent, mean±deviation over the seeds."""
    lines = []
    for task in study.tasks:
        lines += [_title(study, task), *_material(study, task), ""]
        lines += [_aligned(head) for head in _HEADS]
        lines += ["  ".join("-" * width for width in _WIDTHS), f"{'published':<{_WIDTHS[0]}}  {published_figure(task)}"]
        lines += [_aligned((row, *_terse(study, task, row))) for row in study.rows(task)]
        lines.append("")
    for note in study_notes(study):
        lines += textwrap.wrap(note, _COLUMNS)
    return "\n".join(lines) + "\n"


def study_markdown(study: Study) -> str:
    """Lay out the table with all that is known of each row."""
    lines = ["# The study", ""]
    heads = ["row", "network", "seeds"]
    heads += [f"{split} {figure}" for figure in _FIGURES.values() for split in SPLITS]
    heads += ["int8 test accuracy", "int8 test class average", "parameters", "int8 bytes", "int8 ms"]
    for task in study.tasks:
        lines += [f"## {_title(study, task)}", "", f"Published: {published_figure(task)}.", ""]
        lines += [*(f"- {line}" for line in _material(study, task)), ""]
        lines += ["| " + " | ".join(heads) + " |", "| --- | --- |" + " ---: |" * (len(heads) - 2)]
        lines += ["| " + " | ".join((row, *_full(study, task, row))) + " |" for row in study.rows(task)]
        lines.append("")
    lines += ["## Notes", "", *(f"- {note}" for note in study_notes(study)), ""]
    settings = ", ".join(f"{key} {value}" for key, value in study.settings.items() if not key.startswith("row "))
    return "\n".join([*lines, f"Settings of every training: {settings}.", ""])


def study_csv(study: Study) -> str:
    """Write the table as CSV: a line for each task, row and split, shares from 0 to 1, and one of what is published."""
    buffer = io.StringIO()
    fields = [
        "task",
        "row",
        "split",
        "clips",
        "seeds",
        *(f"{figure}_{part}" for figure in _FIGURES for part in _SPREAD),
    ]
    fields += ["int8_accuracy", "int8_class_average", "parameters", "int8_bytes", "int8_ms"]
    writer = csv.DictWriter(buffer, fields, lineterminator="\n")
    writer.writeheader()
    for task in study.tasks:
        if task in PUBLISHED:
            low, high = PUBLISHED[task]
            writer.writerow({"task": task, "row": "published", "accuracy_min": low, "accuracy_max": high})
        writer.writerows(line for row in study.rows(task) for line in _lines(study, task, row))
    return buffer.getvalue()


def write_study(study: Study, out: Path) -> None:
    """Write ``study.md`` and ``study.csv``; SourceError where they cannot be."""
    write_atomically(out / "study.md", study_markdown(study).encode())
    write_atomically(out / "study.csv", study_csv(study).encode())


def published_figure(task: str) -> str:
    """Tell the published figure of a task."""
    if task not in PUBLISHED:
        return "no figure is known to us"
    low, high = PUBLISHED[task]
    figure = f"{100 * low:g} %" if low == high else f"{100 * low:g} to {100 * high:g} %"
    return f"{figure} (by which row and on which of its clips is not known to us)"


def study_notes(study: Study) -> list[str]:
    """Tell in words what the figures are, and what they are not."""
    ground = {
        "composed": f"Ours are measured on {study.data}. They are this pack's figures, not the publication's: one can "
        "neither confirm nor refute the other.",
        "medley": f"Ours are measured on {study.data}, the publication's data set, though not its choice of clips.",
    }.get(study.kind, f"Ours are measured on {study.data}. They are this data's figures, not the publication's.")
    return [
        ground,
        "The publication used 1468 clips of Medley-solos-DB to train and 1446 to validate. Its figures are known to us "
        "from this project's brief alone.",
        "Ours are shares of the clips in per cent, mean ± standard deviation over the seeds, of the float model with "
        "the weights of its best epoch on the validation clips. Validation chose the epoch; the test clips chose "
        "nothing. No recording, and no source of composed clips, is in two of the three.",
        "Int8 figures are of the first seed's model: its test accuracy, and the median of an inference on one thread "
        "of the machine that ran the study, without features.",
        *_compared(study),
    ]


def _compared(study: Study) -> list[str]:
    """Tell what an extra channel gains over the row without it."""
    lines = []
    for name in dict.fromkeys(row for task in study.tasks for row in study.rows(task)):
        plain, plus, channel = name.partition(" + ")
        gains = []
        for task in study.tasks:
            with_, without = (study.spread(task, row, "test", "class_average") for row in (name, plain))
            if plus and with_ and without:
                gains.append(f"{100 * (with_.mean - without.mean):+.1f} points for task {task}")
        if gains:
            lines.append(f"The channel {channel} changes the test class average of {plain} by {', '.join(gains)}.")
    return lines


def _title(study: Study, task: str) -> str:
    return f"Task {task}: {', '.join(study.materials[task].labels or TASKS[task])}"


def _material(study: Study, task: str) -> Iterator[str]:
    material = study.materials[task]
    unit = "combinations of players" if study.kind == "composed" else "recordings"
    for split in SPLITS:
        clips = material.clips[split]
        each = f" ({', '.join(map(str, clips))}) of {material.recordings[split]} {unit}" if sum(clips) else ""
        yield f"{split}: {sum(clips)} clips{each}"


def _aligned(cells: tuple[str, ...]) -> str:
    first, *others = (f"{cell:>{width}}" for cell, width in zip(cells, _WIDTHS, strict=True))
    return "  ".join([f"{first.strip():<{_WIDTHS[0]}}", *others]).rstrip()


def _terse(study: Study, task: str, row: str) -> Iterator[str]:
    for figure in _FIGURES:
        for split in SPLITS:
            spread = study.spread(task, row, split, figure)
            yield _mean(spread, "±") if spread else "-"
    test = study.spread(task, row, "test", "class_average")
    yield f"{100 * test.low:.1f}-{100 * test.high:.1f}" if test else "-"
    compact = study.compact(task, row)
    yield f"{100 * compact.test.accuracy:.1f}" if compact and compact.test else "-"
    yield from _size(compact)


def _full(study: Study, task: str, row: str) -> Iterator[str]:
    yield VARIANTS[row.partition(" + ")[0]].described
    yield str(len(study.of(task, row)))
    for figure in _FIGURES:
        for split in SPLITS:
            spread = study.spread(task, row, split, figure)
            yield f"{_mean(spread, ' ± ')} ({100 * spread.low:.1f} to {100 * spread.high:.1f})" if spread else "-"
    compact = study.compact(task, row)
    test = compact and compact.test
    yield f"{100 * test.accuracy:.1f} ({test.right} of {test.clips})" if test else "-"
    yield f"{100 * test.class_average:.1f}" if test else "-"
    yield from _size(compact)


def _size(compact: Int8Figures | None) -> tuple[str, str, str]:
    if not compact:
        return ("-",) * 3
    milliseconds = compact.milliseconds
    return str(compact.parameters), str(compact.size), "-" if milliseconds is None else f"{milliseconds:.3f}"


def _mean(spread: Spread, sign: str) -> str:
    deviation = "" if spread.deviation is None else f"{sign}{100 * spread.deviation:.1f}"
    return f"{100 * spread.mean:.1f}{deviation}"


def _lines(study: Study, task: str, row: str) -> Iterator[dict[str, Any]]:
    compact = study.compact(task, row)
    for split in SPLITS:
        clips = sum(study.materials[task].clips[split])
        line: dict[str, Any] = {"task": task, "row": row, "split": split, "clips": clips}
        line["seeds"] = len(study.of(task, row))
        for figure in _FIGURES:
            if spread := study.spread(task, row, split, figure):
                for part, value in zip(_SPREAD, (spread.mean, spread.deviation, spread.low, spread.high), strict=True):
                    line[f"{figure}_{part}"] = None if value is None else round(value, 5)
        if compact:
            line |= {"parameters": compact.parameters, "int8_bytes": compact.size, "int8_ms": compact.milliseconds}
            if split == "test" and compact.test:
                line["int8_accuracy"] = round(compact.test.accuracy, 5)
                line["int8_class_average"] = round(compact.test.class_average, 5)
        yield line
