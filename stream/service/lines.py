"""The lines of a service, which hear one source together: one capture, one clock, one grid of hops."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

from stream.audio.block_queue import Block
from stream.protocol.messages import Front, Guess, Level, Segment
from stream.recognition.lockstep import take_hops
from stream.recognition.mel import SAMPLE_RATE, WINDOW, Array
from stream.recognition.recognizer import Recognizer
from stream.recognition.results import Result
from stream.service import translation
from stream.service.events import AudioTaken, Hop, HopSkipped, OfLine
from stream.service.front_line import FrontLine
from stream.service.line import Line
from stream.system.processors import processors

LineEvent = AudioTaken | Hop | HopSkipped | Level | Segment | Guess | OfLine | Front
"""What lines tell."""


class Listener(Protocol):
    """Is told of everything that lines hear. What it is given is not to be changed; it is to return soon."""

    def connect(self, rate: int, channels: int) -> None:
        """Take note of the source whose audio comes from now on: its rate in Hz, and how many channels it has."""

    def hear(self, frames: Array, lost: int) -> None:
        """Take a block of all channels [shape=(n, channels), dtype=float32], before which some frames are missing."""

    def take(self, results: Sequence[Result]) -> None:
        """Take what a hop brought on each line."""


class Lines:
    """Recognizes the lines of one source after the other.

    Without names there is one line, and what it tells is told. Lines with names tell what each hears as `OfLine`, and
    what the one in front hears as if it were the only one; its messages name it.

    Inference is in threads of its own, one for each processor at the most, so that everything else goes on meanwhile.
    When they cannot keep up, hops are skipped, of all lines alike.

    Parameters
    ----------
    lines : sequence of Line
        Their recognizers have heard nothing, and have the same hop.
    for_channels : callable, optional
        Makes the lines of a source with so many channels, once the first one is connected, where there are none yet.
    """

    def __init__(
        self, lines: Sequence[Line], for_channels: Callable[[int], Sequence[Line]] = lambda channels: ()
    ) -> None:
        self._for_channels = for_channels
        self._executor = _executor(len(lines))
        self._begin(lines)
        self._evaluating = asyncio.Lock()  # held while the recognizers must stay as they are
        self._rate = SAMPLE_RATE
        self._source: tuple[int, int, int | None] | None = None  # what is connected, as `connect` was told
        self._listener: Listener | None = None

    def _begin(self, lines: Sequence[Line], time: float = 0.0) -> None:
        self.lines = tuple(lines)
        has_names = any(line.name is not None for line in lines)
        self._front = FrontLine([line.name or "" for line in lines], time) if has_names else None

    @property
    def time(self) -> float:
        """Stream time up to which there was audio, in seconds."""
        return self._any.time if self.lines else 0.0

    @property
    def channels(self) -> int:
        """How many channels a source needs for all lines."""
        return max((one for line in self.lines for one in line.channels), default=1)

    @property
    def warnings(self) -> list[str]:
        """What somebody should mend about the signals, most urgent first."""
        found = [warning for line in self.lines for warning in line.warnings]
        return found if self._front is None or self.still is None else [self.still, *found]

    @property
    def still(self) -> str | None:
        """What is to be said of a device that works and delivers only zeros in all lines; None where it does not."""
        said = [line.still for line in self.lines]
        return said[0] if said and None not in said else None

    def want(self, wanted: Mapping[str, Collection[str | None]]) -> None:
        """Say what is to be told of what costs something.

        Parameters
        ----------
        wanted : mapping of str to collection of str or None
            Of which lines, by `level` and `spectrum`; None is the one in front, or the only one. A spectrum costs
            features also of what is silent, so that it is made of those lines only.
        """
        for line in self.lines:
            line.wanted = [kind for kind, of in wanted.items() if line.name in of or (None in of and self._leads(line))]

    def examine(self) -> None:
        """Look for faults in what comes from now on, whatever was before."""
        for line in self.lines:
            line.examine()

    def tell(self, listener: Listener | None) -> None:
        """Let somebody hear all that lines hear from now on, in place of whoever did; or nobody."""
        self._listener = listener
        if listener is not None and self._source is not None:
            listener.connect(*self._source[:2])

    def connect(self, rate: int, channels: int, channel: int | None) -> None:
        """Take the audio of another source from now on; as for `Line.connect`."""
        self._rate, self._source = rate, (rate, channels, channel)
        if not self.lines:
            self._begin(self._for_channels(channels))
        for line in self.lines:
            line.connect(rate, channels, channel)
        if self._listener is not None:
            self._listener.connect(rate, channels)

    async def hear(self, block: Block, lost: int, anew: bool = False) -> AsyncIterator[LineEvent]:
        """Hear a block of the connected source, before which some frames are missing.

        Parameters
        ----------
        block : Block
        lost : int
            Frames that are missing.
        anew : bool
            Whether nothing that was heard before is to be part of what is heard now: it was another source.

        Yields
        ------
        LineEvent
            In the order in which they are to be told; each as soon as it is known.
        """
        to_ours = SAMPLE_RATE / self._rate
        if self._listener is not None:
            self._listener.hear(block.frames, lost)
        for line in self.lines:
            line.recognizer.with_frames = "spectrum" in line.wanted
        if anew or lost * to_ours > WINDOW:
            for told in self._tell([line.lose(round(lost * to_ours)) for line in self.lines], None):
                yield told
        elif lost:
            filled = [line.fill(lost) for line in self.lines]
            async for event in self._recognize(filled, 0, round(len(block.frames) * to_ours), None):
                yield event
        converted = [line.convert(block.frames) for line in self.lines]
        samples = [each for each, _ in converted]
        for line, each in zip(self.lines, samples, strict=True):
            for level in line.levels(each):
                if line.name is not None:
                    yield OfLine(line.name, level)
                if self._leads(line):
                    yield level
        invalid = sum(count for _, count in converted)
        async for event in self._recognize(samples, invalid, round(block.waiting * to_ours), block.delivered):
            yield event

    async def finish(self) -> AsyncIterator[LineEvent]:
        """Hear the audio to its end, and close what is open."""
        async for event in self._recognize([line.drain() for line in self.lines], 0, 0, None):
            yield event
        async with self._evaluating:
            loop = asyncio.get_running_loop()
            rests = await asyncio.gather(*(loop.run_in_executor(self._executor, line.finish) for line in self.lines))
        for results in zip(*rests, strict=True):
            hops = [line.told(result, None, None) for line, result in zip(self.lines, results, strict=True)]
            for told in self._tell(hops, None):
                yield told
        for line in self.lines:
            for message in line.close_stretches():
                if line.name is not None:
                    yield OfLine(line.name, message)
                if self._front is None or (isinstance(message, Guess) and self._leads(line)):
                    yield message
                elif self._leads(line):
                    yield self._front.close(message.end)

    async def arrange(self, lines: Sequence[Line]) -> AsyncIterator[LineEvent]:
        """Hear these lines from now on, some of which may be those of before; between two blocks alone.

        Those that stay lose no sample. Those that come have heard nothing, and begin at this moment; what those that go
        have open is closed.

        Parameters
        ----------
        lines : sequence of Line
            At least one; where there is no name, just one.

        Yields
        ------
        LineEvent
            What ends with this.
        """
        old = self.lines
        if not old:  # none was heard yet
            self._begin(lines)
            return
        if self._source is not None:
            # A resampler that begins holds audio back: all begin together, so that all lines have the same moment.
            async for event in self._recognize([line.flush() for line in old], 0, 0, None):
                yield event
        for line in old:
            if line in lines:
                continue
            for message in line.close_stretches():
                if line.name is not None:
                    yield OfLine(line.name, message)
                elif self._front is None:
                    yield message
        if self._front is not None:
            yield self._front.close(self.time)
        for line in lines:
            if line not in old:
                line.recognizer.join(self._any)
                if self._source is not None:
                    line.connect(*self._source)
        if (len(old) == 1) != (len(lines) == 1):
            self._executor.shutdown(wait=False)
            self._executor = _executor(len(lines))
        self._begin(lines, self.time)

    def rename(self) -> None:
        """Take note that lines may have other names."""
        if self._front is not None:
            self._front.rename([line.name or "" for line in self.lines])

    async def replace(self, others: Sequence[Recognizer | None]) -> Iterator[Guess | OfLine]:
        """Go on with the model, line-up, hop and gate of other recognizers, which have heard nothing.

        Parameters
        ----------
        others : sequence of Recognizer or None
            One for each line; None for one that stays as it is.

        Returns
        -------
        iterator of Guess and OfLine
            What ends with this, if anything does.
        """
        ended: list[Guess | OfLine] = []
        async with self._evaluating:
            for line, other in zip(self.lines, others, strict=True):
                if other is None:
                    continue
                guess = line.recognizer.replace(other)
                if guess is not None:
                    message = translation.guess(guess, line.name)
                    if line.name is not None:
                        ended.append(OfLine(line.name, message))
                    if self._leads(line):
                        ended.append(message)
        return iter(ended)

    def close(self) -> None:
        """End the threads."""
        self._executor.shutdown(cancel_futures=True)

    @property
    def _any(self) -> Recognizer:
        """One of the recognizers: of the grid of hops they all say the same."""
        return self.lines[0].recognizer

    def _leads(self, line: Line) -> bool:
        """Whether a line is in front."""
        return self._front is None or line.name == self._front.name

    async def _recognize(
        self, samples: Sequence[Array], invalid: int, waiting: int, delivered: float | None
    ) -> AsyncIterator[LineEvent]:
        """Let the recognizers hear the samples of each line; `waiting` more are known to follow at once."""
        yield AudioTaken(len(samples[0]) / SAMPLE_RATE, invalid, delivered)
        for is_due in take_hops([line.recognizer for line in self.lines], samples, waiting):
            if not is_due:
                yield HopSkipped()
                continue
            async with self._evaluating:
                started = time.perf_counter()
                found = await self._evaluate()
                seconds = time.perf_counter() - started
                if self._listener is not None:
                    self._listener.take([result for result, _ in found])
                hops = [
                    line.told(result, took, delivered) for line, (result, took) in zip(self.lines, found, strict=True)
                ]
                events = list(self._tell(hops, seconds))
            for event in events:
                yield event

    async def _evaluate(self) -> list[tuple[Result, float]]:
        """Evaluate the windows that are due, as many at once as there are threads."""
        loop = asyncio.get_running_loop()
        if len(self.lines) == 1:
            return [await loop.run_in_executor(self._executor, self.lines[0].evaluate)]
        waiting = deque(enumerate(self.lines))
        found: dict[int, tuple[Result, float]] = {}

        def work() -> None:
            while True:
                try:
                    number, line = waiting.popleft()
                except IndexError:
                    return
                found[number] = line.evaluate()

        threads = min(len(self.lines), processors())
        await asyncio.gather(*(loop.run_in_executor(self._executor, work) for _ in range(threads)))
        return [found[number] for number in range(len(self.lines))]

    def _tell(self, hops: Sequence[Hop], seconds: float | None) -> Iterator[Hop | OfLine | Front]:
        """Say what a hop of all lines brought: of each, and then of the one in front."""
        if self._front is None:
            yield hops[0]
            return
        for line, hop in zip(self.lines, hops, strict=True):
            assert line.name is not None
            yield OfLine(line.name, hop)
        yield from self._front.take(hops, seconds)


def _executor(lines: int) -> ThreadPoolExecutor:
    """Make the threads in which so many lines are evaluated."""
    return ThreadPoolExecutor(processors() if lines != 1 else 1, "recognizer")
