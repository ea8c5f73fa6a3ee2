"""Standard output that is full, closed, or read no further."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from stream.protocol.messages import Mark
from stream.session_log.session_log import SessionLog
from tests.support.log_writing import hello
from tests.support.processes import SOLOIST

COMMANDS = (
    "--help",
    "--version",
    "classify zeros.wav",
    "classify --json zeros.wav",
    "config example",
    "config check",
    "sessions --log log.db",
    "sessions export 1 --log log.db",
    "install-service --print",
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a file of audio and a session log."""
    import numpy as np
    import soundfile

    folder = tmp_path_factory.mktemp("output")
    soundfile.write(folder / "zeros.wav", np.zeros(22_050, np.float32), 22_050)
    session_log = SessionLog(folder / "log.db")
    session_log.add(hello())
    session_log.add(Mark(1.0, "bridge"))
    assert session_log.close(10)
    return folder


def run(command: str, output: str, folder: Path) -> tuple[int, str]:
    """Run a command with its output led elsewhere by the shell: exit status, and standard error."""
    line = f"set -o pipefail; {' '.join(SOLOIST)} {command} {output}"
    environment = {"PYTHONPATH": str(Path(__file__).parents[2]), "PATH": "/usr/bin:/bin", "HOME": str(folder)}
    done = subprocess.run(["bash", "-c", line], stderr=subprocess.PIPE, text=True, cwd=folder, env=environment)
    return done.returncode, done.stderr


@pytest.mark.parametrize(
    ("output", "said"), [(">/dev/full", "No space left on device"), (">&-", "standard output is closed")]
)
@pytest.mark.parametrize("command", COMMANDS)
def test_output_that_cannot_be_written_is_one_line_and_status_1(
    command: str, output: str, said: str, folder: Path
) -> None:
    """Every command says in one line why its output cannot be written, and ends with status 1."""
    assert run(command, output, folder) == (1, f"soloist: cannot write: {said}\n")


@pytest.mark.parametrize("output", ["2>/dev/full", "2>&-"])
@pytest.mark.parametrize(("command", "status"), [("classify none.wav zeros.wav", 1), ("config check --gate=9", 2)])
def test_where_nobody_can_be_told_the_rest_is_done_and_the_status_tells(
    command: str, status: int, output: str, folder: Path
) -> None:
    """Complaints that cannot be written keep nothing from being done, and change no exit status."""
    assert run(command, f"{output} >out", folder) == (status, "")
    assert ("  silence" if "classify" in command else "gate") in (folder / "out").read_text()


@pytest.mark.parametrize("command", COMMANDS)
def test_whoever_reads_no_further_is_left_alone(command: str, folder: Path) -> None:
    """Where the reader of a pipe has gone there is no word, and status 0."""
    assert run(command, "| true", folder) == (0, "")
