"""How much of an audio file is missing, by what its header promises."""

from __future__ import annotations

import math
import os
import re
from pathlib import Path
from typing import Final

import soundfile

_LENGTHS: Final = {
    form: re.compile(rf"^\s*{name} *: (\d+) \(should be (\d+)\)", re.MULTILINE)
    for form, name in {
        "WAV": "data", "WAVEX": "data", "AIFF": "SSND", "AU": "Data Size", "W64": "riff", "RF64": "Riff size",
    }.items()
}  # fmt: skip
"""Where libsndfile notes how many bytes a header promises and how many there are, when these are fewer."""
_ENDLESS: Final = (range(0x7FFF_0000, 0x8000_0001), range(0xFFFF_0000, 0x1_0000_0000))
"""What programs write that do not know the length, because they write into a pipe or were killed."""
_UNCOUNTED: Final = 1 << 62  # libsndfile's number of frames where nothing tells it
_TAIL: Final = 1 << 17  # two of the longest Ogg pages
_PAGE: Final = 27  # bytes of an Ogg page before its table of lengths
_TAG: Final = 10  # bytes before the text of an ID3 tag, of which the last four say how long that is
_FRAME: Final = 200  # bytes that hold the beginning of the first MP3 frame
_LAST: Final = 4  # a flag of an Ogg page


def missing(path: str | Path, sound: soundfile.SoundFile) -> float:
    """Tell how many seconds of a file are missing.

    Parameters
    ----------
    path : str or path
    sound : SoundFile
        The same file, read to its end.

    Returns
    -------
    float
        0 for a file that is whole or does not say how long it is, infinity for one that breaks off without saying how
        much should come.
    """
    heard, rate = int(sound.tell()), int(sound.samplerate)
    if sound.format in _LENGTHS:
        found = _LENGTHS[sound.format].search(sound.extra_info)
        promised, there = (int(number) for number in found.groups()) if found else (0, 0)
        if there and promised > there and not any(promised in lengths for lengths in _ENDLESS):
            return (promised - there) / there * heard / rate
    elif sound.format == "OGG":
        return 0.0 if _has_last_page(path) else math.inf
    elif sound.format == "FLAC" or (sound.format == "MP3" and _counts_frames(path)):
        return max(0, int(sound.frames) - heard) / rate if sound.frames < _UNCOUNTED else 0.0
    return 0.0


def _has_last_page(path: str | Path) -> bool:
    """Whether an Ogg file ends with a whole page that says that it is the last one."""
    with open(path, "rb") as file:
        file.seek(max(0, file.seek(0, os.SEEK_END) - _TAIL))
        tail = file.read()
    page = tail[max(0, tail.rfind(b"OggS")) :]
    if len(page) < _PAGE or not page[5] & _LAST:
        return False
    table = page[_PAGE : _PAGE + page[_PAGE - 1]]
    return len(page) >= _PAGE + page[_PAGE - 1] + sum(table)


def _counts_frames(path: str | Path) -> bool:
    """Whether an MP3 file says how long it is; if not, that is guessed from its first frames."""
    with open(path, "rb") as file:
        head = file.read(_TAG)
        if head.startswith(b"ID3"):
            file.seek(_TAG + sum(byte << shift for byte, shift in zip(head[6:], (21, 14, 7, 0), strict=False)))
        else:
            file.seek(0)
        start = file.read(_FRAME)
    return b"Xing" in start or b"Info" in start
