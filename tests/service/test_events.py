"""The stream of events, and what clients are told of them."""

from __future__ import annotations

import pytest

from stream.protocol.messages import Change, Guess, Heard, Message, Outage, Segment, Spectrum
from stream.service import translation
from stream.service.events import Activity, Alive, AudioTaken, Event, Events, Hop
from tests.support.serving import HELLO, STATUS, label

HOP = Hop(label(seq=4, name="flute"), None, None, None, None, seconds=0.001, delivered=None)


def told(event: Event) -> list[Message]:
    """Return what clients are told."""
    return list(translation.messages(event))


def test_everybody_gets_every_event_in_order() -> None:
    """Who was added first takes first, and what one publishes meanwhile comes after what it was about."""
    events, taken = Events(), list[tuple[str, Event]]()

    def first(event: Event) -> None:
        taken.append(("first", event))
        if isinstance(event, Alive):
            events.publish(Activity("hears"))

    events.add(first)
    events.add(lambda event: taken.append(("second", event)))
    events.publish(Alive())
    assert [(who, type(event)) for who, event in taken] == [
        ("first", Alive),
        ("second", Alive),
        ("first", Activity),
        ("second", Activity),
    ]


def test_a_hop_is_told_as_its_messages() -> None:
    """First what it closed, then the change, then the label, then the frames."""
    parts = (
        Segment(0.0, 1.0, "silence", None, 0.0),
        Guess(0.0, 1.0, "piano", 0.2),
        Change(1.0, "instrument", "flute", Heard("silence", None)),
        HOP.label,
        Spectrum(1.0, [[0.0]]),
    )
    hop = HOP._replace(segment=parts[0], guess=parts[1], change=parts[2], spectrum=parts[4])
    assert told(hop) == list(parts)
    assert told(HOP) == [HOP.label]


@pytest.mark.parametrize("message", [HELLO, STATUS, Outage(1.0, None, "mic", "lost"), Guess(0.0, 1.0, "piano", 0.2)])
def test_messages_are_told_as_they_are(message: Event) -> None:
    """What is a message of the protocol already goes to the clients."""
    assert told(message) == [message]


@pytest.mark.parametrize("event", [Alive(), Activity("hears"), AudioTaken(1.0, 0, None)])
def test_what_is_ours_stays_ours(event: Event) -> None:
    """Events that no client knows are told to none."""
    assert told(event) == []
