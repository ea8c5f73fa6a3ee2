"""Names that are taught on the page: the dialog, what other pages are told meanwhile, and what comes of it."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio
import soundfile

from stream.errors import ProtocolError
from stream.players.bank import ENDING
from stream.protocol.control import ControlRequest, StopTeaching, Teach
from stream.protocol.messages import LineInfo, Message, Teaching
from stream.recognition.classifier import Classifier
from stream.recognition.mel import SAMPLE_RATE, Array
from tests.support import tiny
from tests.support.browser import HOP, OpenTab
from tests.support.processes import Service
from tests.support.serving import HELLO, INSTRUMENTS, Stage, label, staged
from tests.support.taught import bank_of, saxophone
from tests.web.test_dashboard_access import AUDIT, axe
from tests.web.test_dashboard_layout import EXTREMES, FAULTS

if TYPE_CHECKING:
    from playwright.async_api import Page

pytestmark = pytest.mark.asyncio(loop_scope="module")

TOKEN = "a stage of one's own, 831"
NAME = "<b>Ben's</b> cello"
WHY = "only 3 of 9 windows are recognized: play for longer; 2 of 9 windows are taken for Anna"


class Teacher:
    """A server that lets itself be taught, as the test says; it plays the violin on two lines."""

    def __init__(self, stage: Stage, lines: Sequence[str] = ()) -> None:
        self.stage = stage
        self.asked: list[ControlRequest] = []
        self.refusal: str | None = None
        self.hello = replace(HELLO, control=True, run="one", lines=[LineInfo(it, [1], INSTRUMENTS) for it in lines])
        stage.server.state.lines = list(lines)
        stage.server._control = self._take
        stage.server.publish(self.hello)
        self._lines = lines
        self._seq = 0

    async def _take(self, request: ControlRequest) -> Sequence[Message]:
        self.asked.append(request)
        if self.refusal is not None:
            raise ProtocolError("not-possible", self.refusal)
        match request:
            case Teach():
                self.tell(0, name=request.name, line=request.line)
            case StopTeaching():
                self.tell(12, "discarded" if request.discard else "fitting")
        return []

    def tell(self, seconds: float, state: Any = "listening", **fields: Any) -> None:
        """Say how far it is."""
        last = self.stage.server.state.teaching or Teaching("", "done", 0, 10, 60, None, None, None)
        self.stage.server.publish(replace(last, **{"seconds": seconds, "state": state, "message": None, **fields}))

    def taught(self, *names: str) -> None:
        """Have names among the labels."""
        labels = [*INSTRUMENTS, *names]
        self.hello = replace(self.hello, labels=labels, lineup=labels, taught=names)
        self.stage.server.publish(self.hello)

    async def run(self) -> None:
        """Play for ever."""
        while True:
            self._seq += 1
            self.stage.time = HOP * self._seq
            now = replace(label(self._seq), line=self._lines[0] if self._lines else None)
            self.stage.server.publish(now)
            for line in self._lines:
                self.stage.server.publish(replace(now, line=line), line)
            await asyncio.sleep(HOP)


Teachers = Callable[..., Awaitable[Teacher]]


@pytest_asyncio.fixture(loop_scope="module")
async def teacher(exit_stack: contextlib.AsyncExitStack) -> AsyncIterator[Teachers]:
    """Makes servers that let themselves be taught."""
    playing = []

    async def make(*lines: str) -> Teacher:
        made = Teacher(await exit_stack.enter_async_context(staged(control=True)), lines)
        playing.append(asyncio.create_task(made.run()))
        return made

    yield make
    for task in playing:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def said(page: Page, selector: str, text: str) -> None:
    """Wait for a text in the dialog."""
    await page.wait_for_function(
        "([where, what]) => document.querySelector(where).textContent.includes(what)", arg=[selector, text]
    )


async def step(page: Page, name: str) -> None:
    """Wait for the dialog to be there."""
    await page.wait_for_selector(f"#teach[data-step={name}]")


async def test_a_page_that_may_not_change_the_service_offers_nothing(open_tab: OpenTab, stage: Stage) -> None:
    """There is no button, and nothing of teaching is asked for."""
    page = (await open_tab(f"http://{stage.address}/")).page
    await page.wait_for_selector("#now[data-kind=instrument]")
    assert await page.locator("#teach-button").is_hidden()
    assert not stage.server.wants("teaching")


async def test_a_name_is_taught_by_keyboard(open_tab: OpenTab, teacher: Teachers) -> None:
    """From the button to done: how far it is, what it is taken for, and where the focus is."""
    taught = await teacher()
    page = (await open_tab(f"http://{taught.stage.address}/")).page
    await page.locator("#teach-button").press("Enter")
    assert await page.evaluate("document.activeElement.id") == "teach-name"
    await page.keyboard.type(NAME)
    assert await page.locator(".teach-on").is_hidden()
    await page.keyboard.press("Enter")
    await step(page, "listening")
    assert taught.asked == [Teach(NAME)]
    assert await page.evaluate("document.activeElement.id") == "teach-title"
    ring = page.get_by_role("progressbar", name=f"Listening to {NAME}")
    assert await ring.get_attribute("aria-valuetext") == "0 of 10 seconds that are needed"
    assert await page.locator(".teach-enough").is_disabled()
    taught.tell(7.4, taken_for="violin")
    await said(page, ".ring-text", "7 sof 10 s needed")
    await said(page, ".teach-taken", "Violin")
    await said(page, ".teach-apart", "Not tried yet")
    taught.tell(10.2, reliable=False, message=WHY)
    await said(page, ".ring-text", "10 sof up to 60 s")
    await said(page, ".teach-apart", "Not yet")
    await said(page, ".teach-said", "Told apart: Not yet")
    assert await page.locator(".teach-reasons li").all_inner_texts() == [
        "Only 3 of 9 windows are recognized: play for longer", "2 of 9 windows are taken for Anna",
    ]  # fmt: skip
    assert await page.evaluate("document.activeElement.id") == "teach-title"
    await page.locator(".teach-enough").press("Enter")
    await step(page, "fitting")
    assert taught.asked[-1] == StopTeaching()
    taught.taught(NAME)
    taught.tell(12, "done", reliable=True)
    await said(page, "#teach-title", f"{NAME} is told apart")
    assert (await page.locator("[data-steps='done doubtful'].teach-own").inner_text()).endswith(NAME)
    await page.wait_for_selector(".rows .row >> nth=8")
    await page.get_by_role("button", name="Teach another").press("Enter")
    await step(page, "form")
    await page.keyboard.type(NAME)
    await said(page, ".teach-known", "is taught already")
    await page.keyboard.press("Escape")
    await page.get_by_role("dialog").wait_for(state="hidden")
    assert await page.evaluate("document.activeElement.id") == "teach-button"
    assert await page.locator("#teach-button").inner_text() == "Teach a name"


async def test_what_another_page_teaches_is_shown_and_survives_a_lost_connection(
    open_tab: OpenTab, teacher: Teachers
) -> None:
    """A page that comes later is told at once, and follows; one that comes after the end is told nothing of it."""
    taught = await teacher()
    taught.tell(4.2, name=NAME, taken_for="piano")
    tab = await open_tab()
    tab.expected = "WebSocket connection to"
    page = tab.page
    sockets = []

    def route(socket: Any) -> None:
        sockets.append(socket)
        socket.connect_to_server()

    await page.route_web_socket("**/ws", route)
    await page.goto(f"http://{taught.stage.address}/")
    await said(page, "#teach-button", f"Listening to {NAME}: 4 s of 10 s")
    await page.locator("#teach-button").click()
    await said(page, ".teach-taken", "Piano")
    await sockets[-1].close()
    await said(page, ".teach-lost", "No connection")
    assert await page.locator(".teach-discard").is_disabled()
    taught.tell(13, "done", reliable=False, message=WHY)  # while nobody hears it
    await said(page, "#teach-title", "taught, but not told apart")
    await said(page, ".teach-reasons", "taken for Anna")
    await page.get_by_role("dialog").get_by_role("button", name="Close").click()
    await said(page, "#teach-button", "Teach a name")
    assert (
        await page.evaluate(
            """async (told) => {
        const { Lesson } = await import('/teaching.js');
        const lesson = new Lesson(() => true);
        lesson.hear({ ...told, state: 'done' });
        return lesson.told;
    }""",
            {"type": "teaching", "name": NAME, "seconds": 13},
        )
        is None
    )
    taught.tell(1, name="Anna")
    await said(page, "#teach-button", "Listening to Anna")
    taught.stage.server.publish(replace(taught.hello, run="two"))
    await said(page, "#teach-button", "Anna was not taught")
    await page.locator("#teach-button").click()
    await said(page, ".teach-reasons", "The service was started anew")


async def test_what_is_refused_is_said_in_the_dialog(open_tab: OpenTab, teacher: Teachers) -> None:
    """In the service's own words; the form is as it was, and the next try takes them away."""
    taught = await teacher()
    taught.refusal = "the setting players names no folder, in which the name would be kept"
    page = (await open_tab(f"http://{taught.stage.address}/")).page
    await page.locator("#teach-button").click()
    await page.locator("#teach-name").fill("Ben")
    await page.locator("#teach-like").select_option("none")
    await page.get_by_role("button", name="Start listening").click()
    await page.get_by_role("alert").get_by_text("The setting players names no folder").wait_for()
    assert await page.locator("#teach-name").input_value() == "Ben"
    taught.refusal = None
    await page.get_by_role("button", name="Start listening").click()
    await step(page, "listening")
    assert taught.asked[-1] == Teach("Ben", apart=True)
    assert await page.get_by_role("alert").count() == 0 or await page.get_by_role("alert").inner_text() == ""
    await page.get_by_role("button", name="Discard").click()
    await step(page, "discarded")
    assert taught.asked[-1] == StopTeaching(discard=True)
    await page.get_by_role("button", name="Teach it again").click()
    assert await page.locator("#teach-name").input_value() == "Ben"
    assert await page.locator("#teach-like").input_value() == "none"


