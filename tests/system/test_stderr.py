"""Silence for libraries, and a voice for ourselves."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

SILENCED = """
import os, sys, threading
from stream.system.stderr import quiet_stderr

def hang():
    with quiet_stderr():
        inside.set()
        os.write(2, b"a library\\n")
        ours.wait()

inside, ours = threading.Event(), threading.Event()
thread = threading.Thread(target=hang)
thread.start()
inside.wait()
with quiet_stderr():
    os.write(2, b"another library\\n")
os.write(2, b"still quiet\\n")
ours.set()
thread.join()
os.write(2, b"a crash\\n")
"""
RESERVED = """
import faulthandler, os, sys, threading, warnings
from stream.system.stderr import reserve_stderr, quiet_stderr

def print_from_c():
    os.write(2, b"a library\\n")

reserve_stderr()
reserve_stderr()
faulthandler.enable()
thread = threading.Thread(target=print_from_c)
thread.start()
thread.join()
print("we", file=sys.stderr)
with quiet_stderr():
    print_from_c()
    print("still we \\udcff", file=sys.stderr)
print_from_c()
warnings.warn("old")
os.abort()
"""
CLOSED = """
import os, sys
from stream.system.stderr import reserve_stderr, quiet_stderr
if sys.argv[1:]:
    reserve_stderr()
    print("said to nobody", file=sys.stderr)
with quiet_stderr():
    print("fine")
"""


def run(script: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a script to its end."""
    command = [sys.executable, "-c", script, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


def test_libraries_are_quiet_for_a_while() -> None:
    """While any thread asks for quiet, libraries are not heard; afterwards all are."""
    assert run(SILENCED).stderr == "a crash\n"


AUDIBLE = """
import os, sys
from stream.system.stderr import audible_stderr, quiet_stderr

before = sys.stderr
with audible_stderr():
    with quiet_stderr():
        print("we", file=sys.stderr)
        os.write(2, b"a library")
    print("still we", file=sys.stderr)
assert sys.stderr is before
print("and then", file=sys.stderr)
"""


def test_python_is_heard_while_libraries_are_quiet() -> None:
    """Whoever reports errors while another thread opens a file is heard, and standard error is as before then."""
    assert run(AUDIBLE).stderr == "we\nstill we\nand then\n"


def test_libraries_are_quiet_for_good() -> None:
    """Once standard error is ours alone, no library is heard whenever it speaks; we are, with warnings and a crash."""
    done = run(RESERVED)
    lines = done.stderr.splitlines()
    assert lines[:2] == ["we", "still we \\udcff"]
    assert "UserWarning: old" in lines[2]
    assert "Fatal Python error: Aborted" in lines
    assert "a library" not in done.stderr
    assert done.returncode == -signal.SIGABRT


@pytest.mark.parametrize("where", ["> out 2>&-", "> out <&- 2>&-", "> out 2> /dev/full", "2>&1 > out | true"])
@pytest.mark.parametrize("parted", ["", "parted"])
def test_nothing_needs_standard_error(where: str, parted: str, tmp_path: Path) -> None:
    """Where there is no standard error, or it cannot be written, nothing is silenced and nothing fails."""
    line = f'"$0" -c "$1" {parted} {where}; exit ${{PIPESTATUS[0]}}'
    command = ["bash", "-c", line, sys.executable, CLOSED]
    done = subprocess.run(command, cwd=tmp_path, check=False, timeout=60, env=environment())
    assert (tmp_path / "out").read_text() == "fine\n"
    assert done.returncode == 0


def environment() -> dict[str, str]:
    """Return what lets a process find the package from any folder."""
    return {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
