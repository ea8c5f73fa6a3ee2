"""How to add what not everybody installs: a command that works from where the running code came from."""

import importlib.util
import json
import shlex
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from stream.system import extras
from stream.system.extras import advise_install

CHECKOUT = Path(extras.__file__).parents[2]
RECORDED = {
    "a folder": ({"url": "file://{here}/a%20clone", "dir_info": {}}, "{here}/a clone[train]"),
    "a wheel": ({"url": "file://{here}/a%20clone/s.whl", "archive_info": {}}, "{here}/a clone/s.whl[train]"),
    "a repository": (
        {"url": "https://example.org/s.git", "vcs_info": {"vcs": "git", "commit_id": "4f1e"}, "subdirectory": "sub"},
        "soloist[train] @ git+https://example.org/s.git@4f1e#subdirectory=sub",
    ),
    "a local repository": (
        {"url": "file:///gone", "vcs_info": {"vcs": "git", "commit_id": "4f1e"}},
        "soloist[train] @ git+file:///gone@4f1e",
    ),
    "an address": (
        {"url": "https://example.org/s.whl", "archive_info": {}},
        "soloist[train] @ https://example.org/s.whl",
    ),
    "a folder that is gone": ({"url": "file:///gone/for/ever", "dir_info": {}}, "PATH[train]"),
    "an index": (None, "PATH[train]"),
}


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Make the running code one that was installed, with what its installer wrote down."""
    packages = tmp_path / "site-packages"
    about = packages / "soloist-0.dist-info"
    about.mkdir(parents=True)
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: soloist\nVersion: 0\n")
    (tmp_path / "a clone").mkdir()
    (tmp_path / "a clone" / "s.whl").touch()
    monkeypatch.setattr(extras, "_CHECKOUT", packages)
    monkeypatch.syspath_prepend(str(packages))

    def record(origin: dict | None) -> None:
        if origin is not None:
            (about / "direct_url.json").write_text(json.dumps(origin).replace("{here}", str(tmp_path)))

    return record


@pytest.mark.parametrize("origin", RECORDED)
def test_what_was_installed_is_installed_from_there_again(origin: str, installed, tmp_path: Path) -> None:
    """The command names folder, wheel, repository or address; where it is not known, it says what belongs there."""
    recorded, requirement = RECORDED[origin]
    installed(recorded)
    command, *told = advise_install("train").split(" (")
    assert shlex.split(command)[-1] == requirement.replace("{here}", str(tmp_path))
    assert ("PATH: the wheel or the folder" in told[0]) == requirement.startswith("PATH")
    assert "GB on disk" in told[0]


@pytest.mark.skipif(not (CHECKOUT / "pyproject.toml").exists(), reason="needs a checkout")
def test_a_checkout_is_installed_editable() -> None:
    """In a checkout it is the checkout's own path, for the Python that runs, with as many extras as are asked for."""
    words = shlex.split(advise_install("study", "search").split(" (")[0])
    assert words[-2:] == ["-e", f"{CHECKOUT}[study,search]"]
    assert sys.executable in words


@pytest.mark.skipif(not importlib.util.find_spec("pip"), reason="the running Python has no pip")
def test_pip_understands_the_command(tmp_path: Path) -> None:
    """What the shell is told runs pip; the folder that is to be installed is the only thing that pip complains of."""
    command = advise_install("train").split(" (")[0].replace(f"{CHECKOUT}[", f"{tmp_path}/none[")
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True)
    assert "none[train]" in done.stderr


@pytest.mark.parametrize(("uv", "expected"), [(None, "pip --python"), ("/usr/bin/uv", "uv pip install --python")])
def test_a_python_without_pip_is_named_to_one_outside(uv: str | None, expected: str, monkeypatch) -> None:
    """An environment that has no pip of its own gets packages from uv's, or from a pip that is told which Python."""
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr(shutil, "which", lambda name: uv)
    assert advise_install("train").startswith(f"{expected} {sys.executable}")


@pytest.mark.skipif(not (CHECKOUT / "pyproject.toml").exists(), reason="needs a checkout")
def test_nothing_advises_a_name_that_no_index_has() -> None:
    """No text, message or script tells anybody to install `soloist` by its bare name."""
    listed = subprocess.run(["git", "ls-files"], cwd=CHECKOUT, capture_output=True, text=True).stdout.splitlines()
    texts = [CHECKOUT / name for name in listed if name.endswith((".py", ".md", ".toml", ".sh", ".js", ".html"))]
    advising = [
        path.name
        for path in texts
        if path.name != Path(__file__).name and path.exists() and "install 'soloist[" in path.read_text("utf-8")
    ]
    assert not advising


@pytest.mark.skipif(not (CHECKOUT / "pyproject.toml").exists(), reason="needs a checkout")
@pytest.mark.parametrize("python", ["3.11", "3.12", "3.13"])
@pytest.mark.parametrize(
    ("machine", "package"), [("x86_64", "tensorflow-cpu"), ("aarch64", "tensorflow"), ("arm64", "tensorflow")]
)
def test_the_laboratory_gets_the_small_tensorflow_where_there_is_one(machine: str, package: str, python: str) -> None:
    """TensorFlow without what only GPUs need is made for x86-64 alone; others get the ordinary one, and one only."""
    extras_ = tomllib.loads((CHECKOUT / "pyproject.toml").read_text("utf-8"))["project"]["optional-dependencies"]
    there = {"platform_machine": machine, "python_version": python, "sys_platform": "linux"}
    needed = [r for r in map(Requirement, extras_["train"]) if r.marker is None or r.marker.evaluate(there)]
    assert [r.name for r in needed if r.name.startswith("tensorflow")] == [package]
    assert not {"mirdata", "optuna", "librosa"} & {r.name for r in needed}
