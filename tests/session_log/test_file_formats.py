"""What was heard as a file: the same bytes from the log as from the dashboard."""

from __future__ import annotations

import contextlib
import io
import json
import math
import re
import shutil
import sqlite3
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from stream.protocol.messages import Mark, Outage
from stream.session_log.file_formats import Span, clip, to_audacity, to_csv, to_json
from stream.session_log.reader import Record
from stream.session_log.session_log import SessionLog
from tests.support.log_writing import UTC, hello, label, segment

ROOT = Path(__file__).parents[2]
EXPORT = ROOT / "web" / "export.js"
DOCUMENTATION = ROOT / "docs" / "session-log.md"

SPAN = Span(UTC + 0.0625, UTC + 40.0005)
RECORDS = [
    Record(1, "segment", UTC - 3, UTC + 2.9722, "warming", None, 0.0, None, None),
    Record(1, "segment", UTC + 2.9722, UTC + 12.125, "instrument", "distorted electric guitar", 0.8765, None, None),
    Record(1, "guess", UTC + 4.5, UTC + 7.0005, None, "flute", 0.155, None, None),
    Record(
        1, "mark", UTC + 5.0, UTC + 5.0, None, None, None, None, 'the "bridge", loud\nand\u00a0\tlong \u2028 é \x07'
    ),
    Record(1, "mark", UTC + 5.0, UTC + 5.0, None, None, None, None, "=HYPERLINK(1)"),
    Record(1, "mark", UTC + 6.0, UTC + 6.0, None, None, None, None, "\ufeff  +1 \ufeff"),
    Record(1, "mark", UTC + 7.0, UTC + 7.0, None, None, None, None, "\uff1d\U0001f3ba"),
    Record(1, "segment", UTC + 12.125, UTC + 20, "unknown", None, 1.0, None, None),
    Record(1, "outage", UTC + 20, UTC + 31.5, None, None, None, "USB, left", "it was unplugged"),
    Record(2, "segment", UTC + 20, UTC + 50, "silence", None, 0.0, None, None),
    Record(2, "outage", UTC + 39, None, None, None, None, "USB", ""),
    Record(2, "mark", UTC + 60, UTC + 60, None, None, None, None, "later"),
]


def from_dashboard(records: list[Record], span: Span, source: str | None, model: str | None) -> dict[str, str]:
    """Let the dashboard's own code write the same."""
    node = shutil.which("node")
    if node is None:
        pytest.skip("needs node, which runs the dashboard's code")

    def only(kind: str, **fields: str) -> list[dict[str, Any]]:
        return [{name: getattr(it, ours) for name, ours in fields.items()} for it in records if it.kind == kind]

    stretch = {"start": "start", "end": "end", "label": "label", "confidence": "confidence"}
    heard = {
        "span": {"start": span.start, "end": span.end},
        "segments": only("segment", state="state", **stretch),
        "guesses": only("guess", **stretch),
        "marks": only("mark", time="start", text="text"),
        "outages": only("outage", start="start", end="end", source="source", reason="text"),
    }
    origin = {"source": source, "model": model, "session": False, "now": span.end}
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


@pytest.mark.parametrize("records", [RECORDS, []], ids=["much", "nothing"])
def test_the_files_are_those_of_the_dashboard(records: list[Record]) -> None:
    """JSON, CSV and labels have the same bytes as those that the dashboard writes of the same."""
    clipped = clip(records, SPAN)
    expected = from_dashboard(clipped, SPAN, "USB", None)
    assert to_json(clipped, SPAN, "USB", None) == expected["json"]
    assert to_csv(clipped, SPAN) == expected["csv"]
    assert to_audacity(clipped, SPAN) == expected["audacity"]


def test_what_lies_outside_is_left_out_and_what_reaches_out_is_cut() -> None:
    """The first and the last segment end with the span, a mark after it is left out, an open outage stays open."""
    clipped = clip(RECORDS, SPAN)
    segments = [it for it in clipped if it.kind == "segment"]
    assert (segments[0].start, segments[-1].end) == (SPAN.start, SPAN.end)
    assert [it.kind for it in clipped] == 4 * ["segment"] + ["guess"] + 4 * ["mark"] + 2 * ["outage"]
    assert clipped[-1].end is None


def test_the_json_tells_times_from_the_start_and_on_the_calendar() -> None:
    """Times are seconds since the start, with milliseconds, and UTC beside them."""
    told = json.loads(to_json(clip(RECORDS, SPAN), SPAN, "USB", "lead"))
    assert (told["source"], told["model"], told["start"], told["end"]) == ("USB", "lead", 0, 39.938)
    assert told["start_utc"] == "2026-05-28T20:26:40.063Z"
    assert told["segments"][1] == {
        "start": 2.91, "end": 12.063, "start_utc": "2026-05-28T20:26:42.972Z", "end_utc": "2026-05-28T20:26:52.125Z",
        "state": "instrument", "label": "distorted electric guitar", "confidence": 0.8765,
    }  # fmt: skip


def test_a_time_beyond_the_calendar_is_left_out() -> None:
    """A clock that is wrong by ages does not keep a file from being written."""
    far = Record(1, "mark", 1e15, 1e15, None, None, None, None, "far")
    span = Span(1e15 - 1, 1e15 + 1)
    assert ",," in to_csv(clip([far], span), span)
    assert math.isclose(json.loads(to_json(clip([far], span), span, None, None))["marks"][0]["time"], 1)


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
