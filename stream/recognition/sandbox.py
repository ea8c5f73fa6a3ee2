"""Tries a model that is not ours in a process of its own, for an interpreter may crash on a damaged one.

``python -m stream.recognition.sandbox FILE`` loads it, runs a few inputs and ends with 0, or with one
line and another status.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import os
import resource
import signal
import subprocess
import sys
import tempfile
from importlib import resources
from pathlib import Path
from typing import Final

import numpy as np

from stream.errors import ModelError, SoloistError
from stream.recognition.interpreter import Interpreter
from stream.recognition.settings import Runtime

_TIMEOUT_SECONDS: Final = 20.0  # the watchdog of our unit waits 30 s, and a Raspberry Pi takes 2 s
_CPU_SECONDS: Final = 15
_DATA_BYTES: Final = 256 << 20  # writable memory; the libraries and a shipped model take 95 MiB
_ADDRESS_SPACE_BYTES: Final = 2 << 30
_REFUSED_STATUS: Final = 3
_SAID_BYTES: Final = 4096
_FILE_BYTES: Final = 1 << 20  # of what is said, by whatever is in the model


def check_model(model: bytes, runtime: Runtime = "auto", delegates: bool = True) -> None:
    """Refuse a model that an interpreter would crash on, hang in or fill the memory with.

    A model that is shipped is trusted by its SHA-256, which takes 1 ms; any other is tried in a child process, once.

    Raises
    ------
    ModelError
        When the model is refused; the text says why.
    """
    if hashlib.sha256(model).hexdigest() in _shipped_digests():
        return
    from stream.recognition import tflite_file  # only here: what is shipped needs no check

    tflite_file.check_structure(model)
    fault = _trial_fault(model, runtime, delegates)
    if fault:
        raise ModelError(fault)


@functools.cache
def _shipped_digests() -> frozenset[str]:
    models = resources.files("stream") / "models"
    files = (entry for entry in models.iterdir() if entry.name.endswith(".tflite"))
    return frozenset(hashlib.sha256(file.read_bytes()).hexdigest() for file in files)


@functools.lru_cache(maxsize=8)
def _trial_fault(model: bytes, runtime: Runtime, delegates: bool) -> str | None:
    """Run the trial and return what is wrong with the model, None if nothing is."""
    # The child finds what we found, and nothing that happens to lie in the current folder.
    path = os.pathsep.join(entry or os.getcwd() for entry in sys.path)
    environment = os.environ | {"PYTHONPATH": path, "OPENBLAS_NUM_THREADS": "1"}  # its threads reserve address space
    command = [
        sys.executable,
        "-P",
        "-m",
        "stream.recognition.sandbox",
        "-",
        runtime,
        "plain" if not delegates else "fast",
    ]
    try:
        with tempfile.TemporaryFile() as said:  # of which no more is read than is told
            done = subprocess.run(
                command,
                input=model,
                stdout=subprocess.DEVNULL,
                stderr=said,
                timeout=_TIMEOUT_SECONDS,
                env=environment,
            )
            said.seek(max(0, said.seek(0, os.SEEK_END) - _SAID_BYTES))
            lines = said.read(_SAID_BYTES).decode(errors="replace").split("\n")
    except subprocess.TimeoutExpired:
        return f"the interpreter does not come to an end with the .tflite within {_TIMEOUT_SECONDS:.0f} s"
    except OSError as error:
        return f"the .tflite cannot be tried in a process of its own: {error.strerror}"
    if not done.returncode:
        return None
    if done.returncode < 0:
        number = -done.returncode
        if number in (signal.SIGXCPU, signal.SIGKILL):
            return "the .tflite takes more time or memory than a model may, and was ended in a process of its own"
        return f"the interpreter crashes on the .tflite ({signal.Signals(number).name}); it is damaged or malicious"
    lines = list(filter(None, ("".join(filter(str.isprintable, line)).strip() for line in lines)))
    return lines[-1][-300:] if lines else f"trying the .tflite ended with status {done.returncode}"


def _run(model: bytes, runtime: Runtime, delegates: bool) -> None:
    """Load a model and run it on zeros, the extremes and noise."""
    interpreter = Interpreter(model, runtime=runtime, delegates=delegates)
    shape, kind = interpreter.input.shape, interpreter.input.dtype
    for level in (0, -128, 127):
        interpreter.run(np.full(shape, level, kind))
    rng = np.random.default_rng(0)
    for _ in range(3):
        interpreter.run(rng.integers(-128, 128, shape, np.int8).astype(kind))


def main(arguments: list[str]) -> int:
    """Try one model: FILE or - [auto|litert|tflite] [fast|plain]."""
    resource.setrlimit(resource.RLIMIT_CPU, (_CPU_SECONDS, _CPU_SECONDS + 1))
    resource.setrlimit(resource.RLIMIT_AS, (_ADDRESS_SPACE_BYTES, _ADDRESS_SPACE_BYTES))
    resource.setrlimit(resource.RLIMIT_DATA, (_DATA_BYTES, _DATA_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (_FILE_BYTES, _FILE_BYTES))
    with contextlib.suppress(OSError):  # where memory runs out, this ends before the service
        Path("/proc/self/oom_score_adj").write_text("1000", encoding="ascii")
    file, runtime, speed = [*arguments, *("-", "auto", "fast")[len(arguments) :]]
    try:
        model = sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
        _run(model, "litert" if runtime == "litert" else "tflite" if runtime == "tflite" else "auto", speed == "fast")
    except (SoloistError, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return _REFUSED_STATUS
    except MemoryError:
        sys.stderr.write("the .tflite takes more memory than a model may\n")
        return _REFUSED_STATUS
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
