"""The TFLite interpreter: ai-edge-litert, or tflite-runtime where that is what is installed."""

from __future__ import annotations

import importlib
import math
import threading
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from stream.errors import ModelError, RuntimeMissingError
from stream.recognition.settings import Runtime
from stream.system.stderr import quiet_stderr

Int8Array = npt.NDArray[np.int8]
TensorArray = npt.NDArray[np.int8] | npt.NDArray[np.float32]
"""What a tensor holds: integers where it is quantized, else real numbers."""

_MODULES: Final = {"litert": "ai_edge_litert.interpreter", "tflite": "tflite_runtime.interpreter"}
_PACKAGES: Final = {"litert": "ai-edge-litert", "tflite": "tflite-runtime"}
_NO_XNNPACK: Final = (
    "inference is many times slower than it could be, for XNNPACK does not work here: let Soloist read /proc and /sys"
)


@dataclass(frozen=True, slots=True)
class Tensor:
    """Name, shape, type and quantization of an input or output."""

    name: str
    shape: tuple[int, ...]
    dtype: str
    scale: float
    """Real value of one integer step; 0 for a tensor that is not quantized."""
    zero_point: int
    """Integer that stands for 0."""

    def __str__(self) -> str:
        return f"{self.dtype} {self.shape}"

    @property
    def is_quantized(self) -> bool:
        """Whether its numbers are integers that stand for real ones."""
        return self.dtype == "int8"

    def quantize(self, values: npt.NDArray[np.float32]) -> TensorArray:
        """Bring real values to what this tensor holds: the nearest integers, or the values where it is not quantized.

        Parameters
        ----------
        values : np.ndarray [dtype=float32]
            As many as the tensor has, in any shape.

        Returns
        -------
        np.ndarray [shape=self.shape, dtype=int8 or float32]
        """
        if not self.is_quantized:
            return np.ascontiguousarray(values, np.float32).reshape(self.shape)
        steps = values * np.float32(1 / self.scale)
        steps += np.float32(self.zero_point)
        np.rint(steps, out=steps)
        np.clip(steps, -128, 127, out=steps)
        return steps.astype(np.int8).reshape(self.shape)

    def dequantize(self, steps: TensorArray) -> npt.NDArray[np.float64]:
        """Bring what this tensor holds to the real values that it stands for.

        Parameters
        ----------
        steps : np.ndarray [dtype=int8 or float32]

        Returns
        -------
        np.ndarray [shape=steps.shape, dtype=float64]
        """
        values: npt.NDArray[np.float64] = steps.astype(np.float64)
        return (values - self.zero_point) * self.scale if self.is_quantized else values


