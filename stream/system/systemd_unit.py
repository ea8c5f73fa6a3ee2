"""The unit by which systemd runs the service, and the file of settings that it is given."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import sys
import sysconfig
import tempfile
from collections.abc import Iterable, Sequence
from importlib import resources
from pathlib import Path
from typing import Final

import stream
from stream.errors import InstallError

UNIT_PATH: Final = Path("/etc/systemd/system/soloist.service")
SETTINGS_PATH: Final = Path("/etc/soloist/soloist.toml")
_GROUP: Final = "audio"
"""Who may use sound cards; the service is one of them, and by this it may read its settings."""
_HOMES: Final = (Path("/home"), Path("/root"), Path("/run/user"))


def launch_command() -> list[str]:
    """Return the command by which this installation is called."""
    script = Path(sysconfig.get_path("scripts")) / "soloist"
    return [str(script)] if script.is_file() else [sys.executable, "-m", "stream"]


def installed_folders() -> list[Path]:
    """Return the folders that this installation is read from."""
    package = Path(stream.__file__).resolve().parent.parent
    return [Path(sys.prefix), Path(sys.base_prefix), package]


def render_unit(
    user: str | None = None, config: Path = SETTINGS_PATH, *, run: Sequence[str], needed: Iterable[Path]
) -> str:
    """Write the unit.

    Parameters
    ----------
    user : str, optional
        The user that it runs as; without it, a user that systemd creates for as long as it runs.
    config : path
        The settings, an absolute path.
    run : sequence of str
        The command, see `launch_command`.
    needed : iterable of path
        What it is read from, see `installed_folders`. Nothing else in the homes can be seen by the service.

    Raises
    ------
    InstallError
        When there is no such user.
    """
    if user is not None:
        try:
            pwd.getpwnam(user)
        except KeyError:
            raise InstallError(f"--user is {user!r}; there is no such user") from None
    in_homes = sorted({path for path in (*needed, config) if _in_homes(path)})
    outermost = [path for path in in_homes if not any(other in path.parents for other in in_homes)]
    home = "ProtectHome=yes"
    if outermost:
        paths = " ".join(_quoted(str(path).replace(":", "\\:")) for path in outermost)
        home = f"# Soloist is installed in somebody's home.\nProtectHome=tmpfs\nBindReadOnlyPaths={paths}"
    placeholders = {
        "@COMMAND@": " ".join(map(_quoted, run)),
        "@CONFIG@": _quoted(str(config)).replace("$", "$$"),
        "@USER@": "DynamicUser=yes\nUser=soloist" if user is None else f"User={user}",
        "@HOME@": home,
    }
    unit = (resources.files("stream") / "soloist.service").read_text(encoding="utf-8")
    for placeholder, value in placeholders.items():
        unit = unit.replace(placeholder, value)
    return unit


def example_settings() -> str:
    """Return a file of settings in which all are at their defaults."""
    return (resources.files("stream") / "soloist.toml").read_text(encoding="utf-8")


def install_unit(unit: str, path: Path = UNIT_PATH, *, force: bool = False) -> bool:
    """Write the unit where systemd finds it.

    Returns
    -------
    bool
        False when it already exists.

    Raises
    ------
    InstallError
        When it cannot be written, or another one is there and it may not be replaced.
    """
    if is_unit_installed(unit, path, force=force):
        return False
    _write(path, unit, 0o644, None)
    return True


def is_unit_installed(unit: str, path: Path = UNIT_PATH, *, force: bool = False) -> bool:
    """Whether the unit is where systemd finds it, to the letter.

    Raises
    ------
    InstallError
        When there is no systemd, or another unit is there and it may not be replaced.
    """
    if not path.parent.is_dir():
        raise InstallError(f"there is no {path.parent}, so no systemd; --print shows the unit")
    try:
        present = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return False
    except (OSError, ValueError) as error:
        raise InstallError(f"cannot read {path}: {_describe(error)}") from error
    if present != unit and not force:
        raise InstallError(f"{path} exists and differs; --force replaces it, --print shows the new one")
    return present == unit


def install_unit_and_settings(
    unit: str, path: Path = UNIT_PATH, config: Path = SETTINGS_PATH, group: str = _GROUP, *, force: bool = False
) -> tuple[bool, bool]:
    """Write the unit, and a file of settings if there is none: both or neither.

    See `install_unit` and `install_example_settings`.

    Returns
    -------
    bool, bool
        Whether the unit was written, and whether the settings were.

    Raises
    ------
    InstallError
        When one of them cannot be written.
    """
    is_unit_installed(unit, path, force=force)
    folders = [folder for folder in config.parents if not folder.exists()]
    is_new = False
    try:
        # First, for a unit without its settings starts in vain.
        is_new = install_example_settings(config, group)
        return install_unit(unit, path, force=force), is_new
    except BaseException:
        with contextlib.suppress(OSError):
            if is_new:
                config.unlink()
            for folder in folders:  # the innermost first
                folder.rmdir()
        raise


def install_example_settings(path: Path = SETTINGS_PATH, group: str = _GROUP) -> bool:
    """Write a file of settings, to be read by root and the service alone, for it may hold a token.

    Returns
    -------
    bool
        False when there is one already.

    Raises
    ------
    InstallError
        When it cannot be written.
    """
    try:
        if path.exists():
            return False
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InstallError(f"cannot write {path}: {_describe(error)}") from error
    _write(path, example_settings(), 0o640, group)
    return True


def _write(path: Path, content: str, mode: int, group: str | None) -> None:
    """Write a file whole or not at all."""
    try:
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with open(handle, "w", encoding="utf-8") as opened:
                opened.write(content)
            if group is not None:
                shutil.chown(temporary, group=group)
            os.chmod(temporary, mode)
            os.replace(temporary, path)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(temporary)
            raise
    except LookupError as error:
        raise InstallError(f"cannot write {path}: this system has no group {group!r}") from error
    except OSError as error:
        hint = " (try sudo)" if isinstance(error, PermissionError) else ""
        raise InstallError(f"cannot write {path}: {_describe(error)}{hint}") from error


def _in_homes(path: Path) -> bool:
    return any(path.is_relative_to(home) for home in _HOMES)


def _quoted(word: str) -> str:
    """Write a word of a unit's line so that systemd reads it as it is."""
    word = word.replace("%", "%%")
    if word.isprintable() and not set(word) & set(" \"'\\;"):
        return word
    return '"' + word.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _describe(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)
