"""The bank: what a model says of everything else, which a name is taught against."""

from __future__ import annotations

import functools
import hashlib
import io
import zipfile
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt

from stream.errors import ModelError
from stream.recognition.bundle import Bundle
from stream.recognition.mel import Array
from stream.recognition.smoothing import Probabilities
from stream.recognition.taught import Real, describe
from stream.system.files import read_regular_file

Flags: TypeAlias = npt.NDArray[np.bool_]

ENDING: Final = ".bank.npz"
"""Of the file beside a model's .tflite."""

_FORMAT: Final = 1
_MAX_BYTES: Final = 8 << 20  # of the file, and of each part when unpacked
_FULL: Final = 127  # of 8 bits with a sign
_ONE: Final = 255  # what a probability of 1 is held as
_PARTS: Final = (
    *("format", "model", "sha256", "scale", "embeddings", "probabilities"),
    *("labels", "label", "sources", "source"),
)


@dataclass(frozen=True, eq=False)
class Bank:
    """What a model puts out for windows of all labels, by many players."""

    model: str
    """Name of the model that made them."""
    sha256: str
    """Of the model's .tflite file."""
    embeddings: Array
    """shape=(n, n_numbers), dtype=float32; of unit length but for rounding to 8 bits"""
    probabilities: Probabilities
    """shape=(n, n_instruments), dtype=float64; the model's own, rounded to 8 bits"""
    labels: tuple[str, ...]
    """What is in front in each of them."""
    sources: tuple[str, ...]
    """Who plays there: a library or a recording."""

    def __len__(self) -> int:
        return len(self.labels)

    @functools.cached_property
    def points(self) -> Real:
        """What heads weigh, see `stream.recognition.taught.describe`."""
        return describe(self.embeddings, self.probabilities)

    def where(self, labels: Collection[str] = (), sources: Collection[str] = ()) -> Flags:
        """Tell which windows are of some labels, or of some sources."""
        return np.array(
            [label in labels or source in sources for label, source in zip(self.labels, self.sources, strict=True)],
            np.bool_,
        )

    def without(self, windows: Flags) -> Bank:
        """Return the bank without some of its windows."""
        kept = np.flatnonzero(~windows).tolist()
        labels, sources = ([them[at] for at in kept] for them in (self.labels, self.sources))
        return Bank(
            self.model,
            self.sha256,
            self.embeddings[kept],
            self.probabilities[kept],
            tuple(labels),
            tuple(sources),
        )

    def packed(self) -> bytes:
        """Write it as a file: the embeddings in 8 bits, and each label and source once."""
        scale = float(np.abs(self.embeddings).max()) / _FULL
        labels, label = _indexed(self.labels)
        sources, source = _indexed(self.sources)
        file = io.BytesIO()
        np.savez_compressed(
            file,
            format=np.array(_FORMAT),
            model=np.array(self.model),
            sha256=np.array(self.sha256),
            scale=np.array(scale),
            embeddings=np.round(self.embeddings / scale).astype(np.int8),
            probabilities=np.round(self.probabilities * _ONE).astype(np.uint8),
            labels=labels,
            label=label,
            sources=sources,
            source=source,
        )
        return file.getvalue()


def load_bank(bundle: Bundle) -> Bank:
    """Load the bank that lies beside a model.

    Parameters
    ----------
    bundle : Bundle
        As `stream.recognition.bundle.load` returned it.

    Raises
    ------
    ModelError
        When there is none, it cannot be read, or it belongs to another model; the text says what to do.
    """
    origin = Path(bundle.origin)
    if origin.suffix in (".tflite", ".json"):
        path = origin.with_name(origin.stem + ENDING)
        try:
            content = read_regular_file(path, _MAX_BYTES + 1)
        except OSError as error:
            raise ModelError(f"bank {path}: {error.strerror}; `soloist train bank` makes one") from error
    else:
        path = Path(f"{bundle.origin or bundle.name}{ENDING}")
        shipped = resources.files("stream") / "models" / path.name
        if not shipped.is_file():
            raise ModelError(f"model {bundle.name} comes without a bank, so that no name can be taught with it")
        content = shipped.read_bytes()
    try:
        bank = read_bank(content)
    except ModelError as error:
        raise ModelError(f"bank {path}: {error}") from error
    if bank.sha256 != model_digest(bundle):
        raise ModelError(
            f"bank {path} belongs to another model than this {bundle.name}: it was made with {bank.model}, SHA-256 "
            f"{bank.sha256[:12]}...; `soloist train bank` makes it anew"
        )
    return bank


def read_bank(content: bytes) -> Bank:
    """Read a bank's file.

    Raises
    ------
    ModelError
        When it is none.
    """
    if len(content) > _MAX_BYTES:
        raise ModelError(f"is larger than {_MAX_BYTES >> 20} MiB; no bank is")
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as file:
            if sum(part.file_size for part in file.infolist()) > _MAX_BYTES:
                raise ModelError(f"unpacks to more than {_MAX_BYTES >> 20} MiB; no bank does")
        with np.load(io.BytesIO(content), allow_pickle=False) as parts:
            held = {name: parts[name] for name in _PARTS}
        if int(held["format"]) != _FORMAT:
            raise ModelError(f"format is {int(held['format'])}; this version reads format {_FORMAT}")
        embeddings = held["embeddings"].astype(np.float32) * np.float32(held["scale"])
        probabilities = held["probabilities"].astype(np.float64) / _ONE
        labels, sources = (held[name].tolist() for name in ("labels", "sources"))
        label, source = (held[name].tolist() for name in ("label", "source"))
        if embeddings.ndim != 2 or not len(embeddings) == len(probabilities) == len(label) == len(source) > 0:
            raise ModelError("its parts do not have one length")
        if not np.isfinite(embeddings).all():
            raise ModelError("its embeddings are not numbers")
        return Bank(
            str(held["model"]),
            str(held["sha256"]),
            embeddings,
            probabilities,
            tuple(str(labels[at]) for at in label),
            tuple(str(sources[at]) for at in source),
        )
    except (OSError, ValueError, KeyError, IndexError, TypeError, EOFError, zipfile.BadZipFile) as error:
        raise ModelError("cannot be read: it is no bank, or damaged") from error


def model_digest(bundle: Bundle) -> str:
    """SHA-256 of a model's .tflite file, by which files say that they belong to it."""
    return hashlib.sha256(bundle.model).hexdigest()


def _indexed(texts: Sequence[str]) -> tuple[npt.NDArray[np.str_], npt.NDArray[np.uint16]]:
    """Return the different texts, and which of them each is."""
    different = list(dict.fromkeys(texts))
    places = {text: number for number, text in enumerate(different)}
    return np.array(different), np.array([places[text] for text in texts], np.uint16)
