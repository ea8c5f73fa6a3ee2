"""Other lines for a service that runs: which of them go on, which begin, and what changes of each."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence

from stream.errors import ConfigError
from stream.recognition.recognizer import Recognizer
from stream.service.events import RecognizerReplaced
from stream.service.line import Line
from stream.service.lines import LineEvent, Lines
from stream.settings.lines import LineSettings, paired
from stream.system.fields import written


class Arrangement:
    """What is to become of the lines.

    Parameters
    ----------
    lines : Lines
        Those that hear.
    old : sequence of LineSettings
        What they are now; none of one sound, or where they are not known yet.
    new : sequence of LineSettings
        What they are to be.
    recognizers : sequence of Recognizer
        One for each of the new ones, or for the one sound, which have heard nothing.

    Raises
    ------
    ConfigError
        When a line is to go that somebody listens to.
    """

    def __init__(
        self,
        lines: Lines,
        old: Sequence[LineSettings],
        new: Sequence[LineSettings],
        recognizers: Sequence[Recognizer],
    ) -> None:
        self._lines, self._new, self._recognizers = lines, new, recognizers
        self._before: list[LineSettings | None] = paired(old, new) if new else [None]
        by_name = dict(zip([it.name for it in old], lines.lines, strict=False))
        self._kept = [None if it is None else by_name[it.name] for it in self._before]
        if not old and not new:  # it was one sound, and is
            self._kept = list(lines.lines)
        for line in lines.lines:
            if line.listener is not None and line not in self._kept:
                name = "the sound" if line.name is None else f"line {written(line.name)}"
                raise ConfigError(f"a name is being taught on {name}: let that end, or stop it")

    async def carry_out(
        self,
        make: Callable[[Recognizer, LineSettings | None], Line],
        is_other: bool,
        gate: float,
        channel: int | None,
    ) -> AsyncIterator[LineEvent | RecognizerReplaced]:
        """Change the lines; between two blocks alone.

        Parameters
        ----------
        make : callable
            Makes a line of its recognizer and settings, None for one sound.
        is_other : bool
            Whether the model, or what all lines have in common, is another.
        gate : float
            RMS level in dBFS below which a line is silent that has none of its own.
        channel : int, optional
            That of the source which one sound is, counted from 1.

        Yields
        ------
        LineEvent or RecognizerReplaced
            What ends with this.
        """
        lines = self._lines
        if not lines.lines and not self._new:
            return  # a line for every channel, and the channels are not known
        settings: Sequence[LineSettings | None] = self._new or [None]
        arranged = [
            make(recognizer, own) if line is None else line
            for line, own, recognizer in zip(self._kept, settings, self._recognizers, strict=True)
        ]
        is_replaced = is_other
        if tuple(arranged) != lines.lines:
            is_replaced = True
            async for event in lines.arrange(arranged):
                yield event
        others = [
            recognizer if line is not None and (is_other or _labels(before) != _labels(own)) else None
            for line, before, own, recognizer in zip(self._kept, self._before, settings, self._recognizers, strict=True)
        ]
        for ended in await lines.replace(others):
            yield ended
        is_replaced |= any(other is not None for other in others)
        for line, before, own in zip(arranged, self._before, settings, strict=True):
            own_gate = gate if own is None or own.gate is None else own.gate
            if line.gate != own_gate:
                line.examine(own_gate)
            if own is None:
                line.change(None, (), 0.0, channel)
                continue
            line.change(own.name, own.channels, own.gain, channel)
            if before is not None:
                is_replaced |= (before.name, before.channels) != (own.name, own.channels)
        lines.rename()
        if is_replaced:
            yield RecognizerReplaced()


def _labels(line: LineSettings | None) -> object:
    """Return what of a line decides about its labels."""
    return None if line is None else (line.instruments, line.gate, line.threshold)
