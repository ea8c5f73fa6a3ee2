"""A model as it is shipped: ``<name>.tflite`` beside the ``<name>.json`` that says what it is."""

from __future__ import annotations

import hashlib
import json
import os
import reprlib
from dataclasses import dataclass, field, replace
from importlib import resources
from pathlib import Path
from typing import Any, Final, TypeGuard

from stream.errors import ModelError
from stream.recognition.mel import CHANNELS, PARAMETERS
from stream.recognition.settings import MODEL
from stream.system.files import read_regular_file
from stream.system.names import in_one_form

FORMAT: Final = 1
UNKNOWN: Final = "unknown"

_MAX_JSON_BYTES: Final = 1 << 20
_MAX_MODEL_BYTES: Final = 16 << 20
"""Forty times those of the shipped models and more."""
MAX_LABELS: Final = 512
MAX_NAME_LENGTH: Final = 80
"""Of a label and of a name."""
_MAX_SHOWN_LENGTH: Final = 160


@dataclass(frozen=True, slots=True)
class Bundle:
    """A model whose parts have been checked against each other."""

    name: str
    model: bytes
    """Content of the .tflite file."""
    labels: tuple[str, ...]
    """One for each output of the model, in order; `unknown` is the output for what is none of the instruments."""
    channels: tuple[str, ...]
    """The input channels, as for `stream.recognition.mel.stack`."""
    temperature: float
    """What the logits are divided by before the softmax."""
    thresholds: tuple[float, ...]
    """Probability from which a label is named, one for each instrument."""
    info: dict[str, Any]
    """The whole json."""
    origin: str = field(default="", compare=False)
    """The file or shipped model that was asked for: errors name this, because `name` may be another model's."""

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
    if info.get("format") != FORMAT:
        raise ModelError(f"format is {_shown(info.get('format'))}; this version reads format {FORMAT}")
    digest = hashlib.sha256(content).hexdigest()
    if info.get("sha256") != digest:
        raise ModelError(
            f"the .tflite has SHA-256 {digest[:12]}..., the json expects {_digest_start(info.get('sha256'))}..."
        )
    name = info.get("name")
    if not _is_text(name):
        raise ModelError(f"name is {_shown(name)}; expected a text of at most {MAX_NAME_LENGTH} letters")
    labels = info.get("labels")
    if not isinstance(labels, list) or not all(map(_is_text, labels)):
        raise ModelError(f"labels are {_shown(labels)}; expected a list of texts of at most {MAX_NAME_LENGTH} letters")
    labels = list(map(in_one_form, labels))
    if len(labels) > MAX_LABELS:
        raise ModelError(f"there are {len(labels)} labels; at most {MAX_LABELS} are allowed")
    if len(set(labels)) != len(labels) or len(set(labels) - {UNKNOWN}) < 1:
        raise ModelError(f"labels are {_shown(labels)}; expected different ones, at least one of them an instrument")
    features = info.get("features")
    if features != PARAMETERS:
        features = features if isinstance(features, dict) else {}
        wrong = [key for key in PARAMETERS | features if features.get(key) != PARAMETERS.get(key)]
        key, found = wrong[0], _shown(features.get(wrong[0]))
        key = key if _is_text(key) else _shown(key)
        raise ModelError(f"feature {key} is {found}; the front end computes {_shown(PARAMETERS.get(wrong[0]))}")
    channels = info.get("channels", ["mel"])
    if not isinstance(channels, list) or not all(channel in CHANNELS for channel in channels):
        raise ModelError(f"channels are {_shown(channels)}; this version computes {', '.join(CHANNELS)}")
    if channels[:1] != ["mel"] or len(set(channels)) != len(channels):
        raise ModelError(f"channels are {_shown(channels)}; expected different ones, the first of them mel")
    calibration = info.get("calibration")
    calibration = calibration if isinstance(calibration, dict) else {}
    temperature = calibration.get("temperature")
    if not _is_number(temperature) or not 0.01 <= temperature <= 100:
        raise ModelError(f"calibration temperature is {_shown(temperature)}; expected a number from 0.01 to 100")
    instruments = [label for label in labels if label != UNKNOWN]
    threshold = calibration.get("threshold")
    each: dict[str, Any] = dict.fromkeys(instruments, threshold)
    if isinstance(threshold, dict):
        each = {in_one_form(label): value for label, value in threshold.items()}
    if set(each) != set(instruments) or not all(_is_number(p) and 0 <= p <= 1 for p in each.values()):
        raise ModelError(
            f"calibration threshold is {_shown(threshold)}; expected a number from 0 to 1, or one for each label"
        )
    thresholds = tuple(float(each[label]) for label in instruments)
    return Bundle(name, content, tuple(labels), tuple(channels), float(temperature), thresholds, info)


def _is_number(value: object) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_text(value: object) -> TypeGuard[str]:
    """Whether this can be shown, encoded and sent."""
    return isinstance(value, str) and 0 < len(value) <= MAX_NAME_LENGTH and value.isprintable()


def _shown(value: object) -> str:
    """Whatever a json may hold, in one short line."""
    shown = reprlib.repr(value)  # which limits each level, not the whole
    return shown if len(shown) <= _MAX_SHOWN_LENGTH else f"{shown[:_MAX_SHOWN_LENGTH]}..."


def _digest_start(digest: object) -> str:
    return digest[:12] if _is_text(digest) else _shown(digest)
