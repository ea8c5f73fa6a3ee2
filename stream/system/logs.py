"""The log on standard error: lines for people or JSON, with repeated messages counted instead of written."""

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

REPEAT_SECONDS: Final = 60.0
"""For so long after a record the same one is only counted."""
_LIMITS: Final = ((logging.WARNING, 1), (logging.INFO, 100))
"""Least level, and how many records of one kind are written in that time; below the last there is no limit."""
_PRIORITIES: Final = {"DEBUG": 7, "INFO": 6, "WARNING": 4, "ERROR": 3, "CRITICAL": 2}  # syslog's, read by journald
_STANDARD_FIELDS: Final = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime"}


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
        A secret that is never to be written.
    """
    root = logging.getLogger()
    handler = RateLimitingHandler(
        sys.stderr, JsonFormatter(token) if settings.format == "json" else TextFormatter(token)
    )
    handler.for_journald = _leads_to_journald(sys.stderr, os.environ)
    for former in [each for each in root.handlers if isinstance(each, RateLimitingHandler)]:
        root.removeHandler(former)
        former.close()
    root.addHandler(handler)
    root.setLevel(settings.level.upper())
    # At debug it logs what clients send, their tokens too.
    logging.getLogger("stream.websockets").setLevel(max(root.level, logging.INFO))
    logging.captureWarnings(settings.format == "json")
    sys.excepthook = _log_uncaught if settings.format == "json" else sys.__excepthook__


def log_always(message: str, level: int = logging.INFO, **fields: Any) -> None:
    """Log a message whatever the level is set to."""
    log = logging.getLogger("stream")
    log.handle(log.makeRecord(log.name, level, "", 0, message, (), None, extra=fields))


def _log_uncaught(kind: type[BaseException], error: BaseException, trace: Any) -> None:
    """Log an exception that nobody caught, which would break the JSON otherwise."""
    logging.getLogger("stream").critical("%s: %s", kind.__name__, error, exc_info=(kind, error, trace))


def _leads_to_journald(stream: TextIO, variables: Mapping[str, str]) -> bool:
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
        A secret that is never to be written.
    """

    def __init__(self, token: str | None = None) -> None:
        super().__init__("soloist: %(message)s")
        self._token = token

    def format(self, record: logging.LogRecord) -> str:
        """Return the text of a record."""
        return _redacted(self._token, super().format(record))


class JsonFormatter(logging.Formatter):
    """One JSON object: `time` (ISO 8601, UTC), `level`, `logger`, `message`, and the fields that a record brings.

    Parameters
    ----------
    token : str, optional
        A secret that is never to be written.
    """

    def __init__(self, token: str | None = None) -> None:
        super().__init__()
        self._token = token

    def format(self, record: logging.LogRecord) -> str:
        """Return the text of a record."""
        seconds = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        fields: dict[str, Any] = {
            "time": f"{seconds}.{int(record.msecs):03}Z",
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        fields |= {name: value for name, value in vars(record).items() if name not in _STANDARD_FIELDS | fields.keys()}
        if record.exc_info:
            fields["exception"] = self.formatException(record.exc_info)
        return json.dumps({name: self._json_value(value) for name, value in fields.items()}, ensure_ascii=False)

    def _json_value(self, value: object) -> object:
        if value is None or isinstance(value, bool | int | float):
            return value
        return _redacted(self._token, str(value))


def _redacted(token: str | None, text: str) -> str:
    """Hide the token, also as Python and JSON write it inside of quotes."""
    if token:
        for form in (token, repr(token)[1:-1], json.dumps(token)[1:-1]):
            text = text.replace(form, "(hidden)")
    return text


@dataclass(slots=True)
class _Repeats:
    """Records of one kind, over `REPEAT_SECONDS`."""

    since: float
    newest: logging.LogRecord
    count: int
    left: int
    """How many more may be written."""
    counting: bool = False
    """Whether the count will be written."""


class RateLimitingHandler(logging.StreamHandler[TextIO]):
    """Writes records; what repeats is written once, and later counted.

    Warnings and above are of one kind if their messages differ in numbers only. Those that were left out are written as
    the newest with a count when `REPEAT_SECONDS` have passed, and so on as long as they come; with them all others of
    the same logger, in the order in which they came last, so that the last line says how things are.

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
        self.for_journald = False
        """Whether each line begins with its priority, as the journal reads it."""
        self._clock = clock
        self._later = later or _start_timer
        self._repeats: dict[tuple[str, int, str], _Repeats] = {}  # the one that came last is the last

    def format(self, record: logging.LogRecord) -> str:
        """Return the text of a record as it is written."""
        text = super().format(record)
        if self.for_journald:
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
        self._repeats = {
            k: repeats
            for k, repeats in self._repeats.items()
            if repeats.counting or now - repeats.since < REPEAT_SECONDS
        }
        repeats = self._repeats[kind] = self._repeats.pop(kind, _Repeats(now, record, 0, limit))
        repeats.newest = record
        repeats.count += 1
        if repeats.left:
            repeats.left -= 1
            super().emit(record)
        elif not repeats.counting:
            repeats.counting = True
            self._later(REPEAT_SECONDS - (now - repeats.since), lambda: self._write_counts(kind))

    def close(self) -> None:
        """Write what was only counted so far."""
        for kind in list(self._repeats):
            self._write_counts(kind)
        super().close()

    def _write_counts(self, kind: tuple[str, int, str]) -> None:
        """Write the counts of a logger when those of one kind are due, and go on counting."""
        self.acquire()
        try:
            due = self._repeats.get(kind)
            if due is not None and due.counting:
                for other, repeats in list(self._repeats.items()):
                    if repeats.counting and other[0] == kind[0]:
                        self._write_count(repeats)
                        self._repeats[other] = _Repeats(self._clock(), repeats.newest, 0, 0)
        finally:
            self.release()

    def _write_count(self, repeats: _Repeats) -> None:
        seconds = max(1, round(self._clock() - repeats.since))
        times = "once" if repeats.count == 1 else f"{repeats.count} times"
        record = logging.makeLogRecord(vars(repeats.newest))
        record.msg, record.args = f"{repeats.newest.getMessage()} ({times} in {seconds} s)", ()
        record.repeated, record.seconds = repeats.count, seconds
        super().emit(record)


def _start_timer(seconds: float, call: Callable[[], None]) -> None:
    timer = threading.Timer(seconds, call)
    timer.daemon = True
    timer.start()
