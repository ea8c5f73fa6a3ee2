"""How much of an audio file is missing, by the length that its header declares."""

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
"""Where libsndfile notes how many bytes a header declares and how many there are, when these are fewer."""
_UNKNOWN_LENGTHS: Final = (range(0x7FFF_0000, 0x8000_0001), range(0xFFFF_0000, 0x1_0000_0000))
"""What programs write that do not know the length, because they write into a pipe or were killed."""
_UNKNOWN_FRAMES: Final = 1 << 62  # libsndfile's number of frames where the file does not say
_TAIL_BYTES: Final = 1 << 17  # two of the longest Ogg pages
_OGG_PAGE_HEADER: Final = 27  # bytes of an Ogg page before its table of lengths
_ID3_HEADER: Final = 10  # bytes before the text of an ID3 tag, of which the last four say how long that is
_MP3_START: Final = 200  # bytes that hold the beginning of the first MP3 frame
_LAST_PAGE_FLAG: Final = 4  # a flag of an Ogg page


def missing_seconds(path: str | Path, sound: soundfile.SoundFile) -> float:
    """Return how many seconds of a file are missing.

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
    frames_read, rate = int(sound.tell()), int(sound.samplerate)
    if sound.format in _LENGTHS:
        found = _LENGTHS[sound.format].search(sound.extra_info)
        declared, there = (int(number) for number in found.groups()) if found else (0, 0)
        if there and declared > there and not any(declared in lengths for lengths in _UNKNOWN_LENGTHS):
            return (declared - there) / there * frames_read / rate
    elif sound.format == "OGG":
        return 0.0 if _has_last_page(path) else math.inf
    elif sound.format == "FLAC" or (sound.format == "MP3" and _counts_frames(path)):
        return max(0, int(sound.frames) - frames_read) / rate if sound.frames < _UNKNOWN_FRAMES else 0.0
    return 0.0


def _has_last_page(path: str | Path) -> bool:
    """Whether an Ogg file ends with a whole page that says that it is the last one."""
    with open(path, "rb") as file:
        file.seek(max(0, file.seek(0, os.SEEK_END) - _TAIL_BYTES))
        tail = file.read()
    page = tail[max(0, tail.rfind(b"OggS")) :]
    if len(page) < _OGG_PAGE_HEADER or not page[5] & _LAST_PAGE_FLAG:
        return False
    table = page[_OGG_PAGE_HEADER : _OGG_PAGE_HEADER + page[_OGG_PAGE_HEADER - 1]]
    return len(page) >= _OGG_PAGE_HEADER + page[_OGG_PAGE_HEADER - 1] + sum(table)


def _counts_frames(path: str | Path) -> bool:
    """Whether an MP3 file says how long it is; if not, that is guessed from its first frames."""
    with open(path, "rb") as file:
        head = file.read(_ID3_HEADER)
        if head.startswith(b"ID3"):
            file.seek(_ID3_HEADER + sum(byte << shift for byte, shift in zip(head[6:], (21, 14, 7, 0), strict=False)))
        else:
            file.seek(0)
        start = file.read(_MP3_START)
    return b"Xing" in start or b"Info" in start
