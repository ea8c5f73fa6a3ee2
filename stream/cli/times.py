"""Times as people type and read them: local ones, or UTC."""

from __future__ import annotations

import argparse
import re
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple

_FORM: Final = re.compile(
    r"(?P<date>\d{4}-\d\d-\d\d)([T ](?P<time>\d\d:\d\d(:\d\d([.,]\d{1,6})?)?)\s*(?P<zone>[Zz]|[+-]\d\d(:?\d\d)?)?)?",
    re.ASCII,
)
_EXPECTED: Final = 'expected one like "2026-11-23 20:14", "2026-11-23T19:14:05Z", "...+01:00" or "2026-11-23"'


class Moment(NamedTuple):
    """What somebody typed."""

    text: str
    day: bool
    """Whether it is a whole day."""
    zoned: bool
    """Whether it says in which zone it is."""
    at: datetime


def parse_moment(text: str) -> Moment:
    """Read a date, or a date and a time of the day, perhaps with a zone; for argparse."""
    match = _FORM.fullmatch(text.strip())
    try:
        if match is None:
            raise ValueError
        date, time, zone = match["date"], match["time"] or "00:00", (match["zone"] or "").upper()
        hours, _, fraction = time.replace(",", ".").partition(".")
        if len(zone) == len("+01"):
            zone += "00"
        at = datetime.fromisoformat(f"{date}T{hours}.{fraction:0<6}{zone}" if fraction else f"{date}T{hours}{zone}")
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no time; {_EXPECTED}") from None
    return Moment(text, match["time"] is None, at.tzinfo is not None, at)


def first(moment: Moment, utc: bool) -> float:
    """Return the Unix time at which a span begins from there on: of an hour that comes twice, the first."""
    return min(_instants(moment.at, utc))


def last(moment: Moment, utc: bool) -> float:
    """Return the Unix time at which a span ends there: of an hour that comes twice the second, of a day its end."""
    return max(_instants(moment.at + timedelta(days=1) if moment.day else moment.at, utc))


def written(time: float, utc: bool) -> str:
    """Write a Unix time to the second, with its zone; one beyond the calendar as a number."""
    try:
        at = datetime.fromtimestamp(time, UTC)
        return f"{at:%Y-%m-%d %H:%M:%S}Z" if utc else at.astimezone().isoformat(" ", "seconds")
    except (OverflowError, ValueError, OSError):
        return f"{time:.0f}"


def _instants(at: datetime, utc: bool) -> list[float]:
    """Return the Unix times that it may be: two where the clock was put back, or forward over it."""
    if at.tzinfo is None and utc:
        at = at.replace(tzinfo=UTC)
    # In whole microseconds, so that what a file says to the millisecond is that number and none beside it.
    return [
        (at.replace(fold=fold).astimezone(UTC) - datetime(1970, 1, 1, tzinfo=UTC)) / timedelta(microseconds=1) / 1e6
        for fold in (0, 1)
    ]
