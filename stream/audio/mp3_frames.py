"""Where in MP3 frames that follow each other another recording begins, although nothing marks it."""

from __future__ import annotations

from typing import Final

from stream.audio.file_kind import mp3_frame_bytes

_SURE: Final = 3  # frames in a row, for a few bytes may be anything
_TAG_BYTES: Final = 128  # of an ID3v1 tag


class Mp3Frames:
    """Walks from frame to frame, in the same buffer as `stream.audio.joints.Joints`.

    A recording begins where frames have another rate or number of channels, which decoders leave out, and where the one
    before has as many bytes as its own header says.
    """

    def __init__(self) -> None:
        self.ends_at: int | None = None
        """Offset in the buffer at which this recording should end."""
        self._at = 0  # offset of the next frame
        self._form: tuple[int, int, bool] | None = None
        self._in_row = 0

    def advance(self, count: int) -> None:
        """Take note that bytes are gone from the beginning of the buffer."""
        self._at -= count
        if self.ends_at is not None:
            self.ends_at -= count

    def find(self, buffer: bytes) -> int | None:
        """Return the offset of the frame with which another recording begins, None if it is not in the buffer."""
        self._at = max(0, self._at)
        while self._at + 4 <= len(buffer):
            head = buffer[self._at : self._at + 4]
            length = mp3_frame_bytes(head)
            if not length:
                if head[:3] == b"TAG":
                    self._at += _TAG_BYTES
                    continue
                self._in_row, following = 0, buffer.find(b"\xff", self._at + 1)
                self._at = following if following >= 0 else len(buffer)
                continue
            form = (head[1] & 0x1E, head[2] & 0x0C, head[3] >> 6 == 3)  # version and layer, rate, whether one channel
            if self._in_row >= _SURE and form != self._form:
                return self._at
            if self._form == form and self.ends_at is not None and self._at >= self.ends_at:
                return self._at
            self._in_row = self._in_row + 1 if form == self._form else 0
            self._form = form
            self._at += length
        return None
