"""The dashboard's timeline, in headless Chromium against a real server."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
import pytest_asyncio

from stream.protocol.messages import Guess, Mark, Outage, Segment
from tests.support.serving import HELLO, INSTRUMENTS, STATUS, Stage, label, staged
from tests.support.waiting import PATIENCE

pytestmark = pytest.mark.asyncio(loop_scope="module")

WIDE = {"viewport": {"width": 1280, "height": 900}, "timezone_id": "UTC", "color_scheme": "dark"}
CANVAS = ".ribbon-canvas"
NONE = "none"
"""Stands for the lane of what is no instrument."""
LIVE = "the last 2 minutes"


def clock(time: float) -> str:
    """Return the wall clock's time at a stream time."""
    return datetime.fromtimestamp(HELLO.utc + time, UTC).strftime("%H:%M:%S")


def heard(start: float, end: float, name: str | None, confidence: float = 0.9) -> Segment:
    """Return a segment: of an instrument, or of silence."""
    return Segment(start, end, "silence" if name is None else "instrument", name, confidence)


@contextlib.asynccontextmanager
async def eighty_seconds(port: int = 0) -> AsyncIterator[Stage]:
    """Serve eighty seconds in which something of everything was heard."""
    async with staged(port=port, greeting=False) as stage:
        for message in (
            HELLO,
            STATUS,
            heard(0, 20, "violin", 0.92),
            Guess(5, 10, "trumpet", 0.31),
            heard(20, 40, "flute", 0.8),
            Mark(30, "bridge"),
            heard(40, 50, None, 0),
            Outage(50, None, "USB Audio CODEC", "unplugged"),
            Outage(50, 60, "USB Audio CODEC", "unplugged"),
            Segment(50, 60, "warming", None, 0),
            label(320, "piano", 0.7, since=60.0),
        ):
            stage.server.publish(message)
        stage.time = 80.0
        yield stage


@pytest_asyncio.fixture(loop_scope="module")
async def stage(exit_stack: contextlib.AsyncExitStack) -> Stage:
    """A server of these eighty seconds."""
    return await exit_stack.enter_async_context(eighty_seconds())


def address(stage: Stage) -> str:
    """Return where the dashboard is."""
    return f"http://{stage.address}/"


COLOURED = """selector => {
    const canvas = document.querySelector(selector);
    const { width, height } = canvas;
    const copy = new OffscreenCanvas(width, height).getContext('2d', { willReadFrequently: true });
    copy.drawImage(canvas, 0, 0);
    const top = canvas.getBoundingClientRect().top;
    let found = 0;
    for (const lane of document.querySelectorAll('.lane[data-instrument]')) {
        const row = Math.round(lane.getBoundingClientRect().bottom - top) - 5;
        const wanted = parseInt(lane.style.getPropertyValue('--ink').slice(1), 16);
        const { data } = copy.getImageData(0, row, width, 1);
        const seen = new Set();
        for (let x = 0; x < width; x += 1) {
            const [red, green, blue] = data.slice(4 * x, 4 * x + 3);
            if (red * 65536 + green * 256 + blue === wanted) seen.add(Math.floor(10 * x / width));
        }
        found += seen.size;
    }
    return found;
}"""
"""In how many tenths of how many lanes the instrument's own colour is seen."""


BRIGHT = """selector => {
    const canvas = document.querySelector(selector);
    const { width, height } = canvas;
    const copy = new OffscreenCanvas(width, height).getContext('2d', { willReadFrequently: true });
    copy.drawImage(canvas, 0, 0);
    const top = canvas.getBoundingClientRect().top;
    const first = document.querySelector('.lane').getBoundingClientRect();
    const share = (row) => {
        const { data } = copy.getImageData(0, Math.round(row - top), width, 1);
        let bright = 0;
        for (let x = 0; x < width; x += 1) bright += Math.min(...data.slice(4 * x, 4 * x + 3)) > 100;
        return bright / width;
    };
    return { flags: share(first.top - 3), lanes: share(first.bottom + 1) };
}"""
"""How much of a row among the flags, and of one between two lanes, has the bright colour of a mark."""


