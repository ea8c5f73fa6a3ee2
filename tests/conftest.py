"""What several tests need."""

from __future__ import annotations

import functools
import itertools
import json
import os
import re
import shutil
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

import hypothesis
import pytest

from stream.recognition import bundle
from stream.recognition.classifier import Classifier
from tests.support import processes
from tests.support.certificates import Certificate, make

if TYPE_CHECKING:
    from xdist.remote import Producer
    from xdist.scheduler import LoadScopeScheduling

pytest_plugins = ["tests.support.browser", "tests.support.recordings"]
hypothesis.settings.register_profile("soloist", deadline=None)  # a busy machine is no fault of an example
hypothesis.settings.load_profile("soloist")

HERE = Path(__file__).parent


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """Run twice as many processes as there are processors, for every other test waits; each takes up to 1 GB."""
    return min(2 * (os.cpu_count() or 1), 16)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> LoadScopeScheduling:
    """Keep the tests of a module, or of several that name a group, in one process, which makes their fixtures once.

    Those with a sound server wait for as long as their audio lasts, and go to whichever process is free. The modules'
    own words are read for that, because `--dist loadgroup` keeps nothing together with pytest-xdist 3.8 and pytest 9.2:
    it writes the groups into an attribute that is no longer read.
    """
    from xdist.scheduler import LoadScopeScheduling  # here, because the tests run without pytest-xdist, too

    class Scheduler(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            path = nodeid.split("::")[0]
            words = source(config.rootpath / path)
            group = re.search(r'mark\.xdist_group\("(.+?)"\)', words)
            return nodeid if "mark.sound_server" in words else path if group is None else group[1]

    config.option.loadscopereorder = False  # by the number of tests; the order below is one by what they take
    return Scheduler(config, log)


@functools.cache
def source(path: Path) -> str:
    """Read a module of tests, which takes less time than to import it."""
    return path.read_text(encoding="utf-8") if path.suffix == ".py" else ""


def needs_tensorflow(path: Path) -> bool:
    """Tell of a module of tests whether all of it needs TensorFlow."""
    return '\npytest.importorskip("tensorflow"' in source(path)


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Do not even import what needs TensorFlow where nothing slow is asked for."""
    return True if config.option.markexpr == "not slow" and needs_tensorflow(collection_path) else None


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark what is slow by what it needs, and let it begin first where several processes share the tests."""
    for item in items:
        if "browser" in item.fixturenames or item.get_closest_marker("sound_server") or needs_tensorflow(item.path):
            item.add_marker("slow")
    if not hasattr(config, "workerinput"):
        return
    waiting, modules = [], defaultdict(list)
    for item in items:
        if item.get_closest_marker("sound_server"):
            waiting.append([item])
        else:
            modules[item.path].append(item)
    slow = [tests for tests in modules.values() if any(item.get_closest_marker("slow") for item in tests)]
    # The longest first, or one process would end minutes after the others: the whole way to a bundle, and training.
    slow.sort(key=lambda tests: (tests[0].path.parent.name != "pipeline", not needs_tensorflow(tests[0].path)))
    fast = [tests for tests in modules.values() if tests not in slow]
    # Those that wait and those that compute in turn, so that the processors are always busy.
    turns = itertools.zip_longest(waiting, slow, fillvalue=[])
    items[:] = itertools.chain(*itertools.chain(*turns), *fast)


@pytest.fixture(scope="session", autouse=True)
def state(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder for what the program keeps, in place of the developer's."""
    folder = tmp_path_factory.mktemp("state")
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("STATE_DIRECTORY", raising=False)
        patch.setenv("XDG_STATE_HOME", str(folder))
        yield folder


@pytest.fixture(scope="session", autouse=True)
def temporary_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A place for what programs leave in the folder of temporary files, such as Chromium and PulseAudio; it goes."""
    tmp_path_factory.getbasetemp()  # that of the tests stays where it is
    folder = tempfile.mkdtemp(prefix="soloist-t-")  # short: the path of a socket has 107 characters
    Path(folder).chmod(0o711)  # some tests are other users
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TMPDIR", folder)
        patch.setattr(tempfile, "tempdir", folder)
        yield
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session", autouse=True)
def nothing_is_left_running() -> Iterator[None]:
    """Find, when all tests are done, that every process which they started has ended, also where one of them failed."""
    os.environ[processes.RUN] = str(os.getpid())
    yield
    left = processes.left_over()
    processes.kill(left)
    assert left == {}, f"processes that a test left running: {left}"


@pytest.fixture(scope="session")
def classifier() -> Classifier:
    """The shipped model in the interpreter that is installed."""
    return Classifier(bundle.load())


@pytest.fixture(scope="session")
def score() -> list[dict[str, object]]:
    """What plays in the demo: stretches with start, end and label."""
    text = (resources.files("stream") / "demo.json").read_text(encoding="utf-8")
    return json.loads(text)["segments"]


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    """A certificate for this machine, of an authority that nobody else trusts."""
    return make(tmp_path_factory.mktemp("certificate"))
