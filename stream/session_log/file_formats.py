"""Records as a file, byte for byte as the dashboard writes it: JSON, CSV, labels for Audacity."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, Final

from stream.session_log.reader import Record

CSV_START: Final = "\ufeff"
"""Byte order mark, by which spreadsheets know UTF-8."""

_VERSION: Final = 1  # of the JSON, for those who read it
_KINDS: Final = ("segment", "guess", "mark", "outage")
_COLUMNS: Final = ("kind", "start", "end", "start_utc", "end_utc", "state", "label", "confidence", "text")
_SPACE: Final = (
    "\\t\\n\\v\\f\\r \\u00a0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000\\ufeff"  # JavaScript's \s
)
# A spreadsheet runs what begins like a formula, whoever wrote it; with an apostrophe before it, it is a text.
_FORMULA: Final = re.compile(f"[{_SPACE}]*[=+\\-@\uff1d\uff0b\uff0d\uff20]|[\\t\\r\\n]")
_BLANK: Final = re.compile(f"[{_SPACE}\\x00-\\x1f\\x7f-\\x9f]+")
_EPOCH: Final = datetime(1970, 1, 1)


@dataclass(frozen=True, slots=True)
class Span:
    """From when to when, as Unix time in seconds."""

    start: float
    end: float


def clip(records: Iterable[Record], span: Span) -> list[Record]:
    """Leave out what lies outside of a span, and cut what reaches out.

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
        elif end > span.start and record.start < span.end:
            last = None if record.end is None else min(record.end, span.end)
            clipped.append(replace(record, start=max(record.start, span.start), end=last))
    return sorted(
        (record for record in clipped if record.kind in _KINDS),
        key=lambda record: (_KINDS.index(record.kind), record.start),
    )


def to_json(records: Sequence[Record], span: Span, source: str | None, model: str | None) -> str:
    """Write records, as `clip` returns them, as one JSON object.

    Parameters
    ----------
    records : sequence of Record
    span : Span
        Times count from its start.
    source : str or None
        What was listened to, if that is one thing.
    model : str or None
    """

    def times(start: float, end: float | None) -> dict[str, Any]:
        return {
            "start": _rounded(start - span.start, 3),
            "end": None if end is None else _rounded(end - span.start, 3),
            "start_utc": _utc(start),
            "end_utc": None if end is None else _utc(end),
        }

    groups: dict[str, list[dict[str, Any]]] = {kind: [] for kind in _KINDS}
    for record in records:
        match record.kind:
            case "mark":
                time = {"time": _rounded(record.start - span.start, 3), "time_utc": _utc(record.start)}
                groups["mark"].append(time | {"text": record.text or ""})
            case "outage":
                fields: dict[str, Any] = {"source": record.source, "reason": record.text}
                groups["outage"].append(times(record.start, record.end) | fields)
            case "guess":
                fields = {"label": record.label, "confidence": _confidence(record)}
                groups["guess"].append(times(record.start, record.end) | fields)
            case "segment":
                fields = {"state": record.state, "label": record.label, "confidence": _confidence(record)}
                groups["segment"].append(times(record.start, record.end) | fields)
    whole = {
        "soloist": _VERSION,
        "about": "Times are seconds since `start_utc`, and are those at which Soloist knew.",
        "session": None,  # only the dashboard has sessions that somebody began
        **times(span.start, span.end),
        "source": source,
        "model": model,
        "segments": groups["segment"],
        "guesses": groups["guess"],
        "marks": groups["mark"],
        "outages": groups["outage"],
    }
    return json.dumps(whole, indent=1, ensure_ascii=False) + "\n"


def to_csv(records: Sequence[Record], span: Span) -> str:
    """Write records as RFC 4180 has it, with the byte order mark by which spreadsheets know UTF-8."""
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
            )
        )
    return CSV_START + csv_lines(rows)


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
                text = f"guess: {record.label} {_percent(_confidence(record))}"
            case _:
                name = record.label or record.state or ""
                text = f"{name} {_percent(_confidence(record))}" if _confidence(record) > 0 else name
        end = max(span.end, record.start) if end is None else end
        at = "\t".join(fixed(time - span.start, 6) for time in (record.start, end))
        lines.append(f"{at}\t{_BLANK.sub(' ', text).strip(' ')}\n")
    return "".join(lines)


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
    try:
        return (_EPOCH + timedelta(milliseconds=_round(1000 * time))).isoformat(timespec="milliseconds") + "Z"
    except (OverflowError, ValueError):
        return ""


def _percent(probability: float) -> str:
    return f"{_round(100 * probability)}%"


def without_formula(text: str) -> str:
    """Keep a spreadsheet from taking a text for a formula."""
    return f"'{text}" if _FORMULA.match(text) else text


def _quoted(text: str) -> str:
    return '"' + text.replace('"', '""') + '"' if re.search('[",\r\n]', text) else text
