"""`soloist sessions`: what was heard before."""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path
from typing import Final

from stream.cli.argument_parser import add_action
from stream.errors import LogError
from stream.system.terminal import printable

HELP = "list, export and copy what was heard before"

_TITLES: Final = ("id", "begin", "length", "source", "model", "segments")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add which log it is, and what can be done with a session."""
    _add_log(parser)
    parser.set_defaults(execute=list_sessions, log=None)
    actions = parser.add_subparsers(metavar="ACTION")
    exported = add_action(actions, "export", "write one to standard output, as the dashboard writes it", export_session)
    exported.add_argument("id", type=int, metavar="ID", help="its number in the list")
    exported.add_argument("--format", choices=["json", "csv", "audacity"], default="json", help="of the file (json)")
    _add_log(exported)
    copied = add_action(actions, "copy", "copy all to a file, also while the service runs", copy_sessions)
    copied.add_argument("file", metavar="FILE", help="the copy, which is whole by itself; a new file")
    _add_log(copied)


def _add_log(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--log", metavar="FILE", help="the session log, if it is not where the settings say")


def list_sessions(options: argparse.Namespace) -> int:
    """Tell what was heard before."""
    sys.stdout.write(table(_path(options)))
    return 0


def export_session(options: argparse.Namespace) -> int:
    """Write what was heard in one session."""
    text = session_as_text(_path(options), options.id, options.format)
    sys.stdout.buffer.write(text.encode())  # the files are UTF-8, whatever the terminal is
    sys.stdout.flush()
    return 0


def copy_sessions(options: argparse.Namespace) -> int:
    """Write a copy of all that was heard, also while the service writes it down."""
    from stream.session_log.reader import LogReader

    with LogReader(_path(options)) as reader:
        reader.copy(options.file)
    return 0


def _path(options: argparse.Namespace) -> Path:
    """Return where the log is: where a flag says, or where the service writes it."""
    from stream.settings.reading import load

    if options.log is not None:
        return Path(options.log)
    settings = load({}, os.environ, os.environ.get("SOLOIST_CONFIG")).session_log
    if settings.is_off:
        raise LogError('session_log is "off": there is no log; name one with --log')
    return settings.path(os.environ)


def table(file: Path) -> str:
    """List the sessions of a log, the oldest first, one in each line."""
    from stream.session_log.reader import LogReader

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


def session_as_text(file: Path, number: int, form: str) -> str:
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
    from stream.session_log import file_formats
    from stream.session_log.reader import LogReader

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
