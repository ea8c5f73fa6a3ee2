"""A model's card: what it hears, what it was learned from, how well it does, and where it fails."""

from __future__ import annotations

from train.evaluate import Result, table
from train.export import Provenance, sources
from train.pack import HELD_OUT, INSTRUMENTS
from train.score import Calibration

_CARD = """# {name}

Recognizes which of eight solo instruments is in front, or that none of them is, in 2.972 s of mono audio at 22 050 Hz.
The network is the published one for Medley-solos-DB: three convolutions of 16 filters, 3 x 3, stride 2, then one dense
layer ({parameters} weights), full-integer int8, {size} bytes. Its outputs are logits; softmax(logits / {temperature})
are calibrated probabilities, and an instrument is named from its threshold on: {thresholds}.

Made by `{command}`.

## How it does

{validation}

The clips of `validation` are real ones of Medley-solos-DB's training split and were never trained on. They were looked
at {looks} times while this model was made, so expect a little less of other recordings.

{held_out}

The held-out clips are composed, like the training clips, but of sources that no training clip contains: the epoch, the
temperature and the thresholds were chosen on them. The int8 model and the float one agree on {agreement:.1f} % of them.

{findings}
## What it was learned from

{clips} clips (seed {seed}), composed of openly licensed recordings of single notes, phrases, voices, drums and noise:
melodies, chords and extracts, with small changes of pitch, vibrato, measured and artificial rooms, equalisers,
compression, lossy codecs, noise, and in part of them accompaniment 4 to 22 dB below. Distorted guitars are largely
clean ones through modelled amplifiers. Alto, soprano and baritone saxophones count as tenor saxophone. `unknown` is
made of drums, basses, whole bands, other instruments, men's voices, speech, crowds and noise.

| source | licence | files | instruments |
| --- | --- | ---: | --- |
{sources}

Held out (instrument: source): {held_out_sources}.

Not learned from, measured only: Medley-solos-DB (Lostanlen, Cella, Bittner, Essid), CC BY 4.0.
"""


def card(
    name: str,
    rule: Calibration,
    provenance: Provenance,
    validation: Result | None,
    held_out: Result,
    *,
    parameters: int,
    size: int,
    agreement: float,
    looks: int,
) -> str:
    """Write a model card.

    Parameters
    ----------
    name : str
        The model's name.
    rule : Calibration
        How outputs become names.
    provenance : Provenance
        What it was learned from.
    validation, held_out : Result
        How it does on real clips, where there are any, and on clips composed of held-out sources.
    parameters, size : int
        Weights of the network, and bytes of the .tflite file.
    agreement : float
        Share of the held-out clips that the int8 model and the float one call the same.
    looks : int
        How often the validation clips were looked at.

    Returns
    -------
    str
        Markdown.
    """
    rows = [
        f"| {row['source']} | {row['licence']} | {row['files']} | {', '.join(row['instruments'])} |"
        for row in sources(provenance.recordings)
    ]
    return _CARD.format(
        name=name,
        parameters=parameters,
        size=size,
        temperature=rule.temperature,
        thresholds=", ".join(f"{name} {least}" for name, least in zip(INSTRUMENTS, rule.thresholds, strict=True)),
        command=provenance.command,
        validation=table(validation) if validation else "There were no validation clips.",
        looks=looks,
        held_out=table(held_out),
        agreement=100 * agreement,
        findings=_findings(validation or held_out),
        clips=provenance.clips,
        seed=provenance.seed,
        sources="\n".join(rows),
        held_out_sources="; ".join(f"{instrument}: {source}" for instrument, source in sorted(HELD_OUT)),
    )


def _findings(result: Result) -> str:
    """Name the weakest classes and what they are taken for."""
    labels = list(result.per_class)
    weak = sorted(labels, key=lambda label: result.per_class[label][0] / result.per_class[label][1])[:3]
    lines = [f"Weakest on {result.name}:", ""]
    for label in weak:
        right, clips = result.per_class[label]
        row = dict(zip(labels, result.matrix[labels.index(label)], strict=False))
        taken = sorted((count, other) for other, count in row.items() if other != label and count)[::-1][:2]
        taken_for = ", ".join(f"{other} ({count})" for count, other in taken)
        lines.append(f"- {label}: {right} of {clips} right" + (f", else taken for {taken_for}" if taken else ""))
    return "\n".join(lines) + "\n"
