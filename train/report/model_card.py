"""A model's card: what it hears, what it was learned from, how well it does, and where it fails."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from stream.recognition.bundle import UNKNOWN, Bundle
from stream.recognition.front_end import MEL_129
from train.evaluation.agreement import Agreement
from train.evaluation.clip_result import ClipResult, clip_table
from train.evaluation.lineups import lineup_of
from train.evaluation.programme_result import ProgrammeResult
from train.evaluation.rejection import Rejection
from train.export.provenance import Provenance
from train.report.card_sections import agreement_text, glance, rejection_section, stream_section, weakest_labels

_CARD: Final = """# {name}

{purpose}

The network: {network}, {parameters} weights, {form}, {size} bytes. Its input: {channels}. Its outputs are
logits; softmax(logits / {temperature}) are calibrated probabilities, and an instrument is named from its threshold on:
{thresholds}.{known}{fitting}

Made by `{command}`.

## How it does

{glance}{figures}

{agreement}

{findings}{sections}
## What it was learned from

{dataset}, {clips} training clips, seed {seed}.{pack} {text}

| split | label | clips | recordings |
| --- | --- | ---: | ---: |
{splits}

| source | licence | {unit} | instruments |
| --- | --- | ---: | --- |
{sources}
{held_out}
## How to train it again

```sh
{command_again}
```

{again}
"""
_EXPORTED: Final = (
    "This makes bundle, card and report. Made again from the checkpoint of the run, without training: `soloist train "
    "export`."
)


@dataclass(frozen=True, slots=True)
class CardText:
    """What a card tells besides figures, as Markdown."""

    clips: str = ""
    """How the clips came about, in whole sentences: `COMPOSED` for those composed of the pack."""
    fitting: str = ""
    """How the network was fitted."""
    ablation: str = ""
    """A table of what each ingredient brings."""
    notes: str = ""
    """What it gets wrong, and why, told by whoever found out."""
    agreement: str = ""
    """How far int8 and float agree, where no `Agreement` says it."""


def model_card(
    bundle: Bundle,
    provenance: Provenance,
    results: Sequence[ClipResult],
    *,
    network: str,
    parameters: int,
    form: str = "full-integer int8",
    agreement: Agreement | None = None,
    remarks: Sequence[str] = (),
    floats: Sequence[ClipResult] = (),
    rejections: Sequence[Rejection] = (),
    programme_results: Sequence[ProgrammeResult] = (),
    sections: Sequence[str] = (),
    again: str = _EXPORTED,
    text: CardText = CardText(),
) -> str:
    """Write a model card.

    Parameters
    ----------
    bundle : Bundle
        The model, as the service loads it.
    provenance : Provenance
        What it was learned from.
    results : sequence of ClipResult
        How it does, the most telling first: the weakest labels are named of that one.
    network : str
        The architecture in words.
    parameters : int
        Weights of the network.
    form : str
        What numbers it computes with.
    agreement : Agreement, optional
        How far the int8 model agrees with the float one.
    remarks : sequence of str
        Paragraphs about the figures: what the clips are, and how often they were looked at.
    floats : sequence of ClipResult
        How the float network does; each is named as the result of the same clips, and ", float network".
    rejections : sequence of Rejection
        What passes as an instrument, by rule.
    programme_results : sequence of ProgrammeResult
        How it does on continuous programmes.
    sections : sequence of str
        What else was measured, each with its heading; see `train.report.measured_sections`.
    again : str
        What the command makes, and how to go on.
    text : CardText
        What else there is to tell.

    Returns
    -------
    str
        Markdown.
    """
    sources = provenance.sources()
    unit = "files" if provenance.ingredients else "clips"
    held_out = "; ".join(f"{instrument}: {source}" for instrument, source in sorted(provenance.held_out))
    return _CARD.format(
        name=bundle.name,
        purpose=_purpose(bundle),
        network=network,
        parameters=parameters,
        form=form,
        size=len(bundle.model),
        channels=_input(bundle),
        temperature=bundle.temperature,
        thresholds=", ".join(
            f"{label} {least:g}" for label, least in zip(bundle.instruments, bundle.thresholds, strict=True)
        ),
        known=_known(bundle),
        fitting=f"\n\n{text.fitting}" if text.fitting else "",
        command=provenance.command,
        glance=glance(results, floats, rejections, programme_results),
        figures="\n\n".join([*map(clip_table, results), *remarks]) or "It has not been measured.",
        agreement=text.agreement or agreement_text(agreement),
        findings=weakest_labels(results[0]) if results else "",
        sections="".join(
            f"\n{section.strip()}\n"
            for section in (
                rejection_section(rejections),
                stream_section(programme_results),
                *sections,
                _headed("What it gets wrong, and why", text.notes),
                _headed("What each ingredient brings", _demoted(text.ablation)),
            )
            if section
        ),
        dataset=provenance.dataset,
        clips=sum(clip.split == "training" for clip in provenance.clips),
        seed=provenance.seed,
        pack=f" The digest of the pack's table and sizes is `{provenance.pack_digest}`." * bool(provenance.pack_digest),
        text=text.clips,
        splits="\n".join(
            f"| {split} | {_cell(label)} | {count['clips']} | {count['recordings']} |"
            for split, labels in provenance.counts().items()
            for label, count in labels.items()
        ),
        unit=unit,
        sources="\n".join(
            f"| {_cell(row['source']) or '-'} | {_cell(row['licence']) or 'not known'} | {row[unit]} "
            f"| {', '.join(map(_cell, row['instruments']))} |"
            for row in sources
        ),
        held_out=f"\nHeld out (instrument: source): {held_out}.\n" if held_out else "",
        command_again=_again(provenance),
        again=again,
    )


def _headed(heading: str, text: str) -> str:
    """Put a heading over a text that has none of its own."""
    text = text.strip()
    return text if text.startswith("#") or not text else f"## {heading}\n\n{text}"


def _demoted(text: str) -> str:
    """Make a page's headings those of a section."""
    return "\n".join(f"#{line}" if line.startswith("#") else line for line in text.strip().splitlines())


