"""A line check of what a service hears anyway: its lines tell what they recognize, and their blocks of audio."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Final, NamedTuple, TypeAlias

from stream.recognition.classifier import Classifier
from stream.recognition.mel import Array
from stream.recognition.naming import Naming
from stream.recognition.results import Result
from stream.recognition.taught import Head
from stream.service.line import Line
from stream.service.line_check import CheckReport, LineCheck
from stream.service.spot_hearing import Channels, Heard, Moment
from stream.settings.lines_plan import LinePlan

_MOST_SECONDS: Final = 3.0
"""Audio that may wait."""
_MOST_HOPS: Final = 64
_LONGEST_HOP: Final = 1.0  # s; what was skipped beyond it was not heard


class _Source(NamedTuple):
    rate: int
    channels: int


class _Audio(NamedTuple):
    frames: Array
    lost: int
    waiting: int
    """Frames that follow, as far as they are there."""


class _Hop(NamedTuple):
    results: Sequence[Result]


_News: TypeAlias = _Source | _Audio | _Hop


class SharedCheck:
    """Takes what the lines of a service hear, and checks that in another thread.

    `connect`, `hear` and `take` keep what they are given, as `stream.service.lines.Listener`; `work` is called in the
    other thread, again and again. Of the channels of a line nothing is inferred a second time: its own results are
    named anew, out of the line-up of the plan. Only channels that no line has are recognized here.

    Parameters
    ----------
    plan : sequence of LinePlan
        One for each line, in their order.
    lines : sequence of Line
        As they are now: for another model another check is needed.
    classifier : Classifier
        The lines' own.
    gate : float
        RMS level in dBFS below which a channel is silent whose line says nothing else.
    lineup : sequence of str
        What may be named, on all channels.
    taught : sequence of Head
        Names besides the model's.
    """

    def __init__(
        self,
        plan: Sequence[LinePlan],
        lines: Sequence[Line],
        classifier: Classifier,
        gate: float,
        lineup: Sequence[str],
        taught: Sequence[Head] = (),
    ) -> None:
        self.missed = 0.0
        """Seconds of audio that were left out, because too much waited."""
        self._spots: dict[Channels, int] = {}  # and which line hears them; of several, the first
        for number, line in enumerate(lines):
            self._spots.setdefault(line.channels, number)
        self._namings: list[Naming] = [lines[it].recognizer.naming(lineup) for it in self._spots.values()]
        self._hop = lines[0].recognizer.hop
        told = list(self._spots)
        self._check = LineCheck(plan, classifier, gate=gate, hop=self._hop, lineup=lineup, taught=taught, told=told)
        self._news: deque[_News] = deque()  # from the loop's thread to the other one
        self._source: _Source | None = None
        self._waiting = self._hops = 0  # frames and hops among the news
        self._lost = 0  # frames that were left out since the last block
        self._time: float | None = None  # of the last hop, in the other thread

    def connect(self, rate: int, channels: int) -> None:
        """Take note of the source whose audio comes from now on."""
        self._source = _Source(rate, channels)
        self._lost = 0
        self._news.append(self._source)

    def hear(self, frames: Array, lost: int) -> None:
        """Keep a block until there is time for it."""
        source = self._source
        assert source is not None, "connect comes first"
        if self._waiting + len(frames) > _MOST_SECONDS * source.rate:
            self._lost += lost + len(frames)
            self.missed += len(frames) / source.rate
            return
        self._waiting += len(frames)
        self._news.append(_Audio(frames, self._lost + lost, 0))
        self._lost = 0

    def take(self, results: Sequence[Result]) -> None:
        """Keep the results of a hop. Where many wait, it is left out, and its time counts with the next one."""
        if self._hops < _MOST_HOPS:
            self._hops += 1
            self._news.append(_Hop(results))

    def collect(self) -> list[_News]:
        """Return what was kept, for `work`."""
        news = list(self._news)
        self._news.clear()
        waiting, self._waiting, self._hops = self._waiting, 0, 0
        for place, it in enumerate(news):
            if isinstance(it, _Audio):
                waiting -= len(it.frames)
                news[place] = it._replace(waiting=waiting)
        return news

    def work(self, news: Sequence[_News]) -> CheckReport | None:
        """Check what was kept, and return how it is now; None where there was no source yet."""
        for it in news:
            match it:
                case _Source(rate, channels):
                    self._check.connect(rate, channels)
                case _Audio(frames, lost, waiting):
                    self._check.hear(frames, lost, waiting)
                case _Hop(results):
                    self._check.take(self._moment(results), list(self._spots))
        return self._check.report

    def _moment(self, results: Sequence[Result]) -> Moment:
        time, before = results[0].estimate.time, self._time
        seconds, self._time = self._hop if before is None else min(time - before, _LONGEST_HOP), time
        heard = []
        for naming, number in zip(self._namings, self._spots.values(), strict=True):
            result = results[number]
            estimate, label = result.estimate, naming.name(result)
            shown = estimate.state if estimate.state in ("warming", "silence") else label or "unknown"
            heard.append(Heard(shown, label, estimate.rms))
        return Moment(time, seconds, tuple(heard))
