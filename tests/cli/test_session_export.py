"""`soloist sessions`: times as people give and read them, and exports of a time across sessions."""

from __future__ import annotations

import argparse
import csv
import io
import json
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest

from stream.cli.sessions import sessions_as_text, table
from stream.cli.times import first, last, parse_moment, written
from stream.errors import LogError
from stream.protocol.messages import Mark, Outage
from stream.session_log.session_log import SessionLog
from tests.support.log_writing import hello, label, segment
from tests.support.processes import soloist


def unix(text: str) -> float:
    """Return the Unix time of a time with a zone."""
    return datetime.fromisoformat(text).timestamp()


TURN = unix("2026-10-25T01:00Z")
"""When the clocks of Berlin go back from three to two."""


@pytest.fixture
def berlin(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The clocks of Berlin."""
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.parametrize(
    ("text", "begin", "end"),
    [
        ("2026-11-23 20:14", "2026-11-23T19:14Z", "2026-11-23T19:14Z"),
        ("2026-11-23T20:14:05.25", "2026-11-23T19:14:05.25Z", "2026-11-23T19:14:05.25Z"),
        ("2026-11-23 19:14Z", "2026-11-23T19:14Z", "2026-11-23T19:14Z"),
        ("2026-11-23T21:14:05+02:00", "2026-11-23T19:14:05Z", "2026-11-23T19:14:05Z"),
        ("2026-11-23T21:14:05 +02", "2026-11-23T19:14:05Z", "2026-11-23T19:14:05Z"),
        ("2026-11-23", "2026-11-22T23:00Z", "2026-11-23T23:00Z"),
        # The hour that comes twice, the day that it makes longer, and the hour that does not come.
        ("2026-10-25 02:30", "2026-10-25T00:30Z", "2026-10-25T01:30Z"),
        ("2026-10-25 02:30+02:00", "2026-10-25T00:30Z", "2026-10-25T00:30Z"),
        ("2026-10-25", "2026-10-24T22:00Z", "2026-10-25T23:00Z"),
        ("2026-03-29 02:30", "2026-03-29T00:30Z", "2026-03-29T01:30Z"),
    ],
)
def test_times_without_a_zone_are_local(berlin: None, text: str, begin: str, end: str) -> None:
    """A time may have a zone or a fraction, or be a day; a span from or to an hour that comes twice has both."""
    moment = parse_moment(text)
    assert (first(moment, utc=False), last(moment, utc=False)) == (unix(begin), unix(end))


def test_with_utc_times_without_a_zone_are_utc(berlin: None) -> None:
    """Of a time with a zone it changes nothing, and what is written ends with Z."""
    assert first(parse_moment("2026-10-25 02:30"), utc=True) == unix("2026-10-25T02:30Z")
    assert last(parse_moment("2026-10-25"), utc=True) == unix("2026-10-26T00:00Z")
    assert first(parse_moment("2026-10-25 02:30+02:00"), utc=True) == unix("2026-10-25T00:30Z")
    assert written(TURN, utc=True) == "2026-10-25 01:00:00Z"
    assert [written(TURN + offset, utc=False) for offset in (-1, 0)] == [
        "2026-10-25 02:59:59+02:00", "2026-10-25 02:00:00+01:00",
    ]  # fmt: skip
    assert written(1e20, utc=True) == "100000000000000000000"


@pytest.mark.parametrize(
    "text",
    ["", "tonight", "20:14", "2026-11-31", "2026-11-23 25:00", "2026-11-23 20:14 CET", "23.11.2026", "1780000000"],
)
def test_what_is_no_time_is_refused(text: str) -> None:
    """One line says what was expected."""
    with pytest.raises(argparse.ArgumentTypeError, match="is no time; expected one like"):
        parse_moment(text)


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """Two services side by side when the clocks went back, and a third that was started when they were gone."""
    path = tmp_path / "log.db"
    for run, begin, source in (
        ("one", -600.0, "USB Audio"),
        ("two", -300.0, "built-in"),
        ("three", 3600.0, "USB Audio"),
    ):
        session_log = SessionLog(path)
        session_log.add(replace(hello(TURN + begin, source, run=run)))
        session_log.add(segment(0.0, 1000.0))
        session_log.add(Mark(500.0, f"half of {run}"))
        session_log.add(label(1001.0, 1000.0, "flute"))
        if run == "three":
            session_log.add(Outage(1001.0, None, source, "unplugged"))
        assert session_log.close(10)
    return path


def test_a_time_is_cut_out_across_sessions(log: Path) -> None:
    """What reaches out is cut, of all sessions of that time; each part says whose it is; times count from its start."""
    told = json.loads(sessions_as_text(log, [], TURN - 100, TURN + 500, "json"))
    assert (told["start"], told["end"], told["source"], told["run"]) == (0, 600, None, None)
    assert [(it["start"], it["end"], it["label"], it["source"], it["run"]) for it in told["segments"]] == [
        (0, 500, "violin", "USB Audio", "one"),
        (0, 600, "violin", "built-in", "two"),
        (500, 501, "flute", "USB Audio", "one"),
    ]
    assert [(it["time"], it["text"], it["run"]) for it in told["marks"]] == [
        (0, "half of one", "one"), (300, "half of two", "two"),
    ]  # fmt: skip
    one = json.loads(sessions_as_text(log, [1], TURN - 100, None, "json"))
    assert (one["source"], one["run"], one["end"]) == ("USB Audio", "one", 501)
    assert {it["run"] for it in one["segments"]} == {"one"}
    both = json.loads(sessions_as_text(log, [1, 3, 1], None, None, "json"))
    assert (both["start"], both["end"], both["source"], both["run"]) == (0, 5201, "USB Audio", None)
    assert len(both["segments"]) == 4


def test_what_lasts_is_cut_where_the_time_ends(log: Path) -> None:
    """Of an outage that lasts the whole has no end; a part of it, which ended before, has."""
    whole = json.loads(sessions_as_text(log, [3], None, None, "json"))
    assert [(it["start"], it["end"], it["end_utc"], it["end_local"]) for it in whole["outages"]] == [
        (1001, None, None, None)
    ]
    part = json.loads(sessions_as_text(log, [3], TURN + 3600, TURN + 3600 + 2000, "json"))
    assert [(it["start"], it["end"]) for it in part["outages"]] == [(1001, 2000)]
    late = json.loads(sessions_as_text(log, [], TURN + 7200, None, "json"))
    assert [(it["start"], it["end"]) for it in late["outages"]] == [(0, None)]


def test_an_hour_that_comes_twice_is_told_apart(berlin: None, log: Path) -> None:
    """The list and the table of a spreadsheet have what each local time is ahead of UTC."""
    assert [line[4:29] for line in table(log).splitlines()[1:]] == [
        "2026-10-25 02:50:00+02:00", "2026-10-25 02:55:00+02:00", "2026-10-25 03:00:00+01:00",
    ]  # fmt: skip
    assert "  2026-10-25 00:50:00Z  " in table(log, utc=True)
    text = sessions_as_text(log, [1], None, None, "csv").removeprefix("\ufeff")
    rows = [row for row in csv.DictReader(io.StringIO(text, newline="")) if row["kind"] == "segment"]
    assert (rows[0]["start_local"], rows[0]["end_local"]) == (
        "2026-10-25T02:50:00.000+02:00", "2026-10-25T02:06:40.000+01:00",
    )  # fmt: skip
    assert "local" not in sessions_as_text(log, [1], None, None, "csv", utc=True)


def test_a_time_in_which_nothing_was_heard_is_told(log: Path) -> None:
    """So is a session that is not there."""
    with pytest.raises(LogError, match="has nothing of that time"):
        sessions_as_text(log, [], None, TURN - 86_400, "json")
    for begin, end in ((None, TURN - 601), (TURN + 500, None)):
        with pytest.raises(LogError, match="has nothing of that time"):
            sessions_as_text(log, [1], begin, end, "json")
    with pytest.raises(LogError, match="has no session 7"):
        sessions_as_text(log, [1, 7], None, None, "json")


async def test_the_command_takes_times(berlin: None, log: Path) -> None:
    """`export` takes a time with or without a number; what cannot be meant is one line."""
    export = ("sessions", "export", "--log", str(log))
    span = ("--from", "2026-10-25T02:58:20+02:00", "--to", "2026-10-25 02:08:20+01:00")
    status, out, err = await soloist(*export, *span)
    assert (status, out, err) == (0, sessions_as_text(log, [], TURN - 100, TURN + 500, "json"), "")
    out = (await soloist(*export, "1", "--utc", "--from", "2026-10-25 00:58:20", "--format", "csv"))[1]
    assert out == sessions_as_text(log, [1], TURN - 100, None, "csv", utc=True)
    assert await soloist(*export, "--from", "2026-10-26", "--to", "2026-10-25 10:00") == (
        1, "", "soloist: --from 2026-10-26 is after --to 2026-10-25 10:00\n",
    )  # fmt: skip
    assert (await soloist(*export))[2].startswith("soloist: name sessions by their ID")
