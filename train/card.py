"""A model's card: what it hears, what it was learned from, how well it does, and where it fails."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from stream.bundle import UNKNOWN, Bundle
from train.agreement import Agreement
from train.export import Provenance
from train.result import Result, percent, table

COMPOSED: Final = """The clips were composed of openly licensed recordings of single notes, phrases, voices, drums and
noise: melodies, chords and extracts, with small changes of pitch, vibrato, measured and artificial rooms, equalisers,
compression, lossy codecs, noise, and in part of them accompaniment 4 to 22 dB below. Distorted guitars are largely
clean ones through modelled amplifiers. Alto, soprano and baritone saxophones count as tenor saxophone. `unknown` is
made of drums, basses, whole bands, other instruments, men's voices, speech, crowds and noise. The clips that epoch,
temperature and thresholds were chosen on are composed of sources that no training clip contains."""
"""How clips of the pack come about, for the card of a model that was learned from them."""

_CARD: Final = """# {name}

{purpose}

The network: {network}, {parameters} weights, full-integer int8, {size} bytes. Its input: {channels}. Its outputs are
logits; softmax(logits / {temperature}) are calibrated probabilities, and an instrument is named from its threshold on:
{thresholds}.

Made by `{command}`.

## How it does

{figures}

{agreement}

{findings}
## What it was learned from

{dataset}, {clips} training clips, seed {seed}. {story}

| split | label | clips | recordings |
| --- | --- | ---: | ---: |
{splits}

| source | licence | {unit} | instruments |
| --- | --- | ---: | --- |
{sources}
{held_out}"""


def card(
    bundle: Bundle,
    provenance: Provenance,
    results: Sequence[Result],
    *,
    network: str,
    parameters: int,
    agreement: Agreement | None = None,
    story: str = "",
    remarks: Sequence[str] = (),
) -> str:
    """Write a model card.

    Parameters
    ----------
    bundle : Bundle
        The model, as the service loads it.
    provenance : Provenance
        What it was learned from.
    results : sequence of Result
        How it does, the most telling first: the weakest labels are named of that one.
    network : str
        The architecture in words.
    parameters : int
        Weights of the network.
    agreement : Agreement, optional
        How far the int8 model agrees with the float one.
    story : str
        How the clips came about, in whole sentences: `COMPOSED` for those composed of the pack.
    remarks : sequence of str
        Paragraphs about the figures: what the clips are, and how often they were looked at.

    Returns
    -------
    str
        Markdown.
    """
    sources = provenance.sources()
    unit = "files" if provenance.ingredients else "clips"
    channels = bundle.info.get("channels", ["mel"])
    held_out = "; ".join(f"{instrument}: {source}" for instrument, source in sorted(provenance.held_out))
    return _CARD.format(
        name=bundle.name,
        purpose=_purpose(bundle),
        network=network,
        parameters=parameters,
        size=len(bundle.model),
        channels="the dB mel spectrogram" + "".join(f", {channel}" for channel in channels if channel != "mel"),
        temperature=bundle.temperature,
        thresholds=", ".join(
            f"{label} {least:g}" for label, least in zip(bundle.instruments, bundle.thresholds, strict=True)
        ),
        command=provenance.command,
        figures="\n\n".join([*map(table, results), *remarks]) or "It has not been measured.",
        agreement=_agreement(agreement),
        findings=_findings(results[0]) if results else "",
        dataset=provenance.dataset,
        clips=sum(clip.split == "training" for clip in provenance.clips),
        seed=provenance.seed,
        story=story,
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
    )


def looked(looks: int) -> str:
    """Say what the pack's real validation clips are, and how often they were looked at."""
    times = "once" if looks == 1 else f"{looks} times"
    return (
        "The clips of `validation` are real ones of Medley-solos-DB's training split (Lostanlen, Cella, Bittner, "
        f"Essid; CC BY 4.0) and were never trained on. They were looked at {times} while this model was made"
        + (", so expect a little less of other recordings." if looks > 1 else ".")
    )


def _purpose(bundle: Bundle) -> str:
    instruments = bundle.instruments
    what = f"Recognizes which of {len(instruments)} solo instruments ({', '.join(instruments)}) is in front"
    none = ", or that none of them is," if UNKNOWN in bundle.labels else ","
    return f"{what}{none} in 2.972 s of mono audio at 22 050 Hz."


def _agreement(agreement: Agreement | None) -> str:
    if agreement is None:
        return "How far the int8 model agrees with the float one was not measured."
    return (
        f"Through the service's recognizer the int8 model and the float one agree on {agreement.equal} of "
        f"{agreement.clips} clips ({100 * agreement.share:.1f} %); their probabilities are "
        f"{agreement.mean_difference:.4f} apart on average, {agreement.largest_difference:.3f} at most."
    )


def _findings(result: Result) -> str:
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


def _cell(text: str) -> str:
    """Keep a text from ending its cell of a table."""
    return text.replace("|", "\\|").replace("\n", " ")
