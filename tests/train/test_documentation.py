"""The laboratory's page: its example in Python runs as it stands, and the files that it names are there."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

import pytest

pytest.importorskip("tensorflow", reason="needs the train extra")
pytest.importorskip("pedalboard", reason="needs the train extra")

from tests.support.tensorflow_warnings import ignore_tensorflow_warnings

pytestmark = ignore_tensorflow_warnings

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "laboratory.md"


def test_example_in_python_makes_a_bundle(
    tone_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The page's only block of Python, run in a folder with recordings, tells them apart and writes a bundle."""
    (block,) = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    (tmp_path / "recordings").symlink_to(tone_folder)
    (tmp_path / "example.py").write_text(block, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    bundle = runpy.run_path("example.py")["main"]()
    assert bundle.labels == ("high", "low", "middle")
    assert (tmp_path / "models" / "mine.tflite").read_bytes() == bundle.model
    said = capsys.readouterr().out
    assert re.search(r"^epoch \d+: ", said)
    assert int(re.search(r"\((\d+) of \d+ instrument clips right\)", said)[1]) > 0


def test_files_that_the_page_names_are_there() -> None:
    """Every path of the project in the page leads to a file."""
    paths = set(re.findall(r"`((?:train|tests|stream)/[\w/]+\.\w+)`", PAGE.read_text(encoding="utf-8")))
    assert len(paths) > 4
    assert [path for path in sorted(paths) if not (ROOT / path).is_file()] == []
