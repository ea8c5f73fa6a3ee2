"""Memory is given back where the C library can."""

from __future__ import annotations

import ctypes
import platform

import pytest

from stream.system import memory


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other C libraries give back by themselves, or never")
def test_what_was_freed_is_given_back() -> None:
    """Of what lies between pieces that are still in use, the pages go back to the system, once."""
    libc = ctypes.CDLL(None)
    libc.malloc.restype = ctypes.c_void_p
    libc.free.argtypes = [ctypes.c_void_p]
    memory.release()
    pieces = [libc.malloc(30_000) for _ in range(200)]
    for piece in pieces[::2]:
        ctypes.memset(piece, 1, 30_000)
        libc.free(piece)
    assert memory.release()
    for piece in pieces[1::2]:
        libc.free(piece)


def test_another_c_library_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there is no such function, nothing happens."""
    monkeypatch.setattr(ctypes, "CDLL", lambda name: object())
    memory._malloc_trim.cache_clear()
    try:
        assert not memory.release()
    finally:
        memory._malloc_trim.cache_clear()
