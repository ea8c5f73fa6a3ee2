"""Sections of a card on what is measured beside composed clips: classes, rows, embedding, peers, and forms."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from train.evaluation.class_table import ClassResult, class_table
from train.evaluation.clip_result import percent
from train.evaluation.embedding_trial import AMONG, LEARNED, EmbeddingResult, embedding_table
from train.evaluation.peers import PeerResult, peer_table
from train.evaluation.real_measurements import RealMeasurements
from train.evaluation.row_result import ROWS_EXPLAINED, RowResult, detail_table, row_table


@dataclass(frozen=True, slots=True)
class ModelForm:
    """One form that a network ships in, or could: float, int8, mixed."""

    name: str
    size: int
    """Bytes of the .tflite."""
    milliseconds: float
    """A hop beside `reference`, on one thread: what it takes over what that takes, measured side by side."""
    reference: str
    """What it is measured beside."""
    instructions: int | None
    """A hop, on the Raspberry Pi's kernels; None where they were not counted."""
    average: float
    """Class average over the line-up."""
    clips: int
    """Clips that it is of."""
    agreement: float
    """Share of clips that it and the float network that was trained name alike."""

    def figures(self) -> dict[str, Any]:
        """Plain numbers, as json takes them."""
        return asdict(self)


def real_sections(real: RealMeasurements, lineup: Sequence[str], forms: Sequence[ModelForm] = ()) -> list[str]:
    """Lay out all sections of what was measured on real recordings, for `train.report.model_card.model_card`."""
    return [
        classes_section([real.classes], lineup),
        rows_section(real.rows, real.remarks),
        embedding_section(real.embeddings),
        peers_section(real.windows.name, real.peers),
        forms_section(forms),
    ]


def classes_section(results: Sequence[ClassResult], lineup: Sequence[str]) -> str:
    """Tell of every class what it is taken for."""
    return _section("Every class", *(class_table(result, lineup) for result in results))


def rows_section(rows: Sequence[RowResult], remarks: Sequence[str] = ()) -> str:
    """Tell how the model follows real recordings in a row."""
    if not rows:
        return ""
    details = [f"{row.name}:\n\n{detail_table(row)}" for row in rows]
    return _section("Real recordings in a row", row_table(rows), ROWS_EXPLAINED, *details, *remarks)


def embedding_section(results: Sequence[EmbeddingResult]) -> str:
    """Tell whether the embedding knows instruments again that no model has heard."""
    if not results:
        return ""
    told = (
        f"Instruments that are none of the labels, from two sound fonts: each is learned from {LEARNED:g} s of one, "
        "as the mean of its windows, and looked for in windows of the other, both ways. Right is the share of windows "
        f"whose nearest mean is their own, among {AMONG} instruments (all choices of the others) and among all."
    )
    return _section("Instruments that it never heard", told, embedding_table(results))


def peers_section(what: str, results: Sequence[PeerResult]) -> str:
    """Put networks of others beside it."""
    if len(results) < 2:
        return ""
    told = (
        "The same clips, heard by the models named, and by networks of others: by the largest score of AudioSet's "
        "classes that stand for each instrument, without any training here. Rejected is what stays below a threshold "
        "that 9 in 10 of the instruments' clips pass."
    )
    return _section("Beside others", told, peer_table(what, results))


def forms_section(forms: Sequence[ModelForm]) -> str:
    """Tell what each point of accuracy costs."""
    if not forms:
        return ""
    beside = forms[0].reference
    lines = [
        f"| form | size | hop beside {beside} | instructions a hop | class average | named as by the float network |",
        "| --- |" + " ---: |" * 5,
    ]
    for form in forms:
        instructions = "-" if form.instructions is None else f"{form.instructions / 1e6:.1f} M"
        average = f"{percent(form.average)} of {form.clips} clips"
        lines.append(
            f"| {form.name} | {form.size / 1024:.0f} KiB | {form.milliseconds:.2f} | {instructions} | {average} "
            f"| {percent(form.agreement)} |"
        )
    return _section("What each point of accuracy costs", "\n".join(lines))


def _section(heading: str, *parts: str) -> str:
    parts = tuple(part for part in parts if part)
    return "\n\n".join([f"## {heading}", *parts]) if parts else ""
