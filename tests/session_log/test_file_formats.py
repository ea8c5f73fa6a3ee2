"""What was heard as a file: the same bytes from the log as from the dashboard."""

from __future__ import annotations

import contextlib
import csv
import io
import json
import math
import re
import shutil
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from stream.protocol.messages import Mark, Outage
from stream.session_log.file_formats import Span, clip, to_audacity, to_csv, to_json
from stream.session_log.records import Listening, Record, Session
from stream.session_log.session_log import SessionLog
from tests.support.log_writing import UTC, hello, label, segment

ROOT = Path(__file__).parents[2]
EXPORT = ROOT / "web" / "export.js"
DOCUMENTATION = ROOT / "docs" / "session-log.md"

SPAN = Span(UTC + 0.0625, UTC + 40.0005)
A, B = ("a", "lead"), ("b", "small")
"""Run and model."""
ODD = 'the "bridge", loud\nand\u00a0\tlong \u2028 é \x07'
GUITAR = "distorted electric guitar"
RECORDS = [
    Record(1, "segment", UTC - 3, UTC + 2.9722, "warming", None, 0.0, "USB", None, *A),
    Record(1, "segment", UTC + 2.9722, UTC + 12.125, "instrument", GUITAR, 0.8765, "USB", None, *A),
    Record(1, "guess", UTC + 4.5, UTC + 7.0005, None, "flute", 0.155, "USB", None, *A),
    Record(1, "mark", UTC + 5.0, UTC + 5.0, None, None, None, "USB", ODD, *A),
    Record(1, "mark", UTC + 5.0, UTC + 5.0, None, None, None, "USB", "=HYPERLINK(1)", *A),
    Record(1, "mark", UTC + 6.0, UTC + 6.0, None, None, None, "USB", "\ufeff  +1 \ufeff", *A),
    Record(1, "mark", UTC + 7.0, UTC + 7.0, None, None, None, "USB", "\uff1d\U0001f3ba", *A),
    Record(1, "segment", UTC + 12.125, UTC + 20, "unknown", None, 1.0, "USB", None, *A),
    Record(1, "outage", UTC + 20, UTC + 31.5, None, None, None, "USB, left", "it was unplugged", *A),
    Record(2, "segment", UTC + 20, UTC + 50, "silence", None, 0.0, "USB", None, *B),
    Record(2, "outage", UTC + 39, None, None, None, None, "USB", "", *B),
    Record(2, "mark", UTC + 60, UTC + 60, None, None, None, "USB", "later", *B),
]


def from_dashboard(records: list[Record], span: Span, session: Session) -> dict[str, str]:
    """Let the dashboard's own code write the same."""
    node = shutil.which("node")
    if node is None:
        pytest.skip("needs node, which runs the dashboard's code")

    def only(kind: str, **fields: str) -> list[dict[str, Any]]:
        return [{name: getattr(it, ours) for name, ours in fields.items()} for it in records if it.kind == kind]

    whose = {"source": "source", "model": "model", "run": "run"}
    stretch = {"start": "start", "end": "end", "label": "label", "confidence": "confidence", **whose}
    heard = {
        "span": {"start": span.start, "end": span.end},
        "segments": only("segment", state="state", **stretch),
        "guesses": only("guess", **stretch),
        "marks": only("mark", time="start", text="text", **whose),
        "outages": only("outage", start="start", end="end", reason="text", **whose),
    }
    origin = {"source": session.sources[0], "model": session.models[0], "run": session.run, "now": span.end}
    script = (
        f"import {{ toJson, toCsv, toAudacity }} from {json.dumps(EXPORT.as_uri())};"
        "let text = ''; for await (const part of process.stdin) text += part;"
        "const [heard, origin] = JSON.parse(text);"
        "console.log(JSON.stringify({ json: toJson(heard, origin), csv: toCsv(heard),"
        " audacity: toAudacity(heard, origin) }));"
    )
    done = subprocess.run(
        [node, "--no-warnings", "--input-type=module", "-e", script],
        input=json.dumps([heard, origin]), capture_output=True, text=True, check=True,
    )  # fmt: skip
    return dict(json.loads(done.stdout))


def shifted(seconds: float) -> tuple[list[Record], Span]:
    """Return the same records and span at another time."""
    records = [
        replace(it, start=it.start + seconds, end=None if it.end is None else it.end + seconds) for it in RECORDS
    ]
    return records, Span(SPAN.start + seconds, SPAN.end + seconds)


