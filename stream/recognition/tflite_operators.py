"""The operators of TFLite that a classifier of spectrograms needs: what each takes, and its options.

Numbers and fields are those of TFLite's schema (tensorflow/compiler/mlir/lite/schema/schema.fbs).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from stream.recognition.flatbuffer import Table

_MOST: Final = 64  # inputs of a concatenation, outputs of a split
_MAX_STEP: Final = 4096


@dataclass(frozen=True, slots=True)
class Operator:
    """A built-in operator: none of these loops, calls or keeps state."""

    name: str
    inputs: tuple[int, int]
    """How many at least and at most."""
    options: int = 0
    """Number of the kind of its options in the union `BuiltinOptions`; 0 where it has none."""
    fields: tuple[Callable[[Table, int], bool], ...] = ()
    """What each of the first fields of its options has to be, by its number."""
    needs_options: bool = False
    """Whether the interpreter would divide by, or index with, what it finds in place of options that are left out."""
    outputs: int = 1
    """How many at most."""
    optional: frozenset[int] = frozenset()
    """Inputs that may be -1, which means that there is none."""

    def accepts(self, kind: int, options: Table | None) -> bool:
        """Whether these options are its own, and are such as it can have."""
        if kind == 0:
            return options is None and not self.needs_options
        if kind != self.options or options is None:
            return False
        return all(is_right(options, number) for number, is_right in enumerate(self.fields))


def _between(least: int, most: int, form: str = "b", default: int = 0) -> Callable[[Table, int], bool]:
    return lambda options, field: least <= options.scalar(field, form, default) <= most


def _is_finite(options: Table, field: int) -> bool:
    return math.isfinite(options.real(field))


def _is_short(options: Table, field: int) -> bool:
    return len(options.integers(field)) <= 8


_PADDING: Final = _between(0, 1)
_ACTIVATION: Final = _between(0, 5)
_FLAG: Final = _between(0, 1)
_STEP: Final = _between(1, _MAX_STEP, "i")
_DILATION: Final = _between(1, _MAX_STEP, "i", default=1)
_AXIS: Final = _between(-8, 7, "i")
_MASK: Final = _between(0, 255, "i")
_INTEGER: Final = _between(0, 22)  # a type of TFLite's

_POOL: Final = (_PADDING, _STEP, _STEP, _STEP, _STEP, _ACTIVATION)
_CONVOLUTION: Final = (_PADDING, _STEP, _STEP, _ACTIVATION, _DILATION, _DILATION, _INTEGER)
_DEPTHWISE: Final = (_PADDING, _STEP, _STEP, _STEP, _ACTIVATION, _DILATION, _DILATION)
_DENSE: Final = (_ACTIVATION, _between(0, 0), _FLAG, _FLAG, _INTEGER)
_BIAS: Final = frozenset({2})

OPERATORS: Final[dict[int, Operator]] = {
    0: Operator("add", (2, 2), 11, (_ACTIVATION, _FLAG)),
    1: Operator("average pool", (1, 1), 5, _POOL, needs_options=True),
    2: Operator("concatenation", (1, _MOST), 10, (_AXIS, _ACTIVATION), needs_options=True),
    3: Operator("convolution", (2, 3), 1, _CONVOLUTION, needs_options=True, optional=_BIAS),
    4: Operator("depthwise convolution", (2, 3), 2, _DEPTHWISE, needs_options=True, optional=_BIAS),
    6: Operator("dequantize", (1, 1), 38),
    9: Operator("fully connected", (2, 3), 8, _DENSE, needs_options=True, optional=_BIAS),
    14: Operator("logistic", (1, 1)),
    17: Operator("max pool", (1, 1), 5, _POOL, needs_options=True),
    18: Operator("mul", (2, 2), 21, (_ACTIVATION,)),
    19: Operator("relu", (1, 1)),
    21: Operator("relu6", (1, 1)),
    22: Operator("reshape", (1, 2), 17, (_is_short,)),
    25: Operator("softmax", (1, 1), 9, (_is_finite,), needs_options=True),
    28: Operator("tanh", (1, 1)),
    34: Operator("pad", (2, 2), 22),
    39: Operator("transpose", (2, 2), 26),
    40: Operator("mean", (2, 2), 27, (_FLAG,), needs_options=True),
    41: Operator("sub", (2, 2), 28, (_ACTIVATION, _FLAG)),
    43: Operator("squeeze", (1, 1), 30, (_is_short,), needs_options=True),
    45: Operator("strided slice", (4, 4), 32, (*[_MASK] * 5, _FLAG), needs_options=True),
    49: Operator("split", (2, 2), 35, (_between(1, _MOST, "i"),), needs_options=True, outputs=_MOST),
    54: Operator("prelu", (2, 2)),
    55: Operator("maximum", (2, 2), 39),
    57: Operator("minimum", (2, 2), 39),
    60: Operator("padv2", (3, 3), 43),
    65: Operator("slice", (3, 3), 48),
    70: Operator("expand dims", (2, 2), 52),
    74: Operator("sum", (2, 2), 27, (_FLAG,), needs_options=True),
    77: Operator("shape", (1, 1), 55, (_INTEGER,), needs_options=True),
    82: Operator("reduce max", (2, 2), 27, (_FLAG,), needs_options=True),
    83: Operator("pack", (1, _MOST), 59, (_between(1, _MOST, "i"), _AXIS), needs_options=True),
    98: Operator("leaky relu", (1, 1), 75, (_is_finite,), needs_options=True),
    114: Operator("quantize", (1, 1), 89),
    117: Operator("hard swish", (1, 1), 91),
}
"""By their numbers in `BuiltinOperator`."""
CUSTOM: Final = 32
"""Number of all that are not built in."""
