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
        self._is_broken = False

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
            length, form = mp3_frame_bytes(head), _form(head)
            if not length and head[:3] == b"TAG":
                self._at += _TAG_BYTES
                continue
            following = buffer[self._at + length : self._at + length + 4]
            is_confirmed = len(following) < 4 or (mp3_frame_bytes(following) > 0 and _form(following) == form)
            if not length or (form != self._form and not is_confirmed):
                # Decoders end at what only looks like a frame of another form; what follows is for another one.
                self._is_broken |= length > 0 and self._in_row >= _SURE
                following_at = buffer.find(b"\xff", self._at + 1)
                self._at = following_at if following_at >= 0 else len(buffer)
                self._in_row = self._in_row if self._is_broken else 0
                continue
            if form != self._form and self._in_row >= _SURE:
                return self._at
            if form == self._form and (
                (self._is_broken and is_confirmed) or (self.ends_at is not None and self._at >= self.ends_at)
            ):
                return self._at
            self._in_row = self._in_row + 1 if form == self._form else 0
            self._form = form
            self._at += length
        return None


def _form(head: bytes) -> tuple[int, int, bool]:
    """Version and layer, rate, and whether there is one channel, of the frame that begins so."""
    return head[1] & 0x1E, head[2] & 0x0C, head[3] >> 6 == 3
