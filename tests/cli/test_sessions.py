"""The session log of the running program: written, read again after a start, and listed."""

from __future__ import annotations

import asyncio
import contextlib
import csv
import io
import json
import sqlite3
import time
import urllib.request
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import soundfile
from websockets.asyncio.client import connect

from stream.bench.demo_audio import demo_audio
from stream.cli.sessions import sessions_as_text
from stream.client import Client
from stream.protocol.messages import Label, Segment, Status
from stream.recognition.mel import SAMPLE_RATE
from stream.session_log.reader import LogReader
from stream.session_log.session_log import SessionLog
from tests.support.browser import OpenTab
from tests.support.processes import Service, serving, soloist
from tests.support.serving import check
from tests.web.test_dashboard_timeline import CANVAS, Ribbon

if TYPE_CHECKING:
    from playwright.async_api import Page

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def hear_segment(service: Service) -> Segment:
    """Wait for the end of the first stretch."""
    async with Client(service.address) as client:
        async for message in client:
            if isinstance(message, Segment):
                return message
    raise AssertionError("the service ended")


async def history(service: Service) -> dict[str, Any]:
    """Ask for what was heard, once something is."""
    async with connect(f"ws://{service.address}/ws") as socket:
        async for text in socket:
            message = check(text)
            if message["type"] == "label":
                await socket.send('{"type":"history","seconds":7200}')
            elif message["type"] == "history":
                return message
    raise AssertionError("the service ended")


async def killed(log: Path, *arguments: str) -> str:
    """Run the service until something was heard and marked, kill it when that is written, and return its port."""
    async with serving("--input", "demo", "--session-log", str(log), *arguments) as service, asyncio.timeout(30):
        await hear_segment(service)
        async with connect(f"ws://{service.address}/ws") as socket:
            await socket.send('{"type":"mark","text":"before the crash"}')
        while not written(log):  # noqa: ASYNC110 - another process writes
            await asyncio.sleep(0.05)
        await service.kill()
        return service.port


def written(log: Path) -> bool:
    """Whether the mark is on the disk."""
    with LogReader(log) as reader:
        return any(record.kind == "mark" for record in reader.records())


def get(url: str) -> str:
    """Return what an address answers."""
    with urllib.request.urlopen(url, timeout=5) as answer:
        return str(answer.read().decode())


@pytest.mark.slow
async def test_a_new_page_shows_what_was_heard_before_the_crash(
    tmp_path: Path, open_tab: OpenTab, serve: Callable[..., Awaitable[Service]]
) -> None:
    """After kill -9 and a start, history and a page that was never open know what was heard, at its own time."""
    log = tmp_path / "log.db"
    before = time.time()
    port = await killed(log)
    service = await serve("--input", "demo", "--session-log", str(log), "--port", port)
    async with asyncio.timeout(60):
        told = await history(service)
        assert told["segments"][0]["state"] == "warming"
        assert told["segments"][0]["start"] < told["segments"][0]["end"] < 0
        (mark,) = told["marks"]
        assert (mark["text"], mark["time"] < 0) == ("before the crash", True)
        async with connect(f"ws://{service.address}/ws") as socket:
            await socket.send('{"type":"mark","text":"after it","ago":600}')
            while (new := check(await socket.recv()))["type"] != "mark":
                pass
            assert new["time"] == 0.0
        tab = await open_tab(service.url)
        handle = await tab.page.wait_for_function(
            """async () => {
                const { Chronicle } = await import('/chronicle.js');
                const chronicle = new Chronicle();
                const socket = new WebSocket(`ws://${location.host}/ws`);
                return await new Promise((resolve) => {
                    socket.onmessage = ({ data }) => {
                        const message = JSON.parse(data);
                        chronicle.hear(message);
                        if (message.type === 'label') socket.send('{"type":"history","seconds":7200}');
                        if (message.type !== 'history') return;
                        socket.close();
                        resolve({ marks: chronicle.marks, segments: chronicle.segments });
                    };
                });
            }"""
        )
        known = await handle.json_value()
        first = next(it for it in known["marks"] if it["text"] == "before the crash")
        assert before < first["time"] < time.time()
        assert before < known["segments"][0]["start"] < known["segments"][0]["end"] <= first["time"] + 1
        ribbon = Ribbon(tab.page)
        await tab.page.focus(CANVAS)
        await ribbon.stop()
        words = ""
        while "before the crash" not in words:
            await tab.page.keyboard.press("ArrowLeft")
            await tab.page.wait_for_function(
                "([canvas, words]) => document.querySelector(canvas).getAttribute('aria-valuetext') !== words",
                arg=[CANVAS, words],
            )
            words = await tab.page.get_attribute(CANVAS, "aria-valuetext") or ""


