"""What the service tells on standard error: lines for people or JSON, and no fault over and over again."""

from __future__ import annotations

import json
import logging
import os
import re
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, TextIO

from stream.system.fields import check

SECONDS: Final = 60.0
"""For so long a fault that was told is only counted."""
_LIMITS: Final = ((logging.WARNING, 1), (logging.INFO, 100))
"""From which level on how many lines of one kind are told in this time; there is no limit to what is below."""
_PRIORITIES: Final = {"DEBUG": 7, "INFO": 6, "WARNING": 4, "ERROR": 3, "CRITICAL": 2}  # the journal's
_ORDINARY: Final = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime"}


@dataclass(frozen=True, slots=True)
class LoggingSettings:
    """What is told on standard error, and how.

    Raises
    ------
    ConfigError
        When a value cannot be used. The text names it and what was expected.
    """

    level: Literal["debug", "info", "warning", "error"] = "warning"
    """The least that is told."""
    format: Literal["text", "json"] = "text"
    """Lines for people, or a JSON object per line."""

    def __post_init__(self) -> None:
        check(self)


def configure(settings: LoggingSettings, token: str | None = None) -> None:
    """Send all logs to standard error, from now on in this way.

    Parameters
    ----------
    settings : LoggingSettings
    token : str, optional
        What is never to be told.
    """
    root = logging.getLogger()
    handler = Handler(sys.stderr, JsonFormatter(token) if settings.format == "json" else TextFormatter(token))
    handler.to_journal = _is_journal(sys.stderr, os.environ)
    for former in [it for it in root.handlers if isinstance(it, Handler)]:
        root.removeHandler(former)
        former.close()
    root.addHandler(handler)
    root.setLevel(settings.level.upper())
    # What it tells of debugging is what clients send, their tokens too.
    logging.getLogger("stream.websockets").setLevel(max(root.level, logging.INFO))
    logging.captureWarnings(settings.format == "json")
    sys.excepthook = _tell_fault if settings.format == "json" else sys.__excepthook__


def announce(message: str, level: int = logging.INFO, **fields: Any) -> None:
    """Tell something that is told at every level."""
    log = logging.getLogger("stream")
    log.handle(log.makeRecord(log.name, level, "", 0, message, (), None, extra=fields))


def _tell_fault(kind: type[BaseException], error: BaseException, trace: Any) -> None:
    """Tell an exception that nobody caught, which would break the JSON otherwise."""
    announced = logging.getLogger("stream")
    announced.critical("%s: %s", kind.__name__, error, exc_info=(kind, error, trace))


def _is_journal(stream: TextIO, variables: Mapping[str, str]) -> bool:
    """Whether a stream goes to systemd's journal, which says so in a variable."""
    try:
        status = os.fstat(stream.fileno())
    except (OSError, ValueError):
        return False
    return variables.get("JOURNAL_STREAM") == f"{status.st_dev}:{status.st_ino}"


class TextFormatter(logging.Formatter):
    """A line for people.

    Parameters
    ----------
    token : str, optional
        What is never to be told.
    """

    def __init__(self, token: str | None = None) -> None:
        super().__init__("soloist: %(message)s")
        self._token = token

    def format(self, record: logging.LogRecord) -> str:
        """Return the text of a record."""
        return _without(self._token, super().format(record))


