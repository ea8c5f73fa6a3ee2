"""`soloist sessions`: what was heard before."""

from __future__ import annotations

import argparse
import math
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from stream.cli.argument_parser import add_action
from stream.cli.times import first, last, parse_moment, written
from stream.errors import LogError
from stream.system.terminal import printable

HELP = "list, export and copy what was heard before"

_TITLES: Final = ("id", "begin", "length", "source", "model", "segments")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add which log it is, and what can be done with a session."""
    _add_log(parser)
    _add_utc(parser)
    parser.set_defaults(execute=list_sessions, log=None, utc=False, id=[], begin=None, end=None, line=None)
    actions = parser.add_subparsers(metavar="ACTION")
    exported = add_action(
        actions, "export", "write some to standard output, as the dashboard writes one", export_sessions
    )
    exported.add_argument("id", type=int, metavar="ID", nargs="*", help="their numbers in the list; all without any")
    exported.add_argument("--format", choices=["json", "csv", "audacity"], default="json", help="of the file (json)")
    exported.add_argument(
        "--from",
        type=parse_moment,
        metavar="TIME",
        dest="begin",
        help='only what was heard from then on: "2026-11-23 20:14", a date, or with a zone "2026-11-23T19:14:05Z"',
    )
    exported.add_argument(
        "--to", type=parse_moment, metavar="TIME", dest="end", help="only what was heard until then; a date: its end"
    )
    exported.add_argument(
        "--line", metavar="NAME|all", help="what was heard on a line, or on all of them, instead of the one in front"
    )
    _add_log(exported)
    _add_utc(exported)
    copied = add_action(actions, "copy", "copy all to a file, also while the service runs", copy_sessions)
    copied.add_argument("file", metavar="FILE", help="the copy, which is whole by itself; a new file")
    _add_log(copied)


def _add_utc(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--utc", action="store_true", default=argparse.SUPPRESS, help="times are UTC, where they name no zone"
    )


def _add_log(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--log", metavar="FILE", help="the session log, if it is not where the settings say")


def list_sessions(options: argparse.Namespace) -> int:
    """Tell what was heard before."""
    sys.stdout.write(table(_path(options), options.utc))
    return 0


def export_sessions(options: argparse.Namespace) -> int:
    """Write what was heard in some sessions, or in some time."""
    begin = None if options.begin is None else first(options.begin, options.utc)
    end = None if options.end is None else last(options.end, options.utc)
    if begin is not None and end is not None and begin > end:
        raise LogError(f"--from {options.begin.text} is after --to {options.end.text}")
    if not options.id and begin is None and end is None:
        raise LogError("name sessions by their ID, as soloist sessions lists them, or a time with --from and --to")
    text = sessions_as_text(_path(options), options.id, begin, end, options.format, options.utc, options.line)
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
    if options.log is not None:
        return Path(options.log)
    from stream.settings.reading import load  # takes time to import

    settings = load({}, os.environ, os.environ.get("SOLOIST_CONFIG")).session_log
    if settings.is_off:
        raise LogError('session_log is "off": there is no log; name one with --log')
    return settings.path(os.environ)


def table(file: Path, utc: bool = False) -> str:
    """List the sessions of a log, the oldest first, one in each line, with local times or UTC."""
    from stream.session_log.reader import LogReader

    with LogReader(file) as reader:
        counts = reader.segment_counts()
        rows = [
            (
                str(it.id),
                written(it.start, utc),
                _length(it.end - it.start),
                printable(", ".join(it.sources)),
                printable(", ".join(it.models)),
                str(counts.get(it.id, 0)),
            )
            for it in reader.sessions()
        ]
    widths = [max(map(len, column)) for column in zip(_TITLES, *rows, strict=True)]
    lines = ("  ".join(f"{cell:{width}}" for cell, width in zip(row, widths, strict=True)) for row in (_TITLES, *rows))
    return "".join(f"{line.rstrip()}\n" for line in lines)


def sessions_as_text(
    file: Path,
    numbers: Sequence[int],
    begin: float | None,
    end: float | None,
    form: str,
    utc: bool = False,
    line: str | None = None,
) -> str:
    """Write sessions as the dashboard writes one.

    Parameters
    ----------
    file : Path
        The log.
    numbers : sequence of int
        The sessions' ids; all that there are in the time without any.
    begin, end : float, optional
        Unix time in seconds, from which on and to which; what reaches out is cut.
    form : {"json", "csv", "audacity"}
    utc : bool
        Whether times of the day are in UTC only, not in local time, too.
    line : str, optional
        One of several lines, or ``all`` of them; the one in front without it.

    Raises
    ------
    LogError
        When the log cannot be read, or has no such session, or none in the time.
    """
    from stream.protocol.requests import ALL_LINES
    from stream.session_log import file_formats
    from stream.session_log.reader import LogReader
    from stream.session_log.records import of_lines

    since, until = -math.inf if begin is None else begin, math.inf if end is None else end
    with LogReader(file) as reader:
        known = {it.id: it for it in reader.sessions()}
        for number in numbers:
            if number not in known:
                raise LogError(f"session log {file} has no session {number}; soloist sessions lists those that it has")
        chosen, found = [], []
        for session in [known[number] for number in dict.fromkeys(numbers)] or known.values():
            records = list(reader.session_records(session, since, until))
            if line is not None:
                records = list(of_lines(records, None if line == ALL_LINES else line))
            if records or since <= session.end >= session.start <= until:  # an outage may last beyond what was heard
                chosen.append(session)
                found += records
    if not chosen:
        raise LogError(f"session log {file} has nothing of that time; soloist sessions lists what it has")
    # A time that is named is meant, also where nothing was heard at it: seconds count from there.
    span = file_formats.Span(
        min(it.start for it in chosen) if begin is None else begin,
        max(since, *(it.end for it in chosen)) if end is None else end,
    )
    records = file_formats.clip(found, span, closed=end is not None)
    if form == "csv":
        return file_formats.to_csv(records, span, utc)
    if form == "audacity":
        return file_formats.to_audacity(records, span)
    return file_formats.to_json(records, span, chosen[0] if len(chosen) == 1 else None, utc)


def _length(seconds: float) -> str:
    """Write seconds as hours, minutes and seconds."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02}:{rest:02}"
