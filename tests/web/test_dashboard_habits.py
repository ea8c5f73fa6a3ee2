"""The dashboard's habits: its keys, pause, full screen, theme and help, and what it tells of the service."""

from __future__ import annotations

import json
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pytest

from stream.protocol.messages import Outage
from tests.support.browser import HopPublisher, OpenTab
from tests.support.serving import HELLO, STATUS, Stage, staged

if TYPE_CHECKING:
    from playwright.async_api import Page

pytestmark = pytest.mark.asyncio(loop_scope="module")

ZONE = "Asia/Kolkata"
"""Where the page is; half an hour away from everybody else, and nowhere in summer time."""

SEEN = """() => [...document.querySelectorAll('body *')].filter((element) =>
    !element.closest('#now') && !element.querySelector('#now')
    && getComputedStyle(element.closest('.unseen, .top') ?? element).clipPath === 'none'
    && element.checkVisibility({ opacityProperty: true, visibilityProperty: true }) && element.getClientRects().length
).map((element) => element.outerHTML.slice(0, 80))"""
"""Everything that can be seen besides the instrument."""


async def opened(open_tab: OpenTab, stage: Stage, **options: Any) -> Page:
    """Open the page and wait until it shows the stage."""
    tab = await open_tab(f"http://{stage.address}/", **options)
    await tab.page.wait_for_selector("#link[data-phase=live]")
    return tab.page


async def name(page: Page, text: str) -> None:
    """Wait until the large type says this."""
    await page.wait_for_function("text => document.querySelector('.now-name').textContent === text", arg=text)


async def titled(page: Page, text: str) -> None:
    """Wait until the tab's title says this."""
    await page.wait_for_function("text => document.title === `${text} · Soloist`", arg=text)


async def focus(page: Page) -> str:
    """Return the id of what has the focus, or its tag."""
    focused: str = await page.evaluate("() => document.activeElement.id || document.activeElement.tagName")
    return focused


async def states(page: Page) -> dict[str, bool]:
    """Tell which of the page's modes it is in."""
    modes: dict[str, bool] = await page.evaluate("""() => ({
        paused: document.documentElement.classList.contains('paused'),
        solo: document.documentElement.classList.contains('solo'),
        help: document.querySelector('#help').open,
        note: !document.querySelector('.session-form').hidden,
    })""")
    return modes


def clock(time: float) -> str:
    """Write a stream time as the page's clock on the wall shows it."""
    return f"{datetime.fromtimestamp(HELLO.utc + time, ZoneInfo(ZONE)):%H:%M:%S}"


PLAIN = {"paused": False, "solo": False, "help": False, "note": False}


@pytest.mark.parametrize("by", ["key", "button"])
async def test_pause_holds_the_view_and_nothing_else(open_tab: OpenTab, publisher: HopPublisher, by: str) -> None:
    """Paused, the page says since when, shows what was then, and hears on; afterwards it shows what is now."""
    page = await opened(open_tab, publisher.stage, timezone_id=ZONE)
    await name(page, "Violin")
    before = publisher.stage.time
    await (page.keyboard.press("Space") if by == "key" else page.click("#pause"))
    assert await page.is_visible("#paused")
    since = (await page.inner_text(".paused-text")).removeprefix("Paused \N{EN DASH} this is ")
    assert clock(before - 2) <= since <= clock(publisher.stage.time + 2)
    assert await page.get_attribute("#pause", "aria-pressed") == "true"
    assert not await page.is_visible("#link")
    publisher.play("flute", 0.8)
    await titled(page, "Flute")
    rows = "() => [...document.querySelectorAll('.rows .row-value')].map((value) => value.textContent)"
    held = await page.evaluate(rows)
    assert await page.inner_text(".now-name") == "Violin"
    publisher.play("piano", 0.7)
    await titled(page, "Piano")
    publisher.hop()  # or it has no length yet when it is downloaded
    assert await page.inner_text(".now-name") == "Violin"
    assert await page.evaluate(rows) == held
    assert held[-1] == "90\u202f%"
    await (page.keyboard.press("Space") if by == "key" else page.click("#go-on"))
    await name(page, "Piano")
    assert not await page.is_visible("#paused")
    async with page.expect_download() as waiting:
        await page.click("[data-format=json]")
    with open(await (await waiting.value).path(), encoding="utf-8") as file:  # noqa: ASYNC230
        heard = [part["label"] for part in json.load(file)["segments"]]
    assert heard[-3:] == ["violin", "flute", "piano"]


