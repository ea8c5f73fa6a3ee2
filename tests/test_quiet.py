"""Silence for libraries, and a voice for ourselves."""

from __future__ import annotations

import subprocess
import sys

SCRIPT = """
import os, sys, threading
from stream.quiet import part_stderr, quiet_stderr

def hang():
    with quiet_stderr():
        inside.set()
        os.write(2, b"a library\\n")
        ours.wait()

inside, ours = threading.Event(), threading.Event()
part_stderr()
thread = threading.Thread(target=hang)
thread.start()
inside.wait()
with quiet_stderr():
    os.write(2, b"another library\\n")
os.write(2, b"still quiet\\n")
print("we", file=sys.stderr)
ours.set()
thread.join()
os.write(2, b"a crash\\n")
"""
CLOSED = """
import os, sys
from stream.quiet import part_stderr, quiet_stderr
os.close(2)
part_stderr()
with quiet_stderr():
    print("fine")
"""


def run(script: str) -> subprocess.CompletedProcess[str]:
    """Run a script to its end."""
    return subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60)


def test_a_library_that_hangs_keeps_nobody_from_speaking() -> None:
    """While libraries are silenced, in several threads at once, we are heard; afterwards all are."""
    assert run(SCRIPT).stderr == "we\na crash\n"


def test_nothing_needs_standard_error() -> None:
    """Where there is no standard error, nothing is silenced and nothing fails."""
    assert run(CLOSED).stdout == "fine\n"
