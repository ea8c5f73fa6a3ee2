"""The demo as audio in memory: what figures are measured with."""

from __future__ import annotations

from importlib import resources

import numpy as np
import soundfile
import soxr

from stream.recognition.mel import SAMPLE_RATE, Array


def demo_audio() -> Array:
    """Read the demo as the model hears it.

    Returns
    -------
    np.ndarray [shape=(n,), dtype=float32]
        Mono audio at 22 050 Hz.
    """
    with resources.as_file(resources.files("stream") / "demo.ogg") as path:
        audio, rate = soundfile.read(path, dtype="float32")
    resampled: Array = soxr.resample(audio, rate, SAMPLE_RATE)
    return np.ascontiguousarray(resampled)
