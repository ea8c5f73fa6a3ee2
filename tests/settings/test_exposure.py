"""Secrets that are not kept well are told, and nothing of them is."""

from __future__ import annotations

import base64
import os
import secrets
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from stream.server.secrecy import is_weak, others_can_read
from stream.settings import check
from stream.settings.exposure import exposures
from stream.settings.reading import read

STRONG = "kT7vQ2mXp9sLw4Rz8dYb"


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that every user can enter, which those of pytest are not."""
    with tempfile.TemporaryDirectory(prefix="soloist-exposure-") as name:
        folder = Path(name)
        if not all(it.stat().st_mode & 0o001 for it in folder.parents):
            pytest.skip(f"{folder.parent} is closed to others")
        folder.chmod(0o755)
        yield folder


@pytest.mark.parametrize(
    "token",
    ["x", "secret", "password12345678", "Passwort2026", "1234567890123456789", "aaaaaaaaaaaaaaaaaaaaaaaaaaa",
     "soloist-stage", "abcdefghijklmnopqrstuvwxyz", "831946275018", "o sole mio", "söcret", "abababababababababab"],
)  # fmt: skip
def test_tokens_that_are_guessed_are_weak(token: str) -> None:
    """What is short, a common word, digits alone, or goes on and on is weak."""
    assert is_weak(token)


def test_tokens_made_at_random_are_strong() -> None:
    """What the documentation advises to make is strong, whatever comes of it, and so are words enough."""
    for _ in range(300):
        assert not is_weak(base64.b64encode(os.urandom(18)).decode())
        assert not is_weak(secrets.token_urlsafe(16))
        assert not is_weak(secrets.token_hex(16))
    assert not is_weak("06cedb981234513158615599d123fc7d")  # random, in spite of its 123
    assert not is_weak("correct horse battery staple")
    assert not is_weak(STRONG)


def test_file_that_others_can_read_is_told(folder: Path) -> None:
    """A token's file is told by its setting when every user can read it, unless a folder keeps them out."""
    file = folder / "my token"
    file.write_text(STRONG)
    for mode in (0o600, 0o640):
        file.chmod(mode)
        assert exposures(read({"token_file": str(file)}, {})) == []
    file.chmod(0o604)
    said = f"\"{file}\": everybody on this machine can read it: chmod 600 '{file}'"
    assert exposures(read({"token_file": str(file)}, {})) == [f"--token-file is {said}"]
    assert exposures(read({}, {"SOLOIST_TOKEN_FILE": str(file)})) == [f"SOLOIST_TOKEN_FILE is {said}"]
    assert check.notes(read({"token_file": str(file)}, {})) == [f"--token-file is {said}"]
    link = folder / "link"
    link.symlink_to(file)
    assert others_can_read(link)
    folder.chmod(0o700)
    assert exposures(read({"token_file": str(file)}, {})) == []


def test_token_in_the_open_is_told(folder: Path) -> None:
    """A token as a flag, or in a settings file that others can read, is told; one in a variable is nobody else's."""
    (said,) = exposures(read({"token": STRONG}, {}))
    assert said.startswith("--token can be read by everybody on this machine, in the list of processes")
    assert exposures(read({}, {"SOLOIST_TOKEN": STRONG})) == []
    file = folder / "soloist.toml"
    file.write_text(f'[server]\ntoken = "{STRONG}"\n')
    file.chmod(0o644)
    assert exposures(read({}, {}, file)) == [
        f"{file}:2: server.token can be read by everybody on this machine: chmod 600 {file}"
    ]
    file.chmod(0o640)
    assert exposures(read({}, {}, file)) == []


def test_weak_token_is_told_without_a_word_of_it(folder: Path) -> None:
    """A token that can be guessed is named by its setting, with a command that makes a better one."""
    file = folder / "token"
    file.write_text("sesame\n")
    file.chmod(0o600)
    for reading, name in (
        (read({"token_file": str(file)}, {}), "--token-file"),
        (read({}, {"SOLOIST_TOKEN": "sesame"}), "SOLOIST_TOKEN"),
    ):
        (said,) = exposures(reading)
        assert (
            said == f"{name} holds a token that can be guessed; to make a better one: head -c 18 /dev/urandom | base64"
        )
    assert exposures(read({"token_file": str(folder / "none")}, {})) == []
    assert exposures(read({}, {})) == []


def test_key_that_others_can_read_is_told(folder: Path) -> None:
    """The key of a certificate is a secret, too, also where it stands in the certificate's file."""
    both, key = folder / "both.pem", folder / "key.pem"
    for file in (both, key):
        file.write_text("")
        file.chmod(0o644)
    (said,) = exposures(read({"certificate": str(both), "key": str(key)}, {}))
    assert said.startswith(f'--key is "{key}": everybody on this machine can read it')
    (said,) = exposures(read({"certificate": str(both)}, {}))
    assert said.startswith(f'--certificate is "{both}": everybody on this machine can read it')