class Ribbon:
    """The timeline as somebody sees it."""

    def __init__(self, page: Any) -> None:
        self.page = page

    async def shows(self, words: str) -> None:
        """Wait until it says that it shows a certain time."""
        await self.page.wait_for_function(
            "words => document.querySelector('.timeline-span').textContent === words", arg=words
        )

    async def says(self, words: str) -> None:
        """Wait until a screen reader is told something that begins like this."""
        await self.page.wait_for_function(
            "([canvas, words]) => document.querySelector(canvas).getAttribute('aria-valuetext').startsWith(words)",
            arg=[CANVAS, words],
        )

    async def knows(self, things: int) -> None:
        """Wait until there are so many things to step through."""
        await self.page.focus(CANVAS)
        await self.page.wait_for_function(
            """([selector, things]) => {
                const canvas = document.querySelector(selector);
                canvas.dispatchEvent(new KeyboardEvent('keydown', { key: 'ArrowRight', bubbles: true }));
                return canvas.getAttribute('aria-valuemax') === String(things);
            }""",
            arg=[CANVAS, things],
        )
        await self.page.keyboard.press("Escape")

    async def stop(self) -> None:
        """Pause the page, so that nothing moves."""
        await self.page.keyboard.press("Space")
        await self.page.wait_for_function("() => / to /.test(document.querySelector('.timeline-span').textContent)")

    async def point(self, time: float, lane: str) -> tuple[float, float]:
        """Return where a stream time is in a lane, or in the row of the flags, of a page that does not move."""
        place = await self.page.evaluate(
            """([selector, lane, none]) => {
                const { left, top, width } = document.querySelector(selector).getBoundingClientRect();
                const wanted = lane === none ? '.lane:last-child' : `.lane[data-instrument="${lane}"]`;
                const row = document.querySelector(wanted)?.getBoundingClientRect();
                const words = document.querySelector('.timeline-span').textContent;
                return { left, width, middle: row ? (row.top + row.bottom) / 2 : top + 8, words };
            }""",
            [CANVAS, lane, NONE],
        )
        zero, start, end = (
            datetime.strptime(text, "%H:%M:%S").timestamp() for text in (clock(0), *place["words"].split(" to "))
        )
        share = (zero + time - start) / (end - start)
        return place["left"] + share * place["width"], place["middle"]

    async def tip(self, *lines: str) -> None:
        """Wait for the tip to say exactly this."""
        await self.page.wait_for_function(
            """lines => {
                const tip = document.querySelector('.tip');
                return !tip.hidden && [...tip.children].map((line) => line.textContent).join('|') === lines.join('|');
            }""",
            arg=lines,
        )


async def test_hovering_tells_what_was_heard_and_the_guesses(open_tab, stage):
    """The tip has name, times, length and confidence of stretches, guesses, marks and outages."""
    tab = await open_tab(address(stage), **WIDE)
    ribbon = Ribbon(tab.page)
    await ribbon.knows(7)
    await ribbon.stop()
    for time, lane, lines in (
        (15, "violin", ("Violin", f"{clock(0)} to {clock(20)}", "20.0 s, 92\u202f%", "guess: trumpet 31\u202f%")),
        (7.5, "trumpet", ("Guess: trumpet", f"{clock(5)} to {clock(10)}", "5.0 s, 31\u202f%")),
        (30, "flags", ("bridge", f"mark at {clock(30)}")),
        (35, "flute", ("Flute", f"{clock(20)} to {clock(40)}", "20.0 s, 80\u202f%")),
        (15, "clarinet", ("Violin", f"{clock(0)} to {clock(20)}", "20.0 s, 92\u202f%", "guess: trumpet 31\u202f%")),
        (45, NONE, ("Silence", f"{clock(40)} to {clock(50)}", "10.0 s")),
        (55, "clarinet", ("No input", f"{clock(50)} to {clock(60)}", "10.0 s", "unplugged")),
    ):
        await tab.page.mouse.move(*await ribbon.point(time, lane))
        await ribbon.tip(*lines)
        box = await tab.page.locator(".tip").bounding_box()
        assert 0 <= box["x"] < box["x"] + box["width"] <= WIDE["viewport"]["width"]
    await tab.page.mouse.move(5, 5)
    await tab.page.wait_for_selector(".tip", state="hidden")