async def downloaded(page: Page, kind: str) -> str:
    """Press a button for a file, and return its text."""
    async with page.expect_download() as waiting:
        await page.click(f".session [data-format={kind}]")
    return Path(await (await waiting.value).path()).read_bytes().decode()  # noqa: ASYNC240


@pytest.mark.slow
async def test_a_download_is_what_the_log_exports(
    tmp_path: Path, open_tab: OpenTab, serve: Callable[..., Awaitable[Service]]
) -> None:
    """A page that had heard the demo downloads of the next service what the log has of that, byte for byte."""
    log, file = str(tmp_path / "log.db"), tmp_path / "stage.wav"
    soundfile.write(file, demo_audio()[: 9 * SAMPLE_RATE], SAMPLE_RATE)
    demo = await serve("--input", "demo", "--session-log", log)
    tab = await open_tab(demo.url)
    page, tab.expected = tab.page, "^WebSocket connection to .* failed"
    await tab.is_in("unknown", "instrument")
    await demo.kill()
    service = await serve("--input", str(file), "--session-log", log, "--port", demo.port)
    await page.wait_for_selector("#now[data-kind=unknown], #now[data-kind=instrument]")
    await page.click(".session-start")
    async with connect(f"ws://{service.address}/ws") as socket:
        await socket.send('{"type":"mark","text":"bridge","ago":0.5}')
        await page.wait_for_function("() => document.querySelector('.session-told').textContent.endsWith('bridge')")
        await socket.send('{"type":"mark","text":"solo"}')
    await page.wait_for_function("() => document.querySelector('.session-told').textContent.endsWith('solo')")
    await page.wait_for_function("() => document.querySelector('.session-clock').textContent >= '0:00:02'")
    await page.click(".session-stop")
    async with asyncio.timeout(30):
        assert await service.process.wait() == 0
    await page.wait_for_selector("#link:not([data-phase=live])")

    def exported(*what: Any) -> dict[str, str]:
        forms = {"json": "json", "csv": "csv", "txt": "audacity"}
        return {kind: sessions_as_text(Path(log), *what, form) for kind, form in forms.items()}

    take = await page.evaluate("() => JSON.parse(localStorage.getItem('session'))")
    span = [datetime.fromtimestamp(take[end], UTC).isoformat() for end in ("start", "end")]
    times = ("--from", span[0], "--to", span[1])
    assert (await soloist("sessions", "export", *times, "--log", log))[1] == await downloaded(page, "json")
    part = exported([], take["start"], take["end"])
    assert part == {kind: await downloaded(page, kind) for kind in part}
    await page.evaluate("() => { localStorage.clear(); dispatchEvent(new StorageEvent('storage', { key: null })); }")
    whole = exported([2], None, None)
    assert whole == {kind: await downloaded(page, kind) for kind in whole}
    told = json.loads(whole["json"])
    assert (told["source"], [it["text"] for it in told["marks"]]) == ("stage.wav", ["bridge", "solo"])
    assert {it["run"] for it in told["segments"]} == {told["run"]}
    assert (told["start"], told["end"]) == (0, pytest.approx(9, abs=0.01))


async def test_what_is_wrong_with_the_log_is_told(tmp_path: Path) -> None:
    """A log that cannot be written is a warning in the status and in /healthz, which stays well, and labels come."""
    log = tmp_path / "file" / "log.db"
    log.parent.write_text("no folder")
    async with serving("--input", "demo", "--session-log", str(log)) as service, asyncio.timeout(30):
        fault, label = None, None
        async with Client(service.address) as client:
            async for message in client:
                if isinstance(message, Status) and message.warnings:
                    (fault,) = message.warnings
                    assert message.message == fault
                if isinstance(message, Label):
                    label = message
                if fault is not None and label is not None:
                    break
        assert fault is not None
        assert fault.startswith(f"session log {log} is not written: ")
        health = json.loads(await asyncio.to_thread(get, f"{service.url}healthz"))
        assert health["session_log"] == fault


