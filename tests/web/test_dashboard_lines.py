"""The dashboard of a service with lines: a strip for each, the one in front large, and one opened instead of it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import pytest_asyncio
import soundfile

from stream.protocol.messages import Front, Label, Level, LineInfo, Segment, State
from stream.recognition.mel import SAMPLE_RATE, Array
from tests.support.browser import HOP, OpenTab, forward
from tests.support.processes import Service
from tests.support.serving import HELLO, INSTRUMENTS, Stage, label, staged
from tests.web.test_dashboard_access import AUDIT, axe
from tests.web.test_dashboard_layout import FAULTS
from tests.web.test_dashboard_session import download

if TYPE_CHECKING:
    from playwright.async_api import Page, WebSocketRoute

pytestmark = pytest.mark.asyncio(loop_scope="module")

FOUR = ["Anna", "<b>Ben</b>", "Clara & Søn", "4"]
STRIPS = """() => [...document.querySelectorAll('.strip')].map((strip) =>
    ['name', 'label', 'figure'].map((part) => strip.querySelector(`.strip-${part}`).textContent))"""
PAST = """place => {
    const canvas = document.querySelectorAll('.strip-past')[place];
    const pen = new OffscreenCanvas(canvas.width, 1).getContext('2d', { willReadFrequently: true });
    pen.drawImage(canvas, 0, -canvas.height / 2);
    const { data } = pen.getImageData(0, 0, canvas.width, 1);
    return Array.from({ length: canvas.width }, (_, x) => data.slice(4 * x, 4 * x + 4).join());
}"""
VIOLIN, FLUTE = "58,109,217,255", "240,229,19,255"


class Players:
    """Plays on each line what the test says, a hop every quarter of a second."""

    def __init__(self, stage: Stage, names: Sequence[str]) -> None:
        self.stage = stage
        self.page = f"http://{stage.address}/"
        self.seq = 400
        self.front = names[0]
        self._heard: dict[str, tuple[str | None, float, State | None]] = dict.fromkeys(names, (None, 0.0, "silence"))
        self._since = dict.fromkeys(names, HOP * self.seq)
        stage.server.state.lines = list(names)
        stage.server.publish(
            replace(HELLO, lines=[LineInfo(name, [it + 1], INSTRUMENTS[:4]) for it, name in enumerate(names)])
        )
        stage.server.publish(Front(HOP * self.seq, self.front, None))
        self.hop()

    def play(self, line: str, name: str | None, confidence: float = 0.9, state: State | None = None) -> None:
        """Let something else sound on a line, from now on."""
        time = HOP * (self.seq + 1)
        heard = self._label(line)
        self.stage.server.publish(Segment(heard.since, time, heard.state, heard.label, 0.9, line), line)
        self._heard[line], self._since[line] = (name, confidence, state), time
        self.hop()

    def lead(self, line: str) -> None:
        """Let another line be in front."""
        self.stage.server.publish(Front(HOP * self.seq, line, self.front))
        self.front = line
        self.hop()

    def hop(self) -> None:
        """Publish what the next hop brings."""
        self.seq += 1
        self.stage.time = HOP * self.seq
        for line in self._heard:
            self.stage.server.publish(Level(self.stage.time, self._rms(line), -3.0, clipped=False, line=line), line)
            self.stage.server.publish(self._label(line), line)
        self.stage.server.publish(Level(self.stage.time, -18.0, -3.0, clipped=False, line=self.front))
        self.stage.server.publish(self._label(self.front))

    async def run(self) -> None:
        """Play for ever."""
        while True:
            self.hop()
            await asyncio.sleep(HOP)

    def _label(self, line: str) -> Label:
        told = label(self.seq, *self._heard[line], since=self._since[line])
        return replace(told, line=line, rms=self._rms(line))

    def _rms(self, line: str) -> float:
        return -120.0 if self._heard[line][2] == "silence" else -30.0


Playing = Callable[[Sequence[str]], Awaitable[Players]]


@pytest_asyncio.fixture(loop_scope="module")
async def playing(exit_stack: contextlib.AsyncExitStack) -> AsyncIterator[Playing]:
    """Makes a server with lines of these names, on which nothing sounds."""
    tasks = []

    async def make(names: Sequence[str]) -> Players:
        players = Players(await exit_stack.enter_async_context(staged()), names)
        tasks.append(asyncio.create_task(players.run()))
        return players

    yield make
    for task in tasks:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def shown(page: Page, kind: str, line: str, name: str) -> None:
    """Wait for a state, a line and a name to stand in large type."""
    await page.wait_for_function(
        "wanted => ['#now', '.now-line', '.now-name'].map((it, place) => place"
        " ? document.querySelector(it).textContent : document.querySelector(it).dataset.kind).join('|') === wanted",
        arg=f"{kind}|{line}|{name}",
    )


async def strips(page: Page, wanted: list[list[str]]) -> None:
    """Wait for the strips to say this."""
    await page.wait_for_function(f"wanted => JSON.stringify(({STRIPS})()) === JSON.stringify(wanted)", arg=wanted)


async def test_each_line_has_a_strip_and_the_one_in_front_is_marked(open_tab: OpenTab, playing: Playing) -> None:
    """Its name, whatever it looks like, what plays there and how sure that is; the line in front is large, too."""
    players = await playing(FOUR)
    page = (await open_tab(players.page)).page
    await strips(page, [[name, "Silence", ""] for name in FOUR])
    players.play("Anna", "violin", 0.91)
    players.play(FOUR[1], "flute", 0.8)
    players.play("4", None, 0.7, "unknown")
    await strips(
        page,
        [
            ["Anna", "Violin", "91\u202f%"],
            [FOUR[1], "Flute", "80\u202f%"],
            [FOUR[2], "Silence", ""],
            ["4", "Unknown", "70\u202f%"],
        ],
    )
    await shown(page, "instrument", "Anna", "Violin")
    assert await page.title() == "Violin · Anna · Soloist"
    front = page.locator(".strip[data-front=true]")
    assert (await front.inner_text()).split("\n")[:2] == ["Anna", "in front"]
    players.lead(FOUR[1])
    await shown(page, "instrument", FOUR[1], "Flute")
    await page.wait_for_function("() => document.querySelectorAll('.strip')[1].dataset.front === 'true'")
    assert await front.count() == 1
    assert await page.locator("#announcer").inner_text() == f"{FOUR[1]}: Flute"
    colours = await page.eval_on_selector_all(".strip-glyph", "all => all.map((it) => getComputedStyle(it).color)")
    assert colours[:2] == ["rgb(58, 109, 217)", "rgb(240, 229, 19)"]
    levels = await page.eval_on_selector_all(".strip-cover", "all => all.map((it) => it.style.transform)")
    assert levels == ["scaleY(0.5)", "scaleY(0.5)", "scaleY(1)", "scaleY(0.5)"]


async def test_strip_shows_the_last_minute(open_tab: OpenTab, playing: Playing) -> None:
    """What was heard before the page was opened, and what is heard now, in the colours of the instruments."""
    players = await playing(FOUR)
    now = HOP * players.seq
    players.stage.server.publish(Segment(now - 90, now - 20, "instrument", "flute", 0.9, "Anna"), "Anna")
    players.stage.server.publish(Segment(now - 20, now, "silence", None, 0.0, "Anna"), "Anna")
    page = (await open_tab(players.page, color_scheme="dark")).page
    await strips(page, [[name, "Silence", ""] for name in FOUR])
    players.play("Anna", "violin")
    await page.wait_for_function(f"shade => ({PAST})(0).includes(shade)", arg=VIOLIN)
    past = await page.evaluate(PAST, 0)
    seconds = len(past) / 60
    assert past.count(FLUTE) / seconds == pytest.approx(40 - (players.stage.time - now), abs=3)
    assert past[0] == FLUTE
    assert VIOLIN in past[-3:]
    assert VIOLIN not in await page.evaluate(PAST, 1)


async def test_line_is_opened_and_closed_by_mouse_and_by_keyboard(open_tab: OpenTab, playing: Playing) -> None:
    """An opened line is shown instead of the one in front, until its strip, the button or Escape leads back."""
    players = await playing(FOUR)
    players.play("Anna", "violin")
    players.play(FOUR[1], "flute")
    page = (await open_tab(players.page, viewport={"width": 1280, "height": 1600})).page
    await shown(page, "instrument", "Anna", "Violin")
    ben, back = page.locator(".strip").nth(1), page.get_by_role("button", name="Back to the front")
    assert not await back.is_visible()

    async def opened() -> None:
        await shown(page, "instrument", FOUR[1], "Flute")
        assert await page.locator(".strip[aria-pressed=true] .strip-name").all_inner_texts() == [FOUR[1]]
        assert await page.locator(".now-eyebrow").inner_text() == "Heard"
        assert await page.locator(".row[data-front=true]").get_attribute("data-instrument") == "flute"
        players.play("Anna", "clarinet")  # does not matter here
        players.hop()
        await strips_say("Clarinet")
        await shown(page, "instrument", FOUR[1], "Flute")
        players.play("Anna", "violin")

    async def strips_say(name: str) -> None:
        await page.wait_for_function("name => document.querySelector('.strip-label').textContent === name", arg=name)

    async def closed() -> None:
        await shown(page, "instrument", "Anna", "Violin")
        await back.wait_for(state="hidden")
        assert await page.locator(".strip[aria-pressed=true]").count() == 0

    await ben.click()
    await opened()
    assert await page.locator(".row-note").count() == 4  # its line-up is shown
    await back.click()
    await closed()
    assert await ben.evaluate("strip => strip === document.activeElement")
    for key in ("Enter", "Space"):
        await ben.focus()
        await page.keyboard.press(key)
        await opened()
        assert await ben.evaluate("strip => strip === document.activeElement")
        await page.keyboard.press(key if key == "Enter" else "Escape")
        await closed()


async def test_opened_line_has_its_own_past(open_tab: OpenTab, playing: Playing) -> None:
    """Timeline and summary are those of the line; of the front they say on which line it was."""
    players = await playing(FOUR)
    now = HOP * players.seq
    publish = players.stage.server.publish
    publish(Segment(now - 30, now - 10, "instrument", "flute", 0.9, FOUR[1]), FOUR[1])
    publish(Segment(now - 30, now - 20, "instrument", "violin", 0.9, "Anna"))
    publish(Segment(now - 20, now - 10, "instrument", "trumpet", 0.9, FOUR[1]))
    page = (await open_tab(players.page)).page
    brief = page.locator(".summary-brief")
    await brief.get_by_text("Violin 10 s").wait_for()
    timeline = page.get_by_role("slider", name="Timeline")

    async def told(words: str) -> None:
        await page.wait_for_function(
            "words => document.querySelector('.ribbon-canvas').getAttribute('aria-valuetext').startsWith(words)",
            arg=words,
        )

    await timeline.press("ArrowLeft")
    await timeline.press("ArrowLeft")
    await told(f"Trumpet, on {FOUR[1]}, ")
    await page.locator(".strip").nth(1).click()
    await brief.get_by_text("Flute 20 s").wait_for()
    assert "Violin" not in await brief.inner_text()
    name, text = await download(page, "json")
    assert re.fullmatch(r"soloist-b-Ben-b-[0-9-]{15}\.json", name)
    file = json.loads(text)
    assert (file["line"], [it["label"] for it in file["segments"]][:1]) == (FOUR[1], ["flute"])
    await page.keyboard.press("Escape")
    await brief.get_by_text("Violin 10 s").wait_for()
    assert "Flute" not in await brief.inner_text()
    name, text = await download(page, "json")
    assert re.fullmatch(r"soloist-[0-9-]{15}\.json", name)
    assert "line" not in json.loads(text)


async def test_line_that_is_gone_makes_way_for_the_front(open_tab: OpenTab, playing: Playing) -> None:
    """When the service has other lines, the page shows those, and the front."""
    players = await playing(FOUR)
    players.play("Anna", "violin")
    page = (await open_tab(players.page)).page
    await shown(page, "instrument", "Anna", "Violin")
    await page.locator(".strip").nth(2).click()
    await shown(page, "silence", FOUR[2], "Silence")
    players.stage.server.publish(replace(HELLO, lines=[LineInfo("Anna", [1], INSTRUMENTS)]))
    await shown(page, "instrument", "Anna", "Violin")
    await strips(page, [["Anna", "Violin", "90\u202f%"]])


@pytest.mark.parametrize("count", [1, 8, 32])
async def test_lines_fit_every_screen(open_tab: OpenTab, playing: Playing, count: int) -> None:
    """From 320 pixels on nothing has to be scrolled sideways, and axe has nothing to say, in both themes."""
    names = ["A name that is so long that it fits nowhere: sixty characters", *map(str, range(2, count + 1))]
    players = await playing(names)
    for number, name in enumerate(names):
        players.play(name, [*INSTRUMENTS, None][number % 9])
    for scheme in ("dark", "light"):
        page = (await open_tab(reduced_motion="reduce", color_scheme=scheme)).page
        await page.add_init_script(path=axe.AXE_FILE_PATH)
        await page.goto(players.page)
        await page.wait_for_function("count => document.querySelectorAll('.strip[data-state=instrument], "
                                     ".strip[data-state=unknown]').length === count", arg=count)  # fmt: skip
        await page.locator(".strip").last.click()
        for width, height in [(320, 568), (360, 740), (844, 390), (1280, 800), (1920, 1080)]:
            await page.set_viewport_size({"width": width, "height": height})
            assert await page.evaluate(FAULTS) == [], f"{scheme} at {width} x {height}"
            if width in (360, 1280):
                assert await page.evaluate(AUDIT) == [], f"{scheme} at {width} x {height}"
        assert await page.evaluate(
            "() => new Set([...document.querySelectorAll('.strip')].map((it) => it.getBoundingClientRect().x)).size"
        ) == min(count, 4)
        await page.keyboard.press("f")
        await page.locator("#lines").wait_for(state="hidden")
        assert await page.evaluate(FAULTS) == []


async def test_page_asks_for_no_more_than_it_shows(open_tab: OpenTab, playing: Playing) -> None:
    """Level and spectrum are asked of one line alone, and a hidden page asks nothing of the others."""
    players = await playing(FOUR)
    asked: list[list[dict[str, Any]]] = []
    page = (await open_tab()).page

    def on_socket(socket: WebSocketRoute) -> None:
        said: list[dict[str, Any]] = []
        asked.append(said)
        server = socket.connect_to_server()

        def on_message(text: str | bytes) -> None:
            said.append(json.loads(text))
            server.send(text)

        socket.on_message(on_message)

    await page.route_web_socket("**/ws", on_socket)
    await page.goto(players.page)
    await strips(page, [[name, "Silence", ""] for name in FOUR])
    await page.evaluate(
        """() => {
            Object.defineProperty(document, 'hidden', { get: () => true, configurable: true });
            document.dispatchEvent(new Event('visibilitychange'));
        }"""
    )
    players.hop()
    own, all_lines = asked
    assert {"lines"} & {key for message in own for key in message} == set()
    wishes = [message for message in all_lines if message["type"] == "subscribe"]
    assert [(it["types"], it["lines"]) for it in wishes] == [
        (["label", "front", "status"], "all"),
        (["status"], "all"),
    ]


async def test_without_lines_there_is_nothing_of_them(open_tab: OpenTab, stage: Stage) -> None:
    """One connection, no strip, and no place for any."""
    page = (await open_tab()).page
    sockets = []

    def on_socket(socket: WebSocketRoute) -> None:
        sockets.append(socket)
        forward(socket, lambda message: message)

    await page.route_web_socket("**/ws", on_socket)
    await page.goto(f"http://{stage.address}/")
    stage.hop(8, "violin")
    await shown(page, "instrument", "", "Violin")
    assert (
        await page.locator("#lines, .now-line, #front").evaluate_all("all => all.map((it) => it.checkVisibility())")
        == [False] * 3
    )
    assert await page.title() == "Violin · Soloist"
    assert not await page.evaluate("() => document.documentElement.classList.contains('lined')")
    assert len(sockets) == 1


async def test_overlay_shows_the_line_of_its_address_only(open_tab: OpenTab, playing: Playing) -> None:
    """Whoever is in front; a line that there is not shows nothing, with lines and without."""
    players = await playing(FOUR)
    players.play("Anna", "violin")
    players.play(FOUR[1], "flute")
    card = "name => [...document.querySelectorAll('.card')].map((it) => it.dataset.name).join() === name"
    size = {"width": 800, "height": 200}
    pages = {
        query: (await open_tab(f"{players.page}overlay{query}", viewport=size)).page
        for query in ("", "?line=anna", "?line=%3Cb%3EBen%3C/b%3E", "?line=Nobody")
    }
    for front in (FOUR[1], "Anna"):
        players.lead(front)
        await pages[""].wait_for_function(card, arg="Violin" if front == "Anna" else "Flute")
        await pages["?line=anna"].wait_for_function(card, arg="Violin")
        await pages["?line=%3Cb%3EBen%3C/b%3E"].wait_for_function(card, arg="Flute")
        assert await pages["?line=Nobody"].locator(".card").count() == 0
    players.play("Anna", None, 0.0, "silence")
    await pages["?line=anna"].wait_for_function(card, arg="")


@pytest.fixture
def eight(demo: Array, tmp_path: Path) -> Path:
    """Eight channels: the demo on the first, later parts of it on two others, and nothing on the rest."""
    sound = np.zeros((20 * SAMPLE_RATE, 8), np.float32)
    for channel, start in ((0, 0), (2, 20), (5, 45)):
        part = demo[start * SAMPLE_RATE :][: len(sound)]
        sound[: len(part), channel] = part
    path = tmp_path / "eight.wav"
    soundfile.write(path, sound, SAMPLE_RATE)
    return path


async def test_service_with_lines_is_shown(
    open_tab: OpenTab, serve: Callable[..., Awaitable[Service]], eight: Path
) -> None:
    """With the program and eight channels, three strips name instruments, and each of them can be opened."""
    service = await serve("--input", str(eight), "--loop", "--line", "each")
    page = (await open_tab(service.url)).page
    for place in (0, 2, 5):
        await page.wait_for_selector(f".strips li:nth-child({place + 1}) .strip[data-state=instrument]")
    states = [(await it.get_attribute("data-state")) for it in await page.locator(".strip").all()]
    assert [states[place] for place in (1, 3, 4, 6, 7)] == ["silence"] * 5
    await page.wait_for_selector("#now[data-kind=instrument]")
    assert await page.locator(".now-line").inner_text() in ("1", "3", "6")
    await page.locator(".strip").nth(1).click()
    await shown(page, "silence", "2", "Silence")
    await page.locator(".strip").nth(5).click()
    await page.wait_for_function("() => document.querySelector('.now-line').textContent === '6'"
                                 " && document.querySelector('#now').dataset.kind === 'instrument'")  # fmt: skip
