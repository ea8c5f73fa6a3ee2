"""How many connections may be open and pending."""

from __future__ import annotations

import logging
from http import HTTPStatus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.server.connection_limits import ConnectionLimiter, network_of
from stream.server.rate_limit import TokenBucket


class Visitor:
    """A connection that remembers whether it was hung up."""

    def __init__(self, limiter: ConnectionLimiter) -> None:
        self.limiter = limiter
        self.gone = False

    def abort(self) -> None:
        self.gone = True
        self.limiter.remove(self)


def come(limiter: ConnectionLimiter, address: str) -> Visitor:
    """Let a connection come."""
    visitor = Visitor(limiter)
    limiter.add_pending(visitor, address)
    return visitor


def test_limit_in_all() -> None:
    """When all places are taken the next one is told that the service is full, until somebody leaves."""
    refused: list[str] = []
    limiter = ConnectionLimiter(3, 3, refused.append)
    first, *_ = [come(limiter, "127.0.0.1") for _ in range(3)]
    inside = [come(limiter, f"203.0.113.{number}") for number in range(3)]
    assert [limiter.open(it) for it in inside] == [None] * 3
    assert limiter.open(first) is HTTPStatus.SERVICE_UNAVAILABLE
    assert refused == ["connections"]
    limiter.remove(inside[1])
    assert limiter.open(first) is None


def test_limit_of_an_address() -> None:
    """One address cannot take all places, nor can one network of IPv6; loopback may."""
    limiter = ConnectionLimiter(100, 2)
    for addresses, expected in (
        (["203.0.113.7"] * 3, [None, None, HTTPStatus.TOO_MANY_REQUESTS]),
        (["::ffff:203.0.113.7"], [HTTPStatus.TOO_MANY_REQUESTS]),
        (["2001:db8::1", "2001:db8::2", "2001:db8::3%eth0"], [None, None, HTTPStatus.TOO_MANY_REQUESTS]),
        (["2001:db8:0:1::1"], [None]),
        (["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"] * 4, [None] * 16),
    ):
        assert [limiter.open(come(limiter, address)) for address in addresses] == expected


def test_those_who_only_wait_make_way_for_others() -> None:
    """When too many wait, the one of the busiest address that has waited longest has to go, and no one else."""
    refused: list[str] = []
    limiter = ConnectionLimiter(100, 10, refused.append)
    others = [come(limiter, f"203.0.113.{number}") for number in range(30)]
    flood = [come(limiter, "198.51.100.1") for _ in range(1000)]
    assert not any(it.gone for it in others)
    assert [it.gone for it in flood] == [True] * 930 + [False] * 70
    assert len(limiter) == 100
    assert limiter.open(flood[0]) is HTTPStatus.SERVICE_UNAVAILABLE
    assert limiter.open(others[0]) is None
    assert set(refused) == {"waiting"}


def test_those_without_the_token_make_way_for_others() -> None:
    """Who is inside and has not said the token keeps nobody out, neither from elsewhere nor from its own address."""
    refused: list[str] = []
    limiter = ConnectionLimiter(100, 30, refused.append)
    slow = come(limiter, "203.0.113.1")
    known = [come(limiter, "203.0.113.2") for _ in range(9)]
    assert [limiter.open(it, is_authenticated=it is not slow) for it in (slow, *known)] == [None] * 10
    crowd = []
    for number in range(1000):
        crowd.append(come(limiter, f"198.51.100.{number % 5}"))
        assert limiter.open(crowd[-1], is_authenticated=False) is None
    assert not any(it.gone for it in (slow, *known))
    assert [it.gone for it in crowd] == [True] * 910 + [False] * 90
    assert set(refused) == {"connections"}
    assert limiter.open(come(limiter, "203.0.113.3")) is None
    for it in crowd:
        limiter.set_authenticated(it)
    assert not slow.gone
    assert limiter.open(come(limiter, "203.0.113.4")) is None  # in the place of the slow one
    assert slow.gone
    assert limiter.open(come(limiter, "203.0.113.5")) is HTTPStatus.SERVICE_UNAVAILABLE


def test_those_without_the_token_make_way_at_their_address() -> None:
    """An address that is full of those who have not said the token takes one more, and its oldest has to go."""
    limiter = ConnectionLimiter(100, 2)
    first, other, next_, last = (come(limiter, "203.0.113.7") for _ in range(4))
    assert [limiter.open(it, is_authenticated=False) for it in (first, other, next_)] == [None] * 3
    assert [it.gone for it in (first, other, next_)] == [True, False, False]
    limiter.set_authenticated(other)
    limiter.set_authenticated(next_)
    assert limiter.open(last) is HTTPStatus.TOO_MANY_REQUESTS
    assert not any(it.gone for it in (other, next_, last))


def test_refusals_are_lines_that_can_be_counted(caplog: pytest.LogCaptureFixture) -> None:
    """Whoever is refused, the warning is the same, so that a flood of them is one line and a count; news say who."""
    limiter = ConnectionLimiter(1, 1)
    addresses = [f"203.0.113.{number}" for number in range(5)]
    with caplog.at_level(logging.INFO):
        for address in addresses:
            limiter.open(come(limiter, address))
    warnings = [record for record in caplog.records if record.levelno == logging.WARNING]
    assert {it.getMessage() for it in warnings} == {"connection refused: 1 are open (setting connections)"}
    assert [vars(record)["client"] for record in warnings] == addresses[1:]
    assert [record.getMessage() for record in caplog.records if record.levelno == logging.INFO] == [
        f"client {address} refused: 1 are open (setting connections)" for address in addresses[1:]
    ]


STEPS = st.lists(
    st.tuples(st.sampled_from(["come", "enter", "slip in", "recognize", "leave"]), st.integers(0, 5)), max_size=60
)


@given(STEPS)
def test_nothing_is_forgotten_and_nobody_counted_twice(steps: list[tuple[str, int]]) -> None:
    """However they come, enter and leave, the limits hold, and when all have left nothing remains."""
    limiter = ConnectionLimiter(4, 2)
    here: list[Visitor] = []
    for step, number in steps:
        if step == "come":
            here.append(come(limiter, f"203.0.113.{number % 3}"))
        elif here and step in ("enter", "slip in"):
            limiter.open(here[number % len(here)], is_authenticated=step == "enter")
        elif here and step == "recognize":
            limiter.set_authenticated(here[number % len(here)])
        elif here:
            visitor = here[number % len(here)]
            limiter.remove(visitor)
            limiter.remove(visitor)
            here.remove(visitor)
        here = [visitor for visitor in here if not visitor.gone]
        assert len(limiter._open) <= 4
        assert limiter._unauthenticated.items() <= limiter._open.items()
        assert all(0 < count <= 2 for count in limiter._counts.values())
        assert len(limiter) == len(here)
    for visitor in here:
        limiter.remove(visitor)
    assert len(limiter) == 0
    assert not limiter._counts


@given(st.text(max_size=20) | st.ip_addresses().map(str))
def test_every_address_belongs_somewhere(address: str) -> None:
    """Whatever the system says of an address, there is a place to count it at."""
    assert isinstance(network_of(address), str)


def test_allowance_grows_with_time() -> None:
    """So many at once, then so many a second; and never more than at first, however long nothing was done."""
    now = 0.0
    allowance = TokenBucket(2.0, 3.0, lambda: now)
    assert [allowance.take() for _ in range(4)] == [True, True, True, False]
    now = 0.5
    assert [allowance.take() for _ in range(2)] == [True, False]
    now = 1000.0
    assert [allowance.take() for _ in range(4)] == [True, True, True, False]
