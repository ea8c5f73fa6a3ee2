"""What `soloist bench` measures when it is asked for a part, and what it refuses."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from stream.bench.figures import FIGURES
from stream.bench.tables import as_table
from tests.support.processes import soloist


async def test_only_some_figures_are_measured(tmp_path: Path) -> None:
    """`--only` brings these and no others; neither settings nor sessions of the user's have to do with it."""
    (tmp_path / "state").mkdir()
    env = {"SOLOIST_TOKEN": "secret", "SOLOIST_INPUT": "mic", "XDG_STATE_HOME": str(tmp_path / "state")}
    status, out, err = await soloist("bench", "--json", "--only", "start,files", env=env)
    assert (status, err) == (0, "")
    figures = json.loads(out)
    assert list(figures) == ["startup_s", "realtime_factor"]
    assert all(value > 0 for value in figures.values())
    assert list((tmp_path / "state").iterdir()) == []


async def test_another_program_in_the_current_folder_is_not_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The processes that a bench starts are of its own installation, wherever it is run."""
    (tmp_path / "stream").mkdir()
    (tmp_path / "stream" / "__init__.py").write_text("raise SystemExit('this is another program')")
    checkout = os.getcwd()
    monkeypatch.chdir(tmp_path)
    env = {"PYTHONPATH": checkout, "PYTHONSAFEPATH": "1"}
    status, out, err = await soloist("bench", "--json", "--only", "start", env=env)
    assert (status, err) == (0, "")
    assert json.loads(out)["startup_s"] > 0


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (
            ["--only", "hop,speed"],
            '--only has "speed"; expected some of hop, features, handover, memory, start, fanout, files',
        ),
        (["--only", ","], '--only has ""; expected some of hop, features, handover, memory, start, fanout, files'),
        (["--only", "hop", "--soak", "1"], "--soak measures nothing else; it does not go with --only"),
        (["--lines", "8", "--soak", "1"], "--lines measures nothing else; it does not go with --soak"),
        (["--lines", "1"], "--lines is 1; expected 2 to 64"),
        (["--against", "soloist", "--soak", "1"], "--soak measures nothing else; it does not go with --against"),
        (["--rounds", "2"], "--rounds says how often both are run; it needs --against"),
        (["--rounds", "0", "--against", "soloist"], "--rounds is 0; expected 1 or more"),
        (["--against", ""], '--against is ""; expected a command, as /old/bin/soloist'),
        (["--against", "/nowhere/soloist"], '--against is "/nowhere/soloist"; there is no command /nowhere/soloist'),
        (["--against", "it's"], '--against is "it\'s": No closing quotation'),
    ],
)
async def test_what_cannot_be_measured_is_refused(arguments: list[str], reason: str) -> None:
    """What makes no sense is refused in a line, before anything is measured."""
    assert await soloist("bench", *arguments) == (2, "", f"soloist: {reason}\n")


def test_targets_are_judged_in_their_direction() -> None:
    """The table says which figures are as wanted: some are to be low, others high."""
    met = as_table({key: figure.target for key, figure in FIGURES.items()})
    assert all(" met " in line for line in met.splitlines())
    far = {
        key: 2 * figure.target + 1 if figure.better == "lower" else figure.target / 2 for key, figure in FIGURES.items()
    }
    missed = as_table({key: value for key, value in far.items() if key != "soak_hours"})
    assert all(" MISSED " in line for line in missed.splitlines())
    assert " not measured " in as_table({"librosa_ratio": None})
