"""Nothing of the dashboard leaves the screen or shrinks to nothing, whatever the screen, the state and the words."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from stream.protocol.messages import Guess, Mark, Outage, Segment
from tests.support.browser import OpenTab
from tests.support.serving import HELLO, INSTRUMENTS, STATUS, Stage, label, staged

if TYPE_CHECKING:
    from playwright.async_api import Page

pytestmark = pytest.mark.asyncio(loop_scope="module")

SCREENS = [(320, 568), (390, 844), (768, 1024), (844, 390), (1000, 700), (1280, 800), (1920, 1080)]
EXTREMES = [(320, 568), (844, 390), (1280, 800)]
LONGEST = "distorted electric guitar"
THOROUGH = ["an instrument", "two hours and their summary"]
"""States that are tried on every screen."""
ENDLESS = "USB_Audio_CODEC_" * 12
"""A word that can be broken nowhere."""

FAULTS = """async () => {
    for (const _ of [1, 2]) await new Promise(requestAnimationFrame); // the name is fitted after the layout
    const faults = [];
    const screen = document.documentElement.clientWidth;
    const { scrollWidth } = document.scrollingElement;
    if (scrollWidth > screen) faults.push(`the page is ${scrollWidth} wide`);
    // What scrolls or is cut off on purpose: the strip, bars that slide in, what only screen readers meet.
    const cut = '.spectrogram-plot, .unseen, svg, .bar, .meter, .now-gauge, .load, .session-told';
    for (const element of document.querySelectorAll('body *')) {
        if (element.closest(cut) || getComputedStyle(element).visibility === 'hidden') continue;
        // What is in a closed fold is not laid out again, and keeps the place that it had in another window.
        if (element.closest('details:not([open]) > :not(summary)')) continue;
        const { left, right, width } = element.getBoundingClientRect();
        if (width > 0 && (left < -1 || right > screen + 1)) {
            faults.push(`${element.tagName} ${element.className}: ${left} to ${right}`);
        }
    }
    for (const bar of document.querySelectorAll('.bar')) {
        const { width, height } = bar.getBoundingClientRect();
        if (width > 0 && width < 5 * height) faults.push(`a bar is ${width} wide and ${height} high`);
    }
    const place = document.querySelector('.now-place');
    const name = document.querySelector('.now-name');
    const [wide, high] = [name.scrollWidth - place.clientWidth, name.offsetHeight - place.clientHeight];
    if (wide > 1 || high > 1) faults.push(`the name is ${wide} too wide and ${high} too high`);
    if (document.querySelector('#now').dataset.kind === 'instrument') {
        const letters = parseFloat(name.style.fontSize);
        const room = document.querySelector('.now-stage').clientWidth;
        if (letters < room / 14) faults.push(`the name is ${letters} high where ${room} are free`);
    }
    return faults;
}"""
"""What does not fit."""


TOO_NEW = Path(__file__).with_name("too_new.json")
WITHOUT = """interfaces => {
    for (const [name, members] of Object.entries(interfaces)) {
        for (const owner of [window[name], window[name]?.prototype, name === 'Window' ? window : undefined]) {
            for (const member of members) if (owner) delete owner[member];
        }
        if (members.length === 0) delete window[name];
    }
}"""
"""Takes from a browser what the oldest supported ones lack."""


async def states(page: Page, stage: Stage) -> AsyncIterator[str]:
    """Bring the page into every state that it has, one after the other, with the longest words there are."""
    publish = stage.server.publish
    publish(replace(HELLO, source=ENDLESS, model=ENDLESS, utc=HELLO.utc + 1))
    stage.time = 7200.0
    for number in range(60):
        publish(Segment(120.0 * number, 120.0 * number + 1, "instrument", INSTRUMENTS[number % 8], 0.5))
        publish(Guess(120.0 * number, 120.0 * number + 1, LONGEST, 0.2))
        publish(Mark(7000.0 + number, "word " * 20))
    publish(Outage(7100.0, 7110.0, ENDLESS, ENDLESS))
    publish(replace(label(28800, LONGEST, since=7190.0), state="instrument"))
    await page.wait_for_selector("#now[data-kind=instrument]")
    yield "an instrument"
    publish(Mark(7199.0, ENDLESS))
    await page.wait_for_function(
        "end => document.querySelector('.session-told').textContent.endsWith(end)", arg=ENDLESS
    )
    yield "a mark without a space"
    await page.click("#summary > summary")
    await page.get_by_role("button", name="Show 2 hours").click()
    await page.wait_for_selector("#summary tbody tr")
    yield "two hours and their summary"
    publish(
        replace(STATUS, source="waiting", message=ENDLESS, warnings=[ENDLESS, "word " * 60], hop_ms=260.0, uptime=9e6)
    )
    await page.wait_for_selector("#now[data-kind=stalled]")
    yield "no input, and warnings"
    publish(replace(STATUS, warnings=[]))
    publish(replace(label(28804, None, 0.5), probabilities={**dict.fromkeys(INSTRUMENTS, 0.0), LONGEST: 0.4}))
    await page.wait_for_selector("#now[data-kind=unknown]")
    yield "unknown"
    for state in ("silence", "warming"):
        publish(label(28808, None, 0, state))  # type: ignore[arg-type]
        await page.wait_for_selector(f"#now[data-kind={state}]")
        yield state
    await page.click(".session-start")
    await page.click(".session-mark")
    yield "a session and a note"
    await page.keyboard.press("Escape")
    await page.click("#pause")
    yield "paused"
    await page.click("#help-button")
    yield "help"
    await page.keyboard.press("Escape")
    await page.click("#go-on")
    for _ in range(2):
        yield "full screen, or back from it"
        await page.keyboard.press("f")


async def test_every_state_fits_every_screen(open_tab: OpenTab, exit_stack: AsyncExitStack) -> None:
    """From 320 pixels to a wall nothing has to be scrolled sideways, no bar is a dot, and no name is cut off.

    It is so in a browser that lacks all that the oldest supported ones lack.
    """
    tab = await open_tab()
    interfaces = json.dumps(json.loads(TOO_NEW.read_text(encoding="utf-8"))["interfaces"])
    await tab.page.add_init_script(f"({WITHOUT})({interfaces})")
    tab.expected = "^WebSocket connection to .* failed"
    page = tab.page

    async def fits(state: str) -> None:
        for width, height in SCREENS if state in THOROUGH else EXTREMES:
            await page.set_viewport_size({"width": width, "height": height})
            assert await page.evaluate(FAULTS) == [], f"{state} at {width} x {height}"

    async with staged() as stage:
        await page.goto(f"http://{stage.address}/")
        assert await page.evaluate("() => [[].toReversed, window.structuredClone].every((it) => it === undefined)")
        await page.set_viewport_size({"width": 1920, "height": 1080})
        await page.wait_for_selector("#link[data-phase=live]")
        assert await page.evaluate("() => document.scrollingElement.scrollHeight <= innerHeight"), "a wall shows all"
        async for state in states(page, stage):
            await fits(state)
    await page.wait_for_selector("#now[data-kind=offline]")
    await fits("no connection")
    locked = await exit_stack.enter_async_context(staged(token="sesame"))
    await page.goto(f"http://{locked.address}/#token=wrong")
    await page.wait_for_selector("#now[data-kind=offline]")
    await fits("a wrong token")
