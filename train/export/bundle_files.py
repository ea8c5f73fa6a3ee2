"""The artifacts that the service loads: an int8 model, and the json that says what it is and where it comes from."""

from __future__ import annotations

import hashlib
import json
import os
import platform
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any

from stream import __version__
from stream.errors import ConfigError, SourceError
from stream.recognition.bundle import FORMAT, UNKNOWN, Bundle, load
from stream.recognition.mel import PARAMETERS
from train.compose.pack import Recording
from train.datasets.clips import SPLITS, Clip
from train.evaluation.metrics import Calibration


@dataclass(frozen=True, slots=True)
class Provenance:
    """What a model was learned from, and how."""

    dataset: str
    """Name of the data set."""
    digest: str
    """Of everything that determines the training clips."""
    clips: Sequence[Clip]
    """All clips that were used, of all splits."""
    seed: int
    command: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    """Variant, schedule and the like, as json takes them."""
    ingredients: Sequence[Recording] = ()
    """What the training clips were composed of; empty where they were cut from recordings."""
    held_out: Collection[tuple[str, str]] = ()
    """Instruments and sources that no composed training clip contains."""

    def counts(self) -> dict[str, dict[str, dict[str, int]]]:
        """Clips and recordings of each split and label."""
        found: dict[str, dict[str, list[Clip]]] = {split: defaultdict(list) for split in SPLITS}
        for clip in self.clips:
            found[clip.split][clip.label].append(clip)
        return {
            split: {
                label: {"clips": len(clips), "recordings": len({clip.recording for clip in clips})}
                for label, clips in sorted(labels.items())
            }
            for split, labels in found.items()
            if labels
        }

    def sources(self) -> list[dict[str, Any]]:
        """Sum up by source and licence what was trained on: ingredients where there are any, else training clips."""
        if self.ingredients:
            unit = "files"
            rows = [(row.source, row.licence, row.instrument) for row in self.ingredients]
        else:
            unit = "clips"
            rows = [(clip.source, clip.licence, clip.label) for clip in self.clips if clip.split == "training"]
        found: dict[tuple[str, str], list[str]] = defaultdict(list)
        for source, licence, instrument in rows:
            found[source, licence].append(instrument)
        return [
            {"source": source, "licence": licence, unit: len(names), "instruments": sorted(set(names))}
            for (source, licence), names in sorted(found.items())
        ]


def write(
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
        },
        "metrics": dict(metrics),
        "command": provenance.command,
        "versions": {
            "python": platform.python_version(),
            **{package: metadata.version(package) for package in ("tensorflow", "keras", "numpy")},
            "soloist": __version__,
        },
    }
    text = json.dumps(description, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
    replace(out / f"{name}.tflite", content)
    replace(out / f"{name}.json", text.encode())
    return load(out / f"{name}.json")


def replace(path: Path, content: bytes) -> None:
    """Write a file whole or not at all, and the folders above it.

    Raises
    ------
    SourceError
        When it cannot be written.
    """
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            part.write_bytes(content)
            os.replace(part, path)
        finally:
            part.unlink(missing_ok=True)
    except OSError as error:
        raise SourceError(f"cannot write {path}: {error.strerror}") from error


def _held_out(provenance: Provenance) -> dict[str, list[str]]:
    """Name the held-out sources, where the clips are composed."""
    named = [f"{instrument}: {source}" for instrument, source in sorted(provenance.held_out)]
    return {"held_out_sources": named} if named else {}
