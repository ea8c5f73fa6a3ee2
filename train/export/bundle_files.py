"""The artifacts that the service loads: an int8 model, and the json that says what it is and where it comes from."""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from stream import __version__
from stream.errors import ConfigError
from stream.recognition.bundle import FORMAT, UNKNOWN, Bundle, load
from stream.recognition.mel import PARAMETERS
from train.atomic_file import write_atomically
from train.evaluation.clip_metrics import Calibration
from train.export.provenance import Provenance
from train.framework_versions import framework_versions


def write_bundle(
    out: Path,
    name: str,
    content: bytes,
    labels: Sequence[str],
    rule: Calibration,
    provenance: Provenance,
    metrics: Mapping[str, Any],
    *,
    task: str = "",
    channels: Sequence[str] = ("mel",),
) -> Bundle:
    """Write ``<name>.tflite`` and ``<name>.json`` and load them as the service does.

    Each file appears whole or not at all, the json last: with a run that is killed in between, the service refuses the
    new model under the old json, by its digest, instead of trusting it.

    Parameters
    ----------
    out : Path
        Folder, made when absent.
    name : str
        The model's name.
    content : bytes
        The .tflite file.
    labels : sequence of str
        Of the model's outputs, `unknown` last where it has it.
    rule : Calibration
        How outputs become names.
    provenance : Provenance
        What it was learned from.
    metrics : mapping
        Measured figures with counts, as json takes them.
    task : str
        What the model is for; the number of its instruments by default.
    channels : sequence of str
        Its input channels.

    Returns
    -------
    Bundle
        What the service sees.

    Raises
    ------
    ConfigError
        When there is not one threshold for each label but `unknown`, or `unknown` is not the last label.
    SourceError
        When the folder cannot be written.
    ModelError
        When the service refuses what was written.
    """
    instruments = [label for label in labels if label != UNKNOWN]
    if len(instruments) != len(rule.thresholds) or list(labels)[: len(instruments)] != instruments:
        raise ConfigError(
            f"labels are {', '.join(labels)} with {len(rule.thresholds)} thresholds; "
            f"expected a threshold for each, and {UNKNOWN} without one, last"
        )
    description = {
        "format": FORMAT,
        "name": name,
        "task": task or f"{len(instruments)} solo instruments",
        "labels": list(labels),
        "features": PARAMETERS,
        "channels": list(channels),
        "calibration": {
            "temperature": rule.temperature,
            "threshold": dict(zip(instruments, rule.thresholds, strict=True)),
        },
    }
    return write_files(out, name, content, description | origin(content, provenance, metrics))


def write_files(out: Path, name: str, content: bytes, description: Mapping[str, Any]) -> Bundle:
    """Write a model and what its json says of it, and load both as the service does.

    Raises
    ------
    SourceError
        When the folder cannot be written.
    ModelError
        When the service refuses what was written.
    """
    text = json.dumps(description, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
    write_atomically(out / f"{name}.tflite", content)
    write_atomically(out / f"{name}.json", text.encode())
    return load(out / f"{name}.json")


def origin(content: bytes, provenance: Provenance, metrics: Mapping[str, Any]) -> dict[str, Any]:
    """Say in a bundle's json which file it describes, what it was learned from, how good it is, and what made it."""
    return {
        "sha256": hashlib.sha256(content).hexdigest(),
        "training": {
            "data_set": provenance.dataset,
            "data": provenance.sources(),
            **_held_out(provenance),
            "clips": sum(clip.split == "training" for clip in provenance.clips),
            "splits": provenance.counts(),
            "seed": provenance.seed,
            "settings": dict(provenance.settings),
            "data_digest": provenance.digest,
            **({"pack_digest": provenance.pack_digest} if provenance.pack_digest else {}),
        },
        "metrics": dict(metrics),
        "command": provenance.command,
        "versions": {
            "python": platform.python_version(),
            **framework_versions(),
            "numpy": np.__version__,
            "soloist": __version__,
        },
    }


def _held_out(provenance: Provenance) -> dict[str, list[str]]:
    """Name the held-out sources, where the clips are composed."""
    named = [f"{instrument}: {source}" for instrument, source in sorted(provenance.held_out)]
    return {"held_out_sources": named} if named else {}
