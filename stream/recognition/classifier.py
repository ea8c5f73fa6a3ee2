"""From the features of a window to calibrated probabilities, tags and an embedding."""

from __future__ import annotations

import os
from collections.abc import Mapping

import numpy as np

from stream.errors import ModelError
from stream.recognition import bundle, sandbox
from stream.recognition.bundle import UNKNOWN, Bundle
from stream.recognition.bundle_checks import shown
from stream.recognition.interpreter import Interpreter, Tensor, TensorArray
from stream.recognition.mel import Array, stack
from stream.recognition.settings import MODEL, Runtime
from stream.recognition.smoothing import Probabilities


class Inference:
    """What a model made of one window. Only what is asked for is computed, from what the model has put out already."""

    __slots__ = ("_classifier", "_outputs", "probabilities")

    def __init__(
        self, probabilities: Probabilities, classifier: Classifier, outputs: Mapping[str, TensorArray]
    ) -> None:
        self.probabilities = probabilities
        """Calibrated probability of each instrument, in the bundle's order; what is missing to 1 is `unknown`."""
        self._classifier = classifier
        self._outputs = outputs

    @property
    def embedding(self) -> Array | None:
        """Where this window lies in the model's space, in which what sounds alike is near.

        Returns
        -------
        np.ndarray [shape=(n,), dtype=float32] or None
            Of unit length. None where the model has no embedding, or it has no direction.
        """
        values = self._values("embedding")
        if values is None or not np.isfinite(values).all():
            return None
        length = float(np.linalg.norm(values))
        return (values / length).astype(np.float32) if length > 0 else None

    @property
    def tags(self) -> dict[str, float]:
        """Probability of each of the model's tags, each for itself; empty where it has none."""
        values = self._values("tags")
        if values is None:
            return {}
        probable = 1 / (1 + np.exp(-np.clip(np.nan_to_num(values, nan=-np.inf), -700, 700)))
        return dict(zip(self._classifier.bundle.tags, probable.tolist(), strict=True))

    def _values(self, output: str) -> Probabilities | None:
        """Real values of one of the outputs."""
        held = self._outputs.get(output)
        return None if held is None else self._classifier.tensors[output].dequantize(held[0])


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
        When the model's tensors do not fit the front end or what the bundle says of them, or
        `stream.recognition.sandbox` refuses it.
    RuntimeMissingError
        When there is no TFLite interpreter.
    """

    def __init__(self, bundle: Bundle, *, runtime: Runtime = "auto", threads: int = 1, delegates: bool = True) -> None:
        self.bundle = bundle
        model = bundle.origin or bundle.name
        try:
            sandbox.check_model(bundle.model, runtime, delegates)
            self.interpreter = Interpreter(bundle.model, runtime=runtime, threads=threads, delegates=delegates)
            self.tensors: Mapping[str, Tensor] = _tensors(self.interpreter, bundle)
            """The outputs, by what they are: `instruments`, and `tags` and `embedding` where there are."""
        except ModelError as error:
            raise ModelError(f"model {model}: {error}") from error
        self._places = {name: self.interpreter.outputs.index(tensor) for name, tensor in self.tensors.items()}
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

    def quantize(self, features: Array) -> TensorArray:
        """Bring features to what the model's input holds: integers, or real numbers where it is not quantized.

        Parameters
        ----------
        features : np.ndarray [shape=(n_bands, n_frames), dtype=float32]
            As the bundle's front end makes them.

        Returns
        -------
        np.ndarray [shape=(1, n_bands, n_frames, n_channels), dtype=int8 or float32]
            The bundle's channels.
        """
        channels = self.bundle.channels
        return self.interpreter.input.quantize(features if len(channels) == 1 else stack(features, channels))

    def run(self, values: TensorArray) -> dict[str, TensorArray]:
        """Run the model on what its input holds.

        Returns
        -------
        dict of str to np.ndarray [shape=(1, n), dtype=int8 or float32]
            What its outputs hold: `instruments`, and `tags` and `embedding` where there are.
        """
        held = self.interpreter.run(values)
        return {name: held[place] for name, place in self._places.items()}

    def infer(self, features: Array) -> Inference:
        """Run the model on one window.

        Parameters
        ----------
        features : np.ndarray [shape=(n_bands, n_frames), dtype=float32]
            As the bundle's front end makes them.
        """
        outputs = self.run(self.quantize(features))
        logits = self.tensors["instruments"].dequantize(outputs["instruments"][0]) / self.bundle.temperature
        if not np.isfinite(logits).all():  # which only a model of real numbers can put out
            return Inference(np.zeros(len(self._instrument_outputs)), self, outputs)
        likelihoods = np.exp(logits - logits.max())
        return Inference(likelihoods[self._instrument_outputs] / likelihoods.sum(), self, outputs)

    def __call__(self, features: Array) -> Probabilities:
        """Return the calibrated probability of each instrument alone; see `infer`."""
        return self.infer(features).probabilities


def _tensors(interpreter: Interpreter, bundle: Bundle) -> dict[str, Tensor]:
    """Return the outputs that a bundle speaks of, if what it says of them and of the input is so."""
    _expect_shape("input", interpreter.input, (1, *bundle.front_end.shape, len(bundle.channels)))
    if bundle.outputs is None:
        if len(interpreter.outputs) != 1:
            raise ModelError(f"the model has {len(interpreter.outputs)} outputs; expected one in format 1")
        _expect_shape("output", interpreter.output, (1, len(bundle.labels)))
        return {"instruments": interpreter.output}
    there = {tensor.name: tensor for tensor in interpreter.outputs}
    named = {}
    for name, wanted in bundle.outputs.named():
        if wanted not in there:
            raise ModelError(f"the model has no output {shown(wanted)}; it has {shown(sorted(there))}")
        named[name] = there[wanted]
    _expect_shape("output instruments", named["instruments"], (1, len(bundle.labels)))
    if "tags" in named:
        _expect_shape("output tags", named["tags"], (1, len(bundle.tags)))
    if "embedding" in named:  # of any length
        _expect_shape("output embedding", named["embedding"], (1, *named["embedding"].shape[-1:]))
    return named


def _expect_shape(name: str, tensor: Tensor, expected: tuple[int, ...]) -> None:
    if tensor.shape != expected:
        raise ModelError(f"{name} has shape {tensor.shape}; expected {expected}")
