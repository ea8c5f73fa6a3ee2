"""What a bundle's json may say, and what is told of one that says something else."""

from __future__ import annotations

import reprlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Final, TypeGuard

from stream.errors import ModelError
from stream.recognition import front_end
from stream.recognition.front_end import FrontEndKind
from stream.recognition.smoothing import Smoothing
from stream.system.names import in_one_form

FORMATS: Final = (1, 2)
UNKNOWN: Final = "unknown"
MAX_LABELS: Final = 512
MAX_TAGS: Final = 1024
MAX_NAME_LENGTH: Final = 80
"""Of a label, a tag and a name."""
_MAX_TENSOR_LENGTH: Final = 500
_MAX_SHOWN_LENGTH: Final = 160
_SMOOTHING: Final = {"time_constant": (0.01, 10.0)}
"""From what to what each field of the smoothing may be, where it is not from 0 to 1."""


@dataclass(frozen=True, slots=True)
class Outputs:
    """Names of a model's output tensors."""

    instruments: str
    """Logits of the labels."""
    tags: str | None = None
    """Logits of the tags, each for itself."""
    embedding: str | None = None
    """A point in the space in which what sounds alike is near; of any length."""

    def named(self) -> list[tuple[str, str]]:
        """Return those that there are, each with what it is."""
        every = (("instruments", self.instruments), ("tags", self.tags), ("embedding", self.embedding))
        return [(name, tensor) for name, tensor in every if tensor is not None]


def read_format(info: Mapping[str, Any]) -> int:
    """Return which format the json is in."""
    number = info.get("format")
    if number not in FORMATS or isinstance(number, bool):
        known = " and ".join(map(str, FORMATS))
        raise ModelError(f"format is {shown(number)}; this version reads formats {known}")
    return int(number)


def read_name(info: Mapping[str, Any]) -> str:
    """Return the model's name."""
    name = info.get("name")
    if not _is_text(name):
        raise ModelError(f"name is {shown(name)}; expected a text of at most {MAX_NAME_LENGTH} letters")
    return name


def read_labels(info: Mapping[str, Any], number: int) -> tuple[str, ...]:
    """Return the labels of a json of this format, composed."""
    labels = _read_names("labels", info.get("labels"), MAX_LABELS)
    if len(set(labels)) != len(labels) or len(set(labels) - {UNKNOWN}) < 1:
        raise ModelError(f"labels are {shown(labels)}; expected different ones, at least one of them an instrument")
    if number > 1 and UNKNOWN in labels:
        raise ModelError(f"labels have {UNKNOWN}; in format {number} it is what the line-up's labels leave over")
    return labels


def read_features(info: Mapping[str, Any], number: int) -> tuple[FrontEndKind, tuple[str, ...]]:
    """Return the front end and the channels of the input."""
    given = info.get("features")
    features: dict[str, Any] = dict(given) if isinstance(given, dict) else {}
    if number == 1:
        kind = front_end.MEL_129
    else:
        name = features.pop("front_end", None)
        if name not in front_end.NAMES:
            raise ModelError(f"the front end is {shown(name)}; this version has {', '.join(front_end.NAMES)}")
        kind = front_end.find(name)
    if features != kind.parameters:
        expected: dict[str, Any] = dict(kind.parameters)
        wrong = next(it for it in expected | features if it not in expected or features.get(it) != expected[it])
        key = wrong if _is_text(wrong) else shown(wrong)
        raise ModelError(
            f"feature {key} is {shown(features.get(wrong))}; the front end computes {shown(expected.get(wrong))}"
        )
    channels = info.get("channels", ["mel"])
    if not isinstance(channels, list) or not all(channel in kind.channels for channel in channels):
        raise ModelError(f"channels are {shown(channels)}; this version computes {', '.join(kind.channels)}")
    if channels[:1] != ["mel"] or len(set(channels)) != len(channels):
        raise ModelError(f"channels are {shown(channels)}; expected different ones, the first of them mel")
    return kind, tuple(channels)


