"""The dashboard's session: its clock, its marks, and the files that one takes home."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from stream.protocol.messages import Guess, Mark, Outage
from tests.support.browser import NOTHING, OpenTab, Tab
from tests.support.serving import HELLO, INSTRUMENTS, STATUS, Stage, staged

if TYPE_CHECKING:
    from playwright.async_api import Page

pytestmark = pytest.mark.asyncio(loop_scope="module")

ODD = [
    'a "quoted", one',
    "two\nlines",
    "=1+1",
    " @SUM(A1)",
    "-5 dB",
    "Brücke 🎷👩\u200d🎤",
    "<b>bold</b><script>alert(1)</script>",
    "tab\there",
]
"""Notes that a file or a page may take for something else than a note."""


SUMMARY = """() => Object.fromEntries([...document.querySelectorAll('#summary :is(tbody, tfoot) tr')].map((row) =>
    [row.querySelector('th[scope=row]').textContent, [...row.querySelectorAll('td')].map((cell) => cell.textContent)]
))"""
"""Reads the table of the summary."""


def perform(stage: Stage) -> None:
    """Publish a piece of ten seconds with everything that there is to tell."""
    publish = stage.server.publish
    stage.hop(8, "flute")
    stage.hop(16, None)
    publish(Guess(2.5, 3.75, "trumpet", 0.31))
    stage.hop(24, "violin")
    publish(Outage(6.5, None, "a stage", "it was unplugged"))
    publish(Outage(6.5, 7.25, "a stage", "it was unplugged"))
    stage.hop(32, "flute")
    for place, text in enumerate(ODD):
        publish(Mark(8.0 + place / 8, text))
    stage.hop(40, "piano")
    stage.hop(41, "piano")


async def told(stage: Stage) -> dict[str, Any]:
    """Ask the server what it told."""
    async with stage.listener() as client:
        await client.greeting()
        history = await client.ask("history", seconds=600)
    # A stage begins with a stretch of nothing.
    return history | {"segments": [part for part in history["segments"] if part["start"] < part["end"]]}


async def opened(open_tab: OpenTab, stage: Stage) -> Tab:
    """Open the page and wait until it shows the stage."""
    tab = await open_tab(f"http://{stage.address}/")
    await tab.page.wait_for_selector("#link[data-phase=live]")
    return tab


async def heard(page: Page, stage: Stage) -> None:
    """Wait until the page has heard all that was published."""
    stage.server.publish(Mark(stage.time, "the last"))
    await page.wait_for_function("() => document.querySelector('.session-told').textContent.endsWith('the last')")


async def download(page: Page, kind: str) -> tuple[str, str]:
    """Press a button for a file, and return the file's name and text."""
    async with page.expect_download() as waiting:
        await page.click(f".session [data-format={kind}]")
    file = await waiting.value
    return file.suggested_filename, Path(await file.path()).read_bytes().decode()  # noqa: ASYNC240


async def session(page: Page) -> dict[str, Any]:
    """Return what the page remembers of the session."""
    span: dict[str, Any] = await page.evaluate("() => JSON.parse(localStorage.getItem('session'))")
    return span


