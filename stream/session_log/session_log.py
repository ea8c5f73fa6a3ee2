"""The session log as the service uses it: messages go in, and a thread writes them to disk."""

from __future__ import annotations

import logging
import math
from collections import deque
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from stream.protocol.messages import Guess, Hello, Label, Mark, Message, Outage, Segment
from stream.session_log.records import LINE_KINDS
from stream.session_log.store import DEFAULT_MAX_BYTES, DEFAULT_MAX_DAYS, LogEntry, Progress, SessionHeader
from stream.session_log.writer import RETRY_SECONDS, LogWriter

_MAX_TEXT_LENGTH: Final = 1000  # characters of a text
_MAX_LABEL_LENGTH: Final = 200
_MAX_LABELS: Final = 256
_MAX_HEADERS: Final = 64  # sources and models of a run, of which the newest are remembered

_log = logging.getLogger(__name__)


class SessionLog:
    """Keeps what is heard on disk, without ever holding up the audio.

    All but `close` and `flush` return at once and never raise; what prevents writing is in `fault`. At most the last
    second of what was added is lost, whatever happens to the process or the power.

    Parameters
    ----------
    path : str or Path
        An SQLite file; what is there already is kept.
    max_days : float
        What is older than this is deleted.
    max_bytes : int
        Size of the log at the most. The oldest events make way.
    retry_seconds : sequence of float
        From one attempt to the next while the log cannot be written. The last one is repeated.
    channel : int, optional
        The one that is listened to, counted from 1; the average of all without it.
    port : int, optional
        The one that the service listens on.
    """

    def __init__(
        self,
        path: str | Path,
        max_days: float = DEFAULT_MAX_DAYS,
        max_bytes: int = DEFAULT_MAX_BYTES,
        retry_seconds: Sequence[float] = RETRY_SECONDS,
        channel: int | None = None,
        port: int | None = None,
    ) -> None:
        self.path = Path(path)
        self._channel, self._port = channel, port
        self._writer = LogWriter(self.path, max_days, max_bytes, retry_seconds)
        self._headers: deque[SessionHeader] = deque(maxlen=_MAX_HEADERS)  # of the run, oldest first
        self._segment: tuple[float, str, str | None] | None = None  # since, state and label of the open segment
        self._confidence_sum = 0.0  # over its hops
        self._hops = 0

    @property
    def fault(self) -> str | None:
        """Why nothing is written now and what to do about it, in one line."""
        return self._writer.fault

    @property
    def written(self) -> int:
        """Events that are on the disk."""
        return self._writer.written

    @property
    def missed(self) -> int:
        """Events that are lost, because the log could not be written for too long."""
        return self._writer.missed

    def add(self, message: Message) -> None:
        """Add a message. Types that the log does not hold are ignored; a `Hello` begins a session."""
        if isinstance(message, Hello):
            self.begin(message)
            return
        if not self._headers:
            return
        match message:
            case Label():
                self._add_hop(message)
            case Segment(start, end, state, label, confidence, line):
                self._put(LogEntry(self._header(start), "segment", start, end, state, label, confidence, text=line))
            case Guess(start, end, label, confidence, line):
                self._put(LogEntry(self._header(start), "guess", start, end, None, label, confidence, text=line))
            case Mark(time, text):
                self._put(LogEntry(self._header(time), "mark", time, time, text=text))
            case Outage(start, end, source, reason):
                self._put(LogEntry(self._header(start), "outage", start, end, source=source, text=reason))
            case _:
                pass

    def add_of_line(self, message: Segment | Guess) -> None:
        """Add what was heard on one of several lines, which the message names, once it has ended."""
        if self._headers:
            header, state = self._header(message.start), message.state if isinstance(message, Segment) else None
            heard = (message.start, message.end, state, message.label, message.confidence)
            self._put(LogEntry(header, LINE_KINDS[message.type], *heard, text=message.line))

    def begin(self, hello: Hello) -> None:
        """Begin a session, or another part of it.

        Another run of the service is another session, whose time begins anew; so is another Unix time, where no run is
        named.
        """
        if not (math.isfinite(hello.utc) and math.isfinite(hello.since)):
            return
        labels = tuple(_sanitized(label)[:_MAX_LABEL_LENGTH] for label in hello.labels[:_MAX_LABELS])
        run = _sanitized(hello.run) or None
        server, model, source = map(_sanitized, (hello.server, hello.model, hello.source))
        utc, since = round(hello.utc, 4), round(hello.since, 4)  # as they are told
        header = SessionHeader(utc, server, model, source, labels, run, since, self._channel, self._port)
        last = self._headers[-1] if self._headers else None
        if last is not None and last.name != header.name:
            self._headers.clear()
        if last is None or last.name != header.name:
            self._segment = None
        # All of the run is at another time when the clock was set; and what was named before any audio was not heard.
        kept = [replace(it, utc=header.utc) for it in self._headers if it.since < since]
        self._headers = deque([*kept, header], maxlen=_MAX_HEADERS)

    def flush(self, timeout: float) -> bool:
        """Wait until everything that was added is written, at most some seconds, and return whether it is."""
        return self._writer.flush(timeout)

    def close(self, timeout: float = 0.5) -> bool:
        """Write what is left, as far as it goes in some seconds, and return whether it is written."""
        self._headers.clear()
        return self._writer.close(timeout)

    def _header(self, start: float) -> SessionHeader:
        """Return what was listened to at a moment, and with what: a note may be about one long before."""
        found = next((it for it in reversed(self._headers) if it.since <= round(start, 4)), None)
        return found or self._headers[0]

    def _add_hop(self, label: Label) -> None:
        """Add a hop. A segment is written when it begins: there may be no time for it at its end."""
        segment = (label.since, label.state, label.label)
        if segment != self._segment:
            self._segment, self._confidence_sum, self._hops = segment, 0.0, 0
            header = self._header(label.since)
            self._put(LogEntry(header, "segment", label.since, None, label.state, label.label, text=label.line))
        self._confidence_sum += label.confidence
        self._hops += 1
        mean_confidence = self._confidence_sum / self._hops
        if math.isfinite(label.time) and math.isfinite(mean_confidence):
            is_durable = label.state not in ("silence", "warming")
            progress = Progress(self._headers[-1], round(label.time, 4), round(mean_confidence, 4), is_durable)
            self._writer.update_progress(progress)

    def _put(self, entry: LogEntry) -> None:
        """Queue an entry, rounded as in messages, with texts that can be written."""
        numbers = (entry.start, entry.until, entry.confidence)
        if not all(math.isfinite(number) for number in numbers if number is not None):
            return  # which no message can hold either
        self._writer.put(
            replace(
                entry,
                start=round(entry.start, 4),
                until=None if entry.until is None else round(entry.until, 4),
                confidence=None if entry.confidence is None else round(entry.confidence, 4),
                label=None if entry.label is None else _sanitized(entry.label),
                source=None if entry.source is None else _sanitized(entry.source),
                text=None if entry.text is None else _sanitized(entry.text),
            )
        )


def _sanitized(text: str) -> str:
    """Return a text without what UTF-8 has no bytes for, and not longer than anybody reads."""
    return text[:_MAX_TEXT_LENGTH].encode("utf-8", "replace").decode()
