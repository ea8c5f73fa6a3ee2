"""Processes of this installation that a bench starts, and what they take."""

from __future__ import annotations

import os
import sys
from pathlib import Path


def command(module: str, *arguments: str) -> list[str]:
    """Return the command that runs a module of this installation, together with the variables of `environment`."""
    return [sys.executable, "-P", "-m", module, *arguments]


def environment() -> dict[str, str]:
    """Return the variables of a process that is measured.

    It finds what we found, and nothing that happens to lie in the current folder: another checkout, say. It has no
    settings of the user's, for the figures are those of the default ones.
    """
    path = os.pathsep.join(entry or os.getcwd() for entry in sys.path)
    return without_settings() | {"PYTHONPATH": path}


def without_settings() -> dict[str, str]:
    """Return the variables of this process, but for those that are settings of Soloist.

    And but for the one that forbids Python to keep bytecode: an installation from a wheel has it, a checkout gets it,
    and what has none takes half as long again to start.
    """
    return {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("SOLOIST_") and name != "PYTHONDONTWRITEBYTECODE"
    }


def resident_mb(process: int | None = None) -> float:
    """Return the resident memory of a process, or of this one, in MB."""
    status = Path(f"/proc/{process or 'self'}/status").read_text(encoding="ascii")
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS")) / 1024
