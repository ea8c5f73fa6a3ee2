"""The dashboard for those who see little or nothing, or use no mouse."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, TypeAlias

import pytest
import pytest_asyncio

from tests.support.browser import HopPublisher, OpenTab, Tab
from tests.support.serving import INSTRUMENTS, STATUS

if TYPE_CHECKING:
    from playwright.async_api import WebSocketRoute

pytestmark = pytest.mark.asyncio(loop_scope="module")
axe = pytest.importorskip("axe_playwright_python.base", reason="axe-playwright-python is not installed")

AUDIT = """async () => {
    const { getContrast, Color } = axe.commons.color;
    const colour = (text) => { const it = new Color(); it.parseString(text); return it; };

    // axe judges no text on a gradient, none at the edge of what scrolls, no arrows, no single letters. They have to be
    // legible on each colour of their ground.
    const grounds = (node) => {
        const { backgroundImage, backgroundColor } = getComputedStyle(node);
        const stops = backgroundImage.match(/(rgb|color|oklab|oklch)a?\\([^()]*\\)/g);
        if (stops !== null) return stops.map(colour);
        const plain = colour(backgroundColor);
        return plain.alpha === 1 ? [plain] : grounds(node.parentElement);
    };
    const legible = (node) => {
        const ink = colour(getComputedStyle(node).color);
        return grounds(node).every((ground) => getContrast(ground, ink) >= 4.5);
    };

    const { violations, incomplete } = await axe.run({
        resultTypes: ['violations', 'incomplete'],
        rules: { 'target-size': { enabled: true } },
    });
    const open = incomplete.map(({ id, impact, nodes }) => ({
        id, impact,
        nodes: nodes.filter(({ target: [it] }) => id !== 'color-contrast' || !legible(document.querySelector(it))),
    }));
    return [...violations, ...open].flatMap(({ id, impact, nodes }) => nodes.map(({ target, any, all, none }) =>
        `${id} (${impact}): ${target.join(' ')}: ${[...any, ...all, ...none].map((it) => it.message).join('; ')}`));
}"""
"""Tells what axe finds, and what it cannot decide."""

CONTROLS = """() => {
    const all = document.querySelectorAll('a[href], button, input, select, textarea, summary, [tabindex]');
    return [...all].filter((control) => control.tabIndex >= 0 && !control.disabled
        && (control.type !== 'radio' || control.checked)
        && control.checkVisibility({ visibilityProperty: true, opacityProperty: true }));
}"""

FOCUS = f"""() => {{
    const control = document.activeElement;
    const {{ outlineStyle, outlineWidth, outlineColor }} = getComputedStyle(control);
    const {{ getContrast, Color }} = axe.commons.color;
    const colour = (text) => {{ const it = new Color(); it.parseString(text); return it; }};
    let ground = control.parentElement;
    while (colour(getComputedStyle(ground).backgroundColor).alpha < 1) ground = ground.parentElement;
    const contrast = getContrast(colour(getComputedStyle(ground).backgroundColor), colour(outlineColor));
    const box = control.getBoundingClientRect();
    const hit = document.elementFromPoint(box.x + box.width / 2, box.y + box.height / 2);
    return {{
        index: ({CONTROLS})().indexOf(control),
        ring: outlineStyle !== 'none' && parseFloat(outlineWidth) >= 2 && contrast >= 3,
        seen: control.contains(hit) || [...control.labels ?? []].some((label) => label.contains(hit)),
    }};
}}"""
"""Tells which control has the focus, whether its ring stands out, and whether it is in view."""

LONGEST = "distorted electric guitar"


class Seat:
    """A page that hears what is played, for as long as the door is open."""

    def __init__(self, tab: Tab, publisher: HopPublisher) -> None:
        self.page = tab.page
        self.publisher = publisher
        self._door = "open"
        self._sockets: list[WebSocketRoute] = []

    async def take(self) -> None:
        """Open the page, with axe in it."""
        await self.page.add_init_script(path=axe.AXE_FILE_PATH)
        await self.page.route_web_socket("**/ws", self._answer)
        await self.page.goto(self.publisher.page)

    async def _answer(self, socket: WebSocketRoute) -> None:
        self._sockets.append(socket)
        match self._door:
            case "open":
                socket.connect_to_server()
            case "shut":
                await socket.close()
            case "locked":
                socket.send(json.dumps({"type": "error", "code": "unauthorized", "message": "a token is required"}))
                await socket.close(code=1008)

    async def find_door(self, door: str) -> None:
        """Lose the connection, and find the door open, shut or locked from now on."""
        self._door = door
        for socket in self._sockets:
            await socket.close()
        self._sockets.clear()

    async def hear(self, name: str) -> None:
        """Let an instrument play until it stands in large type."""
        self.publisher.play(name)
        await self.see("instrument", name.capitalize())

    async def see(self, kind: str, name: str) -> None:
        """Wait for what stands in large type."""
        await self.page.wait_for_function(
            "([kind, name]) => document.querySelector('#now').dataset.kind === kind"
            " && document.querySelector('.now-name').textContent === name",
            arg=[kind, name],
        )

    async def audit(self, scene: str) -> list[str]:
        """Return what axe finds in a scene."""
        return [f"{scene}: {finding}" for finding in await self.page.evaluate(AUDIT)]


Seats: TypeAlias = Callable[..., Awaitable[Seat]]


@pytest_asyncio.fixture(loop_scope="module")
async def seat(publisher: HopPublisher, open_tab: OpenTab) -> Seats:
    """Seats of a width and a height, with options of a context of Playwright's."""

    async def make(width: int = 1280, height: int = 800, **options: Any) -> Seat:
        viewport = {"width": width, "height": height}
        taken = Seat(await open_tab(viewport=viewport, reduced_motion="reduce", **options), publisher)
        await taken.take()
        return taken

    return make


