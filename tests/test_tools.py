"""The programs beside the tests, which measure and attack: each says how it is used."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
TOOLS = sorted(path.stem for name in ("measure_*", "soak", "assault") for path in ROOT.glob(f"tools/{name}.py"))


@pytest.mark.parametrize("tool", TOOLS)
def test_every_tool_says_how_it_is_used(tool: str) -> None:
    """With --help there is a page, and nothing happens."""
    command = [sys.executable, "-m", f"tools.{tool}", "--help"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("usage: ")
