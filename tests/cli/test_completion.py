"""Completion, in a real shell."""

from __future__ import annotations

import argparse
import contextlib
import os
import pty
import re
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from importlib import resources
from pathlib import Path

import pytest

from stream.cli.command_line import COMMANDS, parser
from stream.recognition import bundle
from tests.support.processes import SOLOIST

SCRIPT = Path(str(resources.files("stream.cli") / "completion.bash"))
BASH = f"source {shlex.quote(str(SCRIPT))}"

TAKE_TERMINAL = """
import fcntl, os, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execvp(sys.argv[1], sys.argv[1:])
"""
"""Makes standard input the terminal of a session, as those who open a window do, and runs a shell in it."""

needs_bash = pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")


class Terminal:
    """A shell that somebody types into."""

    def __init__(self, command: list[str], folder: Path, begin: str) -> None:
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "PS1": "> ",
            "INPUTRC": "/dev/null",
            "TERM": "dumb",
        }
        self._terminal, shell = pty.openpty()
        self._process = subprocess.Popen(
            [sys.executable, "-c", TAKE_TERMINAL, *command],
            stdin=shell,
            stdout=shell,
            stderr=shell,
            cwd=folder,
            env=environment,
            start_new_session=True,
        )
        os.close(shell)
        self._unread = ""
        os.set_blocking(self._terminal, False)
        self._read_until("> ")
        self.type(f"{begin}; echo 'rea''dy'\n")
        self._read_until("ready")
        self._read_until("> ")

    def type(self, text: str) -> None:
        """Press keys."""
        os.write(self._terminal, text.encode())

    def completed(self, text: str, enough: str) -> str:
        """Type a text and the key for completion, and return what then stands there once it has what is enough."""
        self.type(f"{text}\t")
        seen = self._read_until(enough)
        self.type("\x15\n")  # take it away again
        self._read_until("> ")
        return seen

    def _read_until(self, wanted: str) -> str:
        end = time.monotonic() + 60
        while wanted not in self._unread:
            assert time.monotonic() < end, f"no {wanted!r} in {self._unread!r}"
            with contextlib.suppress(BlockingIOError):
                self._unread += os.read(self._terminal, 4096).decode(errors="replace")
            time.sleep(0.01)
        seen, wanted, self._unread = self._unread.partition(wanted)
        return seen + wanted

    def close(self) -> None:
        """End the shell."""
        self._process.kill()
        self._process.wait()
        os.close(self._terminal)


@contextlib.contextmanager
def typing(command: list[str], folder: Path, begin: str) -> Iterator[Terminal]:
    """Have a shell to type into."""
    terminal = Terminal(command, folder, begin)
    try:
        yield terminal
    finally:
        terminal.close()


def offered(*words: str, folder: Path | None = None) -> set[str]:
    """Return what bash offers for the last of these words."""
    program = (
        f"{BASH}; COMP_WORDS=({shlex.join(['soloist', *words])}); COMP_CWORD={len(words)}; "
        '_shtab_soloist; printf "%s\\n" "${COMPREPLY[@]}"'
    )
    done = subprocess.run(["bash", "--norc", "-c", program], capture_output=True, text=True, check=True, cwd=folder)
    return set(done.stdout.split("\n")) - {""}


@needs_bash
def test_bash_completes_what_is_typed(tmp_path: Path) -> None:
    """Commands, flags, values, models and files are completed where somebody presses the tabulator."""
    (tmp_path / "violin.wav").touch()
    with typing(["bash", "--norc", "--noprofile", "-i"], tmp_path, BASH) as terminal:
        for text, whole in (
            ("soloist ru", "soloist run "),
            ("soloist run --in", "soloist run --in"),  # --input or --instruments
            ("soloist run --inp", "soloist run --input "),
            ("soloist run --log-level deb", "--log-level debug "),
            ("soloist run --runtime li", "--runtime litert "),
            ("soloist run --wait --model pu", "--model published "),
            ("soloist run --input vio", "--input violin.wav "),
            ("soloist classify vio", "classify violin.wav "),
            ("soloist sessions export --format aud", "--format audacity "),
            ("soloist config che", "soloist config check "),
            ("soloist config check --session-log of", "--session-log off "),
            ("soloist install", "soloist install-service "),
        ):
            assert whole in terminal.completed(text, whole)
        seen = terminal.completed("soloist run --in\t", "--instruments")
        assert re.search(r"--input\s+--instruments", seen)


@needs_bash
def test_bash_offers_all_that_there_is(tmp_path: Path) -> None:
    """Every command, every flag of each, and every value that a flag names is offered: the script is up to date."""
    assert offered("") == set(COMMANDS)
    for words, command in commands(parser()):
        flags = {flag for action in command._actions for flag in action.option_strings}
        assert offered(*words, "-") == flags, words
    assert offered("run", "--log-level", "") == {"debug", "info", "warning", "error"}
    assert offered("run", "--log-format", "") == {"text", "json"}
    assert offered("run", "--model", "", folder=tmp_path) == set(bundle.shipped_names())
    assert offered("bench", "--model", "", folder=tmp_path) == set(bundle.shipped_names())
    assert offered("classify", "--runtime", "") == {"auto", "litert", "tflite"}
    assert offered("run", "--input", "", folder=tmp_path) == {"mic", "demo"}
    assert offered("completion", "") == {"bash"}


def commands(parser: argparse.ArgumentParser, *words: str) -> Iterator[tuple[tuple[str, ...], argparse.ArgumentParser]]:
    """Yield a parser and those of its commands, with the words that lead to each."""
    yield words, parser
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for name, command in action.choices.items():
                yield from commands(command, *words, name)


def test_bash_gets_its_script() -> None:
    """`completion bash` writes the script."""
    done = subprocess.run([*SOLOIST, "completion", "bash"], capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, SCRIPT.read_text(), "")


@needs_bash
def test_completing_starts_no_program() -> None:
    """The script calls nothing but what bash has itself: on a small computer everything else takes a second."""
    words = "PATH=/nonexistent; COMP_WORDS=(soloist run --model pu); COMP_CWORD=3"
    program = f"{BASH}; {words}; _shtab_soloist; echo ${{COMPREPLY[0]}}"
    done = subprocess.run(["bash", "--norc", "-c", program], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("published\n", "")
