"""Reads a flatbuffer that nobody vouches for: every offset, size and alignment is looked at before it is used.

The format is described in https://flatbuffers.dev/internals/. Whatever is not so raises `ModelError`.
"""

from __future__ import annotations

import struct
from typing import Final, TypeAlias

from stream.errors import ModelError

MAX_LIST_LENGTH: Final = 2_000
"""Most elements of a list that is read; bytes are only counted."""

Numbers: TypeAlias = tuple[int, ...] | tuple[float, ...]


class Table:
    """A table of a flatbuffer.

    Parameters
    ----------
    data : bytes
        The whole flatbuffer.
    start : int
        Where the table begins.

    Raises
    ------
    ModelError
        When it or its list of fields does not lie in the flatbuffer.
    """

    def __init__(self, data: bytes, start: int) -> None:
        self._data, self._start = data, start
        self._fields = start - _number(data, start, "i")
        self._fields_end = self._fields + _number(data, self._fields, "H")
        self._end = start + _number(data, self._fields + 2, "H")
        sizes = (self._fields_end - self._fields, self._end - start)
        if sizes[0] < 4 or sizes[0] % 2 or sizes[1] < 4 or max(self._fields_end, self._end) > len(data):
            raise _outside()

    @classmethod
    def root(cls, data: bytes) -> Table:
        """Return the table that a flatbuffer consists of."""
        return cls(data, _number(data, 0, "I"))

    def has(self, field: int) -> bool:
        """Whether a field is not left out."""
        return bool(self._at(field))

    def scalar(self, field: int, form: str, default: int = 0) -> int:
        """Return the integer in a field, or what it is where the field is left out."""
        return int(self.real(field, form, default))

    def real(self, field: int, form: str = "f", default: float = 0) -> float:
        """Return the number in a field, or what it is where the field is left out."""
        at = self._at(field)
        if not at:
            return default
        if at + struct.calcsize(form) > self._end:
            raise _outside()
        return _number(self._data, at, form)

    def table(self, field: int) -> Table | None:
        """Return the table in a field."""
        at = self._target(field)
        return Table(self._data, at) if at else None

    def tables(self, field: int) -> list[Table]:
        """Return the tables in a list, none where it is left out."""
        at, length = self._list(field, 4)
        return [Table(self._data, at + 4 * i + _number(self._data, at + 4 * i, "I")) for i in range(length)]

    def numbers(self, field: int, form: str = "i") -> Numbers:
        """Return the numbers in a list, none where it is left out."""
        at, length = self._list(field, struct.calcsize(form))
        return struct.unpack_from(f"<{length}{form}", self._data, at)

    def integers(self, field: int, form: str = "i") -> tuple[int, ...]:
        """Return the integers in a list, none where it is left out."""
        return tuple(map(int, self.numbers(field, form)))

    def content(self, field: int) -> tuple[int, int]:
        """Return where the bytes in a list begin, and how many there are: 0 where it is left out."""
        return self._list(field, 1, len(self._data))

    def text(self, field: int) -> str:
        """Return the text in a field, an empty one where it is left out."""
        at, length = self.content(field)
        if length and self._data[at + length : at + length + 1] != b"\0":
            raise _outside()
        try:
            return self._data[at : at + length].decode()
        except UnicodeDecodeError as error:
            raise ModelError("the .tflite is damaged: it has a name that is not UTF-8") from error

    def _list(self, field: int, size: int, longest: int = MAX_LIST_LENGTH) -> tuple[int, int]:
        """Return where the elements of a list begin, and how many there are."""
        at = self._target(field)
        if not at:
            return 0, 0
        length = int(_number(self._data, at, "I"))
        if length > longest:
            raise ModelError(f"the .tflite has a list of {length}; at most {longest} are allowed")
        at += 4
        if at + length * size > len(self._data) or at % size:
            raise _outside()
        return at, length

    def _target(self, field: int) -> int:
        """Return where that lies which a field points to, 0 where the field is left out."""
        at = self._at(field)
        if not at:
            return 0
        if at + 4 > self._end:
            raise _outside()
        return at + int(_number(self._data, at, "I"))

    def _at(self, field: int) -> int:
        """Return where a field lies, 0 where it is left out."""
        place = self._fields + 4 + 2 * field
        offset = int(_number(self._data, place, "H")) if place + 2 <= self._fields_end else 0
        return self._start + offset if offset else 0


def _number(data: bytes, at: int, form: str) -> int:
    """Return the number at a place, which has to lie on a multiple of its size."""
    size = struct.calcsize(form)
    if at < 0 or at % size or at + size > len(data):
        raise _outside()
    value: int = struct.unpack_from("<" + form, data, at)[0]
    return value


def _outside() -> ModelError:
    return ModelError("the .tflite is damaged: it points outside itself")
