"""The check of a stage against its plan: the lines, and the channels of the source."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from stream.audio.channel_check import ChannelCheck, ChannelFindings
from stream.recognition.classifier import Classifier
from stream.recognition.mel import Array
from stream.recognition.settings import GATE, HOP
from stream.service.line_states import LineState, LineStates
from stream.service.spot_hearing import SpotHearing
from stream.settings.lines_plan import LinePlan


@dataclass(frozen=True, slots=True)
class CheckReport:
    """How it is now."""

    time: float
    """Seconds of audio."""
    device_channels: int
    """How many the source has."""
    lines: tuple[LineState, ...]
    channels: tuple[ChannelFindings, ...]

    @property
    def is_all_green(self) -> bool:
        """Whether every line is heard where it belongs."""
        return all(line.colour == "green" for line in self.lines)


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
    """

    def __init__(
        self, plan: Sequence[LinePlan], classifier: Classifier, *, gate: float = GATE, hop: float = HOP
    ) -> None:
        self._plan = plan
        self._classifier = classifier
        self._gate, self._hop = gate, hop
        self._lineup = tuple(dict.fromkeys(name for line in plan for name in line.instruments))
        self._form = (0, 0)
        self._states: LineStates | None = None

    @property
    def report(self) -> CheckReport | None:
        """How it is now; None before there was a source."""
        if self._states is None:
            return None
        return CheckReport(self._hearing.time, self._form[1], self._states.states, tuple(self._check.found))

    def connect(self, rate: int, channels: int) -> None:
        """Take the audio of a source that was opened; all begins anew where it has another form than before.

        Parameters
        ----------
        rate : int
            In Hz.
        channels : int
        """
        if (rate, channels) == self._form:
            self._hearing.lose(0.0)
            return
        self._form = (rate, channels)
        self._states = states = LineStates(self._plan, channels)
        spot_gates = [states.gate(spot, self._gate) for spot in states.spots]
        self._hearing = SpotHearing(rate, states.spots, spot_gates, self._classifier, self._lineup, self._hop)
        gates = np.full(channels, self._gate)
        for spot, gate in zip(states.spots, spot_gates, strict=True):
            gates[[channel - 1 for channel in spot]] = gate
        self._check = ChannelCheck(rate, gates)

    def hear(self, frames: Array, lost: int = 0, waiting: int | None = None) -> None:
        """Hear a block; for the parameters see `SpotHearing.hear`."""
        assert self._states is not None, "connect comes first"
        for moment in self._hearing.hear(self._check.take(frames), lost, waiting):
            self._states.take(moment)

    def finish(self) -> None:
        """Hear the end of the audio."""
        if self._states is not None:
            for moment in self._hearing.finish():
                self._states.take(moment)
