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
from stream.recognition.interpreter import Int8Array, Interpreter
from stream.recognition.mel import WINDOW, Array, StreamingMel, stack
from stream.system.stderr import quiet_stderr

Kernels = Callable[[Int8Array], Int8Array]

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


def reference_kernels(model: bytes) -> Kernels:
    """Run a model with LiteRT's reference kernels, which no setting of the service offers."""
    module = importlib.import_module("ai_edge_litert.interpreter")
    with quiet_stderr():
        interpreter = module.Interpreter(
            model_content=model, experimental_op_resolver_type=module.OpResolverType.BUILTIN_REF
        )
        interpreter.allocate_tensors()
    source, sink = (
        details[0]["index"] for details in (interpreter.get_input_details(), interpreter.get_output_details())
    )

    def run(values: Int8Array) -> Int8Array:
        interpreter.set_tensor(source, values)
        interpreter.invoke()
        return np.asarray(interpreter.get_tensor(sink), np.int8)

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
        kernels: dict[str, Kernels] = {"LiteRT, XNNPACK": Interpreter(model.model, runtime="litert")}
        kernels["LiteRT, its own"] = Interpreter(model.model, runtime="litert", delegates=False)
        try:
            kernels["tflite-runtime"] = Interpreter(model.model, runtime="tflite")
        except RuntimeMissingError as error:
            sys.stderr.write(f"{error}\n")
        quantize = Interpreter(model.model, runtime="litert").input.quantize
        exact = reference_kernels(model.model)
        for sound, windows in sounds.items():
            inputs = [quantize(stack(StreamingMel().features(window, WINDOW), model.channels)) for window in windows]
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


def outputs(run: Kernels, inputs: list[Int8Array]) -> npt.NDArray[np.int64]:
    """Integers for all inputs [shape=(n, labels)]."""
    return np.array([run(values)[0] for values in inputs], np.int64)


if __name__ == "__main__":
    main()
