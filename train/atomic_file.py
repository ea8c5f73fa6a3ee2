"""Files that appear whole or not at all."""

from __future__ import annotations

from pathlib import Path

from stream.errors import SourceError
from stream.system.files import write_whole


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file whole or not at all, and the folders above it.

    Raises
    ------
    SourceError
        When it cannot be written.
    """
    try:
        write_whole(path, content)
    except OSError as error:
        raise SourceError(f"cannot write {path}: {error.strerror}") from error