@pytest.fixture
def berlin(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The clocks of Berlin, on which the hour from two to three comes twice on 25 October 2026."""
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


AUTUMN = datetime.fromisoformat("2026-10-25T00:59:50Z").timestamp()
"""Ten seconds before the clocks of Berlin go back from three to two."""


@pytest.mark.parametrize(
    ("records", "span"), [shifted(0), shifted(AUTUMN - UTC), ([], SPAN)], ids=["much", "clocks go back", "nothing"]
)
def test_the_files_are_those_of_the_dashboard(berlin: None, records: list[Record], span: Span) -> None:
    """JSON, CSV and labels have the same bytes as those that the dashboard writes of the same."""
    clipped = clip(records, span)
    session = Session(1, "a", UTC, UTC, "soloist", [Listening(UTC, "USB", "lead", [])])
    expected = from_dashboard(clipped, span, session)
    assert to_json(clipped, span, session) == expected["json"]
    assert to_csv(clipped, span) == expected["csv"]
    assert to_audacity(clipped, span) == expected["audacity"]


def test_an_hour_that_comes_twice_is_told_apart(berlin: None) -> None:
    """Local times say what they are ahead of UTC, in JSON and CSV; with UTC alone there are none."""
    records, span = shifted(AUTUMN - UTC)
    clipped = clip(records, span)
    told = json.loads(to_json(clipped, span))
    assert [(it["start_utc"], it["start_local"]) for it in told["segments"][1:3]] == [
        ("2026-10-25T00:59:52.972Z", "2026-10-25T02:59:52.972+02:00"),
        ("2026-10-25T01:00:02.125Z", "2026-10-25T02:00:02.125+01:00"),
    ]
    assert told["marks"][0]["time_local"] == "2026-10-25T02:59:55.000+02:00"
    rows = list(csv.DictReader(io.StringIO(to_csv(clipped, span).removeprefix("\ufeff"), newline="")))
    assert [row["end_local"] for row in rows if row["kind"] == "segment"][1:3] == [
        "2026-10-25T02:00:02.125+01:00",
        "2026-10-25T02:00:10.000+01:00",
    ]
    assert "local" not in to_json(clipped, span, utc=True) + to_csv(clipped, span, utc=True)


def test_what_lies_outside_is_left_out_and_what_reaches_out_is_cut() -> None:
    """The first and the last segment end with the span, a mark after it is left out, an open outage stays open."""
    clipped = clip(RECORDS, SPAN)
    segments = [it for it in clipped if it.kind == "segment"]
    assert (segments[0].start, segments[-1].end) == (SPAN.start, SPAN.end)
    assert [it.kind for it in clipped] == 4 * ["segment"] + ["guess"] + 4 * ["mark"] + 2 * ["outage"]
    assert clipped[-1].end is None
    assert clip(RECORDS, SPAN, closed=True)[-1].end == SPAN.end


def test_the_json_tells_times_from_the_start_and_on_the_calendar() -> None:
    """Times are seconds since the start, with milliseconds, and UTC beside them."""
    told = json.loads(to_json(clip(RECORDS, SPAN), SPAN, utc=True))
    assert (told["source"], told["model"], told["run"], told["start"], told["end"]) == ("USB", None, None, 0, 39.938)
    assert told["start_utc"] == "2026-05-28T20:26:40.063Z"
    assert told["segments"][1] == {
        "start": 2.91, "end": 12.063, "start_utc": "2026-05-28T20:26:42.972Z", "end_utc": "2026-05-28T20:26:52.125Z",
        "state": "instrument", "label": "distorted electric guitar", "confidence": 0.8765,
        "source": "USB", "model": "lead", "run": "a",
    }  # fmt: skip


def test_a_time_beyond_the_calendar_is_left_out() -> None:
    """A clock that is wrong by ages does not keep a file from being written."""
    far = Record(1, "mark", 1e15, 1e15, None, None, None, None, "far")
    span = Span(1e15 - 1, 1e15 + 1)
    assert ",," in to_csv(clip([far], span), span)
    assert math.isclose(json.loads(to_json(clip([far], span), span))["marks"][0]["time"], 1)


def test_what_the_documentation_asks_is_answered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The queries in docs/session-log.md and its Python run on a log."""
    monkeypatch.chdir(tmp_path)
    session_log = SessionLog("sessions.db")
    start = time.time() - 100
    session_log.add(hello(start))
    session_log.add(segment(0.0, 30.0))
    session_log.add(Mark(20.0, "bridge"))
    session_log.add(Outage(30.0, 40.0, "USB", "unplugged"))
    session_log.add(label(42.0, 30.0, "flute", 0.75))
    assert session_log.close(10)
    text = DOCUMENTATION.read_text(encoding="utf-8")
    with contextlib.closing(sqlite3.connect("sessions.db")) as db:
        minutes, notes, outages = (
            db.execute(query).fetchall() for query in re.findall(r"```sql\n(.*?)```", text, re.DOTALL)
        )
    assert minutes == [("violin", 0.5, 0.5), ("flute", 0.2, 0.75)]
    assert [row[1:] for row in notes] == [("bridge", "violin")]
    assert [row[1:] for row in outages] == [(10.0, "USB", "unplugged")]
    told = io.StringIO()
    (program,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    with contextlib.redirect_stdout(told):
        exec(program)
    assert told.getvalue().splitlines() == [
        "0.000000\t30.000000\tviolin 50%",
        "20.000000\t20.000000\tMark: bridge",
        "30.000000\t42.000000\tflute 75%",
        "30.000000\t40.000000\tNo input: USB: unplugged",
        "",
    ]