def utc(time: float) -> str:
    """Write a stream time as the files do."""
    return datetime.fromtimestamp(HELLO.utc + time, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def local(time: float) -> str:
    """Write a stream time as the files do, in the time of this machine."""
    return datetime.fromtimestamp(HELLO.utc + time).astimezone().isoformat(timespec="milliseconds")


def unix(text: str) -> float:
    """Read what `utc` writes."""
    return datetime.fromisoformat(text).timestamp()


def near(number: float) -> Any:
    """Return what equals a time that was written with three digits."""
    return pytest.approx(number, abs=0.0015)


async def test_json_holds_all_that_the_server_told(open_tab: OpenTab, stage: Stage) -> None:
    """Without a take, the JSON has what the server's history has, from its first moment on, and in UTC."""
    page = (await opened(open_tab, stage)).page
    perform(stage)
    await heard(page, stage)
    name, text = await download(page, "json")
    file, history = json.loads(text), await told(stage)
    assert name.endswith(".json")
    assert (file["soloist"], file["run"], file["source"], file["model"]) == (2, None, "a stage", "toy")
    assert (file["start"], file["start_utc"]) == (0.0, utc(0.0))

    def stretches(kind: str, *fields: str) -> list[dict[str, Any]]:
        return [
            {"start": part["start"], "end": part["end"], "start_utc": utc(part["start"]), "end_utc": utc(part["end"])}
            | {"start_local": local(part["start"]), "end_local": local(part["end"])}
            | {field: part[field] for field in fields}
            | {"source": "a stage", "model": "toy", "run": None}
            for part in history[kind]
        ]

    *closed, last = file["segments"]
    assert closed == stretches("segments", "state", "label", "confidence")
    assert (last["start"], last["state"], last["label"]) == (10.0, "instrument", "piano")
    assert file["guesses"] == stretches("guesses", "label", "confidence")
    assert file["outages"] == stretches("outages", "source", "reason")
    assert file["marks"] == [
        {"time": mark["time"], "time_utc": utc(mark["time"]), "time_local": local(mark["time"]), "text": mark["text"]}
        | {"source": "a stage", "model": "toy", "run": None}
        for mark in history["marks"]
    ]
    assert [len(file[kind]) for kind in ("segments", "guesses", "marks", "outages")] == [6, 1, len(ODD) + 1, 1]


async def test_csv_is_read_by_a_spreadsheet_as_it_was_meant(open_tab: OpenTab, stage: Stage) -> None:
    """The CSV has a row for everything in the order of time, and a note in it is never a formula."""
    page = (await opened(open_tab, stage)).page
    perform(stage)
    await heard(page, stage)
    name, text = await download(page, "csv")
    history = await told(stage)
    assert name.endswith(".csv")
    assert text.startswith(
        "\ufeffkind,start,end,start_utc,end_utc,state,label,confidence,text,source,model,run,start_local,end_local\r\n"
    )
    assert text.endswith("\r\n")
    rows = list(csv.DictReader(io.StringIO(text.removeprefix("\ufeff"), newline=""), strict=True))
    starts = [float(row["start"]) for row in rows]
    assert starts == sorted(starts)
    assert all(row["start_utc"] == utc(float(row["start"])) for row in rows)
    assert all(row["end_utc"] == (utc(float(row["end"])) if row["end"] else "") for row in rows)

    def of(kind: str, *fields: str) -> list[tuple[str, ...]]:
        return [tuple(row[field] for field in fields) for row in rows if row["kind"] == kind]

    *closed, last = of("segment", "start", "end", "state", "label", "confidence")
    assert closed == [
        (f"{part['start']:.3f}", f"{part['end']:.3f}", part["state"], part["label"] or "", f"{part['confidence']:.4f}")
        for part in history["segments"]
    ]
    assert last[0] == "10.000"
    assert of("guess", "start", "end", "label", "confidence") == [("2.500", "3.750", "trumpet", "0.3100")]
    assert of("outage", "start", "end", "text") == [("6.500", "7.250", "a stage: it was unplugged")]
    assert of("mark", "start", "end") == [(f"{mark['time']:.3f}", "") for mark in history["marks"]]
    formulas = {"=1+1", " @SUM(A1)", "-5 dB"}
    notes = [f"'{text}" if text in formulas else text for text in (*ODD, "the last")]
    assert [row[0] for row in of("mark", "text")] == notes


async def test_audacity_labels_lie_beside_the_recording(open_tab: OpenTab, stage: Stage) -> None:
    """The label file has start, end and text on each line, with dots, and nothing else that Audacity would split."""
    page = (await opened(open_tab, stage)).page
    perform(stage)
    await heard(page, stage)
    name, text = await download(page, "txt")
    assert name.endswith(".txt")
    *lines, rest = text.split("\n")
    assert rest == ""
    labels = [line.split("\t") for line in lines]
    assert {len(label) for label in labels} == {3}
    assert all(start == f"{float(start):.6f}" and end == f"{float(end):.6f}" for start, end, _ in labels)
    by_time = [(float(start), float(end), words) for start, end, words in labels]
    assert by_time == sorted(by_time, key=lambda label: label[0])
    stretches = [label for label in by_time if label[0] < label[1] and label[2] != "piano 90%"]
    assert stretches == [
        (0.0, 2.0, "violin 90%"),
        (2.0, 4.0, "flute 90%"),
        (2.5, 3.75, "guess: trumpet 31%"),
        (4.0, 6.0, "unknown 90%"),
        (6.0, 8.0, "violin 90%"),
        (6.5, 7.25, "No input: a stage: it was unplugged"),
        (8.0, 10.0, "flute 90%"),
    ]
    points = [(time, words) for time, end, words in by_time if time == end and words.startswith("Mark: ")]
    assert points[:-1] == [(8.0 + place / 8, f"Mark: {' '.join(text.split())}") for place, text in enumerate(ODD)]


async def test_session_cuts_what_reaches_out_of_it(open_tab: OpenTab, stage: Stage) -> None:
    """A take's files count from its start to its stop; what began earlier or went on is cut, the rest left out."""
    page = (await opened(open_tab, stage)).page
    perform(stage)
    await heard(page, stage)
    base = HELLO.utc
    span = {"start": base + 3.0, "end": base + 9.0}
    await page.evaluate("span => localStorage.setItem('session', JSON.stringify(span))", span)
    await page.reload()
    await page.wait_for_selector(".session[data-phase=stopped]")
    assert (await page.inner_text(".session-clock")).startswith("0:00:06, ")
    await heard(page, stage)
    file = json.loads((await download(page, "json"))[1])
    assert (file["start"], file["end"]) == (0.0, 6.0)
    assert (file["start_utc"], file["end_utc"]) == (utc(3.0), utc(9.0))
    assert [(part["start"], part["end"], part["label"]) for part in file["segments"]] == [
        (0.0, 1.0, "flute"), (1.0, 3.0, None), (3.0, 5.0, "violin"), (5.0, 6.0, "flute"),
    ]  # fmt: skip
    assert [(part["start"], part["end"]) for part in file["guesses"]] == [(0.0, 0.75)]
    assert [(part["start"], part["end"]) for part in file["outages"]] == [(3.5, 4.25)]
    assert [mark["text"] for mark in file["marks"]] == ODD
    await page.click("#summary > summary")
    await page.wait_for_selector("#summary tfoot tr")
    rows = await page.evaluate(SUMMARY)
    assert rows.pop("In all") == ["6 s", "", "4", ""]
    assert rows.pop("No input") == ["1 s", "", "1", ""]
    assert list(rows) == [*map(str.capitalize, INSTRUMENTS), "Unknown", "Silence", "Warming"]
    for name, cells in rows.items():
        lengths = [it["end"] - it["start"] for it in file["segments"] if name.lower() in (it["label"], it["state"])]
        share = f"{100 * sum(lengths) / 6:.0f}\u202f%"
        longest = f"{max(lengths):.0f} s" if lengths else NOTHING
        assert cells == [f"{sum(lengths):.0f} s", share, str(len(lengths)), longest]
    assert (await page.inner_text("#summary caption")).startswith("Take, ")
    date = datetime.fromtimestamp(base + 3.0).astimezone()
    assert (await download(page, "csv"))[0] == f"soloist-{date:%Y-%m-%d-%H%M}.csv"


async def test_summary_is_never_a_table_without_rows(open_tab: OpenTab, stage: Stage) -> None:
    """The table has its rows in the moment in which it is opened; where nothing is counted yet, a line says so."""
    page = (await opened(open_tab, stage)).page
    await page.wait_for_selector("#summary[data-filled]")
    assert await page.evaluate("""() => {
        document.querySelector('#summary').open = true;
        return ['thead', 'tbody', 'tfoot'].every((part) => document.querySelector(`#summary ${part} tr`));
    }""")
    assert await page.is_visible("#summary table")
    assert not await page.is_visible(".summary-brief")
    early = (await open_tab(f"http://{stage.address}/", java_script_enabled=False)).page
    await early.click("#summary > summary")
    assert not await early.is_visible("#summary table")
    assert await early.inner_text(".summary-brief") == "nothing yet"


async def test_session_is_started_stopped_and_resumed(open_tab: OpenTab, stage: Stage) -> None:
    """The buttons start a take at the server's time, stop it, go on with it, and begin another one."""
    page = (await opened(open_tab, stage)).page
    stage.hop(400)
    await page.wait_for_function("() => document.querySelector('.session-start').textContent === 'Start take'")
    assert not await page.is_visible(".session-clock")
    await page.focus(".session-start")
    await page.keyboard.press("Enter")
    started = await session(page)
    assert started["end"] is None
    assert 0 <= started["start"] - HELLO.utc < 130  # this page's own clock is months away
    await page.wait_for_function("() => /^0:00:0[1-9]/.test(document.querySelector('.session-clock').textContent)")
    assert await page.evaluate("() => document.activeElement.className") == "button session-stop"
    await page.keyboard.press("Enter")
    stopped = await session(page)
    assert stopped["start"] == started["start"] < stopped["end"]
    await page.click(".session-resume")
    assert await session(page) == started
    await page.click(".session-stop")
    start = page.locator(".session-start")
    await page.wait_for_selector(".session[data-phase=stopped]")
    assert await start.inner_text() == "New take"
    await start.click()
    assert await start.inner_text() == "Not downloaded. Start anew?"
    assert (await session(page))["start"] == started["start"]
    await download(page, "txt")
    assert await start.inner_text() == "New take"
    await start.click()
    again = await session(page)
    assert (again["end"], again["start"] > started["start"]) == (None, True)


async def test_session_outlives_the_page_and_the_service(open_tab: OpenTab) -> None:
    """A take goes on after a reload and with a service that starts again, and its files have what was before."""
    async with staged() as stage:
        tab = await opened(open_tab, stage)
        page = tab.page
        await page.click(".session-start")
        started = await session(page)
        stage.hop(40, "flute")
        stage.hop(400, "piano")
        stage.hop(401, "piano")
        await heard(page, stage)
        await page.reload()
        await page.wait_for_selector(".session[data-phase=running]")
        assert await session(page) == started
        await heard(page, stage)
        tab.expected = "^WebSocket connection to .* failed"
        port = stage.port
    await page.wait_for_selector("#link:not([data-phase=live])")
    async with staged(port=port, greeting=False) as stage:
        later = HELLO.utc + 1000
        stage.server.publish(replace(HELLO, utc=later, run="later"))
        stage.server.publish(STATUS)
        stage.hop(0, "violin")
        stage.hop(8, "trumpet")
        await page.wait_for_selector("#link[data-phase=live]")
        await page.reload()
        stage.hop(16, "clarinet")
        await page.wait_for_function("() => document.querySelector('.now-name').textContent === 'Clarinet'")
        await heard(page, stage)
        file = json.loads((await download(page, "json"))[1])
    assert file["run"] is None  # there were two
    assert {part["run"] for part in file["segments"]} == {None, "later"}
    assert unix(file["start_utc"]) == near(started["start"])
    parts = [(unix(part["start_utc"]), part["label"]) for part in file["segments"]]
    assert parts[1:3] == [(HELLO.utc + 10, "flute"), (HELLO.utc + 100, "piano")]
    assert parts[-3:] == [(later, "violin"), (later + 2, "trumpet"), (later + 4, "clarinet")]
    assert all(part["end"] <= after["start"] for part, after in pairwise(file["segments"]))
    assert [mark["text"] for mark in file["marks"]] == ["the last"] * 2
    assert [(outage["source"], outage["reason"]) for outage in file["outages"]] == [
        ("Soloist", "the service was not running")
    ]


async def test_what_was_kept_goes_before_what_is_known(open_tab: OpenTab, stage: Stage) -> None:
    """Hours of a take are put together from what was kept and what is still known, without a gap or a doublet."""
    page = (await opened(open_tab, stage)).page

    def part(start: float, end: float | None, label: str) -> dict[str, Any]:
        return {"start": start, "end": end, "label": label, "state": "instrument", "confidence": 0.9}

    def outage(start: float, end: float | None) -> dict[str, Any]:
        return {"start": start, "end": end, "source": "a stage", "reason": "gone"}

    kept = {
        "segments": [part(0, 10, "flute"), part(10, 20, "piano"), part(20, 24, "violin")],
        "guesses": [part(4, 5, "piano"), part(21, 22, "flute")],
        "marks": [{"time": 3, "text": "one"}, {"time": 12, "text": "two"}],
        "outages": [outage(2, 3), outage(14, None)],
    }
    known = {
        "segments": [part(16, 20, "piano"), part(20, 30, "violin")],
        "open": part(30, 31, "trumpet"),
        "guesses": [part(21, 23, "flute")],
        "marks": [{"time": 12, "text": "two"}, {"time": 28, "text": "three"}],
        "outages": [outage(25, None)],
        "gaps": [{"start": 18, "end": 19}],
    }
    merged = await page.evaluate(
        "async ([kept, known]) => (await import('/session.js')).merge(kept, known)", [kept, known]
    )
    assert [(it["start"], it["end"], it["label"]) for it in merged["segments"]] == [
        (0, 10, "flute"), (10, 16, "piano"), (16, 20, "piano"), (20, 30, "violin"), (30, 31, "trumpet"),
    ]  # fmt: skip
    assert [(it["start"], it["end"]) for it in merged["guesses"]] == [(4, 5), (21, 23)]
    assert [it["text"] for it in merged["marks"]] == ["one", "two", "three"]
    assert [(it["start"], it["end"]) for it in merged["outages"]] == [(2, 3), (14, 16), (18, 19), (25, None)]


async def test_note_is_set_to_the_moment_of_the_key(open_tab: OpenTab, stage: Stage) -> None:
    """M opens a field; Enter sets the note to when M was pressed, whatever was typed, and gives the focus back."""
    tab = await opened(open_tab, stage)
    page = tab.page
    stage.hop(400)
    async with stage.listener() as other:
        await other.greeting()
        clock = "() => performance.now() / 1000"
        first = await page.evaluate(clock)
        await page.keyboard.press("m")
        second = await page.evaluate(clock)
        await page.keyboard.type('f? m "bridge" <b>')
        third = await page.evaluate(clock)
        await page.keyboard.press("Enter")
        mark = (await other.until("mark"))[-1]
        fourth = await page.evaluate(clock)
    assert mark["text"] == 'f? m "bridge" <b>'
    assert third - second - 0.01 <= stage.time - mark["time"] <= fourth - first + 0.01
    await page.wait_for_function("() => document.querySelector('.session-told').textContent.endsWith('<b>')")
    assert not await page.is_visible(".session-form")
    assert await page.evaluate("() => document.activeElement === document.body")
    assert await page.locator(".session b").count() == 0
    assert not await page.evaluate("() => document.documentElement.matches('.solo, .paused')")


async def test_mark_without_words_is_numbered(open_tab: OpenTab, stage: Stage) -> None:
    """The button opens the field too, Escape closes it, and Enter alone sets a mark with a number."""
    page = (await opened(open_tab, stage)).page
    async with stage.listener() as other:
        await other.greeting()
        for number in (1, 2):
            await page.focus(".session-mark")
            await page.keyboard.press("Enter")
            await page.keyboard.press("Enter")
            assert (await other.until("mark"))[-1]["text"] == f"Mark {number}"
            await page.wait_for_function(
                "end => document.querySelector('.session-told').textContent.endsWith(end)", arg=f": Mark {number}"
            )
        assert await page.evaluate("() => document.activeElement.className") == "button session-mark"
        await page.keyboard.press("m")
        await page.keyboard.type("never mind")
        await page.keyboard.press("Escape")
        assert not await page.is_visible(".session-form")
        await page.keyboard.press("m")
        assert await page.input_value(".session-note") == ""


async def test_odd_notes_are_text_on_the_page(open_tab: OpenTab, stage: Stage) -> None:
    """Whatever others write in a note, the page shows it as it is, and runs nothing of it."""
    page = (await opened(open_tab, stage)).page
    for text in ODD:
        stage.server.publish(Mark(stage.time, text))
        await page.wait_for_function(
            "text => document.querySelector('.session-told').textContent.endsWith(`: ${text}`)", arg=text
        )
    assert await page.locator(".session-told *").count() == 0


async def test_what_was_told_of_a_mark_goes_again(open_tab: OpenTab, stage: Stage) -> None:
    """That a mark was set is told for ten seconds; then the timeline alone tells it."""
    page = (await open_tab()).page
    await page.clock.install()
    await page.goto(f"http://{stage.address}/")
    await page.wait_for_selector("#link[data-phase=live]")
    await heard(page, stage)
    await page.clock.run_for(10_000)
    assert await page.inner_text(".session-told") == ""


async def test_mark_that_nobody_hears_is_kept(open_tab: OpenTab) -> None:
    """Without a connection the note stays in its field, and the page says that it was not set."""
    async with staged() as stage:
        tab = await opened(open_tab, stage)
        tab.expected = "^WebSocket connection to .* failed"
    page = tab.page
    await page.wait_for_selector("#link:not([data-phase=live])")
    await page.keyboard.press("m")
    await page.keyboard.type("bridge")
    await page.keyboard.press("Enter")
    assert await page.inner_text(".session-told") == "Not set: no connection. Try again."
    assert await page.input_value(".session-note") == "bridge"


async def test_session_works_where_nothing_may_be_stored(open_tab: OpenTab, stage: Stage) -> None:
    """A browser that forbids storage keeps the take as long as the page lasts, and the theme too."""
    tab = await open_tab()
    await tab.page.add_init_script(
        "Object.defineProperty(window, 'localStorage', { get() { throw new DOMException('no', 'SecurityError'); } });"
    )
    await tab.page.goto(f"http://{stage.address}/")
    await tab.page.wait_for_selector("#link[data-phase=live]")
    await tab.page.click(".session-start")
    await tab.page.click(".session-stop")
    await tab.page.wait_for_selector(".session[data-phase=stopped]")
    assert json.loads((await download(tab.page, "json"))[1])["soloist"] == 2
    theme = await tab.page.get_attribute("html", "data-theme")
    for _ in range(2):
        await tab.page.click("#theme")
    assert await tab.page.get_attribute("html", "data-theme") == "light" == theme
