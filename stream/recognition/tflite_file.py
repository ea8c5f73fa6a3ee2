"""Checks the structure of a .tflite file before an interpreter parses it.

The flatbuffer is read here, in a few lines: the schema that comes with ai-edge-litert takes 24 ms and 7 MB to import,
and tflite-runtime has none.
"""

from __future__ import annotations

import struct
from math import prod
from typing import Final

from stream.errors import ModelError

_OPERATORS: Final = {
    0: "add", 1: "average pool", 2: "concatenation", 3: "convolution", 4: "depthwise convolution",
    9: "fully connected", 14: "logistic", 17: "max pool", 18: "mul", 19: "relu", 21: "relu6", 22: "reshape",
    25: "softmax", 28: "tanh", 34: "pad", 39: "transpose", 40: "mean", 41: "sub", 43: "squeeze", 45: "strided slice",
    49: "split", 54: "prelu", 55: "maximum", 57: "minimum", 60: "padv2", 65: "slice", 70: "expand dims", 74: "sum",
    77: "shape", 82: "reduce max", 83: "pack", 98: "leaky relu", 114: "quantize", 117: "hard swish",
}  # fmt: skip
"""TFLite's built-in operators that a classifier of spectrograms needs: none that loops, calls or keeps state."""
_CUSTOM_OPERATOR: Final = 32
_MAX_DIMENSIONS: Final = 8
_MAX_LIST_LENGTH: Final = 2_000
_MAX_NUMBERS: Final = 16_000_000
"""Most numbers in all tensors together; the shipped models have at most 0.6 million."""


def check_structure(model: bytes) -> None:
    """Refuse a model with operators that no classifier needs, or with tensors of a size that none has.

    Raises
    ------
    ModelError
        When what it claims is refused, or when it points outside itself.
    """
    try:
        _check_tables(model)
    except struct.error as error:
        raise ModelError("the .tflite is damaged: it points outside itself") from error


def _check_tables(model: bytes) -> None:
    if model[4:8] != b"TFL3":
        raise ModelError("the .tflite is none: it does not begin like one")
    root = _Table(model, _number(model, 0, "I"))
    for code in root.tables(1):
        number = max(code.scalar(0, "b"), code.scalar(3, "i"))
        if number not in _OPERATORS:
            kind = "a custom one" if number == _CUSTOM_OPERATOR else f"TFLite's number {number}"
            raise ModelError(f"the .tflite has an operator that is refused: {kind}")
    graphs = root.tables(2)
    if len(graphs) != 1:
        raise ModelError(f"the .tflite has {len(graphs)} graphs; expected one")
    tensors = graphs[0].tables(0)
    sizes = [tensor.numbers(0) for tensor in tensors]
    if any(len(size) > _MAX_DIMENSIONS or min(size, default=1) < 0 for size in sizes):
        raise ModelError("the .tflite has a tensor of a shape that cannot be")
    total = sum(prod(size) for size in sizes)
    if total > _MAX_NUMBERS:
        raise ModelError(f"the .tflite has tensors of {total:.2g} numbers; at most {_MAX_NUMBERS:.2g} are allowed")


class _Table:
    """A table of a flatbuffer; whatever lies outside the bytes raises `struct.error`."""

    def __init__(self, data: bytes, start: int) -> None:
        self._data, self._start = data, start
        self._fields = start - _number(data, start, "i")
        self._size = _number(data, self._fields, "H")

    def scalar(self, field: int, form: str) -> int:
        """Return the number in a field, 0 where the field is left out."""
        at = self._at(field)
        return _number(self._data, at, form) if at else 0

    def tables(self, field: int) -> list[_Table]:
        """Return the tables in a list, none where it is left out."""
        at, length = self._list(field)
        return [_Table(self._data, at + 4 * i + _number(self._data, at + 4 * i, "I")) for i in range(length)]

    def numbers(self, field: int) -> list[int]:
        """Return the integers in a list."""
        at, length = self._list(field)
        return [_number(self._data, at + 4 * i, "i") for i in range(length)]

    def _list(self, field: int) -> tuple[int, int]:
        at = self._at(field)
        if not at:
            return 0, 0
        at += _number(self._data, at, "I")
        length = _number(self._data, at, "I")
        if length > _MAX_LIST_LENGTH:
            raise ModelError(f"the .tflite has a list of {length}; at most {_MAX_LIST_LENGTH} are allowed")
        return at + 4, length

    def _at(self, field: int) -> int:
        """Where a field lies, 0 where it is left out."""
        place = 4 + 2 * field
        offset = _number(self._data, self._fields + place, "H") if place < self._size else 0
        return self._start + offset if offset else 0


def _number(data: bytes, at: int, form: str) -> int:
    if at < 0:  # which would count from the end
        raise struct.error
    value: int = struct.unpack_from("<" + form, data, at)[0]
    return value
