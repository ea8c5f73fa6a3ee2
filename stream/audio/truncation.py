"""How much of an audio file is missing, by the length that its header declares."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Final

from stream.audio.header_sizes import UNKNOWN_BYTES

_LENGTHS: Final = {
    form: re.compile(rf"^\s*{name} *: (\d+) \(should be (\d+)\)", re.MULTILINE)
    for form, name in {
        "WAV": "data", "WAVEX": "data", "AIFF": "SSND", "AU": "Data Size", "W64": "riff", "RF64": "Riff size",
    }.items()
}  # fmt: skip
"""Where libsndfile notes how many bytes a header declares and how many there are, when these are fewer."""
_OGG_PAGE_HEADER: Final = 27  # bytes of an Ogg page before its table of lengths
_LAST_PAGE_FLAG: Final = 4  # a flag of an Ogg page


@dataclass(frozen=True, slots=True)
class DeclaredLength:
    """What a header says of the length of a file."""

    format: str
    """As libsndfile calls it."""
    log: str
    """What libsndfile notes of the header."""
    frames: int | None
    """None where the header does not say."""

    def missing_seconds(self, frames_read: int, rate: int, tail: bytes) -> float:
        """Return how many seconds of a file are missing.

        Parameters
        ----------
        frames_read : int
            To the end of the file.
        rate : int
            In Hz.
        tail : bytes
            The last bytes of the file, if it is Ogg.

        Returns
        -------
        float
            0 for a file that is whole or does not say how long it is, infinity for one that breaks off without saying
            how much should come.
        """
        if self.format in _LENGTHS:
            found = _LENGTHS[self.format].search(self.log)
            declared, there = (int(number) for number in found.groups()) if found else (0, 0)
            if there and declared > there and not any(declared in lengths for lengths in UNKNOWN_BYTES):
                return (declared - there) / there * frames_read / rate
        elif self.format == "OGG":
            return 0.0 if _has_last_page(tail) else math.inf
        elif self.format in ("FLAC", "MP3", "RAW") and self.frames is not None:
            return max(0, self.frames - frames_read) / rate
        return 0.0


def _has_last_page(tail: bytes) -> bool:
    """Whether an Ogg file that ends so has a whole page there that says that it is the last one."""
    page = tail[max(0, tail.rfind(b"OggS")) :]
    if len(page) < _OGG_PAGE_HEADER or not page[5] & _LAST_PAGE_FLAG:
        return False
    table = page[_OGG_PAGE_HEADER : _OGG_PAGE_HEADER + page[_OGG_PAGE_HEADER - 1]]
    return len(page) >= _OGG_PAGE_HEADER + page[_OGG_PAGE_HEADER - 1] + sum(table)
