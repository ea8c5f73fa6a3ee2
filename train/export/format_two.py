"""The bundle of a network with several outputs: format 2."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ai_edge_litert.interpreter import Interpreter

from stream.errors import ConfigError
from stream.recognition.bundle import Bundle
from stream.recognition.front_end import find
from stream.system.stderr import quiet_stderr
from train.datasets.labels import ALL_LABELS, INSTRUMENTS
from train.export.bundle_files import origin, write_files
from train.export.provenance import Provenance
from train.export.several_outputs import OUTPUTS
from train.transfer.acceptance import Acceptance


def write_format_two(
    out: Path,
    name: str,
    content: bytes,
    rule: Acceptance,
    provenance: Provenance,
    metrics: Mapping[str, Any],
    *,
    labels: Sequence[str] = ALL_LABELS,
    lineup: Sequence[str] = INSTRUMENTS,
    tags: Sequence[str] = (),
    front_end: str = "mel-128",
    task: str = "",
    more: Mapping[str, Any] | None = None,
) -> Bundle:
    """Write ``<name>.tflite`` and ``<name>.json`` and load them as the service does.

    Parameters
    ----------
    out : Path
        Folder, made when absent.
    name : str
        The model's name.
    content : bytes
        The .tflite file, whose output tensors are named as `train.export.several_outputs.convert` does.
    rule : Acceptance
        How outputs become names.
    provenance : Provenance
        What it was learned from.
    metrics : mapping
        Measured figures with counts, as json takes them.
    labels : sequence of str
        Of the logits, in their order.
    lineup : sequence of str
        Which of them are named unless others are asked for.
    tags : sequence of str
        Of the output `tags`, in their order; none where there is no such output.
    front_end : str
        What makes the input.
    task : str
        What the model is for; the numbers of its labels by default.
    more : mapping, optional
        What else the json says, such as a licence's notice.

    Returns
    -------
    Bundle
        What the service sees.

    Raises
    ------
    ConfigError
        When there is not one threshold for each label, or tags without their output or the reverse.
    SourceError
        When the folder cannot be written.
    ModelError
        When the service refuses what was written.
    """
    outputs = [output for output in OUTPUTS if output in output_names(content)]
    if set(rule.thresholds) != set(labels):
        wrong = sorted(set(rule.thresholds) ^ set(labels))
        raise ConfigError(f"labels and thresholds differ by {', '.join(wrong)}; expected a threshold for each label")
    if bool(tags) != ("tags" in outputs):
        raise ConfigError(f"the model's outputs are {', '.join(outputs)}, and {len(tags)} tags are named")
    description: dict[str, Any] = {
        "format": 2,
        "name": name,
        "task": task or f"{len(labels)} sounds, of which {len(lineup)} solo instruments are named",
        "labels": list(labels),
        "features": {"front_end": front_end, **find(front_end).parameters},
        "outputs": {output: output for output in outputs},
        **({"tags": list(tags)} if tags else {}),
        "lineup": list(lineup),
        "calibration": {
            "temperature": rule.temperature,
            "threshold": {label: rule.thresholds[label] for label in labels},
            "known": rule.known,
        },
        **({"smoothing": asdict(rule.smoothing)} if rule.smoothing else {}),
    }
    return write_files(out, name, content, description | dict(more or {}) | origin(content, provenance, metrics))


def output_names(content: bytes) -> list[str]:
    """Name the output tensors of a .tflite file, in their order."""
    with quiet_stderr():  # XNNPACK announces itself
        return [str(output["name"]) for output in Interpreter(model_content=content).get_output_details()]
