"""The sessions of a log for people, and one of them as a file."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Final

from stream.errors import LogError
from stream.session_log import file_formats
from stream.session_log.reader import LogReader
from stream.session_log.settings import SessionLogSettings
from stream.system.terminal import printable

_TITLES: Final = ("id", "begin", "length", "source", "model", "segments")


def path(settings: SessionLogSettings) -> Path:
    """Where the log is.

    Raises
    ------
    LogError
        When the settings say that there is none.
    """
    if settings.is_off:
        raise LogError('session_log is "off": there is no log; name one with --log')
    return settings.path(os.environ)


def table(file: Path) -> str:
    """List the sessions of a log, the oldest first, one in each line."""
    with LogReader(file) as reader:
        rows = [
            (
                str(it.id),
                time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(it.start)),
                _length(it.end - it.start),
                printable(it.source),
                printable(it.model),
                str(sum(record.kind == "segment" for record in reader.records(session=it.id))),
            )
            for it in reader.sessions()
        ]
    widths = [max(map(len, column)) for column in zip(_TITLES, *rows, strict=True)]
    lines = ("  ".join(f"{cell:{width}}" for cell, width in zip(row, widths, strict=True)) for row in (_TITLES, *rows))
    return "".join(f"{line.rstrip()}\n" for line in lines)


def export_session(file: Path, number: int, form: str) -> str:
    """Write a session as the dashboard writes one.

    Parameters
    ----------
    file : Path
        The log.
    number : int
        The session's id.
    form : {"json", "csv", "audacity"}

    Raises
    ------
    LogError
        When the log cannot be read or has no such session.
    """
    with LogReader(file) as reader:
        session = next((it for it in reader.sessions() if it.id == number), None)
        if session is None:
            raise LogError(f"session log {file} has no session {number}; soloist sessions lists those that it has")
        span = file_formats.Span(session.start, session.end)
        records = file_formats.clip(reader.records(session=number), span)
    if form == "csv":
        return file_formats.to_csv(records, span)
    if form == "audacity":
        return file_formats.to_audacity(records, span)
    return file_formats.to_json(records, span, session.source, session.model)


def _length(seconds: float) -> str:
    """Write seconds as hours, minutes and seconds."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02}:{rest:02}"