async def test_a_tap_tells_too_and_stays(open_tab, stage):
    """A finger gets the tip of what it taps, until it taps elsewhere."""
    tab = await open_tab(address(stage), **WIDE, has_touch=True)
    ribbon = Ribbon(tab.page)
    await ribbon.knows(7)
    await ribbon.stop()
    await tab.page.touchscreen.tap(*await ribbon.point(30, "flute"))
    await ribbon.tip("Flute", f"{clock(20)} to {clock(40)}", "20.0 s, 80\u202f%")
    await tab.page.touchscreen.tap(*await ribbon.point(7.5, "trumpet"))
    await ribbon.tip("Guess: trumpet", f"{clock(5)} to {clock(10)}", "5.0 s, 31\u202f%")
    await ribbon.says("Guess: trumpet, ")
    assert await tab.page.locator(".tip").is_visible()


async def test_keys_step_through_everything_and_tell_it(open_tab, stage):
    """Left and right go from one thing to the next, and a screen reader is told what it is."""
    tab = await open_tab(address(stage), **WIDE)
    ribbon = Ribbon(tab.page)
    await ribbon.knows(7)
    told = ["Piano, since", "No input, ", "Silence, ", "bridge, mark", "Flute, ", "Violin, "]
    for words in told:
        await tab.page.keyboard.press("ArrowLeft")
        if words == "Silence, ":
            await ribbon.says("Warming, ")
            await tab.page.keyboard.press("ArrowLeft")
        await ribbon.says(words)
    await tab.page.wait_for_selector(".tip", state="visible")
    assert await tab.page.get_attribute(CANVAS, "aria-valuenow") == "1"
    await tab.page.keyboard.press("ArrowRight")
    await ribbon.says("Flute, ")
    await tab.page.keyboard.press("Escape")
    await ribbon.says(LIVE)
    await tab.page.wait_for_selector(".tip", state="hidden")
    await tab.page.keyboard.press("ArrowLeft")
    await ribbon.says("Piano, ")


async def test_zoom_has_two_ends(open_tab, stage):
    """Keys, wheel and buttons show from half a minute to two hours, and no less or more."""
    tab = await open_tab(address(stage), **WIDE)
    ribbon = Ribbon(tab.page)
    await ribbon.shows(LIVE)
    await tab.page.focus(CANVAS)
    for key, span in (("-", "the last 2 hours"), ("+", "the last 30 seconds")):
        for _ in range(10):
            await tab.page.keyboard.press(key)
        await ribbon.shows(span)
    box = await tab.page.locator(CANVAS).bounding_box()
    await tab.page.mouse.move(box["x"] + 100, box["y"] + 100)
    for turn, span in ((240, "the last 2 hours"), (-240, "the last 30 seconds")):
        for _ in range(10):
            await tab.page.mouse.wheel(0, turn)
        await ribbon.shows(span)
    for name, span in (("10 minutes", "10 minutes"), ("2 hours", "2 hours"), ("30 seconds", "30 seconds")):
        button = tab.page.get_by_role("button", name=f"Show {name}")
        await button.click()
        await ribbon.shows(f"the last {span}")
        assert await button.get_attribute("aria-pressed") == "true"
    assert await tab.page.locator(".zoom [aria-pressed=true]").count() == 1


