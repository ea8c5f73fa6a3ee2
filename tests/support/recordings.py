"""What tests hear, apart from what they make themselves; a plugin of pytest that needs no other than numpy and soxr."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from stream.bench.demo_audio import demo_audio
from stream.recognition.mel import Array

SHARED = Path(__file__).parents[3] / "shared" / "data"


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder with the recordings that are no part of the project."""
    if not SHARED.is_dir():
        pytest.skip(f"needs the recordings in {SHARED}")
    return SHARED


@pytest.fixture(scope="session")
def demo() -> Array:
    """The demo audio as the model hears it."""
    return demo_audio()


@pytest.fixture
def rng() -> np.random.Generator:
    """Random numbers that are the same every time."""
    return np.random.default_rng(20261122)