async def test_keys_do_nothing_while_typing(open_tab: OpenTab, stage: Stage) -> None:
    """In a field a letter is a letter, and with ctrl, alt or meta a key is the browser's."""
    page = await opened(open_tab, stage)
    await page.keyboard.press("m")
    await page.keyboard.type("f ?mM")
    assert await states(page) == PLAIN | {"note": True}
    assert await page.input_value("#session-note") == "f ?mM"
    await page.keyboard.press("Escape")
    for modifier in ("Control", "Alt", "Meta"):
        for key in ("m", "Space", "?"):
            await page.keyboard.press(f"{modifier}+{key}")
    assert await states(page) == PLAIN
    assert await page.evaluate("""() => [...document.querySelectorAll('[aria-keyshortcuts]')].map(
        (button) => [button.getAttribute('aria-keyshortcuts'), button.getAttribute('aria-label') ?? button.textContent]
    )""") == [["Space", "Pause the view"], ["f", "Full screen"], ["?", "Help"], ["m", "Mark"]]


async def test_space_presses_the_button_that_it_was_led_to(open_tab: OpenTab, stage: Stage) -> None:
    """Space on a button that the keyboard reached presses it; after a click with the mouse it pauses all the same."""
    page = await opened(open_tab, stage)
    await page.focus("#help-button")
    await page.keyboard.press("Tab")
    await page.keyboard.press("Shift+Tab")
    assert await focus(page) == "help-button"
    await page.keyboard.press("Space")
    assert await states(page) == PLAIN | {"help": True}
    await page.keyboard.press("Escape")
    await page.evaluate("() => document.activeElement.blur()")
    assert await page.get_attribute("#theme", "data-choice") == "auto"
    await page.click("#theme")
    await page.keyboard.press("Space")
    assert await page.get_attribute("#theme", "data-choice") == "dark"
    assert await states(page) == PLAIN | {"paused": True}


async def test_keys_can_be_turned_off(open_tab: OpenTab, stage: Stage) -> None:
    """Who speaks to their computer turns the single keys off, and they stay off; the buttons go on."""
    page = await opened(open_tab, stage)
    await page.keyboard.press("?")
    await page.uncheck(".help-keys-on")
    await page.keyboard.press("Escape")
    await page.reload()
    await page.wait_for_selector("#link[data-phase=live]")
    for key in ("Space", "f", "m", "?"):
        await page.keyboard.press(key)
    assert await states(page) == PLAIN
    await page.click("#help-button")
    assert not await page.is_checked(".help-keys-on")
    await page.check(".help-keys-on")
    await page.keyboard.press("Escape")
    await page.keyboard.press("m")
    assert await states(page) == PLAIN | {"note": True}


async def test_full_screen_shows_nothing_but_the_instrument(open_tab: OpenTab, publisher: HopPublisher) -> None:
    """F fills the screen with the instrument, keeps it awake, and shows the way out when somebody is there."""
    tab = await open_tab()
    page = tab.page
    await page.add_init_script("""
        window.locks = [];
        Object.defineProperty(navigator, 'wakeLock', { value: { async request(kind) {
            const lock = { kind, released: false, async release() { this.released = true; } };
            window.locks.push(lock);
            return lock;
        } } });
    """)
    await page.goto(publisher.page)
    await name(page, "Violin")
    await page.keyboard.press("f")
    await page.wait_for_function("() => document.fullscreenElement === document.documentElement")
    await page.wait_for_selector("html.solo:not(.stirred)", timeout=10_000)
    assert await page.evaluate(SEEN) == []
    box = await page.locator("#now").bounding_box()
    assert box == await page.evaluate("() => ({ x: 0, y: 0, width: innerWidth, height: innerHeight })")
    assert await page.evaluate("() => window.locks.map(({ kind, released }) => [kind, released])") == [
        ["screen", False]
    ]
    publisher.play("flute")
    await name(page, "Flute")
    await page.mouse.move(200, 200)
    assert [element[:40] for element in await page.evaluate(SEEN)] == ['<button class="button solo-leave" id="le']
    await page.click("#leave")
    await page.wait_for_function("() => document.fullscreenElement === null && window.locks[0].released")
    assert await states(page) == PLAIN
    await page.click("#full-screen")
    await page.wait_for_function("() => document.fullscreenElement !== null")
    await page.evaluate("() => document.exitFullscreen()")  # as the browser does on Escape
    await page.wait_for_selector("html:not(.solo)")


