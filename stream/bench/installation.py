"""An installation of Soloist, this one or another, whose bench is run as its users run it."""

from __future__ import annotations

import json
import math
import os
import re
import shlex
import shutil
import signal
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from stream.bench.figures import Figures
from stream.bench.processes import command, environment, without_settings
from stream.errors import BenchError, ConfigError

_LONGEST_SHOWN: Final = 300
_KEY: Final = re.compile(r"[a-z]\w{0,59}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Installation:
    """What can be run as `soloist`."""

    name: str
    """What it is called in messages: its command, as it was given."""
    command: tuple[str, ...]
    variables: Mapping[str, str]
    """The whole environment of its processes."""

    def version(self) -> str:
        """Return what it says that it is, as `soloist 0.2.0`.

        Raises
        ------
        BenchError
            When it cannot be run, or is no Soloist.
        """
        written = self._run("--version").strip()
        if not re.fullmatch(r"soloist [\w.+-]{1,60}", written):
            raise BenchError(
                f"`{self.name} --version` writes {written[:_LONGEST_SHOWN]!r}; expected soloist and a number"
            )
        return written

    def can_choose(self) -> bool:
        """Whether its bench has `--only`. Version 0.1 measures all or nothing."""
        return "--only" in self._run("bench", "--help")

    def bench(self, arguments: Sequence[str]) -> Figures:
        """Return the figures of a whole bench.

        Raises
        ------
        BenchError
            When it fails, or writes something else than one flat object of numbers.
        """
        written = self._run("bench", "--json", *arguments)
        try:
            return _figures(json.loads(written))
        except (ValueError, OverflowError, RecursionError) as error:
            raise BenchError(f"`{self.name} bench --json` does not write figures: {error}") from error

    def _run(self, *arguments: str) -> str:
        """Run one of its commands and return what that writes.

        It runs in an empty folder: a bench of version 0.1 starts further processes that take modules from the current
        one, which may hold another Soloist. What its services hear is written to a log there, not to the user's.
        """
        with TemporaryDirectory(prefix="soloist-bench-", ignore_cleanup_errors=True) as folder:
            variables = {**self.variables, "XDG_STATE_HOME": str(Path(folder) / "state")}
            try:
                process = subprocess.Popen(
                    [*self.command, *arguments],
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE,
                    cwd=folder,
                    env=variables,
                    process_group=0,
                )
            except OSError as error:
                raise BenchError(f"`{self.name}` cannot be run: {error.strerror}") from error
            with process:
                try:
                    out, err = process.communicate()
                except BaseException:  # whoever waited has had enough: nothing of it goes on alone
                    os.killpg(process.pid, signal.SIGKILL)
                    raise
        if process.returncode:
            end = f"status {process.returncode}" if process.returncode > 0 else f"signal {-process.returncode}"
            said = err.decode(errors="replace").strip().splitlines()
            reason = said[-1][:_LONGEST_SHOWN] if said else "it says nothing"
            raise BenchError(f"`{self.name} {shlex.join(arguments)}` ends with {end}: {reason}")
        return out.decode(errors="replace")


def this_installation() -> Installation:
    """Return the one that runs this code."""
    return Installation("soloist", tuple(command("stream")), _common(environment()))


def other_installation(against: str) -> Installation:
    """Return the one that a command runs.

    It gets the variables that this one gets, but for those that would lead its Python to our modules.

    Parameters
    ----------
    against : str
        A command, split as a shell would split it: ``/old/bin/soloist``, ``/old/bin/python -m stream``,
        ``env PYTHONPATH=/old python3 -m stream``. A path may be relative to the current folder.

    Raises
    ------
    ConfigError
        When there is no such command.
    """
    try:
        words = shlex.split(against)
    except ValueError as error:
        raise ConfigError(f'--against is "{against}": {error}') from error
    if not words:
        raise ConfigError('--against is ""; expected a command, as /old/bin/soloist')
    found = shutil.which(os.path.expanduser(words[0]))
    if found is None:
        raise ConfigError(f'--against is "{against}"; there is no command {words[0]}')
    variables = _common(without_settings())
    for name in ("PYTHONPATH", "PYTHONHOME"):
        variables.pop(name, None)
    # A link is not followed: Python finds its environment by the name that it is called by.
    return Installation(against, (os.path.abspath(found), *words[1:]), variables)


def _common(variables: dict[str, str]) -> dict[str, str]:
    variables.pop("STATE_DIRECTORY", None)  # systemd's, which would go before our folder for the log
    return variables


def _figures(written: object) -> Figures:
    if not isinstance(written, dict):
        raise ValueError("it is no object")
    figures: Figures = {}
    for key, value in written.items():
        if not _KEY.fullmatch(key):
            raise ValueError(f"{key[:60]!r} is no key")
        if value is not None:
            if isinstance(value, bool) or not isinstance(value, int | float):
                raise ValueError(f"{key} is no number")
            value = float(value)
            if not math.isfinite(value):
                raise ValueError(f"{key} is {value}")
        figures[key] = value
    return figures
