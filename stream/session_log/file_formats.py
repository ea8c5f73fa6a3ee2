"""Records as a file, byte for byte as the dashboard writes it: JSON, CSV, labels for Audacity."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, Final

from stream.session_log.records import Record, Session

CSV_START: Final = "\ufeff"
"""Byte order mark, by which spreadsheets know UTF-8."""

_VERSION: Final = 2  # of the JSON, for those who read it
_KINDS: Final = ("segment", "guess", "mark", "outage")
_COLUMNS: Final = (
    *("kind", "start", "end", "start_utc", "end_utc", "state", "label", "confidence", "text"),
    *("source", "model", "run", "start_local", "end_local"),
)
_SPACE: Final = (
    "\\t\\n\\v\\f\\r \\u00a0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000\\ufeff"  # JavaScript's \s
)
# A spreadsheet runs what begins like a formula, whoever wrote it; with an apostrophe before it, it is a text.
_FORMULA: Final = re.compile(f"[{_SPACE}]*[=+\\-@\uff1d\uff0b\uff0d\uff20]|[\\t\\r\\n]")
_BLANK: Final = re.compile(f"[{_SPACE}\\x00-\\x1f\\x7f-\\x9f]+")
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Span:
    """From when to when, as Unix time in seconds."""

    start: float
    end: float


def clip(records: Iterable[Record], span: Span, closed: bool = False) -> list[Record]:
    """Leave out what lies outside of a span, and cut what reaches out.

    Parameters
    ----------
    records : iterable of Record
    span : Span
    closed : bool
        Whether the span ended before what is known: what has no end yet is cut there, too.

    Returns
    -------
    list of Record
        By kind, and by start within it.
    """
    clipped = []
    for record in records:
        end = math.inf if record.end is None else record.end
        if record.kind == "mark":
            if span.start <= record.start <= span.end:
                clipped.append(record)
        elif end > span.start and (record.start < span.end or (record.end is None and record.start == span.end)):
            last = None if record.end is None and not closed else min(end, span.end)
            clipped.append(replace(record, start=max(record.start, span.start), end=last))
    return sorted(
        (record for record in clipped if record.kind in _KINDS),
        key=lambda record: (_KINDS.index(record.kind), record.start),
    )


def to_json(records: Sequence[Record], span: Span, session: Session | None = None, utc: bool = False) -> str:
    """Write records, as `clip` returns them, as one JSON object.

    Parameters
    ----------
    records : sequence of Record
    span : Span
        Times count from its start.
    session : Session, optional
        The one that it is, which says what was listened to if there are no records.
    utc : bool
        Whether times of the day are told in UTC only, not in local time, too.
    """

    def clock(name: str, time: float | None) -> dict[str, Any]:
        told = {f"{name}_utc": None if time is None else _utc(time)}
        return told if utc else told | {f"{name}_local": None if time is None else _local(time)}

    def times(start: float, end: float | None) -> dict[str, Any]:
        return {
            "start": _rounded(start - span.start, 3),
            "end": None if end is None else _rounded(end - span.start, 3),
            **clock("start", start),
            **clock("end", end),
        }

    groups: dict[str, list[dict[str, Any]]] = {kind: [] for kind in _KINDS}
    for record in records:
        whose = {"source": record.source, "model": record.model, "run": record.run}
        if record.line is not None:
            whose = {"line": record.line, **whose}
        match record.kind:
            case "mark":
                time = {"time": _rounded(record.start - span.start, 3), **clock("time", record.start)}
                groups["mark"].append(time | {"text": record.text or ""} | whose)
            case "outage":
                groups["outage"].append(times(record.start, record.end) | {"reason": record.text} | whose)
            case "guess":
                fields = {"label": record.label, "confidence": _confidence(record)}
                groups["guess"].append(times(record.start, record.end) | fields | whose)
            case "segment":
                fields = {"state": record.state, "label": record.label, "confidence": _confidence(record)}
                groups["segment"].append(times(record.start, record.end) | fields | whose)
    runs, sources, models = ((session.run,), session.sources, session.models) if session else ((), (), ())
    # Who lost the input says what that was; what was heard is what was not lost.
    heard = [record for record in records if record.kind != "outage"]
    whole = {
        "soloist": _VERSION,
        "about": "Times are seconds since `start_utc`, and are those at which Soloist knew.",
        **times(span.start, span.end),
        "source": _only([record.source for record in heard] or sources),
        "model": _only([record.model for record in heard] or models),
        "run": _only([record.run for record in heard] or runs),
        "segments": groups["segment"],
        "guesses": groups["guess"],
        "marks": groups["mark"],
        "outages": groups["outage"],
    }
    return json.dumps(whole, indent=1, ensure_ascii=False) + "\n"


def to_csv(records: Sequence[Record], span: Span, utc: bool = False) -> str:
    """Write records as RFC 4180 has it, with the byte order mark by which spreadsheets know UTF-8.

    For the parameters see `to_json`.
    """
    rows: list[Sequence[str]] = [_COLUMNS]
    for record in sorted(records, key=lambda record: record.start):
        end = None if record.kind == "mark" else record.end
        rows.append(
            (
                record.kind,
                fixed(record.start - span.start, 3),
                "" if end is None else fixed(end - span.start, 3),
                _utc(record.start),
                "" if end is None else _utc(end),
                without_formula(record.state or ""),
                without_formula(record.label or ""),
                "" if record.confidence is None else fixed(record.confidence, 4),
                without_formula(_outage_text(record) if record.kind == "outage" else record.text or ""),
                *(without_formula(text or "") for text in (record.source, record.model, record.run)),
                _local(record.start),
                "" if end is None else _local(end),
            )
        )
    columns = len(_COLUMNS) - (2 if utc else 0)
    return CSV_START + csv_lines(row[:columns] for row in rows)


def csv_lines(rows: Iterable[Sequence[str]]) -> str:
    """Write rows of a CSV file; `without_formula` is for the cells whose text came from elsewhere."""
    return "".join(",".join(map(_quoted, row)) + "\r\n" for row in rows)


def to_audacity(records: Sequence[Record], span: Span) -> str:
    """Write records as labels for "File, Import, Labels": start, end and text, a line each. A mark is a point."""
    lines = []
    for record in sorted(records, key=lambda record: record.start):
        end: float | None = record.end
        match record.kind:
            case "mark":
                end, text = record.start, f"Mark: {record.text or ''}"
            case "outage":
                text = f"No input: {_outage_text(record)}"
            case "guess":
                text = f"{_on(record)}guess: {record.label} {_percent(_confidence(record))}"
            case _:
                name = _on(record) + (record.label or record.state or "")
                text = f"{name} {_percent(_confidence(record))}" if _confidence(record) > 0 else name
        end = max(span.end, record.start) if end is None else end
        at = "\t".join(fixed(time - span.start, 6) for time in (record.start, end))
        lines.append(f"{at}\t{_BLANK.sub(' ', text).strip(' ')}\n")
    return "".join(lines)


def _on(record: Record) -> str:
    """Return the line of a record, as the beginning of what is told of it."""
    return "" if record.line is None else f"{record.line}: "


def _confidence(record: Record) -> float | int:
    return _rounded(record.confidence or 0.0, 4)


def _round(number: float) -> int:
    """Round as JavaScript's Math.round does: halves up."""
    return math.floor(number + 0.5)


