"""Memory that the C library keeps after it was freed."""

from __future__ import annotations

import ctypes
import functools
from collections.abc import Callable
from typing import Any


def release() -> bool:
    """Give pages that nothing uses back to the system; it takes some tenths of a millisecond.

    glibc does so by itself only at the end of its heap, and what clients took that have left lies in the middle.

    Returns
    -------
    bool
        Whether there were any. Always False where the C library has no such function.
    """
    trim = _malloc_trim()
    return trim is not None and bool(trim(0))


@functools.cache
def _malloc_trim() -> Callable[[int], Any] | None:
    try:
        trim: Callable[[int], Any] = ctypes.CDLL(None).malloc_trim
    except (OSError, AttributeError, TypeError):  # not glibc
        return None
    trim.argtypes, trim.restype = [ctypes.c_size_t], ctypes.c_int  # type: ignore[attr-defined]
    return trim
