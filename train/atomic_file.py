"""Files that appear whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path

from stream.errors import SourceError


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file whole or not at all, and the folders above it.

    Raises
    ------
    SourceError
        When it cannot be written.
    """
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            part.write_bytes(content)
            os.replace(part, path)
        finally:
            part.unlink(missing_ok=True)
    except OSError as error:
        raise SourceError(f"cannot write {path}: {error.strerror}") from error
