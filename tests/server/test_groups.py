"""Subscribers in groups get what each would get alone."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from stream.protocol.filter import Filter
from stream.protocol.messages import Guess, Label, Level, Mark, Message
from stream.protocol.requests import DEFAULT_TYPES, TYPES, Subscribe
from stream.server.groups import SubscriberGroups
from tests.support.serving import STATUS, change, label, segment

NAMES = (None, "flute", "violin")
SUBSCRIPTIONS = st.builds(
    Subscribe,
    types=st.sampled_from([DEFAULT_TYPES, TYPES, frozenset({"label"}), frozenset({"change", "guess"})]),
    instruments=st.sampled_from([None, frozenset({"flute"}), frozenset({"flute", "violin"})]),
    min_confidence=st.sampled_from([0.0, 0.5]),
    max_rate=st.sampled_from([None, 1.0, 3.0]),
)
HOPS = st.tuples(st.sampled_from(NAMES), st.sampled_from([0.2, 0.9]))
STEPS = st.lists(
    st.tuples(st.just("join"), st.integers(0, 5), SUBSCRIPTIONS)
    | st.tuples(st.just("leave"), st.integers(0, 5), st.none())
    | st.tuples(st.just("hop"), st.just(0), HOPS),
    max_size=40,
)


@given(STEPS)
def test_groups_decide_as_each_filter_alone(steps: list[tuple[str, int, object]]) -> None:
    """Whoever joins, changes or leaves when, each gets what its own filter admits."""
    groups, alone = SubscriberGroups[int](), dict[int, Filter]()
    now: Label | None = None
    for seq, (step, who, what) in enumerate(steps):
        if step == "join":
            assert isinstance(what, Subscribe)
            for filters in (groups, alone):
                fresh = Filter(what)
                fresh.begin(now)
                if isinstance(filters, dict):
                    filters[who] = fresh
                else:
                    filters.join(who, fresh)
        elif step == "leave":
            groups.leave(who)
            alone.pop(who, None)
        else:
            name, confidence = what  # type: ignore[misc]
            now = label(seq, name, confidence)
            messages: list[Message] = [
                segment(seq, seq + 1, name, confidence),
                Guess(now.time, now.time + 1, "flute", confidence),
                change(seq, name, "piano"),
                now,
                Level(now.time, -18.0, -6.0, clipped=False),
                STATUS,
                Mark(now.time, "bridge"),
            ]
            for message in messages:
                expected = [(who, seen) for who, filter_ in alone.items() for seen in filter_.admit(message)]
                got = [(who, seen) for seen, receivers in groups.receivers(message) for who in receivers]
                assert sorted(got, key=lambda it: it[0]) == sorted(expected, key=lambda it: it[0])
        assert sorted(groups) == sorted(alone)
        assert len(groups) == len(alone)
        for kind in TYPES:
            assert groups.wants(kind) == any(kind in it.subscription.types for it in alone.values())


def test_a_message_is_looked_at_once_for_all_with_one_subscription() -> None:
    """However many have the default subscription, whenever they came, they are one group; so are all of another one."""
    groups, now = SubscriberGroups[int](), label(0, "flute")
    for who in range(200):
        fresh = Filter(Subscribe(instruments=frozenset({"flute"})) if who % 2 else Subscribe())
        fresh.begin(now)
        groups.join(who, fresh)
        now = replace(now, seq=who + 1, time=0.25 * (who + 1))
        ((seen, receivers),) = groups.receivers(now)
        assert seen is now
        assert len(receivers) == who + 1
    assert len(groups._groups) == 2
    ended = label(200, "piano")
    (masked, flutes), (as_it_is, everything) = groups.receivers(ended)
    assert (as_it_is, len(everything)) == (ended, 100)
    assert (masked.label, len(flutes)) == (None, 100)  # type: ignore[union-attr]


def test_nothing_stays_of_groups_that_are_empty() -> None:
    """Who asks for something else again and again leaves no group behind."""
    groups = SubscriberGroups[int]()
    for number in range(1, 100):
        groups.join(1, Filter(Subscribe(max_rate=float(number))))
        groups.join(2, Filter(Subscribe(min_confidence=number / 100)))
    assert len(groups._groups) == 2
    groups.leave(1)
    groups.leave(1)
    groups.leave(2)
    assert not groups._groups
    assert not len(groups)