async def test_full_screen_fills_the_window_where_there_is_no_other(open_tab: OpenTab, publisher: HopPublisher) -> None:
    """Where the browser has no full screen the instrument fills the window, and Escape or F leaves it."""
    tab = await open_tab(viewport={"width": 320, "height": 568})
    page = tab.page
    await page.add_init_script("Object.defineProperty(Document.prototype, 'fullscreenEnabled', { value: undefined })")
    await page.goto(publisher.page)
    await name(page, "Violin")
    for leave in ("Escape", "f"):
        await page.keyboard.press("f")
        assert await states(page) == PLAIN | {"solo": True}
        assert await page.evaluate("() => document.fullscreenElement") is None
        assert await page.locator("#now").bounding_box() == {"x": 0, "y": 0, "width": 320, "height": 568}
        await page.keyboard.press("Space")
        assert await page.is_visible("#paused")
        await page.click("#go-on")
        await page.keyboard.press(leave)
        assert await states(page) == PLAIN


async def test_help_opens_closes_and_gives_the_focus_back(open_tab: OpenTab, stage: Stage) -> None:
    """Help comes by button or key, goes by its button, Escape or a click beside it, and gives the focus back."""
    page = await opened(open_tab, stage)
    labels = "() => [...document.querySelectorAll('.help-colours li')].map((item) => item.textContent)"
    await page.focus("#help-button")
    await page.keyboard.press("Enter")
    assert await page.is_visible("#help")
    assert [text.lower() for text in await page.evaluate(labels)] == HELLO.labels
    await page.keyboard.press("f")
    assert await states(page) == PLAIN | {"help": True}
    await page.keyboard.press("Escape")
    await page.wait_for_selector("#help", state="hidden")
    assert await focus(page) == "help-button"
    await page.focus("#theme")
    await page.keyboard.press("?")
    await page.click("#help .help-head button")
    await page.wait_for_selector("#help", state="hidden")
    assert await focus(page) == "theme"
    await page.keyboard.press("?")
    await page.mouse.click(5, 5)
    await page.wait_for_selector("#help", state="hidden")
    assert await focus(page) == "theme"


async def test_overlay_is_linked_with_the_token(open_tab: OpenTab, exit_stack: AsyncExitStack) -> None:
    """The help leads to the overlay, which is let in as this page was."""
    stage = await exit_stack.enter_async_context(staged(token="sesame"))
    tab = await open_tab(f"http://{stage.address}/#token=sesame")
    page = tab.page
    await page.wait_for_selector("#link[data-phase=live]")
    await page.keyboard.press("?")
    async with page.expect_popup() as waiting:
        await page.click("#help a[href='overlay']")
    popup = await waiting.value
    assert popup.url == f"http://{stage.address}/overlay#token=sesame"


async def test_theme_follows_the_system_until_it_is_chosen(open_tab: OpenTab, stage: Stage) -> None:
    """Light or dark is the system's choice, also when it changes, until the button says otherwise; that is kept."""
    page = await opened(open_tab, stage, color_scheme="light")

    async def looks() -> tuple[str | None, str | None, bool, str]:
        ground = await page.evaluate("() => getComputedStyle(document.body).backgroundColor")
        scheme = await page.evaluate("() => getComputedStyle(document.documentElement).colorScheme")
        bright = sum(int(part) for part in ground.removeprefix("rgb(").removesuffix(")").split(",")) > 3 * 128
        return (
            await page.get_attribute("html", "data-theme"),
            await page.get_attribute("meta[name=theme-color]", "content"),
            bright,
            scheme,
        )

    light, dark = ("light", "#f3f2ee", True, "light"), ("dark", "#0c0e11", False, "dark")
    assert await looks() == light
    await page.emulate_media(color_scheme="dark")
    await page.wait_for_selector("html[data-theme=dark]")
    assert await looks() == dark
    assert await page.get_attribute("#theme", "aria-label") == "Theme: as the system"
    await page.emulate_media(color_scheme="light")
    await page.wait_for_selector("html[data-theme=light]")
    await page.click("#theme")
    assert await looks() == dark
    assert await page.get_attribute("#theme", "aria-label") == "Theme: dark"
    await page.reload()
    assert await looks() == dark
    await page.click("#theme")
    assert await looks() == light
    await page.emulate_media(color_scheme="dark")
    assert await looks() == light
    await page.click("#theme")
    assert await looks() == dark
    assert await page.get_attribute("#theme", "aria-label") == "Theme: as the system"


