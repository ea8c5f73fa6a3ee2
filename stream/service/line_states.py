"""Whether each line of a plan is heard where it belongs."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple, TypeAlias

from stream.service.spot_hearing import Channels, Heard, Moment
from stream.settings.lines_plan import LinePlan

ENOUGH_SECONDS: Final = 3.0
"""For so long, in total, an instrument has to be shown on a spot to be there."""
_KEPT_SECONDS: Final = 20.0
"""Of the time in which an instrument was named, the newest counts: a cable that was moved is noticed."""
_SPILL: Final = 10.0
"""dB. What is so much quieter than another spot that shows the same is taken for what a microphone picks up of that."""

Colour: TypeAlias = Literal["green", "amber", "waiting", "missing"]
"""It is heard there; heard elsewhere, or another one is there; nothing of this yet; the source lacks a channel."""


class Elsewhere(NamedTuple):
    """An instrument of a line that is heard on a spot to which it does not belong."""

    instrument: str
    channels: Channels


@dataclass(frozen=True, slots=True)
class LineState:
    """How it is with one line."""

    plan: LinePlan
    colour: Colour
    seconds: float
    """For how long one of its instruments was shown there, of the newest 20 s in which any was; at most so many. For
    how long anything sounded there, up to 20 s, where the plan names no instrument."""
    elsewhere: tuple[Elsewhere, ...]
    """Where its instruments are, if it is amber."""
    other: str | None
    """The instrument that is there instead, if it is amber."""
    heard: Heard | None
    """What it shows now; None before the first window, and where its channels are missing."""
    lacking: tuple[int, ...] = ()
    """Channels that the source does not have, counted from 1."""


class _Tally:
    """For how long each instrument was shown on a spot, of the newest time in which any was."""

    def __init__(self) -> None:
        self._stretches: deque[tuple[str, float]] = deque()
        self._total = 0.0
        self.seconds: dict[str, float] = {}

    def add(self, label: str, seconds: float) -> None:
        """Count an instrument."""
        self._stretches.append((label, seconds))
        self._total += seconds
        while self._total > _KEPT_SECONDS:
            _, oldest = self._stretches.popleft()
            self._total -= oldest
        self.seconds = {}
        for name, time in self._stretches:
            self.seconds[name] = self.seconds.get(name, 0.0) + time


class LineStates:
    """Follows what all spots show, and judges the lines by it.

    Parameters
    ----------
    plan : sequence of LinePlan
        Of a line without instruments it is judged whether anything sounds there.
    channels : int
        Of the source.
    """

    def __init__(self, plan: Sequence[LinePlan], channels: int) -> None:
        self._plan = plan
        self._channels = channels
        whole = [line for line in plan if max(line.channels) <= channels]
        used = {channel for line in whole for channel in line.channels}
        rest = [(channel,) for channel in range(1, channels + 1) if channel not in used]
        self.spots: tuple[Channels, ...] = tuple(dict.fromkeys([*(tuple(it.channels) for it in whole), *rest]))
        """What is to be heard: the channels of each line, and each channel that belongs to none."""
        self._owned = {
            spot: {name for line in whole if line.channels == spot for name in line.instruments} for spot in self.spots
        }
        self._tallies = {spot: _Tally() for spot in self.spots}
        self._sounded = dict.fromkeys(self.spots, 0.0)  # seconds in which there was anything
        self._now: dict[Channels, Heard] = {}

    def take(self, moment: Moment, spots: Sequence[Channels] | None = None) -> None:
        """Take in what spots show at a moment: all of them, or those that are named."""
        news = dict(zip(self.spots if spots is None else spots, moment.heard, strict=True))
        self._now |= news
        loudest: dict[str, float] = {}
        for heard in self._now.values():
            if heard.label is not None:
                loudest[heard.label] = max(heard.level, loudest.get(heard.label, heard.level))
        for spot, heard in news.items():
            label = heard.label
            if heard.shown not in ("warming", "silence"):
                self._sounded[spot] = min(_KEPT_SECONDS, self._sounded[spot] + moment.seconds)
            if label is not None and (label in self._owned[spot] or heard.level > loudest[label] - _SPILL):
                self._tallies[spot].add(label, moment.seconds)

    def gate(self, spot: Channels, otherwise: float) -> float:
        """Return the level in dBFS below which a spot is silent: the lowest that its lines have."""
        own = [line.gate for line in self._plan if line.channels == spot and line.gate is not None]
        return min(own, default=otherwise)

    @property
    def states(self) -> tuple[LineState, ...]:
        """How it is with each line, in the order of the plan."""
        return tuple(map(self._state, self._plan))

    def _state(self, line: LinePlan) -> LineState:
        lacking = tuple(channel for channel in line.channels if channel > self._channels)
        if lacking:
            elsewhere = self._elsewhere(line)
            return LineState(line, "missing", 0.0, elsewhere, None, None, lacking)
        heard = self._now.get(line.channels)
        if not line.instruments:
            seconds = self._sounded[line.channels]
            return LineState(line, "green" if seconds >= ENOUGH_SECONDS else "waiting", seconds, (), None, heard)
        tally = self._tallies[line.channels].seconds
        own = max(tally.get(name, 0.0) for name in line.instruments)
        others = {name: time for name, time in tally.items() if name not in self._owned[line.channels]}
        other = max(others, key=others.__getitem__, default=None)
        seconds = 0.0 if other is None else others[other]
        if own >= ENOUGH_SECONDS and own >= seconds:
            return LineState(line, "green", own, (), None, heard)
        instead = other if seconds >= ENOUGH_SECONDS else None
        elsewhere = self._elsewhere(line)
        colour: Colour = "amber" if elsewhere or instead is not None else "waiting"
        return LineState(line, colour, own, elsewhere, instead, heard)

    def _own_seconds(self, spot: Channels) -> float:
        """For how long an instrument was shown on a spot that belongs there, at the most of all."""
        return max((self._tallies[spot].seconds.get(name, 0.0) for name in self._owned[spot]), default=0.0)

    def _elsewhere(self, line: LinePlan) -> tuple[Elsewhere, ...]:
        """Find the instruments of a line on spots to which they do not belong."""
        return tuple(
            Elsewhere(name, spot)
            for name in line.instruments
            for spot, tally in self._tallies.items()
            if name not in self._owned[spot]
            and (seconds := tally.seconds.get(name, 0.0)) >= ENOUGH_SECONDS
            and seconds >= self._own_seconds(spot)
        )
