"""How well a secret is kept: whether it can be guessed, and whether others on this machine can read its file."""

from __future__ import annotations

import math
import re
import stat
from pathlib import Path
from typing import Final

STRONG_BITS: Final = 64.0
"""Of a token that nobody guesses in a lifetime, at as many guesses as the server takes."""
ADVICE: Final = "head -c 18 /dev/urandom | base64"
"""What makes a token that is strong."""
_WORDS: Final = re.compile(
    "password|passwort|passwd|secret|token|soloist|stage|studio|music|admin|root|user|guest|welcome|letmein|changeme|"
    "hello|test|qwerty|qwertz|asdf|abc|[a-z]*123(?:4(?:5(?:6(?:7(?:89?0?)?)?)?)?)?",
    re.IGNORECASE,
)
"""What people take who are asked for a password: it adds next to nothing."""
_CLASSES: Final = ((r"[0-9]", 10), (r"[a-z]", 26), (r"[A-Z]", 26), (r"[^0-9a-zA-Z]", 33))


def guessing_bits(token: str) -> float:
    """Return how hard a token is to guess, at the most, as the logarithm of the tries: a guess itself.

    Words that everybody takes count as nothing, as do characters that repeat or continue the one before.
    """
    rest = _WORDS.sub("", token)
    kept = [it for before, it in zip(" " + rest, rest, strict=False) if abs(ord(it) - ord(before)) > 1]
    alphabet = sum(size for pattern, size in _CLASSES if re.search(pattern, rest))
    return min(len(kept), 4 * len({*kept})) * math.log2(max(alphabet, 1))


def is_weak(token: str) -> bool:
    """Whether somebody may guess it who tries for long."""
    return guessing_bits(token) < STRONG_BITS


def others_can_read(file: str | Path) -> bool:
    """Whether every user of this machine can read a file; not where a folder above it keeps them out."""
    path = Path(file).absolute()
    try:
        resolved = path.resolve()
        if not resolved.stat().st_mode & stat.S_IROTH:
            return False
        return all(folder.stat().st_mode & stat.S_IXOTH for folder in (*resolved.parents, *path.parents))
    except OSError:
        return False