async def test_fingers_pinch_and_drag(open_tab, stage):
    """Two fingers that spread show less, pinched ones more, and one that moves sideways goes back in time."""
    tab = await open_tab(address(stage), **WIDE, has_touch=True)
    ribbon = Ribbon(tab.page)
    await ribbon.knows(7)
    box = await tab.page.locator(CANVAS).bounding_box()
    screen = await tab.page.context.new_cdp_session(tab.page)

    async def touch(kind: str, *places: float) -> None:
        points = [{"x": box["x"] + x, "y": box["y"] + 100, "id": number} for number, x in enumerate(places)]
        await screen.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    for apart, span in ((200, "the last 1 minute"), (50, "the last 4 minutes")):
        await touch("touchStart", 400, 500)
        await touch("touchMove", 400, 400 + (100 + apart) / 2)
        await touch("touchMove", 400, 400 + apart)
        await touch("touchEnd")
        await ribbon.shows(span)
        await tab.page.get_by_role("button", name="Show 2 minutes").click()
    await tab.page.get_by_role("button", name="Show 30 seconds").click()
    await touch("touchStart", 300)
    await touch("touchMove", 400)
    await touch("touchMove", 500)
    await touch("touchEnd")
    await tab.page.wait_for_selector(".timeline-live[aria-pressed=false]")
    assert " to " in await tab.page.inner_text(".timeline-span")


async def test_who_looks_back_stays_there(open_tab, stage):
    """Dragging and keys go back in time; what is heard meanwhile does not move it, and Live returns."""
    tab = await open_tab(address(stage), **WIDE)
    ribbon = Ribbon(tab.page)
    await ribbon.knows(7)
    live = tab.page.locator(".timeline-live")
    await tab.page.keyboard.press("+")
    await tab.page.keyboard.press("+")
    await ribbon.shows("the last 30 seconds")
    box = await tab.page.locator(CANVAS).bounding_box()
    await tab.page.mouse.move(box["x"] + 300, box["y"] + 100)
    await tab.page.mouse.down()
    await tab.page.mouse.move(box["x"] + 800, box["y"] + 100, steps=5)
    await tab.page.mouse.up()
    await tab.page.wait_for_function("() => / to /.test(document.querySelector('.timeline-span').textContent)")
    back = await tab.page.inner_text(".timeline-span")
    assert await live.get_attribute("aria-pressed") == "false"
    stage.server.publish(heard(60, 90, "piano", 0.7))
    stage.server.publish(label(360, "violin", since=90.0))
    await tab.page.wait_for_selector("#now[data-kind=instrument] >> text=Violin")
    await ribbon.knows(8)
    await tab.page.keyboard.press("Home")
    await ribbon.shows(f"{clock(0)} to {clock(30)}")
    assert back > clock(0)
    await live.click()
    await ribbon.shows("the last 30 seconds")
    assert await live.get_attribute("aria-pressed") == "true"


