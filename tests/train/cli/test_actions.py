"""The command line of the laboratory: its actions, their help, and what it takes to print it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from stream.recognition.mel import SAMPLE_RATE
from stream.system.extras import advise_install
from train.__main__ import main
from train.cli.actions import ACTIONS, build_parser

ROOT = Path(__file__).parents[3]


def test_every_action_is_listed_once_and_described(capsys: pytest.CaptureFixture[str]) -> None:
    """Help names every action in the order of `ACTIONS`, and each by the name of its file."""
    names = [action.__name__.rpartition(".")[2] for action in ACTIONS]
    with pytest.raises(SystemExit) as ended:
        main(["--help"])
    assert ended.value.code == 0
    listed = [line.split()[0] for line in capsys.readouterr().out.splitlines() if line.startswith("    ")]
    assert [name for name in listed if name in names] == names
    assert len(set(names)) == len(names) == 16


@pytest.mark.parametrize("action", ACTIONS, ids=lambda action: action.__name__.rpartition(".")[2])
def test_every_action_explains_itself(action, capsys: pytest.CaptureFixture[str]) -> None:
    """An action's help has its name and a line for every argument, and what was given leads to its function."""
    name = action.__name__.rpartition(".")[2]
    with pytest.raises(SystemExit) as ended:
        main([name, "--help"])
    assert ended.value.code == 0
    out = capsys.readouterr().out
    assert out.startswith(f"usage: soloist train {name} [-h]")
    assert "show this help message and exit" in out


def test_arguments_lead_to_the_function_of_their_action() -> None:
    """What the parser returns names the function that is called with it."""
    arguments = build_parser().parse_args(["check", "folder"])
    assert arguments.run_action is ACTIONS[-1].run


def test_help_imports_nothing_that_takes_time() -> None:
    """Who asks for help waits neither for TensorFlow nor for what reads, composes or draws."""
    code = (
        "import sys\n"
        "from train.__main__ import main\n"
        "try:\n"
        "    main(['fit', '--help'])\n"
        "except SystemExit as end:\n"
        "    assert end.code == 0\n"
        "heavy = {'tensorflow', 'keras', 'librosa', 'scipy', 'sklearn', 'mirdata', 'optuna', 'pedalboard'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert out.splitlines()[-1] == "[]"


@pytest.mark.parametrize(
    ("module", "extra", "arguments"),
    [
        ("tensorflow", "train", ["fit", "--data", ".", "--out", "."]),
        ("mirdata", "study", ["check", "nowhere"]),
        ("mir_eval", "study", ["programmes", "--data", ".", "--model", "small"]),
        ("optuna", "search", ["search", "--data", ".", "--out", "."]),
    ],
)
def test_what_is_missing_is_told_in_a_line(module: str, extra: str, arguments: list[str]) -> None:
    """Without a package an action ends with one line: which extra has it, and how to install that from here."""
    code = f"import sys\nsys.modules[{module!r}] = None\nfrom train.__main__ import main\nsys.exit(main({arguments!r}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 1
    assert done.stderr == f"soloist train: {module} is missing: {advise_install(extra)}\n"


@pytest.mark.slow
def test_recordings_of_ones_own_need_nothing_of_study_and_search(tmp_path: Path) -> None:
    """With the extra `train` alone a folder is opened, and what fits, measures and reports is imported."""
    for label in ("high", "low"):
        (tmp_path / label).mkdir()
        soundfile.write(tmp_path / label / "a.wav", np.full(SAMPLE_RATE, 0.1), SAMPLE_RATE)
    code = (
        "import sys\n"
        "for name in 'librosa mido mir_eval mirdata optuna pedalboard scipy sklearn'.split():\n"
        "    sys.modules[name] = None\n"
        "from pathlib import Path\n"
        "import train.data_settings, train.evaluation.demo_evaluation, train.fitting.cluster, train.pipeline.refit\n"
        f"print(len(train.data_settings.DataSettings(Path({str(tmp_path)!r})).open(Path('unused')).clips))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert (done.returncode, done.stdout) == (0, "2\n"), done.stderr
