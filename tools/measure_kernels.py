"""Compare the integers that a model's kernels give: ``python -m tools.measure_kernels``.

XNNPACK, which the service uses, and the kernels built into both runtimes are held against TFLite's reference kernels,
on windows of the demo and on noise of many levels and colours. A step of an output is that of its int8 scale.
"""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Callable
from typing import Final

import numpy as np
import numpy.typing as npt

from stream.bench.demo_audio import demo_audio
from stream.errors import RuntimeMissingError
from stream.recognition import bundle
from stream.recognition.bundle import Bundle
from stream.recognition.interpreter import Interpreter, TensorArray
from stream.recognition.mel import WINDOW, Array, stack
from stream.system.stderr import quiet_stderr

Kernels = Callable[[TensorArray], TensorArray]

WINDOWS: Final = 100
"""Of music, and of noise."""


def music() -> list[Array]:
    """Windows all over the demo, as far as there is sound."""
    audio = demo_audio()
    starts = np.linspace(0, len(audio) - WINDOW, WINDOWS).astype(int)
    windows = [audio[start : start + WINDOW] for start in starts]
    return [window for window in windows if np.abs(window).max() > 0]


def noise() -> list[Array]:
    """Noise between white and red, from full scale down to -80 dBFS."""
    rng = np.random.default_rng(0)
    windows = []
    for _ in range(WINDOWS):
        spectrum = np.fft.rfft(rng.standard_normal(WINDOW))
        spectrum /= np.arange(1, len(spectrum) + 1) ** rng.uniform(0, 1.2)
        sound = np.fft.irfft(spectrum)
        windows.append((sound / np.abs(sound).max() * 10 ** rng.uniform(-4, 0)).astype(np.float32))
    return windows


def kernels_of(model: Bundle, interpreter: Interpreter) -> Kernels:
    """Return what runs a model for its labels' output alone."""
    place = 0 if model.outputs is None else [it.name for it in interpreter.outputs].index(model.outputs.instruments)
    return lambda values: interpreter.run(values)[place]


def reference_kernels(model: Bundle) -> Kernels:
    """Run a model with LiteRT's reference kernels, which no setting of the service offers."""
    module = importlib.import_module("ai_edge_litert.interpreter")
    with quiet_stderr():
        interpreter = module.Interpreter(
            model_content=model.model, experimental_op_resolver_type=module.OpResolverType.BUILTIN_REF
        )
        interpreter.allocate_tensors()
    source = interpreter.get_input_details()[0]["index"]
    sinks = {details["name"]: details["index"] for details in interpreter.get_output_details()}
    sink = next(iter(sinks.values())) if model.outputs is None else sinks[model.outputs.instruments]

    def run(values: TensorArray) -> TensorArray:
        interpreter.set_tensor(source, values)
        interpreter.invoke()
        return np.array(interpreter.get_tensor(sink))

    return run


def main() -> None:
    """Print a row for each model, kind of sound and kernels."""
    argparse.ArgumentParser(description=__doc__).parse_args()
    sounds = {"music": music(), "noise": noise()}
    write = sys.stdout.write
    write("| model | kernels | sound | windows | largest difference | outputs equal | same favourite |\n")
    write("| --- | --- | --- | ---: | ---: | ---: | ---: |\n")
    for name in bundle.shipped_names():
        model = bundle.load(name)
        fast = Interpreter(model.model, runtime="litert")
        kernels: dict[str, Kernels] = {"LiteRT, XNNPACK": kernels_of(model, fast)}
        kernels["LiteRT, its own"] = kernels_of(model, Interpreter(model.model, runtime="litert", delegates=False))
        try:
            kernels["tflite-runtime"] = kernels_of(model, Interpreter(model.model, runtime="tflite"))
        except RuntimeMissingError as error:
            sys.stderr.write(f"{error}\n")
        quantize = fast.input.quantize
        exact = reference_kernels(model)
        for sound, windows in sounds.items():
            features = [model.front_end.make().features(window, WINDOW) for window in windows]
            inputs = [quantize(it if len(model.channels) == 1 else stack(it, model.channels)) for it in features]
            expected = outputs(exact, inputs)
            for what, run in kernels.items():
                given = outputs(run, inputs)
                steps = np.abs(given - expected)
                same = int(np.sum(given.argmax(axis=1) == expected.argmax(axis=1)))
                write(
                    f"| {name} | {what} | {sound} | {len(inputs)} | {steps.max()} steps | {np.mean(steps == 0):.1%} "
                    f"| {same} of {len(inputs)} |\n"
                )
                sys.stdout.flush()


def outputs(run: Kernels, inputs: list[TensorArray]) -> npt.NDArray[np.int64]:
    """Integers for all inputs [shape=(n, labels)]."""
    return np.array([run(values)[0] for values in inputs], np.int64)


if __name__ == "__main__":
    main()
