"""A taught player, and the small file that holds one."""

from __future__ import annotations

import base64
import binascii
import json
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np

from stream.errors import TeachError
from stream.players.bank import model_digest
from stream.players.enrolment import Enrolment
from stream.players.reliability import Reliability
from stream.recognition.bundle import MAX_NAME_LENGTH, UNKNOWN, Bundle
from stream.recognition.lineup import ALL
from stream.recognition.taught import Head
from stream.system.names import in_one_form

MAX_BYTES: Final = 1 << 20
"""Of a file; sixty seconds take about 20 kB."""

_FORMAT: Final = 1
_RESERVED: Final = (ALL, UNKNOWN, "silence", "warming")
_FULL: Final = 127  # of 8 bits with a sign
_ONE: Final = 255  # what a probability of 1 is held as
_MAX_WINDOWS: Final = 1000


@dataclass(frozen=True, eq=False)
class TaughtPlayer:
    """Somebody, or an instrument, that was taught."""

    name: str
    model: str
    """Name of the model that heard it."""
    sha256: str
    """Of that model's .tflite file."""
    like: str | None
    """The label of the model that it is one of, so that others of that label may be taken for it; None where
    everything else is to be told from it."""
    enrolment: Enrolment
    head: Head
    reliability: Reliability

    def renamed(self, name: str) -> TaughtPlayer:
        """Return the same under another name."""
        return replace(self, name=name, head=replace(self.head, name=name))


def checked_name(name: str, bundle: Bundle) -> str:
    """Return a name as it is kept, if it can be a label beside those of a model.

    Raises
    ------
    TeachError
        When it cannot.
    """
    name = in_one_form(name.strip())
    if not 0 < len(name) <= MAX_NAME_LENGTH or not name.isprintable():
        raise TeachError(f"the name {name[:MAX_NAME_LENGTH]!r} cannot be used; expected 1 to {MAX_NAME_LENGTH} letters")
    if name.casefold() in _RESERVED or name in bundle.labels:
        raise TeachError(f"{name!r} means something already; give another name, such as 'my {name}'")
    return name


def write_player(player: TaughtPlayer) -> bytes:
    """Write a player as the content of a file: json, with arrays in 8 bits."""
    it = player.enrolment
    scale = float(np.abs(it.embeddings).max()) / _FULL
    held: dict[str, Any] = {
        "soloist_player": _FORMAT,
        "name": player.name,
        "model": player.model,
        "sha256": player.sha256,
        "like": player.like,
        "seconds": round(it.seconds, 2),
        "ends": [round(float(end), 2) for end in it.ends],
        "scale": scale,
        "embeddings": _text(np.round(it.embeddings / scale).astype(np.int8)),
        "probabilities": _text(np.round(it.probabilities * _ONE).astype(np.uint8)),
        "head": {"weights": [round(weight, 5) for weight in player.head.weights], "bias": round(player.head.bias, 5)},
        "reliability": player.reliability.record(),
    }
    return (json.dumps(held, ensure_ascii=False) + "\n").encode()


def read_player(content: bytes, bundle: Bundle) -> TaughtPlayer:
    """Read the content of a file.

    Raises
    ------
    TeachError
        When it is none, is damaged, or belongs to another model.
    """
    if len(content) > MAX_BYTES:
        raise TeachError(f"is larger than {MAX_BYTES >> 20} MiB; no taught name is")
    try:
        held = json.loads(content)
        number = held["soloist_player"]
    except (ValueError, RecursionError, KeyError, TypeError) as error:
        raise TeachError("is no file of a taught name, or damaged") from error
    if number != _FORMAT:
        raise TeachError(f"has format {str(number)[:20]}; this version reads format {_FORMAT}")
    try:
        if held["sha256"] != model_digest(bundle):
            raise TeachError(
                f"was taught with another model than this {bundle.name}: with {str(held['model'])[:MAX_NAME_LENGTH]}, "
                f"SHA-256 {str(held['sha256'])[:12]}...; teach it again"
            )
        return _player(held, bundle)
    except (ValueError, KeyError, TypeError, OverflowError, binascii.Error) as error:
        raise TeachError("is damaged: it does not hold what a taught name needs") from error


def _player(held: dict[str, Any], bundle: Bundle) -> TaughtPlayer:
    """Build a player from what a file holds; raises what numpy and Python do where it is not that."""
    name = checked_name(held["name"], bundle)
    ends = np.array(held["ends"], np.float32)
    if ends.ndim != 1 or not 0 < len(ends) <= _MAX_WINDOWS:
        raise ValueError("windows")
    labels = len(bundle.instruments)
    embeddings = np.frombuffer(_bytes(held["embeddings"]), np.int8).reshape(len(ends), -1).astype(np.float32)
    embeddings *= np.float32(held["scale"])
    probabilities = np.frombuffer(_bytes(held["probabilities"]), np.uint8).reshape(len(ends), labels) / _ONE
    weights = np.array(held["head"]["weights"], np.float64)
    bias = float(held["head"]["bias"])
    like = held["like"]
    numbers = (ends, embeddings, weights, np.array([bias, held["seconds"]], np.float64))
    if not all(np.isfinite(it).all() for it in numbers) or weights.shape != (embeddings.shape[1] + labels,):
        raise ValueError("numbers")
    if like is not None and like not in bundle.instruments:
        raise ValueError("like")
    return TaughtPlayer(
        name,
        str(held["model"]),
        str(held["sha256"]),
        like,
        Enrolment(embeddings, probabilities, ends, float(held["seconds"])),
        Head(name, tuple(weights.tolist()), bias),
        Reliability.recall(held["reliability"]),
    )


def _text(values: np.ndarray[Any, Any]) -> str:
    return base64.b64encode(values.tobytes()).decode()


def _bytes(text: str) -> bytes:
    return base64.b64decode(text, validate=True)
