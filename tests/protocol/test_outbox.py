"""What waits for a slow reader."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from stream.protocol.outbox import CAPACITY, STATES, Outbox

KINDS = st.sampled_from([*sorted(STATES), "change", "segment", "mark"])


def drain(outbox: Outbox[int]) -> list[int]:
    """Take everything."""
    return [outbox.pop() for _ in range(len(outbox))]


def test_events_keep_their_order() -> None:
    """Events come out as they went in."""
    outbox = Outbox[int]()
    assert all(outbox.put("change", item) for item in range(5))
    assert drain(outbox) == [0, 1, 2, 3, 4]
    assert not outbox


def test_newer_state_takes_the_place_of_an_older_one() -> None:
    """Of a state only the newest waits, behind the events that came before it."""
    outbox = Outbox[int]()
    for item, kind in enumerate(["label", "change", "status", "label", "segment"]):
        assert outbox.put(kind, item)
    assert drain(outbox) == [1, 2, 3, 4]


def test_events_are_bounded() -> None:
    """One event too many is refused, whatever states wait, and one fits again when one was taken."""
    outbox = Outbox[int]()
    outbox.put("label", -1)
    assert all(outbox.put("change", item) for item in range(CAPACITY))
    assert not outbox.put("change", CAPACITY)
    assert len(outbox) == CAPACITY + 1
    assert outbox.pop() == -1
    assert not outbox.put("segment", CAPACITY)
    assert outbox.pop() == 0
    assert outbox.put("segment", CAPACITY)
    assert drain(outbox) == list(range(1, CAPACITY + 1))


def test_states_are_always_taken() -> None:
    """A state fits when the events are full."""
    outbox = Outbox[int]()
    for item in range(CAPACITY):
        outbox.put("mark", item)
    assert outbox.put("label", 1000)
    assert outbox.put("label", 1001)
    assert drain(outbox)[-1] == 1001


def test_states_can_be_dropped() -> None:
    """Dropping the states leaves the events in order."""
    outbox = Outbox[int]()
    for item, kind in enumerate(["hello", "change", "label", "segment", "history"]):
        outbox.put(kind, item)
    outbox.drop_states()
    assert drain(outbox) == [1, 3]


@given(st.lists(st.one_of(KINDS, st.none()), max_size=600))
def test_whatever_happens_events_are_complete_and_states_newest(steps: list[str | None]) -> None:
    """Of any puts and pops, every accepted event comes out once and in order, and no state after a newer one."""
    outbox = Outbox[tuple[str, int]]()
    accepted: list[tuple[str, int]] = []
    newest: dict[str, int] = {}
    taken: list[tuple[str, int]] = []
    for number, kind in enumerate(steps):
        if kind is None:
            if outbox:
                taken.append(outbox.pop())
        elif outbox.put(kind, (kind, number)):
            accepted.append((kind, number))
            newest[kind] = number
    taken += [outbox.pop() for _ in range(len(outbox))]
    assert [item for item in taken if item[0] not in STATES] == [item for item in accepted if item[0] not in STATES]
    assert [number for _, number in taken] == sorted(number for _, number in taken)
    for kind in STATES & newest.keys():
        assert [number for taken_kind, number in taken if taken_kind == kind][-1] == newest[kind]
