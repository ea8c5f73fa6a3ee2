"""What `soloist listen` shows of messages to people."""

from __future__ import annotations

import shutil
from typing import TextIO

from stream.client import Disconnected
from stream.protocol.messages import Change, Error, Front, Guess, Hello, Label, Mark, Message, Outage, Status

_BAR = 24


class Display:
    """What is heard now in one line that stays in place, and a line above it for everything that happened.

    Where the output is no terminal there is only what happened, and what is heard when the connection comes about.

    Parameters
    ----------
    out : text file
    """

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._in_place = out.isatty()
        self._now = ""
        self._lines: dict[str, str] = {}  # what each line tells, where there are lines
        self._last = ""
        self._troubles: set[str] = set()  # that were told and go on
        self._is_new = True  # whether what is heard was not told since the connection came about

    def show(self, message: Message | Disconnected) -> None:
        """Tell a message."""
        match message:
            case Label():
                self._now = self._all_lines(message) or _now(message)
                if self._is_new and not self._in_place:  # where it is seen anyway
                    self._happened(f"{_clock(message.time)}  {_on(message)}{message.label or message.state}")
                self._is_new = False
            case Change():
                self._is_new = False
                self._happened(f"{_clock(message.time)}  {_on(message)}{message.label or message.state}")
            case Hello():
                self._happened(f"          connected to {message.server}, hearing {message.source}")
            case Mark():
                self._happened(f"{_clock(message.time)}  * {message.text}")
            case Guess():
                self._happened(
                    f"{_clock(message.end)}  {_on(message)}guess: {message.label} ({message.confidence:.0%})"
                )
            case Front():
                self._happened(f"{_clock(message.time)}  {message.line} is in front")
            case Outage(end=None):
                self._happened(f"{_clock(message.start)}  {message.reason}")
                self._troubles.add(message.reason)
            case Outage(end=float(end)):
                self._happened(f"{_clock(end)}  {message.source} is back after {end - message.start:.0f} s")
            case Status():
                troubles = [*([] if message.message is None else [message.message]), *message.warnings]
                for text in dict.fromkeys(troubles):
                    if text not in self._troubles:
                        self._happened(f"          {text}")
                self._troubles = set(troubles)
            case Error():
                self._happened(f"          {message.message}")
            case Disconnected():
                self._now = ""
                self._is_new = True
                self._happened(f"          no connection: {message.reason}")
            case _:
                return
        self._draw()

    def close(self) -> None:
        """Leave the terminal clean."""
        self._now = ""
        self._draw()

    def _all_lines(self, label: Label) -> str | None:
        """Return what all lines tell, once more than one has told something."""
        if label.line is None:
            return None
        self._lines[label.line] = label.label or label.state
        if len(self._lines) == 1:
            return None
        return f"{_clock(label.time)}  " + " | ".join(f"{line}: {told}" for line, told in self._lines.items())

    def _happened(self, line: str) -> None:
        if line == self._last:
            return  # a try that failed like the one before
        self._last = line
        # Marks and names come from others, and a terminal obeys what it is sent.
        line = "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in line)
        self._out.write(f"\r\x1b[K{line}\n" if self._in_place else f"{line}\n")
        self._out.flush()

    def _draw(self) -> None:
        if self._in_place:
            width = shutil.get_terminal_size().columns - 1
            self._out.write(f"\r\x1b[K{self._now[:width]}")
            self._out.flush()


def _on(message: Label | Change | Guess) -> str:
    """Return which line a message is about, as the beginning of what is told."""
    return "" if message.line is None else f"{message.line}: "


def _now(label: Label) -> str:
    filled = round(label.confidence * _BAR) if label.state == "instrument" else 0
    bar = "█" * filled + "·" * (_BAR - filled)
    sure = f"{label.confidence:4.0%}" if label.state == "instrument" else "    "
    return f"{_clock(label.time)}  {label.label or label.state:<26} {bar} {sure}  {label.rms:6.1f} dBFS"


def _clock(seconds: float) -> str:
    hours, rest = divmod(int(seconds), 3600)
    return f"{hours:02d}:{rest // 60:02d}:{rest % 60:02d}"
