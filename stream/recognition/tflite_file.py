"""Checks a .tflite file before an interpreter parses it: that it is whole, and no more than a classifier needs.

The flatbuffer is read by ourselves: the schema that comes with ai-edge-litert takes 24 ms and 7 MB to import, and
tflite-runtime has none. Fields have their numbers in TFLite's schema.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import Final

from stream.errors import ModelError
from stream.recognition.flatbuffer import Table
from stream.recognition.tflite_operators import CUSTOM, OPERATORS

_SCHEMA_VERSION: Final = 3
_MAX_DIMENSIONS: Final = 8
_MAX_OUTPUTS: Final = 8
_MAX_NUMBERS: Final = 16_000_000
"""Most numbers in all tensors together; the shipped models have at most 0.6 million."""
_BYTES: Final = {0: 4, 1: 2, 2: 4, 3: 1, 4: 8, 6: 1, 7: 2, 9: 1}
"""Size of a number, by the type of its tensor: float32, float16, int32, uint8, int64, bool, int16, int8."""
_INT8: Final = 9
_INT32: Final = 2
_ZERO_POINTS: Final = {3: (0, 255), _INT8: (-128, 127)}  # all others are symmetric
_NONE: Final = -1  # in place of the number of a tensor
_PRODUCTS: Final = (3, 4, 9, 18)  # those with weights, and mul
_MAX_STEPS: Final = {True: 2.0**8, False: 2.0**18}
"""Steps of an output that a step of what it is made of may be, in a product and otherwise; integers go no further."""
_WEIGHTED: Final = {3: "convolution", 4: "depthwise convolution", 9: "fully connected"}


@dataclass(frozen=True, slots=True)
class _Tensor:
    shape: tuple[int, ...]
    type: int
    is_constant: bool
    scales: tuple[float, ...]


def check_structure(model: bytes) -> None:
    """Refuse a model that is damaged, has operators that no classifier needs, or tensors of a size that none has.

    Raises
    ------
    ModelError
        When what it claims is refused, or cannot be.
    """
    if model[4:8] != b"TFL3":
        raise ModelError("the .tflite is none: it does not begin like one")
    root = Table.root(model)
    if root.scalar(0, "I") != _SCHEMA_VERSION:
        raise ModelError(f"the .tflite is of version {root.scalar(0, 'I')}; expected {_SCHEMA_VERSION}")
    _expect(not root.has(8) and not root.has(9), "parts of it lie in other files")
    codes = [_operator_number(code) for code in root.tables(1)]
    graphs = root.tables(2)
    if len(graphs) != 1:
        raise ModelError(f"the .tflite has {len(graphs)} graphs; expected one")
    buffers = [_buffer(buffer) for buffer in root.tables(4)]
    graph = graphs[0]
    tensors = [_tensor(table, buffers) for table in graph.tables(0)]
    total = sum(prod(tensor.shape) for tensor in tensors)
    if total > _MAX_NUMBERS:
        raise ModelError(f"the .tflite has tensors of {total:.2g} numbers; at most {_MAX_NUMBERS:.2g} are allowed")
    _check_graph(graph, tensors, codes)
    _check_names(root, len(tensors), len(buffers))


def _operator_number(code: Table) -> int:
    """Return which operator a code means, if it is one that is allowed."""
    number = max(code.scalar(0, "b"), code.scalar(3, "i"))
    if number not in OPERATORS:
        kind = "a custom one" if number == CUSTOM else f"TFLite's number {number}"
        raise ModelError(f"the .tflite has an operator that is refused: {kind}")
    _expect(not code.text(1), f"its operator {OPERATORS[number].name} has a custom name")
    return number


def _buffer(buffer: Table) -> tuple[int, int]:
    """Return where the content of a buffer begins, and its length in bytes."""
    _expect(not buffer.scalar(1, "Q") and not buffer.scalar(2, "Q"), "a buffer lies outside the flatbuffer")
    return buffer.content(0)


def _tensor(tensor: Table, buffers: Sequence[tuple[int, int]]) -> _Tensor:
    """Read a tensor, and compare its shape with what its buffer holds."""
    shape, kind, number = tensor.integers(0), tensor.scalar(1, "b"), tensor.scalar(2, "I")
    tensor.text(3)
    if len(shape) > _MAX_DIMENSIONS or min(shape, default=1) < 1:
        raise ModelError("the .tflite has a tensor of a shape that cannot be")
    _expect(kind in _BYTES, f"it has a tensor of TFLite's type {kind}")
    _expect(number < len(buffers), "it has a tensor without a buffer")
    at, length = buffers[number]
    size = prod(shape) * _BYTES[kind]
    _expect(length in (0, size), f"it has a tensor of {size} bytes with a buffer of {length}")
    _expect(not length or at % _BYTES[kind] == 0, "it has a buffer that is not aligned")
    _expect(not tensor.scalar(5, "b"), "it has a tensor that keeps state")
    _expect(
        not tensor.has(6) and not tensor.integers(9) and not tensor.scalar(10, "I"), "it has a tensor of no plain kind"
    )
    signature = tensor.integers(7)
    fits = not signature or len(signature) == len(shape)
    _expect(
        fits and all(b in (a, -1) for a, b in zip(shape, signature, strict=False)), "it has two shapes for a tensor"
    )
    return _Tensor(shape, kind, length > 0, _scales(tensor.table(4), shape, kind))


def _scales(quantization: Table | None, shape: Sequence[int], kind: int) -> tuple[float, ...]:
    """Return the scales of a tensor: none, one, or one for each channel."""
    if quantization is None:
        return ()
    scales, zero_points = quantization.numbers(2, "f"), quantization.integers(3, "q")
    _expect(not quantization.scalar(4, "B") and not quantization.has(5), "a tensor is quantized in a way of its own")
    dimension = quantization.scalar(6, "i")
    _expect(0 <= dimension < max(1, len(shape)), "a tensor is quantized along a dimension that it does not have")
    channels = shape[dimension] if shape else 1
    _expect(len(scales) == len(zero_points), f"a tensor has {len(scales)} scales and {len(zero_points)} zero points")
    _expect(len(scales) in (0, 1, channels), f"a tensor of {channels} channels has {len(scales)} scales")
    _expect(all(0 < scale < math.inf for scale in scales), "a tensor has a scale that is no positive number")
    least, most = _ZERO_POINTS.get(kind, (0, 0))
    _expect(all(least <= zero <= most for zero in zero_points), "a tensor has a zero point that it cannot have")
    for field in (0, 1):  # the extremes that were seen when it was made
        _expect(len(quantization.numbers(field, "f")) in (0, 1, channels), "a tensor has too many extremes")
    return tuple(scales)


def _check_graph(graph: Table, tensors: Sequence[_Tensor], codes: Sequence[int]) -> None:
    """Refuse operators that take what is not there yet, or nowhere, and outputs that nothing makes."""
    graph.text(4)
    inputs, outputs = graph.integers(1), graph.integers(2)
    for name, ends, most in (("inputs", inputs, 1), ("outputs", outputs, _MAX_OUTPUTS)):
        if not 1 <= len(ends) <= most or len(set(ends)) != len(ends):
            expected = "one" if most == 1 else f"at most {most} different ones"
            raise ModelError(f"the .tflite has {len(ends)} {name}; expected {expected}")
        _expect(all(0 <= end < len(tensors) for end in ends), f"its {name} are no tensors")
    ready = {number for number, tensor in enumerate(tensors) if tensor.is_constant}
    _expect(inputs[0] not in ready, "its input is a constant")
    ready.add(inputs[0])
    for operator in graph.tables(3):
        index = operator.scalar(0, "I")
        _expect(index < len(codes), "it has an operator of no kind")
        ready.update(_check_operator(operator, codes[index], tensors, ready))
    made = {number for number in ready if not tensors[number].is_constant} - set(inputs)
    _expect(made.issuperset(outputs), "nothing makes its output")


def _check_operator(operator: Table, code: int, tensors: Sequence[_Tensor], ready: set[int]) -> list[int]:
    """Return which tensors an operator makes, if all it takes is there."""
    kind = OPERATORS[code]
    taken, made = operator.integers(1), operator.integers(2)
    least, most = kind.inputs
    _expect(least <= len(taken) <= most, f"its {kind.name} has {len(taken)} inputs")
    _expect(1 <= len(made) <= kind.outputs and len(set(made)) == len(made), f"its {kind.name} has {len(made)} outputs")
    for place, number in enumerate(taken):
        is_left_out = number == _NONE and place in kind.optional
        _expect(is_left_out or number in ready, f"its {kind.name} takes what is not there")
    _expect(all(0 <= number < len(tensors) for number in made), f"its {kind.name} makes no tensor")
    # Each is made once, by what comes before all that takes it: so there are no circles.
    _expect(not ready.intersection(made), f"its {kind.name} makes what is there already")
    options = operator.table(4)
    _expect(kind.accepts(operator.scalar(3, "B"), options), f"its {kind.name} has options that it cannot have")
    lists = sum(operator.content(field)[1] for field in (5, 7, 8))
    numbers = sum(operator.scalar(field, form) for field, form in ((9, "Q"), (10, "Q"), (11, "B")))
    _expect(not lists and not numbers, f"its {kind.name} has options of a custom operator")
    given = [tensors[number] for number in taken if number != _NONE]
    if code in _WEIGHTED:
        _check_weights(code, given, tensors[made[0]])
    _check_scales(code, given, tensors[made[0]])
    return list(made)


def _check_scales(code: int, taken: Sequence[_Tensor], made: _Tensor) -> None:
    """Refuse scales so far apart that no interpreter can bring the input to the steps of the output."""
    scales = [max(tensor.scales) for tensor in taken[:2] if tensor.scales]
    if scales and made.scales:
        step = prod(scales) if code in _PRODUCTS else max(scales)
        is_near = step / min(made.scales) < _MAX_STEPS[code in _PRODUCTS]
        _expect(is_near, f"its {OPERATORS[code].name} has scales too far apart")


def _check_weights(code: int, taken: Sequence[_Tensor], made: _Tensor) -> None:
    """Refuse weights that do not fit what they are applied to."""
    name, (given, weights) = _WEIGHTED[code], taken[:2]
    rank = 2 if code == 9 else 4
    _expect(
        len(weights.shape) == rank and bool(given.shape), f"its {name} has weights of {len(weights.shape)} dimensions"
    )
    if rank == 4:
        _expect(len(given.shape) == len(made.shape) == 4, f"its {name} has no images")
    if code == 4:
        channels = weights.shape[3]
        fits = weights.shape[0] == 1 and channels % given.shape[3] == 0
    elif code == 3:
        channels = weights.shape[0]
        fits = given.shape[3] % weights.shape[3] == 0
    else:
        channels = weights.shape[0]
        fits = prod(given.shape) % weights.shape[1] == 0
    _expect(fits and made.shape[-1:] == (channels,), f"its {name} has weights that do not fit")
    for bias in taken[2:]:
        fits = prod(bias.shape) == channels and (bias.type == _INT32 or given.type != _INT8)
        _expect(fits, f"its {name} has a bias that does not fit")
    _expect((weights.type == _INT8) == (given.type == _INT8), f"its {name} has weights of another type")


def _check_names(root: Table, tensors: int, buffers: int) -> None:
    """Refuse names for what is not there."""
    root.text(3)
    _expect(all(0 <= number < buffers for number in root.integers(5)), "it has notes without a buffer")
    for note in root.tables(6):
        note.text(0)
        _expect(note.scalar(1, "I") < buffers, "it has notes without a buffer")
    for signature in root.tables(7):
        signature.text(2)
        _expect(not signature.scalar(4, "I"), "it has a signature of another graph")
        for named in (*signature.tables(0), *signature.tables(1)):
            named.text(0)
            _expect(named.scalar(1, "I") < tensors, "its signature names no tensor")


def _expect(is_so: object, otherwise: str) -> None:
    if not is_so:
        raise ModelError(f"the .tflite is damaged or no classifier: {otherwise}")