grounds = pytest.mark.parametrize("scheme", ["dark", "light"])
sizes = pytest.mark.parametrize("size", [(320, 640), (1280, 800)], ids=lambda size: str(size[0]))


@grounds
@sizes
async def test_axe_finds_nothing_whatever_is_heard(
    seat: Seats, publisher: HopPublisher, size: tuple[int, int], scheme: str
) -> None:
    """With each instrument in front, and with none, axe has nothing to say."""
    taken = await seat(*size, color_scheme=scheme)
    findings = []
    for name in INSTRUMENTS:
        await taken.hear(name)
        findings += await taken.audit(name)
    for state, shown in (("warming", "Listening"), ("silence", "Silence"), ("unknown", "Unknown")):
        publisher.play(None, 0.5, state)  # type: ignore[arg-type]
        await taken.see(state, shown)
        findings += await taken.audit(state)
    assert findings == []


@grounds
@sizes
async def test_axe_finds_nothing_when_something_is_missing(
    seat: Seats, publisher: HopPublisher, size: tuple[int, int], scheme: str
) -> None:
    """Without an input, a server or the token axe has nothing to say, nor of warnings."""
    taken = await seat(*size, color_scheme=scheme)
    await taken.hear(LONGEST)
    told = dataclasses.replace(STATUS, warnings=["The input is clipped.", "The input has a DC offset."])
    publisher.stage.server.publish(told)
    await taken.page.get_by_text("DC offset").wait_for()
    findings = await taken.audit("warnings")
    publisher.stage.server.publish(dataclasses.replace(STATUS, source="waiting", message="No input matches 'USB'."))
    await taken.see("stalled", "No input")
    findings += await taken.audit("no input")
    await taken.find_door("shut")
    await taken.see("offline", "No connection")
    findings += await taken.audit("no connection")
    await taken.find_door("locked")
    await taken.see("offline", "Token needed")
    findings += await taken.audit("token needed")
    assert findings == []


