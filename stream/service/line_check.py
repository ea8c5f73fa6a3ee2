"""The check of a stage against its plan: the lines, and the channels of the source."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from stream.audio.channel_check import ChannelCheck, ChannelFindings
from stream.recognition.classifier import Classifier
from stream.recognition.mel import Array
from stream.recognition.settings import GATE, HOP
from stream.recognition.taught import Head
from stream.service.line_states import LineState, LineStates
from stream.service.spot_hearing import Channels, Moment, SpotHearing
from stream.settings.lines_plan import LinePlan


@dataclass(frozen=True, slots=True)
class CheckReport:
    """How it is now."""

    time: float
    """Seconds of audio, with what is missing."""
    device_channels: int
    """How many the source has."""
    lines: tuple[LineState, ...]
    channels: tuple[ChannelFindings, ...]

    @property
    def is_all_green(self) -> bool:
        """Whether every line is heard where it belongs."""
        return all(line.colour == "green" for line in self.lines)


class _Source(NamedTuple):
    """What belongs to a source of one form."""

    rate: int
    channels: int
    states: LineStates
    hearing: SpotHearing | None
    spots: tuple[Channels, ...]
    """What it hears; all others are told to us."""
    check: ChannelCheck


class LineCheck:
    """Checks the audio of one source, which may be away for some time.

    Parameters
    ----------
    plan : sequence of LinePlan
        At least one.
    classifier : Classifier
        Which knows the instruments of the plan.
    gate : float
        RMS level in dBFS below which a channel is silent whose line says nothing else.
    hop : float
        From one estimate to the next, in seconds.
    lineup : collection of str, optional
        What may be named; the instruments of the plan without it.
    taught : sequence of Head
        Names besides the model's.
    told : collection of tuple of int
        Channels that somebody hears already, who says with `take` what they show: of these nothing is inferred.
    """

    def __init__(
        self,
        plan: Sequence[LinePlan],
        classifier: Classifier,
        *,
        gate: float = GATE,
        hop: float = HOP,
        lineup: Collection[str] | None = None,
        taught: Sequence[Head] = (),
        told: Collection[Channels] = (),
    ) -> None:
        self._plan = plan
        self._classifier = classifier
        self._gate, self._hop = gate, hop
        self._lineup = lineup or tuple(dict.fromkeys(name for line in plan for name in line.instruments))
        self._taught, self._told = taught, told
        self._source: _Source | None = None
        self._frames = 0  # of the source

    @property
    def channels(self) -> int:
        """How many channels a source needs for all lines."""
        return max((one for line in self._plan for one in line.channels), default=1)

    @property
    def report(self) -> CheckReport | None:
        """How it is now; None before there was a source."""
        source = self._source
        if source is None:
            return None
        return CheckReport(self._frames / source.rate, source.channels, source.states.states, tuple(source.check.found))

    def connect(self, rate: int, channels: int) -> None:
        """Take the audio of a source that was opened; all begins anew where it has another form than before.

        Parameters
        ----------
        rate : int
            In Hz.
        channels : int
        """
        before = self._source
        if before is not None and (rate, channels) == (before.rate, before.channels):
            if before.hearing is not None:
                before.hearing.lose(0.0)
            return
        states = LineStates(self._plan, channels)
        spots = tuple(spot for spot in states.spots if spot not in self._told)
        hearing = None
        if spots:
            spot_gates = [states.gate(spot, self._gate) for spot in spots]
            hearing = SpotHearing(rate, spots, spot_gates, self._classifier, self._lineup, self._hop, self._taught)
        gates = np.full(channels, self._gate)
        for spot in states.spots:
            gates[[channel - 1 for channel in spot]] = states.gate(spot, self._gate)
        self._source, self._frames = _Source(rate, channels, states, hearing, spots, ChannelCheck(rate, gates)), 0

    def hear(self, frames: Array, lost: int = 0, waiting: int | None = None) -> None:
        """Hear a block; for the parameters see `SpotHearing.hear`."""
        source = self._source
        assert source is not None, "connect comes first"
        self._frames += lost + len(frames)
        frames = source.check.take(frames)
        if source.hearing is not None:
            for moment in source.hearing.hear(frames, lost, waiting):
                source.states.take(moment, source.spots)

    def take(self, moment: Moment, spots: Sequence[Channels]) -> None:
        """Take in what somebody else hears on some spots; those that the source lacks are passed over."""
        if (source := self._source) is not None:
            there = [it for it in zip(spots, moment.heard, strict=True) if it[0] in source.states.spots]
            heard = tuple(heard for _, heard in there)
            source.states.take(moment._replace(heard=heard), [spot for spot, _ in there])

    def finish(self) -> None:
        """Hear the end of the audio."""
        source = self._source
        if source is not None and source.hearing is not None:
            for moment in source.hearing.finish():
                source.states.take(moment, source.spots)
