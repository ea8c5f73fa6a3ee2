"""From the features of a window to calibrated probabilities."""

from __future__ import annotations

import os

import numpy as np
import numpy.typing as npt

from stream.errors import ModelError
from stream.recognition import bundle, sandbox
from stream.recognition.bundle import UNKNOWN, Bundle
from stream.recognition.interpreter import Int8Array, Interpreter
from stream.recognition.mel import FRAMES, N_MELS, Array, stack
from stream.recognition.settings import MODEL, Runtime

Probabilities = npt.NDArray[np.float64]


class Classifier:
    """A model bundle in an interpreter.

    Parameters
    ----------
    bundle : Bundle
        What `stream.recognition.bundle.load` returned.
    runtime, threads, delegates
        As for `stream.recognition.interpreter.Interpreter`.

    Raises
    ------
    ModelError
        When the model's tensors do not fit the front end or the bundle's labels, or `stream.recognition.sandbox`
        refuses it.
    RuntimeMissingError
        When there is no TFLite interpreter.
    """

    def __init__(self, bundle: Bundle, *, runtime: Runtime = "auto", threads: int = 1, delegates: bool = True) -> None:
        self.bundle = bundle
        model = bundle.origin or bundle.name
        try:
            sandbox.check_model(bundle.model, runtime, delegates)
            self.interpreter = Interpreter(bundle.model, runtime=runtime, threads=threads, delegates=delegates)
        except ModelError as error:
            raise ModelError(f"model {model}: {error}") from error
        for name, shape, expected in (
            ("input", self.interpreter.input.shape, (1, N_MELS, FRAMES, len(bundle.channels))),
            ("output", self.interpreter.output.shape, (1, len(bundle.labels))),
        ):
            if shape != expected:
                raise ModelError(f"model {model}: {name} has shape {shape}; expected {expected}")
        self._instrument_outputs = [i for i, label in enumerate(bundle.labels) if label != UNKNOWN]

    @classmethod
    def load(cls, model: str | os.PathLike[str] = MODEL, *, runtime: Runtime = "auto", threads: int = 1) -> Classifier:
        """Load a model and have it ready to run.

        Parameters
        ----------
        model : str or path
            Name of a shipped model, or the path of a .tflite or .json file (its partner lies beside it).
        runtime, threads
            As for `stream.recognition.interpreter.Interpreter`.

        Raises
        ------
        ModelError
            When it cannot be loaded, or does not fit the front end.
        RuntimeMissingError
            When there is no TFLite interpreter.
        """
        return cls(bundle.load(model), runtime=runtime, threads=threads)

    def quantize(self, features: Array) -> Int8Array:
        """Bring features to the model's integers.

        Parameters
        ----------
        features : np.ndarray [shape=(129, 129), dtype=float32]
            Mel bands by frames, in dB.

        Returns
        -------
        np.ndarray [shape=(1, 129, 129, n_channels), dtype=int8]
            The bundle's channels.
        """
        return self.interpreter.input.quantize(stack(features, self.bundle.channels))

    def __call__(self, features: Array) -> Probabilities:
        """Classify one window.

        Parameters
        ----------
        features : np.ndarray [shape=(129, 129), dtype=float32]
            Mel bands by frames, in dB below the window's maximum.

        Returns
        -------
        np.ndarray [shape=(n_instruments,), dtype=float64]
            Calibrated probability of each instrument, in the bundle's order; what is missing to 1 is `unknown`.
        """
        output = self.interpreter(self.quantize(features))[0]
        logits = self.interpreter.output.dequantize(output) / self.bundle.temperature
        likelihoods = np.exp(logits - logits.max())
        probabilities: Probabilities = likelihoods[self._instrument_outputs] / likelihoods.sum()
        return probabilities