@grounds
@sizes
async def test_axe_finds_nothing_in_what_keys_open(seat: Seats, size: tuple[int, int], scheme: str) -> None:
    """A stretch of the timeline, the help, the full screen, the note of a mark and a paused view are as good."""
    taken = await seat(*size, color_scheme=scheme)
    await taken.hear("flute")
    await taken.hear(LONGEST)
    keys, body = taken.page.keyboard, taken.page.locator("body")
    while not await taken.page.locator(".tip").is_visible():  # before the first drawing there is nothing to choose
        await taken.page.get_by_role("slider", name="Timeline").press("ArrowLeft")
    findings = await taken.audit("stretch")
    await body.press("?")
    await taken.page.get_by_role("dialog").wait_for()
    findings += await taken.audit("help")
    await keys.press("Escape")
    await taken.page.get_by_role("dialog").wait_for(state="hidden")
    await keys.press("f")
    await taken.page.get_by_role("region", name="All instruments").wait_for(state="hidden")
    findings += await taken.audit("full screen")
    await keys.press("f")
    await taken.page.get_by_role("region", name="All instruments").wait_for()
    await keys.press("m")
    await taken.page.get_by_role("textbox", name="Note").wait_for()
    findings += await taken.audit("mark")
    await keys.press("Escape")
    await taken.page.get_by_role("textbox", name="Note").wait_for(state="hidden")
    await taken.page.locator("#summary > summary").press("Enter")
    await taken.page.get_by_role("table").get_by_role("row", name="In all").wait_for()
    await taken.page.evaluate("document.activeElement.blur()")  # there a space closes the summary
    await body.press("Space")
    await taken.page.get_by_role("button", name="Go on").wait_for()
    findings += await taken.audit("paused, and the summary")
    assert findings == []


@grounds
async def test_bars_stand_out(seat: Seats, scheme: str) -> None:
    """Each instrument's colour, or the edge of its bar, has a contrast of 3 to what it lies on."""
    taken = await seat(color_scheme=scheme)
    await taken.hear("flute")
    contrasts = await taken.page.evaluate("""() => {
        const { getContrast, flattenColors, Color } = axe.commons.color;
        const colour = (text) => { const it = new Color(); it.parseString(text); return it; };
        const ground = (element) => colour(getComputedStyle(element).backgroundColor);
        const edge = colour(getComputedStyle(document.documentElement).getPropertyValue('--edge'));
        return [...document.querySelectorAll('.row')].map((row) => {
            const [bar, track] = [row.querySelector('.bar-fill'), row.querySelector('.bar')].map(ground);
            return Math.max(getContrast(track, bar), getContrast(track, flattenColors(edge, bar)));
        });
    }""")
    assert [name for name, contrast in zip(INSTRUMENTS, contrasts, strict=True) if contrast < 3] == []


@grounds
@sizes
async def test_tab_walks_through_all_controls(seat: Seats, size: tuple[int, int], scheme: str) -> None:
    """Tab reaches each control in the order of the page, each in view, with a ring that stands out."""
    taken = await seat(*size, color_scheme=scheme)
    await taken.hear(LONGEST)
    names = await taken.page.evaluate(
        f"() => ({CONTROLS})().map((it) => it.ariaLabel ?? it.labels?.[0]?.textContent ?? it.textContent)"
    )
    walked = []
    for _ in names:
        await taken.page.keyboard.press("Tab")
        walked.append(await taken.page.evaluate(FOCUS))
    assert len(names) >= 4
    assert [names[step["index"]] for step in walked] == names
    assert [names[step["index"]] for step in walked if not step["ring"]] == []
    assert [names[step["index"]] for step in walked if not step["seen"]] == []


