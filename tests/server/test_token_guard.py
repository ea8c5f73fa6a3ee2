"""Wrong tokens: who says them may not guess for long, and nobody is kept out for ever."""

from __future__ import annotations

import tracemalloc

import pytest

from stream.server.access import Access
from stream.server.token_guard import GUESSES, NETWORKS, TokenGuard, Verdict

ACCESS = Access(token="secret")
MOST = int(GUESSES[1])


class Clock:
    """A time that the test sets."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    """A clock that stands."""
    return Clock()


@pytest.fixture
def guard(clock: Clock) -> TokenGuard:
    """A guard that nobody has told anything."""
    return TokenGuard(clock)


def guess(guard: TokenGuard, number: int, address: str = "203.0.113.7") -> Verdict:
    """Say a wrong token."""
    return guard.judge(ACCESS, address, f"wrong {number}".encode())


def test_verdicts_are_told_apart(guard: TokenGuard) -> None:
    """Right, wrong and none are three things; where no token is required everything is right."""
    assert guard.judge(ACCESS, "::1", b"secret") is Verdict.RIGHT
    assert guard.judge(ACCESS, "::1", b"wrong") is Verdict.WRONG
    assert guard.judge(ACCESS, "::1", None) is Verdict.MISSING
    assert guard.judge(Access(), "::1", b"wrong") is Verdict.RIGHT
    assert guard.judge(Access(), "::1", None) is Verdict.RIGHT


def test_who_guesses_is_slowed_down(guard: TokenGuard, clock: Clock) -> None:
    """After many guesses at once as many as the rate says are looked at, however many come; others are not affected."""
    assert [guess(guard, number) for number in range(MOST)] == [Verdict.WRONG] * MOST
    assert guard.judge(ACCESS, "203.0.113.7", b"secret") is Verdict.TOO_OFTEN
    assert guard.wait("203.0.113.7") == pytest.approx(1 / GUESSES[0])
    assert guard.judge(ACCESS, "203.0.113.8", b"secret") is Verdict.RIGHT
    looked_at = 0
    for number in range(1000):
        clock.now = number / 100
        looked_at += guess(guard, MOST + number) is Verdict.WRONG
    assert looked_at == pytest.approx(10 * GUESSES[0], abs=1)


def test_who_was_wrong_gets_in(guard: TokenGuard, clock: Clock) -> None:
    """An old token said for hours is one guess, and the right one after it is taken at once."""
    for minute in range(500):
        clock.now = minute * 0.01
        assert guard.judge(ACCESS, "203.0.113.7", b"an old one") is Verdict.WRONG
    assert guard.judge(ACCESS, "203.0.113.7", b"secret") is Verdict.RIGHT
    for number in range(MOST):
        guess(guard, number)
    clock.now += 1 / GUESSES[0]
    assert guard.judge(ACCESS, "203.0.113.7", b"secret") is Verdict.RIGHT


def test_one_network_is_one_address(guard: TokenGuard) -> None:
    """The addresses of a machine's own network of IPv6, or of loopback, guess together."""
    for number in range(MOST):
        guess(guard, number, f"2001:db8::{number + 1:x}")
        guess(guard, number, f"127.0.0.{number + 1}")
    for address in ("2001:db8::ffff", "::1", "127.0.0.1", "::ffff:127.0.0.9"):
        assert guard.judge(ACCESS, address, b"secret") is Verdict.TOO_OFTEN
    assert guard.judge(ACCESS, "2001:db8:0:1::1", b"secret") is Verdict.RIGHT


def test_memory_is_bounded(guard: TokenGuard) -> None:
    """However many addresses say however many tokens of whatever length, little is remembered."""
    tracemalloc.start()
    try:
        for number in range(10 * NETWORKS):
            address = f"203.{number // 65536}.{number // 256 % 256}.{number % 256}"
            for attempt in range(3):
                guard.judge(ACCESS, address, f"{attempt} {'x' * 900}".encode())
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(guard._guesses) == NETWORKS
    assert held < 3_000_000
