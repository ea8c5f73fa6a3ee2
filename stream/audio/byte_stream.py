"""Bytes of a file or a pipe, one after the other, divided where another recording begins in them."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable
from typing import Final

from stream.audio.file_kind import (
    HEAD_BYTES,
    RADIO_BYTES,
    file_kind,
    find_frames,
    id3_bytes,
    may_be_file,
    may_hold_frames,
)
from stream.audio.joints import LOOK_AHEAD, Joints
from stream.audio.ogg_pages import OggPages

_READ_BYTES: Final = 1 << 16
_JOIN_SECONDS: Final = 1.0
_MAGIC_BYTES: Final = 4
_KEPT_BYTES: Final = 1 << 18  # of a FLAC in a pipe, to which libsndfile may go back
_ENDLESS: Final = 1 << 46  # the length of a pipe, for who asks for it
_TAIL_BYTES: Final = 1 << 17  # two of the longest Ogg pages


class ByteStream:
    """Bytes in order, in parts: what recorders and web radios write is often several files, one after the other.

    Tags in front of a part are left out.

    Parameters
    ----------
    read : callable
        Takes a number of bytes and returns at most so many, none at the end.
    """

    def __init__(self, read: Callable[[int], bytes]) -> None:
        self.error: OSError | None = None
        """Why there are no more bytes, if that is an error."""
        self.pages: OggPages | None = None
        """Those of this part, if it is Ogg."""
        self._read = read
        self._feeder: threading.Thread | None = None  # who reads this part, if that is not our caller
        self._joints: Joints | None = None
        self._buffer = b""
        self._tail = b""
        self._left: int | None = None  # bytes of this part that may still be read
        self._ended = False

    def peek(self, count: int) -> bytes:
        """Look at bytes without taking them; fewer at the end."""
        while len(self._buffer) < count and self._fill():
            pass
        return self._buffer[:count]

    def peek_header(self, most: int) -> Callable[[int, int], bytes]:
        """Return what reads from any place of the next bytes without taking them, as far as `most` of them."""
        return lambda offset, count: self.peek(min(offset + count, most))[offset:]

    def begin(self) -> str | None:
        """Take the tags that stand in front of a part, and return its format; see `file_kind`."""
        while self.peek(3) == b"ID3" and (length := id3_bytes(self.peek(10))):
            self.skip(length)
        head = self.peek(_MAGIC_BYTES)
        while may_be_file(head) and len(self.peek(len(head) + 1)) > len(head):
            head = self._buffer[:HEAD_BYTES]
        return file_kind(head)

    def begin_within(self) -> str | None:
        """Leave out what is in front of the frames of a web radio, and return their format; None where it is none."""
        head = self._buffer[:RADIO_BYTES]
        while may_hold_frames(head) and find_frames(head) is None and len(self.peek(len(head) + 1)) > len(head):
            head = self._buffer[:RADIO_BYTES]
        found = find_frames(head)
        if found is not None:
            self.skip(found[0])
        return None if found is None else found[1]

    def divide(self, kind: str | None, bytes_left: int | None = None) -> None:
        """Say what the part that begins here is, by which its end is found.

        Parameters
        ----------
        kind : str, optional
            Its format.
        bytes_left : int, optional
            Its length, where that is known.
        """
        self._tail = b""
        self.pages = OggPages() if kind == "ogg" else None
        self._joints = Joints(kind) if kind in Joints.KINDS else None
        self._left = bytes_left

    def skip(self, count: int) -> None:
        """Leave bytes out."""
        while count > 0 and self.peek(1):
            taken = min(count, len(self._buffer))
            self._buffer = self._buffer[taken:]
            count -= taken

    def read(self, count: int) -> bytes:
        """Take bytes of this part: at most so many, none at its end."""
        if self._left is not None:
            count = min(count, self._left)
        if not count:
            return b""
        if self._joints is None:
            self.peek(1)
            usable = len(self._buffer)
        else:
            self.peek(LOOK_AHEAD)
            joint = self._joints.find(self._buffer, self._ended)
            usable = joint if joint is not None else self._joints.safe(self._buffer, self._ended)
        taken, self._buffer = self._buffer[: min(count, usable)], self._buffer[min(count, usable) :]
        if self._joints is not None:
            self._joints.advance(len(taken))
        if self.pages is not None:
            self.pages.feed(taken)
        if self._left is not None:
            self._left -= len(taken)
        self._tail = (self._tail + taken)[-_TAIL_BYTES:] if len(taken) < _TAIL_BYTES else taken[-_TAIL_BYTES:]
        return taken

    def find_tail(self) -> bytes:
        """Return the last bytes of this part, up to 128 KiB."""
        if self._feeder is not None:
            self._feeder.join()
        while self.read(_READ_BYTES):
            pass
        return self._tail

    @property
    def is_read(self) -> bool:
        """Whether a thread still reads this part."""
        return self._feeder is not None and self._feeder.is_alive()

    def feed(self, thread: threading.Thread) -> None:
        """Have a thread read this part, and wait for it before what follows is read."""
        self._feeder = thread
        thread.start()

    def finish_part(self) -> bool:
        """Leave out what is left of this part; return whether another one follows."""
        self.find_tail()
        self._left = self._joints = self._feeder = None
        self.begin()
        return bool(self._buffer)

    def _fill(self) -> bool:
        if self._ended:
            return False
        try:
            more = self._read(_READ_BYTES)
        except OSError as error:
            self.error, more = error, b""
        self._ended = not more
        self._buffer += more
        return bool(more)


class Piped:
    """A part of a `ByteStream` as a pipe, for a library that reads from a file descriptor.

    Parameters
    ----------
    stream : ByteStream
    """

    def __init__(self, stream: ByteStream) -> None:
        self._stream = stream
        self.descriptor, self._writing = os.pipe()
        """To read from; whoever reads closes it."""
        self._thread = threading.Thread(target=self._feed, name="feed decoder", daemon=True)
        stream.feed(self._thread)

    @property
    def is_written(self) -> bool:
        """Whether all of the part is on its way."""
        return not self._thread.is_alive()

    def join(self) -> None:
        """Wait until nobody takes bytes of the stream any more, once `descriptor` is closed; not long for a pipe."""
        self._thread.join(_JOIN_SECONDS)

    def _feed(self) -> None:
        with contextlib.suppress(BrokenPipeError), open(self._writing, "wb", buffering=0) as pipe:
            while data := self._stream.read(_READ_BYTES):
                view = memoryview(data)
                while view:
                    view = view[pipe.write(view) :]


class PartlySeekable:
    """A part of a stream as a file, in which one can go back a little; nobody knows its end.

    Parameters
    ----------
    stream : ByteStream
    """

    def __init__(self, stream: ByteStream) -> None:
        self._stream = stream
        self._kept = b""
        self._kept_from = 0  # where that is
        self._position = 0

    def tell(self) -> int:
        """Where the next byte is read from."""
        return self._position

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Go to another place."""
        self._position = offset + {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: _ENDLESS}[whence]
        return self._position

    def read(self, count: int) -> bytes:
        """Read on; nothing where that is not possible."""
        ahead = self._kept_from + len(self._kept)
        if not self._kept_from <= self._position <= ahead:
            return b""
        while self._position + count > ahead and (more := self._stream.read(self._position + count - ahead)):
            kept = self._kept + more
            self._kept = kept[-_KEPT_BYTES:] if len(kept) > 2 * _KEPT_BYTES else kept
            ahead += len(more)
            self._kept_from = ahead - len(self._kept)
        data = self._kept[self._position - self._kept_from :][:count]
        self._position += len(data)
        return data