async def test_two_hours_reach_a_new_client_and_a_reload(open_tab, exit_stack):
    """All of a long session is drawn: each of 2500 stretches where and what it was, guesses and marks too."""
    length, kinds = 7200 / 2500, [*INSTRUMENTS, None, None]
    stage = await exit_stack.enter_async_context(staged(greeting=False))
    stage.server.publish(HELLO)
    for index in range(2500):
        kind = kinds[index % 10]
        stage.server.publish(heard(round(index * length, 4), round((index + 1) * length, 4), kind))
        if index % 6 == 0:
            start = round(index * length + 0.5, 4)
            other = INSTRUMENTS[(index + 4) % 8]
            stage.server.publish(Guess(start, start + 1, other, 0.3))
    for minute in (20, 60, 100):
        stage.server.publish(Mark(60.0 * minute, f"minute {minute}"))
    stage.server.publish(Outage(3000.0, 3060.0, "USB Audio CODEC", "unplugged"))
    stage.server.publish(label(28800, "violin", since=7200.0))
    stage.time = 7200.0
    tab = await open_tab(address(stage), **WIDE)
    ribbon = Ribbon(tab.page)
    for again in (False, True):
        if again:
            await tab.page.reload()
        else:
            await tab.page.get_by_role("button", name="Show 2 hours").click()
        await ribbon.knows(2505)
        await ribbon.shows("the last 2 hours")
        # In every lane, all along: each tenth of the picture has each instrument's own colour in its own lane.
        await tab.page.wait_for_function(f"selector => ({COLOURED})(selector) === 8 * 10", arg=CANVAS, polling=200)
    await ribbon.stop()
    # What would be a hair line is put together by the minute: who points at it is told how much of it was heard.
    assert await tab.page.inner_text(".legend-binned") == "short ones: their share of 1 min"
    for start, lane in (
        (320, "violin"),
        (2420, "flute"),
        (4820, "piano"),
        (7100, "clarinet"),
    ):  # whole minutes on the wall
        cuts = [
            (max(index * length, start), min((index + 1) * length, start + 60))
            for index in range(2500)
            if kinds[index % 10] == lane
        ]
        within = [end - begin for begin, end in cuts if end > begin]
        await tab.page.mouse.move(*await ribbon.point(start + 30, lane))
        words = f"{sum(within):.1f} s of 1 min, {len(within)} times"
        await ribbon.tip(lane.capitalize(), f"{clock(start)} to {clock(start + 60)}", words)
    await tab.page.mouse.click(*await ribbon.point(2450, "flute"))
    await ribbon.says(f"Flute, {clock(2420)} to {clock(2480)}, ")
    await tab.page.keyboard.press("ArrowLeft")
    await ribbon.says(
        f"Clarinet, {clock(840 * length)} to "
    )  # one step from what was put together leads to what was before
    await tab.page.keyboard.press("Escape")
    for minute in (20, 60, 100):
        await tab.page.mouse.move(*await ribbon.point(60.0 * minute, "flags"))
        await ribbon.tip(f"minute {minute}", f"mark at {clock(60 * minute)}")
    await tab.page.keyboard.press("Space")
    # A mark every ten seconds leaves in sight what was heard, and is counted.
    for number in range(720):
        stage.server.publish(Mark(10.0 * number + 3, f"number {number}"))
    await ribbon.knows(2505 + 720)
    await ribbon.stop()
    bright = await tab.page.evaluate(BRIGHT, CANVAS)
    assert bright["flags"] > 0.1
    assert bright["lanes"] < 0.01
    await tab.page.mouse.move(*await ribbon.point(5150, "flags"))
    start = 5000  # five minutes on the wall
    told = [f"{clock(10 * number + 3)} number {number}" for number in range(500, 505)]
    await ribbon.tip("30 marks", f"{clock(start)} to {clock(start + 300)}", *told, "and 25 more")


PAINTED = """async ([counts, width]) => {
    const { paintFlags } = await import('/views/flags.js');
    const pen = new OffscreenCanvas(width, 50).getContext('2d');
    const painted = [];
    pen.fillText = (text, x) => painted.push([text, x, x + pen.measureText(text).width]);
    const geometry = { layout: { width, flags: { top: 0, height: 20 } }, top: 20, bottom: 50, x: (time) => time };
    const bins = counts.map(([start, count]) => ({
        kind: 'bin', start, all: Array.from({ length: count }, () => ({ kind: 'mark', start, text: 'bridge' })),
    }));
    paintFlags(pen, { text: 'white' }, geometry, bins);
    return painted;
}"""


async def test_marks_that_crowd_at_the_edge_are_counted_too(open_tab, stage):
    """How many they are stands before their flag where there is no room behind it, unless that is another's."""
    tab = await open_tab(address(stage))
    (last,) = await tab.page.evaluate(PAINTED, [[[380, 60]], 400])
    assert last[0] == "60"
    assert 0 <= last[1] < last[2] < 380
    (other,) = await tab.page.evaluate(PAINTED, [[[362, 7], [380, 60]], 400])
    assert other[0] == "7"
    assert other[2] < 362
    (first,) = await tab.page.evaluate(PAINTED, [[[100, 7]], 400])
    assert first[0] == "7 marks"
    assert first[1] > 100