async def test_the_line_that_is_looked_at_is_chosen(open_tab: OpenTab, teacher: Teachers) -> None:
    """Of an opened line the button tells, and the form has it; otherwise it has the one in front."""
    taught = await teacher("Anna", "Ben")
    page = (await open_tab(f"http://{taught.stage.address}/")).page
    await page.wait_for_selector("#now[data-kind=instrument]")
    await page.locator("#teach-button").click()
    assert await page.locator("#teach-line").input_value() == "Anna"
    await page.keyboard.press("Escape")
    await page.locator(".strip", has_text="Ben").click()
    await said(page, "#teach-button", "Teach a name on Ben")
    await page.locator("#teach-button").click()
    assert await page.locator("#teach-line").input_value() == "Ben"
    await page.keyboard.type("Sax")
    await page.locator("#teach-like").select_option("violin")
    await page.get_by_role("button", name="Start listening").click()
    await said(page, "#teach-title", "Listening to Sax on Ben")
    assert taught.asked == [Teach("Sax", "Ben", "violin")]


@pytest.mark.parametrize("scheme", ["dark", "light"])
async def test_axe_finds_nothing_in_the_dialog_and_it_fits(open_tab: OpenTab, teacher: Teachers, scheme: str) -> None:
    """Each step of it, on a phone and on a desk, with a long name."""
    taught = await teacher("Anna", "Ben")
    page = (await open_tab(color_scheme=scheme, reduced_motion="reduce")).page
    await page.add_init_script(path=axe.AXE_FILE_PATH)
    await page.goto(f"http://{taught.stage.address}/")
    name = "Wolfgang_Amadeus_" * 3
    findings: list[str] = []

    async def look(scene: str) -> None:
        for width, height in EXTREMES:
            await page.set_viewport_size({"width": width, "height": height})
            faults = await page.evaluate(FAULTS)
            findings.extend(f"{scene} at {width}: {it}" for it in faults)
        findings.extend(f"{scene}: {it}" for it in await page.evaluate(AUDIT))

    await page.locator("#teach-button").click()
    await look("form")
    taught.refusal = "no room: " + "x" * 60
    await page.locator("#teach-name").fill(name)
    await page.keyboard.press("Enter")
    await page.get_by_role("alert").get_by_text("No room").wait_for()
    await look("refused")
    taught.refusal = None
    await page.keyboard.press("Enter")
    await step(page, "listening")
    await look("begun")
    taught.tell(34.5, taken_for="distorted electric guitar", reliable=False, message=WHY)
    await said(page, ".teach-reasons", "Anna")
    await look("listening")
    taught.tell(60, "fitting")
    await step(page, "fitting")
    await look("fitting")
    taught.taught(name)
    taught.tell(60, "done", reliable=False, message=WHY)
    await step(page, "doubtful")
    await look("doubtful")
    await page.keyboard.press("Escape")
    await look("closed")
    assert findings == [], "\n".join(findings)


