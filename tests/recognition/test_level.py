"""The level of audio."""

from __future__ import annotations

import numpy as np
import pytest

from stream.recognition.level import measure_level
from stream.recognition.mel import SAMPLE_RATE


def test_levels() -> None:
    """A full-scale sine is at -3 dBFS with its peak at 0, and nothing is at -120."""
    sine = np.sin(2 * np.pi * 1000 * np.arange(SAMPLE_RATE) / SAMPLE_RATE).astype(np.float32)
    assert measure_level(sine) == (pytest.approx(-3.01, abs=0.01), pytest.approx(0, abs=0.05))
    assert measure_level(np.zeros(10, np.float32)) == (-120, -120)
    assert measure_level(np.empty(0, np.float32)) == (-120, -120)
