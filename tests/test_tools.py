"""The programs beside the tests, which measure and attack: each says how it is used and has its entry in the list."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
MODULES = sorted(path.stem for path in ROOT.glob("tools/*.py"))
LIST = (ROOT / "tools" / "README.md").read_text(encoding="utf-8")
PROGRAMS = re.findall(r"^\| \[`(\w+)`\]\(\1\.py\) \|", LIST, re.MULTILINE)
"""What the table of tools/README.md names."""


def test_every_file_is_in_the_list() -> None:
    """What is not a row of the table is named below it as what it is: no program."""
    others = re.findall(r"^\[`(\w+)`\]\(\1\.py\) is no program", LIST, re.MULTILINE)
    assert sorted(PROGRAMS + others) == MODULES


@pytest.mark.parametrize("name", PROGRAMS)
def test_every_row_of_the_list_is_filled(name: str) -> None:
    """It says of each program what it is for, how long it takes and what it needs."""
    row = next(line for line in LIST.splitlines() if line.startswith(f"| [`{name}`]"))
    cells = [cell.strip() for cell in row.strip("|").split("|")]
    assert len(cells) == 4
    assert all(cells)


@pytest.mark.parametrize("name", PROGRAMS)
def test_every_program_says_how_it_is_used(name: str) -> None:
    """With --help there is a page that names every option, and nothing happens."""
    command = [sys.executable, "-m", f"tools.{name}", "--help"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("usage: ")
    source = (ROOT / "tools" / f"{name}.py").read_text(encoding="utf-8")
    options = re.findall(r'add_argument\(\s*"(-[\w-]+)"(?![^)]*SUPPRESS)', source)
    assert {*options} <= {*re.findall(r"--?\w[\w-]*", done.stdout)}
