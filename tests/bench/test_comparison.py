"""Benches of two installations in turn: this one, and a program that speaks as another version does."""

from __future__ import annotations

import json
import os
import shlex
import sys
from pathlib import Path

import pytest

from stream.bench.comparison import Comparison, compare, compared
from stream.bench.figures import GROUPS, Figures, keys
from stream.bench.tables import comparison_as_json, comparison_as_table
from tests.support.processes import soloist

OTHER = """
import json, os, sys
told = sys.argv[1:]
kept = os.path.join(os.path.dirname(__file__), "runs.json")
if told == ["--version"]:
    print("soloist 0.1.0")
elif told == ["bench", "--help"]:
    print("usage: soloist bench [-h] [--json] [--model NAME|PATH]", HELP)
else:
    runs = json.load(open(kept)) if os.path.exists(kept) else []
    runs.append({"told": told, "folder": os.listdir(), "variables": dict(os.environ)})
    json.dump(runs, open(kept, "w"))
    BODY
"""
FIGURES = "print(json.dumps({'hop_ms_p50': 0.7, 'startup_s': 0.001 * len(runs), 'fanout_lost': None, 'new_ms': 3}))"


def other(folder: Path, body: str = FIGURES, usage: str = "") -> str:
    """Write the other program, and return the command that runs it."""
    program = folder / "other.py"
    program.write_text(OTHER.replace("BODY", body).replace("HELP", repr(usage)))
    return shlex.join([sys.executable, str(program)])


def runs(folder: Path) -> list[dict[str, object]]:
    """How the other program's bench was run, in order."""
    found: list[dict[str, object]] = json.loads((folder / "runs.json").read_text())
    return found


async def test_another_installation_is_compared(tmp_path: Path) -> None:
    """Both are run as often, and each figure is told as its medians, the ratios of the pairs and a verdict."""
    status, out, err = await soloist(
        "bench", "--json", "--only", "start", "--rounds", "2", "--against", other(tmp_path)
    )
    assert (status, err) == (0, "")
    told = json.loads(out)
    assert list(told) == [
        "ours",
        "theirs",
        "rounds",
        "startup_s_ours",
        "startup_s_theirs",
        "startup_s_ratio",
        "startup_s_ratio_min",
        "startup_s_ratio_max",
        "startup_s_verdict",
    ]
    assert told["theirs"] == "soloist 0.1.0"
    assert told["rounds"] == 2
    assert told["startup_s_theirs"] == 0.0015
    assert told["startup_s_ours"] > 0.01
    assert told["startup_s_ratio_min"] <= told["startup_s_ratio"] <= told["startup_s_ratio_max"]
    assert [run["told"] for run in runs(tmp_path)] == 2 * [["bench", "--json"]], "it has no --only"