def _outage_text(outage: Record) -> str:
    return f"{outage.source or ''}: {outage.text}" if outage.text else outage.source or ""


def _rounded(number: float, places: int) -> float | int:
    """Round a number; a whole one is written without a point, as JavaScript does."""
    rounded = float(fixed(number, places))
    return int(rounded) if rounded.is_integer() else rounded


def fixed(number: float, digits: int) -> str:
    """Write a number as JavaScript's toFixed does: exactly, and halves away from zero."""
    return str(Decimal(number).quantize(Decimal(1).scaleb(-digits), ROUND_HALF_UP))


def _utc(time: float) -> str:
    """Write a Unix time; nothing comes of one beyond the calendar."""
    found = _at(time)
    return "" if found is None else found.replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"


def _local(time: float) -> str:
    """Write a Unix time in the local one, with what that is ahead of UTC: an hour that comes twice is told apart."""
    found = _at(time)
    try:
        return "" if found is None else found.astimezone().isoformat(timespec="milliseconds")
    except (OverflowError, ValueError, OSError):
        return ""


def _at(time: float) -> datetime | None:
    try:
        return _EPOCH + timedelta(milliseconds=_round(1000 * time))
    except (OverflowError, ValueError):
        return None


def _only(names: Sequence[str | None]) -> str | None:
    """Return what all are, if they are the same."""
    return names[0] if len(set(names)) == 1 else None


def _percent(probability: float) -> str:
    return f"{_round(100 * probability)}%"


def without_formula(text: str) -> str:
    """Keep a spreadsheet from taking a text for a formula."""
    return f"'{text}" if _FORMULA.match(text) else text


def _quoted(text: str) -> str:
    return '"' + text.replace('"', '""') + '"' if re.search('[",\r\n]', text) else text
