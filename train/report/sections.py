"""Sections of a report: learning curves, figures, confusion, calibration, and clips to look at and hear."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import soundfile

from stream.recognition.bundle import UNKNOWN
from stream.recognition.mel import SAMPLE_RATE, Array
from train.datasets.clips import Clip
from train.evaluation.agreement import Agreement
from train.evaluation.clip_evaluation import Mistake
from train.evaluation.clip_metrics import ClassMetrics
from train.evaluation.clip_result import ClipResult, of_which, percent
from train.evaluation.programme_result import DELAY_EXPLAINED, ProgrammeResult, main_figures
from train.report import figures
from train.report.html_elements import escape, html_matrix, html_table, paragraph


@dataclass(frozen=True, slots=True, eq=False)
class Example:
    """A clip as the network sees it."""

    clip: Clip
    features: npt.NDArray[np.uint8]
    """Quantised features [shape=(129, 129)]."""


@dataclass(frozen=True, slots=True, eq=False)
class MistakeExample:
    """A mistake to look at and to listen to."""

    mistake: Mistake
    features: npt.NDArray[np.uint8]
    """Quantised features [shape=(129, 129)]."""
    audio: Array | None
    """Mono audio at 22 050 Hz; None where it cannot be had any more."""


def learning_section(history: Sequence[Mapping[str, float]], best: int) -> str:
    """Draw loss and accuracy over the epochs; nothing without any."""
    if not history:
        return ""
    drawn = []
    for key in ("loss", "accuracy"):
        last, kept = history[-1], next((entry for entry in history if entry["epoch"] == best), history[-1])
        description = (
            f"{key} over {len(history)} epochs. In epoch {best}, the best: training {kept[key]:.3f}, "
            f"validation {kept[f'validation_{key}']:.3f}. In the last: {last[key]:.3f} and "
            f"{last[f'validation_{key}']:.3f}."
        )
        drawing = figures.learning_curve(history, key, best, name=f"curve-{key}", description=description)
        drawn.append(f"<figure><figcaption>{key.capitalize()}</figcaption>{drawing}</figure>")
    return (
        paragraph(f"Epoch {best} of {len(history)} was kept: the surest of those near the best in validation.")
        + f'<div class="plots">{"".join(drawn)}</div>'
    )


def figures_section(results: Sequence[ClipResult]) -> str:
    """Tell the figures of every set of clips, and of every label."""
    heads = [
        "clips",
        "number",
        "accuracy",
        "class average",
        "named right",
        "class average",
        "named at all",
        "unknown rejected",
    ]
    rows = []
    for result in results:
        aside = [f"{n} {what}" for n, what in ((result.silent, "silent"), (result.skipped, "unreadable")) if n]
        unknown = result.named_classes[-1]
        rows.append(
            [
                result.name,
                f"{result.clips}" + (f" (and {', '.join(aside)})" if aside else ""),
                f"{percent(result.accuracy)} ({result.right} of {result.solos})",
                percent(result.average) + of_which(result),
                f"{result.named_right} of {result.solos}",
                percent(result.named_average),
                f"{result.named} of {result.solos}",
                f"{percent(unknown.recall)} ({unknown.right} of {unknown.clips})" if unknown.clips else "-",
            ]
        )
    text = (
        "Accuracy and class average ask which instrument is the most probable. A name is given only where its "
        "probability passes its threshold; what passes none is called unknown."
    )
    if not results:
        return ""
    labels = [_folded(result.name, _labels(result), number > 0) for number, result in enumerate(results)]
    return paragraph(text) + html_table("All sets of clips", heads, rows) + "<h3>Each label</h3>" + "".join(labels)


def _labels(result: ClipResult) -> str:
    """Tables of precision, recall and F1, by the most probable instrument and by name."""
    tables = []
    for how, labels, classes in (
        ("by the most probable instrument", result.instruments, result.classes),
        ("by name", (*result.instruments, UNKNOWN), result.named_classes),
    ):
        shown = [
            _merit(label, merit)
            for label, merit in zip(labels, classes, strict=True)
            if merit.clips or label in result.absent
        ]
        heads = ["label", "clips", "right", "precision", "recall", "F1"]
        tables.append(html_table(f"{result.name}, {how}", heads, shown))
    return f'<div class="plots">{"".join(tables)}</div>'


def _merit(label: str, merit: ClassMetrics) -> list[str]:
    shares = [percent(share) for share in (merit.precision, merit.recall, merit.f1)]
    return [label, str(merit.clips), str(merit.right), *shares]


def confusion_section(results: Sequence[ClipResult]) -> str:
    """Lay out both confusion matrices of every set of clips."""
    parts = []
    for number, result in enumerate(results):
        rows = len(result.labels)
        best = f"{result.name}: what clips are (rows), and the most probable instrument (columns)"
        named = f"{result.name}: what clips are (rows), and what they are named (columns)"
        both = html_matrix(best, result.labels, result.instruments, result.matrix[:rows]) + html_matrix(
            named, result.labels, (*result.instruments, UNKNOWN), result.named_matrix[:rows]
        )
        parts.append(_folded(result.name, both, number > 0))
    text = "Counts, and their share of the row. What is right is framed."
    return paragraph(text) + "".join(parts) if parts else ""


def calibration_section(results: Sequence[ClipResult]) -> str:
    """Draw the reliability of every set of clips."""
    drawn = []
    for number, result in enumerate(results):
        if not result.bins:
            continue
        error = percent(result.calibration_error)
        told = "; ".join(
            f"{b.clips} clips with {100 * b.confidence:.0f} % are right in {100 * b.accuracy:.0f} %"
            for b in result.bins
        )
        drawing = figures.reliability_diagram(
            result.bins,
            name=f"reliability-{number}",
            description=f"Reliability of {result.name}: {told}. Expected calibration error {error}.",
        )
        caption = f"{escape(result.name)} <small>expected calibration error {error}</small>"
        drawn.append(f'<figure class="square"><figcaption>{caption}</figcaption>{drawing}</figure>')
    text = "Of clips whose best label has 80 %, eight in ten should be right. Dots are at the mean of their bin."
    return paragraph(text) + f'<div class="plots">{"".join(drawn)}</div>' if drawn else ""


def _shades() -> str:
    stops = ", ".join(figures.shades())
    return (
        f'<p class="shades">-80 dB <span style="background:linear-gradient(to right, {stops})"></span> '
        "0 dB, the loudest of the clip</p>"
    )


def examples_section(examples: Sequence[Example]) -> str:
    """Draw examples, with the scale of their colours."""
    items = []
    for number, example in enumerate(examples):
        clip = example.clip
        drawing = figures.spectrogram(
            example.features, name=f"example-{number}", description=f"Mel spectrogram of {clip}, {clip.label}"
        )
        caption = f"<strong>{escape(clip.label)}</strong><small>{escape(_origin(clip))}</small>"
        items.append(f"<li><figure><figcaption>{caption}</figcaption>{drawing}</figure></li>")
    text = "What the network is given: three seconds in 129 mel bands, in dB."
    return paragraph(text) + _shades() + f'<ul class="clips">{"".join(items)}</ul>' if items else ""


def mistakes_section(mistakes: Sequence[MistakeExample], results: Sequence[ClipResult]) -> str:
    """Show mistakes with their sound; where nothing was measured, nothing."""
    items = []
    for number, entry in enumerate(mistakes):
        mistake, clip = entry.mistake, entry.mistake.clip
        drawing = figures.spectrogram(
            entry.features,
            name=f"mistake-{number}",
            description=f"Mel spectrogram of {clip}, {clip.label}, taken for {mistake.guess}",
        )
        caption = (
            f'<strong>{escape(clip.label)}</strong>taken for <span class="guess">{escape(mistake.guess)}</span>, '
            f"{100 * mistake.probability:.1f} %<small>{escape(_origin(clip))}</small>"
        )
        name = escape(f"{clip.label}, taken for {mistake.guess}")
        sound = (
            "<small>The audio cannot be read any more.</small>"
            if entry.audio is None
            else f'<audio controls preload="metadata" aria-label="{name}" src="{_sound(entry.audio)}"></audio>'
        )
        items.append(f"<li><figure><figcaption>{caption}</figcaption>{drawing}{sound}</figure></li>")
    if not items:
        return paragraph("There are none to show.") if results else ""
    return paragraph("Where the model is wrong and the surest.") + f'<ol class="clips">{"".join(items)}</ol>'


def programmes_section(programme_results: Sequence[ProgrammeResult]) -> str:
    """Tell how late, how still and how often false labels are on continuous programmes; nothing without any."""
    if not programme_results:
        return ""
    rows = [[what, *cells] for what, cells in main_figures(programme_results)]
    return paragraph(DELAY_EXPLAINED) + html_table(
        "Continuous programmes", ["figure", *(timing.name for timing in programme_results)], rows
    )


def agreement_section(agreement: Agreement) -> str:
    """Tell how far int8 and float agree, and every disagreement."""
    text = (
        f"The int8 model, heard through the service's recognizer, and the float network agree on {agreement.equal} of "
        f"{agreement.clips} clips ({100 * agreement.share:.2f} %). Their probabilities are "
        f"{agreement.mean_difference:.4f} apart on average, {agreement.largest_difference:.3f} at most."
    )
    if not agreement.disagreements:
        return paragraph(text)
    rows = [
        [
            str(row.clip),
            row.clip.label,
            row.served,
            row.original,
            f"{row.served_probability:.3f}",
            f"{row.original_probability:.3f}",
        ]
        for row in agreement.disagreements
    ]
    heads = ["clip", "label", "int8", "float", "probability, int8", "probability, float"]
    listing = html_table("The most probable label of each model, and its probability", heads, rows, texts=4)
    return paragraph(text) + f"<details><summary>All {len(rows)} disagreements</summary>{listing}</details>"


def _folded(name: str, part: str, folded: bool) -> str:
    """Fold away what belongs to all but the first set of clips."""
    return f"<details><summary>{escape(name)}</summary>{part}</details>" if folded else part


def _origin(clip: Clip) -> str:
    """Say where a clip is from, every name once."""
    parts = [clip.recording, str(clip)]
    if clip.source not in clip.recording:
        parts.append(clip.source)
    return " · ".join(dict.fromkeys(part for part in parts if part))


def _sound(audio: Array) -> str:
    """Audio as a data URI: FLAC, which every browser plays, and which has no random serial number as Ogg has."""
    buffer = io.BytesIO()
    soundfile.write(buffer, audio, SAMPLE_RATE, format="FLAC", subtype="PCM_16")
    return f"data:audio/flac;base64,{base64.b64encode(buffer.getvalue()).decode()}"
