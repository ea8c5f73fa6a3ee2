"""What a .tflite says of windows in a store."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from stream.recognition.interpreter import Interpreter
from train.transfer.window_store import WindowStore


def run_tflite(content: bytes, store: WindowStore, output: str | None = None) -> npt.NDArray[np.float32]:
    """Logits of the instruments, as the service's interpreter computes them.

    Parameters
    ----------
    content : bytes
        Of `train.export.several_outputs.convert`.
    store : WindowStore
    output : str, optional
        Name of the output with the logits, if not as that function names it.

    Returns
    -------
    np.ndarray [shape=(n, labels), dtype=float32]
    """
    interpreter = Interpreter(content)
    place = [tensor.name for tensor in interpreter.outputs].index(output or "instruments")
    rows = []
    for row in range(len(store)):
        held = interpreter.run(interpreter.input.quantize(store.read([row])[0]))
        rows.append(interpreter.outputs[place].dequantize(held[place])[0])
    return np.array(rows, np.float32)
