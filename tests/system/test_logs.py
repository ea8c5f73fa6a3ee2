"""The log on standard error."""

from __future__ import annotations

import asyncio
import io
import json
import logging
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator

import pytest
from websockets.asyncio.client import connect

from stream.system import logs
from tests.support.processes import serving


class CapturedLog:
    """A logger, what it wrote, and a clock that the test advances."""

    def __init__(self, formatter: logging.Formatter | None = None) -> None:
        self.now = 0.0
        self.due: list[tuple[float, Callable[[], None]]] = []
        self.written = io.StringIO()
        self.handler = logs.RateLimitingHandler(
            self.written, formatter or logs.TextFormatter(), lambda: self.now, self._later
        )
        self.log = logging.Logger("stream.desk", logging.DEBUG)
        self.log.addHandler(self.handler)

    def _later(self, seconds: float, call: Callable[[], None]) -> None:
        self.due.append((self.now + seconds, call))

    def advance_to(self, now: float) -> None:
        """Let the time go on, and call what falls due."""
        while self.due and self.due[0][0] <= now:
            self.now, call = self.due.pop(0)
            call()
        self.now = now

    def lines(self) -> list[str]:
        """Return what was written since the last time."""
        text = self.written.getvalue()
        self.written.seek(0)
        self.written.truncate()
        return text.splitlines()


@pytest.fixture
def output() -> Iterator[CapturedLog]:
    """A log for people."""
    output = CapturedLog()
    yield output
    output.handler.close()


def test_a_repeated_fault_is_one_line_and_a_count(output: CapturedLog) -> None:
    """A fault that comes again within a minute is counted, whatever its numbers, and the newest told with the count."""
    for number in range(37):
        output.advance_to(0.1 * number)
        output.log.warning("no audio for %.1f s", 5 + number)
    assert output.lines() == ["soloist: no audio for 5.0 s"]
    output.advance_to(60)
    assert output.lines() == ["soloist: no audio for 41.0 s (37 times in 60 s)"]


def test_a_fault_that_goes_on_is_a_line_a_minute(output: CapturedLog) -> None:
    """As long as it comes there is a count each minute; when it comes after a quiet one, it is told at once."""
    for second in range(150):
        output.advance_to(second)
        output.log.error("the disk is full")
    assert output.lines() == [
        "soloist: the disk is full",
        "soloist: the disk is full (60 times in 60 s)",
        "soloist: the disk is full (60 times in 60 s)",
    ]
    output.advance_to(180)
    assert output.lines() == ["soloist: the disk is full (30 times in 60 s)"]
    output.advance_to(241)
    assert output.lines() == []
    output.log.error("the disk is full")
    assert output.lines() == ["soloist: the disk is full"]


def test_the_last_line_says_how_things_are(output: CapturedLog) -> None:
    """What was counted is told in the order in which it came last: nobody takes a lost device for one that is heard."""
    for second in (0, 10, 20):
        output.advance_to(second)
        output.log.warning("input was lost")
        if second < 20:
            output.advance_to(second + 5)
            output.log.warning("input is heard again after %d s", 5)
    lost, well = "soloist: input was lost", "soloist: input is heard again after 5 s"
    assert output.lines() == [lost, well]
    output.advance_to(70)
    assert output.lines() == [f"{well} (2 times in 55 s)", f"{lost} (3 times in 60 s)"]
    output.log.warning("input is heard again after %d s", 50)
    output.advance_to(130)
    assert output.lines() == ["soloist: input is heard again after 50 s (once in 60 s)"]


def test_faults_of_different_kinds_are_told_each(output: CapturedLog) -> None:
    """One fault hides no other, of another text, level or logger."""
    output.log.warning("input %r was lost", "a")
    output.log.warning("input %r was lost", "b")
    output.log.error("input %r was lost", "a")
    assert len(output.lines()) == 3


def test_news_are_told_until_they_are_a_flood(output: CapturedLog) -> None:
    """Of what is no fault a hundred lines of a kind are told in a minute, and of debugging all."""
    for number in range(250):
        output.log.info("%d s: %s", number, number)
        output.log.debug("x")
    lines = output.lines()
    assert lines.count("soloist: x") == 250
    assert len(lines) == 350
    output.advance_to(60)
    assert output.lines() == ["soloist: 249 s: 249 (250 times in 60 s)"]


def test_what_was_only_counted_is_told_at_the_end(output: CapturedLog) -> None:
    """Closing tells the counts that were due later, and what was told is forgotten after a minute."""
    for number in range(500):
        output.log.warning("client %s", chr(200 + number))
    output.advance_to(61)
    output.log.warning("again")
    output.log.warning("again")
    assert len(output.handler._repeats) == 1
    output.advance_to(71)
    output.lines()
    output.handler.close()
    assert output.lines() == ["soloist: again (2 times in 10 s)"]


def test_json_has_an_object_on_each_line() -> None:
    """Time in UTC, level, logger and message stand there, the fields of the record, and an exception as text."""
    output = CapturedLog(logs.JsonFormatter())
    try:
        raise ValueError("on\ntwo lines")
    except ValueError:
        output.log.exception("client %s failed", "ä", extra={"client": "127.0.0.1", "code": 1011, "path": os})
    (line,) = output.lines()
    told = json.loads(line)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", told.pop("time"))
    assert told.pop("exception").endswith("ValueError: on\ntwo lines")
    assert told.pop("path").startswith("<module 'os'")
    assert told == {
        "level": "error",
        "logger": "stream.desk",
        "message": "client ä failed",
        "client": "127.0.0.1",
        "code": 1011,
    }