def test_both_are_run_alike_and_each_round_the_other_way_round(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who is first changes, the model is found from anywhere, and nothing leads the other to our modules."""
    monkeypatch.setenv("PYTHONPATH", os.getcwd())
    monkeypatch.setenv("SOLOIST_MODEL", "small")
    monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path))
    monkeypatch.chdir(Path("models").absolute())
    against = other(tmp_path, usage="[--only A,B]")
    lines: list[str] = []
    comparison = compare(against, 3, ("start",), "small.tflite", lines.append)
    assert [line.partition(" (")[0] for line in lines] == [
        f"round 1 of 3: {against}",
        "round 1 of 3: this installation",
        "round 2 of 3: this installation",
        f"round 2 of 3: {against}",
        f"round 3 of 3: {against}",
        "round 3 of 3: this installation",
    ]
    assert list(comparison.figures) == ["startup_s"]
    for run in runs(tmp_path):
        assert run["told"] == ["bench", "--json", "--model", str(Path("small.tflite").absolute()), "--only", "start"]
        assert run["folder"] == []
        variables = run["variables"]
        assert isinstance(variables, dict)
        assert not {"PYTHONPATH", "STATE_DIRECTORY", "SOLOIST_MODEL"} & variables.keys()
        assert Path(variables["XDG_STATE_HOME"]).parent != tmp_path
        assert not Path(variables["XDG_STATE_HOME"]).exists()


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("sys.exit('soloist: no microphone')", "ends with status 1: soloist: no microphone"),
        ("sys.exit(3)", "ends with status 3: it says nothing"),
        ("os.kill(os.getpid(), 9)", "ends with signal 9: it says nothing"),
        ("print('hop 0.7 ms')", "does not write figures: Expecting value: line 1 column 1 (char 0)"),
        ("print('[]')", "does not write figures: it is no object"),
        ("print('{\"hop_ms_p50\": NaN}')", "does not write figures: hop_ms_p50 is nan"),
        ("print('{\"hop_ms_p50\": true}')", "does not write figures: hop_ms_p50 is no number"),
        ('print(\'{"hop_ms_p50": "0.7"}\')', "does not write figures: hop_ms_p50 is no number"),
        ("print('{\"\\\\u001b[2J\": 1}')", "does not write figures: '\\x1b[2J' is no key"),
        ("print('{\"hop_ms_p50\": 1' + 400 * '0' + '}')", "does not write figures: int too large to convert to float"),
        ("print(100000 * '[')", "does not write figures: maximum recursion depth exceeded"),
    ],
)
async def test_what_the_other_does_wrong_is_told_in_a_line(tmp_path: Path, body: str, reason: str) -> None:
    """A bench that fails, or writes something else, ends the comparison; it is run first, so that this is soon."""
    command = other(tmp_path, body)
    status, out, err = await soloist("bench", "--against", command)
    assert (status, out) == (1, "")
    assert len(err.splitlines()) == 1
    assert err.startswith(f"soloist: `{command} bench --json` {reason}")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("print('Python 3.11')", "writes 'Python 3.11'; expected soloist and a number"),
        ("raise SystemExit(2)", "ends with status 2: it says nothing"),
    ],
)
async def test_another_program_is_seen_before_anything_is_measured(tmp_path: Path, content: str, reason: str) -> None:
    """A command that is no Soloist is refused at once."""
    program = tmp_path / "program.py"
    program.write_text(content)
    command = shlex.join([sys.executable, str(program)])
    shown = f"soloist: `{command} --version` {reason}\n"
    assert await soloist("bench", "--against", command) == (1, "", shown)


@pytest.mark.parametrize(
    ("key", "ours", "theirs", "verdict"),
    [
        ("hop_ms_p50", [0.70, 0.71, 0.69], [1.00, 1.01, 1.00], "better"),
        ("hop_ms_p50", [1.00, 1.01, 1.00], [0.70, 0.71, 0.69], "worse"),
        ("realtime_factor", [250.0, 248.0, 252.0], [200.0, 201.0, 199.0], "better"),
        ("realtime_factor", [200.0, 201.0, 199.0], [250.0, 248.0, 252.0], "worse"),
        # All three are lower, but not by more than they differ from one another.
        ("hop_ms_p50", [0.70, 0.98, 0.85], [1.00, 1.00, 1.00], "equal"),
        # The machine grew twice as slow meanwhile, for both.
        ("hop_ms_p50", [0.70, 1.00, 1.41], [1.00, 1.43, 2.00], "better"),
        # For sure, but hardly.
        ("rss_mb", [67.3, 67.3, 67.3], [67.1, 67.1, 67.1], "equal"),
        ("fanout_lost", [0.0, 0.0, 0.0], [0.0, 0.0, 0.0], "equal"),
        ("fanout_lost", [3.0, 3.0, 4.0], [0.0, 0.0, 0.0], "worse"),
        ("fanout_lost", [0.0, 0.0, 0.0], [3.0, 4.0, 3.0], "better"),
        ("fanout_lost", [0.0, 0.0, 9.0], [0.0, 0.0, 0.0], "equal"),
        ("hop_ms_p50", [0.5], [1.0], None),
        ("librosa_ratio", [None, 5.0, 5.1], [5.0, None, 5.2], None),
        ("librosa_ratio", [None, None, None], [5.0, 5.0, 5.0], None),
        ("new_ms", [1.0, 1.0, 1.0], [2.0, 2.0, 2.0], None),
    ],
)
def test_a_difference_has_to_stand_out_of_the_noise(
    key: str, ours: list[float | None], theirs: list[float | None], verdict: str | None
) -> None:
    """Better and worse are what the pairs agree on, in the figure's direction; the rest is equal, or not known."""
    found = compared([{key: value} for value in ours], [{key: value} for value in theirs])
    assert found[key].verdict == verdict


def test_figures_of_one_side_are_told_as_such() -> None:
    """What only one has keeps its value, and has no ratio."""
    ours: list[Figures] = [{"hop_ms_p50": 0.5, "rss_mb": 70.0, "librosa_ratio": None}]
    theirs: list[Figures] = [
        {"new_ms": 2.0, "soak_hours": None, "hop_ms_p50": 1.0, "librosa_ratio": None, "rss_mb": None}
    ]
    figures = compared(ours, theirs)
    assert list(figures) == [*keys(GROUPS), "new_ms"]
    comparison = Comparison("soloist 0.2.0", "soloist 0.1.0", "/old/\x1bsoloist", 1, figures)
    lines = {line.partition(" ")[0]: line for line in comparison_as_table(comparison).splitlines()}
    hop, librosa, memory, new = (lines[key] for key in ("hop_ms_p50", "librosa_ratio", "rss_mb", "new_ms"))
    assert hop.split()[:7] == ["hop_ms_p50", "0.500", "1.00", "ms", "0.50", "one", "round"]
    assert "not measured" in librosa
    assert "only ours" in memory
    assert "only theirs" in new
    assert "\x1b" not in comparison_as_table(comparison)
    told = json.loads(comparison_as_json(comparison))
    assert (told["rss_mb_ours"], told["rss_mb_theirs"], told["rss_mb_ratio"], told["rss_mb_verdict"]) == (
        70.0,
        None,
        None,
        None,
    )