class Interpreter:
    """One model with one input and one output or several, int8 or float32, ready to be called from any thread.

    An interpreter of LiteRT writes into memory of its own at every call, and lets go of Python's lock meanwhile: two
    threads in one would give each other's outputs. So each thread that calls has one for itself.

    Parameters
    ----------
    model : bytes
        Content of a .tflite file.
    runtime : {"auto", "litert", "tflite"}
        ai-edge-litert, tflite-runtime, or the first of the two that is installed.
    threads : int
        Threads for one inference.
    delegates : bool
        Whether the default delegate (XNNPACK) may be used. It is several times faster on LiteRT, and its integers are
        some steps off those of the runtimes' own kernels, which differ less from each other; docs/performance.md has
        what was measured.

    Raises
    ------
    RuntimeMissingError
        When the runtime is not installed, or cannot work with this numpy.
    ModelError
        When the model cannot be read, has not one input, or outputs of the same name, or is neither full-integer int8
        nor float32 at either end.
    """

    def __init__(self, model: bytes, *, runtime: Runtime = "auto", threads: int = 1, delegates: bool = True) -> None:
        module, package = _import_runtime(runtime)
        self._package = package
        resolver = module.OpResolverType

        def load() -> Any:
            with quiet_stderr():  # XNNPACK announces itself
                interpreter = module.Interpreter(
                    model_content=model,
                    num_threads=threads,
                    experimental_op_resolver_type=(
                        resolver.AUTO if delegates else resolver.BUILTIN_WITHOUT_DEFAULT_DELEGATES
                    ),
                )
                interpreter.allocate_tensors()
            return interpreter

        try:
            first = load()
            inputs, outputs = first.get_input_details(), first.get_output_details()
        except (ValueError, RuntimeError, OverflowError) as error:
            raise ModelError(f"{self.runtime} cannot read the model: {_first_line(error)}") from error
        self._load = load
        self._unclaimed = [first]  # for the first thread that calls
        self._thread = threading.local()  # what a thread has goes with it
        if len(inputs) != 1 or not outputs:
            raise ModelError(f"the model has {len(inputs)} inputs and {len(outputs)} outputs; expected one input")
        self.input, self.outputs = _read_tensor(inputs[0]), tuple(map(_read_tensor, outputs))
        for kind, tensor in (("input", self.input), *(("output", it) for it in self.outputs)):
            is_integer = tensor.dtype == "int8" and 0 < tensor.scale < math.inf and -128 <= tensor.zero_point <= 127
            if not is_integer and tensor.dtype != "float32":
                raise ModelError(f"the model's {kind} is {tensor}; expected quantized int8, or float32")
        if len({tensor.name for tensor in self.outputs}) != len(self.outputs):
            raise ModelError("the model has several outputs of one name")
        self.slowdown_reason = (
            _NO_XNNPACK if package == _PACKAGES["litert"] and delegates and not _is_delegated(first) else None
        )
        """Why inference is slower than it could be, in one line; None when it is not."""
        self._input_index, self._output_indices = inputs[0]["index"], [it["index"] for it in outputs]

    @property
    def runtime(self) -> str:
        """Name and version of the package."""
        from importlib.metadata import version  # only here, for it takes as long as an inference

        return f"{self._package} {version(self._package)}"

    @property
    def output(self) -> Tensor:
        """The first output, which is the only one of many models."""
        return self.outputs[0]

    def __call__(self, values: TensorArray) -> TensorArray:
        """Run one inference, for the first output; see `run`."""
        return self.run(values)[0]

    def run(self, values: TensorArray) -> list[TensorArray]:
        """Run one inference.

        Parameters
        ----------
        values : np.ndarray [shape=input.shape, dtype=int8 or float32]
            What `input` holds.

        Returns
        -------
        list of np.ndarray [dtype=int8 or float32]
            What each of `outputs` holds then, as copies.

        Raises
        ------
        ModelError
            When the model cannot be run.
        """
        try:
            interpreter = self._of_this_thread()
            interpreter.set_tensor(self._input_index, values)
            interpreter.invoke()
            return [interpreter.get_tensor(index) for index in self._output_indices]
        except (ValueError, RuntimeError) as error:
            raise ModelError(f"{self.runtime} cannot run the model: {_first_line(error)}") from error

    def _of_this_thread(self) -> Any:
        """Return the interpreter that only this thread calls."""
        try:
            return self._thread.interpreter
        except AttributeError:
            try:
                self._thread.interpreter = self._unclaimed.pop()  # in one step, whoever else tries
            except IndexError:
                self._thread.interpreter = self._load()
            return self._thread.interpreter


def _is_delegated(interpreter: Any) -> bool:
    """Whether a delegate computes a part of the model; the runtime falls back silently if it cannot."""
    details = getattr(interpreter, "_get_ops_details", None)  # private, and the only way to ask
    return details is None or any(operator["op_name"] == "DELEGATE" for operator in details())


def _import_runtime(runtime: Runtime) -> tuple[Any, str]:
    """Import the runtime: its module and the name of its package."""
    wanted = ("litert", "tflite") if runtime == "auto" else (runtime,)
    for name in wanted:
        try:
            module = importlib.import_module(_MODULES[name])
        except ImportError:
            continue
        if name == "tflite" and int(np.__version__.split(".")[0]) >= 2:
            # It imports, and fails only when a tensor is handed over.
            from stream.system.extras import advise_install  # only here: it is not needed where all is well

            raise RuntimeMissingError(
                f"tflite-runtime needs numpy < 2 and found {np.__version__}: {advise_install('tflite')}"
            )
        return module, _PACKAGES[name]
    names = " or ".join(_PACKAGES[name] for name in wanted)
    raise RuntimeMissingError(f"no TFLite interpreter: pip install {names}")


def _first_line(error: Exception) -> str:
    return next(iter(str(error).splitlines()), type(error).__name__)


def _read_tensor(details: dict[str, Any]) -> Tensor:
    scale, zero_point = details["quantization"]
    shape = tuple(int(n) for n in details["shape"])
    return Tensor(str(details["name"]), shape, np.dtype(details["dtype"]).name, float(scale), int(zero_point))
