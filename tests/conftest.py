"""What several tests need."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from importlib import resources
from pathlib import Path

import hypothesis
import numpy as np
import pytest

from stream.bench.demo_audio import demo_audio
from stream.recognition import bundle
from stream.recognition.classifier import Classifier
from stream.recognition.mel import Array
from tests.support import processes
from tests.support.certificates import Certificate, make

pytest_plugins = ["tests.support.browser"]
hypothesis.settings.register_profile("soloist", deadline=None)  # a busy machine is no fault of an example
hypothesis.settings.load_profile("soloist")

SHARED = Path(__file__).parents[2] / "shared" / "data"


@pytest.fixture(scope="session", autouse=True)
def state(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder for what the program keeps, in place of the developer's."""
    folder = tmp_path_factory.mktemp("state")
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("STATE_DIRECTORY", raising=False)
        patch.setenv("XDG_STATE_HOME", str(folder))
        yield folder


@pytest.fixture(scope="session", autouse=True)
def nothing_is_left_running() -> Iterator[None]:
    """Find, when all tests are done, that every process which they started has ended, also where one of them failed."""
    os.environ[processes.RUN] = str(os.getpid())
    yield
    left = processes.left_over()
    processes.kill(left)
    assert left == {}, f"processes that a test left running: {left}"


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder with the recordings that are no part of the project."""
    if not SHARED.is_dir():
        pytest.skip(f"needs the recordings in {SHARED}")
    return SHARED


@pytest.fixture(scope="session")
def classifier() -> Classifier:
    """The shipped model in the interpreter that is installed."""
    return Classifier(bundle.load())


@pytest.fixture(scope="session")
def demo() -> Array:
    """The demo audio as the model hears it."""
    return demo_audio()


@pytest.fixture(scope="session")
def score() -> list[dict[str, object]]:
    """What plays in the demo: stretches with start, end and label."""
    text = (resources.files("stream") / "demo.json").read_text(encoding="utf-8")
    return json.loads(text)["segments"]


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    """A certificate for this machine, of an authority that nobody else trusts."""
    return make(tmp_path_factory.mktemp("certificate"))


@pytest.fixture
def rng() -> np.random.Generator:
    """Random numbers that are the same every time."""
    return np.random.default_rng(20261122)