TIP = """words => {
    const tip = document.querySelector('.tip');
    return tip.hidden || !tip.textContent.startsWith(words) ? null : tip.getBoundingClientRect().toJSON();
}"""
"""Reads where the tip is, if it is there and begins with these words."""


async def test_the_present_grows_and_so_does_a_guess(open_tab, stage):
    """What is heard now reaches to the right edge, and a guess is seen before it ends."""
    tab = await open_tab(address(stage), **WIDE)
    ribbon = Ribbon(tab.page)
    await ribbon.knows(7)
    heard_now = label(320, "piano", 0.7, since=60.0)
    guessed = heard_now.probabilities | {"flute": 0.24}
    earlier, newest = (replace(heard_now, seq=seq, time=seq / 4, probabilities=guessed) for seq in (324, 328))
    stage.server.publish(earlier)
    stage.server.publish(newest)
    box = await tab.page.locator(CANVAS).bounding_box()
    edge = box["x"] + box["width"] - 3
    for lane, words in (("piano", f"Pianosince {clock(60)}"), ("flute", f"Guess: flute{clock(81)} to {clock(82)}")):
        row = await tab.page.locator(f".lane[data-instrument={lane}]").bounding_box()
        async with asyncio.timeout(PATIENCE):
            # The page's clock goes on from the newest label, so a busy machine may look too late.
            while (tip := await tab.page.evaluate(TIP, words)) is None:
                stage.server.publish(newest)
                await tab.page.mouse.move(edge, row["y"] + row["height"] / 2)
                await asyncio.sleep(0.1)
        assert 0 <= tip["left"] < tip["right"] <= WIDE["viewport"]["width"]


async def test_a_service_that_starts_again_is_another_chapter(open_tab):
    """What was heard before stays, the time without connection is told, and what the new service hears follows."""
    tab = await open_tab(**WIDE)
    tab.expected = "^WebSocket connection to .* failed"  # what Chromium says of every attempt
    ribbon = Ribbon(tab.page)
    async with eighty_seconds() as stage:
        await tab.page.goto(address(stage))
        await ribbon.knows(7)
    await tab.page.wait_for_selector("#now[data-kind=offline]")
    await ribbon.knows(8)
    await tab.page.keyboard.press("ArrowLeft")
    await ribbon.says("No connection, since ")
    async with staged(port=stage.port, greeting=False) as later:
        for message in (
            replace(HELLO, utc=HELLO.utc + 200, run="later"),
            STATUS,
            heard(0, 10, "trumpet", 0.6),
            label(80, "clarinet", since=10.0),
        ):
            later.server.publish(message)
        later.time = 20.0
        await tab.page.wait_for_selector("#link[data-phase=live]")
        await tab.page.keyboard.press("Escape")
        await ribbon.knows(10)
        for words in (
            f"Clarinet, since {clock(210)}",
            f"Trumpet, {clock(200)} to {clock(210)}, 10.0 s, 60\u202f%",
            "No connection, 20:28:",
            f"Piano, {clock(60)} to {clock(80)}, 20.0 s, 70\u202f%",
            "No input, ",
            "Warming, ",
        ):
            await tab.page.keyboard.press("ArrowLeft")
            await ribbon.says(words)
        assert await tab.page.get_attribute(CANVAS, "aria-valuemax") == "10"