def read_outputs(info: Mapping[str, Any]) -> tuple[Outputs, tuple[str, ...]]:
    """Return the names of the outputs, and the tags that one of them stands for."""
    outputs = info.get("outputs")
    known = [it.name for it in fields(Outputs)]
    if not isinstance(outputs, dict) or "instruments" not in outputs or not set(outputs) <= set(known):
        raise ModelError(f"outputs are {shown(outputs)}; expected instruments, and tags and embedding where there are")
    names = list(outputs.values())
    if not all(_is_text(name, _MAX_TENSOR_LENGTH) for name in names) or len(set(names)) != len(names):
        raise ModelError(f"outputs are {shown(outputs)}; expected the names of different tensors")
    tags = () if "tags" not in info else _read_names("tags", info["tags"], MAX_TAGS)
    if len(set(tags)) != len(tags) or bool(tags) != ("tags" in outputs):
        raise ModelError(f"tags are {shown(tags)}; expected different ones if there is an output for them, else none")
    return Outputs(**outputs), tags


def read_lineup(info: Mapping[str, Any], labels: Sequence[str]) -> tuple[str, ...]:
    """Return the labels that are named unless others are asked for, in the order of the labels."""
    lineup = _read_names("lineup", info.get("lineup"), MAX_LABELS)
    strange = [name for name in lineup if name not in labels]
    if strange or not lineup or len(set(lineup)) != len(lineup):
        what = shown(strange or lineup)
        raise ModelError(f"the lineup has {what}; expected different ones of the labels, at least one")
    return tuple(label for label in labels if label in lineup)


def read_calibration(info: Mapping[str, Any], instruments: Sequence[str]) -> tuple[float, tuple[float, ...]]:
    """Return the temperature, and the threshold of each instrument."""
    calibration = _calibration(info)
    temperature = calibration.get("temperature")
    if not _is_number(temperature) or not 0.01 <= temperature <= 100:
        raise ModelError(f"calibration temperature is {shown(temperature)}; expected a number from 0.01 to 100")
    threshold = calibration.get("threshold")
    each: dict[str, Any] = dict.fromkeys(instruments, threshold)
    if isinstance(threshold, dict):
        each = {in_one_form(label): value for label, value in threshold.items()}
    if set(each) != set(instruments) or not all(_is_number(p) and 0 <= p <= 1 for p in each.values()):
        raise ModelError(
            f"calibration threshold is {shown(threshold)}; expected a number from 0 to 1, or one for each label"
        )
    return float(temperature), tuple(float(each[label]) for label in instruments)


def read_known(info: Mapping[str, Any]) -> float:
    """Return what the probabilities of the line-up must sum to for one of it to be named."""
    known = _calibration(info).get("known")
    if not _is_number(known) or not 0 <= known <= 1:
        raise ModelError(f"calibration known is {shown(known)}; expected a number from 0 to 1")
    return float(known)


def read_smoothing(info: Mapping[str, Any]) -> Smoothing:
    """Return how much it takes to change the label: what is usual, where the json does not say."""
    given = info.get("smoothing", {})
    known = [it.name for it in fields(Smoothing)]
    if not isinstance(given, dict) or not set(given) <= set(known):
        raise ModelError(f"smoothing is {shown(given)}; expected an object with any of {', '.join(known)}")
    for name, value in given.items():
        least, most = _SMOOTHING.get(name, (0.0, 1.0))
        if not _is_number(value) or not least <= value <= most:
            raise ModelError(f"smoothing {name} is {shown(value)}; expected a number from {least:g} to {most:g}")
    return Smoothing(**{name: float(value) for name, value in given.items()})


def digest_start(digest: object) -> str:
    """Return as much of a digest as tells it from others, whatever it is."""
    return digest[:12] if _is_text(digest) else shown(digest)


def shown(value: object) -> str:
    """Whatever a json may hold, in one short line."""
    text = reprlib.repr(value)  # which limits each level, not the whole
    return text if len(text) <= _MAX_SHOWN_LENGTH else f"{text[:_MAX_SHOWN_LENGTH]}..."


def _calibration(info: Mapping[str, Any]) -> dict[str, Any]:
    calibration = info.get("calibration")
    return calibration if isinstance(calibration, dict) else {}


def _read_names(what: str, names: object, most: int) -> tuple[str, ...]:
    """Return a list of names, composed."""
    if not isinstance(names, list) or not all(map(_is_text, names)):
        raise ModelError(f"{what} are {shown(names)}; expected a list of texts of at most {MAX_NAME_LENGTH} letters")
    if len(names) > most:
        raise ModelError(f"there are {len(names)} {what}; at most {most} are allowed")
    return tuple(map(in_one_form, names))


def _is_number(value: object) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_text(value: object, most: int = MAX_NAME_LENGTH) -> TypeGuard[str]:
    """Whether this can be shown, encoded and sent."""
    return isinstance(value, str) and 0 < len(value) <= most and value.isprintable()
