"""The session log as the service sees it: it takes what happens at once, and a thread writes it down."""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from stream.protocol.messages import Guess, Hello, Label, Mark, Message, Outage, Segment
from stream.session_log.store import BYTES, DAYS, Entry, Pulse, Stream
from stream.session_log.writer import RETRY_SECONDS, Scribe

_LONGEST: Final = 1000  # characters of a text
_LONGEST_LABEL: Final = 200
_MOST_LABELS: Final = 256
_NAME: Final = "sessions.db"

_log = logging.getLogger(__name__)


class Journal:
    """Writes down what is heard, and goes on without a word of complaint to the audio when that is impossible.

    All but `close` and `flush` return at once and never raise. Of what is added at most the last second is lost,
    whatever happens to the process or the power.

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
    """

    def __init__(
        self,
        path: str | Path,
        max_days: float = DAYS,
        max_bytes: int = BYTES,
        retry_seconds: Sequence[float] = RETRY_SECONDS,
    ) -> None:
        self.path = Path(path)
        self._scribe = Scribe(self.path, max_days, max_bytes, retry_seconds)
        self._stream: Stream | None = None
        self._stretch: tuple[float, str, str | None] | None = None  # since, state and label of the present segment
        self._confidence = 0.0  # sum over it
        self._labels = 0  # of which it is made

    @property
    def fault(self) -> str | None:
        """Why nothing is written now and what to do about it, in one line."""
        return self._scribe.fault

    @property
    def written(self) -> int:
        """Events that are on the disk."""
        return self._scribe.written

    @property
    def missed(self) -> int:
        """Events that are lost, because the log could not be written for too long."""
        return self._scribe.missed

    def add(self, message: Message) -> None:
        """Write down what happened. What the log does not hold is passed over; a `Hello` begins a stream."""
        if isinstance(message, Hello):
            self.begin(message)
            return
        stream = self._stream
        if stream is None:
            return
        match message:
            case Label():
                self._follow(stream, message)
            case Segment(start, end, state, label, confidence):
                self._put(Entry(stream, "segment", start, end, state, label, confidence))
            case Guess(start, end, label, confidence):
                self._put(Entry(stream, "guess", start, end, None, label, confidence))
            case Mark(time, text):
                self._put(Entry(stream, "mark", time, time, text=text))
            case Outage(start, end, source, reason):
                self._put(Entry(stream, "outage", start, end, source=source, text=reason))
            case _:
                pass

    def begin(self, hello: Hello) -> None:
        """Say what is listened to from now on.

        Another run of the service is another stream, whose time begins anew; so is another Unix time, where no run is
        named.
        """
        if not math.isfinite(hello.utc):
            return
        labels = tuple(_clean(label)[:_LONGEST_LABEL] for label in hello.labels[:_MOST_LABELS])
        run = _clean(hello.run) or None
        stream = Stream(hello.utc, _clean(hello.server), _clean(hello.model), _clean(hello.source), labels, run)
        now, last = (None if it is None else it.run or it.utc for it in (stream, self._stream))
        if now != last:
            self._stretch = None
        self._stream = stream

    def flush(self, timeout: float) -> bool:
        """Wait until everything that was added is written, at most some seconds, and tell whether it is."""
        return self._scribe.flush(timeout)

    def close(self, timeout: float = 0.5) -> bool:
        """Write what is left, as far as it goes in some seconds, and tell whether it is written."""
        self._stream = None
        return self._scribe.close(timeout)

    def _follow(self, stream: Stream, label: Label) -> None:
        """Take in a hop. A segment is written down when it begins: there may be no time for it at its end."""
        stretch = (label.since, label.state, label.label)
        if stretch != self._stretch:
            self._stretch, self._confidence, self._labels = stretch, 0.0, 0
            self._put(Entry(stream, "segment", label.since, None, label.state, label.label))
        self._confidence += label.confidence
        self._labels += 1
        sure = self._confidence / self._labels
        if math.isfinite(label.time) and math.isfinite(sure):
            is_lasting = label.state not in ("silence", "warming")
            self._scribe.beat(Pulse(stream, round(label.time, 4), round(sure, 4), is_lasting))

    def _put(self, entry: Entry) -> None:
        """Hand over an entry with its numbers as in messages and texts that can be written."""
        if not all(math.isfinite(it) for it in (entry.start, entry.until, entry.confidence) if it is not None):
            return  # no message can tell it either
        self._scribe.put(
            replace(
                entry,
                start=round(entry.start, 4),
                until=None if entry.until is None else round(entry.until, 4),
                confidence=None if entry.confidence is None else round(entry.confidence, 4),
                label=None if entry.label is None else _clean(entry.label),
                source=None if entry.source is None else _clean(entry.source),
                text=None if entry.text is None else _clean(entry.text),
            )
        )


def _clean(text: str) -> str:
    """Return a text without what UTF-8 has no bytes for, and not longer than anybody reads."""
    return text[:_LONGEST].encode("utf-8", "replace").decode()


def default_path(variables: Mapping[str, str]) -> Path:
    """Where the log is unless somebody says otherwise: in systemd's state folder of the service, or in the user's."""
    if folder := variables.get("STATE_DIRECTORY"):
        return Path(folder.partition(":")[0]) / _NAME
    home = Path(variables.get("HOME", "~")).expanduser()
    return Path(variables.get("XDG_STATE_HOME") or home / ".local" / "state") / "soloist" / _NAME