async def test_no_more_is_drawn_than_can_be_seen(open_tab, stage):
    """At most fifteen pictures a second, one where motion is not wanted, one a pixel, and none of a hidden page."""
    tab = await open_tab(**WIDE)
    await tab.page.add_init_script("""
        window.drawn = 0;
        const clear = CanvasRenderingContext2D.prototype.clearRect;
        CanvasRenderingContext2D.prototype.clearRect = function (...box) {
            if (this.canvas.className === 'ribbon-canvas') window.drawn += 1;
            clear.apply(this, box);
        };
    """)
    frames = asyncio.Queue()
    tab.page.on("websocket", lambda socket: socket.on("framereceived", frames.put_nowait))
    await tab.page.goto(address(stage))
    ribbon = Ribbon(tab.page)
    await ribbon.knows(7)
    hops = itertools.count(321)

    async def draws() -> tuple[int, float]:
        """Return the pictures drawn while eight labels come, and the seconds that it took."""
        before = await tab.page.evaluate("() => [drawn, performance.now()]")
        for hop in itertools.islice(hops, 8):
            while not frames.empty():
                frames.get_nowait()
            stage.server.publish(label(hop, "piano", 0.7, since=60.0))
            async with asyncio.timeout(20):
                await frames.get()
            await tab.page.evaluate("() => new Promise((done) => setTimeout(done, 70))")
        after = await tab.page.evaluate("() => [drawn, performance.now()]")
        return after[0] - before[0], (after[1] - before[1]) / 1000

    for span, motion, rate in (
        ("30 seconds", "no-preference", 15.2),
        ("30 seconds", "reduce", 1),
        ("2 hours", "no-preference", 0.2),
    ):
        await tab.page.emulate_media(reduced_motion=motion)
        await tab.page.get_by_role("button", name=f"Show {span}").click()
        await ribbon.shows(f"the last {span}")
        await tab.page.mouse.move(5, 5)
        pictures, seconds = await draws()
        assert pictures <= rate * seconds + 2
        assert pictures > 0 or rate < 15
    await tab.page.evaluate("""() => {
        Object.defineProperty(document, 'hidden', { get: () => true });
        document.dispatchEvent(new Event('visibilitychange'));
    }""")
    stage.server.publish(heard(60, 90, "piano"))
    assert (await draws())[0] == 0


@pytest.mark.parametrize("width", [320, 1280, 1920])
async def test_the_ribbon_fits_every_width_and_scheme(open_tab, width, stage):
    """The canvas has the screen's own pixels, names give way to pictures, and colours follow the theme."""
    tab = await open_tab(address(stage), **WIDE | {"viewport": {"width": width, "height": 700}}, device_scale_factor=2)
    await Ribbon(tab.page).knows(7)
    assert await tab.page.locator(".lane-name").first.is_visible() == (width > 600)
    assert await tab.page.evaluate("() => document.scrollingElement.scrollWidth <= innerWidth")
    fits = """selector => {
        const canvas = document.querySelector(selector);
        const { width, height } = canvas.getBoundingClientRect();
        return Math.abs(canvas.width - 2 * width) <= 1 && Math.abs(canvas.height - 2 * height) <= 1 && canvas.width;
    }"""
    before = await (await tab.page.wait_for_function(fits, arg=CANVAS)).json_value()
    ground = """([selector, old]) => {
        const canvas = document.querySelector(selector);
        const copy = new OffscreenCanvas(1, 1).getContext('2d');
        copy.drawImage(canvas, canvas.width - 9, canvas.height / 2, 1, 1, 0, 0, 1, 1);
        const shade = copy.getImageData(0, 0, 1, 1).data.join();
        return shade !== old && shade;
    }"""
    dark = await (await tab.page.wait_for_function(ground, arg=[CANVAS, ""])).json_value()
    await tab.page.evaluate("() => { document.documentElement.dataset.theme = 'light'; }")
    await tab.page.wait_for_function(ground, arg=[CANVAS, dark])
    await tab.page.set_viewport_size({"width": width + 40, "height": 700})
    await tab.page.wait_for_function(f"([selector, old]) => ({fits})(selector) > old", arg=[CANVAS, before])
