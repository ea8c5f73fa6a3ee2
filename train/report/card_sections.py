"""Sections of a model's card: what it is chosen by, what passes as an instrument, how it follows, where it is weak."""

from __future__ import annotations

from collections.abc import Sequence

from train.evaluation.agreement import Agreement
from train.evaluation.clip_result import ClipResult, of_which, percent
from train.evaluation.programme_result import DELAY_EXPLAINED, ProgrammeResult, duration, programme_summary
from train.evaluation.rejection import ACCEPTED, Rejection, rejection_table, share_of


def glance(
    results: Sequence[ClipResult],
    floats: Sequence[ClipResult],
    rejections: Sequence[Rejection],
    programme_results: Sequence[ProgrammeResult],
) -> str:
    """Put what a model is chosen by into one table."""
    averages = {result.name: result.average for result in floats}
    rows = []
    for result in results:
        rows.append(
            (
                f"{result.name}: class average",
                f"{percent(result.average)} ({result.right} of {result.solos} clips){of_which(result)}",
            )
        )
        rows.append(
            (
                f"{result.name}: class average of what is named",
                f"{percent(result.named_average)} ({result.named_right} of {result.solos} clips)",
            )
        )
        known = [(merit.recall or 0.0, number) for number, merit in enumerate(result.classes) if merit.clips]
        if known:
            merit = result.classes[min(known)[1]]
            worst = f"{result.instruments[min(known)[1]]}, {percent(merit.recall)} ({merit.right} of {merit.clips})"
            rows.append((f"{result.name}: worst class", worst))
        rows.append((f"{result.name}: expected calibration error", percent(result.calibration_error)))
        float_average = averages.get(f"{result.name}, float network")
        if float_average is not None and result.average is not None:
            points = 100 * (result.average - float_average)
            rows.append((f"{result.name}: int8 less float, class average", f"{points:+.2f} points"))
    rows += [
        (f"{row.clips}: unknown rejected by {row.rule}", share_of(row.rejected, row.unknown))
        for row in rejections
        if row.unknown
    ]
    for timing in programme_results:
        median, most = (duration(timing.delay(portion)) for portion in (0.5, 0.9))
        rows.append((f"{timing.name}: delay, median and 90 %", f"{median} and {most}"))
        if timing.steady.flicker is not None:
            rows.append((f"{timing.name}: changes per minute of a steady solo", f"{timing.steady.flicker:.2f}"))
    lines = ["| figure | measured |", "| --- | ---: |", *(f"| {what} | {figure} |" for what, figure in rows)]
    return "\n".join(lines) + "\n\n" if rows else ""


def rejection_section(rejections: Sequence[Rejection]) -> str:
    """Tell what passes as an instrument."""
    if not rejections:
        return ""
    told = (
        f"One threshold for the most probable instrument, or for all of the line-up together, chosen so that "
        f"{100 * ACCEPTED:g} % of the instruments' clips are accepted of those that the shipped thresholds were chosen "
        "on, and the shipped ones, one for each. The last column is of thresholds chosen on the very clips instead:"
    )
    return f"### What is none of them\n\n{told}\n\n{rejection_table(rejections)}"


def stream_section(programme_results: Sequence[ProgrammeResult]) -> str:
    """Tell how the model follows who plays."""
    if not programme_results:
        return ""
    told = "Programmes of one player after another, heard hop by hop as the service hears a stage."
    return f"## In the stream\n\n{told} {DELAY_EXPLAINED}\n\n{programme_summary(programme_results)}"


def agreement_text(agreement: Agreement | None) -> str:
    """Tell how far int8 and float agree."""
    if agreement is None:
        return "How far the int8 model agrees with the float one was not measured."
    return (
        f"Through the service's recognizer the int8 model and the float one agree on {agreement.equal} of "
        f"{agreement.clips} clips ({100 * agreement.share:.1f} %); their probabilities are "
        f"{agreement.mean_difference:.4f} apart on average, {agreement.largest_difference:.3f} at most."
    )


def weakest_labels(result: ClipResult) -> str:
    """Name the weakest labels and what they are taken for."""
    rows = [(merit.right / merit.clips, number, merit) for number, merit in enumerate(result.classes) if merit.clips]
    if not rows:
        return ""
    lines = [f"Weakest on {result.name}:", ""]
    for recall, number, merit in sorted(rows, key=lambda row: row[:2])[:3]:
        taken = sorted(
            ((int(count), other) for other, count in enumerate(result.matrix[number]) if other != number and count),
            reverse=True,
        )[:2]
        for_others = ", ".join(f"{result.instruments[other]} ({count})" for count, other in taken)
        lines.append(
            f"- {result.instruments[number]}: {merit.right} of {merit.clips} right ({percent(recall)})"
            + (f", else taken for {for_others}" if taken else "")
        )
    return "\n".join(lines) + "\n"