async def test_outages_are_told_with_their_times(open_tab: OpenTab, stage: Stage) -> None:
    """A source that was lost is told with when it went and came back, the last three, and that it is away now."""
    page = await opened(open_tab, stage, timezone_id=ZONE)
    assert not await page.is_visible(".outages")
    lines = "() => [...document.querySelectorAll('.outages li')].map((item) => [item.textContent, item.dataset.away])"

    async def lost(start: float, end: float | None) -> list[list[str]]:
        stage.server.publish(Outage(start, end, "a stage", "it was unplugged"))
        when = f"Lost {clock(start)}"
        await page.wait_for_function(
            "([when, away]) => { const item = document.querySelector('.outages li');"
            "return item?.textContent.startsWith(when) && item.dataset.away === away; }",
            arg=[when, str(end is None).lower()],
        )
        told: list[list[str]] = await page.evaluate(lines)
        return told

    stage.hop(8)
    for start in (10.0, 30.0, 50.0):
        assert (await lost(start, None))[0][1] == "true"
        told = await lost(start, start + 17)
    assert told == [[f"Lost {clock(at)}, back {clock(at + 17)} (17 s)", "false"] for at in (50.0, 30.0, 10.0)]
    stage.hop(760)
    told = await lost(70.0, None)
    assert [away for _, away in told] == ["true", "false", "false"]
    assert told[0][0] == f"Lost {clock(70.0)}, 2 min ago, and not back yet"
    await page.reload()
    await page.wait_for_function("() => document.querySelectorAll('.outages li').length === 3")
    assert await page.evaluate(lines) == told


async def test_busy_computer_is_told_in_words(open_tab: OpenTab, stage: Stage) -> None:
    """From half of its time on, the hop's gauge has another colour and words that say what to do."""
    page = await opened(open_tab, stage)
    for hop_ms, strain, words in (
        (100.0, "none", ""),
        (150.0, "high", "The computer is busy: a hop takes 60\u202f% of the time there is. Close other programs."),
        (260.0, "over", "The computer is too slow: a hop takes 104\u202f% of the time there is, and hops are dropped. "
                        "Close other programs, or take a smaller model."),
        (1.0, "none", ""),
    ):  # fmt: skip
        stage.server.publish(replace(STATUS, hop_ms=hop_ms))
        await page.wait_for_selector(f".load[data-strain={strain}]")
        assert await page.inner_text("[data-fact=hop]") == f"{hop_ms:.1f} of 250 ms"
        assert await page.text_content(".load-words") == words
        assert await page.is_visible(".load-words") == bool(words)
        assert await page.get_attribute(".load", "aria-valuenow") == str(min(100, int(hop_ms / 2.5)))


async def test_counts_that_grew_stand_out(open_tab: OpenTab, stage: Stage) -> None:
    """Overflows and dropped hops stand out when they grow while somebody watches, not when they are told first."""
    page = await opened(open_tab, stage)
    stage.server.publish(replace(STATUS, dropped_hops=4, overflows=0))
    await page.wait_for_selector("[data-fact=dropped][data-fresh=true]")
    assert await page.get_attribute("[data-fact=overflows]", "data-fresh") == "false"
    await page.reload()
    await page.wait_for_function("() => document.querySelector('[data-fact=dropped]').textContent === '4'")
    assert await page.get_attribute("[data-fact=dropped]", "data-fresh") == "false"
