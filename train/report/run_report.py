"""One run as one HTML file that needs nothing else: settings, curves, figures, confusion, clips to look at and hear."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Any, Final

import numpy as np

from stream.errors import SourceError
from stream.recognition.bundle import UNKNOWN
from train.atomic_file import write_atomically
from train.datasets.clips import Dataset
from train.datasets.corpus import Corpus
from train.evaluation.agreement import Agreement
from train.evaluation.clip_evaluation import Mistake
from train.evaluation.clip_result import ClipResult, percent
from train.evaluation.programme_result import ProgrammeResult
from train.report import sections
from train.report.html_elements import definitions, escape, paragraph, section
from train.report.sections import Example, MistakeExample

_SECTIONS: Final = {
    "settings": "Settings",
    "curves": "Learning",
    "figures": "Figures",
    "confusion": "Confusion",
    "calibration": "Calibration",
    "stream": "In the stream",
    "examples": "Examples",
    "mistakes": "Worst mistakes",
    "int8": "Int8 and float",
}


def training_examples(corpus: Corpus, each: int = 1) -> list[Example]:
    """Take the first clips of every label, of different recordings while there are enough.

    Parameters
    ----------
    corpus : Corpus
        Where they come from.
    each : int
        How many of each label.
    """
    rows = []
    for number in range(len(corpus.labels)):
        here = np.flatnonzero(corpus.targets == number).tolist()
        firsts = {corpus.clips[row].recording: row for row in reversed(here)}
        rows += sorted(here, key=lambda row: (firsts[corpus.clips[row].recording] != row, row))[:each]
    return [Example(corpus.clips[row], picture) for row, picture in zip(rows, corpus.features(rows), strict=True)]


def mistake_examples(found: Sequence[Mistake], corpus: Corpus, dataset: Dataset) -> list[MistakeExample]:
    """Look up features and audio of mistakes.

    Parameters
    ----------
    found : sequence of Mistake
        What `train.evaluation.clip_evaluation.find_mistakes` found, as many as are to be shown.
    corpus : Corpus
        Where the features are; mistakes about other clips are left out.
    dataset : Dataset
        Where the audio is.
    """
    places = {clip: row for row, clip in enumerate(corpus.clips)}
    known = [mistake for mistake in found if mistake.clip in places]
    pictures = corpus.features([places[mistake.clip] for mistake in known])
    result = []
    for mistake, picture in zip(known, pictures, strict=True):
        try:
            audio = dataset.audio(mistake.clip)
        except SourceError:  # the features are from a file that is gone since
            audio = None
        result.append(MistakeExample(mistake, picture, audio))
    return result


def write_run_report(
    path: Path,
    *,
    title: str,
    settings: Mapping[str, Any],
    history: Sequence[Mapping[str, float]],
    best: int,
    results: Sequence[ClipResult],
    examples: Sequence[Example] = (),
    mistakes: Sequence[MistakeExample] = (),
    agreement: Agreement | None = None,
    remarks: Sequence[str] = (),
    programme_results: Sequence[ProgrammeResult] = (),
) -> None:
    """Write a report.

    Parameters
    ----------
    path : Path
        The HTML file. It makes no requests, and the same arguments give the same bytes.
    title : str
        Its heading.
    settings : mapping
        What determined the run; mappings in it are told as ``outer, inner``.
    history : sequence of mapping
        An entry for each epoch, as in `history.json`.
    best : int
        Epoch whose weights were kept, from 1.
    results : sequence of ClipResult
        How the model does on sets of clips, the most telling first: its figures stand at the top.
    examples : sequence of Example
        Clips to show.
    mistakes : sequence of MistakeExample
        The worst ones, the surest first.
    agreement : Agreement, optional
        How far the int8 model agrees with the float one.
    remarks : sequence of str
        Paragraphs about the figures, such as how often the real clips were looked at.
    programme_results : sequence of ProgrammeResult
        How the model does on continuous programmes.

    Raises
    ------
    SourceError
        When the file cannot be written.
    """
    parts = {
        "settings": definitions(((name, value, "") for name, value in _flat(settings)), "settings"),
        "curves": sections.learning_section(history, best),
        "figures": sections.figures_section(results) + "".join(map(paragraph, remarks)),
        "confusion": sections.confusion_section(results),
        "calibration": sections.calibration_section(results),
        "stream": sections.programmes_section(programme_results),
        "examples": sections.examples_section(examples),
        "mistakes": sections.mistakes_section(mistakes, results),
        "int8": sections.agreement_section(agreement) if agreement else "",
    }
    shown = {name: part for name, part in parts.items() if part}
    links = "".join(f'<a href="#{name}">{escape(_SECTIONS[name])}</a>' for name in shown)
    style = (resources.files("train.report") / "report.css").read_text(encoding="utf-8")
    lines = [
        "<!doctype html>",
        '<html lang="en">',
        '<head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>{escape(title)}</title>",
        '<link rel="icon" href="data:,">',  # or the browser asks for one
        f"<style>\n{style}</style></head>",
        f"<body><header><h1>{escape(title)}</h1>",
        f'<p class="lead">{escape(_summary(results))}</p>' if results else "",
        _tiles(results, agreement),
        f'</header><nav aria-label="Sections">{links}</nav><main>',
        *(section(name, _SECTIONS[name], part) for name, part in shown.items()),
        "</main><footer>Written by soloist train report. Shares stand beside the counts that they are of.</footer>",
        "</body></html>\n",
    ]
    write_atomically(path, "\n".join(lines).encode())


def _summary(results: Sequence[ClipResult]) -> str:
    first = results[0]
    return (
        f"{first.name}: {first.right} of {first.solos} instrument clips right, "
        f"{len(first.instruments)} instruments{' and unknown' if UNKNOWN in first.labels else ''}."
    )


def _tiles(results: Sequence[ClipResult], agreement: Agreement | None) -> str:
    rows = []
    if results:
        first = results[0]
        rows = [
            ("Class average", percent(first.average), f"mean over {len(first.instruments)} instruments"),
            ("Accuracy", percent(first.accuracy), f"{first.right} of {first.solos} instrument clips"),
            ("Calibration error", percent(first.calibration_error), f"expected, over {first.clips} clips"),
        ]
    if agreement:
        rows.append(("Int8 as float", percent(agreement.share), f"{agreement.equal} of {agreement.clips} clips"))
    return definitions(rows, "tiles") if rows else ""


def _flat(settings: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, str]]:
    for name, value in settings.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{above}{name}, ")
        elif isinstance(value, list | tuple):
            yield f"{above}{name}", ", ".join(map(str, value))
        else:
            words = {"None": "none", "True": "yes", "False": "no"}
            yield f"{above}{name}", words.get(str(value), str(value))