async def test_taught_names_have_colours_and_initials_of_their_own(open_tab: OpenTab, teacher: Teachers) -> None:
    """Two names never have the same colour; it depends on nothing but who is there, in whatever order."""
    taught = await teacher()
    page = (await open_tab(f"http://{taught.stage.address}/")).page
    found = await page.evaluate("""async () => {
        const { allot, colour } = await import('/palette.js');
        const { glyph } = await import('/glyphs.js');
        const names = Array.from({ length: 16 }, (_, number) => `player ${number}`);
        const given = (labels) => { allot(['violin', ...labels]); return names.map(colour); };
        const colours = given(names);
        return {
            kinds: new Set(colours).size,
            same: given([...names].reverse()).join() === colours.join(),
            moved: given(names.slice(0, 3)).filter((it, place) => place < 3 && it !== given(names.slice(0, 4))[place]),
            violin: (given(names), colour('violin')),
            letters: ["Ben's cello", 'Ben\\u2019s cello', 'Anna', 'Bob'].map((name) => glyph(name).textContent),
        };
    }""")
    assert found["kinds"] == 16
    assert found["same"]
    assert len(found["moved"]) <= 1
    assert found["violin"] == "#3a6dd9"
    assert found["letters"] == ["BC", "BC", "An", "Bo"]


