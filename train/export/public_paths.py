"""What a bundle and its card tell of paths: names, not the folders of whoever made them."""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping
from pathlib import PurePath
from typing import Any


def without_folders(command: str) -> str:
    """Leave of paths that lie outside the working folder no more than their names.

    Parameters
    ----------
    command : str
        A command line, as `shlex.join` writes it.

    Returns
    -------
    str
        The same with ``--data pack`` for ``--data /home/me/pack`` or ``--data ../pack``.
    """
    return shlex.join(map(_name, shlex.split(command)))


def settings_without_folders(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Do the same to all texts of settings, however deep."""
    return {key: _plain(value) for key, value in settings.items()}


def _plain(value: Any) -> Any:
    match value:
        case str():
            return _name(value)
        case Mapping():
            return settings_without_folders(value)
        case list() | tuple():
            return [_plain(entry) for entry in value]
    return value


def _name(word: str) -> str:
    flag, equals, path = word.partition("=") if word.startswith("-") else ("", "", word)
    outside = os.path.isabs(path) or PurePath(path).parts[:1] in {("..",), ("~",)}
    return f"{flag}{equals}{PurePath(os.path.normpath(path)).name or path}" if outside else word
