"""A model as it is shipped: ``<name>.tflite`` beside the ``<name>.json`` that says what it is."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any, Final, TypeGuard

from stream.errors import ModelError
from stream.features import CHANNELS, PARAMETERS

FORMAT: Final = 1
UNKNOWN: Final = "unknown"
DEFAULT: Final = "lead"


@dataclass(frozen=True, slots=True)
class Bundle:
    """A model whose parts have been checked against each other."""

    name: str
    model: bytes
    """Content of the .tflite file."""
    labels: tuple[str, ...]
    """One for each output of the model, in order; `unknown` is the output for what is none of the instruments."""
    channels: tuple[str, ...]
    """What the model hears, as for `stream.features.stack`."""
    temperature: float
    """What the logits are divided by before the softmax."""
    thresholds: tuple[float, ...]
    """Probability from which a label is named, one for each instrument."""
    info: dict[str, Any]
    """The whole json."""

    @property
    def instruments(self) -> tuple[str, ...]:
        """The labels without `unknown`, in output order."""
        return tuple(label for label in self.labels if label != UNKNOWN)


def names() -> list[str]:
    """Names of the models that are shipped, in alphabetical order."""
    models = resources.files("stream") / "models"
    return sorted(entry.name.removesuffix(".json") for entry in models.iterdir() if entry.name.endswith(".json"))


def load(model: str | os.PathLike[str] = DEFAULT) -> Bundle:
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
        description = _read(stem.with_name(stem.name + ".json"))
        content = _read(stem.with_name(stem.name + ".tflite"))
        where = str(path)
    else:
        shipped = resources.files("stream") / "models"
        if str(model) not in names():
            raise ModelError(
                f"no model {str(model)!r}; shipped are {', '.join(names())}, or give the path of a .tflite"
            )
        description = (shipped / f"{model}.json").read_bytes()
        content = (shipped / f"{model}.tflite").read_bytes()
        where = str(model)
    try:
        info = json.loads(description)
    except ValueError as error:
        raise ModelError(f"model {where}: the json cannot be parsed: {error}") from error
    try:
        return _check(info, content)
    except ModelError as error:
        raise ModelError(f"model {where}: {error}") from error


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ModelError(f"model file {path}: {error.strerror}") from error


def _check(info: Any, content: bytes) -> Bundle:
    """Build the bundle from its two files, or say what does not fit."""
    if not isinstance(info, dict):
        raise ModelError(f"the json holds a {type(info).__name__}; expected an object")
    if info.get("format") != FORMAT:
        raise ModelError(f"format is {info.get('format')!r}; this version reads format {FORMAT}")
    digest = hashlib.sha256(content).hexdigest()
    if info.get("sha256") != digest:
        raise ModelError(
            f"the .tflite has SHA-256 {digest[:12]}..., the json expects {str(info.get('sha256'))[:12]}..."
        )
    name = info.get("name")
    if not isinstance(name, str) or not name:
        raise ModelError(f"name is {name!r}; expected a text")
    labels = info.get("labels")
    if not isinstance(labels, list) or not all(isinstance(label, str) and label for label in labels):
        raise ModelError(f"labels are {labels!r}; expected a list of texts")
    if len(set(labels)) != len(labels) or len(set(labels) - {UNKNOWN}) < 1:
        raise ModelError(f"labels are {labels!r}; expected different ones, at least one of them an instrument")
    features = info.get("features")
    if features != PARAMETERS:
        features = features if isinstance(features, dict) else {}
        wrong = [key for key in PARAMETERS | features if features.get(key) != PARAMETERS.get(key)]
        key = wrong[0]
        raise ModelError(f"feature {key} is {features.get(key)!r}; the front end computes {PARAMETERS.get(key)!r}")
    channels = info.get("channels", ["mel"])
    if not isinstance(channels, list) or not all(channel in CHANNELS for channel in channels):
        raise ModelError(f"channels are {channels!r}; this version computes {', '.join(CHANNELS)}")
    if channels[:1] != ["mel"] or len(set(channels)) != len(channels):
        raise ModelError(f"channels are {channels!r}; expected different ones, the first of them mel")
    calibration = info.get("calibration")
    calibration = calibration if isinstance(calibration, dict) else {}
    temperature = calibration.get("temperature")
    if not _is_number(temperature) or not 0.01 <= temperature <= 100:
        raise ModelError(f"calibration temperature is {temperature!r}; expected a number from 0.01 to 100")
    instruments = [label for label in labels if label != UNKNOWN]
    threshold = calibration.get("threshold")
    each: dict[str, Any] = threshold if isinstance(threshold, dict) else dict.fromkeys(instruments, threshold)
    if set(each) != set(instruments) or not all(_is_number(p) and 0 <= p <= 1 for p in each.values()):
        raise ModelError(
            f"calibration threshold is {threshold!r}; expected a number from 0 to 1, or one for each label"
        )
    thresholds = tuple(float(each[label]) for label in instruments)
    return Bundle(name, content, tuple(labels), tuple(channels), float(temperature), thresholds, info)


def _is_number(value: object) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool)
