"""A model as it is shipped: ``<name>.tflite`` beside the ``<name>.json`` that says what it is."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass, field, replace
from importlib import resources
from pathlib import Path
from typing import Any, Final

from stream.errors import ModelError
from stream.recognition import bundle_checks as checks
from stream.recognition.bundle_checks import MAX_LABELS, MAX_NAME_LENGTH, UNKNOWN, Outputs
from stream.recognition.front_end import MEL_129, FrontEndKind
from stream.recognition.settings import MODEL
from stream.recognition.smoothing import USUAL, Smoothing
from stream.system.files import read_regular_file

__all__ = ["FORMAT", "MAX_LABELS", "MAX_NAME_LENGTH", "UNKNOWN", "Bundle", "Outputs", "load", "shipped_names"]

FORMAT: Final = 1
"""The one of a model with a single output."""

_MAX_JSON_BYTES: Final = 1 << 20
_MAX_MODEL_BYTES: Final = 16 << 20
"""Many times those of the shipped models."""


@dataclass(frozen=True, slots=True)
class Bundle:
    """A model whose parts have been checked against each other."""

    name: str
    model: bytes
    """Content of the .tflite file."""
    labels: tuple[str, ...]
    """One for each logit of the model, in order. In format 1 `unknown` may be the one for what is none of the
    instruments."""
    channels: tuple[str, ...]
    """The input channels: for the front end `mel-129`, those of `stream.recognition.mel.stack`."""
    temperature: float
    """What the logits are divided by before the softmax."""
    thresholds: tuple[float, ...]
    """Probability from which a label is named, one for each instrument."""
    info: dict[str, Any]
    """The whole json."""
    origin: str = field(default="", compare=False)
    """The file or shipped model that was asked for: errors name this, because `name` may be another model's."""
    front_end: FrontEndKind = MEL_129
    """What makes its input."""
    lineup: tuple[str, ...] = ()
    """The instruments that are named unless others are asked for; all of them where it is empty."""
    known: float = 0.0
    """What the probabilities of tonight's line-up must sum to for one of it to be named."""
    smoothing: Smoothing = USUAL
    """How much it takes to change the label."""
    outputs: Outputs | None = None
    """Names of its output tensors; None where there is a single one, that of the logits."""
    tags: tuple[str, ...] = ()
    """One for each logit of its tags, in order."""

    @property
    def instruments(self) -> tuple[str, ...]:
        """The labels without `unknown`, in output order."""
        return tuple(label for label in self.labels if label != UNKNOWN)


def shipped_names() -> list[str]:
    """Names of the models that are shipped, in alphabetical order."""
    models = resources.files("stream") / "models"
    return sorted(entry.name.removesuffix(".json") for entry in models.iterdir() if entry.name.endswith(".json"))


def load(model: str | os.PathLike[str] = MODEL) -> Bundle:
    """Load a model bundle and check it against itself and the front end.

    Parameters
    ----------
    model : str or path
        Name of a shipped model, or the path of a .tflite or .json file (its partner lies beside it).

    Returns
    -------
    Bundle

    Raises
    ------
    ModelError
        When a file is missing or unreadable, or when what it says does not fit. The text says what was found and what
        was expected.
    """
    path = Path(model)
    if path.suffix in (".tflite", ".json"):
        stem = path.with_suffix("")
        description = _read(stem.with_name(stem.name + ".json"), _MAX_JSON_BYTES)
        content = _read(stem.with_name(stem.name + ".tflite"), _MAX_MODEL_BYTES)
        origin = str(path)
    else:
        shipped = resources.files("stream") / "models"
        if str(model) not in shipped_names():
            raise ModelError(
                f"no model {str(model)!r}; shipped are {', '.join(shipped_names())}, or give the path of a .tflite"
            )
        description = (shipped / f"{model}.json").read_bytes()
        content = (shipped / f"{model}.tflite").read_bytes()
        origin = str(model)
    try:
        info = json.loads(description, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise ModelError(f"model {origin}: the json cannot be parsed: {error}") from error
    try:
        return replace(_check(info, content), origin=origin)
    except ModelError as error:
        raise ModelError(f"model {origin}: {error}") from error
    except RecursionError as error:
        raise ModelError(f"model {origin}: the json is nested too deeply") from error


def _read(path: Path, max_bytes: int) -> bytes:
    """Content of a file of at most so many bytes."""
    try:
        content = read_regular_file(path, max_bytes + 1)
    except OSError as error:
        raise ModelError(f"model file {path}: {error.strerror}") from error
    if len(content) > max_bytes:
        raise ModelError(f"model file {path}: is larger than {max_bytes >> 20} MiB; no model is")
    return content


def _refuse_constant(constant: str) -> None:
    raise ValueError(f"{constant} is not valid JSON")


def _check(info: Any, content: bytes) -> Bundle:
    """Build the bundle from its two files, or say what does not fit."""
    if not isinstance(info, dict):
        raise ModelError(f"the json holds a {type(info).__name__}; expected an object")
    number = checks.read_format(info)
    digest = hashlib.sha256(content).hexdigest()
    if info.get("sha256") != digest:
        expected = checks.digest_start(info.get("sha256"))
        raise ModelError(f"the .tflite has SHA-256 {digest[:12]}..., the json expects {expected}...")
    name, labels = checks.read_name(info), checks.read_labels(info, number)
    kind, channels = checks.read_features(info, number)
    instruments = [label for label in labels if label != UNKNOWN]
    temperature, thresholds = checks.read_calibration(info, instruments)
    loaded = Bundle(name, content, labels, channels, temperature, thresholds, info)
    if number == 1:
        return loaded
    outputs, tags = checks.read_outputs(info)
    return replace(
        loaded,
        front_end=kind,
        lineup=checks.read_lineup(info, labels),
        known=checks.read_known(info),
        smoothing=checks.read_smoothing(info),
        outputs=outputs,
        tags=tags,
    )
