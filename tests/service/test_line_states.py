"""Whether a line is heard where it belongs."""

from __future__ import annotations

from collections.abc import Sequence

from stream.service.line_states import Elsewhere, LineStates
from stream.service.spot_hearing import Heard, Moment
from stream.settings.lines_plan import LinePlan

ANNA = LinePlan("Anna", (1,), ("violin",))
BEN = LinePlan("Ben", (2,), ("trumpet", "flute"), gate=-40)
KEYS = LinePlan("Keys", (3, 4), ("piano",))
HOP = 0.25


def heard(name: str, level: float = -20.0) -> Heard:
    """Return what a spot shows."""
    return Heard(name, None if name in ("silence", "unknown", "warming") else name, level)


def play(states: LineStates, seconds: float, *shown: str | Heard) -> None:
    """Let the spots show something for so long."""
    spots = tuple(heard(it) if isinstance(it, str) else it for it in shown)
    for _ in range(round(seconds / HOP)):
        states.take(Moment(0.0, HOP, spots))


def colours(states: LineStates) -> Sequence[str]:
    """Return the colour of each line."""
    return [line.colour for line in states.states]


def test_the_spots_are_the_lines_and_the_channels_of_none() -> None:
    """The channels of a line of several are heard as one, and only as that."""
    states = LineStates([ANNA, BEN, KEYS], 6)
    assert states.spots == ((1,), (2,), (3, 4), (5,), (6,))
    assert [states.gate(spot, -70) for spot in states.spots] == [-70, -40, -70, -70, -70]


def test_a_line_is_green_when_its_instrument_was_there_for_three_seconds() -> None:
    """In total, with rests; any of its instruments; not a moment sooner."""
    states = LineStates([ANNA, BEN, KEYS], 4)
    play(states, 2.75, "violin", "flute", "silence")
    play(states, 5, "silence", "unknown", "silence")
    assert colours(states) == ["waiting"] * 3
    assert states.states[0].seconds == 2.75
    play(states, 0.25, "violin", "flute", "piano")
    assert colours(states) == ["green", "green", "waiting"]


def test_a_line_is_amber_when_another_instrument_is_there() -> None:
    """Its own instrument is looked for everywhere."""
    states = LineStates([ANNA, BEN, KEYS], 5)
    play(states, 3, "trumpet", "violin", "silence", "piano")
    anna, ben, keys = states.states
    assert (anna.colour, anna.other, anna.elsewhere) == ("amber", "trumpet", (Elsewhere("violin", (2,)),))
    assert (ben.colour, ben.other, ben.elsewhere) == ("amber", "violin", (Elsewhere("trumpet", (1,)),))
    assert (keys.colour, keys.other, keys.elsewhere) == ("amber", None, (Elsewhere("piano", (5,)),))


def test_two_lines_of_one_instrument_are_not_taken_for_each_other() -> None:
    """A violin on the other's channel is where a violin belongs."""
    states = LineStates([ANNA, LinePlan("Carla", (2,), ("violin",))], 2)
    play(states, 5, "violin", "silence")
    assert colours(states) == ["green", "waiting"]


def test_what_a_microphone_picks_up_of_another_is_not_counted() -> None:
    """A trumpet that is heard 20 dB quieter in the violin's microphone makes it not amber; nearly as loud, it does."""
    states = LineStates([ANNA, BEN], 2)
    play(states, 5, heard("trumpet", -40), heard("trumpet", -20))
    assert colours(states) == ["waiting", "green"]
    play(states, 5, heard("trumpet", -28), heard("trumpet", -20))
    assert colours(states) == ["amber", "green"]


def test_a_patch_that_is_mended_becomes_green_and_one_that_is_spoilt_amber() -> None:
    """The newest twenty seconds of playing decide."""
    states = LineStates([ANNA], 1)
    spoilt = LineStates([ANNA, BEN], 2)
    spoilt_lines = []
    play(states, 60, "trumpet")
    play(states, 10, "violin")
    assert colours(states) == ["green"]
    play(spoilt, 60, "violin", "silence")
    for seconds in (9, 2):
        play(spoilt, seconds, "trumpet", "silence")
        spoilt_lines.append(colours(spoilt))
    assert spoilt_lines == [["green", "waiting"], ["amber", "amber"]]


def test_a_channel_that_the_source_lacks_is_told() -> None:
    """The line is missing, its other channels are heard, and so are all other lines."""
    states = LineStates([LinePlan("Far", (2, 20), ("oboe",)), ANNA], 2)
    assert states.spots == ((1,), (2,))
    play(states, 4, "violin", "oboe")
    far, anna = states.states
    assert (far.colour, far.lacking, far.elsewhere) == ("missing", (20,), (Elsewhere("oboe", (2,)),))
    assert anna.colour == "green"