def test_json_tells_times_of_utc_and_counts_as_numbers() -> None:
    """The moment is that of the record, and a repeated fault has its count and time as fields."""
    output = CapturedLog(logs.JsonFormatter())
    record = output.log.makeRecord("x", logging.WARNING, "", 0, "lost", (), None)
    record.created, record.msecs = 1_780_000_000.25, 250.0
    output.log.handle(record)
    output.log.handle(record)
    assert json.loads(output.lines()[0])["time"] == "2026-05-28T20:26:40.250Z"
    output.advance_to(60)
    told = json.loads(output.lines()[0])
    assert (told["message"], told["repeated"], told["seconds"]) == ("lost (2 times in 60 s)", 2, 60)


@pytest.mark.parametrize("formatter", [logs.TextFormatter, logs.JsonFormatter])
def test_a_token_is_never_told(formatter: Callable[[str], logging.Formatter]) -> None:
    """Wherever the token stands, in text, field or exception, it is not written, and JSON stays JSON."""
    token = 'e"\\é time'
    output = CapturedLog(formatter(token))
    try:
        raise ValueError(token)
    except ValueError:
        output.log.exception("got %s", token, extra={"header": [f"Bearer {token}"], "url": f"/#{token}"})
    written = output.written.getvalue()
    assert "(hidden)" in written
    assert "é" not in written
    if formatter is logs.JsonFormatter:
        told = json.loads(written)
        assert (told["url"], told["header"]) == ("/#(hidden)", "['Bearer (hidden)']")


def test_lines_for_the_journal_begin_with_their_priority(output: CapturedLog) -> None:
    """Where systemd reads the lines, each has its priority, also those of an exception."""
    output.handler.for_journald = True
    output.log.warning("a\nb")
    output.log.info("c")
    assert output.lines() == ["<4>soloist: a", "<4>b", "<6>soloist: c"]


LOGGING = """
import logging, os, sys
if sys.argv[2] == "journal":
    status = os.fstat(2)
    os.environ["JOURNAL_STREAM"] = f"{status.st_dev}:{status.st_ino}"
from stream.system import logs
logs.configure(logs.LoggingSettings("warning", sys.argv[1]))
logs.log_always("listening", address="x")
logging.getLogger("stream").info("not told")
logging.getLogger("other").warning("mend it")
import warnings
warnings.warn("old", DeprecationWarning if sys.argv[1] == "text" else UserWarning)
raise ValueError("ours")
"""


@pytest.mark.parametrize(("form", "where"), [("json", ""), ("json", "journal"), ("text", ""), ("text", "journal")])
def test_all_that_a_process_tells_has_one_form(form: str, where: str) -> None:
    """Announcements, other libraries' logs, Python's warnings and an exception that nobody caught are told alike."""
    command = [sys.executable, "-c", LOGGING, form, where]
    err = subprocess.run(command, capture_output=True, text=True, check=False).stderr
    lines = err.splitlines()
    if where == "journal":
        assert {re.match(r"<(\d)>", line) is not None for line in lines[:2]} == {True}
        lines = [re.sub(r"^<\d>", "", line) for line in lines]
    if form == "text":
        assert lines[:2] == ["soloist: listening", "soloist: mend it"]
        assert lines[-1] == "ValueError: ours"
        return
    told = [json.loads(line) for line in lines]
    assert [(it["level"], it["message"].split(": ")[-1].split("\n")[0]) for it in told] == [
        ("info", "listening"),
        ("warning", "mend it"),
        ("warning", "old"),
        ("critical", "ours"),
    ]
    assert told[0]["address"] == "x"
    assert told[3]["exception"].endswith("ValueError: ours")


RECONFIGURING = """
import logging
from stream.system import logs
logs.configure(logs.LoggingSettings("info", "json"))
for _ in range(3):
    logging.getLogger("stream").warning("mend it")
logs.configure(logs.LoggingSettings("error", "text"))
logging.getLogger("stream").warning("not told")
logging.getLogger("stream").error("told once")
"""


def test_logs_can_be_configured_anew() -> None:
    """Another level and form hold from then on, and what the former handler has counted is told before."""
    err = subprocess.run([sys.executable, "-c", RECONFIGURING], capture_output=True, text=True, check=True).stderr
    first, count, last = err.splitlines()
    assert json.loads(first)["message"] == "mend it"
    assert json.loads(count)["message"] == "mend it (3 times in 1 s)"
    assert last == "soloist: told once"


async def test_a_service_at_debug_level_tells_no_token() -> None:
    """Neither as header nor as message nor as a wrong request is the token told, and every line is JSON."""
    token = "cello-4711-cello"
    arguments = ("--input", "demo", "--token", token, "--log-level", "debug", "--log-format", "json")
    async with serving(*arguments) as service, asyncio.timeout(30):
        url = f"ws://{service.address}/ws"
        async with connect(url, additional_headers={"Authorization": f"Bearer {token}"}) as socket:
            assert json.loads(await socket.recv())["type"] == "hello"
            await socket.send(f'{{"type":"{token}"}}')
            await socket.send(f'{{"type":"auth","token":"{token}"}}')
        async with connect(url) as socket:
            await socket.send(f'{{"type":"auth","token":"{token}"}}')
            assert json.loads(await socket.recv())["type"] == "hello"
    assert service.process.returncode == 0
    assert service.complaints
    for line in service.complaints:
        assert "4711" not in line
        assert json.loads(line)["level"] in ("debug", "info", "warning")
