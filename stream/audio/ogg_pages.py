"""Which pages of an Ogg stream are damaged: decoders leave them out, and say nothing."""

from __future__ import annotations

import zlib
from typing import Final

_HEADER_BYTES: Final = 27  # of a page, before its table of lengths
_REVERSED: Final = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))
_NO_POSITION: Final = (1 << 64) - 1  # of a page on which no packet ends


class OggPages:
    """Checks the pages of a stream as its bytes pass by.

    Positions are in the stream's own units: Opus has 48 000 in a second, Vorbis as many as its rate.
    """

    def __init__(self) -> None:
        self.first: int | None = None
        """Position at the end of the first page with audio."""
        self.last = 0
        """Position at the end of the last page that is whole."""
        self.damaged: int | None = None
        """Position in front of the first page that is damaged; None if all are whole."""
        self.ends_whole = True
        """Whether the last page is whole."""
        self._buffer = b""

    def feed(self, data: bytes) -> None:
        """Take in what comes next."""
        self._buffer += data
        while (page := self._next_page()) is not None:
            self.ends_whole = _checksum(page) == int.from_bytes(page[22:26], "little")
            if not self.ends_whole:
                self._buffer = self._buffer[4:]
                if self.damaged is None:
                    self.damaged = self.last
                continue
            self._buffer = self._buffer[len(page) :]
            position = int.from_bytes(page[6:14], "little")
            if position not in (0, _NO_POSITION):
                self.first = position if self.first is None else self.first
                self.last = position

    def _next_page(self) -> bytes | None:
        """Return what claims to be the next page, None until all of it has come."""
        at = self._buffer.find(b"OggS")
        self._buffer = self._buffer[at:] if at >= 0 else self._buffer[-3:]
        if at < 0 or len(self._buffer) < _HEADER_BYTES:
            return None
        table = self._buffer[_HEADER_BYTES : _HEADER_BYTES + self._buffer[26]]
        length = _HEADER_BYTES + self._buffer[26] + sum(table)
        return self._buffer[:length] if len(table) == self._buffer[26] and len(self._buffer) >= length else None


def _checksum(page: bytes) -> int:
    """CRC-32 of a page as Ogg has it: by zlib's, whose bits are the other way round."""
    reverse = zlib.crc32((page[:22] + bytes(4) + page[26:]).translate(_REVERSED), 0xFFFFFFFF) ^ 0xFFFFFFFF
    return int(f"{reverse:032b}"[::-1], 2)