async def test_a_log_of_a_later_version_is_refused_in_one_line(tmp_path: Path) -> None:
    """The service tells it once, and goes on; the command tells it, too."""
    log = tmp_path / "log.db"
    SessionLog(log).close(10)
    with contextlib.closing(sqlite3.connect(log)) as db:
        db.execute("PRAGMA user_version = 99")
    why = "it is of a later Soloist: its version is 99, and this one knows those up to 2"
    async with serving("--input", "demo", "--session-log", str(log)) as service, asyncio.timeout(30):
        warned = heard = False
        async with Client(service.address) as client:
            async for message in client:
                warned |= isinstance(message, Status) and bool(message.warnings)
                heard |= isinstance(message, Label)  # before which the service does not count as healthy
                if warned and heard:
                    break
        health = json.loads(await asyncio.to_thread(get, f"{service.url}healthz"))
        told = [*service.complaints]  # in the end there is what was lost
    assert health["session_log"].startswith(f"session log {log} is not written: {why}; ")
    assert told == [f"soloist: {health['session_log']}"]
    assert await soloist("sessions", "--log", str(log)) == (
        1, "", f"soloist: session log {log} cannot be read: {why}\n",
    )  # fmt: skip


@pytest.mark.slow
async def test_nothing_is_written_when_it_is_off(tmp_path: Path) -> None:
    """With `off` there is no log, of the demo only one that is named; others are where programs keep such things."""
    name, file = str(tmp_path / "a file.wav"), tmp_path / "soloist" / "sessions.db"
    soundfile.write(name, demo_audio()[: 12 * SAMPLE_RATE], SAMPLE_RATE)
    for arguments, is_there in (
        (["--input", name, "--session-log", "off"], False),
        (["--input", "demo"], False),
        (["--input", name], True),
    ):
        async with serving(*arguments, env={"XDG_STATE_HOME": str(tmp_path)}) as service:
            await hear_segment(service)
            metrics = await asyncio.to_thread(get, f"{service.url}metrics")
        assert file.exists() == is_there
        assert ("soloist_log_events 0.0" in metrics) != is_there
        assert "soloist_log_missed 0.0" in metrics


@pytest.mark.slow
async def test_sessions_are_listed_and_exported(tmp_path: Path) -> None:
    """The list has a line for each run; one comes as JSON, CSV and labels; all can be copied; faults are one line."""
    log = tmp_path / "log.db"
    await killed(log)
    status, out, err = await soloist("sessions", "--log", str(log))
    assert (status, err) == (0, "")
    title, row = out.splitlines()
    assert title.split() == ["id", "begin", "length", "source", "model", "segments"]
    assert (row.split()[0], row.split()[-2]) == ("1", "lead")
    begin = datetime.fromisoformat(" ".join(row.split()[1:3]))
    assert begin.tzinfo is not None
    assert 0 <= time.time() - begin.timestamp() < 120
    exported = [
        (await soloist("sessions", "export", "1", *form, "--log", str(log)))[1]
        for form in ([], ["--format", "csv"], ["--format", "audacity"])
    ]
    assert json.loads(exported[0])["marks"][0]["text"] == "before the crash"
    assert "before the crash" in [cells["text"] for cells in csv.DictReader(io.StringIO(exported[1]))]
    assert "\tMark: before the crash\n" in exported[2]
    name = f"session log {log}"
    assert await soloist("sessions", "export", "7", "--log", str(log)) == (
        1, "", f"soloist: {name} has no session 7; soloist sessions lists those that it has\n",
    )  # fmt: skip
    assert await soloist("sessions", "--log", str(tmp_path / "none")) == (
        1, "", f"soloist: there is no session log {tmp_path / 'none'}\n",
    )  # fmt: skip
    env = {"SOLOIST_SESSION_LOG": str(log)}
    assert (await soloist("sessions", env=env))[1] == out
    copy = tmp_path / "copy.db"
    assert await soloist("sessions", "copy", str(copy), env=env) == (0, "", "")
    assert (await soloist("sessions", "--log", str(copy)))[1] == out
    assert await soloist("sessions", "copy", str(copy), "--log", str(log)) == (
        1, "", f"soloist: cannot copy to {copy}: it already exists\n",
    )  # fmt: skip
