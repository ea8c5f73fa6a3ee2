"""The artifacts that the service loads: an int8 model, the json that says what it is, and its card."""

from __future__ import annotations

import hashlib
import json
import platform
from collections import defaultdict
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from stream import __version__
from stream.bundle import FORMAT, Bundle, load
from stream.features import PARAMETERS
from train.pack import HELD_OUT, INSTRUMENTS, LABELS, Recording
from train.score import Calibration


@dataclass(frozen=True, slots=True)
class Provenance:
    """What a model was learned from, and how."""

    recordings: list[Recording]
    """What the training clips were composed of."""
    clips: int
    """Composed clips trained on."""
    seed: int
    digest: str
    """Of everything that determines the training clips."""
    command: str


def write(out: Path, name: str, content: bytes, rule: Calibration, provenance: Provenance, metrics: Any) -> Bundle:
    """Write ``<name>.tflite`` and ``<name>.json`` and load them as the service does.

    Parameters
    ----------
    out : Path
        Folder, made when absent.
    name : str
        The model's name.
    content : bytes
        The .tflite file.
    rule : Calibration
        How outputs become names.
    provenance : Provenance
        What it was learned from.
    metrics : dict
        Measured figures with counts, as json takes them.

    Returns
    -------
    Bundle
        What the service sees.
    """
    description = {
        "format": FORMAT,
        "name": name,
        "task": "eight solo instruments",
        "labels": list(LABELS),
        "features": PARAMETERS,
        "calibration": {
            "temperature": rule.temperature,
            "threshold": dict(zip(INSTRUMENTS, rule.thresholds, strict=True)),
        },
        "sha256": hashlib.sha256(content).hexdigest(),
        "training": {
            "data": sources(provenance.recordings),
            "held_out_sources": [f"{instrument}: {source}" for instrument, source in sorted(HELD_OUT)],
            "clips": provenance.clips,
            "seed": provenance.seed,
            "data_digest": provenance.digest,
        },
        "metrics": metrics,
        "command": provenance.command,
        "versions": {
            "python": platform.python_version(),
            **{package: metadata.version(package) for package in ("tensorflow", "keras", "numpy")},
            "soloist": __version__,
        },
    }
    out.mkdir(parents=True, exist_ok=True)
    (out / f"{name}.tflite").write_bytes(content)
    (out / f"{name}.json").write_text(json.dumps(description, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return load(out / f"{name}.json")


def sources(recordings: list[Recording]) -> list[dict[str, Any]]:
    """Sum recordings up by source and licence."""
    files: dict[tuple[str, str], list[str]] = defaultdict(list)
    for row in recordings:
        files[row.source, row.licence].append(row.instrument)
    return [
        {"source": source, "licence": licence, "files": len(names), "instruments": sorted(set(names))}
        for (source, licence), names in sorted(files.items())
    ]
