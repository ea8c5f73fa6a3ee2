"""What was heard on several lines, in the log and in what is made of it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from stream.cli.sessions import sessions_as_text, table
from stream.protocol.messages import Guess, Hello, Label, Mark, Segment
from stream.session_log.reader import LogReader
from stream.session_log.records import messages_before, of_lines
from stream.session_log.session_log import SessionLog

UTC = 1_780_000_000.0
HELLO = Hello(1, "soloist 0", "toy", ["violin", "flute"], ["violin", "flute"], 2.97, 0.25, 22_050, "a desk", UTC, "run")


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """A log of two lines, of which Anna was in front for four seconds and then Ben."""
    path = tmp_path / "sessions.db"
    session_log = SessionLog(path)
    session_log.add(HELLO)
    session_log.add(Segment(0.0, 4.0, "instrument", "violin", 0.8, "Anna"))
    session_log.add_of_line(Segment(0.0, 6.0, "instrument", "violin", 0.9, "Anna"))
    session_log.add_of_line(Segment(0.0, 6.0, "instrument", "violin", 0.6, "Ben"))
    session_log.add_of_line(Guess(1.0, 2.0, "flute", 0.2, "Ben"))
    session_log.add(Mark(3.0, "bridge"))
    session_log.add(Label(20, 6.0, "instrument", "flute", 4.0, 0.7, {}, {}, -20.0, -10.0, "Ben"))
    assert session_log.close(20)
    return path


def test_the_line_in_front_is_what_a_session_is(log: Path) -> None:
    """Its segments are those that are counted, exported and recalled; they say which line that was."""
    assert table(log).splitlines()[1].split()[-1] == "2"
    told = json.loads(sessions_as_text(log, [1], None, None, "json"))
    assert [(it["line"], it["label"], it["end"]) for it in told["segments"]] == [
        ("Anna", "violin", 4),
        ("Ben", "flute", 6),
    ]
    assert told["guesses"] == []
    with LogReader(log) as reader:
        recalled = list(messages_before(reader.records(), UTC + 100))
    assert [(it.line, it.label) for it in recalled if isinstance(it, Segment)] == [("Anna", "violin"), ("Ben", "flute")]


def test_lines_are_exported_one_by_one_or_all(log: Path) -> None:
    """In every form; marks are part of each."""
    ben = json.loads(sessions_as_text(log, [1], None, None, "json", line="Ben"))
    assert [(it["line"], it["end"], it["confidence"]) for it in ben["segments"]] == [("Ben", 6, 0.6)]
    assert [it["line"] for it in ben["guesses"]] == ["Ben"]
    assert [it["text"] for it in ben["marks"]] == ["bridge"]
    every = json.loads(sessions_as_text(log, [1], None, None, "json", line="all"))
    assert [it["line"] for it in every["segments"]] == ["Anna", "Ben"]
    assert "Ben: violin 60%" in sessions_as_text(log, [1], None, None, "audacity", line="all")
    rows = [line.split(",") for line in sessions_as_text(log, [1], None, None, "csv", line="Anna").splitlines()]
    assert [(row[0], row[8]) for row in rows[1:]] == [("segment", "Anna"), ("mark", "bridge")]


def test_what_was_heard_on_lines_is_told_apart_from_the_front(log: Path) -> None:
    """A segment of the front is none of a line."""
    with LogReader(log) as reader:
        records = list(reader.records())
    assert sorted((it.kind, it.line or it.text) for it in of_lines(records)) == [
        ("guess", "Ben"),
        ("mark", "bridge"),
        ("segment", "Anna"),
        ("segment", "Ben"),
    ]
    assert [it.kind for it in of_lines(records, "Cleo")] == ["mark"]