class JsonFormatter(logging.Formatter):
    """One JSON object: `time` (ISO 8601, UTC), `level`, `logger`, `message`, and the fields that a record brings.

    Parameters
    ----------
    token : str, optional
        What is never to be told.
    """

    def __init__(self, token: str | None = None) -> None:
        super().__init__()
        self._token = token

    def format(self, record: logging.LogRecord) -> str:
        """Return the text of a record."""
        seconds = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        told: dict[str, Any] = {
            "time": f"{seconds}.{int(record.msecs):03}Z",
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        told |= {name: value for name, value in vars(record).items() if name not in _ORDINARY | told.keys()}
        if record.exc_info:
            told["exception"] = self.formatException(record.exc_info)
        return json.dumps({name: self._plain(value) for name, value in told.items()}, ensure_ascii=False)

    def _plain(self, value: object) -> object:
        if value is None or isinstance(value, bool | int | float):
            return value
        return _without(self._token, str(value))


def _without(token: str | None, text: str) -> str:
    """Hide the token, also as Python and JSON write it inside of quotes."""
    if token:
        for form in (token, repr(token)[1:-1], json.dumps(token)[1:-1]):
            text = text.replace(form, "(hidden)")
    return text


@dataclass(slots=True)
class _Run:
    """Records of one kind, in one stretch of `SECONDS`."""

    began: float
    newest: logging.LogRecord
    count: int
    left: int
    """How many more may be written."""
    counting: bool = False
    """Whether the count will be told."""


class Handler(logging.StreamHandler[TextIO]):
    """Writes records; what comes again and again is one line, and later a count.

    Faults, from warnings on, are of one kind if their messages differ in numbers only. Those that were not written are
    told with the newest and a count when `SECONDS` have passed, and so on as long as they come; with them all others
    that the same logger has to tell, in the order in which they came last, so that the last line says how things are.

    Parameters
    ----------
    stream : text stream
    formatter : logging.Formatter
    clock : callable
        Returns seconds that never go back.
    later : callable
        Takes seconds and what is to be called after them.
    """

    def __init__(
        self,
        stream: TextIO,
        formatter: logging.Formatter,
        clock: Callable[[], float] = time.monotonic,
        later: Callable[[float, Callable[[], None]], object] | None = None,
    ) -> None:
        super().__init__(stream)
        self.setFormatter(formatter)
        self.to_journal = False
        """Whether each line begins with its priority, as the journal reads it."""
        self._clock = clock
        self._later = later or _later
        self._runs: dict[tuple[str, int, str], _Run] = {}  # the one that came last is the last

    def format(self, record: logging.LogRecord) -> str:
        """Return the text of a record as it is written."""
        text = super().format(record)
        if self.to_journal:
            mark = f"<{_PRIORITIES.get(record.levelname, 6)}>"
            text = mark + text.replace("\n", f"\n{mark}")
        return text

    def emit(self, record: logging.LogRecord) -> None:
        """Write a record, or only count it."""
        limit = next((limit for level, limit in _LIMITS if record.levelno >= level), None)
        if limit is None:
            super().emit(record)
            return
        now = self._clock()
        text = re.sub(r"\d+", "0", record.getMessage()) if limit == 1 else str(record.msg)
        kind = (record.name, record.levelno, text)
        # What did not come for a while is forgotten, so that there is never much to remember.
        self._runs = {k: run for k, run in self._runs.items() if run.counting or now - run.began < SECONDS}
        run = self._runs[kind] = self._runs.pop(kind, _Run(now, record, 0, limit))
        run.newest = record
        run.count += 1
        if run.left:
            run.left -= 1
            super().emit(record)
        elif not run.counting:
            run.counting = True
            self._later(SECONDS - (now - run.began), lambda: self._tell(kind))

    def close(self) -> None:
        """Tell what was only counted so far."""
        for kind in list(self._runs):
            self._tell(kind)
        super().close()

    def _tell(self, kind: tuple[str, int, str]) -> None:
        """Write how often records came when those of some kind are due, and go on counting."""
        self.acquire()
        try:
            due = self._runs.get(kind)
            if due is not None and due.counting:
                for other, run in list(self._runs.items()):
                    if run.counting and other[0] == kind[0]:
                        self._tell_count(run)
                        self._runs[other] = _Run(self._clock(), run.newest, 0, 0)
        finally:
            self.release()

    def _tell_count(self, run: _Run) -> None:
        seconds = max(1, round(self._clock() - run.began))
        times = "once" if run.count == 1 else f"{run.count} times"
        record = logging.makeLogRecord(vars(run.newest))
        record.msg, record.args = f"{run.newest.getMessage()} ({times} in {seconds} s)", ()
        record.repeated, record.seconds = run.count, seconds
        super().emit(record)


def _later(seconds: float, call: Callable[[], None]) -> None:
    timer = threading.Timer(seconds, call)
    timer.daemon = True
    timer.start()
