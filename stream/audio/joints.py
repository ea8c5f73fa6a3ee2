"""Where in the bytes of an audio file another recording begins."""

from __future__ import annotations

import re
from typing import Final

from stream.audio.mp3_frames import Mp3Frames

LOOK_AHEAD: Final = 64
"""Bytes that have to be seen from the beginning of a part to know it."""
_OGG_PAGE: Final = re.compile(rb"OggS\0([\0-\7])")
_OGG_FIRST: Final = 2  # the flag of a page that begins a stream
_FLAC: Final = re.compile(rb"fLaC[\0\x80]\0\0\x22")
_ID3: Final = re.compile(rb"ID3[\2-\4]\0[\0-\xf0][\0-\x7f]{4}")
_LAME: Final = re.compile(rb"(?:Xing|Info)\0\0\0[\0-\x0f]")
_LAME_PLACES: Final = (36, 21, 13)  # behind the beginning of its frame, by version and channels
_HAS_FRAMES: Final = 1
_HAS_BYTES: Final = 2
_OWN_LAME_BYTES: Final = 4096  # within which a part's own information stands


class Joints:
    """Finds the joints of one kind of files; fed with the same buffer, of which more and more is taken.

    Parameters
    ----------
    kind : str
        One of `KINDS`.
    """

    KINDS: Final = ("ogg", "flac", "mp3")

    def __init__(self, kind: str) -> None:
        self._kind = kind
        self._past = 0  # bytes of this part that are gone from the buffer
        self._seen = 0  # bytes of the buffer that were searched
        self._found: int | None = None
        self._own: int | None = None  # where an MP3's own information stands
        self._frames = Mp3Frames()
        self._has_audio = False  # whether an Ogg page was seen that begins no stream

    def find(self, buffer: bytes, ended: bool) -> int | None:
        """Return where in the buffer the next part begins, None if that is not in it.

        Parameters
        ----------
        buffer : bytes
            What comes next.
        ended : bool
            Whether nothing follows.
        """
        if self._found is None:
            self._found = {"ogg": self._find_ogg, "flac": self._find_flac, "mp3": self._find_mp3}[self._kind](buffer)
            self._seen = self.safe(buffer, ended)
        return self._found

    def safe(self, buffer: bytes, ended: bool) -> int:
        """Return how many bytes of a buffer without a joint may be taken."""
        return len(buffer) if ended else max(0, len(buffer) - LOOK_AHEAD + 1)

    def advance(self, count: int) -> None:
        """Take note that bytes are gone from the beginning of the buffer."""
        self._past += count
        self._frames.advance(count)
        self._seen = max(0, self._seen - count)
        if self._found is not None:
            self._found -= count

    def _find_ogg(self, buffer: bytes) -> int | None:
        for page in _OGG_PAGE.finditer(buffer, self._seen):
            if not page[1][0] & _OGG_FIRST:
                self._has_audio = True
            elif self._has_audio:
                return page.start()
        return None

    def _find_flac(self, buffer: bytes) -> int | None:
        for found in _FLAC.finditer(buffer, self._seen):
            if self._past + found.start():
                return found.start()
        return None

    def _find_mp3(self, buffer: bytes) -> int | None:
        starts = [found.start() for found in _ID3.finditer(buffer, self._seen)]
        for found in _LAME.finditer(buffer, self._seen):
            for place in _LAME_PLACES:
                start = found.start() - place
                if start >= 0 and buffer[start] == 0xFF and buffer[start + 1] & 0xE6 == 0xE2:
                    starts.append(start)
                    break
        marked: int | None = None
        for at in sorted(starts):
            past = self._past + at
            if buffer[at] == 0xFF and past < _OWN_LAME_BYTES and self._own in (None, past):
                if self._own is None and (length := _declared_bytes(buffer, at)):
                    self._frames.ends_at = at + length
                self._own = past
            elif past:
                marked = at
                break
        unmarked = self._frames.find(buffer)
        return marked if unmarked is None else unmarked if marked is None else min(marked, unmarked)


def _declared_bytes(buffer: bytes, at: int) -> int:
    """Bytes of the recording by the information in its first frame, 0 where that does not say."""
    information = _LAME.search(buffer, at)
    if information is None or not buffer[information.end() - 1] & _HAS_BYTES:
        return 0
    start = information.end() + 4 * (buffer[information.end() - 1] & _HAS_FRAMES)
    return int.from_bytes(buffer[start : start + 4])
