"""Both TFLite interpreters behind one seam."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from stream.errors import RuntimeMissingError
from stream.recognition import bundle
from stream.recognition.classifier import Classifier
from stream.recognition.interpreter import Interpreter
from stream.recognition.mel import WINDOW, Array, StreamingMel
from stream.recognition.settings import Runtime

HAS_LITERT = importlib.util.find_spec("ai_edge_litert") is not None
HAS_TFLITE = importlib.util.find_spec("tflite_runtime") is not None and np.__version__ < "2"
both = pytest.mark.skipif(
    not (HAS_LITERT and HAS_TFLITE), reason="needs ai-edge-litert and tflite-runtime: Python 3.11 and numpy < 2"
)


@pytest.fixture(scope="module")
def windows(demo: Array) -> list[Array]:
    """Features of windows all over the demo."""
    return [
        StreamingMel().features(demo[start : start + WINDOW], WINDOW) for start in range(0, len(demo) - WINDOW, 11_003)
    ]


@both
@pytest.mark.parametrize(("model", "most"), [("published", 0), ("residual", 1)])
def test_both_runtimes_give_the_same_integers(windows: list[Array], model: str, most: int) -> None:
    """With delegates off, LiteRT and tflite-runtime agree in every output of every window.

    In networks that add maps, they round now and then to neighbouring steps: the kernels changed between the two.
    """
    bundled = bundle.load(model)
    litert, tflite = (Classifier(bundled, runtime=runtime, delegates=False) for runtime in ("litert", "tflite"))
    assert litert.interpreter.runtime.startswith("ai-edge-litert")
    assert tflite.interpreter.runtime.startswith("tflite-runtime")
    for features in windows:
        values = litert.quantize(features)
        first, second = litert.interpreter(values), tflite.interpreter(tflite.quantize(features))
        assert np.abs(first.astype(int) - second).max() <= most
        assert first.argmax() == second.argmax()


@pytest.mark.slow
@pytest.mark.skipif(not HAS_LITERT, reason="needs ai-edge-litert")
def test_the_default_delegate_differs_by_a_few_steps(windows: list[Array], record_property) -> None:
    """XNNPACK changes the integers by a few steps at the most, and hardly ever the label, where there is sound."""
    windows = [features for features in windows if features.min() < 0]  # zeros alone are never classified
    shipped = bundle.load("residual")
    plain, fast = (Classifier(shipped, runtime="litert", delegates=delegates) for delegates in (False, True))
    steps, same = [], []
    for features in windows:
        values = plain.quantize(features)
        first, second = plain.interpreter(values)[0], fast.interpreter(values)[0]
        steps.append(int(np.abs(first.astype(int) - second).max()))
        same.append(first.argmax() == second.argmax())
    record_property("steps", max(steps))
    record_property("agreement", float(np.mean(same)))
    assert max(steps) <= 4
    assert np.mean(same) >= 0.98


def test_threads_do_not_change_the_outcome(windows: list[Array]) -> None:
    """One thread and two give the same probabilities."""
    one, two = (Classifier(bundle.load("residual"), threads=threads) for threads in (1, 2))
    for features in windows[::5]:
        np.testing.assert_array_equal(one(features), two(features))


@pytest.mark.parametrize(
    "runtime",
    [
        pytest.param("litert", marks=pytest.mark.skipif(not HAS_LITERT, reason="needs ai-edge-litert")),
        pytest.param("tflite", marks=pytest.mark.skipif(not HAS_TFLITE, reason="needs tflite-runtime and numpy < 2")),
    ],
)
def test_several_threads_may_call_at_once(runtime: Runtime) -> None:
    """Each thread gets the outputs of its own inputs, as if it were alone, for it has an interpreter of its own."""
    interpreter = Interpreter(bundle.load("small").model, runtime=runtime)
    rng = np.random.default_rng(0)
    inputs = [rng.integers(-128, 128, interpreter.input.shape, np.int8) for _ in range(4)]
    alone = [interpreter(values) for values in inputs]
    together = threading.Barrier(len(inputs), timeout=60)

    def call(number: int) -> bool:
        together.wait()
        return all(np.array_equal(interpreter(inputs[number]), alone[number]) for _ in range(100))

    with ThreadPoolExecutor(len(inputs)) as threads:
        assert list(threads.map(call, range(len(inputs)))) == [True] * len(inputs)


@pytest.mark.skipif(HAS_TFLITE, reason="tflite-runtime works here")
def test_an_interpreter_that_is_missing_is_named() -> None:
    """Asking for a runtime that is not there, or does not work with this numpy, says what to install."""
    with pytest.raises(RuntimeMissingError, match="pip install"):
        Interpreter(bundle.load().model, runtime="tflite")


@pytest.mark.skipif(not HAS_LITERT, reason="needs ai-edge-litert")
def test_a_delegate_that_does_not_work_is_told() -> None:
    """Where LiteRT cannot read what processor it runs on, it is slow without a word: the service says so."""
    assert Interpreter(bundle.load().model, runtime="litert").slowdown_reason is None
    hidden = "mount -t tmpfs tmpfs /sys && mount -t tmpfs tmpfs /proc"
    if (
        shutil.which("unshare") is None
        or subprocess.run(["unshare", "-m", "sh", "-c", hidden], capture_output=True).returncode
    ):
        pytest.skip("needs the right to hide /proc and /sys")
    code = (
        "from stream.session_log.settings import SessionLogSettings; from stream.settings.settings import Settings\n"
        "from stream.service.service import Service\n"
        "print(Service(Settings(session_log=SessionLogSettings('off'))).warnings)"
    )
    program = f"{hidden} && exec {sys.executable} -c '{code}'".replace("'off'", '"off"')
    done = subprocess.run(["unshare", "-m", "sh", "-c", program], capture_output=True, text=True)
    assert "XNNPACK does not work here" in done.stdout, done.stderr
    assert "XNNPACK does not work here" in done.stderr
