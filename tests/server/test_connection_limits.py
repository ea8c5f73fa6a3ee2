"""How many may be inside and at the door."""

from __future__ import annotations

import logging
from http import HTTPStatus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.server.connection_limits import Turnstile, place_of
from stream.server.rate_limit import Allowance


class Visitor:
    """A connection that remembers whether it was hung up."""

    def __init__(self, turnstile: Turnstile) -> None:
        self.turnstile = turnstile
        self.gone = False

    def hang_up(self) -> None:
        self.gone = True
        self.turnstile.leave(self)


def come(turnstile: Turnstile, address: str) -> Visitor:
    """Let somebody come to the door."""
    visitor = Visitor(turnstile)
    turnstile.arrive(visitor, address)
    return visitor


def test_limit_in_all() -> None:
    """When all places are taken the next one is told that the service is full, until somebody leaves."""
    refused: list[str] = []
    turnstile = Turnstile(3, 3, refused.append)
    first, *_ = [come(turnstile, "127.0.0.1") for _ in range(3)]
    inside = [come(turnstile, f"203.0.113.{number}") for number in range(3)]
    assert [turnstile.enter(it) for it in inside] == [None] * 3
    assert turnstile.enter(first) is HTTPStatus.SERVICE_UNAVAILABLE
    assert refused == ["connections"]
    turnstile.leave(inside[1])
    assert turnstile.enter(first) is None


def test_limit_of_an_address() -> None:
    """One address cannot take all places, nor can one network of IPv6; loopback may."""
    turnstile = Turnstile(100, 2)
    for addresses, expected in (
        (["203.0.113.7"] * 3, [None, None, HTTPStatus.TOO_MANY_REQUESTS]),
        (["::ffff:203.0.113.7"], [HTTPStatus.TOO_MANY_REQUESTS]),
        (["2001:db8::1", "2001:db8::2", "2001:db8::3%eth0"], [None, None, HTTPStatus.TOO_MANY_REQUESTS]),
        (["2001:db8:0:1::1"], [None]),
        (["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"] * 4, [None] * 16),
    ):
        assert [turnstile.enter(come(turnstile, address)) for address in addresses] == expected


def test_those_who_only_wait_make_way_for_others() -> None:
    """When too many wait, the one of the busiest address that has waited longest has to go, and no one else."""
    refused: list[str] = []
    turnstile = Turnstile(100, 10, refused.append)
    others = [come(turnstile, f"203.0.113.{number}") for number in range(30)]
    flood = [come(turnstile, "198.51.100.1") for _ in range(1000)]
    assert not any(it.gone for it in others)
    assert [it.gone for it in flood] == [True] * 930 + [False] * 70
    assert len(turnstile) == 100
    assert turnstile.enter(flood[0]) is HTTPStatus.SERVICE_UNAVAILABLE
    assert turnstile.enter(others[0]) is None
    assert set(refused) == {"waiting"}


def test_those_without_the_token_make_way_for_others() -> None:
    """Who is inside and has not said the token keeps nobody out, neither from elsewhere nor from its own address."""
    refused: list[str] = []
    turnstile = Turnstile(100, 30, refused.append)
    slow = come(turnstile, "203.0.113.1")
    known = [come(turnstile, "203.0.113.2") for _ in range(9)]
    assert [turnstile.enter(it, is_known=it is not slow) for it in (slow, *known)] == [None] * 10
    crowd = []
    for number in range(1000):
        crowd.append(come(turnstile, f"198.51.100.{number % 5}"))
        assert turnstile.enter(crowd[-1], is_known=False) is None
    assert not any(it.gone for it in (slow, *known))
    assert [it.gone for it in crowd] == [True] * 910 + [False] * 90
    assert set(refused) == {"connections"}
    assert turnstile.enter(come(turnstile, "203.0.113.3")) is None
    for it in crowd:
        turnstile.recognize(it)
    assert not slow.gone
    assert turnstile.enter(come(turnstile, "203.0.113.4")) is None  # in the place of the slow one
    assert slow.gone
    assert turnstile.enter(come(turnstile, "203.0.113.5")) is HTTPStatus.SERVICE_UNAVAILABLE


def test_those_without_the_token_make_way_at_their_address() -> None:
    """An address that is full of those who have not said the token takes one more, and its oldest has to go."""
    turnstile = Turnstile(100, 2)
    first, other, next_, last = (come(turnstile, "203.0.113.7") for _ in range(4))
    assert [turnstile.enter(it, is_known=False) for it in (first, other, next_)] == [None] * 3
    assert [it.gone for it in (first, other, next_)] == [True, False, False]
    turnstile.recognize(other)
    turnstile.recognize(next_)
    assert turnstile.enter(last) is HTTPStatus.TOO_MANY_REQUESTS
    assert not any(it.gone for it in (other, next_, last))


def test_refusals_are_lines_that_can_be_counted(caplog: pytest.LogCaptureFixture) -> None:
    """Whoever is refused, the warning is the same, so that a flood of them is one line and a count; news say who."""
    turnstile = Turnstile(1, 1)
    addresses = [f"203.0.113.{number}" for number in range(5)]
    with caplog.at_level(logging.INFO):
        for address in addresses:
            turnstile.enter(come(turnstile, address))
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
    turnstile = Turnstile(4, 2)
    here: list[Visitor] = []
    for step, number in steps:
        if step == "come":
            here.append(come(turnstile, f"203.0.113.{number % 3}"))
        elif here and step in ("enter", "slip in"):
            turnstile.enter(here[number % len(here)], is_known=step == "enter")
        elif here and step == "recognize":
            turnstile.recognize(here[number % len(here)])
        elif here:
            visitor = here[number % len(here)]
            turnstile.leave(visitor)
            turnstile.leave(visitor)
            here.remove(visitor)
        here = [visitor for visitor in here if not visitor.gone]
        assert len(turnstile._inside) <= 4
        assert turnstile._strangers.items() <= turnstile._inside.items()
        assert all(0 < count <= 2 for count in turnstile._places.values())
        assert len(turnstile) == len(here)
    for visitor in here:
        turnstile.leave(visitor)
    assert len(turnstile) == 0
    assert not turnstile._places


@given(st.text(max_size=20) | st.ip_addresses().map(str))
def test_every_address_belongs_somewhere(address: str) -> None:
    """Whatever the system says of an address, there is a place to count it at."""
    assert isinstance(place_of(address), str)


def test_allowance_grows_with_time() -> None:
    """So many at once, then so many a second; and never more than at first, however long nothing was done."""
    now = 0.0
    allowance = Allowance(2.0, 3.0, lambda: now)
    assert [allowance.take() for _ in range(4)] == [True, True, True, False]
    now = 0.5
    assert [allowance.take() for _ in range(2)] == [True, False]
    now = 1000.0
    assert [allowance.take() for _ in range(4)] == [True, True, True, False]