async def test_help_keeps_the_focus_and_gives_it_back(seat: Seats) -> None:
    """The help takes the focus, Tab does not leave it, and Escape returns to where one was."""
    taken = await seat()
    page = taken.page
    await taken.hear("flute")
    opener = page.get_by_role("button", name="Help")
    await opener.focus()
    await page.keyboard.press("Enter")
    await page.get_by_role("dialog").wait_for()
    for _ in range(8):
        assert await page.evaluate("() => document.activeElement === document.body ||"
                                   " document.activeElement.closest('dialog') !== null")  # fmt: skip
        await page.keyboard.press("Tab")
    await page.keyboard.press("Escape")
    await page.get_by_role("dialog").wait_for(state="hidden")
    assert await opener.evaluate("button => button === document.activeElement")


async def test_changes_are_announced_once(seat: Seats, publisher: HopPublisher) -> None:
    """The polite live region says each change of what is in front, and nothing while it lasts."""
    taken = await seat()
    await taken.hear("flute")
    region = taken.page.locator("#announcer")
    assert await region.get_attribute("aria-live") == "polite"
    await taken.page.evaluate("""() => {
        window.said = [];
        const region = document.querySelector('#announcer');
        new MutationObserver(() => said.push(region.textContent)).observe(region, {
            childList: true, characterData: true, subtree: true,
        });
    }""")
    for name in ("violin", LONGEST):
        await taken.hear(name)
        for _ in range(8):
            publisher.hop()
    publisher.play(None, state="silence")
    await taken.see("silence", "Silence")
    await taken.hear("piano")
    await taken.page.wait_for_function("() => said.at(-1)?.startsWith('Piano')")
    said = [text for text in await taken.page.evaluate("() => said") if text]
    assert [text.lower() for text in said] == ["violin", LONGEST, "silence", "piano"]


async def test_sections_have_names_and_say_what_they_show(seat: Seats) -> None:
    """Whoever listens to the page finds its parts by name, and the instrument with its confidence in the first."""
    taken = await seat()
    await taken.hear("trumpet")
    page = taken.page
    for name in ("Now", "All instruments", "Timeline", "Spectrogram", "Input level", "Service"):
        assert await page.get_by_role("region", name=name, exact=True).is_visible(), name
    assert "90\u202f%" in await page.get_by_role("region", name="Now", exact=True).inner_text()
    rows = page.get_by_role("region", name="All instruments").get_by_role("listitem")
    told = [" ".join((await row.inner_text()).split()) for row in await rows.all()]
    assert [name for name in INSTRUMENTS if any(name in row.lower() for row in told)] == INSTRUMENTS
    nameless = await page.evaluate("""() => [...document.querySelectorAll('canvas')].filter((canvas) =>
        canvas.closest('[aria-hidden=true]') === null
        && !(canvas.role && (canvas.ariaLabel || canvas.getAttribute('aria-labelledby'))))
        .map((canvas) => canvas.outerHTML)""")
    assert nameless == []


async def test_text_of_twice_the_size_fits(seat: Seats) -> None:
    """With letters of twice the size nothing is cut off at the side."""
    taken = await seat()
    await taken.hear(LONGEST)
    assert await taken.page.evaluate("""() => {
        document.documentElement.style.fontSize = '200%';
        return document.scrollingElement.scrollWidth <= innerWidth;
    }""")


async def test_main_controls_are_large_enough_for_fingers(seat: Seats) -> None:
    """On a phone the buttons at the top measure 44 pixels at least, and none measures less than 24."""
    taken = await seat(320, 640, has_touch=True, is_mobile=True)
    await taken.hear(LONGEST)
    sizes = await taken.page.evaluate(f"""() => ({CONTROLS})().map((control) => {{
        const {{ width, height }} = (control.labels?.[0] ?? control).getBoundingClientRect();
        return [control.ariaLabel ?? control.textContent, Math.min(width, height), control.closest('header') !== null];
    }})""")
    assert [it for it in sizes if it[1] < (44 if it[2] else 24)] == []