def _again(provenance: Provenance) -> str:
    """Name the command, and before it the one that rendered its pack where it did not do so itself."""
    data = provenance.settings.get("data", {})
    if "rendered_from" not in data or "--render" in provenance.command.split():
        return provenance.command
    render = shlex.join(["soloist", "train", "render", "--data", data["rendered_from"], "--out", data["path"]])
    return f"{render}\n{provenance.command}"


def _purpose(bundle: Bundle) -> str:
    lineup = lineup_of(bundle)
    others = [label for label in bundle.instruments if label not in lineup]
    what = f"Recognizes which of {len(lineup)} solo instruments ({', '.join(lineup)}) is in front"
    none = ", or that none of them is," if UNKNOWN in bundle.labels or others else ","
    told = f"{what}{none} in 2.972 s of mono audio at 22 050 Hz."
    if others:
        told += f" Beyond these it knows {', '.join(others)}, which `soloist run --instruments all` names, too."
    outputs = [name for name in ("tags", "embedding") if bundle.outputs and getattr(bundle.outputs, name)]
    return told + (f" It has the further outputs {' and '.join(outputs)}." if outputs else "")


def _input(bundle: Bundle) -> str:
    name = bundle.front_end.name
    if name != MEL_129.name:
        return f"the log mel spectrogram of the front end {name}"
    return "the dB mel spectrogram" + "".join(f", {channel}" for channel in bundle.channels if channel != "mel")


def _known(bundle: Bundle) -> str:
    if not bundle.known:
        return ""
    return f" The probabilities of the line-up must sum to {bundle.known:g} for any of it to be named."


def _cell(text: str) -> str:
    """Keep a text from ending its cell of a table."""
    return text.replace("|", "\\|").replace("\n", " ")
