"""Peers that know AudioSet: what their classes say of our labels, without having been taught any of them.

Both peers give a score for each of AudioSet's classes: the pretrained network with its published weights, and YAMNet
(Apache 2.0, Google), whose .tflite is given by path and holds the names of its classes.
"""

from __future__ import annotations

import csv
import io
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import soxr
from ai_edge_litert.interpreter import Interpreter

from stream.errors import ModelError
from stream.recognition.mel import SAMPLE_RATE
from stream.system.stderr import quiet_stderr
from train.datasets.labels import ALL_LABELS

Floats = npt.NDArray[np.floating[Any]]

CLASSES: Final[Mapping[str, tuple[str, ...]]] = {
    "clarinet": ("Clarinet",),
    "distorted electric guitar": ("Electric guitar", "Heavy metal", "Distortion", "Tapping (guitar technique)"),
    "female singer": ("Female singing",),
    "flute": ("Flute",),
    "piano": ("Piano", "Electric piano"),
    "tenor saxophone": ("Saxophone",),
    "trumpet": ("Trumpet",),
    "violin": ("Violin, fiddle",),
    "accordion": ("Accordion",),
    "acoustic guitar": ("Acoustic guitar",),
    "bass": ("Bass guitar", "Double bass"),
    "cello": ("Cello",),
    "clean electric guitar": ("Steel guitar, slide guitar",),
    "drums": ("Drum kit", "Drum machine", "Drum", "Snare drum", "Bass drum", "Hi-hat"),
    "french horn": ("French horn",),
    "male singer": ("Male singing",),
    "mandolin": ("Mandolin",),
    "organ": ("Organ", "Electronic organ", "Hammond organ"),
    "percussion": ("Percussion", "Timpani", "Tabla", "Cymbal", "Tambourine", "Maraca", "Mallet percussion"),
    "string section": ("String section",),
    "synthesizer": ("Synthesizer", "Sampler"),
    "trombone": ("Trombone",),
    "speech": ("Speech", "Conversation", "Narration, monologue"),
    "crowd": ("Crowd", "Applause", "Cheering", "Clapping", "Chatter", "Hubbub, speech noise, speech babble"),
    "band": ("Orchestra",),
    "noise": ("Noise", "Environmental noise", "Static", "Mains hum", "Hum", "White noise", "Pink noise", "Silence"),
}
"""What AudioSet calls our labels. It tells no saxophone from another, and has no viola, oboe, bassoon or bass clarinet:
these are missing, and are never told."""
_YAMNET_RATE: Final = 16_000
_YAMNET_SAMPLES: Final = 15_600
"""0.975 s, what the published file takes at a time."""


def zero_shot_probabilities(logits: Floats, classes: Sequence[str], labels: Sequence[str] = ALL_LABELS) -> Floats:
    """Read our labels off the logits of AudioSet's classes.

    Parameters
    ----------
    logits : np.ndarray [shape=(n, classes)]
        Of each class by itself, as `train.networks.efficient_weights.build_pretrained` gives them.
    classes : sequence of str
        AudioSet's names of the classes.
    labels : sequence of str
        What is to be told.

    Returns
    -------
    np.ndarray [shape=(n, labels), dtype=float64]
        The score of a label is that of its most probable class; a row sums to 1. Labels that AudioSet does not know
        get 0.
    """
    scores: Floats = 1 / (1 + np.exp(-np.asarray(logits, np.float64)))
    return _shares(scores, classes, labels)


def _shares(scores: Floats, classes: Sequence[str], labels: Sequence[str]) -> Floats:
    places = {name: place for place, name in enumerate(classes)}
    found = np.zeros((len(scores), len(labels)))
    for column, label in enumerate(labels):
        known = [places[name] for name in CLASSES.get(label, ()) if name in places]
        if known:
            found[:, column] = scores[:, known].max(axis=1)
    shares: Floats = found / np.maximum(found.sum(axis=1, keepdims=True), 1e-12)
    return shares


class Yamnet:
    """YAMNet's classifier, from its published .tflite with names of its classes in it.

    Parameters
    ----------
    path : Path
        The file. Where no names are in it, ``yamnet_class_map.csv`` or ``yamnet_label_list.txt`` has to lie beside it.

    Raises
    ------
    ModelError
        When the file cannot be read, is not such a model, or no names are found.
    """

    def __init__(self, path: Path) -> None:
        try:
            content = path.read_bytes()
            with quiet_stderr():  # XNNPACK announces itself
                self._interpreter = Interpreter(model_content=content, num_threads=1)
        except (OSError, ValueError, RuntimeError) as error:
            raise ModelError(f"YAMNet's file {path}: {error}") from error
        (given, *_) = self._interpreter.get_input_details()
        self._input = given["index"]
        if given["dtype"] != np.float32:
            raise ModelError(f"YAMNet's file {path} takes {given['dtype'].__name__}; expected samples as float32")
        self._two_dimensional = len(given["shape"]) == 2
        shape = [1, _YAMNET_SAMPLES] if self._two_dimensional else [_YAMNET_SAMPLES]
        self._interpreter.resize_tensor_input(self._input, shape)
        self._interpreter.allocate_tensors()
        self.classes = _class_names(content, path)
        """AudioSet's names of its classes."""
        outputs = [it for it in self._interpreter.get_output_details() if it["shape"][-1] == len(self.classes)]
        if not outputs:
            raise ModelError(f"YAMNet's file {path} has no output for its {len(self.classes)} classes")
        self._output = outputs[0]["index"]

    def probabilities(self, audio: Floats, labels: Sequence[str] = ALL_LABELS) -> Floats:
        """Read our labels off what it hears.

        Parameters
        ----------
        audio : np.ndarray [shape=(samples,), dtype=float32]
            Mono audio at 22 050 Hz, of 1 s or more.
        labels : sequence of str
            What is to be told.

        Returns
        -------
        np.ndarray [shape=(labels,), dtype=float64]
            As `zero_shot_probabilities`, of the mean score over the clip.
        """
        sound = soxr.resample(np.asarray(audio, np.float32), SAMPLE_RATE, _YAMNET_RATE)
        sound = np.pad(sound, (0, max(_YAMNET_SAMPLES - len(sound), 0)))
        rows = []
        for start in range(0, len(sound) - _YAMNET_SAMPLES + 1, _YAMNET_SAMPLES // 2):
            window = np.ascontiguousarray(sound[start : start + _YAMNET_SAMPLES], np.float32)
            self._interpreter.set_tensor(self._input, window[None] if self._two_dimensional else window)
            self._interpreter.invoke()
            rows.append(self._interpreter.get_tensor(self._output).reshape(-1, len(self.classes)).mean(axis=0))
        (shares,) = _shares(np.mean(rows, axis=0)[None], self.classes, labels)
        return np.asarray(shares)


def _class_names(content: bytes, path: Path) -> list[str]:
    """Read the names from the archive at the end of the file, where TFLite's metadata lie, or from a file beside it."""
    if zipfile.is_zipfile(io.BytesIO(content)):
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            for name in archive.namelist():
                if name.endswith(".txt"):
                    return archive.read(name).decode("utf-8").splitlines()
    beside = path.with_name("yamnet_label_list.txt")
    if beside.exists():
        return beside.read_text("utf-8").splitlines()
    table = path.with_name("yamnet_class_map.csv")
    if table.exists():
        with table.open(encoding="utf-8", newline="") as lines:
            return [row["display_name"] for row in csv.DictReader(lines)]
    raise ModelError(f"YAMNet's file {path} has no names of classes in it; expected yamnet_class_map.csv beside it")
