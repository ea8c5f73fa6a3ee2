"""What `soloist check-lines` shows: a table that stays in place, lines of text, or lines of JSON."""

from __future__ import annotations

import json
import math
import shutil
from typing import Any, Final, TextIO

from stream.service.line_check import CheckReport
from stream.service.line_states import ENOUGH_SECONDS, LineState
from stream.service.line_words import Warned, channel_name, channels_name, line_text, warnings
from stream.system.names import join_names
from stream.system.terminal import printable

_COLOURS: Final = {"green": "32", "amber": "33", "waiting": "2", "missing": "31"}
_TITLES: Final = ("", "line", "channel", "plan", "now", "")
_LEAST_ROWS: Final = 4


class Display:
    """For people: in a terminal a table in place, elsewhere a line for each change and a table at the end.

    Parameters
    ----------
    out : text file
    """

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._in_place = out.isatty()
        self._drawn = 0  # lines of the table that stand there
        self._news = _News()
        self._report: CheckReport | None = None
        self._told = ""

    def show(self, report: CheckReport) -> None:
        """Show how it is now."""
        self._report = report
        lines, warned = self._news.of(report)
        if self._in_place:
            self._draw(report)
            return
        for line in lines:
            self._write(
                f"{_clock(report.time)}  {line.colour}: {_name(line)}: {line_text(line, report.device_channels)}"
            )
        for it in warned:
            self._write(f"{_clock(report.time)}  {channel_name(it.channel, report)} {it.text}")

    def tell(self, text: str) -> None:
        """Tell what happens to the source."""
        if text == self._told:
            return  # a try that failed like the one before
        self._told = text
        self._erase()
        self._write(text)
        if self._in_place and self._report is not None:
            self._draw(self._report)

    def close(self) -> None:
        """Show how it was at the end."""
        self._erase()
        if self._report is not None:
            for line in table(self._report, in_colour=self._in_place):
                self._write(line)

    def _draw(self, report: CheckReport) -> None:
        size = shutil.get_terminal_size()
        lines = table(report)
        if len(lines) > (most := max(_LEAST_ROWS, size.lines - 1)):  # what scrolls away cannot be drawn over
            lines = [*lines[: most - 1], f"... and {len(lines) - most + 1} more lines; at the end all of them"]
        lines = [line[: size.columns - 1] for line in lines]
        self._erase()
        self._out.write("".join(f"{_coloured(line)}\n" for line in lines))
        self._out.flush()
        self._drawn = len(lines)

    def _erase(self) -> None:
        if self._drawn:
            self._out.write(f"\x1b[{self._drawn}A\r\x1b[J")
            self._drawn = 0

    def _write(self, line: str) -> None:
        # A line of the table is printable already, but for its colours.
        self._out.write(f"{line if chr(27) in line else printable(line)}\n")
        self._out.flush()


class JsonDisplay:
    """For programs: a JSON object in a line for each change, the last one of the type `end`.

    Parameters
    ----------
    out : text file
    """

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._news = _News()
        self._report: CheckReport | None = None
        self._told = ""

    def show(self, report: CheckReport) -> None:
        """Write what has changed."""
        self._report = report
        lines, warned = self._news.of(report)
        for line in lines:
            self._write({"type": "line", "time": round(report.time, 3), **_line_fields(line, report)})
        for it in warned:
            self._write({"type": "channel", "time": round(report.time, 3), **_warning_fields(it)})

    def tell(self, text: str) -> None:
        """Write what happens to the source."""
        if text != self._told:
            self._told = text
            self._write({"type": "source", "message": text})

    def close(self) -> None:
        """Write how it was at the end."""
        report = self._report
        told: dict[str, Any] = {"type": "end", "green": False, "lines": [], "channels": []}
        if report is not None:
            told = {
                "type": "end",
                "time": round(report.time, 3),
                "device_channels": report.device_channels,
                "green": report.is_all_green,
                "lines": [_line_fields(line, report) for line in report.lines],
                "channels": [_warning_fields(it) for it in warnings(report)],
                "levels": [
                    None if math.isinf(channel.level) else round(channel.level, 1) for channel in report.channels
                ],
            }
        self._write(told)

    def _write(self, told: dict[str, Any]) -> None:
        self._out.write(json.dumps(told) + "\n")
        self._out.flush()


class _News:
    """What is other than when it was last asked for."""

    def __init__(self) -> None:
        self._lines: dict[str, object] = {}
        self._warned: set[object] = set()

    def of(self, report: CheckReport) -> tuple[list[LineState], list[Warned]]:
        """Return lines that are other than before, and warnings that are new."""
        lines = []
        for line in report.lines:
            key = (line.colour, line.elsewhere, line.other, line.lacking)
            if self._lines.get(line.plan.name, ("waiting", (), None, ())) != key:
                self._lines[line.plan.name] = key
                lines.append(line)
        present = warnings(report)
        warned = [it for it in present if it.key not in self._warned]
        self._warned = {it.key for it in present}
        return lines, warned


def table(report: CheckReport, in_colour: bool = False) -> list[str]:
    """Write how it is: a row for each line, and below them what is wrong with channels.

    Parameters
    ----------
    report : CheckReport
    in_colour : bool
        Whether to write the colours with the codes of terminals, too.
    """
    rows = [_TITLES, *(_row(line, report) for line in report.lines)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [
        "  ".join(f"{printable(cell):{width}}" for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]
    lines += [f"! {printable(channel_name(it.channel, report))} {it.text}" for it in warnings(report)]
    return [_coloured(line) for line in lines] if in_colour else lines


def _row(line: LineState, report: CheckReport) -> tuple[str, ...]:
    text = line_text(line, report.device_channels)
    if line.colour != "green" and 0 < line.seconds < ENOUGH_SECONDS:
        text += f" ({line.seconds:.1f} of {ENOUGH_SECONDS:g} s)"
    now = "" if line.heard is None else line.heard.shown
    return line.colour, line.plan.name, channels_name(line.plan.channels), join_names(line.plan.instruments), now, text


def _coloured(line: str) -> str:
    word, _, rest = line.partition(" ")
    return f"\x1b[{_COLOURS[word]}m{word}\x1b[m {rest}" if word in _COLOURS else line


def _name(line: LineState) -> str:
    return f"{line.plan.name} ({channels_name(line.plan.channels)}, {join_names(line.plan.instruments)})"


def _line_fields(line: LineState, report: CheckReport) -> dict[str, Any]:
    return {
        "name": line.plan.name,
        "channels": list(line.plan.channels),
        "instruments": list(line.plan.instruments),
        "state": line.colour,
        "elsewhere": [{"instrument": it.instrument, "channels": list(it.channels)} for it in line.elsewhere],
        "other": line.other,
        "message": line_text(line, report.device_channels),
    }


def _warning_fields(warned: Warned) -> dict[str, Any]:
    return {"channel": warned.channel, "warning": warned.kind, "message": warned.text}


def _clock(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes:3d}:{rest:02d}"