@pytest.mark.slow
async def test_a_running_service_is_taught_on_its_page(
    open_tab: OpenTab, serve: Callable[..., Awaitable[Service]], tmp_path: Path, demo: Array
) -> None:
    """What plays is named on the page and the overlay a moment after it is done, without a restart or a reload."""
    model = Path(shutil.copy(tiny.INTEGER, tmp_path / "mine.tflite"))
    shutil.copy(tiny.INTEGER.with_suffix(".json"), tmp_path / "mine.json")
    model.with_name(f"mine{ENDING}").write_bytes(bank_of(Classifier.load(model), demo).packed())
    sound = tmp_path / "sax.wav"
    soundfile.write(sound, saxophone(demo), SAMPLE_RATE)
    service = await serve(
        *("--input", str(sound), "--loop", "--model", str(model), "--players", str(tmp_path / "players")),
        *("--control", "--token", TOKEN),
    )
    page = (await open_tab(f"{service.url}#token={TOKEN}")).page
    overlay = (await open_tab(f"{service.url}overlay#token={TOKEN}")).page
    await page.locator("#teach-button").click()
    await page.keyboard.type("Ben's sax")
    await page.keyboard.press("Enter")
    await step(page, "listening")
    await page.locator(".teach-enough:not(:disabled)").click()
    await page.wait_for_selector("#teach:is([data-step=done], [data-step=doubtful])")
    await page.wait_for_function("() => document.querySelector('.now-name').textContent === \"Ben's sax\"")
    row = page.locator('.row[data-instrument="Ben\'s sax"]')
    assert await row.get_attribute("data-front") == "true"
    card = overlay.locator(".card", has_text="Ben's sax")
    await card.wait_for()
    ink = "it => getComputedStyle(it).getPropertyValue('--ink')"
    assert await card.evaluate(ink) == await row.evaluate(ink)
